//! Numbers of the house that its metrics show, read when they are asked for.

use signet_ledger::Ledger;
use signet_standing::View;

use super::metrics::Readings;

/// The ledger's numbers, read when asked.
pub(super) fn of_ledger(ledger: &Ledger) -> Readings {
    let (head, leads, outbox) = (ledger.clone(), ledger.clone(), ledger.clone());
    let (committed, conflicts, dropped) = (ledger.clone(), ledger.clone(), ledger.clone());
    Readings::default()
        .gauge("signet_feed_position", "Last position that this process has seen committed", move || Some(number(head.head().value())))
        .gauge("signet_ledger_leader", "1 while this process orders, signs and publishes", move || {
            Some(f64::from(u8::from(leads.stats().leader())))
        })
        .gauge("signet_ledger_outbox", "Events that wait for the message bus; of the leader", move || Some(number(outbox.stats().outbox())))
        .counter("signet_ledger_committed", "Changes committed", move || Some(count(committed.stats().committed())))
        .counter("signet_ledger_conflicts", "Changes whose expectations failed", move || Some(count(conflicts.stats().conflicts())))
        .counter("signet_ledger_upkeep_dropped", "Upkeep statements dropped, since the queue or the storage was full", move || {
            Some(count(dropped.stats().upkeep_dropped()))
        })
}

/// The view's numbers, read when asked.
pub(super) fn of_view(view: &View) -> Readings {
    let (position, age) = (view.clone(), view.clone());
    Readings::default()
        .gauge("signet_view_position", "Last position that the view has applied", move || Some(number(position.position().value())))
        .gauge("signet_view_age_seconds", "Time since the view was last proven fresh", move || Some(age.age()?.as_secs_f64()))
}

/// Metrics are floating point: exact up to 2^53, more positions than there will be.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn number(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn count(value: u64) -> f64 {
    value as f64
}
