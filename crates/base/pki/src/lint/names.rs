//! Rules of the two distinguished names.

use super::view::View;
use super::{Blame, Rule, Severity};
use crate::attribute::{self, printable};
use crate::name::Attribute;
use crate::{LONGEST_COMMON_NAME, tlv};

use const_oid::db::rfc4519::{COMMON_NAME, COUNTRY_NAME};

/// The first attribute of subject or issuer for which `fault` says something.
fn any(view: &View<'_>, fault: impl Fn(&Attribute) -> Option<String>) -> Option<String> {
    let of = |whose: &str, attributes: &[Attribute]| {
        attributes.iter().find_map(|attribute| fault(attribute).map(|what| format!("{} of the {whose} {what}", attribute.label())))
    };
    of("subject", view.subject.attributes()).or_else(|| of("issuer", view.issuer.attributes()))
}

const TELETEX: u8 = 0x14;
const UNIVERSAL: u8 = 0x1c;
const BMP: u8 = 0x1e;
/// The kinds of strings that may stand in a name, and IA5String for mail addresses and domain components.
const STRINGS: [u8; 7] = [tlv::UTF8_STRING, tlv::PRINTABLE_STRING, tlv::IA5_STRING, 0x12, TELETEX, UNIVERSAL, BMP];

pub(super) static RULES: &[Rule] = &[
    Rule {
        name: "issuer.empty",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.1.2.4",
        check: |view, _| view.issuer.is_empty().then(|| "the issuer is empty".to_owned()),
    },
    Rule {
        name: "subject.empty",
        severity: Severity::Error,
        blame: Blame::Request,
        source: "RFC 5280 4.1.2.6",
        check: |view, _| {
            let nameless = view.subject.is_empty() && (view.is_authority() || view.names().is_empty());
            nameless.then(|| "the subject is empty, and nothing else names it".to_owned())
        },
    },
    Rule {
        name: "name.string-kind",
        severity: Severity::Warning,
        blame: Blame::Request,
        source: "RFC 5280 4.1.2.4",
        check: |view, _| {
            any(view, |attribute| match attribute.tag {
                TELETEX | UNIVERSAL | BMP => Some("is a TeletexString, UniversalString or BMPString; use UTF8String".to_owned()),
                tag if !STRINGS.contains(&tag) => Some("is no string".to_owned()),
                _ => None,
            })
        },
    },
    Rule {
        name: "name.characters",
        severity: Severity::Error,
        blame: Blame::Request,
        source: "X.680 41.4, RFC 5280 appendix B",
        check: |view, _| {
            any(view, |attribute| match &attribute.text {
                None if STRINGS.contains(&attribute.tag) => Some("has bytes that its kind of string does not have".to_owned()),
                Some(text) if attribute.tag == tlv::PRINTABLE_STRING && !printable(text) => {
                    Some("has characters that PrintableString does not have".to_owned())
                }
                Some(_) | None => None,
            })
        },
    },
    Rule {
        name: "name.control-character",
        severity: Severity::Error,
        blame: Blame::Request,
        source: "name policy",
        check: |view, _| {
            // PrintableString has none in the first place.
            let control = |attribute: &Attribute| attribute.text().is_some_and(|text| text.chars().any(char::is_control));
            any(view, |attribute| {
                (attribute.tag != tlv::PRINTABLE_STRING && control(attribute)).then(|| "has a control character".to_owned())
            })
        },
    },
    Rule {
        name: "name.too-long",
        severity: Severity::Error,
        blame: Blame::Request,
        source: "RFC 5280 appendix A.1",
        check: |view, _| {
            any(view, |attribute| {
                let length = attribute.text().map_or(0, |text| text.chars().count());
                let bounded = attribute::go_place(attribute.oid()).is_some() && attribute.oid() != COUNTRY_NAME;
                (bounded && length > LONGEST_COMMON_NAME).then(|| format!("has {length} characters; {LONGEST_COMMON_NAME} are allowed"))
            })
        },
    },
    Rule {
        name: "name.empty-value",
        severity: Severity::Error,
        blame: Blame::Request,
        source: "RFC 5280 appendix A.1",
        check: |view, _| any(view, |attribute| attribute.value.is_empty().then(|| "is empty".to_owned())),
    },
    Rule {
        name: "name.white-space",
        severity: Severity::Warning,
        blame: Blame::Request,
        source: "RFC 4518 2.6.1",
        check: |view, _| {
            let edges = |text: &str| !text.is_empty() && text.trim_matches(' ') != text;
            any(view, |attribute| attribute.text().is_some_and(edges).then(|| "begins or ends with a space".to_owned()))
        },
    },
    Rule {
        name: "name.country",
        severity: Severity::Error,
        blame: Blame::Request,
        source: "RFC 5280 appendix A.1",
        check: |view, _| {
            any(view, |attribute| {
                let good = attribute.tag == tlv::PRINTABLE_STRING && attribute.value.len() == 2 && attribute.value.is_ascii();
                (attribute.oid() == COUNTRY_NAME && !good).then(|| "is not two letters in a PrintableString".to_owned())
            })
        },
    },
    Rule {
        name: "subject.several-common-names",
        severity: Severity::Warning,
        blame: Blame::Request,
        source: "profile",
        check: |view, _| {
            let count = view.subject.attributes().iter().filter(|attribute| attribute.oid() == COMMON_NAME).count();
            (count > 1).then(|| format!("the subject has {count} common names"))
        },
    },
];
