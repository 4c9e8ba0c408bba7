//! The room on the message bus. Here is the desk that every kind of request shares; `cap` is the one for usernames and
//! passwords, `cap_certificate` that for certificates, `ecap` that for endpoint tokens; `unregistered` obeys the registry of endpoints.
//!
//! The reader never waits: it hands a request to a bounded queue, or says at once that the desk is overloaded. What cannot be
//! understood, has no reply subject of a client's or has come too late is counted and gets no answer.

mod cap;
mod cap_certificate;
mod ecap;
mod unregistered;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use signet_bus::{Bus, Message, Pattern, Subject, Subscription};
use signet_kaa::DecodeError;
use signet_model::{CredentialKind, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::CredentialsError;
use crate::metrics::CredentialMetrics;

/// Messages between the bus and the reader, which only looks at them and passes them on.
const READ_AHEAD: usize = 32_768;
/// How far the clocks of a gateway and of this machine may be apart before a request counts as expired.
const CLOCK_SKEW: Duration = Duration::from_secs(5);
/// Longest message that is looked at, in bytes.
const LONGEST_MESSAGE: usize = 256 * 1024;
/// Bytes of the messages that wait at one desk; one more is told that the desk is overloaded.
const MOST_WAITING_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of a name or of a secret that can matter; longer ones are nobody's.
const LONGEST_NAME: usize = 1_024;

/// What answers the bus, until it is stopped or dropped.
pub struct BusProvider {
    stop: CancellationToken,
    tasks: TaskTracker,
    _stop_on_drop: DropGuard,
}

impl BusProvider {
    fn new() -> Self {
        let stop = CancellationToken::new();
        Self { _stop_on_drop: stop.clone().drop_guard(), stop, tasks: TaskTracker::new() }
    }

    /// Takes no more requests, answers what was taken, and ends.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// How much a desk takes in.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Requests that are worked on at once; at least 1.
    concurrency: usize,
    /// Requests that wait; one more is told so at once. At least 1.
    queue: usize,
}

/// What every request of Kaa begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Head {
    correlation_id: String,
    timestamp: Timestamp,
    timeout: Duration,
}

impl Head {
    /// From the record's members: Unix milliseconds, and milliseconds until the request expires.
    fn new(correlation_id: impl Into<String>, timestamp: i64, timeout: i64) -> Self {
        Self {
            correlation_id: correlation_id.into(),
            timestamp: Timestamp::from_millis(timestamp),
            timeout: Duration::from_millis(u64::try_from(timeout).unwrap_or(0)),
        }
    }

    /// Whether nobody waits for the answer any more.
    fn expired(&self, now: Timestamp) -> bool {
        !self.timeout.is_zero() && now > self.timestamp.plus(self.timeout).plus(CLOCK_SKEW)
    }
}

/// One kind of request: how it is read, what is answered, and how that is written.
trait Protocol: Send + Sync + 'static {
    /// What is asked, as it waits: nothing longer than it can matter, secrets wiped in the end.
    type Question: Send + 'static;
    /// What the answer says.
    type Reply: Send + Sync + 'static;
    /// What is counted under.
    const KIND: CredentialKind;

    /// Where it counts.
    fn metrics(&self) -> &CredentialMetrics;
    /// The time.
    fn now(&self) -> Timestamp;
    /// Reads one record.
    fn read(&self, payload: &[u8]) -> Result<(Head, Self::Question), DecodeError>;
    /// Decides.
    fn answer(&self, question: Self::Question) -> impl Future<Output = Self::Reply> + Send;
    /// What is said when the queue is full.
    fn overloaded(&self) -> Self::Reply;
    /// Writes the answer's record.
    fn write(&self, head: &Head, reply: &Self::Reply) -> Vec<u8>;
}

/// A request as it waits.
struct Asked<Q> {
    reply: Subject,
    head: Head,
    question: Q,
}

/// A request with its part of [`MOST_WAITING_BYTES`].
struct Waiting<Q> {
    asked: Asked<Q>,
    _bytes: OwnedSemaphorePermit,
}

/// Why a message is dropped without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dropped {
    /// Not one record, or larger than any.
    Malformed,
    /// Nobody to answer to.
    NoReply,
    /// An answer would not go to a waiting client.
    ForeignReply,
}

