//! Reading `signet.toml`: UTF-8 (a byte order mark and Windows line ends are fine), every key known, every value of its type.
//! Each refusal names file, line and key.

use std::io::Read as _;
use std::ops::Range;
use std::path::Path;

use signet_client::decode_text;
use signet_model::{Refusal, log_text};
use toml::de::{DeTable, DeValue};

use super::nearest::nearest;
use super::schema::{Set, Settings, Wrong};
use super::value::Raw;
use super::{CONFIG_ENCODING, CONFIG_SYNTAX, CONFIG_UNKNOWN_KEY, CONFIG_UNREADABLE, CONFIG_VALUE};

/// A configuration is a page or two; anything longer was named by mistake.
const LONGEST_FILE: u64 = 1024 * 1024;

/// Reads the file at `path` into `settings`.
pub(crate) fn apply_file(settings: &mut Settings, path: &Path) -> Result<(), Refusal> {
    apply_text(settings, &read_text(path)?, &path.display().to_string())
}

/// The text of a configuration file, without its byte order mark.
pub(crate) fn read_text(path: &Path) -> Result<String, Refusal> {
    let name = path.display().to_string();
    let unreadable = |why: &dyn std::fmt::Display| Refusal::new(&CONFIG_UNREADABLE, format!("{name}: {why}"));
    let file = std::fs::File::open(path).map_err(|e| unreadable(&e))?;
    let mut bytes = Vec::new();
    file.take(LONGEST_FILE.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| unreadable(&e))?;
    if u64::try_from(bytes.len()).is_ok_and(|n| n > LONGEST_FILE) {
        return Err(unreadable(&format!("longer than {LONGEST_FILE} bytes")));
    }
    let text = decode_text(&bytes).map_err(|fault| Refusal::new(&CONFIG_ENCODING, format!("{name}: {fault}")))?;
    Ok(text.to_owned())
}

/// Reads the text of a file called `name` into `settings`.
pub(crate) fn apply_text(settings: &mut Settings, text: &str, name: &str) -> Result<(), Refusal> {
    let at = |span: &Range<usize>| format!("{name}:{}", line_of(text, span.start));
    let table = DeTable::parse(text).map_err(|e| {
        let place = e.span().map_or_else(|| name.to_owned(), |span| at(&span));
        Refusal::new(&CONFIG_SYNTAX, format!("{place}: {}", e.message().replace('\n', ", ")))
    })?;
    let known = settings.entries();
    let sections: Vec<&str> = known.iter().map(|e| e.section).filter(|s| !s.is_empty()).collect();
    for (key, value) in table.get_ref() {
        let place = at(&key.span());
        let key: &str = key.get_ref().as_ref();
        match value.get_ref() {
            DeValue::Table(section) if sections.contains(&key) => {
                for (inner, value) in section {
                    let place = at(&inner.span());
                    let inner: &str = inner.get_ref().as_ref();
                    set(settings, key, inner, value.get_ref(), &place)?;
                }
            }
            DeValue::Table(_) => return Err(unknown(&place, &format!("section `{key}`"), nearest(key, sections.iter().copied()))),
            plain if sections.contains(&key) => {
                let found = raw(plain).kind();
                return Err(Refusal::new(&CONFIG_VALUE, format!("{place}: `{key}` is a section, written as [{key}], not {found}")));
            }
            plain => set(settings, "", key, plain, &place)?,
        }
    }
    Ok(())
}

fn set(settings: &mut Settings, section: &str, key: &str, value: &DeValue<'_>, place: &str) -> Result<(), Refusal> {
    let raw = raw(value);
    let name = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
    match settings.set(section, key, &raw) {
        Set::Done => Ok(()),
        Set::Wrong(Wrong { wanted, seen }) => {
            Err(Refusal::new(&CONFIG_VALUE, format!("{place}: key `{name}` wants {wanted}, found {seen}"))
                .with_fix(format!("Give `{name}` {wanted}; `signet config sample` shows an example.")))
        }
        Set::Unknown => {
            let entries = settings.entries();
            let here = entries.iter().filter(|e| e.section == section).map(|e| e.key);
            // A key in the wrong section is as likely as a misspelt one.
            let elsewhere = entries.iter().find(|e| e.key == key).map(super::schema::Entry::name);
            let meant = nearest(key, here).map(str::to_owned).or(elsewhere);
            Err(unknown(place, &format!("key `{name}`"), meant.as_deref()))
        }
    }
}

fn unknown(place: &str, what: &str, meant: Option<&str>) -> Refusal {
    // A quoted key may hold anything, and this goes to a terminal.
    let what = log_text(what, 160);
    match meant {
        Some(meant) => Refusal::new(&CONFIG_UNKNOWN_KEY, format!("{place}: unknown {what}; the nearest known name is `{meant}`"))
            .with_fix(format!("Write `{meant}`, or remove it; `signet config sample` prints every key with its meaning.")),
        None => Refusal::new(&CONFIG_UNKNOWN_KEY, format!("{place}: unknown {what}; no known name is near it")),
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.clone().into_owned()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Raw::Other("an integer beyond 64 bits"), Raw::Integer)
        }
        DeValue::Boolean(value) => Raw::Boolean(*value),
        DeValue::Float(_) => Raw::Other("a fraction"),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Table(_) => Raw::Other("a table"),
        DeValue::Array(items) => {
            let words: Option<Vec<String>> = items
                .iter()
                .map(|item| match item.get_ref() {
                    DeValue::String(text) => Some(text.clone().into_owned()),
                    _ => None,
                })
                .collect();
            words.map_or(Raw::Other("an array of something else than strings"), Raw::List)
        }
    }
}

