//! One name of a subjectAltName (RFC 5280 section 4.2.1.6), checked when it is made: what may stand in a certificate of ours.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use signet_model::log_text;

use crate::PkiError;
use crate::tlv::{self, Element, Writer};

/// The most names in one certificate, and in one request.
pub const MOST_SUBJECT_NAMES: usize = 100;
/// The longest URI in bytes.
const LONGEST_URI: usize = 512;
/// The longest mail address in bytes (RFC 5321 section 4.5.3.1.3).
const LONGEST_EMAIL: usize = 254;

/// A name that a certificate vouches for beside its subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SubjectName {
    /// A DNS name in lower case, without wildcard and without final dot.
    Dns(String),
    /// An IP address that is not an IPv4 address in IPv6 clothes.
    Ip(IpAddr),
    /// An absolute URI.
    Uri(String),
    /// A mail address.
    Email(String),
}

impl SubjectName {
    /// A DNS name; upper case is lowered.
    ///
    /// # Errors
    /// [`PkiError::NameRefused`] for a wildcard, letters outside ASCII, a final dot, an address, or anything that is no host name.
    pub fn dns(text: &str) -> Result<Self, PkiError> {
        let refused = |why: &str| Err(PkiError::NameRefused(format!("{}: {why}", log_text(text, 80))));
        match fault_of_dns(text) {
            Some(why) => refused(why),
            None => Ok(Self::Dns(text.to_ascii_lowercase())),
        }
    }

    /// An IP address.
    ///
    /// # Errors
    /// [`PkiError::NameRefused`] for an unspecified one, and for an IPv4 address written as IPv6 (`::ffff:10.0.0.1`), which
    /// verifiers compare differently.
    pub fn ip(address: IpAddr) -> Result<Self, PkiError> {
        match fault_of_ip(address) {
            Some(why) => Err(PkiError::NameRefused(format!("{address}: {why}"))),
            None => Ok(Self::Ip(address)),
        }
    }

    /// An absolute URI such as `urn:…` or `spiffe://…`.
    ///
    /// # Errors
    /// [`PkiError::NameRefused`] when it has no scheme, is longer than 512 bytes, or has characters outside RFC 3986.
    pub fn uri(text: &str) -> Result<Self, PkiError> {
        match fault_of_uri(text) {
            Some(why) => Err(PkiError::NameRefused(format!("{}: {why}", log_text(text, 80)))),
            None => Ok(Self::Uri(text.to_owned())),
        }
    }

    /// A mail address.
    ///
    /// # Errors
    /// [`PkiError::NameRefused`] when it is no ASCII `local@host`.
    pub fn email(text: &str) -> Result<Self, PkiError> {
        match fault_of_email(text) {
            Some(why) => Err(PkiError::NameRefused(format!("{}: {why}", log_text(text, 80)))),
            None => Ok(Self::Email(text.to_owned())),
        }
    }

    /// A name from a text with its kind in front (`dns:`, `ip:`, `uri:`, `email:`), as commands and REST take it; a text without
    /// kind is an IP address if it reads as one, an URI if it has `:`, an address if it has `@`, else a DNS name.
    ///
    /// # Errors
    /// [`PkiError::NameRefused`] as the constructors say.
    pub fn parse(text: &str) -> Result<Self, PkiError> {
        let address =
            |text: &str| text.parse::<IpAddr>().map_err(|_| PkiError::NameRefused(format!("{}: no IP address", log_text(text, 80))));
        match text.split_once(':') {
            Some((kind, rest)) if kind.eq_ignore_ascii_case("dns") => Self::dns(rest),
            Some((kind, rest)) if kind.eq_ignore_ascii_case("ip") => Self::ip(address(rest)?),
            Some((kind, rest)) if kind.eq_ignore_ascii_case("uri") => Self::uri(rest),
            Some((kind, rest)) if kind.eq_ignore_ascii_case("email") => Self::email(rest),
            _ => match text.parse::<IpAddr>() {
                Ok(ip) => Self::ip(ip),
                Err(_) if text.contains(':') => Self::uri(text),
                Err(_) if text.contains('@') => Self::email(text),
                Err(_) => Self::dns(text),
            },
        }
    }

    /// What kind of name it is: `dns`, `ip`, `uri` or `email`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Dns(_) => "dns",
            Self::Ip(_) => "ip",
            Self::Uri(_) => "uri",
            Self::Email(_) => "email",
        }
    }

    /// The name without its kind.
    pub fn value(&self) -> String {
        match self {
            Self::Dns(text) | Self::Uri(text) | Self::Email(text) => text.clone(),
            Self::Ip(ip) => ip.to_string(),
        }
    }

    /// The name of a `GeneralName`; none for a kind that is not used here.
    pub(crate) fn read(name: &Element<'_>) -> Result<Option<Self>, PkiError> {
        let ascii = || std::str::from_utf8(name.body).ok().filter(|text| text.is_ascii());
        let text = || {
            ascii()
                .ok_or_else(|| PkiError::NameRefused("a name outside ASCII; an international name is written in its xn-- form".to_owned()))
        };
        Ok(match name.tag {
            0x81 => Some(Self::email(text()?)?),
            0x82 => Some(Self::dns(text()?)?),
            0x86 => Some(Self::uri(text()?)?),
            0x87 => Some(Self::ip(
                address_of(name.body).ok_or_else(|| PkiError::NameRefused(format!("an IP address of {} bytes", name.body.len())))?,
            )?),
            _ => None,
        })
    }

    /// Adds the `GeneralName`.
    pub(crate) fn write(&self, writer: &mut Writer) {
        match self {
            Self::Email(text) => writer.element(tlv::context_primitive(1), text.as_bytes()),
            Self::Dns(text) => writer.element(tlv::context_primitive(2), text.as_bytes()),
            Self::Uri(text) => writer.element(tlv::context_primitive(6), text.as_bytes()),
            Self::Ip(IpAddr::V4(ip)) => writer.element(tlv::context_primitive(7), &ip.octets()),
            Self::Ip(IpAddr::V6(ip)) => writer.element(tlv::context_primitive(7), &ip.octets()),
        }
    }
}

