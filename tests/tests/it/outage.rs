//! Database or bus gone, by a closed connection and by a black hole: closed, in words, in time; and back by itself.

use std::time::{Duration, Instant};

use serde_json::json;
use signet_testkit::{FaultProxy, ProxyMode, TestNats, TestPostgres};
use signet_tests::{Answer, Deployment, House, Plan, http_1_0, within};

use crate::events;

/// A request's deadline and what a busy machine adds.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);
/// Every check of the health page has a limit of 2 s.
const HEALTH_WITHIN: Duration = Duration::from_secs(10);

fn health(house: &House) -> Answer {
    let started = Instant::now();
    let answer = http_1_0(house.server().listener("management"), "GET", "/health", &[]).unwrap();
    assert!(started.elapsed() < HEALTH_WITHIN, "the health page blocked for {:?}", started.elapsed());
    answer
}

fn becomes_healthy(house: &House) {
    let healthy = within(Duration::from_secs(60), || health(house).status == 200);
    assert!(healthy, "still {} a minute after the fault", health(house).text());
}

#[test]
fn without_postgresql_everything_is_refused_in_words_and_resumes_by_itself() {
    for mode in [ProxyMode::Cut, ProxyMode::Blackhole] {
        let url = TestPostgres::shared().fresh_database_blocking();
        let proxy = FaultProxy::to(TestPostgres::shared().address());
        let house = Plan::of(Deployment::Production).database(proxy.url_through(&url)).open();
        house.furnish();
        let id = house.active_credential("bob");
        let (rest, peer) = (house.rest(), house.peer());
        becomes_healthy(&house);
        assert_eq!(events::authenticate(&peer, "before", "bob"), [200]);

        proxy.set(mode);
        let suspend = format!("/api/v1/tenants/acme/credentials/{id}/suspend");
        for path in ["/api/v1/tenants/acme/credentials", "/api/v1/tenants"] {
            let started = Instant::now();
            let answer = rest.get(path);
            assert_eq!((answer.status, answer.reason().as_str()), (503, "storage.unavailable"), "{mode:?} {}", answer.text());
            assert!(answer.json()["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{}", answer.text());
            assert!(started.elapsed() < ANSWERED_WITHIN, "{mode:?}: answered after {:?}", started.elapsed());
        }
        let started = Instant::now();
        let answer = rest.post(&suspend, &json!({}));
        assert_eq!(answer.status, 503, "{mode:?} {}", answer.text());
        assert!(started.elapsed() < ANSWERED_WITHIN, "{mode:?}: answered after {:?}", started.elapsed());
        assert_eq!(events::authenticate(&peer, "during", "bob"), [500], "{mode:?}");
        assert!(within(Duration::from_secs(10), || health(&house).status == 500), "{mode:?}: {}", health(&house).text());
        assert!(!health(&house).text().trim().is_empty());
        let ready = http_1_0(house.server().listener("management"), "GET", "/ready", &[]).unwrap();
        assert_eq!(ready.status, 503);

        proxy.set(ProxyMode::Forward);
        becomes_healthy(&house);
        assert!(within(ANSWERED_WITHIN, || rest.post(&suspend, &json!({})).status == 200), "{mode:?}");
        assert_eq!(events::authenticate(&peer, "after", "bob"), [403], "{mode:?}");
    }
}

#[test]
fn without_nats_transitions_go_on_until_the_view_is_too_old_and_no_event_is_lost() {
    for mode in [ProxyMode::Cut, ProxyMode::Blackhole] {
        let nats = TestNats::private("");
        let proxy = FaultProxy::to(nats.address());
        let plan = Plan::of(Deployment::Production).nats(proxy.url_through(nats.url()));
        let house = plan.setting("SIGNET_STANDING__RECONCILE_INTERVAL", "1s").open();
        let peer = signet_tests::NatsPeer::connect(nats.url());
        peer.subscribe(events::REVOKED);
        house.furnish();
        let id = house.active_credential("bob");
        let rest = house.rest();
        becomes_healthy(&house);

        proxy.set(mode);
        let suspended = rest.post(&format!("/api/v1/tenants/acme/credentials/{id}/suspend"), &json!({}));
        assert_eq!(suspended.status, 200, "{mode:?}: the database is there: {}", suspended.text());
        assert!(within(Duration::from_secs(20), || health(&house).status == 500), "{mode:?}: NATS is gone for more than 5 s");
        let stale = within(Duration::from_secs(60), || {
            let answer = rest.get("/api/v1/tenants/acme/credentials");
            answer.status == 503 && answer.reason() == "standing.stale"
        });
        assert!(stale, "{mode:?}: beyond its age a view refuses: {}", rest.get("/api/v1/tenants/acme/credentials").text());
        assert!(events::revoked(&peer, &id).is_empty(), "{mode:?}: nothing can have been told yet");

        proxy.set(ProxyMode::Forward);
        becomes_healthy(&house);
        events::exactly(&peer, &id, 1);
        assert_eq!(rest.get("/api/v1/tenants/acme/credentials").status, 200, "{mode:?}");
    }
}

#[test]
fn messages_that_somebody_forged_on_the_bus_change_nothing_and_make_nothing_look_fresh() {
    let nats = TestNats::private("");
    let proxy = FaultProxy::to(nats.address());
    let plan = Plan::of(Deployment::Production).nats(proxy.url_through(nats.url()));
    let house = plan.setting("SIGNET_STANDING__RECONCILE_INTERVAL", "1s").open();
    let peer = signet_tests::NatsPeer::connect(nats.url());
    for subject in [signet_model::FEED_SUBJECT, signet_model::FEED_AFTER_SUBJECT, "_INBOX.>"] {
        peer.subscribe(subject);
    }
    house.furnish();
    let id = house.active_credential("bob");
    let rest = house.rest();
    assert_eq!(rest.post(&format!("/api/v1/tenants/acme/credentials/{id}/suspend"), &json!({})).status, 200);
    assert!(within(Duration::from_secs(20), || peer.deliveries().iter().any(|message| message.subject == signet_model::FEED_SUBJECT)));

    // Replayed, cut short, with a flipped byte, and plain nonsense, on the feed and as an answer to whoever asked.
    let recorded = peer.deliveries();
    for message in recorded.iter().filter(|message| !message.payload.is_empty()) {
        let mut flipped = message.payload.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 0x01;
        let half = message.payload[..middle].to_vec();
        for payload in [message.payload.clone(), flipped, half, b"{}".to_vec(), vec![0xff; 64]] {
            peer.publish(signet_model::FEED_SUBJECT, "", &payload).unwrap();
            if !message.reply.is_empty() {
                peer.publish(&message.reply, "", &payload).unwrap();
            }
        }
    }
    assert_eq!(events::authenticate(&peer, "forged", "bob"), [403], "a suspended credential stays suspended");
    assert_eq!(rest.get("/api/v1/tenants/acme/credentials").status, 200, "the server goes on");

    // A view that hears only replays, never an answer of its own, grows old.
    proxy.set(ProxyMode::Blackhole);
    let stale = within(Duration::from_secs(60), || rest.get("/api/v1/tenants/acme/credentials").reason() == "standing.stale");
    assert!(stale, "{}", rest.get("/api/v1/tenants/acme/credentials").text());
}
