//! Names as text: read liberally in each form that people and programs write, kept in one canonical form (kaa.md 16.4).

use std::fmt;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519::COMMON_NAME;
use signet_model::log_text;

use crate::PkiError;
use crate::attribute;
use crate::name::{Attribute, MOST_ATTRIBUTES};
use crate::tlv::{self, Reader};

/// The longest text that is looked at, in bytes.
const LONGEST_TEXT: usize = 16 * 1024;

/// A name in canonical text: its attributes, each `KIND=value` with white space around the value cut, in one fixed order. Two names
/// are the same multiset of attributes if and only if their canonical texts are equal. For `CN=acme` the text is exactly `CN=acme`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IssuerName(String);

impl IssuerName {
    /// Reads any of the forms that are in use: RFC 4514 and RFC 2253 (`CN=x,O=Acme`, quoted values, `;`, `+`, `#hex`), OpenSSL's
    /// `C = US, O = Acme` and its older `/C=US/O=Acme/CN=x`.
    ///
    /// # Errors
    /// [`PkiError::Name`] for anything else.
    pub fn parse_liberal(text: &str) -> Result<Self, PkiError> {
        parse(text).map(Self::of)
    }

    /// The name with nothing but a common name.
    pub fn common(text: &str) -> Self {
        Self::of([(COMMON_NAME, Value::Text(text.to_owned()))])
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn of(attributes: impl IntoIterator<Item = (ObjectIdentifier, Value)>) -> Self {
        let mut parts: Vec<(usize, String, String)> = attributes
            .into_iter()
            .map(|(oid, value)| {
                let (place, label) = attribute::label(oid);
                let mut written = String::new();
                match value {
                    Value::Text(text) => attribute::escape(&mut written, text.trim(), true),
                    Value::Der(der) => written = format!("#{}", tlv::hex(&der)),
                }
                (place, label, written)
            })
            .collect();
        parts.sort();
        let mut text = String::new();
        for (at, (_, label, value)) in parts.iter().enumerate() {
            text.push_str(if at == 0 { "" } else { "," });
            text.push_str(label);
            text.push('=');
            text.push_str(value);
        }
        Self(text)
    }
}

impl fmt::Display for IssuerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for IssuerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuerName({})", self.0)
    }
}

/// A value: text, or DER where it is no string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Der(Vec<u8>),
}

impl Value {
    pub(crate) fn of(attribute: &Attribute) -> Self {
        match &attribute.text {
            Some(text) => Self::Text(text.clone()),
            None => Self::Der(tlv::element(attribute.tag, &attribute.value)),
        }
    }

    /// The value of `#hex`: the DER of a string is its text, whatever kind of string it is.
    fn from_hex(hex: &str) -> Option<Self> {
        if !hex.len().is_multiple_of(2) {
            return None;
        }
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let der = hex.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>()?;
        let mut reader = Reader::new(&der);
        let element = reader.any().ok()?;
        reader.end("").ok()?;
        Some(match attribute::text(element.tag, element.body) {
            Some(text) => Self::Text(text),
            None => Self::Der(der),
        })
    }
}

/// The attributes of a text, in its order.
pub(crate) fn parse(text: &str) -> Result<Vec<(ObjectIdentifier, Value)>, PkiError> {
    let refused = |why: &str| PkiError::Name(format!("{}: {why}", log_text(text, 80)));
    if text.len() > LONGEST_TEXT {
        return Err(PkiError::Name(format!("a name of more than {LONGEST_TEXT} bytes")));
    }
    // The end is left to the values: a space there may be escaped.
    let pairs = match text.trim_start().strip_prefix('/') {
        Some(rest) => oneline(rest),
        None => separated(text.trim_start()),
    };
    let pairs = pairs.map_err(refused)?;
    if pairs.len() > MOST_ATTRIBUTES {
        return Err(refused("more than 64 attributes"));
    }
    let known = |(kind, value): (&str, Value)| {
        attribute::oid_of(kind.trim()).map(|oid| (oid, value)).ok_or_else(|| refused("an attribute has an unknown kind"))
    };
    pairs.into_iter().map(known).collect()
}

