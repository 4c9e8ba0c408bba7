//! Rules of subjectAltName.

use super::view::View;
use super::{Blame, Rule, Severity};
use crate::subject_name::{address_of, fault_of_dns, fault_of_email, fault_of_uri};
use crate::tlv::Element;
use crate::{MOST_SUBJECT_NAMES, oid};

use std::net::IpAddr;

const EMAIL: u8 = 0x81;
const DNS: u8 = 0x82;
const URI: u8 = 0x86;
const IP: u8 = 0x87;

/// The first name of a kind for which `fault` says something.
fn first(view: &View<'_>, kind: u8, fault: impl Fn(&str) -> Option<&'static str>) -> Option<String> {
    let judge = |name: &Element<'_>| {
        let text = std::str::from_utf8(name.body).ok().filter(|text| text.is_ascii())?;
        fault(text).map(|why| format!("the name {} is wrong: {why}", signet_model::log_text(text, 80)))
    };
    view.names().iter().filter(|name| name.tag == kind).find_map(judge)
}

fn address(view: &View<'_>, fault: impl Fn(Option<IpAddr>) -> Option<String>) -> Option<String> {
    view.names().iter().filter(|name| name.tag == IP).find_map(|name| fault(address_of(name.body)))
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        name: "alternative-names.empty",
        severity: Severity::Error,
        blame: Blame::Request,
        source: "RFC 5280 4.2.1.6",
        check: |view, _| {
            let empty = view.extension(oid::SUBJECT_ALT_NAME)?.value == [0x30, 0];
            empty.then(|| "subjectAltName has no name".to_owned())
        },
    },
    Rule {
        name: "alternative-names.not-critical",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.6",
        check: |view, _| {
            let soft = view.subject.is_empty() && view.critical(oid::SUBJECT_ALT_NAME) == Some(false);
            soft.then(|| "the subject is empty, and subjectAltName is not critical".to_owned())
        },
    },
    Rule {
        name: "alternative-names.critical",
        severity: Severity::Warning,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.6",
        check: |view, _| {
            let hard = !view.subject.is_empty() && view.critical(oid::SUBJECT_ALT_NAME) == Some(true);
            hard.then(|| "subjectAltName is critical beside a subject".to_owned())
        },
    },
    Rule {
        name: "alternative-names.too-many",
        severity: Severity::Error,
        blame: Blame::Request,
        source: "profile",
        check: |view, _| {
            let count = view.names().len();
            (count > MOST_SUBJECT_NAMES).then(|| format!("it has {count} names; {MOST_SUBJECT_NAMES} are allowed"))
        },
    },
    Rule {
        name: "alternative-names.duplicate",
        severity: Severity::Warning,
        blame: Blame::Request,
        source: "profile",
        check: |view, _| {
            let mut names: Vec<&[u8]> = view.names().iter().map(|name| name.raw).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            (names.len() != count).then(|| "subjectAltName has a name twice".to_owned())
        },
    },
    Rule {
        name: "alternative-names.characters",
        severity: Severity::Error,
        blame: Blame::Request,
        source: "RFC 5280 4.2.1.6",
        check: |view, _| {
            let alien = view.names().iter().any(|name| [EMAIL, DNS, URI].contains(&name.tag) && !name.body.is_ascii());
            alien.then(|| "a name has letters outside ASCII; an international one is written in its xn-- form".to_owned())
        },
    },
    Rule {
        name: "alternative-names.wildcard",
        severity: Severity::Error,
        blame: Blame::Request,
        source: "name policy",
        check: |view, _| first(view, DNS, |text| text.contains('*').then_some("a wildcard")),
    },
    Rule {
        name: "alternative-names.dns",
        severity: Severity::Error,
        blame: Blame::Request,
        source: "RFC 1034 3.5, RFC 5280 4.2.1.6",
        check: |view, _| first(view, DNS, |text| fault_of_dns(text).filter(|_| !text.contains('*'))),
    },
    Rule {
        name: "alternative-names.address",
        severity: Severity::Error,
        blame: Blame::Request,
        source: "RFC 5280 4.2.1.6",
        check: |view, _| {
            address(view, |address| match address {
                None => Some("an IP address is neither 4 nor 16 bytes".to_owned()),
                Some(ip) if ip.is_unspecified() => Some(format!("{ip} is the unspecified address")),
                Some(_) => None,
            })
        },
    },
    Rule {
        name: "alternative-names.mapped-address",
        severity: Severity::Error,
        blame: Blame::Request,
        source: "RFC 4291 2.5.5.2",
        check: |view, _| {
            address(view, |address| match address {
                Some(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_some() => Some(format!("{v6} is an IPv4 address written as IPv6")),
                Some(_) | None => None,
            })
        },
    },
    Rule {
        name: "alternative-names.uri",
        severity: Severity::Error,
        blame: Blame::Request,
        source: "RFC 3986 3, RFC 5280 4.2.1.6",
        check: |view, _| first(view, URI, fault_of_uri),
    },
    Rule {
        name: "alternative-names.email",
        severity: Severity::Error,
        blame: Blame::Request,
        source: "RFC 5321 4.1.2, RFC 5280 4.2.1.6",
        check: |view, _| first(view, EMAIL, fault_of_email),
    },
];
