//! What no single key shows: settings that do not go together, or that the part which uses them would refuse. A file can be checked
//! on another machine than the server's, so files that are not here are not missed; those that are here are read.

use std::path::{Path, PathBuf};

use signet_authority::{MOST_BACK_DATING, check_platform_files};
use signet_model::{Refusal, Timestamp};

use crate::config::{CONFIG_VALUE, CustodyKind, DatabaseUrl, Role, Setting as _, Settings, Span, VaultAuth};
use crate::{database, lifecycle, message_bus};

/// Refuses what `signet serve` would refuse for the settings alone.
pub(crate) fn check(settings: &Settings) -> Result<(), Refusal> {
    listeners(settings)?;
    authority(settings)?;
    custody(settings)?;
    pair("tls.cert_file", settings.tls.cert_file.is_some(), "tls.key_file", settings.tls.key_file.is_some())?;
    if let DatabaseUrl::Postgres(_) = &settings.database.url {
        let configuration = database::configuration(settings, Path::new("."));
        configuration.check().map_err(|error| Refusal::new(error.reason(), error.to_string()))?;
    }
    if let Some(nats) = message_bus::configuration(settings, None) {
        nats.check().map_err(|error| Refusal::new(error.reason(), error.to_string()))?;
    }
    Ok(())
}

/// Refuses files of keys and certificates that `signet serve` would refuse, where this machine has them and shows them.
pub(crate) fn check_files(settings: &Settings, now: Timestamp) -> Result<(), Refusal> {
    let here = |path: &Option<PathBuf>| path.clone().filter(|path| std::fs::File::open(path).is_ok());
    let authority = &settings.authority;
    if let (Some(certificate), Some(key)) = (here(&authority.platform_cert_file), here(&authority.platform_key_file)) {
        let chain = here(&authority.platform_chain_file);
        check_platform_files(&certificate, &key, chain.as_deref(), now)?;
    }
    if let (Some(certificate), Some(key)) = (here(&settings.tls.cert_file), here(&settings.tls.key_file)) {
        lifecycle::check_listener_files(&certificate, &key)?;
    }
    let custody = &settings.custody;
    if here(&custody.client_cert_file).is_some() && here(&custody.client_key_file).is_some() {
        lifecycle::ClientCertificate::open(custody)?;
    }
    Ok(())
}

/// The listeners that roles bind, each at an address of its own. Port 0 asks for a free one, each time another.
fn listeners(settings: &Settings) -> Result<(), Refusal> {
    let listen = &settings.listen;
    let mut bound = vec![("listen.management", &listen.management)];
    if settings.process.roles.has(Role::Api) {
        bound.extend([("listen.api", &listen.api), ("listen.revocation", &listen.revocation)]);
    }
    for (n, (one, address)) in bound.iter().enumerate() {
        let same = bound.iter().take(n).find(|(_, other)| other == address && address.port != 0);
        if let Some((other, _)) = same {
            let detail = format!("`{one}` and `{other}` are both {address}");
            return Err(Refusal::new(&CONFIG_VALUE, detail).with_fix("Give each listener an address of its own."));
        }
    }
    Ok(())
}

fn authority(settings: &Settings) -> Result<(), Refusal> {
    let authority = &settings.authority;
    let (certificate, key) = (authority.platform_cert_file.is_some(), authority.platform_key_file.is_some());
    pair("authority.platform_cert_file", certificate, "authority.platform_key_file", key)?;
    if authority.platform_chain_file.is_some() && !certificate {
        let detail = "`authority.platform_chain_file` is given and `authority.platform_cert_file` is not";
        return Err(Refusal::new(&CONFIG_VALUE, detail).with_fix("Name the certificate that the chain stands above, and its key."));
    }
    if let Some(back) = authority.back_dating.filter(|back| back.0 > MOST_BACK_DATING) {
        return Err(Refusal::new(&CONFIG_VALUE, format!("`authority.back_dating` is {}", shown(back))).with_fix("Make it 12h at most."));
    }
    if authority.default_ttl.0 > authority.max_ttl.0 {
        let detail =
            format!("`authority.default_ttl` is {} and `authority.max_ttl` is {}", shown(authority.default_ttl), shown(authority.max_ttl));
        return Err(Refusal::new(&CONFIG_VALUE, detail).with_fix("Make the default no longer than the longest."));
    }
    Ok(())
}

fn shown(span: Span) -> String {
    span.toml().unwrap_or_default()
}

