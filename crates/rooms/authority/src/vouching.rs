//! What a foreign CA may vouch for: patterns of names, and whether a certificate's names are all covered.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use signet_model::log_text;
use signet_pki::{FoundName, SubjectName};

use crate::rules::matches_uri;

/// Longest pattern, in bytes.
const LONGEST: usize = 512;

/// A pattern of names that a foreign CA may vouch for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// This DNS name and every one below it.
    Dns(String),
    /// URIs that begin so.
    Uri(String),
    /// Addresses of this network: the first bits of the address, and how many count.
    Ip(IpAddr, u8),
    /// Mail addresses of this domain.
    Email(String),
    /// This common name, or with a `*` at its end every one that begins so.
    Common(String),
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("`{}`: wanted dns:DOMAIN, uri:PREFIX, ip:NETWORK, email:DOMAIN or cn:NAME", log_text(text, 64));
        let (kind, value) = text.split_once(':').filter(|(_, value)| !value.is_empty()).ok_or_else(refused)?;
        if text.len() > LONGEST || text.chars().any(char::is_control) {
            return Err(refused());
        }
        let domain = |value: &str| SubjectName::dns(value).map(|name| name.value()).map_err(|error| format!("{}: {error}", refused()));
        match kind {
            "dns" => domain(value).map(Self::Dns),
            "email" => domain(value).map(Self::Email),
            "uri" if value.contains(':') => Ok(Self::Uri(value.to_owned())),
            "cn" => Ok(Self::Common(value.to_owned())),
            "ip" => network(value).map(|(ip, bits)| Self::Ip(ip, bits)).ok_or_else(refused),
            _ => Err(refused()),
        }
    }
}

/// As it is given and stored.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "dns:{name}"),
            Self::Uri(start) => write!(f, "uri:{start}"),
            Self::Ip(ip, bits) => write!(f, "ip:{ip}/{bits}"),
            Self::Email(domain) => write!(f, "email:{domain}"),
            Self::Common(name) => write!(f, "cn:{name}"),
        }
    }
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        None => most,
        Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => bits.parse().ok().filter(|bits| *bits <= most)?,
        Some(_) => return None,
    };
    Some((address, bits))
}

