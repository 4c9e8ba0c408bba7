//! Rules of a certificate beside what was asked for (checklist C5): whoever encoded it, it says what was requested and no more.

use super::view::View;
use super::{Blame, Rule, Severity};
use crate::{SubjectName, oid, time};

/// The names of the certificate; none when one of them is of a kind that is never asked for, or wrong.
fn names(view: &View<'_>) -> Option<Vec<SubjectName>> {
    view.names().iter().map(|name| SubjectName::read(name).ok().flatten()).collect()
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        name: "request.subject",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "name policy",
        check: |view, context| {
            let wanted = &context.request?.subject;
            (view.subject.canonical() != wanted.canonical()).then(|| format!("its subject is {}, not {wanted}", view.subject))
        },
    },
    Rule {
        name: "request.key",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "key policy",
        check: |view, context| {
            let wanted = context.request?.public_key.spki_der();
            (view.spki.raw != wanted).then(|| "it is for another key than the one asked for".to_owned())
        },
    },
    Rule {
        name: "request.names",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "name policy",
        check: |view, context| {
            let mut wanted = context.request?.names.clone();
            wanted.sort();
            let found = names(view).map(|mut found| {
                found.sort();
                found
            });
            (found != Some(wanted)).then(|| "its alternative names are not those asked for".to_owned())
        },
    },
    Rule {
        name: "request.lifetime",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "profile",
        check: |view, context| {
            let wanted = context.request?.validity.not_after;
            let end = time::read(&view.not_after).ok()?;
            (end > wanted).then(|| format!("it ends at {end}, after {wanted} that was asked for"))
        },
    },
    Rule {
        name: "request.crl-pointer",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 5.2.5",
        check: |view, context| {
            let wanted = context.request?.crl_url.as_deref()?;
            let found = view.extension(oid::CRL_DISTRIBUTION_POINTS).and_then(|points| super::pointers::crl_addresses(points.value));
            (found.as_deref() != Some(&[wanted.as_bytes()])).then(|| format!("its CRL is not at {wanted}"))
        },
    },
];
