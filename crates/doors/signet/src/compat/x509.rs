//! Certificates, as Kaa's section `kaa.x509` says it (`kaa.md` 16, 18.3): the files of the platform's authority, Vault where there is
//! one, and the form of what is issued.

use signet_crypto::Secret;
use signet_crypto::sign::KeyType;
use signet_model::Refusal;

use super::keys::{CcmKeys, CcmProfile};
use super::security::own_networks;
use crate::config::{Address, CONFIG_VALUE, CaKey, CertificateForm, CustodyKind, PlainUrl, Settings, Span, VaultAuth};

/// Where revocation lists and OCSP are served.
const REVOCATION_PORT: u16 = 7480;

/// Fills the settings; the answer is what is shown at Vault's login, where the file holds it.
pub(super) fn apply(keys: &CcmKeys, settings: &mut Settings, warnings: &mut Vec<String>) -> Result<Option<Secret>, Refusal> {
    if !keys.x509_enabled {
        return Ok(None);
    }
    let authority = &mut settings.authority;
    for (key, file, setting) in [
        ("kaa.x509.ca.cert-file", &keys.x509_ca_cert_file, &mut authority.platform_cert_file),
        ("kaa.x509.ca.key-file", &keys.x509_ca_key_file, &mut authority.platform_key_file),
    ] {
        if file.is_none() {
            return Err(Refusal::new(&CONFIG_VALUE, format!("`kaa.x509.enabled` is true, and `{key}` is not given"))
                .with_fix(format!("Name the file of the platform's authority by `{key}`, or set `kaa.x509.enabled` to false.")));
        }
        setting.clone_from(file);
    }
    if keys.x509_default_ttl.0 > keys.x509_max_ttl.0 {
        return Err(Refusal::new(&CONFIG_VALUE, "`kaa.x509.default-ttl` is longer than `kaa.x509.max-ttl`")
            .with_fix("Make the default no longer than the longest."));
    }
    (authority.default_ttl, authority.max_ttl) = (Span(keys.x509_default_ttl.0), Span(keys.x509_max_ttl.0));
    (authority.profile, authority.tenant_ca_key) = match keys.x509_profile {
        CcmProfile::Default => (CertificateForm::Device, CaKey(KeyType::P256)),
        CcmProfile::Kaa => (CertificateForm::Kaa, CaKey(KeyType::Rsa2048)),
    };
    settings.listen.revocation = Address { host: "0.0.0.0".to_owned(), port: REVOCATION_PORT };
    // The name of the service in its cluster; a replica's own address would not outlive it.
    let revocation_url = format!("http://{}:{REVOCATION_PORT}", keys.instance.0);
    warnings
        .push(format!("certificates name {revocation_url} for revocation lists and OCSP; SIGNET_AUTHORITY__REVOCATION_URL names another"));
    authority.revocation_url = Some(PlainUrl(revocation_url));
    vault(keys, settings)
}

fn vault(keys: &CcmKeys, settings: &mut Settings) -> Result<Option<Secret>, Refusal> {
    let Some(url) = &keys.vault_url else { return Ok(None) };
    let missing =
        |key: &str, why: &str| Refusal::new(&CONFIG_VALUE, format!("{why}, and `{key}` is not given")).with_fix(format!("Give `{key}`."));
    let custody = &mut settings.custody;
    custody.kind = CustodyKind::Vault;
    custody.url = Some(url.clone());
    custody.auth = keys.vault_auth;
    custody.role.clone_from(&keys.vault_role);
    custody.mount_prefix.clone_from(&keys.vault_mount_prefix);
    custody.namespace.clone_from(&keys.vault_namespace);
    custody.ca_file.clone_from(&keys.vault_ca_file);
    (custody.allow_networks, custody.allow_plain_http) = (own_networks(), true);
    let method = format!("`kaa.x509.vault.auth-method` is {}", keys.vault_auth.as_str());
    if keys.vault_role.is_none() && keys.vault_auth != VaultAuth::Token {
        return Err(missing("kaa.x509.vault.role", &method));
    }
    match (keys.vault_auth, &keys.vault_token) {
        // What is shown is the pod's own.
        (VaultAuth::Kubernetes, _) => Ok(None),
        (VaultAuth::Token | VaultAuth::AppRole, Some(token)) => Ok(Some(Secret::from(token.0.as_str()))),
        (VaultAuth::Token | VaultAuth::AppRole, None) => Err(missing("kaa.x509.vault.token", &method)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::source;

    fn of(text: &str) -> Result<(Settings, Option<Secret>), Refusal> {
        let (mut keys, mut settings, mut warnings) = (CcmKeys::default(), Settings::default(), Vec::new());
        source::apply_text(&mut keys, text, "ccm.yml", &mut warnings).unwrap();
        let secret = apply(&keys, &mut settings, &mut warnings)?;
        Ok((settings, secret))
    }

    const FILES: &str = "enabled: true, ca: {cert-file: /ca.pem, key-file: /ca.key}";

    #[test]
    fn the_platform_s_files_are_enough() {
        let refusal = of(&format!("kaa.x509: {{{FILES}, default-ttl: 24h, max-ttl: 1h30m}}\n")).map(drop).unwrap_err();
        assert!(refusal.detail.contains("default-ttl"), "{}", refusal.detail);
        let (settings, secret) = of(&format!("kaa.x509: {{{FILES}, default-ttl: 24h, profile: kaa}}\n")).unwrap();
        assert!(secret.is_none() && settings.custody.kind == CustodyKind::Software);
        let authority = settings.authority;
        assert_eq!(authority.platform_cert_file.unwrap().to_str(), Some("/ca.pem"));
        assert_eq!((authority.default_ttl.0.as_secs(), authority.profile), (86_400, CertificateForm::Kaa));
        assert_eq!(authority.tenant_ca_key, CaKey(KeyType::Rsa2048));
        assert_eq!(authority.revocation_url.unwrap().0, "http://ccm:7480");
    }

    #[test]
    fn what_is_missing_is_named_and_off_is_off() {
        for (text, key) in [
            ("kaa.x509: {enabled: true}", "kaa.x509.ca.cert-file"),
            ("kaa.x509: {enabled: true, ca: {cert-file: /ca.pem}}", "kaa.x509.ca.key-file"),
            (&format!("kaa.x509: {{{FILES}, vault: {{url: 'http://vault:8200'}}}}"), "kaa.x509.vault.token"),
            (&format!("kaa.x509: {{{FILES}, vault: {{url: 'http://vault:8200', auth-method: kubernetes}}}}"), "kaa.x509.vault.role"),
        ] {
            let refusal = of(text).map(drop).unwrap_err();
            assert_eq!(refusal.reason.exit() as u8, 6);
            assert!(refusal.detail.contains(&format!("`{key}`")), "{}", refusal.detail);
        }
        assert_eq!(of("kaa.x509: {enabled: false, vault: {url: 'http://vault'}}").unwrap().0, Settings::default());
    }

    #[test]
    fn vault_keeps_the_keys_where_it_is_named() {
        let vault = "vault: {url: 'http://vault:8200', token: s3cr3t, namespace: kaa}";
        let (settings, secret) = of(&format!("kaa.x509: {{{FILES}, {vault}}}\n")).unwrap();
        assert_eq!(secret.unwrap().expose_str(), Some("s3cr3t"));
        let custody = settings.custody;
        assert_eq!((custody.kind, custody.mount_prefix.as_str(), custody.auth), (CustodyKind::Vault, "pki/kaa", VaultAuth::Token));
        assert!(custody.token_file.is_none() && custody.allow_plain_http);
    }
}
