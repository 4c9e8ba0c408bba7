//! The two tasks of a view: one takes the feed, the other asks what was missed: at the start, once per interval, after a
//! reconnect and after a gap. Never more than one question is under way.

use std::time::Duration;

use signet_bus::{Bus, BusError, BusState, Pattern, Subject};
use signet_model::{FEED_AFTER_SUBJECT, FEED_SUBJECT};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use crate::View;
use crate::view::Progress;

/// Batches that may wait to be applied; one more is lost, which is a gap.
const FEED_CAPACITY: usize = 1_024;
/// Longest wait for one answer; shorter where the interval is.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The first pause after a question without an answer; it doubles up to [`LONGEST_PAUSE`] or the interval.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// So long questions may stay unanswered before it is told.
const FIRST_PATIENCE: Duration = Duration::from_secs(2);
/// The longest pause after a question without an answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Shortest time between the starts of two questions, pages of one answer apart.
const SHORTEST_SPACING: Duration = Duration::from_millis(50);
/// After a reconnect every view wants to ask: each waits up to this long, or its interval.
const RECONNECT_SPREAD: Duration = Duration::from_millis(200);

/// Keeps a view fed. The tasks end when this is dropped; the view then grows old and refuses.
#[derive(Debug)]
pub struct ViewTasks {
    _feed: AbortOnDropHandle<()>,
    _asker: AbortOnDropHandle<()>,
}

impl ViewTasks {
    /// Starts both tasks on the current runtime. The bus need not be connected yet.
    ///
    /// # Errors
    /// None in practice: only if the feed's own subjects were malformed.
    pub fn start(view: View, bus: Bus) -> Result<Self, BusError> {
        let (feed, after) = (Pattern::new(FEED_SUBJECT)?, Subject::new(FEED_AFTER_SUBJECT)?);
        let (listening, heard) = oneshot::channel();
        let reader = tokio::spawn(read(view.clone(), bus.clone(), feed, listening));
        let asker = tokio::spawn(ask(view, bus, after, heard));
        Ok(Self { _feed: AbortOnDropHandle::new(reader), _asker: AbortOnDropHandle::new(asker) })
    }
}

async fn read(view: View, bus: Bus, feed: Pattern, listening: oneshot::Sender<()>) {
    let mut subscription = loop {
        match bus.subscribe(&feed, None, FEED_CAPACITY).await {
            Ok(subscription) => break subscription,
            Err(BusError::Closed) => return,
            Err(error) => {
                tracing::warn!(%error, "standing.feed-not-subscribed");
                sleep(LONGEST_PAUSE).await;
            }
        }
    };
    // Gone only when the asker is, which is when both end.
    listening.send(()).ok();
    while let Some(message) = subscription.next().await {
        if message.status.is_none() {
            view.take_batch(&message.payload);
        }
    }
}

/// A random part of `range` between `low` and `high` of it, so that views do not act in step.
fn part(view: &View, range: Duration, low: f64, high: f64) -> Duration {
    let mut random = [0_u8; 4];
    view.config().entropy.fill(&mut random);
    let random = f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX);
    range.mul_f64(low + (high - low) * random)
}

async fn ask(view: View, bus: Bus, after: Subject, heard: oneshot::Receiver<()>) {
    // First listen, then ask: what is committed in between is not missed.
    if heard.await.is_err() {
        return;
    }
    let interval = view.config().reconcile_interval;
    let mut state = bus.state();
    let mut pause = FIRST_PAUSE;
    let (mut unanswered, mut told) = (None, false);
    loop {
        let started = Instant::now();
        state.mark_unchanged();
        let next = match ask_to_the_head(&view, &bus, &after, interval.min(LONGEST_WAIT)).await {
            Ok(Progress::Fault) | Err(BusError::Closed) => return,
            Ok(Progress::Complete | Progress::More) => {
                if std::mem::take(&mut told) {
                    tracing::info!(position = %view.position(), "standing.answered-again");
                }
                unanswered = None;
                pause = FIRST_PAUSE;
                // A little early rather than late: the interval is a promise.
                part(&view, interval, 0.875, 1.0)
            }
            Err(error) => {
                let since = *unanswered.get_or_insert(started);
                // At a start the worker that answers may still be on its way.
                if !told && since.elapsed() >= FIRST_PATIENCE {
                    tracing::warn!(%error, "standing.unanswered");
                    told = true;
                }
                let now = pause;
                pause = pause.saturating_mul(2).min(LONGEST_PAUSE).min(interval.max(FIRST_PAUSE));
                part(&view, now, 0.5, 1.0)
            }
        };
        let answered = pause == FIRST_PAUSE;
        tokio::select! {
            () = sleep(next) => {}
            // While nobody answers, gaps are no reason to ask more often.
            () = view.something_missed(), if answered => {}
            () = reconnected(&mut state) => sleep(part(&view, RECONNECT_SPREAD.min(interval), 0.0, 1.0)).await,
        }
        if let Some(earliest) = started.checked_add(SHORTEST_SPACING) {
            sleep_until(earliest).await;
        }
    }
}

/// Resolves when the connection comes back.
async fn reconnected(state: &mut watch::Receiver<BusState>) {
    loop {
        if state.changed().await.is_err() {
            // The bus is gone; the next question says so.
            return std::future::pending().await;
        }
        if matches!(*state.borrow_and_update(), BusState::Connected) {
            return;
        }
    }
}

/// Asks page by page until the view is at the head.
async fn ask_to_the_head(view: &View, bus: &Bus, after: &Subject, wait: Duration) -> Result<Progress, BusError> {
    loop {
        let question = view.question();
        let payload = serde_json::to_vec(&question).unwrap_or_default(); // two plain fields: cannot fail
        let progress = bus.request_until(after, payload, wait, |answer| view.take_answer(&answer.payload)).await?;
        match progress {
            Progress::More => {}
            Progress::Complete | Progress::Fault => return Ok(progress),
        }
    }
}
