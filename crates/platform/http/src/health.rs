//! Health: checks run on their own, each within a limit, and whoever asks reads the last results and never waits.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures_util::future::BoxFuture;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Longest run of one check (`kaa.md` 17.4).
pub const CHECK_LIMIT: Duration = Duration::from_secs(2);

/// One dependency and how it is. Shown to anyone: no versions, tenants, paths or addresses in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthLine {
    /// What was checked, such as `database`.
    pub name: &'static str,
    /// Whether it is well.
    pub ok: bool,
    /// What is wrong, in words. Where nothing is, what whoever looks has to know all the same, such as that checks are off.
    pub detail: String,
}

/// Knows how everything is, at once: results are kept, not made, when asked.
pub trait HealthSource: Send + Sync {
    /// One line per check.
    fn lines(&self) -> Vec<HealthLine>;
}

/// One check: answers well, or what is wrong.
pub struct HealthCheck {
    name: &'static str,
    run: Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
}

impl HealthCheck {
    /// A check by its name and what it does.
    pub fn new<F>(name: &'static str, run: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { name, run: Box::new(move || Box::pin(run())) }
    }
}

/// The last result of each check. Clones share them.
#[derive(Clone)]
pub struct HealthBoard {
    results: Arc<[(&'static str, Slot)]>,
    /// A result older than this is none: then the check itself hangs.
    oldest: Duration,
    tracker: TaskTracker,
}

type Slot = Arc<ArcSwapOption<(Instant, Result<(), String>)>>;

impl HealthBoard {
    /// Runs each of `checks` every `interval` until `shutdown`.
    pub fn start(checks: Vec<HealthCheck>, interval: Duration, shutdown: &CancellationToken) -> Self {
        Self::start_within(checks, interval, CHECK_LIMIT, shutdown)
    }

    fn start_within(checks: Vec<HealthCheck>, interval: Duration, limit: Duration, shutdown: &CancellationToken) -> Self {
        let tracker = TaskTracker::new();
        let results = checks.into_iter().map(|check| {
            let (name, slot) = (check.name, Slot::default());
            tracker.spawn(repeat(check, Arc::clone(&slot), interval, limit, shutdown.clone()));
            (name, slot)
        });
        let results = results.collect();
        tracker.close();
        Self { results, oldest: interval.saturating_add(limit.saturating_mul(2)), tracker }
    }

    /// Waits until the checks have ended after the shutdown.
    pub async fn stopped(&self) {
        self.tracker.wait().await;
    }
}

async fn repeat(check: HealthCheck, slot: Slot, interval: Duration, limit: Duration, shutdown: CancellationToken) {
    loop {
        let result = tokio::select! {
            () = shutdown.cancelled() => return,
            result = tokio::time::timeout(limit, (check.run)()) => result,
        };
        let result = result.unwrap_or_else(|_| Err(format!("no answer within {} ms", limit.as_millis())));
        slot.store(Some(Arc::new((Instant::now(), result))));
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
    }
}

impl HealthSource for HealthBoard {
    fn lines(&self) -> Vec<HealthLine> {
        let now = Instant::now();
        let line = |(name, slot): &(&'static str, Slot)| {
            let wrong = match slot.load().as_deref() {
                None => Some("not checked yet".to_owned()),
                Some((when, _)) if now.saturating_duration_since(*when) > self.oldest => Some("the check itself hangs".to_owned()),
                Some((_, Ok(()))) => None,
                Some((_, Err(why))) => Some(why.clone()),
            };
            HealthLine { name, ok: wrong.is_none(), detail: wrong.unwrap_or_default() }
        };
        self.results.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[tokio::test]
    async fn results_are_kept_and_a_hanging_check_is_told() {
        let shutdown = CancellationToken::new();
        let well = Arc::new(AtomicBool::new(true));
        let seen = Arc::clone(&well);
        let database = move || {
            let well = seen.load(Ordering::SeqCst);
            async move { if well { Ok(()) } else { Err("unreachable".to_owned()) } }
        };
        let checks = vec![HealthCheck::new("database", database), HealthCheck::new("bus", std::future::pending)];
        let (interval, limit) = (Duration::from_millis(20), Duration::from_millis(200));
        let board = HealthBoard::start_within(checks, interval, limit, &shutdown);
        let told = || board.lines().into_iter().map(|line| format!("{}: {} {}", line.name, line.ok, line.detail)).collect::<Vec<_>>();
        let until = async |database: &str, bus: &str| {
            while told() != [format!("database: {database}"), format!("bus: {bus}")] {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let patience = Duration::from_secs(30);
        assert_eq!(told(), ["database: false not checked yet", "bus: false not checked yet"]);
        tokio::time::timeout(patience, until("true ", "false no answer within 200 ms")).await.expect("both are told");
        well.store(false, Ordering::SeqCst);
        tokio::time::timeout(patience, until("false unreachable", "false no answer within 200 ms")).await.expect("the change is told");
        shutdown.cancel();
        board.stopped().await;
        let hangs = "false the check itself hangs";
        tokio::time::timeout(patience, until(hangs, hangs)).await.expect("old results are none");
    }
}
