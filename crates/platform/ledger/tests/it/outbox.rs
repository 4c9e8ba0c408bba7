//! The outbox: every event goes out, a repeat is the same, and no event holds up the others.

use std::collections::HashSet;

use signet_bus::{Bus, NatsConfig, Pattern, Subscription};
use signet_testkit::{FaultProxy, ProxyMode, TestNats};

use crate::house::{House, Kind, Site, TestSealer, connected, creation, event, eventually};
use crate::on_both;

async fn listening(bus: &Bus, subject: &str) -> Subscription {
    bus.subscribe(&Pattern::new(subject).unwrap(), None, 4_096).await.unwrap()
}

on_both! {
    async fn events_go_out_in_order_and_leave_the_outbox(kind) {
        let house = House::new(kind).await;
        let mut events = listening(&house.bus, "things.>").await;
        for n in 0..20 {
            let change = creation(&format!("t{n}")).announcing(event("things.one", &n.to_string())).announcing(event("things.two", &n.to_string()));
            house.commit(change).await.unwrap();
        }
        for n in 0..20 {
            for subject in ["things.one", "things.two"] {
                let message = events.next().await.unwrap();
                assert_eq!((message.subject.as_str(), &message.payload[..]), (subject, n.to_string().as_bytes()));
            }
        }
        eventually("the outbox is empty", || async { house.number("SELECT count(*) FROM outbox").await == 0 }).await;
        house.end().await;
    }

    async fn an_event_on_a_subject_that_is_none_holds_up_no_other(kind) {
        let house = House::new(kind).await;
        let mut events = listening(&house.bus, "things.>").await;
        house.commit(creation("a").announcing(event("things..bad subject", "never"))).await.unwrap();
        house.commit(creation("b").announcing(event("things.good", "fine"))).await.unwrap();
        assert_eq!(&events.next().await.unwrap().payload[..], b"fine");
        eventually("the good one leaves", || async { house.number("SELECT count(*) FROM outbox").await == 1 }).await;
        house.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_whose_echo_was_lost_is_sent_again_with_its_id() {
    let site = Site::of(Kind::PostgresNats).await;
    let nats = site.nats.as_ref().unwrap();
    let proxy = FaultProxy::to(nats.address());
    let through = connected(&proxy.url_through(nats.url())).await;
    let mut events = listening(&connected(nats.url()).await, "things.>").await;
    let db = site.db().await;
    let house = site.start_on(db, through, TestSealer::of(1)).await;
    house.commit(creation("before").announcing(event("things.x", "before"))).await.unwrap();
    assert_eq!(&events.next().await.unwrap().payload[..], b"before");
    eventually("the outbox is empty", || async { house.number("SELECT count(*) FROM outbox").await == 0 }).await;
    // Cut in the middle of a stream of events: what was sent without an echo comes again, nothing is missing.
    let (mut wanted, mut seen) = (HashSet::new(), HashSet::new());
    for n in 0..40 {
        if n == 10 {
            proxy.set(ProxyMode::Blackhole);
        }
        if n == 20 {
            proxy.set(ProxyMode::Cut);
        }
        if n == 30 {
            proxy.set(ProxyMode::Forward);
        }
        let row = event("things.x", "");
        let id = row.id.to_string();
        wanted.insert(id.clone());
        house.commit(creation(&format!("t{n}")).announcing(signet_ledger::OutboxRow { payload: id.into_bytes(), ..row })).await.unwrap();
    }
    while seen.len() < wanted.len() {
        let message = events.next().await.unwrap();
        let id = String::from_utf8(message.payload.to_vec()).unwrap();
        assert!(wanted.contains(&id), "a repeat keeps its id: {id}");
        seen.insert(id);
    }
    eventually("the outbox is empty", || async { house.number("SELECT count(*) FROM outbox").await == 0 }).await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_wait_for_a_bus_that_is_not_there_yet() {
    let mut site = Site::of(Kind::PostgresNats).await;
    let nats = TestNats::private("");
    nats.stop().unwrap();
    let (bus, url) = (Bus::nats(NatsConfig::to(nats.url())).await.unwrap(), nats.url().to_owned());
    site.nats = Some(nats);
    let db = site.db().await;
    let house = site.start_on(db, bus, TestSealer::of(1)).await;
    house.commit(creation("a").announcing(event("things.late", "kept"))).await.unwrap();
    eventually("a failure is counted", || async { house.ledger.stats().relay_failures() > 0 }).await;
    assert_eq!(house.number("SELECT count(*) FROM outbox").await, 1);
    assert!(house.ledger.health().iter().any(|line| line.detail.starts_with("1 events wait")), "{:?}", house.ledger.health());
    house.site.nats.as_ref().unwrap().resume().unwrap();
    let mut events = listening(&connected(&url).await, "things.late").await;
    // The relay may have been faster than this subscription: then the outbox is empty and the event was not seen here.
    eventually("the event went out", || async { house.number("SELECT count(*) FROM outbox").await == 0 }).await;
    if let Some(message) = events.try_next() {
        assert_eq!(&message.payload[..], b"kept");
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_without_permission_waits_and_the_others_pass() {
    let mut site = Site::of(Kind::PostgresNats).await;
    let nats = TestNats::private(
        "authorization { users = [ { user: worker, password: worker, permissions: { publish: { deny: \"things.denied\" } } } ] }",
    );
    let password = site.data_dir().join("nats.password");
    std::fs::write(&password, "worker").unwrap();
    std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let config = NatsConfig { user: Some("worker".to_owned()), password_file: Some(password), ..NatsConfig::to(nats.url()) };
    site.nats = Some(nats);
    let bus = Bus::nats(config).await.unwrap();
    eventually("the bus connects", || async { bus.is_connected() }).await;
    let mut events = listening(&bus, "things.>").await;
    let db = site.db().await;
    let house = site.start_on(db, bus, TestSealer::of(1)).await;
    house.commit(creation("a").announcing(event("things.denied", "no"))).await.unwrap();
    house.commit(creation("b").announcing(event("things.fine", "yes"))).await.unwrap();
    assert_eq!(&events.next().await.unwrap().payload[..], b"yes");
    eventually("the good one leaves", || async { house.number("SELECT count(*) FROM outbox").await == 1 }).await;
    assert_eq!(house.number("SELECT position FROM outbox").await, 1);
    house.end().await;
}
