//! What no single key shows: settings that do not go together, or that the part which uses them would refuse. Looks at nothing
//! outside of the settings, so that a file can be checked on another machine than the server's.

use std::path::Path;

use signet_model::Refusal;

use super::{CONFIG_VALUE, DatabaseUrl, Role, Settings};
use crate::{database, message_bus};

/// Refuses what `signet serve` would refuse for the settings alone.
pub(crate) fn check(settings: &Settings) -> Result<(), Refusal> {
    listeners(settings)?;
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

fn listeners(settings: &Settings) -> Result<(), Refusal> {
    let listen = &settings.listen;
    // Port 0 asks for a free one, twice for two.
    if settings.process.roles.has(Role::Api) && listen.api == listen.management && listen.api.port != 0 {
        let detail = format!("`listen.api` and `listen.management` are both {}", listen.api);
        return Err(Refusal::new(&CONFIG_VALUE, detail).with_fix("Give each listener an address of its own."));
    }
    Ok(())
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
    use super::super::apply_text;
    use super::*;

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
            "roles = [\"worker\"]\n[listen]\napi = \"127.0.0.1:7070\"",
            "[nats]\nurl = \"tls://h:4222\"\nuser = \"u\"\npassword_file = \"/nonexistent\"\nca_file = \"/nonexistent\"",
            "[database]\nurl = \"postgres://u:p@h/d?sslmode=verify-full\"\nca_file = \"/nonexistent\"",
        ] {
            assert!(checked(text).is_ok(), "{text}: {:?}", checked(text));
        }
    }
}
