//! Core NATS by `async-nats`: connection, credentials, TLS, what the server complains about, and a pump from the client
//! library's queue into ours for each subscription.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ClientError, Event, PublishErrorKind, ServerError, SubscribeErrorKind};
use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use rand::RngExt as _;
use signet_model::log_text;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::backend::Backend;
use crate::message::{Sink, SubscriptionGuard};
use crate::nats_config::NatsConfig;
use crate::{Bus, BusError, BusState, Message, OutMessage, Pattern, Subject, SubjectError};

/// Messages of one subscription that the client library holds before its pump takes them.
const CLIENT_QUEUE: usize = 65_536;
/// Longest wait for room in the client's queue of commands (2,048), which fills up only when the connection hangs.
const COMMAND_DEADLINE: Duration = Duration::from_secs(5);
/// Between pings; the client gives a silent connection up after the third, so a dead peer is noticed within 8 s.
const PING_INTERVAL: Duration = Duration::from_secs(2);
/// How long one attempt to connect may take.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// Requests carry their own deadline; this bounds what the client library itself asks.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
/// Longest delay between attempts to reconnect.
const LONGEST_DELAY: Duration = Duration::from_secs(2);
/// The client drops events when it has too many, so the state is also read this often.
const STATE_INTERVAL: Duration = Duration::from_millis(250);
/// How long a drain may take.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);
/// Denied publishes that are remembered by subject.
const MOST_DENIALS: usize = 64;
/// Longest complaint of a server that is kept.
const LONGEST_FAULT: usize = 300;

/// What the client library reports, kept for whoever asks.
struct Watched {
    state: watch::Sender<BusState>,
    slow_consumers: AtomicU64,
    denials: Mutex<Denials>,
    fault: Mutex<Option<String>>,
    closed: AtomicBool,
    connecting: Notify,
}

/// The latest denied publishes, each with its number.
#[derive(Default)]
struct Denials {
    count: u64,
    latest: VecDeque<(u64, String)>,
}

impl Watched {
    fn set_state(&self, connected: bool) {
        self.state.send_if_modified(|state| match (connected, *state) {
            (true, BusState::Connected) | (false, BusState::Disconnected { .. }) => false,
            (true, BusState::Disconnected { since }) => {
                tracing::info!(after_ms = millis(since.elapsed()), "bus.connected");
                *state = BusState::Connected;
                true
            }
            (false, BusState::Connected) => {
                tracing::warn!("bus.disconnected");
                *state = BusState::Disconnected { since: Instant::now() };
                true
            }
        });
    }

    fn set_fault(&self, fault: &str) {
        let fault = log_text(fault, LONGEST_FAULT);
        let mut kept = self.fault.lock();
        // A server that is away complains at each attempt: once is enough.
        if kept.as_ref() != Some(&fault) {
            tracing::warn!(%fault, "bus.fault");
            *kept = Some(fault);
        }
    }

    fn note(&self, event: Event) {
        match event {
            // The client tells of it a moment before it is: the monitor waits for that moment.
            Event::Connected => self.connecting.notify_one(),
            Event::Disconnected => self.set_state(false),
            Event::SlowConsumer(_) => {
                self.slow_consumers.fetch_add(1, Ordering::Relaxed);
            }
            Event::ServerError(ServerError::Other(text)) => {
                if let Some(subject) = denied_publish(&text) {
                    self.denials.lock().add(subject);
                }
                self.set_fault(&text);
            }
            Event::ServerError(error) => self.set_fault(&error.to_string()),
            Event::ClientError(ClientError::Other(text)) => self.set_fault(&text),
            Event::ClientError(error) => self.set_fault(&error.to_string()),
            Event::Closed => {
                self.closed.store(true, Ordering::Release);
                self.set_state(false);
            }
            Event::LameDuckMode | Event::Draining => {}
        }
    }
}

impl Denials {
    fn add(&mut self, subject: &str) {
        self.count = self.count.saturating_add(1);
        if self.latest.len() >= MOST_DENIALS {
            self.latest.pop_front();
        }
        self.latest.push_back((self.count, subject.to_owned()));
    }

    /// Denials that are no longer remembered count against every subject.
    fn any_since(&self, count: u64, subject: &str) -> bool {
        let forgotten = self.latest.front().is_some_and(|(oldest, _)| *oldest > count.saturating_add(1));
        forgotten || self.latest.iter().any(|(number, denied)| *number > count && denied == subject)
    }
}