/// The line that holds the byte at `offset`, counted from 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count().saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Refusal {
        apply_text(&mut Settings::default(), text, "x.toml").unwrap_err()
    }

    #[test]
    fn every_key_is_read() {
        let mut settings = Settings::default();
        let text = "roles = [\"worker\"]\r\n[listen]\r\napi = \"[::1]:1\"\r\n[database]\r\nurl = \"postgres://u:p@h/d\"\r\n[standing]\r\nreconcile_interval = \"1s\"\r\n";
        apply_text(&mut settings, text, "x.toml").unwrap();
        assert_eq!(settings.process.roles.to_string(), "worker");
        assert_eq!(settings.listen.api.to_string(), "[::1]:1");
        assert_eq!(settings.standing.reconcile_interval.0.as_secs(), 1);
    }

    #[test]
    fn unknown_names_are_refused_with_place_and_nearest_name() {
        for (text, place, meant) in [
            ("rolez = [\"api\"]\n", "x.toml:1: unknown key `rolez`", "`roles`"),
            ("\n\n[listen]\nAPI = \"a:1\"\n", "x.toml:4: unknown key `listen.API`", "`api`"),
            ("[nat]\nurl = \"nats://h\"\n", "x.toml:1: unknown section `nat`", "`nats`"),
            ("bcrypt_cost = 12\n", "x.toml:1: unknown key `bcrypt_cost`", "`password.bcrypt_cost`"),
        ] {
            let refusal = refused(text);
            assert_eq!(refusal.reason.code, "config.unknown-key");
            assert!(refusal.detail.starts_with(place) && refusal.detail.contains(meant), "{}", refusal.detail);
        }
    }

    #[test]
    fn wrong_values_are_shown_with_the_range_unless_they_may_be_secret() {
        for (text, seen, range) in [
            ("[database]\nmax_connections = 0", "found 0", "from 1 to 500"),
            ("[standing]\nreconcile_interval = \"0s\"", "found \"0s\"", "from 1ms to 36525d"),
            ("roles = [\"api\", \"gateway\"]", "found [\"api\", \"gateway\"]", "\"api\" and \"worker\""),
            ("[nats]\nurl = \"http://u:topsecret@h\"", "found a string", "nats://"),
        ] {
            let detail = refused(text).detail;
            assert!(detail.contains(seen) && detail.contains(range) && !detail.contains("topsecret"), "{detail}");
        }
    }

    #[test]
    fn wrong_values_name_their_key_and_no_secret() {
        for (text, key) in [
            ("roles = \"api\"", "`roles`"),
            ("roles = []", "`roles`"),
            ("roles = [\"apy\"]", "`roles`"),
            ("[password]\nbcrypt_cost = \"10\"", "`password.bcrypt_cost`"),
            ("[password]\nbcrypt_cost = 3", "`password.bcrypt_cost`"),
            ("[password]\nbcrypt_cost = 99999999999999999999", "`password.bcrypt_cost`"),
            ("[database]\nurl = \"mysql://u:topsecret@h\"", "`database.url`"),
            ("[kaa]\nstrict_fsm = 1", "`kaa.strict_fsm`"),
            ("[custody]\nkind = \"hsm\"", "`custody.kind`"),
            ("[authority]\ntenant_ca_key = \"rsa1024\"", "`authority.tenant_ca_key`"),
            ("[authority]\nrevocation_url = \"https://h\"", "`authority.revocation_url`"),
            ("listen = 1", "`listen`"),
        ] {
            let refusal = refused(text);
            assert_eq!(refusal.reason.code, "config.value-invalid", "{text}");
            assert!(refusal.detail.contains(key) && !refusal.detail.contains("topsecret"), "{}", refusal.detail);
        }
    }

    #[test]
    fn broken_toml_names_its_line() {
        for text in ["\na = \n", "a", "[", "roles = [\"api\"]\nroles = [\"api\"]"] {
            let refusal = refused(text);
            assert_eq!(refusal.reason.code, "config.syntax", "{text}");
            assert!(refusal.detail.starts_with("x.toml:"), "{}", refusal.detail);
        }
    }

    #[test]
    fn encodings_are_accepted_or_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signet.toml");
        std::fs::write(&path, b"\xef\xbb\xbfroles = [\"api\"]\r\n").unwrap();
        let mut settings = Settings::default();
        apply_file(&mut settings, &path).unwrap();
        assert_eq!(settings.process.roles.to_string(), "api");
        let wide: Vec<u8> = "\u{feff}roles = [\"api\"]\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        std::fs::write(&path, wide).unwrap();
        let refusal = apply_file(&mut settings, &path).unwrap_err();
        assert_eq!((refusal.reason.code, refusal.detail.contains("UTF-16 (little-endian)")), ("config.encoding", true));
        let missing = apply_file(&mut settings, &dir.path().join("no.toml")).unwrap_err();
        assert_eq!(missing.reason.code, "config.unreadable");
    }
}
