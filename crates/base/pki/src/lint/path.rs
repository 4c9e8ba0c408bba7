//! Rules of a certificate beside its issuer's.

use super::{Blame, Rule, Severity};

pub(super) static RULES: &[Rule] = &[
    Rule {
        name: "path.issuer-name",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.1.2.4, 6.1.3",
        check: |view, context| {
            let issuer = context.issuer?;
            (view.issuer.der() != issuer.name().der()).then(|| format!("its issuer is {}, not {}", view.issuer, issuer.name()))
        },
    },
    Rule {
        name: "path.too-long",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.9, 6.1.4",
        check: |view, context| {
            let allowed = context.issuer?.path_len()?;
            let (authority, length) = view.constraints()?;
            let below = match length {
                // Longer numbers are larger than any length that is allowed.
                Some([length]) => Some(*length),
                Some(_) | None => None,
            };
            let fits = allowed > 0 && below.is_none_or(|below| below < allowed);
            (authority && !fits).then(|| format!("its issuer allows {allowed} authorities below"))
        },
    },
];