/// Whether both addresses have the same first bits.
fn same_network(one: IpAddr, other: IpAddr, bits: u8) -> bool {
    let agree = |one: u128, other: u128, width: u32| {
        let beside = width.saturating_sub(u32::from(bits));
        one.checked_shr(beside).unwrap_or(0) == other.checked_shr(beside).unwrap_or(0)
    };
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => agree(u32::from(one).into(), u32::from(other).into(), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => agree(one.into(), other.into(), 128),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

impl Pattern {
    fn covers(&self, kind: &str, value: &str) -> bool {
        match (self, kind) {
            (Self::Dns(own), "dns") => is_or_is_below(own, value),
            (Self::Uri(start), "uri") => matches_uri(start, value),
            // An IPv4 address in the form of IPv6 is of neither kind: verifiers differ in what they take it for.
            (Self::Ip(own, bits), "ip") => value.parse().is_ok_and(|ip: IpAddr| ip.to_canonical() == ip && same_network(*own, ip, *bits)),
            (Self::Email(domain), "email") => value.rsplit_once('@').is_some_and(|(_, found)| found.eq_ignore_ascii_case(domain)),
            (Self::Common(own), "cn") => match own.strip_suffix('*') {
                Some(start) => value.starts_with(start),
                None => own == value,
            },
            _ => false,
        }
    }
}

/// Whether a name is this domain or lies below it. A wildcard vouches for what lies below its domain.
fn is_or_is_below(domain: &str, name: &str) -> bool {
    let name = name.strip_prefix("*.").unwrap_or(name);
    if name.eq_ignore_ascii_case(domain) {
        return true;
    }
    let split = name.len().checked_sub(domain.len()).and_then(|start| name.split_at_checked(start));
    split.is_some_and(|(below, end)| end.eq_ignore_ascii_case(domain) && below.len() > 1 && below.ends_with('.'))
}

/// The first name that is not covered, in words. Without patterns everything is. A common name that says again what an alternative
/// name says, or is a DNS name of an allowed domain, needs no pattern of its own.
pub(crate) fn uncovered(patterns: &[Pattern], common_name: Option<&str>, names: &[FoundName]) -> Option<String> {
    if patterns.is_empty() {
        return None;
    }
    let covered = |kind: &str, value: &str| patterns.iter().any(|pattern| pattern.covers(kind, value));
    if let Some(name) = names.iter().find(|name| !covered(&name.kind, &name.value)) {
        return Some(format!("{}:{}", name.kind, log_text(&name.value, 80)));
    }
    match common_name {
        Some(common) if covered("cn", common) || covered("dns", common) || names.iter().any(|name| name.value == common) => None,
        Some(common) => Some(format!("cn:{}", log_text(common, 80))),
        None if names.is_empty() => Some("a certificate without any name".to_owned()),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn named(kind: &str, value: &str) -> FoundName {
        FoundName { kind: kind.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn names_are_covered_by_patterns_of_their_kind() {
        for (pattern, kind, value, covered) in [
            ("dns:plant.example", "dns", "plant.example", true),
            ("dns:plant.example", "dns", "a.b.Plant.Example", true),
            ("dns:plant.example", "dns", "*.plant.example", true),
            ("dns:plant.example", "dns", "evilplant.example", false),
            ("dns:plant.example", "dns", ".plant.example", false),
            ("dns:plant.example", "uri", "plant.example", false),
            ("uri:urn:plant:", "uri", "urn:plant:7", true),
            ("uri:urn:plant:", "uri", "urn:other:urn:plant:", false),
            ("uri:https://plant.example", "uri", "https://plant.example/7", true),
            ("uri:https://plant.example", "uri", "https://plant.example.evil.example/7", false),
            ("ip:192.0.2.0/24", "ip", "192.0.2.255", true),
            ("ip:192.0.2.0/24", "ip", "192.0.3.0", false),
            ("ip:0.0.0.0/0", "ip", "203.0.113.1", true),
            ("ip:0.0.0.0/0", "ip", "2001:db8::1", false),
            ("ip:2001:db8::/32", "ip", "2001:db8:ffff::1", true),
            ("ip:::/0", "ip", "2001:db8::1", true),
            ("ip:192.0.2.7", "ip", "192.0.2.7", true),
            ("ip:::/0", "ip", "::ffff:192.0.2.7", false),
            ("ip:192.0.2.0/24", "ip", "::ffff:192.0.2.7", false),
            ("email:plant.example", "email", "a@plant.example", true),
            ("email:plant.example", "email", "a@b.plant.example", false),
            ("cn:pump-*", "cn", "pump-7", true),
            ("cn:pump-*", "cn", "valve-7", false),
            ("cn:pump", "cn", "pump-7", false),
        ] {
            assert_eq!(patterns(&[pattern])[0].covers(kind, value), covered, "{pattern} {kind} {value}");
        }
    }

    #[test]
    fn a_pattern_survives_its_text_and_what_is_none_is_refused() {
        for text in ["dns:plant.example", "uri:urn:plant:", "ip:192.0.2.0/24", "ip:2001:db8::/32", "email:plant.example", "cn:pump-*"] {
            assert_eq!(patterns(&[text])[0].to_string(), text);
        }
        for text in [
            "",
            "dns:",
            "dns:*",
            "dns:a b",
            "plant.example",
            "uri:plant",
            "ip:192.0.2.0/33",
            "ip:x",
            "ip:::/-1",
            "ip:::/+1",
            "other:x",
            "cn:a\nb",
        ] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_name_of_a_certificate_must_be_covered() {
        let (dns, uri) = (named("dns", "a.plant.example"), named("uri", "urn:plant:1"));
        let plant = patterns(&["dns:plant.example"]);
        assert_eq!(uncovered(&[], Some("anything"), std::slice::from_ref(&uri)), None);
        assert_eq!(uncovered(&plant, Some("a.plant.example"), &[]), None);
        assert_eq!(uncovered(&plant, None, std::slice::from_ref(&dns)), None);
        assert_eq!(uncovered(&plant, Some("pump"), std::slice::from_ref(&dns)), Some("cn:pump".to_owned()));
        assert_eq!(uncovered(&plant, None, &[dns, uri]), Some("uri:urn:plant:1".to_owned()));
        assert!(uncovered(&plant, None, &[]).is_some());
        assert!(uncovered(&plant, None, &[named("directory", "CN=x")]).is_some());
    }
}
