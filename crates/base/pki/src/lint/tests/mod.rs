//! For each rule a certificate that breaks it and no other.

mod cases;
mod parts;

use std::collections::BTreeSet;

use cases::{CASES, Case, Known};
use parts::{Base, Bases};

use super::{LintContext, lint_certificate, lint_rules};

fn context<'a>(base: &'a Base, known: &Known) -> LintContext<'a> {
    match known {
        Known::Everything => LintContext { profile: Some(base.profile), issuer: Some(&base.issuer), judged_key: None, request: None },
        Known::Request => LintContext { request: Some(&base.request), ..LintContext::default() },
        Known::Nothing => LintContext::default(),
    }
}

#[test]
fn certificates_that_keep_the_rules_have_no_finding() {
    let bases = Bases::make();
    for base in bases.all() {
        for known in [Known::Everything, Known::Request, Known::Nothing] {
            let findings = lint_certificate(&base.parts.encode(), &context(base, &known));
            // Kaa's own certificates name uses that their keys do not have; without the profile that is told.
            let wanted: &[&str] =
                if base.profile.is_kaa() && !matches!(known, Known::Everything) { &["key-usage.not-for-key"] } else { &[] };
            assert_eq!(findings.iter().map(|finding| finding.rule).collect::<Vec<_>>(), wanted, "{}: {findings:?}", base.profile);
        }
    }
}

#[test]
fn each_case_breaks_exactly_its_rule() {
    let bases = Bases::make();
    for Case { rule, base, known, change } in CASES {
        let base = bases.get(*base);
        let mut parts = base.parts.clone();
        change(&mut parts, &bases);
        let findings = lint_certificate(&parts.encode(), &context(base, known));
        let broken: Vec<_> = findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(broken, [*rule], "{findings:?}");
        assert!(!findings[0].what.is_empty() && !findings[0].source.is_empty());
    }
}

#[test]
fn every_rule_has_its_case_and_its_own_name() {
    let rules: Vec<_> = lint_rules().into_iter().map(|(name, ..)| name).collect();
    let names: BTreeSet<_> = rules.iter().copied().collect();
    assert_eq!(names.len(), rules.len(), "a name stands twice");
    let tried: BTreeSet<_> = CASES.iter().map(|case| case.rule).collect();
    assert_eq!(names, tried);
    assert!(rules.len() >= 90, "{}", rules.len());
}

#[test]
fn the_key_that_was_judged_before_counts_for_the_same_key_only() {
    let bases = Bases::make();
    let base = bases.get(|bases| &bases.device);
    let judged = crate::PublicKey::from_spki_der(&base.parts.spki).unwrap();
    let mut parts = base.parts.clone();
    parts.spki = parts::data("rsa-512.spki");
    let context = LintContext { judged_key: Some(&judged), ..LintContext::default() };
    let broken: Vec<_> = lint_certificate(&parts.encode(), &context).iter().map(|finding| finding.rule).collect();
    assert_eq!(broken, ["key.rsa-too-short"]);
}

#[test]
fn damaged_certificates_have_findings_and_do_no_harm() {
    let bases = Bases::make();
    for base in [&bases.device, &bases.tenant, &bases.ocsp] {
        let der = base.parts.encode();
        let context = context(base, &Known::Everything);
        for at in 0..der.len() {
            assert!(!lint_certificate(&der[..at], &context).is_empty(), "{} cut at {at}", base.profile);
            // A changed byte need not break a rule; it must not break the lint.
            for bit in [0, 3, 7] {
                let mut changed = der.clone();
                changed[at] ^= 1 << bit;
                let _ = lint_certificate(&changed, &context);
            }
        }
    }
}

#[test]
fn what_other_engines_write_in_their_own_way_keeps_the_rules() {
    let bases = Bases::make();
    let base = &bases.device;
    let mut parts = base.parts.clone();
    let identifier = signet_crypto::sha1_identifier(&parts.spki[26..]);
    parts.set(crate::oid::SUBJECT_KEY_IDENTIFIER, &crate::tlv::element(crate::tlv::OCTET_STRING, &identifier));
    parts.serial = vec![0x40; 20];
    parts.remove(crate::oid::BASIC_CONSTRAINTS);
    assert_eq!(lint_certificate(&parts.encode(), &context(base, &Known::Everything)), []);
}
