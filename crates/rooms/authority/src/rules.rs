//! What may be certified in a tenant: its rule, and the one function that applies it. Without a rule of its own a tenant has the
//! safe one: a certificate of an identity bears that identity's name and nothing else.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use signet_model::{Refusal, log_text};
use signet_pki::{MOST_SUBJECT_NAMES, SubjectName};
use utoipa::ToSchema;

use crate::LeafProfile;
use crate::reasons::CERTIFICATE_NOT_ALLOWED;

/// Patterns of one list, at most.
const MOST_PATTERNS: usize = 100;
/// Longest pattern, in characters.
const LONGEST_PATTERN: usize = 512;
/// Shortest life of a certificate.
pub(crate) const SHORTEST_LIFE: Duration = Duration::from_secs(300);

/// Which common names are allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CommonNameRule {
    /// Of a certificate for an identity the identity's name; of others any
    #[default]
    Identity,
    /// Any
    Any,
}

/// What may be certified in a tenant
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IssuanceRule {
    /// Profiles that are allowed: device, kaa, service; empty: device, and the one that the server is configured for
    #[schema(value_type = Vec<String>)]
    pub profiles: Vec<LeafProfile>,
    /// Which common names are allowed
    pub common_name: CommonNameRule,
    /// Longest lifetime, in seconds; none: the server's
    pub max_ttl_seconds: Option<u64>,
    /// Lifetime where the request names none, in seconds; none: the server's
    pub default_ttl_seconds: Option<u64>,
    /// DNS names that are allowed: `host.example`, or `*.example` for every name below it
    pub dns: Vec<String>,
    /// IP addresses that are allowed
    pub ip: Vec<String>,
    /// Beginnings of the URIs that are allowed
    pub uri: Vec<String>,
    /// Domains whose mail addresses are allowed
    pub email: Vec<String>,
}

/// What the server allows to everybody.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) profile: LeafProfile,
    pub(crate) default_ttl: Duration,
    pub(crate) max_ttl: Duration,
}

/// What is wanted of a certificate, before it is judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) profile: LeafProfile,
    pub(crate) ttl: Option<Duration>,
    pub(crate) common_name: &'a str,
    /// The name of the identity that it is to be for.
    pub(crate) identity: Option<&'a str>,
    /// The names that were asked for by name: each must be allowed.
    pub(crate) names: &'a [SubjectName],
    /// Whether the common name is the certificate's own id.
    pub(crate) id_as_cn: bool,
}

impl IssuanceRule {
    /// Why it is no rule.
    pub(crate) fn fault(&self) -> Option<String> {
        let lists = [("dns", &self.dns), ("ip", &self.ip), ("uri", &self.uri), ("email", &self.email)];
        for (name, patterns) in lists {
            if patterns.len() > MOST_PATTERNS {
                return Some(format!("`{name}`: more than {MOST_PATTERNS}"));
            }
            let bad = patterns
                .iter()
                .find(|pattern| pattern.is_empty() || pattern.chars().count() > LONGEST_PATTERN || pattern.chars().any(char::is_control));
            if let Some(bad) = bad {
                return Some(format!("`{name}`: `{}` is empty, too long or holds control characters", log_text(bad, 64)));
            }
        }
        if let Some(bad) = self.dns.iter().find(|pattern| SubjectName::dns(pattern.strip_prefix("*.").unwrap_or(pattern)).is_err()) {
            return Some(format!("`dns`: `{}` is no name, nor `*.` and a name", log_text(bad, 64)));
        }
        if let Some(bad) = self.ip.iter().find(|pattern| pattern.parse::<std::net::IpAddr>().is_err()) {
            return Some(format!("`ip`: `{}` is no address", log_text(bad, 64)));
        }
        if self.uri.iter().any(|pattern| !pattern.contains(':')) {
            return Some("`uri`: a beginning has a scheme and its colon".to_owned());
        }
        let shortest = SHORTEST_LIFE.as_secs();
        if [self.max_ttl_seconds, self.default_ttl_seconds].into_iter().flatten().any(|seconds| seconds < shortest) {
            return Some(format!("a lifetime is at least {shortest} seconds"));
        }
        None
    }

    fn longest(&self, limits: &Limits) -> Duration {
        self.max_ttl_seconds.map_or(limits.max_ttl, |seconds| Duration::from_secs(seconds).min(limits.max_ttl))
    }

