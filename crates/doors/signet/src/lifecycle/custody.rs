//! Vault or OpenBao, as section `custody` of the settings names it. Nothing is asked of it at the start: while it is sealed or away
//! everything else works, and health says what is missing.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use signet_crypto::Secret;
use signet_custody::secret_file::Links;
use signet_custody::vault::{CUSTODY_CONFIG_INVALID, SecretSource, VaultAuth, VaultConfig, VaultPki};
use signet_model::{Entropy, Refusal};
use signet_outbound::{AddressPolicy, ClientIdentity, Network, OutboundError};

use super::pair::Pair;
use crate::config::{self, CONFIG_VALUE, Custody};

/// This machine, where Vault may be without being listed.
const OWN_MACHINE: [&str; 2] = ["127.0.0.0/8", "::1/128"];
/// Where the methods of login are usually mounted.
const APPROLE: &str = "approle";
const KUBERNETES: &str = "kubernetes";

/// The certificate that is shown to Vault, and the files that it comes from.
pub(crate) struct ClientCertificate {
    certificate: PathBuf,
    key: PathBuf,
    identity: ClientIdentity,
}

impl ClientCertificate {
    /// Reads the files; none where the settings name none.
    pub(crate) fn open(settings: &Custody) -> Result<Option<Self>, Refusal> {
        let (certificate, key) = match (&settings.client_cert_file, &settings.client_key_file) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
            (Some(_), None) => {
                return Err(Refusal::new(&CONFIG_VALUE, "`custody.client_cert_file` is given and `custody.client_key_file` is not"));
            }
            (None, Some(_)) => {
                return Err(Refusal::new(&CONFIG_VALUE, "`custody.client_key_file` is given and `custody.client_cert_file` is not"));
            }
        };
        let (chain, private) = pair(&certificate, &key).read()?;
        let identity = ClientIdentity::new(chain, &private.to_rustls()).map_err(|error| unusable(&certificate, &error))?;
        Ok(Some(Self { certificate, key, identity }))
    }

    /// Reads the files again; what is in use stays when they cannot be used.
    pub(crate) fn reload(&self) -> Result<(), Refusal> {
        let (chain, private) = pair(&self.certificate, &self.key).read()?;
        self.identity.replace(chain, &private.to_rustls()).map_err(|error| unusable(&self.certificate, &error))
    }
}

fn pair<'a>(certificate: &'a Path, key: &'a Path) -> Pair<'a> {
    Pair { certificate, key, links: Links::Follow, reason: &CUSTODY_CONFIG_INVALID }
}

fn unusable(certificate: &Path, error: &OutboundError) -> Refusal {
    Refusal::new(&CUSTODY_CONFIG_INVALID, format!("{}: {error}", certificate.display()))
}

/// The engine that keeps the keys of tenants' authorities. `secret` is what is shown at the login, where no file holds it.
pub(crate) fn vault(
    settings: &Custody,
    secret: Option<&Secret>,
    client: Option<&ClientCertificate>,
    entropy: Arc<dyn Entropy>,
) -> Result<Arc<VaultPki>, Refusal> {
    let missing = |key: &str| Refusal::new(&CONFIG_VALUE, format!("`custody.kind` is \"vault\", and `custody.{key}` is not given"));
    let url = settings.url.as_ref().ok_or_else(|| missing("url"))?;
    let source = || match (secret, &settings.token_file) {
        (Some(secret), _) => Ok(SecretSource::Given(Arc::new(secret.duplicate()))),
        (None, Some(file)) => Ok(SecretSource::File(file.clone())),
        (None, None) => Err(missing("token_file")),
    };
    let role = || settings.role.clone().ok_or_else(|| missing("role"));
    let auth = match settings.auth {
        config::VaultAuth::Token => VaultAuth::Token { token: source()? },
        config::VaultAuth::AppRole => VaultAuth::AppRole { mount: APPROLE.to_owned(), role_id: role()?, secret_id: source()? },
        config::VaultAuth::Kubernetes => VaultAuth::Kubernetes {
            mount: KUBERNETES.to_owned(),
            role: role()?,
            jwt_file: settings.token_file.clone().unwrap_or_else(|| config::SERVICE_ACCOUNT_TOKEN.into()),
        },
    };
    let vault = VaultConfig {
        namespace: settings.namespace.clone(),
        ca_file: settings.ca_file.clone(),
        identity: client.map(|client| client.identity.clone()),
        cluster_hosts: settings.cluster_hosts.0.clone(),
        policy: policy(settings, &url.0),
        ..VaultConfig::new(url.0.clone(), auth, settings.mount_prefix.clone())
    };
    VaultPki::start(vault, entropy).map_err(|error| Refusal::new(error.reason(), error.to_string()))
}

fn policy(settings: &Custody, url: &str) -> AddressPolicy {
    let own: Vec<Network> = OWN_MACHINE.iter().filter_map(|network| network.parse().ok()).collect();
    let policy = AddressPolicy::deny_by_default().allow_networks(&settings.allow_networks.0).allow_networks(&own);
    if settings.allow_plain_http || is_own_machine(url) { policy.allow_plain_http() } else { policy }
}

/// Whether the URL names this machine by its loopback address.
fn is_own_machine(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_spoken_with_this_machine_alone() {
        for (url, own) in [
            ("http://127.0.0.1:8200", true),
            ("http://[::1]:8200/x", true),
            ("http://localhost", true),
            ("http://localhost.example", false),
            ("http://10.0.0.1:8200", false),
            ("http://vault/127.0.0.1", false),
        ] {
            assert_eq!(is_own_machine(url), own, "{url}");
            let settings = config::Settings::default().custody;
            assert_eq!(policy(&settings, url).allows_plain_http(), own, "{url}");
        }
    }
}