impl fmt::Display for SubjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.value())
    }
}

/// The address of 4 or 16 bytes.
pub(crate) fn address_of(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|octets| IpAddr::V6(Ipv6Addr::from(octets)))).ok()
}

/// What keeps a text from being a DNS name, in any case of letters.
pub(crate) fn fault_of_dns(text: &str) -> Option<&'static str> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.contains('*') {
        return Some("a wildcard");
    }
    if !text.is_ascii() {
        return Some("letters outside ASCII; write it in its xn-- form");
    }
    if text.ends_with('.') {
        return Some("a final dot");
    }
    if text.len() > 253 || !text.split('.').all(label) {
        return Some("not a host name");
    }
    // All digits in the last label would be read as an address.
    let numeric = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    numeric.then_some("an address, or what would be taken for one")
}

/// What keeps an address out of a certificate.
pub(crate) fn fault_of_ip(address: IpAddr) -> Option<&'static str> {
    match address {
        _ if address.is_unspecified() => Some("the unspecified address"),
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => Some("an IPv4 address written as IPv6; write it as IPv4"),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

/// What keeps a text from being an absolute URI.
pub(crate) fn fault_of_uri(text: &str) -> Option<&'static str> {
    let Some((scheme, rest)) = text.split_once(':') else { return Some("an URI without a scheme") };
    let scheme_ok =
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    // RFC 3986 section 2: unreserved, reserved and the percent sign.
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b);
    if !scheme_ok {
        Some("an URI without a scheme")
    } else if rest.is_empty() || !rest.bytes().all(allowed) {
        Some("characters that no URI has")
    } else if text.len() > LONGEST_URI {
        Some("an URI of more than 512 bytes")
    } else {
        None
    }
}

/// What keeps a text from being a mail address.
pub(crate) fn fault_of_email(text: &str) -> Option<&'static str> {
    let Some((local, host)) = text.rsplit_once('@') else { return Some("no mail address") };
    let local_ok =
        (1..=64).contains(&local.len()) && local.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b));
    if local_ok && text.len() <= LONGEST_EMAIL && fault_of_dns(host).is_none() { None } else { Some("no mail address of ASCII letters") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_by_kind_and_checked() {
        for (text, wanted) in [
            ("Pump-7.Example", "dns:pump-7.example"),
            ("dns:xn--bcher-kva.example", "dns:xn--bcher-kva.example"),
            ("10.0.0.1", "ip:10.0.0.1"),
            ("ip:2001:db8::1", "ip:2001:db8::1"),
            ("::1", "ip:::1"),
            ("urn:signet:acme:device:dev-1", "uri:urn:signet:acme:device:dev-1"),
            ("spiffe://acme/dev-1", "uri:spiffe://acme/dev-1"),
            ("a.b+c@example.org", "email:a.b+c@example.org"),
        ] {
            assert_eq!(SubjectName::parse(text).unwrap_or_else(|e| panic!("{text}: {e}")).to_string(), wanted);
        }
        for text in [
            "",
            "*.example",
            "a.*",
            "b\u{fc}cher.example",
            "a.",
            ".a",
            "a..b",
            "-a",
            "a b",
            "a\0b",
            "1.2.3",
            "dns:10.0.0.1",
            "::ffff:10.0.0.1",
            "0.0.0.0",
            "::",
            "ip:10.0.0",
            "uri:noscheme",
            "1x:abc",
            "urn:",
            "urn:a b",
            "urn:\u{e4}",
            "@host",
            "a@",
            "a@b@c d",
            "\u{e4}@b.example",
        ] {
            assert_eq!(SubjectName::parse(text).unwrap_err().reason().code, "csr.name-refused", "{text:?}");
        }
        assert!(SubjectName::dns(&"a".repeat(64)).is_err() && SubjectName::dns(&"a.".repeat(127)).is_err());
        assert!(SubjectName::uri(&format!("urn:{}", "x".repeat(512))).is_err());
    }

    #[test]
    fn what_is_written_reads_back() {
        for text in ["dns:a.example", "ip:10.0.0.1", "ip:2001:db8::1", "uri:urn:x:y", "email:a@b.example"] {
            let name = SubjectName::parse(text).unwrap();
            let mut writer = Writer::default();
            name.write(&mut writer);
            let der = writer.finish();
            assert_eq!(SubjectName::read(&tlv::Reader::new(&der).any().unwrap()).unwrap(), Some(name));
        }
    }
}
