//! Rules of the two key identifiers, by which generations of one authority are told apart.

use super::view::View;
use super::{Blame, Rule, Severity};
use crate::oid;
use crate::tlv::{self, Reader};

/// The keyIdentifier of authorityKeyIdentifier.
fn authority<'a>(view: &View<'a>) -> Option<Option<&'a [u8]>> {
    let mut inner = Reader::only(view.extension(oid::AUTHORITY_KEY_IDENTIFIER)?.value, tlv::SEQUENCE, "").ok()?.inner();
    Some(inner.optional(tlv::context_primitive(0)).ok()?.map(|identifier| identifier.body))
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        name: "subject-key-identifier.missing",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.2",
        check: |view, _| {
            let lacks = view.is_authority() && view.extension(oid::SUBJECT_KEY_IDENTIFIER).is_none();
            lacks.then(|| "an authority without subjectKeyIdentifier".to_owned())
        },
    },
    Rule {
        name: "subject-key-identifier.critical",
        severity: Severity::Warning,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.2",
        check: |view, _| (view.critical(oid::SUBJECT_KEY_IDENTIFIER) == Some(true)).then(|| "subjectKeyIdentifier is critical".to_owned()),
    },
    Rule {
        name: "authority-key-identifier.missing",
        severity: Severity::Warning,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.1",
        check: |view, _| match authority(view) {
            None if view.extension(oid::AUTHORITY_KEY_IDENTIFIER).is_none() && !view.is_self_issued() && !view.has_empty_list() => {
                Some("there is no authorityKeyIdentifier".to_owned())
            }
            Some(None) => Some("authorityKeyIdentifier does not name a key".to_owned()),
            Some(Some(_)) | None => None,
        },
    },
    Rule {
        name: "authority-key-identifier.critical",
        severity: Severity::Warning,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.1",
        check: |view, _| {
            (view.critical(oid::AUTHORITY_KEY_IDENTIFIER) == Some(true)).then(|| "authorityKeyIdentifier is critical".to_owned())
        },
    },
    Rule {
        name: "authority-key-identifier.not-issuers",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.1",
        check: |view, context| {
            let named = authority(view)??;
            (named != context.issuer?.key_identifier()).then(|| "authorityKeyIdentifier names another key than the issuer's".to_owned())
        },
    },
];
