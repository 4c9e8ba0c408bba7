//! Attributes of distinguished names (X.520): their object identifiers, the names that texts use, and values as text.

use const_oid::ObjectIdentifier;

use crate::tlv;

/// A kind of attribute with the names it is read by; the first one is written.
pub(crate) struct Kind {
    pub(crate) oid: ObjectIdentifier,
    pub(crate) names: &'static [&'static str],
}

const fn kind(oid: &'static str, names: &'static [&'static str]) -> Kind {
    Kind { oid: ObjectIdentifier::new_unwrap(oid), names }
}

/// The kinds that Go's `pkix.Name` writes by name, in the order in which it writes them (kaa.md 16.4), then the others that
/// OpenSSL, RFC 4519 and Microsoft name.
pub(crate) static KINDS: &[Kind] = &[
    kind("2.5.4.5", &["SERIALNUMBER"]),
    kind("2.5.4.3", &["CN", "COMMONNAME"]),
    kind("2.5.4.17", &["POSTALCODE"]),
    kind("2.5.4.9", &["STREET", "STREETADDRESS"]),
    kind("2.5.4.8", &["ST", "S", "STATEORPROVINCENAME"]),
    kind("2.5.4.7", &["L", "LOCALITYNAME"]),
    kind("2.5.4.11", &["OU", "ORGANIZATIONALUNITNAME"]),
    kind("2.5.4.10", &["O", "ORGANIZATIONNAME"]),
    kind("2.5.4.6", &["C", "COUNTRYNAME"]),
    kind("0.9.2342.19200300.100.1.25", &["DC", "DOMAINCOMPONENT"]),
    kind("0.9.2342.19200300.100.1.1", &["UID", "USERID"]),
    kind("1.2.840.113549.1.9.1", &["emailAddress", "E", "EMAIL", "PKCS9EMAIL"]),
    kind("1.2.840.113549.1.9.2", &["unstructuredName"]),
    kind("1.2.840.113549.1.9.8", &["unstructuredAddress"]),
    kind("2.5.4.4", &["SN", "SURNAME"]),
    kind("2.5.4.42", &["GN", "GIVENNAME", "G"]),
    kind("2.5.4.12", &["T", "TITLE"]),
    kind("2.5.4.13", &["description"]),
    kind("2.5.4.41", &["name"]),
    kind("2.5.4.43", &["initials", "I"]),
    kind("2.5.4.44", &["generationQualifier"]),
    kind("2.5.4.46", &["dnQualifier"]),
    kind("2.5.4.65", &["pseudonym"]),
    kind("2.5.4.97", &["organizationIdentifier"]),
    kind("2.5.4.15", &["businessCategory"]),
];

/// How many of [`KINDS`] Go knows by name.
const GO_KINDS: usize = 9;

/// The kind of a name in a text, or of a dotted identifier with or without `OID.`.
pub(crate) fn oid_of(name: &str) -> Option<ObjectIdentifier> {
    let known = KINDS.iter().find(|kind| kind.names.iter().any(|known| known.eq_ignore_ascii_case(name)));
    known.map(|kind| kind.oid).or_else(|| {
        let dotted = name.strip_prefix("OID.").or_else(|| name.strip_prefix("oid.")).unwrap_or(name);
        if dotted.starts_with(|c: char| c.is_ascii_digit()) { ObjectIdentifier::new(dotted).ok() } else { None }
    })
}

/// The name that a kind is written by, else its dotted identifier; with its place in the order of texts.
pub(crate) fn label(oid: ObjectIdentifier) -> (usize, String) {
    match KINDS.iter().enumerate().find(|(_, kind)| kind.oid == oid) {
        Some((place, kind)) => (place, kind.names.first().copied().unwrap_or_default().to_owned()),
        None => (KINDS.len(), oid.to_string()),
    }
}

/// The place of a kind among those that Go writes by name.
pub(crate) fn go_place(oid: ObjectIdentifier) -> Option<usize> {
    KINDS.iter().take(GO_KINDS).position(|kind| kind.oid == oid)
}

/// The text of a string value; none for a value that is no string, or damaged.
pub(crate) fn text(tag: u8, value: &[u8]) -> Option<String> {
    match tag {
        tlv::UTF8_STRING => String::from_utf8(value.to_vec()).ok(),
        // NumericString, PrintableString, IA5String, VisibleString: ASCII.
        0x12 | tlv::PRINTABLE_STRING | tlv::IA5_STRING | 0x1a => value.is_ascii().then(|| value.iter().map(|b| char::from(*b)).collect()),
        // TeletexString: Latin-1 is what everybody writes into it.
        0x14 => Some(value.iter().map(|b| char::from(*b)).collect()),
        // UniversalString and BMPString.
        0x1c => value.len().is_multiple_of(4).then(|| {
            value.chunks(4).map(|c| char::from_u32(c.iter().fold(0, |n, b| (n << 8) | u32::from(*b)))).collect::<Option<String>>()
        })?,
        0x1e if value.len().is_multiple_of(2) => {
            let units: Vec<u16> = value.chunks(2).map(|pair| pair.iter().fold(0, |n, b| (n << 8) | u16::from(*b))).collect();
            String::from_utf16(&units).ok()
        }
        _ => None,
    }
}

/// Whether PrintableString can hold this text (X.680 section 41.4).
pub(crate) fn printable(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&b))
}

/// Adds a value to a text: a backslash before what has a meaning (RFC 4514 section 2.4), and, unlike Go, two hexadecimal digits
/// for control characters when `controls` says so.
pub(crate) fn escape(text: &mut String, value: &str, controls: bool) {
    let last = value.chars().count().saturating_sub(1);
    for (at, c) in value.chars().enumerate() {
        let meant = match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => true,
            ' ' => at == 0 || at == last,
            '#' => at == 0,
            _ => false,
        };
        if controls && c.is_ascii_control() {
            text.push_str(&format!("\\{:02x}", u32::from(c)));
        } else {
            if meant {
                text.push('\\');
            }
            text.push(c);
        }
    }
}
