//! The view: how an enforcement point knows what is withdrawn, and how old that knowledge is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use signet_crypto::sign::Ed25519Public;
use signet_model::{
    AfterAnswer, AfterRequest, Clock, Entropy, FeedBatch, Lineage, Position, Reason, Refusal, StandingChange, StandingSubject, Timestamp,
    feed_name, kinds,
};
use tokio::sync::{Notify, broadcast};

use crate::history::{History, Outcome};
use crate::reasons::{STANDING_FULL, STANDING_OTHER_HISTORY, STANDING_WITHDRAWN};
use crate::{Cause, ViewFault, Withdrawn, signed};

/// Shortest bound on a view's age.
pub const SHORTEST_MAX_AGE: Duration = Duration::from_secs(2);
/// Shortest interval between questions.
pub const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);
/// Withdrawn subjects that a view has room for by default; about 200 bytes each.
pub const DEFAULT_CAPACITY: usize = 2_000_000;
/// Batches of changes that a slow cache may lag behind before it must drop everything.
const CHANGES_KEPT: usize = 256;

/// How a view works.
#[derive(Clone)]
pub struct ViewConfig {
    /// What the feed is signed with.
    pub feed_key: Ed25519Public,
    /// How often the view asks what it has missed; at least [`SHORTEST_INTERVAL`].
    pub reconcile_interval: Duration,
    /// Older than this, nothing is allowed; at least [`SHORTEST_MAX_AGE`].
    pub max_age: Duration,
    /// Most withdrawn subjects. One more, and the view refuses everything until a restart with more room.
    pub capacity: usize,
    /// Reasons that a committed reason's code may name; one that is not among them is told as `standing.withdrawn`.
    pub reasons: Vec<&'static Reason>,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where nonces and jitter come from.
    pub entropy: Arc<dyn Entropy>,
}

impl ViewConfig {
    /// The defaults: an age of three intervals, [`DEFAULT_CAPACITY`] subjects.
    pub fn new(feed_key: Ed25519Public, reconcile_interval: Duration, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            feed_key,
            reconcile_interval,
            max_age: reconcile_interval.saturating_mul(3).max(SHORTEST_MAX_AGE),
            capacity: DEFAULT_CAPACITY,
            reasons: Vec::new(),
            clock,
            entropy,
        }
    }
}

/// An instant by two clocks. The age is the larger of the two differences: a wall clock that was set back must not make
/// a view look fresh, and the monotonic clock stands still while a machine sleeps.
#[derive(Clone, Copy)]
struct Moment {
    wall: Timestamp,
    monotonic: Instant,
}

/// The one open question.
struct Question {
    request: AfterRequest,
    asked: Moment,
}

struct State {
    history: History,
    /// When the question was asked whose answer brought the view to the head.
    confirmed: Option<Moment>,
    question: Option<Question>,
}

struct Inner {
    config: ViewConfig,
    state: RwLock<State>,
    changes: broadcast::Sender<Arc<[StandingChange]>>,
    ask: Notify,
    refused: [AtomicU64; Cause::ALL.len()],
    gaps: AtomicU64,
}

/// What is withdrawn, as far as the feed has told. Cheap to clone.
#[derive(Clone)]
pub struct View {
    inner: Arc<Inner>,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("position", &self.position()).field("age", &self.age()).finish_non_exhaustive()
    }
}

/// How an accepted answer leaves the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// At the head: the age is renewed.
    Complete,
    /// The answer was cut: ask on at once.
    More,
    /// Out of use.
    Fault,
}