impl Dropped {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NoReply => "no_reply",
            Self::ForeignReply => "foreign_reply",
        }
    }
}

/// Where answers go: the replica subjects of Kaa (`kaa.md` 2.4) and the inboxes of NATS clients. Whoever may ask must not make this
/// server speak on another subject, such as that of events or of the feed, where only it may.
fn is_of_a_client(subject: &Subject) -> bool {
    let own = subject.as_str().strip_prefix(signet_bus::NatsConfig::INBOX_PREFIX).is_some_and(|rest| rest.starts_with('.'));
    own || ["kaa.v1.replica.", "_INBOX"].iter().any(|prefix| subject.as_str().starts_with(prefix))
}

/// What can matter of a name or secret: one that is too long becomes one that nobody has.
fn bounded(text: &str) -> &str {
    if text.len() > LONGEST_NAME { "\u{0}" } else { text }
}

fn read_request<P: Protocol>(protocol: &P, message: &Message) -> Result<Asked<P::Question>, Dropped> {
    if message.payload.len() > LONGEST_MESSAGE {
        return Err(Dropped::Malformed);
    }
    let (head, question) = protocol.read(&message.payload).map_err(|_| Dropped::Malformed)?;
    let reply = message.reply.clone().ok_or(Dropped::NoReply)?;
    if !is_of_a_client(&reply) {
        return Err(Dropped::ForeignReply);
    }
    Ok(Asked { reply, head, question })
}

/// Where requests of one kind are taken and answered.
struct Desk<P> {
    protocol: Arc<P>,
    bus: Bus,
    bytes: Arc<Semaphore>,
}

impl<P> Clone for Desk<P> {
    fn clone(&self) -> Self {
        Self { protocol: Arc::clone(&self.protocol), bus: self.bus.clone(), bytes: Arc::clone(&self.bytes) }
    }
}

impl<P: Protocol> Desk<P> {
    /// Subscribes to `subject` in the queue group `group`, and answers until the provider ends. The bus need not be connected yet.
    async fn open(
        provider: &BusProvider,
        bus: &Bus,
        subject: &str,
        group: &str,
        protocol: P,
        limits: Limits,
    ) -> Result<(), CredentialsError> {
        let pattern = Pattern::new(subject).map_err(signet_bus::BusError::from)?;
        let subscription = bus.subscribe(&pattern, Some(group), READ_AHEAD).await?;
        let (queue, waiting) = mpsc::channel(limits.queue.max(1));
        let bytes = Arc::new(Semaphore::new(MOST_WAITING_BYTES));
        let desk = Self { protocol: Arc::new(protocol), bus: bus.clone(), bytes };
        provider.tasks.spawn(read(desk.clone(), subscription, queue, provider.stop.clone()));
        provider.tasks.spawn(dispatch(desk, waiting, limits.concurrency.max(1), provider.tasks.clone()));
        Ok(())
    }

    /// Takes a message in: never waits for anything but the bus's own outgoing queue.
    async fn take(&self, message: Message, queue: &mpsc::Sender<Waiting<P::Question>>) {
        if message.status.is_some() {
            return; // the server's own words, nothing to decode
        }
        match read_request(self.protocol.as_ref(), &message) {
            Ok(asked) => {
                // Counted before it can be taken out again.
                self.protocol.metrics().queued();
                if let Err(asked) = self.keep(asked, message.payload.len(), queue) {
                    self.protocol.metrics().unqueued();
                    self.count("queue_full");
                    self.answer(&asked.reply, &asked.head, &self.protocol.overloaded()).await;
                }
            }
            Err(dropped) => {
                self.count(dropped.as_str());
                let count = self.protocol.metrics().decisions(P::KIND, dropped.as_str());
                // The first, the second, the fourth, …: a flood of garbage must not become a flood of lines.
                if count.is_power_of_two() {
                    let (kind, why, bytes) = (P::KIND.as_str(), dropped.as_str(), message.payload.len());
                    tracing::warn!(event = "bus.request-dropped", kind, why, count, bytes);
                }
            }
        }
    }

