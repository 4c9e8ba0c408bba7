//! What one connection is doing: which exchanges run, and since when nothing came of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::Limits;

/// The exchanges of one connection; at most as many as it may have streams.
#[derive(Clone, Debug)]
pub(crate) struct Activity(Arc<Mutex<Running>>);

#[derive(Debug)]
struct Running {
    next: u64,
    /// When each began, or its peer last took a piece of the answer.
    since: BTreeMap<u64, Instant>,
    /// When the last exchange ended; none before the first one began.
    quiet_since: Option<Instant>,
    opened: Instant,
}

/// What to do with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Go on.
    Live,
    /// Nothing was asked for too long: end it politely.
    Idle,
    /// An exchange does not end: cut it.
    Stuck,
}

impl Activity {
    pub(crate) fn new() -> Self {
        let running = Running { next: 0, since: BTreeMap::new(), quiet_since: None, opened: Instant::now() };
        Self(Arc::new(Mutex::new(running)))
    }

    pub(crate) fn begin(&self) -> ExchangeMark {
        let mut running = self.0.lock();
        let number = running.next;
        running.next = number.wrapping_add(1);
        running.since.insert(number, Instant::now());
        ExchangeMark { activity: self.clone(), number }
    }

    pub(crate) fn verdict(&self, limits: &Limits, now: Instant) -> Verdict {
        let running = self.0.lock();
        let over = |since: Instant, most: Duration| now.saturating_duration_since(since) > most;
        match (running.since.first_key_value(), running.quiet_since) {
            (Some(_), _) if running.since.values().any(|since| over(*since, limits.exchange)) => Verdict::Stuck,
            (Some(_), _) => Verdict::Live,
            (None, Some(quiet)) if over(quiet, limits.idle) => Verdict::Idle,
            (None, None) if over(running.opened, limits.head) => Verdict::Idle,
            (None, _) => Verdict::Live,
        }
    }
}

/// An exchange that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct ExchangeMark {
    activity: Activity,
    number: u64,
}

impl ExchangeMark {
    /// The peer is ready for another piece of the answer, so the exchange is not stuck.
    pub(crate) fn goes_on(&self) {
        if let Some(since) = self.activity.0.lock().since.get_mut(&self.number) {
            *since = Instant::now();
        }
    }
}

impl Drop for ExchangeMark {
    fn drop(&mut self) {
        let mut running = self.activity.0.lock();
        running.since.remove(&self.number);
        running.quiet_since = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_idle_or_stuck_by_their_own_clocks() {
        let (head, idle, exchange) = (Duration::from_secs(30), Duration::from_secs(100), Duration::from_secs(200));
        let limits = Limits { head, idle, exchange, ..Limits::default() };
        let activity = Activity::new();
        let after = |seconds| activity.verdict(&limits, Instant::now() + Duration::from_secs(seconds));
        assert_eq!((after(20), after(40)), (Verdict::Live, Verdict::Idle), "nothing was ever asked");
        let (first, second) = (activity.begin(), activity.begin());
        assert_eq!((after(150), after(250)), (Verdict::Live, Verdict::Stuck));
        drop(first);
        assert_eq!((after(150), after(250)), (Verdict::Live, Verdict::Stuck), "the second is still running");
        drop(second);
        assert_eq!((after(50), after(150)), (Verdict::Live, Verdict::Idle));
    }
}