fn custody(settings: &Settings) -> Result<(), Refusal> {
    let custody = &settings.custody;
    let (certificate, key) = (custody.client_cert_file.is_some(), custody.client_key_file.is_some());
    pair("custody.client_cert_file", certificate, "custody.client_key_file", key)?;
    let missing = |key: &str, why: &str| {
        Err(Refusal::new(&CONFIG_VALUE, format!("{why}, and `{key}` is not given")).with_fix(format!("Give `{key}`.")))
    };
    match (custody.kind, custody.auth) {
        (CustodyKind::Software, _) => Ok(()),
        (CustodyKind::Vault, _) if custody.url.is_none() => missing("custody.url", "`custody.kind` is \"vault\""),
        (CustodyKind::Vault, VaultAuth::Token | VaultAuth::AppRole) if custody.token_file.is_none() => {
            missing("custody.token_file", &format!("`custody.auth` is \"{}\"", custody.auth.as_str()))
        }
        (CustodyKind::Vault, VaultAuth::AppRole | VaultAuth::Kubernetes) if custody.role.is_none() => {
            missing("custody.role", &format!("`custody.auth` is \"{}\"", custody.auth.as_str()))
        }
        (CustodyKind::Vault, VaultAuth::Token | VaultAuth::AppRole | VaultAuth::Kubernetes) => Ok(()),
    }
}

fn pair(one: &str, has_one: bool, other: &str, has_other: bool) -> Result<(), Refusal> {
    let (given, missing) = match (has_one, has_other) {
        (true, false) => (one, other),
        (false, true) => (other, one),
        (true, true) | (false, false) => return Ok(()),
    };
    Err(Refusal::new(&CONFIG_VALUE, format!("`{given}` is given and `{missing}` is not"))
        .with_fix(format!("Give both, or neither: `{missing}`.")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::apply_text;

    fn checked(text: &str) -> Result<(), Refusal> {
        let mut settings = Settings::default();
        apply_text(&mut settings, text, "x.toml")?;
        check(&settings)
    }

    #[test]
    fn what_serve_would_refuse_is_not_called_valid() {
        for (text, reason, named) in [
            ("[nats]\nurl = \"nats://u:topsecret@h:4222\"", "bus.configuration", "nats.url"),
            ("[nats]\nurl = \"nats://h:4222\"\nuser = \"u\"", "bus.configuration", "nats.password_file"),
            ("[nats]\nurl = \"nats://h:4222\"\nkey_file = \"/k\"", "bus.configuration", "nats.cert_file"),
            ("[database]\nurl = \"postgres://u:topsecret@h/d?sslmode=bogus\"", "config.database-url", "`bogus`"),
            ("[database]\nurl = \"postgres://u:topsecret@h:port/d\"", "config.database-url", "database.url"),
            ("[tls]\ncert_file = \"a.pem\"", "config.value-invalid", "`tls.key_file`"),
            ("[tls]\nkey_file = \"a.key\"", "config.value-invalid", "`tls.cert_file`"),
            ("[listen]\napi = \"127.0.0.1:7070\"", "config.value-invalid", "127.0.0.1:7070"),
            ("[listen]\nrevocation = \"127.0.0.1:7443\"", "config.value-invalid", "`listen.revocation` and `listen.api`"),
            ("[authority]\nplatform_cert_file = \"a.pem\"", "config.value-invalid", "`authority.platform_key_file`"),
            ("[authority]\nplatform_chain_file = \"a.pem\"", "config.value-invalid", "`authority.platform_cert_file`"),
            ("[authority]\ndefault_ttl = \"11d\"\nmax_ttl = \"10d\"", "config.value-invalid", "\"11d\""),
            ("[authority]\nback_dating = \"13h\"", "config.value-invalid", "\"13h\""),
            ("[custody]\nkind = \"vault\"", "config.value-invalid", "`custody.url`"),
            ("[custody]\nkind = \"vault\"\nurl = \"https://v\"", "config.value-invalid", "`custody.token_file`"),
            ("[custody]\nclient_cert_file = \"a.pem\"", "config.value-invalid", "`custody.client_key_file`"),
            (
                "[custody]\nkind = \"vault\"\nurl = \"https://v\"\nauth = \"approle\"\ntoken_file = \"/t\"",
                "config.value-invalid",
                "`custody.role`",
            ),
        ] {
            let refusal = checked(text).unwrap_err();
            assert_eq!((refusal.reason.code, refusal.reason.exit() as u8), (reason, 6), "{text}");
            assert!(refusal.detail.contains(named) && !refusal.detail.contains("topsecret"), "{}", refusal.detail);
        }
    }

    #[test]
    fn what_serve_takes_is_valid_also_where_its_files_are_not() {
        for text in [
            "",
            "[listen]\napi = \"127.0.0.1:0\"\nmanagement = \"127.0.0.1:0\"",
            "roles = [\"worker\"]\n[listen]\napi = \"127.0.0.1:7070\"\nrevocation = \"127.0.0.1:7070\"",
            "[custody]\nkind = \"vault\"\nurl = \"https://v\"\nauth = \"kubernetes\"\nrole = \"signet\"",
            "[authority]\nplatform_cert_file = \"a.pem\"\nplatform_key_file = \"a.key\"\nplatform_chain_file = \"r.pem\"",
            "[nats]\nurl = \"tls://h:4222\"\nuser = \"u\"\npassword_file = \"/nonexistent\"\nca_file = \"/nonexistent\"",
            "[database]\nurl = \"postgres://u:p@h/d?sslmode=verify-full\"\nca_file = \"/nonexistent\"",
        ] {
            assert!(checked(text).is_ok(), "{text}: {:?}", checked(text));
        }
    }
}