/// The subject in `Permissions Violation for Publish to "subject"`.
fn denied_publish(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("Permissions Violation for Publish to \"")?;
    rest.split('"').next()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Doubles from 50 ms to [`LONGEST_DELAY`], then takes a random share of a half to the whole, so that the replicas of a
/// restarted server do not come back in step.
fn reconnect_delay(attempts: usize) -> Duration {
    if attempts <= 1 {
        return Duration::ZERO;
    }
    let doublings = u32::try_from(attempts.saturating_sub(2)).unwrap_or(u32::MAX).min(10);
    let whole = Duration::from_millis(50_u64.saturating_mul(1 << doublings)).min(LONGEST_DELAY);
    whole.mul_f64(rand::rng().random_range(0.5..=1.0))
}

pub(crate) struct Nats {
    client: Client,
    watched: Arc<Watched>,
    /// Cancelled at the end of a drain: pumps that still run close their sinks.
    ended: CancellationToken,
    _monitor: AbortOnDropHandle<()>,
}

impl Bus {
    /// A bus over core NATS. The server need not be up: the client goes on trying, and [`Bus::state`] tells.
    ///
    /// # Errors
    /// Only what trying again cannot mend: a malformed address, a file that cannot be read or holds nothing of use.
    pub async fn nats(config: NatsConfig) -> Result<Self, BusError> {
        let inbox = config.inbox()?;
        let watched = Arc::new(Watched {
            state: watch::Sender::new(BusState::Disconnected { since: Instant::now() }),
            slow_consumers: AtomicU64::new(0),
            denials: Mutex::default(),
            fault: Mutex::default(),
            closed: AtomicBool::new(false),
            connecting: Notify::new(),
        });
        let noting = Arc::clone(&watched);
        let options = config
            .options()?
            .name(&config.name)
            .retry_on_initial_connect()
            .reconnect_delay_callback(reconnect_delay)
            .connection_timeout(CONNECT_DEADLINE)
            .request_timeout(Some(REQUEST_DEADLINE))
            .ping_interval(PING_INTERVAL)
            .subscription_capacity(CLIENT_QUEUE)
            .custom_inbox_prefix(&inbox)
            .event_callback(move |event| {
                noting.note(event);
                std::future::ready(())
            });
        let client = options
            .connect(config.addresses()?)
            .await
            .map_err(|error| BusError::Configuration(format!("nats.url: {}", log_text(&error.to_string(), LONGEST_FAULT))))?;
        let monitor = AbortOnDropHandle::new(tokio::spawn(monitor(client.clone(), Arc::clone(&watched))));
        Ok(Self::over(Arc::new(Nats { client, watched, ended: CancellationToken::new(), _monitor: monitor }), &inbox))
    }
}

async fn monitor(client: Client, watched: Arc<Watched>) {
    let mut interval = tokio::time::interval(STATE_INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !watched.closed.load(Ordering::Acquire) {
        tokio::select! {
            _ = interval.tick() => {}
            () = watched.connecting.notified() => {
                let connected = async {
                    while client.connection_state() != State::Connected {
                        sleep(Duration::from_millis(1)).await;
                    }
                };
                // Lost again at once: then the state that is read below is right.
                timeout(STATE_INTERVAL, connected).await.ok();
            }
        }
        watched.set_state(client.connection_state() == State::Connected);
    }
}

/// Takes messages from the client library's queue as fast as it can and hands them to the sink, which never waits.
async fn pump(mut subscriber: async_nats::Subscriber, sink: Arc<dyn Sink>, ended: CancellationToken) {
    loop {
        let message = tokio::select! {
            biased;
            message = subscriber.next() => message,
            () = ended.cancelled() => None,
        };
        match message {
            Some(message) => {
                if let Some(message) = ours(&message) {
                    sink.deliver(message);
                }
            }
            None => return sink.close(),
        }
    }
}

/// Only what our own checks accept: a message on an odd subject is dropped, an odd reply subject gets no answer.
fn ours(message: &async_nats::Message) -> Option<Message> {
    let subject = Subject::new(message.subject.as_str());
    let Ok(subject) = subject else {
        tracing::debug!(subject = %log_text(message.subject.as_str(), 80), "bus.odd-subject");
        return None;
    };
    let reply = message.reply.as_ref().and_then(|reply| Subject::new(reply.as_str()).ok());
    let status = message.status.map(|status| status.as_u16());
    Some(Message { subject, reply, payload: message.payload.clone(), status })
}

impl Nats {
    fn usable(&self) -> Result<(), BusError> {
        if self.watched.closed.load(Ordering::Acquire) {
            return Err(BusError::Closed);
        }
        match self.client.connection_state() {
            State::Connected => Ok(()),
            State::Pending | State::Disconnected => Err(BusError::Disconnected),
        }
    }
}

impl Backend for Nats {
    fn publish(&self, message: OutMessage) -> BoxFuture<'_, Result<(), BusError>> {
        async move {
            // The client would keep messages for later, and then block: nothing that we publish is worth more when late.
            self.usable()?;
            let OutMessage { subject, reply, payload } = message;
            let (size, limit) = (payload.len(), self.client.max_payload());
            if size > limit {
                return Err(BusError::TooLarge { size, limit });
            }
            let sent = async {
                match reply {
                    Some(reply) => self.client.publish_with_reply(subject.as_str().to_owned(), reply.as_str().to_owned(), payload).await,
                    None => self.client.publish(subject.as_str().to_owned(), payload).await,
                }
            };
            match timeout(COMMAND_DEADLINE, sent).await {
                Err(_) => Err(BusError::Disconnected),
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(match error.kind() {
                    PublishErrorKind::MaxPayloadExceeded => BusError::TooLarge { size, limit },
                    PublishErrorKind::InvalidSubject => BusError::Subject(SubjectError::Character),
                    PublishErrorKind::Send => BusError::Closed,
                }),
            }
        }
        .boxed()
    }

    fn subscribe(
        &self,
        pattern: Pattern,
        group: Option<String>,
        sink: Arc<dyn Sink>,
    ) -> BoxFuture<'_, Result<SubscriptionGuard, BusError>> {
        async move {
            if self.watched.closed.load(Ordering::Acquire) {
                return Err(BusError::Closed);
            }
            let subject = pattern.as_str().to_owned();
            let subscribed = async {
                match group {
                    Some(group) => self.client.queue_subscribe(subject, group).await,
                    None => self.client.subscribe(subject).await,
                }
            };
            // Waits only for room in the queue of commands; the subscription itself is made when there is a connection.
            let subscriber = timeout(COMMAND_DEADLINE, subscribed).await.map_err(|_| BusError::Overloaded)?;
            let subscriber = subscriber.map_err(|error| match error.kind() {
                SubscribeErrorKind::InvalidSubject | SubscribeErrorKind::InvalidQueueName => BusError::Subject(SubjectError::Character),
                SubscribeErrorKind::Other => BusError::Closed,
            })?;
            let pump = tokio::spawn(pump(subscriber, sink, self.ended.clone()));
            Ok(Box::new(AbortOnDropHandle::new(pump)) as SubscriptionGuard)
        }
        .boxed()
    }

    fn state(&self) -> watch::Receiver<BusState> {
        self.watched.state.subscribe()
    }

    fn epoch(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Acquire)
    }

    fn denials(&self) -> u64 {
        self.watched.denials.lock().count
    }

    fn denied_since(&self, denials: u64, subject: &Subject) -> bool {
        self.watched.denials.lock().any_since(denials, subject.as_str())
    }

    fn slow_consumer_events(&self) -> u64 {
        self.watched.slow_consumers.load(Ordering::Relaxed)
    }

    fn last_fault(&self) -> Option<String> {
        self.watched.fault.lock().clone()
    }

    fn drain(&self) -> BoxFuture<'_, ()> {
        async move {
            if self.usable().is_ok() {
                let mut state = self.watched.state.subscribe();
                // Even asking for the drain waits, where the connection hangs and the client's queue is full.
                let drained = async {
                    if self.client.drain().await.is_ok() {
                        state.wait_for(|_| self.watched.closed.load(Ordering::Acquire)).await.ok();
                    }
                };
                if timeout(DRAIN_DEADLINE, drained).await.is_err() {
                    tracing::warn!("bus.drain-timed-out");
                }
            }
            self.watched.closed.store(true, Ordering::Release);
            self.watched.set_state(false);
            self.ended.cancel();
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denied_publish_names_its_subject() {
        assert_eq!(denied_publish("Permissions Violation for Publish to \"a.b\""), Some("a.b"));
        assert_eq!(denied_publish("Permissions Violation for Subscription to \"a.b\""), None);
        assert_eq!(denied_publish("Stale Connection"), None);
    }

    #[test]
    fn forgotten_denials_count_against_every_subject() {
        let mut denials = Denials::default();
        denials.add("a");
        assert!(denials.any_since(0, "a") && !denials.any_since(1, "a") && !denials.any_since(0, "b"));
        (0..MOST_DENIALS).for_each(|_| denials.add("a"));
        assert!(denials.any_since(0, "b"), "the first one is forgotten: it may have been b");
        assert!(!denials.any_since(1, "b"));
    }

    #[test]
    fn delays_grow_to_their_bound_and_differ() {
        assert_eq!(reconnect_delay(1), Duration::ZERO);
        for attempts in [2, 5, 50, usize::MAX] {
            let delay = reconnect_delay(attempts);
            assert!(delay >= Duration::from_millis(25) && delay <= LONGEST_DELAY, "{attempts}: {delay:?}");
        }
    }
}
