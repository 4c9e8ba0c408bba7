//! Where the keys of a drop-in come from: the file, then the environment. Unknown keys of the file are told by name and
//! change nothing; a value of the wrong type ends the start with file, line and key.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use signet_model::{Refusal, log_text};

use super::keys::{CcmKeys, WITHOUT_EFFECT, variable};
use super::yaml::{self, Found};
use crate::config::{CONFIG_SYNTAX, CONFIG_VALUE, Raw, Set, Wrong, nearest, read_text};

/// Most unknown keys that are told one by one.
const MOST_TOLD: usize = 50;

/// The file that a drop-in reads: `APP_CONFIG_PATH`, else the original's place.
pub(crate) fn file(path: Option<&OsStr>, default: &str) -> PathBuf {
    path.filter(|path| !path.is_empty()).map_or_else(|| PathBuf::from(default), PathBuf::from)
}

/// Reads file and environment; what is odd but harmless is added to `warnings`.
pub(crate) fn read(path: &Path, variables: &BTreeMap<OsString, OsString>, warnings: &mut Vec<String>) -> Result<CcmKeys, Refusal> {
    let name = path.display().to_string();
    let text = read_text(path).map_err(|refusal| match refusal.reason.code {
        "config.unreadable" => refusal.with_fix("Name the service's YAML file by APP_CONFIG_PATH; an empty file means all defaults."),
        _ => refusal,
    })?;
    let mut keys = CcmKeys::default();
    apply_text(&mut keys, &text, &name, warnings)?;
    apply_environment(&mut keys, variables)?;
    Ok(keys)
}

/// Reads the text of a file called `name`.
pub(crate) fn apply_text(keys: &mut CcmKeys, text: &str, name: &str, warnings: &mut Vec<String>) -> Result<(), Refusal> {
    let entries = yaml::read(text).map_err(|fault| {
        let place = if fault.line == 0 { name.to_owned() } else { format!("{name}:{}", fault.line) };
        Refusal::new(&CONFIG_SYNTAX, format!("{place}: not a YAML configuration: {}", fault.what))
            .with_fix("Correct the file at the place named; YAML wants spaces for indentation, never tabs, and each key once.")
    })?;
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut unknown: usize = 0;
    for entry in entries {
        let place = format!("{name}:{}", entry.line);
        // The original's own reader does not tell cases apart.
        let key = entry.path.to_ascii_lowercase();
        if let Some(line) = seen.insert(key.clone(), entry.line) {
            let detail = format!("{place}: key `{}` stands in line {line} already", log_text(&entry.path, 120));
            return Err(Refusal::new(&CONFIG_SYNTAX, detail).with_fix("Keep one of the two."));
        }
        let (raw, kind) = match entry.found {
            Found::Nothing => (None, "nothing"),
            Found::Text(text) => (Some(Raw::Environment(text)), "a text that is none"),
            // A list of addresses reads as they are written in one line.
            Found::List(items) if key == "nats.urls" => (Some(Raw::Environment(items.join(","))), "a list that is none"),
            Found::List(_) | Found::DeepList => (Some(Raw::Other("a list")), "a list"),
        };
        if raw.is_none() && keys.entries().iter().any(|known| known.key == key) {
            continue;
        }
        match keys.set(&key, &raw.unwrap_or(Raw::Other("nothing"))) {
            Set::Done => {}
            // Not the value: files of others may hold secrets in any place.
            Set::Wrong(Wrong { wanted, .. }) => {
                return Err(Refusal::new(&CONFIG_VALUE, format!("{place}: key `{key}` wants {wanted}, found {kind}"))
                    .with_fix(format!("Give `{key}` {wanted}; docs/reference/compat-kaa-ccm.md lists every key.")));
            }
            Set::Unknown if is_section(keys, &key) => {
                return Err(Refusal::new(
                    &CONFIG_VALUE,
                    format!("{place}: `{}` is a section with keys below it, found {kind}", log_text(&key, 120)),
                )
                .with_fix("Indent its keys below it, or remove it."));
            }
            Set::Unknown if is_without_effect(&key) => {}
            Set::Unknown => {
                unknown = unknown.saturating_add(1);
                if unknown <= MOST_TOLD {
                    warnings.push(unknown_key(keys, &place, &entry.path, &key));
                }
            }
        }
    }
    if unknown > MOST_TOLD {
        warnings.push(format!("{name}: {} more unknown keys", unknown.saturating_sub(MOST_TOLD)));
    }
    Ok(())
}

