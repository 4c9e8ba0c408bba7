//! What is known of one issuer, kept fresh: fetched once for however many ask at the same time, never more often than the
//! interval allows, and kept for a while when the issuer is gone.
//!
//! A fetch runs as a task of its own, so a caller that gives up ends neither the fetch nor the others' waiting.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use signet_model::{Clock, Refusal, Timestamp};
use signet_outbound::Outbound;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::fetch::{FetchError, Published, fetch};
use super::metrics::OidcMetrics;
use super::reasons::OIDC_ISSUER_UNAVAILABLE;

/// Callers that may wait for one fetch; more are answered from what is known.
const MOST_WAITING: usize = 2_048;

/// How often an issuer is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Shortest time between two fetches, whatever the cause.
    pub(super) interval: Duration,
    /// Age from which keys are fetched again beside the work.
    pub(super) refresh_after: Duration,
    /// Age from which keys that could not be renewed are used no more.
    pub(super) keep_for: Duration,
}

/// What every fetch needs.
pub(super) struct Means {
    pub(super) outbound: Outbound,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: OidcMetrics,
    pub(super) pace: Pace,
}

/// One issuer.
pub(super) struct Issuer {
    name: String,
    means: Arc<Means>,
    published: ArcSwapOption<Published>,
    attempts: Mutex<Attempts>,
    /// Counts fetches that ended.
    ended: watch::Sender<u64>,
    waiting: AtomicUsize,
}

#[derive(Default)]
struct Attempts {
    last: Option<Timestamp>,
    last_failed: bool,
    running: Option<AbortOnDropHandle<()>>,
}

/// What came of asking for a fetch.
enum Begun {
    /// One runs; its end is told here.
    Runs(watch::Receiver<u64>),
    /// The last one is too young.
    TooSoon,
}

impl Issuer {
    /// An issuer by its identifier, without a slash at its end. Nothing is fetched yet.
    pub(super) fn new(name: &str, means: Arc<Means>) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            means,
            published: ArcSwapOption::empty(),
            attempts: Mutex::default(),
            ended: watch::Sender::new(0),
            waiting: AtomicUsize::new(0),
        })
    }

    /// Its identifier.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What is known and young enough to be used. Asks for younger keys beside the work where it is time.
    pub(super) fn known(self: &Arc<Self>) -> Option<Arc<Published>> {
        let published = self.published.load_full()?;
        let age = self.means.clock.now().since(published.fetched_at);
        if age >= self.means.pace.refresh_after {
            self.begin();
        }
        (age < self.means.pace.keep_for).then_some(published)
    }

    /// What is known, fetched first where nothing is.
    pub(super) async fn published(self: &Arc<Self>) -> Result<Arc<Published>, Refusal> {
        if let Some(known) = self.known() {
            return Ok(known);
        }
        self.fetched().await;
        self.known().ok_or_else(|| self.unavailable())
    }

    /// Something younger than `used`, since `used` does not explain a token: at most one fetch per interval. None when there is
    /// nothing younger now.
    ///
    /// # Errors
    /// The issuer could not be asked, so nobody knows whether the token is good.
    pub(super) async fn younger(self: &Arc<Self>, used: &Arc<Published>) -> Result<Option<Arc<Published>>, Refusal> {
        let younger = || self.known().filter(|known| !Arc::ptr_eq(known, used));
        if let Some(known) = younger() {
            return Ok(Some(known));
        }
        self.fetched().await;
        match younger() {
            Some(known) => Ok(Some(known)),
            None if self.attempts.lock().last_failed => Err(self.unavailable()),
            None => Ok(None),
        }
    }

    fn unavailable(&self) -> Refusal {
        Refusal::new(&OIDC_ISSUER_UNAVAILABLE, format!("the keys of issuer `{}` cannot be had now", super::shown(&self.name)))
    }

    /// Waits for a fetch that runs, or for one that is begun if that is allowed.
    async fn fetched(self: &Arc<Self>) {
        let Begun::Runs(mut ended) = self.begin() else { return };
        if self.waiting.fetch_add(1, Ordering::Relaxed) < MOST_WAITING {
            // The sender lives as long as `self`.
            let _ended = ended.changed().await;
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    fn begin(self: &Arc<Self>) -> Begun {
        let mut attempts = self.attempts.lock();
        if attempts.running.is_some() {
            return Begun::Runs(self.ended.subscribe());
        }
        let now = self.means.clock.now();
        // A clock that went back must not silence the issuer until it has caught up.
        let too_soon = attempts.last.is_some_and(|last| last <= now && now.since(last) < self.means.pace.interval);
        if too_soon {
            return Begun::TooSoon;
        }
        attempts.last = Some(now);
        let ended = self.ended.subscribe();
        let end = End(Arc::downgrade(self));
        let (means, name) = (Arc::clone(&self.means), self.name.clone());
        let running = tokio::spawn(async move {
            let outcome = fetch(&means.outbound, &name, now).await;
            end.with(outcome);
        });
        attempts.running = Some(AbortOnDropHandle::new(running));
        Begun::Runs(ended)
    }

    fn took(&self, outcome: Result<Published, FetchError>) {
        let metrics = &self.means.metrics;
        match outcome {
            Ok(published) => {
                metrics.fetched(true);
                let former = self.published.load_full();
                if former.as_ref().is_none_or(|former| former.fingerprint != published.fingerprint) {
                    let (keys, left_out) = (published.keys.len(), published.keys.left_out());
                    tracing::info!(event = "oidc.keys-fetched", issuer = %super::shown(&self.name), keys, left_out);
                }
                self.published.store(Some(Arc::new(published)));
                self.attempts.lock().last_failed = false;
            }
            Err(error) => {
                metrics.fetched(false);
                let age = self.published.load().as_ref().map(|known| self.means.clock.now().since(known.fetched_at).as_secs());
                tracing::warn!(
                    event = "oidc.fetch-failed",
                    issuer = %super::shown(&self.name),
                    error = %error,
                    keys_age_seconds = age,
                    keys_kept_for_seconds = self.means.pace.keep_for.as_secs()
                );
                self.attempts.lock().last_failed = true;
            }
        }
    }

    /// How old the keys are that are in use, when they should have been renewed by now.
    pub(super) fn overdue(&self) -> Option<Duration> {
        let age = self.means.clock.now().since(self.published.load().as_ref()?.fetched_at);
        let late = self.means.pace.refresh_after.saturating_add(self.means.pace.interval);
        (age > late).then_some(age)
    }
}

/// Ends the fetch for those who wait, also when the task panics or is cancelled.
struct End(Weak<Issuer>);

impl End {
    fn with(self, outcome: Result<Published, FetchError>) {
        if let Some(issuer) = self.0.upgrade() {
            issuer.took(outcome);
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(issuer) = self.0.upgrade() {
            // The handle is of the task that runs this, so letting it go aborts nothing that is still to come.
            let handle = issuer.attempts.lock().running.take();
            issuer.ended.send_modify(|ended| *ended = ended.wrapping_add(1));
            drop(handle);
        }
    }
}