    /// Puts a request of so many bytes into the queue, or gives it back.
    fn keep(&self, asked: Asked<P::Question>, bytes: usize, queue: &mpsc::Sender<Waiting<P::Question>>) -> Result<(), Asked<P::Question>> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let Ok(bytes) = Arc::clone(&self.bytes).try_acquire_many_owned(bytes) else { return Err(asked) };
        queue.try_send(Waiting { asked, _bytes: bytes }).map_err(|refused| refused.into_inner().asked)
    }

    async fn serve(&self, asked: Asked<P::Question>) {
        if asked.head.expired(self.protocol.now()) {
            self.count("expired");
            return;
        }
        let reply = self.protocol.answer(asked.question).await;
        // It may have waited for a turn that came too late.
        if asked.head.expired(self.protocol.now()) {
            self.count("expired");
            return;
        }
        self.answer(&asked.reply, &asked.head, &reply).await;
    }

    async fn answer(&self, to: &Subject, head: &Head, reply: &P::Reply) {
        if let Err(error) = self.bus.publish(to, None, self.protocol.write(head, reply)).await {
            tracing::warn!(event = "bus.answer-failed", kind = P::KIND.as_str(), %error);
        }
    }

    fn count(&self, result: &'static str) {
        self.protocol.metrics().decided(P::KIND, result);
    }
}

async fn read<P: Protocol>(
    desk: Desk<P>,
    mut subscription: Subscription,
    queue: mpsc::Sender<Waiting<P::Question>>,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            message = subscription.next() => match message {
                Some(message) => desk.take(message, &queue).await,
                None => return,
            },
        }
    }
    // What has arrived already is ours: the queue group has given it to nobody else.
    while let Some(message) = subscription.try_next() {
        desk.take(message, &queue).await;
    }
}

