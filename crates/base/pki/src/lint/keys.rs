//! Rules of the subject's key: one for each fault that the key policy knows.

use super::view::View;
use super::{Blame, Rule, Severity};
use crate::public_key::KeyFault;

use signet_crypto::sha256;

fn fault(view: &View<'_>, wanted: fn(&KeyFault) -> bool) -> Option<String> {
    view.key.as_ref().err().filter(|fault| wanted(fault)).map(|fault| format!("the key: {fault}"))
}

macro_rules! key_rules {
    ($($name:literal: $($pattern:pat_param)|+, $source:literal;)+) => {
        &[
            $(Rule {
                name: $name,
                severity: Severity::Error,
                blame: Blame::Request,
                source: $source,
                check: |view, _| fault(view, |fault| matches!(fault, $($pattern)|+)),
            },)+
            Rule {
                name: "key.point-form",
                severity: Severity::Warning,
                blame: Blame::Request,
                source: "RFC 5480 2.2",
                check: |view, _| {
                    let other = view.key.as_ref().is_ok_and(|key| key.spki_der() != view.spki.raw);
                    let compressed = other.then(|| "the key: its point is compressed, which not every peer reads".to_owned());
                    compressed.or_else(|| fault(view, |fault| matches!(fault, KeyFault::PointForm)))
                },
            },
            Rule {
                name: "key.issuers-own",
                severity: Severity::Error,
                blame: Blame::Request,
                source: "key policy",
                check: |view, context| {
                    let issuer = context.issuer.filter(|issuer| !issuer.is_self_signed())?;
                    (sha256(view.spki.raw) == issuer.spki_sha256()).then(|| "the key is the issuer's own".to_owned())
                },
            },
        ]
    };
}

pub(super) static RULES: &[Rule] = key_rules! {
    "key.damaged": KeyFault::Damaged(_), "RFC 5280 4.1.2.7";
    "key.kind": KeyFault::Kind(_), "key policy";
    "key.parameters": KeyFault::Parameters(_), "RFC 3279 2.3.1, RFC 8410 3";
    "key.explicit-curve": KeyFault::ExplicitCurve, "RFC 5480 2.1.1";
    "key.curve": KeyFault::Curve(_), "key policy";
    "key.point": KeyFault::Point, "SEC 1 3.2.2";
    "key.small-order": KeyFault::SmallOrder, "RFC 8032 5.1";
    "key.published": KeyFault::Published, "key policy";
    "key.rsa-too-short": KeyFault::RsaTooShort(_), "key policy";
    "key.rsa-too-long": KeyFault::RsaTooLong(_), "key policy";
    "key.rsa-exponent": KeyFault::RsaExponent(_) | KeyFault::RsaLargeExponent(_), "key policy, FIPS 186-5 5.1";
    "key.rsa-modulus": KeyFault::RsaModulus(_), "FIPS 186-5 5.1";
    "key.roca": KeyFault::Roca, "CVE-2017-15361";
    "key.close-primes": KeyFault::ClosePrimes, "CVE-2022-26320";
};
