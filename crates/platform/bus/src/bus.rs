//! The one public face of both back ends.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{OnceCell, watch};
use tokio::time::{Instant, timeout_at};

use crate::backend::Backend;
use crate::in_process::InProcess;
use crate::message::{Sink, SubscriptionGuard};
use crate::request::{Awaited, Outstanding};
use crate::{BusError, Message, NO_RESPONDERS, OutMessage, Pattern, Subject, Subscription, subject};

/// Most subjects that are remembered as let through by the server; the set starts anew when it is full.
const MOST_PROVEN: usize = 1_024;

/// Whether the bus can be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusState {
    /// Yes.
    Connected,
    /// No; the client is trying to reconnect by itself.
    Disconnected {
        /// Since when; the start of the process until the first connection.
        since: Instant,
    },
}

/// Counters of one bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusCounters {
    /// Messages that full queues of subscriptions lost.
    pub lost: u64,
    /// Messages that the client library dropped before they reached a queue.
    pub slow_consumer_events: u64,
    /// Connections made so far; the first counts.
    pub connections: u64,
    /// Publishes that the server's permissions denied.
    pub denied: u64,
}

/// Longest deadline; a longer one counts as this.
const LONGEST_DEADLINE: Duration = Duration::from_secs(3_600);

fn end_of(deadline: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(deadline.min(LONGEST_DEADLINE)).unwrap_or(now)
}

struct Inner {
    backend: Arc<dyn Backend>,
    outstanding: Arc<Outstanding>,
    inbox: OnceCell<SubscriptionGuard>,
    proven: Mutex<(u64, HashSet<Subject>)>,
    lost: Arc<AtomicU64>,
}

/// A message bus: core NATS, or the same within one process. Cheap to clone.
#[derive(Clone)]
pub struct Bus {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus").field("counters", &self.counters()).finish_non_exhaustive()
    }
}

impl Bus {
    /// A bus within this process.
    pub fn in_process() -> Self {
        Self::over(Arc::new(InProcess::new()), &Subject::inbox_in_process())
    }

    pub(crate) fn over(backend: Arc<dyn Backend>, inbox: &Subject) -> Self {
        let inner =
            Inner { backend, outstanding: Outstanding::new(inbox), inbox: OnceCell::new(), proven: Mutex::default(), lost: Arc::default() };
        Self { inner: Arc::new(inner) }
    }

    /// Sends a message. Done means handed over, not delivered: what must not be lost goes by [`Bus::publish_confirmed`].
    ///
    /// # Errors
    /// At once when disconnected (nothing is kept for later), too large or shut down.
    pub async fn publish(&self, subject: &Subject, reply: Option<&Subject>, payload: impl Into<Bytes>) -> Result<(), BusError> {
        let message = OutMessage { subject: subject.clone(), reply: reply.cloned(), payload: payload.into() };
        self.inner.backend.publish(message).await
    }

    /// Listens to `pattern`. With a queue group, one of the group's members gets each message. The subscription is made
    /// even while disconnected and survives reconnects; what was sent meanwhile is gone.
    ///
    /// `capacity` bounds the messages waiting to be taken; what does not fit is lost and counted.
    ///
    /// # Errors
    /// A malformed queue group, too many subscriptions, or a bus that was shut down.
    pub async fn subscribe(&self, pattern: &Pattern, queue_group: Option<&str>, capacity: usize) -> Result<Subscription, BusError> {
        queue_group.map(subject::check_queue_group).transpose()?;
        let (sink, subscription) = Subscription::queue(pattern.clone(), capacity, Arc::clone(&self.inner.lost));
        let guard = self.inner.backend.subscribe(pattern.clone(), queue_group.map(str::to_owned), sink).await?;
        Ok(subscription(guard))
    }

    /// Asks and waits for the first answer.
    ///
    /// # Errors
    /// No responders, no answer within `deadline`, no connection or one lost meanwhile, or a status message.
    pub async fn request(&self, subject: &Subject, payload: impl Into<Bytes>, deadline: Duration) -> Result<Message, BusError> {
        self.request_until(subject, payload, deadline, |message| Some(message.clone())).await
    }

    /// Asks and waits for the first answer that `accept` makes something of. Where anybody may answer, a wrong answer that
    /// comes first must not stand in the way of the right one.
    ///
    /// # Errors
    /// As [`Bus::request`]; without an accepted answer a timeout.
    pub async fn request_until<T>(
        &self,
        subject: &Subject,
        payload: impl Into<Bytes>,
        deadline: Duration,
        mut accept: impl FnMut(&Message) -> Option<T>,
    ) -> Result<T, BusError> {
        let end = end_of(deadline);
        let mut awaited = self.expect().await?;
        let message = OutMessage { subject: subject.clone(), reply: Some(awaited.subject.clone()), payload: payload.into() };
        self.send_until(message, end).await?;
        loop {
            let answer = self.answer(&mut awaited, end).await?;
            match answer.status {
                None => {
                    if let Some(accepted) = accept(&answer) {
                        return Ok(accepted);
                    }
                }
                Some(NO_RESPONDERS) => return Err(BusError::NoResponders),
                Some(status) => return Err(BusError::Status(status)),
            }
        }
    }

