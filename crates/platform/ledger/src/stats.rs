//! What the ledger counts, as plain atomics: the metrics page and the health lines read them, nothing waits for them.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use signet_model::Reason;

/// Upper bounds of the commit latency's buckets, in microseconds; one more bucket holds what is slower.
pub const LATENCY_BOUNDS: [u64; 12] = [250, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];

/// Counters and gauges of one ledger.
#[derive(Debug, Default)]
pub struct Stats {
    pub(crate) head: AtomicI64,
    pub(crate) published: AtomicI64,
    pub(crate) sequenced: AtomicI64,
    pub(crate) checkpointed: AtomicI64,
    pub(crate) outbox: AtomicI64,
    pub(crate) leader: AtomicBool,
    pub(crate) term: AtomicI64,
    pub(crate) committed: AtomicU64,
    pub(crate) conflicts: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) overloaded: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) upkeep_done: AtomicU64,
    pub(crate) upkeep_dropped: AtomicU64,
    pub(crate) relayed: AtomicU64,
    pub(crate) relay_failures: AtomicU64,
    /// Set by a write that found no room, cleared by the next one that did.
    pub(crate) storage_full: AtomicBool,
    /// Why sequencing does not work at the moment.
    fault: Mutex<Option<(&'static Reason, String)>>,
    /// What the audit log contradicts.
    contradiction: Mutex<Option<String>>,
    latency: [AtomicU64; LATENCY_BOUNDS.len()],
    latency_slower: AtomicU64,
    latency_sum: AtomicU64,
}

/// The commit latency as a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// Commits in each bucket of [`LATENCY_BOUNDS`], not cumulated.
    pub buckets: [u64; LATENCY_BOUNDS.len()],
    /// Commits slower than the last bound.
    pub slower: u64,
    /// All of them together, in microseconds.
    pub sum_micros: u64,
}

macro_rules! readers {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)+) => {
        impl Stats {
            $($(#[$doc])* pub fn $name(&self) -> $type { self.$name.load(Relaxed) })+
        }
    };
}

readers! {
    /// The last position that this process has seen committed.
    head: i64;
    /// The last position published on the feed; of the leader.
    published: i64;
    /// Records folded into the Merkle tree; of the leader.
    sequenced: i64;
    /// Size of the last signed checkpoint; of the leader.
    checkpointed: i64;
    /// Events that wait for the bus; of the leader.
    outbox: i64;
    /// Whether this process is the leader.
    leader: bool;
    /// The leader's term, 0 when this process has never been it.
    term: i64;
    /// Whether the last write found no room in the database.
    storage_full: bool;
    /// Changes committed.
    committed: u64;
    /// Changes whose expectations failed.
    conflicts: u64;
    /// Changes that the database refused.
    refused: u64;
    /// Changes that found the queue full.
    overloaded: u64;
    /// Batches committed.
    batches: u64;
    /// Upkeep statements run.
    upkeep_done: u64;
    /// Upkeep statements dropped because the queue or the storage was full.
    upkeep_dropped: u64;
    /// Events that the bus has echoed.
    relayed: u64;
    /// Attempts to relay that failed.
    relay_failures: u64;
}

impl Stats {
    /// Time from the submission of a Change to its answer, of those committed.
    pub fn latency(&self) -> Latency {
        Latency {
            buckets: std::array::from_fn(|i| self.latency.get(i).map_or(0, |bucket| bucket.load(Relaxed))),
            slower: self.latency_slower.load(Relaxed),
            sum_micros: self.latency_sum.load(Relaxed),
        }
    }

    /// Why this process, being a worker, does not get to lead or to sequence at the moment.
    pub fn fault(&self) -> Option<(&'static Reason, String)> {
        self.fault.lock().clone()
    }

    /// How the audit log contradicts what was signed over it, as this process found when it began to lead.
    pub fn contradiction(&self) -> Option<String> {
        self.contradiction.lock().clone()
    }

    pub(crate) fn contradicted(&self, detail: String) {
        *self.contradiction.lock() = Some(detail);
    }

    /// Notes a fault; true when it is another than before.
    pub(crate) fn failed(&self, reason: &'static Reason, detail: String) -> bool {
        let fault = Some((reason, detail));
        let mut held = self.fault.lock();
        let new = *held != fault;
        *held = fault;
        new
    }

    pub(crate) fn works(&self) {
        self.fault.lock().take();
    }

    pub(crate) fn saw_head(&self, position: i64) {
        self.head.fetch_max(position, Relaxed);
    }

    pub(crate) fn committed_after(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = LATENCY_BOUNDS.iter().position(|bound| micros <= *bound).and_then(|i| self.latency.get(i));
        bucket.unwrap_or(&self.latency_slower).fetch_add(1, Relaxed);
        self.latency_sum.fetch_add(micros, Relaxed);
        self.committed.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_fall_into_their_buckets() {
        let stats = Stats::default();
        for micros in [0, 250, 251, 5_000_000, 5_000_001] {
            stats.committed_after(Duration::from_micros(micros));
        }
        let latency = stats.latency();
        assert_eq!((latency.buckets[0], latency.buckets[1], latency.buckets[11], latency.slower), (2, 1, 1, 1));
        assert_eq!((latency.sum_micros, stats.committed()), (10_000_502, 5));
    }
}
