//! Who may call, as Kaa's section `kaa.security` says it (`kaa.md` 17.1, 18.1): the Tenant Manager's tenants with their issuers, or the one
//! issuer of the file, or everybody. URLs of the file and issuers listed by the Tenant Manager may be plain http and lie on private
//! or loopback addresses, since that is where a cluster has them; link-local and metadata addresses stay refused.

use signet_crypto::Secret;

use super::keys::CcmKeys;
use crate::config::{Issuers, Networks, Settings};

/// Where the neighbours of a cluster are, beside public addresses.
const OWN_NETWORKS: [&str; 7] = ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7"];

/// Fills the settings; the answer is the client's secret for the login at the Tenant Manager.
pub(super) fn apply(keys: &CcmKeys, settings: &mut Settings, warnings: &mut Vec<String>) -> Option<Secret> {
    settings.security.enabled = keys.security_enabled;
    settings.security.default_tenant = keys.default_tenant.clone();
    let own = own_networks();
    let (oidc, manager) = (&mut settings.oidc, &mut settings.tenant_manager);
    (oidc.allow_networks, oidc.allow_plain_http) = (own.clone(), true);
    (manager.allow_networks, manager.allow_plain_http) = (own, true);
    (oidc.ca_file, manager.ca_file) = (keys.security_ca_file.clone(), keys.security_ca_file.clone());
    // A token that is no RPT says nothing of permissions: Kaa's services ask the issuer then.
    oidc.uma = true;
    oidc.client_id.clone_from(&keys.client_id);
    manager.url.clone_from(&keys.tenant_manager_url);
    let login = match (&keys.tenant_manager_url, &keys.issuer, &keys.client_id, &keys.client_secret) {
        (Some(_), Some(issuer), Some(client), Some(secret)) => {
            (manager.issuer, manager.client_id) = (Some(issuer.clone()), Some(client.clone()));
            return Some(Secret::from(secret.0.as_str()));
        }
        (login, ..) => login,
    };
    if login.is_some() {
        warnings.push(
            "the Tenant Manager is asked without a login, which takes `kaa.security.issuer`, `.client-id` and `.client-secret`".to_owned(),
        );
    }
    if let Some(issuer) = &keys.issuer {
        oidc.issuers = Issuers(vec![(keys.default_tenant.clone(), issuer.0.clone())]);
    } else if login.is_none() && keys.security_enabled {
        let detail = "neither `kaa.security.tenant-manager.url` nor `kaa.security.issuer` is given: only tokens of Signet's own are taken";
        warnings.push(detail.to_owned());
    }
    None
}

/// The networks of a cluster.
pub(super) fn own_networks() -> Networks {
    Networks(OWN_NETWORKS.iter().filter_map(|network| network.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::source;

    fn of(text: &str) -> (Settings, Option<Secret>, Vec<String>) {
        let (mut keys, mut settings, mut warnings) = (CcmKeys::default(), Settings::default(), Vec::new());
        source::apply_text(&mut keys, text, "ccm.yml", &mut warnings).unwrap();
        let secret = apply(&keys, &mut settings, &mut warnings);
        (settings, secret, warnings)
    }

    #[test]
    fn a_tenant_manager_is_asked_with_a_login_or_without() {
        let (settings, secret, warnings) = of(
            "kaa.security: {tenant-manager: {url: 'http://tenant-manager'}, issuer: 'http://keycloak/auth/realms/kaa', client-id: ccm, client-secret: s3cr3t, tls: {ca-file: /ca.pem}}\n",
        );
        assert_eq!(secret.unwrap().expose_str(), Some("s3cr3t"));
        assert_eq!(settings.tenant_manager.url.as_ref().unwrap().0, "http://tenant-manager");
        assert_eq!(settings.tenant_manager.client_id.as_deref(), Some("ccm"));
        assert!(settings.oidc.issuers.0.is_empty() && settings.oidc.uma && settings.tenant_manager.allow_plain_http && warnings.is_empty());
        assert_eq!(settings.tenant_manager.allow_networks.0.len(), OWN_NETWORKS.len());
        assert_eq!(settings.oidc.ca_file.as_deref(), Some(std::path::Path::new("/ca.pem")));
        let (settings, secret, warnings) = of("kaa.security.tenant-manager.url: http://tenant-manager\n");
        assert!(settings.tenant_manager.url.is_some() && secret.is_none() && warnings[0].contains("without a login"), "{warnings:?}");
    }

    #[test]
    fn one_issuer_none_and_security_off_are_told_apart() {
        let (settings, _, warnings) = of("kaa.security: {issuer: 'http://keycloak/auth/realms/kaa', client-id: ccm}\n");
        let (tenant, issuer) = settings.oidc.issuers.0[0].clone();
        assert_eq!((tenant.as_str(), issuer.as_str(), warnings.len()), ("kaa", "http://keycloak/auth/realms/kaa", 0));
        let (_, _, warnings) = of("");
        assert!(warnings[0].contains("kaa.security.tenant-manager.url"), "{warnings:?}");
        let (settings, _, warnings) = of("kaa.security: {enabled: false, default-tenant: acme}\n");
        assert!(!settings.security.enabled && warnings.is_empty());
        assert_eq!(settings.security.default_tenant.as_str(), "acme");
    }
}