    /// Publishes all of `batch` and waits until the server has processed it: after the batch goes a nonce to a subject
    /// that only this connection listens to, and the echo proves that the server read everything before it. It does
    /// not prove that any subscriber took a message.
    ///
    /// # Errors
    /// No echo within `deadline`, a reconnect in between, a denied subject, or any failure of [`Bus::publish`]. Part of
    /// the batch may have been sent: send it again with the same ids.
    pub async fn publish_confirmed(&self, batch: Vec<OutMessage>, deadline: Duration) -> Result<(), BusError> {
        let backend = &self.inner.backend;
        let end = end_of(deadline);
        let (epoch, denials) = (backend.epoch(), backend.denials());
        if let BusState::Disconnected { .. } = *backend.state().borrow() {
            return Err(BusError::Disconnected);
        }
        let subjects: HashSet<Subject> = batch.iter().map(|message| message.subject.clone()).collect();
        for message in batch {
            self.send_until(message, end).await?;
        }
        self.echo(end).await?;
        // The server's complaint about a denied subject comes before the echo but on another path within the client,
        // so a subject's first use on a connection waits for one echo more: by then the complaint has been noted.
        if !self.all_proven(epoch, &subjects) {
            self.echo(end).await?;
        }
        if let Some(denied) = subjects.iter().find(|subject| backend.denied_since(denials, subject)) {
            return Err(BusError::Denied(denied.clone()));
        }
        if backend.epoch() != epoch {
            return Err(BusError::Disconnected);
        }
        self.remember_proven(epoch, subjects);
        Ok(())
    }

    /// The connection, as it changes.
    pub fn state(&self) -> watch::Receiver<BusState> {
        self.inner.backend.state()
    }

    /// Whether the bus can be used at this moment.
    pub fn is_connected(&self) -> bool {
        matches!(*self.inner.backend.state().borrow(), BusState::Connected)
    }

    /// Counters since the start.
    pub fn counters(&self) -> BusCounters {
        let backend = &self.inner.backend;
        BusCounters {
            lost: self.inner.lost.load(Ordering::Relaxed),
            slow_consumer_events: backend.slow_consumer_events(),
            connections: backend.epoch(),
            denied: backend.denials(),
        }
    }

    /// What the server or the client complained about last, for health lines and `doctor`; never a secret.
    pub fn last_fault(&self) -> Option<String> {
        self.inner.backend.last_fault()
    }

    /// Ends the bus in good order: subscriptions end after what has already arrived, then everything is refused as closed.
    pub async fn drain(&self) {
        self.inner.backend.drain().await;
        self.inner.outstanding.close();
    }

    async fn expect(&self) -> Result<Awaited, BusError> {
        let inner = &self.inner;
        inner
            .inbox
            .get_or_try_init(|| async {
                let sink: Arc<dyn Sink> = Arc::<Outstanding>::clone(&inner.outstanding);
                inner.backend.subscribe(inner.outstanding.pattern()?, None, sink).await
            })
            .await?;
        inner.outstanding.expect()
    }

    async fn send_until(&self, message: OutMessage, end: Instant) -> Result<(), BusError> {
        timeout_at(end, self.inner.backend.publish(message)).await.map_err(|_| BusError::Timeout)?
    }

    async fn echo(&self, end: Instant) -> Result<(), BusError> {
        let mut awaited = self.expect().await?;
        self.send_until(OutMessage::new(awaited.subject.clone(), Bytes::from_static(b"echo")), end).await?;
        self.answer(&mut awaited, end).await?;
        Ok(())
    }

    async fn answer(&self, awaited: &mut Awaited, end: Instant) -> Result<Message, BusError> {
        let mut state = self.inner.backend.state();
        let lost = async {
            // An error would mean that the bus is gone, which ends the wait just as well.
            state.wait_for(|state| matches!(state, BusState::Disconnected { .. })).await.ok();
        };
        tokio::select! {
            biased;
            answer = timeout_at(end, awaited.answers.recv()) => match answer {
                Ok(Some(message)) => Ok(message),
                Ok(None) => Err(BusError::Closed),
                Err(_) => Err(BusError::Timeout),
            },
            () = lost => Err(BusError::Disconnected),
        }
    }

    fn all_proven(&self, epoch: u64, subjects: &HashSet<Subject>) -> bool {
        let proven = self.inner.proven.lock();
        proven.0 == epoch && subjects.is_subset(&proven.1)
    }

    fn remember_proven(&self, epoch: u64, subjects: HashSet<Subject>) {
        let mut proven = self.inner.proven.lock();
        if proven.0 != epoch || proven.1.len().saturating_add(subjects.len()) > MOST_PROVEN {
            *proven = (epoch, HashSet::new());
        }
        proven.1.extend(subjects.into_iter().take(MOST_PROVEN));
    }
}