/// `C=US/O=Acme/CN=a/b`: a slash begins the next attribute only where a kind and an equals sign follow it. `\xHH` stands for a byte.
fn oneline(text: &str) -> Result<Vec<(&str, Value)>, &'static str> {
    let begins = |rest: &str| {
        rest.split_once('=').is_some_and(|(kind, _)| !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.'))
    };
    let mut pairs = Vec::new();
    let mut rest = text;
    loop {
        let (kind, value) = rest.split_once('=').ok_or("an attribute has no equals sign")?;
        let separates = |at: &usize| {
            let escaped = value.get(..*at).is_some_and(|before| before.ends_with('\\'));
            !escaped && begins(value.get(at.saturating_add(1)..).unwrap_or_default())
        };
        let end = value.match_indices('/').map(|(at, _)| at).find(separates);
        let (value, next) = match end {
            Some(at) => (value.get(..at).unwrap_or_default(), value.get(at.saturating_add(1)..)),
            None => (value, None),
        };
        pairs.push((kind, Value::Text(bytes_escaped(value).ok_or("an escape is damaged")?)));
        match next {
            Some(next) => rest = next,
            None => return Ok(pairs),
        }
    }
}

fn bytes_escaped(text: &str) -> Option<String> {
    // Newer versions put a backslash before the characters that separate.
    let text = text.replace("\\+", "+").replace("\\/", "/");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend_from_slice(before.as_bytes());
        bytes.push(u8::from_str_radix(after.get(..2)?, 16).ok()?);
        rest = after.get(2..)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

/// RFC 4514, RFC 2253 and OpenSSL's spaced form: attributes between `,`, `;` or `+`.
fn separated(text: &str) -> Result<Vec<(&str, Value)>, &'static str> {
    let mut pairs = Vec::new();
    let mut rest = text;
    if rest.is_empty() {
        return Ok(pairs);
    }
    loop {
        let (kind, after) = rest.split_once('=').ok_or("an attribute has no equals sign")?;
        let (value, next) = value(after.trim_start())?;
        pairs.push((kind, value));
        match next {
            Some(next) => rest = next,
            None => return Ok(pairs),
        }
    }
}

