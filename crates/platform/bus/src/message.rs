//! Messages, subscriptions and the sinks that a back end delivers into.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::{Pattern, Subject};

/// Status of the message that a server sends to the reply subject when nobody listens (`kaa.md` 2.3).
pub const NO_RESPONDERS: u16 = 503;

/// A message as it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it was sent.
    pub subject: Subject,
    /// Where an answer goes; none too when the sender's text was no valid subject.
    pub reply: Option<Subject>,
    /// The bytes; empty in a status message.
    pub payload: Bytes,
    /// Present in a message of the server itself, such as [`NO_RESPONDERS`]. Such a message holds nothing to decode.
    pub status: Option<u16>,
}

/// A message on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutMessage {
    /// Where it goes.
    pub subject: Subject,
    /// Where an answer shall go.
    pub reply: Option<Subject>,
    /// The bytes.
    pub payload: Bytes,
}

impl OutMessage {
    /// A message that wants no answer.
    pub fn new(subject: Subject, payload: impl Into<Bytes>) -> Self {
        Self { subject, reply: None, payload: payload.into() }
    }
}

/// What takes messages from a back end. Called on its delivery path, so it must neither block nor wait.
pub(crate) trait Sink: Send + Sync {
    fn deliver(&self, message: Message);
    /// Nothing more will come.
    fn close(&self);
}

/// Ends a back end's subscription when dropped.
pub(crate) type SubscriptionGuard = Box<dyn Send + Sync>;

/// A bounded queue in front of a [`Subscription`]. When it is full a message is dropped and counted, as NATS does to a
/// slow consumer: nothing may depend on an event having arrived.
pub(crate) struct QueueSink {
    sender: parking_lot::Mutex<Option<mpsc::Sender<Message>>>,
    pattern: Pattern,
    lost: Arc<AtomicU64>,
    lost_of_bus: Arc<AtomicU64>,
}

impl Sink for QueueSink {
    fn deliver(&self, message: Message) {
        let sent = self.sender.lock().as_ref().map(|sender| sender.try_send(message));
        if let Some(Err(mpsc::error::TrySendError::Full(_))) = sent {
            let before = self.lost.fetch_add(1, Ordering::Relaxed);
            self.lost_of_bus.fetch_add(1, Ordering::Relaxed);
            if before.is_power_of_two() || before == 0 {
                tracing::warn!(pattern = %self.pattern, lost = before.saturating_add(1), "bus.slow-consumer");
            }
        }
    }

    fn close(&self) {
        self.sender.lock().take();
    }
}

/// Messages that match a pattern, in order of arrival. Ends the subscription when dropped.
pub struct Subscription {
    receiver: mpsc::Receiver<Message>,
    lost: Arc<AtomicU64>,
    _guard: SubscriptionGuard,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").field("waiting", &self.receiver.len()).field("lost", &self.lost()).finish_non_exhaustive()
    }
}

impl Subscription {
    /// The queue of a subscription, before the back end knows of it.
    pub(crate) fn queue(
        pattern: Pattern,
        capacity: usize,
        lost_of_bus: Arc<AtomicU64>,
    ) -> (Arc<QueueSink>, impl FnOnce(SubscriptionGuard) -> Self) {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        let lost = Arc::new(AtomicU64::new(0));
        let sink = QueueSink { sender: parking_lot::Mutex::new(Some(sender)), pattern, lost: Arc::clone(&lost), lost_of_bus };
        (Arc::new(sink), move |guard| Self { receiver, lost, _guard: guard })
    }

    /// The next message; none when the bus was drained. Cancel safe.
    pub async fn next(&mut self) -> Option<Message> {
        self.receiver.recv().await
    }

    /// The next message if one is waiting.
    pub fn try_next(&mut self) -> Option<Message> {
        self.receiver.try_recv().ok()
    }

    /// Messages that were dropped because the queue was full.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}
