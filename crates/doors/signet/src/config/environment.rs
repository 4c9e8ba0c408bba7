//! Overrides by environment: `SIGNET_SECTION__KEY` (`SIGNET__KEY` for keys above the sections). A name with a double
//! underscore that means nothing is refused; all other variables are none of our business.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use signet_model::{Refusal, log_text};

use super::nearest::nearest;
use super::schema::{Set, Settings, Wrong};
use super::value::Raw;
use super::{CONFIG_UNKNOWN_KEY, CONFIG_VALUE};

/// Applies the overrides among `variables`, as [`std::env::vars_os`] gives them.
pub(crate) fn apply_environment(settings: &mut Settings, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<(), Refusal> {
    for (name, value) in variables {
        if is_override(&name) {
            apply(settings, &name, &value)?;
        }
    }
    Ok(())
}

fn is_override(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    bytes.starts_with(b"SIGNET_") && bytes.windows(2).any(|pair| pair == b"__")
}

fn apply(settings: &mut Settings, name: &OsStr, value: &OsStr) -> Result<(), Refusal> {
    let entries = settings.entries();
    let Some(entry) = entries.iter().find(|e| name.as_bytes() == e.variable().as_bytes()) else {
        let shown = log_text(&name.to_string_lossy(), 120);
        let variables: Vec<String> = entries.iter().map(super::schema::Entry::variable).collect();
        let meant = nearest(&shown, variables.iter().map(String::as_str));
        return Err(match meant {
            Some(meant) => {
                Refusal::new(&CONFIG_UNKNOWN_KEY, format!("environment variable `{shown}` is unknown; the nearest known name is `{meant}`"))
                    .with_fix(format!("Write `{meant}`, or unset it; `signet config sample` prints every key."))
            }
            None => Refusal::new(&CONFIG_UNKNOWN_KEY, format!("environment variable `{shown}` is unknown; no known name is near it")),
        });
    };
    let variable = entry.variable();
    let Some(text) = value.to_str() else {
        return Err(Refusal::new(&CONFIG_VALUE, format!("environment variable `{variable}` is not UTF-8")));
    };
    match settings.set(entry.section, entry.key, &Raw::Environment(text.to_owned())) {
        Set::Done => Ok(()),
        // Every entry's name is one that `set` knows; were it not, the variable is unknown all the same.
        Set::Unknown => Err(Refusal::new(&CONFIG_UNKNOWN_KEY, format!("environment variable `{variable}` is unknown"))),
        Set::Wrong(Wrong { wanted, seen }) => {
            Err(Refusal::new(&CONFIG_VALUE, format!("environment variable `{variable}` wants {wanted}, found {seen}"))
                .with_fix(format!("Give `{variable}` {wanted}, without the quotes, or unset it.")))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    fn apply(pairs: &[(&str, &str)]) -> Result<Settings, Refusal> {
        let mut settings = Settings::default();
        apply_environment(&mut settings, pairs.iter().map(|(n, v)| (OsString::from(n), OsString::from(v))))?;
        Ok(settings)
    }

    #[test]
    fn overrides_take_the_type_of_their_key() {
        let settings = apply(&[
            ("SIGNET_LISTEN__API", "0.0.0.0:1"),
            ("SIGNET__ROLES", "api, worker"),
            ("SIGNET_PASSWORD__BCRYPT_COST", "4"),
            ("SIGNET_KAA__STRICT_FSM", "true"),
        ])
        .unwrap();
        assert_eq!(
            (settings.listen.api.to_string().as_str(), settings.password.bcrypt_cost.0, settings.kaa.strict_fsm),
            ("0.0.0.0:1", 4, true)
        );
        assert_eq!(settings.process.roles.to_string(), "api,worker");
    }

    #[test]
    fn unknown_names_are_refused_and_alien_ones_ignored() {
        let refusal = apply(&[("SIGNET_LISTEN__APY", "x")]).unwrap_err();
        assert_eq!(refusal.reason.code, "config.unknown-key");
        assert!(refusal.detail.contains("SIGNET_LISTEN__API"), "{}", refusal.detail);
        assert!(apply(&[("SIGNET_TENANT", "acme"), ("OTHER__NAME", "x"), ("XSIGNET_A__B", "x")]).is_ok());
        assert_eq!(apply(&[("SIGNET_KAA__STRICT_FSM", "yes")]).unwrap_err().reason.code, "config.value-invalid");
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        let bad = OsString::from_vec(vec![0xa3]);
        let mut settings = Settings::default();
        apply_environment(&mut settings, [(OsString::from("BAD"), bad.clone()), (bad.clone(), bad.clone())]).unwrap();
        let refusal = apply_environment(&mut settings, [(OsString::from("SIGNET_NATS__USER"), bad)]).unwrap_err();
        assert_eq!(refusal.reason.code, "config.value-invalid");
    }
}