/// One value, and what follows its separator.
fn value(text: &str) -> Result<(Value, Option<&str>), &'static str> {
    if let Some(hex) = text.strip_prefix('#') {
        let end = hex.find([',', ';', '+']).unwrap_or(hex.len());
        let (digits, rest) = hex.split_at_checked(end).ok_or("a value is damaged")?;
        let value = Value::from_hex(digits.trim()).ok_or("a value in hexadecimal is damaged")?;
        return Ok((value, rest.get(1..)));
    }
    let (quoted, body) = text.strip_prefix('"').map_or((false, text), |body| (true, body));
    let mut bytes: Vec<u8> = Vec::new();
    let mut characters = body.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some((_, first)) if first.is_ascii_hexdigit() => {
                    let (_, second) = characters.next().ok_or("an escape is not finished")?;
                    let digits: String = [first, second].into_iter().collect();
                    bytes.push(u8::from_str_radix(&digits, 16).map_err(|_| "an escape is damaged")?);
                }
                Some((_, other)) => bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
                None => return Err("it ends in a backslash"),
            },
            '"' if quoted => {
                let rest = body.get(at.saturating_add(1)..).unwrap_or_default().trim_start();
                let text = String::from_utf8(bytes).map_err(|_| "a value is not UTF-8")?;
                return match rest.chars().next() {
                    None => Ok((Value::Text(text), None)),
                    Some(',' | ';' | '+') => Ok((Value::Text(text), rest.get(1..))),
                    Some(_) => Err("something follows a quoted value"),
                };
            }
            '"' => return Err("a quotation mark inside a value"),
            ',' | ';' | '+' if !quoted => {
                let text = String::from_utf8(bytes).map_err(|_| "a value is not UTF-8")?;
                return Ok((Value::Text(text), body.get(at.saturating_add(1)..)));
            }
            other => bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    if quoted {
        return Err("a quoted value does not end");
    }
    Ok((Value::Text(String::from_utf8(bytes).map_err(|_| "a value is not UTF-8")?), None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Name;

    fn canonical(text: &str) -> String {
        IssuerName::parse_liberal(text).unwrap_or_else(|e| panic!("{text:?}: {e}")).as_str().to_owned()
    }

    #[test]
    fn every_form_of_a_name_is_the_same_name() {
        for (texts, wanted) in [
            (
                &[
                    "CN=acme",
                    "cn=acme",
                    " CN = acme ",
                    "/CN=acme",
                    "commonName=acme",
                    "2.5.4.3=acme",
                    "OID.2.5.4.3=acme",
                    "CN=#0c0461636d65",
                    "CN=#130461636D65",
                    "CN=\"acme\"",
                    "CN=\\61cme",
                ][..],
                "CN=acme",
            ),
            (
                &[
                    "CN=tenant-x,O=Acme,C=US",
                    "C=US,O=Acme,CN=tenant-x",
                    "C = US, O = Acme, CN = tenant-x",
                    "/C=US/O=Acme/CN=tenant-x",
                    "CN=tenant-x; O=Acme; C=US",
                    "CN=tenant-x+O=Acme,C=US",
                ],
                "CN=tenant-x,O=Acme,C=US",
            ),
            (&["OU=a+OU=b", "OU=b,OU=a", "/OU=a/OU=b"], "OU=a,OU=b"),
            (&["O=Acme\\, Inc.", "O=\"Acme, Inc.\"", "/O=Acme, Inc.", "O=Acme\\2c Inc."], "O=Acme\\, Inc."),
            (&["CN=Stra\\c3\\9fe", "CN=Straße", "/CN=Stra\\xC3\\x9Fe", "CN=#1e0c005300740072006100df0065"], "CN=Straße"),
            (&["CN=\\#1", "CN=\"#1\"", "/CN=#1"], "CN=\\#1"),
            (&["/CN=a/b", "CN=a/b"], "CN=a/b"),
            (&["1.2.3.4=#130161", "1.2.3.4=a", "/1.2.3.4=a"], "1.2.3.4=a"),
            (&["1.2.3.4=#0101ff"], "1.2.3.4=#0101ff"),
            (&["E=a@b.c", "emailAddress=a@b.c", "/emailAddress=a@b.c", "1.2.840.113549.1.9.1=#16056140622e63"], "emailAddress=a@b.c"),
            (&["CN=", "/CN="], "CN="),
            (&["", "  "], ""),
        ] {
            for text in texts {
                assert_eq!(canonical(text), wanted, "{text:?}");
            }
            assert_eq!(canonical(wanted), wanted);
        }
    }

    #[test]
    fn different_names_stay_different() {
        for (one, other) in [
            ("CN=a", "CN=A"),
            ("CN=a", "O=a"),
            ("OU=a", "OU=a,OU=a"),
            ("CN=a\\,O\\=b", "CN=a,O=b"),
            ("CN=\\#0101ff", "1.2.3=#0101ff"),
            ("1.2.3=\\#0101ff", "1.2.3=#0101ff"),
            ("CN=a  b", "CN=a b"),
        ] {
            assert_ne!(canonical(one), canonical(other));
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "acme",
            "CN",
            "=x",
            "XX=x",
            "CN=a,",
            "CN=\"a",
            "CN=a\"b",
            "CN=a\\",
            "CN=a\\4",
            "CN=\\ff",
            "CN=#12",
            "CN=#xy",
            "CN=#1",
            "/CN=a/",
            "/",
            "CN=\"a\"b",
            "1.=x",
            &"CN=a,".repeat(65),
            &format!("CN={}", "x".repeat(LONGEST_TEXT)),
        ] {
            if text == "/CN=a/" {
                assert_eq!(canonical(text), "CN=a/", "a slash that begins nothing belongs to the value");
            } else {
                assert_eq!(IssuerName::parse_liberal(text).unwrap_err().reason().code, "certificate.name-invalid", "{text:?}");
            }
        }
    }

    #[test]
    fn the_sending_form_is_that_of_go() {
        // RFC 4514 writes the first attribute of the certificate last.
        for (text, go) in [
            ("CN=449ff659-939f-4ef7-93b5-058b9fb8cc0a", "CN=449ff659-939f-4ef7-93b5-058b9fb8cc0a"),
            ("CN=tenant-x,O=Acme,C=US", "CN=tenant-x,O=Acme,C=US"),
            ("OU=b,OU=a,CN=x", "CN=x,OU=a+OU=b"),
            ("CN=last,CN=first", "CN=last"),
            ("emailAddress=a@b,DC=x,CN=y", "CN=y,1.2.840.113549.1.9.1=#0c03614062,0.9.2342.19200300.100.1.25=#130178"),
            ("CN=\\#a\\, \\+\\\"\\<\\>\\;\\\\", "CN=\\#a\\, \\+\\\"\\<\\>\\;\\\\"),
        ] {
            assert_eq!(Name::parse(text).unwrap().go_text(), go, "{text}");
        }
    }

    #[test]
    fn control_characters_are_escaped_in_the_canonical_text() {
        assert_eq!(IssuerName::common("a\nb\0").as_str(), "CN=a\\0ab\\00");
        assert_eq!(canonical("CN=a\\0ab"), "CN=a\\0ab");
    }
}