    /// The lifetime, or why the certificate is not allowed.
    pub(crate) fn judge(&self, wanted: &Wanted<'_>, limits: &Limits) -> Result<Duration, Refusal> {
        let refuse = |what: String| Err(Refusal::new(&CERTIFICATE_NOT_ALLOWED, what));
        let allowed = if self.profiles.is_empty() {
            matches!(wanted.profile, LeafProfile::Device) || wanted.profile == limits.profile
        } else {
            self.profiles.contains(&wanted.profile)
        };
        if !allowed {
            return refuse(format!("the tenant's rule does not allow the profile {}", wanted.profile));
        }
        match (self.common_name, wanted.identity) {
            (CommonNameRule::Identity, Some(name)) if wanted.common_name != name && !wanted.id_as_cn => {
                return refuse(format!(
                    "the common name is `{}`, and a certificate for the identity `{name}` bears that name",
                    log_text(wanted.common_name, 64)
                ));
            }
            (CommonNameRule::Identity | CommonNameRule::Any, _) => {}
        }
        if wanted.names.len() > MOST_SUBJECT_NAMES {
            return refuse(format!("more than {MOST_SUBJECT_NAMES} names"));
        }
        if let Some(name) = wanted.names.iter().find(|name| !self.allows(name)) {
            return refuse(format!("the tenant's rule does not allow the {} name `{}`", name.kind(), log_text(&name.value(), 80)));
        }
        let longest = self.longest(limits);
        let usual = self.default_ttl_seconds.map_or(limits.default_ttl, Duration::from_secs).min(longest);
        match wanted.ttl {
            None => Ok(usual),
            Some(ttl) if ttl < SHORTEST_LIFE => refuse(format!("a lifetime of {} s is below {} s", ttl.as_secs(), SHORTEST_LIFE.as_secs())),
            Some(ttl) if ttl > longest => refuse(format!("a lifetime of {} s is above {} s", ttl.as_secs(), longest.as_secs())),
            Some(ttl) => Ok(ttl),
        }
    }

    /// Whether a name may be certified.
    pub(crate) fn allows(&self, name: &SubjectName) -> bool {
        match name {
            SubjectName::Dns(dns) => self.dns.iter().any(|pattern| matches_dns(pattern, dns)),
            SubjectName::Ip(ip) => self.ip.iter().any(|pattern| pattern.parse() == Ok(*ip)),
            SubjectName::Uri(uri) => self.uri.iter().any(|start| matches_uri(start, uri)),
            SubjectName::Email(mail) => {
                mail.rsplit_once('@').is_some_and(|(_, domain)| self.email.iter().any(|own| own.eq_ignore_ascii_case(domain)))
            }
        }
    }
}

/// Whether a DNS name is the one that the pattern names, or lies below `*.NAME`.
pub(crate) fn matches_dns(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        None => pattern.eq_ignore_ascii_case(name),
        Some(above) => {
            let start = name.len().checked_sub(above.len());
            let split = start.and_then(|start| name.split_at_checked(start));
            split.is_some_and(|(below, end)| end.eq_ignore_ascii_case(above) && below.len() > 1 && below.ends_with('.'))
        }
    }
}

