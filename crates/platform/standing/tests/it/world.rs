//! A bus of either kind with a source on it, views, and somebody foreign who may publish anything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use signet_bus::{Bus, BusState, NatsConfig, Pattern, Subject};
use signet_model::{FEED_AFTER_SUBJECT, FEED_SUBJECT, Position};
use signet_standing::{Cause, View, ViewConfig, ViewTasks};
use signet_testkit::{FakeClock, SeededEntropy, TestNats};

use crate::PATIENCE;
use crate::source::{Source, tenant};

/// Somebody who can publish and listen on the bus but has no key: a raw client of the server, or of the one process.
pub(crate) enum Foreigner {
    Nats(async_nats::Client),
    InProcess(Bus),
}

/// What the foreigner saw of a question.
pub(crate) struct Overheard {
    pub(crate) request: signet_model::AfterRequest,
    pub(crate) reply: String,
}

pub(crate) enum Ear {
    Nats(async_nats::Subscriber),
    InProcess(signet_bus::Subscription),
}

impl Foreigner {
    pub(crate) async fn publish(&self, subject: &str, payload: Vec<u8>) {
        match self {
            Self::Nats(client) => {
                client.publish(subject.to_owned(), payload.into()).await.unwrap();
                client.flush().await.unwrap();
            }
            Self::InProcess(bus) => bus.publish(&Subject::new(subject).unwrap(), None, payload).await.unwrap(),
        }
    }

    pub(crate) async fn feed(&self, payload: Vec<u8>) {
        self.publish(FEED_SUBJECT, payload).await;
    }

    /// Listens to the questions beside the workers.
    pub(crate) async fn ear(&self) -> Ear {
        match self {
            Self::Nats(client) => {
                let ear = client.subscribe(FEED_AFTER_SUBJECT).await.unwrap();
                // A round trip, so that the server knows of it.
                let mut own = client.subscribe("foreigner.settled").await.unwrap();
                client.publish("foreigner.settled", "".into()).await.unwrap();
                own.next().await.unwrap();
                Ear::Nats(ear)
            }
            Self::InProcess(bus) => {
                let pattern = Pattern::new(FEED_AFTER_SUBJECT).unwrap();
                Ear::InProcess(bus.subscribe(&pattern, None, 64).await.unwrap())
            }
        }
    }
}

impl Ear {
    pub(crate) async fn question(&mut self) -> Overheard {
        let heard = async {
            match self {
                Self::Nats(subscriber) => {
                    let message = subscriber.next().await.unwrap();
                    (message.payload, message.reply.unwrap().to_string())
                }
                Self::InProcess(subscription) => {
                    let message = subscription.next().await.unwrap();
                    (message.payload, message.reply.unwrap().to_string())
                }
            }
        };
        let (payload, reply) = tokio::time::timeout(PATIENCE, heard).await.expect("a question in time");
        Overheard { request: serde_json::from_slice(&payload).unwrap(), reply }
    }
}

pub(crate) struct World {
    pub(crate) server: Option<TestNats>,
    pub(crate) source: Arc<Source>,
    pub(crate) foreigner: Foreigner,
    pub(crate) clock: FakeClock,
    view_bus: Bus,
}

/// A view at work.
pub(crate) struct Watching {
    pub(crate) view: View,
    _tasks: ViewTasks,
}

pub(crate) async fn connected(bus: &Bus) {
    let mut state = bus.state();
    let reached = state.wait_for(|state| *state == BusState::Connected);
    tokio::time::timeout(PATIENCE, reached).await.expect("connected in time").unwrap();
}

impl World {
    pub(crate) async fn in_process() -> Self {
        let bus = Bus::in_process();
        let source = Source::new(bus.clone());
        source.serve().await;
        Self { server: None, source, foreigner: Foreigner::InProcess(bus.clone()), clock: FakeClock::new(), view_bus: bus }
    }

    pub(crate) async fn nats() -> Self {
        // Larger than what a view looks at, so that a huge message arrives at all.
        let world = Self::on(TestNats::private("max_payload: 4194304")).await;
        world.source.serve().await;
        world
    }

    /// On that server, with a source that does not yet answer.
    pub(crate) async fn on(server: TestNats) -> Self {
        let config = NatsConfig::to(server.url());
        let (bus, view_bus) = (Bus::nats(config.clone()).await.unwrap(), Bus::nats(config).await.unwrap());
        connected(&bus).await;
        connected(&view_bus).await;
        let foreigner = Foreigner::Nats(async_nats::connect(server.url()).await.unwrap());
        let source = Source::new(bus);
        Self { server: Some(server), source, foreigner, clock: FakeClock::new(), view_bus }
    }

    pub(crate) fn config(&self, interval: Duration) -> ViewConfig {
        let clock = Arc::new(self.clock.clone());
        ViewConfig::new(self.source.signer.public(), interval, clock, Arc::new(SeededEntropy::new(rand_seed())))
    }

    pub(crate) fn start(&self, config: ViewConfig) -> Watching {
        let view = View::new(config);
        let tasks = ViewTasks::start(view.clone(), self.view_bus.clone()).unwrap();
        Watching { view, _tasks: tasks }
    }

    /// A view that has had its first answer and will not ask again by itself while a test runs.
    pub(crate) async fn watching(&self) -> Watching {
        let watching = self.start(self.config(Duration::from_secs(3_600)));
        watching.until_fresh().await;
        watching
    }

    /// Such a view, with `evil` withdrawn at position 2 after it was good at 1, cut off from answers, and 10 s old.
    pub(crate) async fn besieged(&self) -> Watching {
        self.besieged_asking_every(Duration::from_secs(3_600)).await
    }

    pub(crate) async fn besieged_asking_every(&self, interval: Duration) -> Watching {
        // A siege of 10 s shall not make it stale.
        let watching = self.start(ViewConfig { max_age: Duration::from_secs(3_600), ..self.config(interval) });
        watching.until_fresh().await;
        self.source.restore("evil").await;
        self.source.withdraw("evil").await;
        watching.until_at(2).await;
        self.source.answering(false);
        self.clock.advance(Duration::from_secs(10));
        watching
    }
}

fn rand_seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0)
}

impl Watching {
    pub(crate) async fn until(&self, what: &str, mut holds: impl FnMut(&View) -> bool) {
        let start = Instant::now();
        while !holds(&self.view) {
            assert!(start.elapsed() < PATIENCE, "never: {what}; {:?} refused {:?}", self.view, self.view.refused());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn until_fresh(&self) {
        self.until("fresh", |view| view.check(&[]).is_ok()).await;
    }

    pub(crate) async fn until_at(&self, position: i64) {
        self.until("at its position", |view| view.position() == Position::new(position)).await;
    }

    pub(crate) fn refused(&self, cause: Cause) -> u64 {
        self.view.refused().into_iter().find(|(known, _)| *known == cause).unwrap().1
    }

    pub(crate) async fn until_refused(&self, cause: Cause, count: u64) {
        self.until(cause.as_str(), |_| self.refused(cause) >= count).await;
        assert_eq!(self.refused(cause), count, "{}", cause.as_str());
    }

    /// Nothing was restored, nothing moved, and the 10 s of the siege are still counted.
    pub(crate) fn unmoved(&self) {
        let refusal = self.view.check(&[tenant("evil")]).expect_err("evil stays out");
        assert_eq!(refusal.reason.code, "standing.withdrawn");
        assert_eq!(self.view.position(), Position::new(2));
        assert!(self.view.age().unwrap() >= Duration::from_secs(10), "{:?}", self.view.age());
        assert_eq!(self.view.fault(), None);
    }
}
