//! Rules of the dates.

use signet_model::Timestamp;

use super::view::View;
use super::{Blame, LintContext, Rule, Severity};
use crate::time::{self, TimeFault};
use crate::tlv::{Element, GENERALIZED_TIME, UTC_TIME};

fn dates<'v, 'a>(view: &'v View<'a>) -> [(&'static str, &'v Element<'a>); 2] {
    [("the start", &view.not_before), ("the end", &view.not_after)]
}

fn with_fault(view: &View<'_>, wanted: TimeFault) -> Option<String> {
    let found = dates(view).into_iter().find(|(_, element)| time::read(element) == Err(wanted));
    found.map(|(which, _)| format!("{which} of its validity is wrong: {wanted}"))
}

fn read(view: &View<'_>) -> Option<(Timestamp, Timestamp)> {
    Some((time::read(&view.not_before).ok()?, time::read(&view.not_after).ok()?))
}

/// Both dates, and those of the issuer.
fn beside_issuer(view: &View<'_>, context: &LintContext<'_>) -> Option<[Timestamp; 4]> {
    let (from, to) = read(view)?;
    let issuer = context.issuer.filter(|issuer| !issuer.is_self_signed())?;
    Some([from, to, issuer.not_before(), issuer.not_after()])
}

/// 2050-01-01T00:00:00Z.
const YEAR_2050: Timestamp = Timestamp::from_micros(2_524_608_000_000_000);

pub(super) static RULES: &[Rule] = &[
    Rule {
        name: "validity.fraction",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.1.2.5.2",
        check: |view, _| with_fault(view, TimeFault::Fraction),
    },
    Rule {
        name: "validity.no-seconds",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.1.2.5.1",
        check: |view, _| with_fault(view, TimeFault::NoSeconds),
    },
    Rule {
        name: "validity.offset",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.1.2.5",
        check: |view, _| with_fault(view, TimeFault::Offset),
    },
    Rule {
        name: "validity.damaged",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.1.2.5",
        check: |view, _| with_fault(view, TimeFault::Damaged),
    },
    Rule {
        name: "validity.form",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.1.2.5",
        check: |view, _| {
            let wrong = |element: &Element<'_>| {
                let late = time::read(element).ok()? >= YEAR_2050;
                (element.tag != if late { GENERALIZED_TIME } else { UTC_TIME }).then_some(())
            };
            let (which, _) = dates(view).into_iter().find(|(_, element)| wrong(element).is_some())?;
            Some(format!("{which} of its validity is UTCTime from 2050 on, or GeneralizedTime before"))
        },
    },
    Rule {
        name: "validity.reversed",
        severity: Severity::Error,
        blame: Blame::Request,
        source: "RFC 5280 4.1.2.5",
        check: |view, _| read(view).filter(|(from, to)| to < from).map(|(from, to)| format!("it ends at {to}, before it begins at {from}")),
    },
    Rule {
        name: "validity.beyond-issuer",
        severity: Severity::Error,
        blame: Blame::Request,
        source: "profile",
        check: |view, context| {
            let [_, to, _, end] = beside_issuer(view, context)?;
            (to > end).then(|| format!("it ends at {to}, after its issuer at {end}"))
        },
    },
    Rule {
        name: "validity.before-issuer",
        severity: Severity::Warning,
        blame: Blame::Request,
        source: "profile",
        check: |view, context| {
            let [from, _, begin, _] = beside_issuer(view, context)?;
            (from < begin).then(|| format!("it begins at {from}, before its issuer at {begin}"))
        },
    },
];