/// Whether a URI begins so, and means what it seems to: a beginning that ends within a host's name is not continued by the name of
/// another host, and no segment of the path leads up again (RFC 3986 section 5.2.4).
pub(crate) fn matches_uri(start: &str, uri: &str) -> bool {
    let Some(rest) = uri.strip_prefix(start) else { return false };
    let whole_host = match start.split_once("://") {
        Some((_, host)) if !host.is_empty() && !host.contains(['/', '?', '#']) => rest.is_empty() || rest.starts_with(['/', '?', '#']),
        Some(_) | None => true,
    };
    let leads_up = |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    whole_host && !uri.split(['/', '?', '#', '\\']).any(leads_up)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const LIMITS: Limits = Limits {
        profile: LeafProfile::Device,
        default_ttl: Duration::from_secs(365 * 86_400),
        max_ttl: Duration::from_secs(3_650 * 86_400),
    };

    fn wanted<'a>(common_name: &'a str, identity: Option<&'a str>, names: &'a [SubjectName]) -> Wanted<'a> {
        Wanted { profile: LeafProfile::Device, ttl: None, common_name, identity, names, id_as_cn: false }
    }

    fn judged(rule: &IssuanceRule, wanted: &Wanted<'_>) -> Result<u64, &'static str> {
        rule.judge(wanted, &LIMITS).map(|life| life.as_secs() / 86_400).map_err(|refusal| refusal.reason.code)
    }

    #[test]
    fn without_a_rule_an_identity_gets_its_name_and_no_other() {
        let rule = IssuanceRule::default();
        assert_eq!(judged(&rule, &wanted("dev-1", Some("dev-1"), &[])), Ok(365));
        assert_eq!(judged(&rule, &wanted("dev-2", Some("dev-1"), &[])), Err("certificate.not-allowed"));
        assert_eq!(judged(&rule, &wanted("anything", None, &[])), Ok(365));
        assert_eq!(judged(&rule, &Wanted { id_as_cn: true, ..wanted("0123456789abcdefghij", Some("dev-1"), &[]) }), Ok(365));
        assert_eq!(judged(&rule, &wanted("dev-1", None, &[SubjectName::uri("urn:x:1").unwrap()])), Err("certificate.not-allowed"));
        for (profile, good) in [(LeafProfile::Device, true), (LeafProfile::Kaa, false), (LeafProfile::Service, false)] {
            assert_eq!(judged(&rule, &Wanted { profile, ..wanted("a", None, &[]) }).is_ok(), good, "{profile}");
        }
    }

    #[test]
    fn lifetimes_stay_within_the_tenants_and_the_servers() {
        let rule = IssuanceRule { max_ttl_seconds: Some(30 * 86_400), ..IssuanceRule::default() };
        let of = |ttl| judged(&rule, &Wanted { ttl, ..wanted("a", None, &[]) });
        assert_eq!(of(None), Ok(30), "the usual one is cut");
        assert_eq!((of(Some(30 * DAY)), of(Some(31 * DAY))), (Ok(30), Err("certificate.not-allowed")));
        assert_eq!(of(Some(Duration::from_secs(299))), Err("certificate.not-allowed"));
        let wide = IssuanceRule { max_ttl_seconds: Some(u64::MAX), ..IssuanceRule::default() };
        assert!(wide.judge(&Wanted { ttl: Some(3_651 * DAY), ..wanted("a", None, &[]) }, &LIMITS).is_err());
    }

    #[test]
    fn names_are_allowed_one_by_one() {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let rule = IssuanceRule {
            dns: list(&["gw.example", "*.fleet.example"]),
            ip: list(&["192.0.2.7", "2001:db8::7"]),
            uri: list(&["urn:acme:device:"]),
            email: list(&["acme.example"]),
            ..IssuanceRule::default()
        };
        assert_eq!(rule.fault(), None);
        for (name, good) in [
            (SubjectName::dns("gw.example"), true),
            (SubjectName::dns("GW.example"), true),
            (SubjectName::dns("a.gw.example"), false),
            (SubjectName::dns("a.fleet.example"), true),
            (SubjectName::dns("a.b.fleet.example"), true),
            (SubjectName::dns("fleet.example"), false),
            (SubjectName::dns("evilfleet.example"), false),
            (SubjectName::ip("192.0.2.7".parse().unwrap()), true),
            (SubjectName::ip("192.0.2.8".parse().unwrap()), false),
            (SubjectName::ip("2001:db8:0::7".parse().unwrap()), true),
            (SubjectName::uri("urn:acme:device:1"), true),
            (SubjectName::uri("urn:evil:urn:acme:device:1"), false),
            (SubjectName::email("a@acme.example"), true),
            (SubjectName::email("a@sub.acme.example"), false),
        ] {
            let name = name.unwrap();
            assert_eq!(rule.allows(&name), good, "{name:?}");
            assert!(!IssuanceRule::default().allows(&name));
        }
    }

    #[test]
    fn a_beginning_of_uris_is_not_continued_into_another_host_or_out_of_its_path() {
        for (start, uri, good) in [
            ("https://acme.example", "https://acme.example", true),
            ("https://acme.example", "https://acme.example/d/1", true),
            ("https://acme.example", "https://acme.example?d=1", true),
            ("https://acme.example", "https://acme.example.evil.example/d/1", false),
            ("https://acme.example", "https://acme.example@evil.example/", false),
            ("https://acme.example", "https://acme.example:8443/", false),
            ("https://acme.example:", "https://acme.example:x@evil.example/", false),
            ("spiffe://acme", "spiffe://acme-evil/d", false),
            ("spiffe://", "spiffe://acme/d", true),
            ("https://acme.example/d/", "https://acme.example/d/1", true),
            ("https://acme.example/d/", "https://acme.example/d/../admin", false),
            ("https://acme.example/d/", "https://acme.example/d/%2E%2e/admin", false),
            ("https://acme.example/d/", "https://acme.example/d/..", false),
            ("https://acme.example/d/", "https://acme.example/d/a..b", true),
            ("urn:acme:device:", "urn:acme:device:1", true),
            ("urn:acme:device:", "URN:acme:device:1", false),
        ] {
            assert_eq!(matches_uri(start, uri), good, "{start} {uri}");
        }
    }

    #[test]
    fn what_is_no_rule_is_told() {
        let with = |dns: &[&str]| IssuanceRule { dns: dns.iter().map(|text| (*text).to_owned()).collect(), ..IssuanceRule::default() };
        for dns in [&["*"][..], &["*.*.example"], &[""], &["a b"], &["x\n"], &["*.fleet.example", "*"]] {
            assert!(with(dns).fault().is_some(), "{dns:?}");
        }
        assert!(IssuanceRule { dns: vec!["a.example".to_owned(); 101], ..IssuanceRule::default() }.fault().is_some());
        assert!(IssuanceRule { ip: vec!["10.0.0.0/8".to_owned()], ..IssuanceRule::default() }.fault().is_some());
        assert!(IssuanceRule { uri: vec!["device".to_owned()], ..IssuanceRule::default() }.fault().is_some());
        assert!(IssuanceRule { max_ttl_seconds: Some(1), ..IssuanceRule::default() }.fault().is_some());
    }
}
