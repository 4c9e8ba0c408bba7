//! Lints: named rules that a certificate as a whole must keep (RFC 5280, RFC 9608, RFC 6960, the profiles, the key policy). Our own
//! certificates must keep every one before they are signed; for those of others the findings are told.

mod alternative_names;
mod constraints;
mod encoding;
mod extensions;
mod identifiers;
mod keys;
mod names;
mod path;
mod pointers;
mod profiles;
mod requested;
mod validity;
pub(crate) mod view;

#[cfg(test)]
mod tests;

use std::fmt;

use signet_model::Reason;
use view::View;

use crate::error::{CERTIFICATE_LINT, CERTIFICATE_LINT_OURS};
use crate::{CertificateRequest, IssuerFacts, Profile, PublicKey};

/// How grave a finding is. Before our own signature both block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Some verifiers accept it.
    Warning,
    /// Conforming verifiers refuse it, or nobody may rely on it.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Who caused a broken rule in a certificate of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blame {
    /// Who asked for the certificate: names, key, lifetime.
    Request,
    /// We, who made it.
    Issuer,
}

/// One rule.
struct Rule {
    name: &'static str,
    severity: Severity,
    blame: Blame,
    /// Where it is written.
    source: &'static str,
    /// What is seen, when the rule is broken.
    check: fn(&View<'_>, &LintContext<'_>) -> Option<String>,
}

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name, stable.
    pub rule: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// What was seen, in words.
    pub what: String,
    /// Where the rule is written.
    pub source: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.rule, self.what, self.source)
    }
}

/// What is known beside the certificate. Rules that need more than is known are left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct LintContext<'a> {
    /// The profile that it should be of.
    pub profile: Option<Profile>,
    /// Its issuer.
    pub issuer: Option<&'a IssuerFacts>,
    /// Its key, when the key policy judged it already.
    pub judged_key: Option<&'a PublicKey>,
    /// What was asked for. The serial number may differ: another engine draws its own.
    pub request: Option<&'a CertificateRequest>,
}

/// The groups of rules, in the order in which findings are told.
static GROUPS: [&[Rule]; 12] = [
    encoding::RULES,
    names::RULES,
    validity::RULES,
    keys::RULES,
    extensions::RULES,
    constraints::RULES,
    identifiers::RULES,
    alternative_names::RULES,
    pointers::RULES,
    path::RULES,
    profiles::RULES,
    requested::RULES,
];

/// The rule of what is no certificate at all.
const MALFORMED: &str = "certificate.malformed";

/// Every broken rule of a certificate in DER.
pub fn lint_certificate(der: &[u8], context: &LintContext<'_>) -> Vec<Finding> {
    let view = match View::read(der, context.judged_key) {
        Ok(view) => view,
        Err(error) => {
            return vec![Finding { rule: MALFORMED, severity: Severity::Error, what: error.to_string(), source: "RFC 5280 4.1, X.690" }];
        }
    };
    let broken = |rule: &Rule| {
        (rule.check)(&view, context).map(|what| Finding { rule: rule.name, severity: rule.severity, what, source: rule.source })
    };
    GROUPS.iter().flat_map(|group| group.iter()).filter_map(broken).collect()
}

/// The name, severity and source of every rule, for lists and documents.
pub fn lint_rules() -> Vec<(&'static str, Severity, &'static str)> {
    let all = GROUPS.iter().flat_map(|group| group.iter()).map(|rule| (rule.name, rule.severity, rule.source));
    std::iter::once((MALFORMED, Severity::Error, "RFC 5280 4.1, X.690")).chain(all).collect()
}

/// A certificate that was not signed, with every rule that it breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct LintFailure {
    findings: Vec<Finding>,
}

impl LintFailure {
    pub(crate) fn new(findings: Vec<Finding>) -> Self {
        Self { findings }
    }

    /// The broken rules.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The reason: of the request when all that is broken came with it, else a fault of ours.
    pub fn reason(&self) -> &'static Reason {
        let requested = |finding: &Finding| {
            GROUPS.iter().flat_map(|group| group.iter()).any(|rule| rule.name == finding.rule && rule.blame == Blame::Request)
        };
        if self.findings.iter().all(requested) { &CERTIFICATE_LINT } else { &CERTIFICATE_LINT_OURS }
    }
}