impl View {
    /// A view that knows nothing yet: it refuses as stale until its first answer.
    pub fn new(config: ViewConfig) -> Self {
        let config = ViewConfig {
            reconcile_interval: config.reconcile_interval.max(SHORTEST_INTERVAL),
            max_age: config.max_age.max(SHORTEST_MAX_AGE),
            ..config
        };
        let state = State { history: History::new(config.capacity), confirmed: None, question: None };
        let inner = Inner {
            config,
            state: RwLock::new(state),
            changes: broadcast::Sender::new(CHANGES_KEPT),
            ask: Notify::new(),
            refused: Default::default(),
            gaps: AtomicU64::new(0),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Whether serving may go on that leans on all of `subjects`. With none of them it asks only whether the view can be
    /// relied on.
    ///
    /// # Errors
    /// `standing.stale` beyond the bound on the age, `standing.other-history` and `standing.full` when the view is out of
    /// use, else the reason of the first subject that is withdrawn.
    pub fn check(&self, subjects: &[StandingSubject]) -> Result<(), Refusal> {
        let state = self.inner.state.read();
        if let Some(fault) = &state.history.fault {
            return Err(fault_refusal(fault));
        }
        self.fresh(state.confirmed)?;
        match subjects.iter().find_map(|subject| state.history.withdrawn(subject).map(|row| (subject, row))) {
            None => Ok(()),
            Some((subject, row)) => Err(self.withdrawn_refusal(subject, row)),
        }
    }

    /// What is known of one subject, however old the view is; for caches and explanations, never to allow.
    pub fn withdrawn(&self, subject: &StandingSubject) -> Option<Withdrawn> {
        self.inner.state.read().history.withdrawn(subject).cloned()
    }

    /// The last position that was applied.
    pub fn position(&self) -> Position {
        self.inner.state.read().history.position
    }

    /// Time since the question whose answer last brought the view to the head; none before the first answer.
    pub fn age(&self) -> Option<Duration> {
        let confirmed = self.inner.state.read().confirmed;
        confirmed.map(|moment| self.since(moment))
    }

    /// The bound on the age.
    pub fn max_age(&self) -> Duration {
        self.inner.config.max_age
    }

    /// The history that the view follows; none before the first answer.
    pub fn lineage(&self) -> Option<Lineage> {
        self.inner.state.read().history.lineage.clone()
    }

    /// Why the view is out of use, if it is.
    pub fn fault(&self) -> Option<ViewFault> {
        self.inner.state.read().history.fault.clone()
    }

    /// How many subjects are withdrawn.
    pub fn withdrawn_count(&self) -> usize {
        self.inner.state.read().history.count()
    }

    /// Every change as it is applied, also those to good: caches drop what they hold of these subjects. A receiver that
    /// lagged has missed some and must drop everything.
    pub fn changes(&self) -> broadcast::Receiver<Arc<[StandingChange]>> {
        self.inner.changes.subscribe()
    }

    /// Messages that changed nothing, by cause.
    pub fn refused(&self) -> [(Cause, u64); Cause::ALL.len()] {
        let counts = &self.inner.refused;
        std::array::from_fn(|index| {
            let count = counts.get(index).map_or(0, |count| count.load(Ordering::Relaxed));
            (Cause::ALL.get(index).copied().unwrap_or(Cause::Malformed), count)
        })
    }

    /// Batches that did not follow on what was known.
    pub fn gaps(&self) -> u64 {
        self.inner.gaps.load(Ordering::Relaxed)
    }

    /// Takes what arrived on the feed's subject.
    pub(crate) fn take_batch(&self, bytes: &[u8]) {
        let batch = signed::open::<FeedBatch>(&self.inner.config.feed_key, FeedBatch::PURPOSE, bytes);
        let mut state = self.inner.state.write();
        if state.history.fault.is_some() {
            return;
        }
        match batch.and_then(|batch| state.history.apply_batch(batch)) {
            Ok(outcome) => {
                self.settle(outcome);
            }
            Err(cause) => self.refuse(cause),
        }
    }

    /// A new question with a nonce of its own; it takes the place of the one before, so at most one is open.
    pub(crate) fn question(&self) -> AfterRequest {
        let mut nonce = [0_u8; 16];
        self.inner.config.entropy.fill(&mut nonce);
        let mut state = self.inner.state.write();
        let request = AfterRequest {
            nonce: format!("{:032x}", u128::from_be_bytes(nonce)),
            after: state.history.position,
            feed: Some(feed_name(&self.inner.config.feed_key.raw())),
        };
        // Before it is sent: the answer tells what was true then or later.
        let asked = Moment { wall: self.inner.config.clock.now(), monotonic: Instant::now() };
        state.question = Some(Question { request: request.clone(), asked });
        request
    }

    /// Takes an answer; none when it was refused.
    pub(crate) fn take_answer(&self, bytes: &[u8]) -> Option<Progress> {
        let answer = signed::open::<AfterAnswer>(&self.inner.config.feed_key, AfterAnswer::PURPOSE, bytes);
        let mut state = self.inner.state.write();
        if state.history.fault.is_some() {
            return Some(Progress::Fault);
        }
        let outcome = answer.and_then(|answer| {
            let question = state.question.take_if(|open| open.request.nonce == answer.nonce).ok_or(Cause::Nonce)?;
            let at_head = answer.to == answer.head;
            let outcome = state.history.apply_answer(question.request.after, answer)?;
            Ok((outcome, at_head, question.asked))
        });
        match outcome {
            Ok((outcome, at_head, asked)) => {
                if !self.settle(outcome) {
                    return Some(Progress::Fault);
                }
                if !at_head {
                    return Some(Progress::More);
                }
                state.confirmed = Some(asked);
                Some(Progress::Complete)
            }
            Err(cause) => {
                self.refuse(cause);
                None
            }
        }
    }

    /// Resolves when something was missed, at once if it already was.
    pub(crate) async fn something_missed(&self) {
        self.inner.ask.notified().await;
    }

    pub(crate) fn config(&self) -> &ViewConfig {
        &self.inner.config
    }

    /// Tells of an outcome; whether the view is still in use. Called under the lock, so that changes are told in order.
    fn settle(&self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Applied(changes) => {
                if !changes.is_empty() {
                    // Nobody listening is fine: no cache, nothing to drop.
                    self.inner.changes.send(changes.into()).ok();
                }
                true
            }
            Outcome::Gap => {
                self.inner.gaps.fetch_add(1, Ordering::Relaxed);
                self.inner.ask.notify_one();
                true
            }
            Outcome::Fault(fault) => {
                tracing::error!(%fault, fix = fault_reason(&fault).fix, "standing.out-of-use");
                false
            }
        }
    }

    fn refuse(&self, cause: Cause) {
        let counter = Cause::ALL.iter().position(|known| *known == cause).and_then(|index| self.inner.refused.get(index));
        let before = counter.map_or(0, |counter| counter.fetch_add(1, Ordering::Relaxed));
        // The first, the second, the fourth, …: a flood of forgeries must not become a flood of lines.
        if before == 0 || before.saturating_add(1).is_power_of_two() {
            tracing::warn!(cause = cause.as_str(), count = before.saturating_add(1), "standing.message-refused");
        }
        // A history or leader that we do not follow: only a fresh answer tells who is right.
        if matches!(cause, Cause::Lineage | Cause::Term) {
            self.inner.ask.notify_one();
        }
    }

    fn since(&self, moment: Moment) -> Duration {
        self.inner.config.clock.now().since(moment.wall).max(moment.monotonic.elapsed())
    }

    fn fresh(&self, confirmed: Option<Moment>) -> Result<(), Refusal> {
        let bound = self.inner.config.max_age;
        match confirmed.map(|moment| self.since(moment)) {
            Some(age) if age <= bound => Ok(()),
            Some(age) => {
                let detail = format!("the view of revocations is {} s old, more than {} s", age.as_secs(), bound.as_secs());
                Err(Refusal::new(&kinds::STANDING_STALE, detail))
            }
            None => Err(Refusal::new(&kinds::STANDING_STALE, "the view of revocations has had no answer since the start")),
        }
    }

    fn withdrawn_refusal(&self, subject: &StandingSubject, row: &Withdrawn) -> Refusal {
        let code = row.reason.as_deref();
        let known = self.inner.config.reasons.iter().find(|reason| Some(reason.code) == code);
        let because = code.map(|code| format!(": {code}")).unwrap_or_default();
        Refusal::new(known.copied().unwrap_or(&STANDING_WITHDRAWN), format!("{subject} since position {}{because}", row.since))
    }
}

fn fault_reason(fault: &ViewFault) -> &'static Reason {
    match fault {
        ViewFault::OtherLineage { .. } | ViewFault::LowerHead { .. } => &STANDING_OTHER_HISTORY,
        ViewFault::Full { .. } => &STANDING_FULL,
    }
}

fn fault_refusal(fault: &ViewFault) -> Refusal {
    Refusal::new(fault_reason(fault), fault.to_string())
}
