//! The bus against its promises: one suite on both back ends, and what only a real server can do.

mod deploy;
mod nats;
mod suite;

use std::time::Duration;

use signet_bus::{Bus, BusState, NatsConfig, Pattern, Subject};
use signet_testkit::{TestNats, scratch_dir};

/// Long enough for a slow machine; no test waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(30);

/// Two clients of one bus, and a corner of its subjects that no other test uses.
struct World {
    bus: Bus,
    other: Bus,
    corner: String,
}

impl World {
    fn in_process(name: &str) -> Self {
        let bus = Bus::in_process();
        Self { other: bus.clone(), bus, corner: format!("test.{name}") }
    }

    async fn nats(name: &str) -> Self {
        let config = NatsConfig::to(TestNats::shared().url());
        let (bus, other) = (Bus::nats(config.clone()).await.unwrap(), Bus::nats(config).await.unwrap());
        connected(&bus).await;
        connected(&other).await;
        Self { bus, other, corner: format!("test{}.{name}", std::process::id()) }
    }

    fn subject(&self, rest: &str) -> Subject {
        Subject::new(&format!("{}.{rest}", self.corner)).unwrap()
    }

    fn pattern(&self, rest: &str) -> Pattern {
        Pattern::new(&format!("{}.{rest}", self.corner)).unwrap()
    }
}

async fn connected(bus: &Bus) {
    let mut state = bus.state();
    let reached = state.wait_for(|state| *state == BusState::Connected);
    tokio::time::timeout(PATIENCE, reached).await.expect("connected in time").unwrap();
}

async fn disconnected(bus: &Bus) {
    let mut state = bus.state();
    let reached = state.wait_for(|state| matches!(state, BusState::Disconnected { .. }));
    tokio::time::timeout(PATIENCE, reached).await.expect("disconnected in time").unwrap();
}

/// Everything that this client has subscribed is known to the server, and what it published was read there.
async fn settled(bus: &Bus) {
    bus.publish_confirmed(Vec::new(), PATIENCE).await.unwrap();
}

/// Polls until it holds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn next(subscription: &mut signet_bus::Subscription) -> signet_bus::Message {
    tokio::time::timeout(PATIENCE, subscription.next()).await.expect("a message in time").expect("an open subscription")
}

macro_rules! on_both_back_ends {
    ($($name:ident),+ $(,)?) => {
        mod in_one_process {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { crate::suite::$name(crate::World::in_process(stringify!($name))).await; })+
        }
        mod over_nats {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { crate::suite::$name(crate::World::nats(stringify!($name)).await).await; })+
        }
    };
}

on_both_back_ends!(
    a_message_reaches_every_subscription_that_matches,
    messages_of_one_publisher_keep_their_order,
    one_member_of_each_queue_group_gets_each_message,
    each_request_gets_its_own_answer,
    a_request_that_nobody_hears_fails_at_once,
    a_request_without_an_answer_times_out_and_a_late_one_is_ignored,
    a_wrong_answer_does_not_stand_in_the_way_of_the_right_one,
    nobody_listening_is_a_status_message_on_the_reply_subject,
    a_full_queue_loses_what_does_not_fit_and_counts_it,
    a_payload_over_the_limit_is_refused_before_it_is_sent,
    a_dropped_subscription_is_gone,
    a_confirmed_batch_was_read_by_the_bus,
    a_drained_bus_ends_its_subscriptions_and_refuses_the_rest,
    odd_queue_groups_are_refused,
);
