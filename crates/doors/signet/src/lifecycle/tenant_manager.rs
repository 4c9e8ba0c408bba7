//! The connection to Kaa's Tenant Manager, where the settings name one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use signet_bus::Bus;
use signet_credentials::{CredentialsRoom, ManagerLogin, TenantManager, TenantManagerParts};
use signet_crypto::{Sealer, Secret};
use signet_custody::secret_file::{self, Links};
use signet_model::Refusal;
use signet_outbound::{AddressPolicy, Outbound, OutboundConfig};

use super::credentials::refusal;
use crate::config::{CONFIG_VALUE, TenantManager as Settings};

/// Longest secret of a client, in bytes.
const LONGEST_SECRET: usize = 4_096;
/// Longest page of tenants, in bytes: a hundred of them are a tenth of it, and a Manager that does not page gives all at once.
const LONGEST_PAGE: usize = 8 * 1024 * 1024;
/// For one page. A Manager that counts many tenants takes its time.
const PAGE_TIMEOUT: Duration = Duration::from_secs(30);

/// Follows the Tenant Manager of the settings; none where they name none. `client_secret` stands in for the file of the settings.
pub(super) async fn follow(
    settings: &Settings,
    client_secret: Option<&Secret>,
    room: &Arc<CredentialsRoom>,
    bus: &Bus,
    sealer: &Arc<dyn Sealer>,
) -> Result<Option<TenantManager>, Refusal> {
    let login = login(settings, client_secret)?;
    let Some(url) = &settings.url else {
        return Ok(None);
    };
    let mut policy = AddressPolicy::deny_by_default().allow_networks(&settings.allow_networks.0);
    if settings.allow_plain_http {
        policy = policy.allow_plain_http();
    }
    let outbound = Outbound::new(OutboundConfig {
        ca_file: settings.ca_file.clone(),
        max_body: LONGEST_PAGE,
        total_timeout: PAGE_TIMEOUT,
        ..OutboundConfig::new(policy)
    })?;
    let parts = TenantManagerParts {
        outbound,
        sealer: Arc::clone(sealer),
        url: url.0.clone(),
        login,
        refresh_interval: settings.refresh_interval.0,
    };
    room.start_tenant_manager(bus, parts).await.map(Some).map_err(refusal)
}

fn login(settings: &Settings, client_secret: Option<&Secret>) -> Result<Option<ManagerLogin>, Refusal> {
    let secret = match (&settings.client_secret_file, client_secret) {
        (_, Some(secret)) => Some(secret.duplicate()),
        (Some(file), None) => Some(read_secret(file)?),
        (None, None) => None,
    };
    match (&settings.url, &settings.issuer, &settings.client_id, secret) {
        (Some(_), Some(issuer), Some(client_id), Some(client_secret)) => {
            Ok(Some(ManagerLogin { issuer: issuer.0.clone(), client_id: client_id.clone(), client_secret }))
        }
        (_, None, None, None) => Ok(None),
        (None, _, _, _) => Err(Refusal::new(&CONFIG_VALUE, "`tenant_manager.url` is not given, and other keys of its section are")),
        (Some(_), _, _, _) => {
            let detail = "`tenant_manager.issuer`, `tenant_manager.client_id` and `tenant_manager.client_secret_file` are given together \
                          or not at all";
            Err(Refusal::new(&CONFIG_VALUE, detail))
        }
    }
}

fn read_secret(file: &Path) -> Result<Secret, Refusal> {
    let bytes = secret_file::read(file, LONGEST_SECRET, Links::Follow)?;
    let text = bytes.expose_str().map(str::trim).filter(|text| !text.is_empty());
    let wrong = || Refusal::new(&CONFIG_VALUE, format!("`tenant_manager.client_secret_file` {}: there is no text in it", file.display()));
    text.map(Secret::from).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::config::{Settings as All, apply_text};

    fn settings(text: &str) -> Settings {
        let mut all = All::default();
        apply_text(&mut all, text, "test.toml").unwrap();
        all.tenant_manager
    }

    #[test]
    fn a_login_is_whole_or_absent() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        std::fs::write(&file, "canary\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let (url, issuer) = ("url = 'https://t'\n", "issuer = 'https://i'\n");
        let secret = format!("client_secret_file = '{}'\n", file.display());
        let of = |lines: &[&str]| login(&settings(&format!("[tenant_manager]\n{}", lines.concat())), None);
        let whole = of(&[url, issuer, "client_id = 'c'\n", &secret]).unwrap().unwrap();
        assert_eq!((whole.client_secret.expose_str(), whole.client_id.as_str()), (Some("canary"), "c"));
        assert!(of(&[url]).unwrap().is_none() && of(&[]).unwrap().is_none());
        for part in [&[url, issuer][..], &[url, &secret], &[issuer, "client_id = 'c'\n", &secret], &[url, issuer, "client_id = 'c'\n"]] {
            let refusal = of(part).err().unwrap();
            assert!(refusal.detail.contains("tenant_manager.") && !refusal.detail.contains("canary"), "{}", refusal.detail);
        }
        let inline = Secret::from("inline");
        let given = settings(&format!("[tenant_manager]\n{url}{issuer}client_id = 'c'\n"));
        assert_eq!(login(&given, Some(&inline)).unwrap().unwrap().client_secret.expose_str(), Some("inline"));
    }
}