async fn dispatch<P: Protocol>(desk: Desk<P>, mut waiting: mpsc::Receiver<Waiting<P::Question>>, concurrency: usize, tasks: TaskTracker) {
    let admission = Arc::new(Semaphore::new(concurrency));
    loop {
        // First a place, then a request: what waits, waits in the queue, whose length is bounded and told.
        let Ok(place) = Arc::clone(&admission).acquire_owned().await else { return };
        let Some(Waiting { asked, _bytes: bytes }) = waiting.recv().await else { return };
        desk.protocol.metrics().unqueued();
        let desk = desk.clone();
        tasks.spawn(async move {
            desk.serve(asked).await;
            drop((place, bytes));
        });
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// Answers with what it was asked; a first byte of 0 is no record.
    struct Echo(CredentialMetrics);

    impl Protocol for Echo {
        type Question = Vec<u8>;
        type Reply = Vec<u8>;
        const KIND: CredentialKind = CredentialKind::Basic;

        fn metrics(&self) -> &CredentialMetrics {
            &self.0
        }

        fn now(&self) -> Timestamp {
            Timestamp::EPOCH
        }

        fn read(&self, payload: &[u8]) -> Result<(Head, Vec<u8>), DecodeError> {
            match payload {
                [] | [0, ..] => Err(DecodeError::Truncated { field: "x" }),
                _ => Ok((Head::new("c-1", 0, 0), payload.to_vec())),
            }
        }

        async fn answer(&self, question: Vec<u8>) -> Vec<u8> {
            question
        }

        fn overloaded(&self) -> Vec<u8> {
            b"overloaded".to_vec()
        }

        fn write(&self, _: &Head, reply: &Vec<u8>) -> Vec<u8> {
            reply.clone()
        }
    }

    #[test]
    fn what_cannot_be_understood_or_answered_is_dropped() {
        let echo = Echo(CredentialMetrics::default());
        let read = |payload: Vec<u8>, reply: Option<&str>| {
            let subject = |text: &str| Subject::new(text).unwrap();
            let message = Message { subject: subject("a"), reply: reply.map(subject), payload: Bytes::from(payload), status: None };
            read_request(&echo, &message).map(|asked| asked.question)
        };
        for bad in [vec![], vec![0], vec![1; LONGEST_MESSAGE + 1]] {
            assert_eq!(read(bad, Some("_INBOX.r")), Err(Dropped::Malformed));
        }
        assert_eq!(read(vec![1], None), Err(Dropped::NoReply));
        for client in ["_INBOX.x.y", "signet.v1.inbox.shared.x", "_INBOX_gateway.x", "kaa.v1.replica.kpc1.cap.basic-response"] {
            assert_eq!(read(vec![1; LONGEST_MESSAGE], Some(client)).map(|question| question.len()), Ok(LONGEST_MESSAGE));
        }
        for other in [
            "kaa.v1.events.ccm.client-credentials.basic.revoked",
            "signet.v1.feed",
            "signet.v1.inboxes",
            "$SYS.REQ.SERVER.PING",
            "kaa.v1.replicas",
        ] {
            assert_eq!(read(vec![1], Some(other)), Err(Dropped::ForeignReply), "{other}");
        }
    }

    #[test]
    fn a_request_expires_after_its_timeout_and_the_skew_and_without_one_never() {
        let at = Timestamp::from_millis;
        let head = Head::new("c-1", 1_000, 500);
        assert!(!head.expired(at(0)) && !head.expired(at(6_500)) && head.expired(at(6_501)));
        for never in [0, -1, i64::MIN] {
            assert!(!Head::new("c-1", 1_000, never).expired(at(i64::MAX / 2_000)));
        }
    }

    #[test]
    fn a_text_that_is_too_long_is_not_cut_into_another() {
        let long = "u".repeat(LONGEST_NAME);
        assert_eq!(bounded(&long), long);
        assert_eq!(bounded(&format!("{long}u")), "\u{0}");
    }

    /// Waits with every answer until it may.
    struct Slow {
        metrics: CredentialMetrics,
        begun: Arc<Semaphore>,
        go: Arc<Semaphore>,
    }

    impl Protocol for Slow {
        type Question = ();
        type Reply = &'static str;
        const KIND: CredentialKind = CredentialKind::EndpointToken;

        fn metrics(&self) -> &CredentialMetrics {
            &self.metrics
        }

        fn now(&self) -> Timestamp {
            Timestamp::EPOCH
        }

        fn read(&self, _: &[u8]) -> Result<(Head, ()), DecodeError> {
            Ok((Head::new("c-1", 0, 0), ()))
        }

        async fn answer(&self, (): ()) -> &'static str {
            self.begun.add_permits(1);
            self.go.acquire().await.unwrap().forget();
            "answered"
        }

        fn overloaded(&self) -> &'static str {
            "overloaded"
        }

        fn write(&self, _: &Head, reply: &&'static str) -> Vec<u8> {
            reply.as_bytes().to_vec()
        }
    }

    #[tokio::test]
    async fn what_does_not_fit_into_the_queue_is_told_so_at_once_and_the_rest_is_answered() {
        let (bus, metrics) = (Bus::in_process(), CredentialMetrics::default());
        let (begun, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let slow = Slow { metrics: metrics.clone(), begun: Arc::clone(&begun), go: Arc::clone(&go) };
        let provider = BusProvider::new();
        Desk::open(&provider, &bus, "ask", "group", slow, Limits { concurrency: 2, queue: 3 }).await.unwrap();
        let mut answers = bus.subscribe(&Pattern::new("_INBOX.reply").unwrap(), None, 64).await.unwrap();
        let (ask, reply) = (Subject::new("ask").unwrap(), Subject::new("_INBOX.reply").unwrap());
        for _ in 0..2 {
            bus.publish(&ask, Some(&reply), "x").await.unwrap();
        }
        drop(begun.acquire_many(2).await.unwrap());
        // Two are worked on; of what comes now three wait.
        for _ in 0..18 {
            bus.publish(&ask, Some(&reply), "x").await.unwrap();
        }
        for _ in 0..15 {
            assert_eq!(&answers.next().await.unwrap().payload[..], b"overloaded");
        }
        go.add_permits(5);
        provider.stop().await;
        for _ in 0..5 {
            assert_eq!(&answers.next().await.unwrap().payload[..], b"answered");
        }
        assert!(answers.try_next().is_none());
        assert_eq!(metrics.decisions(CredentialKind::EndpointToken, "queue_full"), 15);
    }
}