/// Whether known keys stand below this name, so that a value here cannot be meant.
fn is_section(keys: &CcmKeys, key: &str) -> bool {
    keys.entries().iter().any(|known| known.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
}

fn is_without_effect(key: &str) -> bool {
    WITHOUT_EFFECT.iter().any(|(known, _)| key == *known || key.strip_prefix(known).is_some_and(|rest| rest.starts_with('.')))
}

fn unknown_key(keys: &CcmKeys, place: &str, path: &str, key: &str) -> String {
    let names: Vec<&str> = keys.entries().iter().map(|known| known.key).collect();
    let shown = log_text(path, 120);
    match nearest(key, names.iter().copied()) {
        Some(meant) => format!("{place}: unknown key `{shown}` is ignored; the nearest known one is `{meant}`"),
        None => format!("{place}: unknown key `{shown}` is ignored"),
    }
}

fn apply_environment(keys: &mut CcmKeys, variables: &BTreeMap<OsString, OsString>) -> Result<(), Refusal> {
    for known in keys.entries() {
        let name = variable(known.key);
        // An empty variable is how charts say "not given".
        let Some(value) = variables.get(OsStr::new(&name)).filter(|value| !value.is_empty()) else { continue };
        let named = format!("environment variable {name} (key `{}`)", known.key);
        let Some(text) = value.to_str() else {
            return Err(Refusal::new(&CONFIG_VALUE, format!("{named} is not UTF-8")));
        };
        if let Set::Wrong(Wrong { wanted, .. }) = keys.set(known.key, &Raw::Environment(text.to_owned())) {
            return Err(
                Refusal::new(&CONFIG_VALUE, format!("{named} wants {wanted}")).with_fix(format!("Give {name} {wanted}, or unset it."))
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Count, Instance};

    fn read_both(text: &str, variables: &[(&str, &str)]) -> Result<(CcmKeys, Vec<String>), Refusal> {
        let (mut keys, mut warnings) = (CcmKeys::default(), Vec::new());
        apply_text(&mut keys, text, "service-config.yml", &mut warnings)?;
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
        apply_environment(&mut keys, &variables)?;
        Ok((keys, warnings))
    }

    #[test]
    fn every_key_is_overridden_by_its_variable_and_no_two_share_one() {
        let entries = CcmKeys::default().entries();
        let mut names: Vec<String> = entries.iter().map(|entry| variable(entry.key)).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), entries.len());
        let text = "kaa:\n  cap:\n    provider:\n      basic:\n        queue-length: 5\nservice.instance.name: other\n";
        let (keys, warnings) =
            read_both(text, &[("KAA_CAP_PROVIDER_BASIC_QUEUE_LENGTH", "7"), ("SERVER_PORT", ""), ("KAA_CCM_STRICT_FSM", "true")]).unwrap();
        assert_eq!((keys.cap_queue_length, keys.port, keys.strict_fsm), (Some(Count(7)), Count(80), true));
        assert_eq!((keys.instance, warnings), (Instance("other".to_owned()), Vec::<String>::new()));
    }

    #[test]
    fn unknown_keys_are_told_by_name_and_change_nothing() {
        let text = "logging:\n  level: debug\nkaa:\n  postgresql:\n    hots: x\n  tekton:\n    url: y\n  tekton.enabled: true\n";
        let (keys, warnings) = read_both(text, &[]).unwrap();
        assert_eq!(keys, CcmKeys::default());
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains("service-config.yml:2") && warnings[0].contains("`logging.level`"), "{warnings:?}");
        assert!(warnings[1].contains("`kaa.postgresql.host`"), "{warnings:?}");
        let many: String = (0..60).map(|number| format!("other-{number}: 1\n")).collect();
        assert_eq!(read_both(&many, &[]).unwrap().1.len(), MOST_TOLD + 1);
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused_with_file_line_and_key() {
        for (text, key) in [
            ("server:\n  port: eighty-canary\n", "server.port"),
            ("server:\n  port: 65536\n", "server.port"),
            ("server:\n  port: [80]\n", "server.port"),
            ("kaa:\n  ccm:\n    strict-fsm: canary\n", "kaa.ccm.strict-fsm"),
            ("kaa:\n  postgresql: canary\n", "kaa.postgresql"),
            ("kaa:\n  postgresql:\n    sslmode: canary\n", "kaa.postgresql.sslmode"),
            ("kaa.ccm.bcrypt.cost: 17\n", "kaa.ccm.bcrypt.cost"),
            ("service.instance.name: a.b\n", "service.instance.name"),
        ] {
            let refusal = read_both(text, &[]).unwrap_err();
            assert_eq!((refusal.reason.code, refusal.reason.exit() as u8), ("config.value-invalid", 6), "{text}");
            assert!(refusal.detail.contains("service-config.yml:") && refusal.detail.contains(key), "{}", refusal.detail);
            assert!(!refusal.detail.contains("canary"), "{}", refusal.detail);
        }
        let refusal = read_both("", &[("SERVER_PORT", "tcp://10.0.0.1:80")]).unwrap_err();
        assert!(refusal.detail.contains("SERVER_PORT") && refusal.detail.contains("server.port"), "{}", refusal.detail);
        assert_eq!(read_both("a: 1\nA: 2\n", &[]).unwrap_err().reason.code, "config.syntax");
        assert_eq!(read_both("kaa: {ccm: [}\n", &[]).unwrap_err().reason.code, "config.syntax");
    }

    #[test]
    fn quoted_numbers_numeric_passwords_and_empty_values_are_as_the_original_takes_them() {
        let text = "server:\n  port: \"8080\"\nkaa:\n  postgresql:\n    password: 0123\n    host:\n";
        let (keys, _) = read_both(text, &[]).unwrap();
        assert_eq!((keys.port, keys.postgres_password.0.as_str(), keys.postgres_host.as_str()), (Count(8080), "0123", "ccm-postgresql"));
        let (keys, _) = read_both("nats.urls: [nats://a:1, nats://b:2]\n", &[]).unwrap();
        assert_eq!(keys.nats_urls.0.as_str(), "nats://a:1,nats://b:2");
    }
}
