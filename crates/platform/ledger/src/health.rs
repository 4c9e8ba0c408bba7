//! What the health page says of the ledger: read from counters, so that asking never waits for anything.

use signet_crypto::SealError;
use signet_model::Reason;

use crate::error::AUDIT_CONTRADICTED;
use crate::stats::Stats;

/// Events that may wait for the bus before health speaks of it.
const OUTBOX_NOTABLE: i64 = 512;

/// One line.
#[derive(Clone, Debug)]
pub struct HealthLine {
    /// What it is about, such as `ledger.seal`.
    pub name: &'static str,
    /// Whether that part works.
    pub ok: bool,
    /// The reason when it does not.
    pub reason: Option<&'static Reason>,
    /// In words.
    pub detail: String,
}

pub(crate) fn lines(worker: bool, sealed: Option<&SealError>, stats: &Stats) -> Vec<HealthLine> {
    let fine = |name, detail| HealthLine { name, ok: true, reason: None, detail };
    let mut lines = vec![match sealed {
        None => fine("ledger.seal", "the signing keys are open".to_owned()),
        Some(error) => HealthLine {
            name: "ledger.seal",
            ok: false,
            reason: Some(error.reason()),
            detail: format!("{error}: no worker role is served"),
        },
    }];
    lines.push(if stats.storage_full() {
        let detail = "writes are refused, reads go on".to_owned();
        HealthLine { name: "ledger.storage", ok: false, reason: Some(&signet_model::kinds::STORAGE_FULL), detail }
    } else {
        fine("ledger.storage", "there was room for the last write".to_owned())
    });
    if worker && sealed.is_none() {
        let (head, published, sequenced) = (stats.head(), stats.published(), stats.sequenced());
        let state = if stats.leader() {
            format!("leader in term {}: head {head}, published {published}, sequenced {sequenced}", stats.term())
        } else {
            "waits to lead".to_owned()
        };
        lines.push(match stats.fault() {
            None => fine("ledger.sequencer", state),
            Some((reason, fault)) => HealthLine { name: "ledger.sequencer", ok: false, reason: Some(reason), detail: fault },
        });
        lines.push(match stats.contradiction() {
            None => fine("ledger.log", "nothing contradicts what was signed".to_owned()),
            Some(detail) => HealthLine { name: "ledger.log", ok: false, reason: Some(&AUDIT_CONTRADICTED), detail },
        });
        let waiting = stats.outbox();
        if stats.leader() {
            let more = if waiting >= OUTBOX_NOTABLE { " or more" } else { "" };
            lines.push(fine("ledger.outbox", format!("{waiting}{more} events wait for the message bus")));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_and_a_wrong_seal_key_ends_the_worker_lines() {
        let stats = Stats::default();
        let lines_of = |worker, sealed| lines(worker, sealed, &stats);
        assert!(lines_of(true, None).iter().all(|line| line.ok));
        let error = SealError::WrongKey { purpose: "x".to_owned(), sealed_with: "a".to_owned(), present: "b".to_owned() };
        stats.failed(&signet_model::kinds::STORAGE_UNAVAILABLE, "gone".to_owned());
        assert!(lines_of(true, None).iter().any(|line| !line.ok && line.name == "ledger.sequencer"));
        let wrong = lines_of(true, Some(&error));
        assert_eq!((wrong.len(), wrong[0].ok, wrong[0].reason.map(|r| r.code)), (2, false, Some("seal.wrong-key")));
        stats.storage_full.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(lines_of(false, None).iter().any(|line| line.reason.map(|r| r.code) == Some("storage.full")));
    }
}
