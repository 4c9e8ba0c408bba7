//! What only a real server can do: go away, come back, refuse.

use std::time::Duration;

use signet_bus::{Bus, BusError, NatsConfig, OutMessage, Pattern, Subject};
use signet_testkit::{FaultProxy, ProxyMode, TestNats};

use crate::{PATIENCE, connected, disconnected, next, scratch_dir, settled, until};

fn subject(text: &str) -> Subject {
    Subject::new(text).unwrap()
}

fn pattern(text: &str) -> Pattern {
    Pattern::new(text).unwrap()
}

#[tokio::test]
async fn a_bus_whose_server_is_not_up_yet_says_so_and_works_when_it_comes() {
    let server = TestNats::private("");
    server.kill().unwrap();
    let bus = Bus::nats(NatsConfig::to(server.url())).await.unwrap();
    assert!(!bus.is_connected());
    let mut events = bus.subscribe(&pattern("event"), None, 8).await.unwrap();
    assert_eq!(bus.publish(&subject("event"), None, "early").await, Err(BusError::Disconnected));
    assert_eq!(bus.request(&subject("event"), "early", PATIENCE).await, Err(BusError::Disconnected));
    assert_eq!(bus.publish_confirmed(Vec::new(), PATIENCE).await, Err(BusError::Disconnected));
    until("the client complains", || bus.last_fault().is_some()).await;
    server.resume().unwrap();
    connected(&bus).await;
    bus.publish_confirmed(vec![OutMessage::new(subject("event"), "now")], PATIENCE).await.unwrap();
    assert_eq!(&next(&mut events).await.payload[..], b"now", "and nothing of before");
}

#[tokio::test]
async fn after_a_killed_server_subscriptions_come_back_and_confirmation_fails_then_works() {
    let server = TestNats::private("");
    let bus = Bus::nats(NatsConfig::to(server.url())).await.unwrap();
    connected(&bus).await;
    let mut events = bus.subscribe(&pattern("event.*"), None, 64).await.unwrap();
    let mut jobs = bus.subscribe(&pattern("job"), Some("workers"), 64).await.unwrap();
    settled(&bus).await;
    for round in 0..3_u8 {
        server.kill().unwrap();
        disconnected(&bus).await;
        let batch = vec![OutMessage::new(subject("event.x"), vec![round])];
        assert_eq!(bus.publish_confirmed(batch.clone(), Duration::from_secs(5)).await, Err(BusError::Disconnected));
        server.resume().unwrap();
        connected(&bus).await;
        bus.publish_confirmed(batch, PATIENCE).await.unwrap();
        assert_eq!(next(&mut events).await.payload[..], [round]);
        bus.publish(&subject("job"), None, vec![round]).await.unwrap();
        assert_eq!(next(&mut jobs).await.payload[..], [round]);
        assert_eq!(bus.counters().connections, u64::from(round) + 2);
    }
}

#[tokio::test]
async fn a_request_under_way_when_the_server_dies_fails_before_its_deadline() {
    let server = TestNats::private("");
    let bus = Bus::nats(NatsConfig::to(server.url())).await.unwrap();
    connected(&bus).await;
    let mut requests = bus.subscribe(&pattern("slow"), None, 8).await.unwrap();
    settled(&bus).await;
    let asking = tokio::spawn({
        let bus = bus.clone();
        async move { bus.request(&subject("slow"), "x", Duration::from_secs(3_000)).await }
    });
    next(&mut requests).await;
    server.kill().unwrap();
    let answer = tokio::time::timeout(PATIENCE, asking).await.expect("long before the deadline").unwrap();
    assert_eq!(answer, Err(BusError::Disconnected));
}

#[tokio::test]
async fn nothing_is_confirmed_into_a_black_hole_and_a_silent_peer_is_given_up() {
    let server = TestNats::private("");
    let proxy = FaultProxy::to(server.address());
    let bus = Bus::nats(NatsConfig::to(proxy.url_through(server.url()))).await.unwrap();
    connected(&bus).await;
    settled(&bus).await;
    proxy.set(ProxyMode::Blackhole);
    let batch = vec![OutMessage::new(subject("event"), "x")];
    // Either the deadline passes or the client gives the peer up before; an Ok would be a lie.
    let refused = bus.publish_confirmed(batch, Duration::from_millis(500)).await.unwrap_err();
    assert!(matches!(refused, BusError::Timeout | BusError::Disconnected), "{refused}");
    disconnected(&bus).await;
    proxy.set(ProxyMode::Forward);
    connected(&bus).await;
    settled(&bus).await;
}

#[tokio::test]
async fn a_bus_whose_connection_hangs_still_ends() {
    let server = TestNats::private("");
    let proxy = FaultProxy::to(server.address());
    let bus = Bus::nats(NatsConfig::to(proxy.url_through(server.url()))).await.unwrap();
    connected(&bus).await;
    settled(&bus).await;
    proxy.set(ProxyMode::Blackhole);
    // Until the sockets and the client's queue of commands are full and nothing more is taken.
    let stuck = async { while bus.publish(&subject("event"), None, vec![0; 16_384]).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(2), stuck).await.expect_err("the queue never filled up");
    tokio::time::timeout(PATIENCE, bus.drain()).await.expect("a drain ends by its own deadline");
    assert_eq!(bus.publish(&subject("event"), None, "x").await, Err(BusError::Closed));
}

#[tokio::test]
async fn a_reconnect_within_a_confirmation_is_an_error() {
    let server = TestNats::private("");
    let proxy = FaultProxy::to(server.address());
    let bus = Bus::nats(NatsConfig::to(proxy.url_through(server.url()))).await.unwrap();
    connected(&bus).await;
    for _ in 0..20 {
        let before = bus.counters().connections;
        proxy.set(ProxyMode::Slow(Duration::from_millis(100)));
        let confirming = tokio::spawn({
            let bus = bus.clone();
            async move {
                let batch = (0..50).map(|_| OutMessage::new(subject("event"), vec![0; 4_096])).collect();
                bus.publish_confirmed(batch, PATIENCE).await
            }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        proxy.set(ProxyMode::Cut);
        proxy.set(ProxyMode::Forward);
        let outcome = confirming.await.unwrap();
        connected(&bus).await;
        if outcome.is_ok() {
            assert_eq!(bus.counters().connections, before, "confirmed across a reconnect");
        } else {
            return;
        }
    }
    panic!("no round met the connection in the middle of a batch");
}

#[tokio::test]
async fn a_subject_that_the_server_denies_is_never_confirmed() {
    let server = TestNats::private(
        r#"authorization { users: [ { user: "api", password: "pw",
            permissions: { publish: ["allowed.>", "signet.v1.inbox.api.>"], subscribe: ["signet.v1.inbox.api.>"] } } ] }"#,
    );
    let directory = scratch_dir("bus").unwrap();
    let password = directory.path().join("password");
    std::fs::write(&password, "pw\n").unwrap();
    let config = NatsConfig { user: Some("api".into()), password_file: Some(password), ..NatsConfig::to(server.url()) };
    for _ in 0..10 {
        // A fresh connection each time: the first use of a subject is where a complaint could come too late.
        let bus = Bus::nats(config.clone()).await.unwrap();
        connected(&bus).await;
        let batch = |last: &str| vec![OutMessage::new(subject("allowed.a"), "x"), OutMessage::new(subject(last), "x")];
        let refused = bus.publish_confirmed(batch("signet.v1.feed"), PATIENCE).await;
        assert_eq!(refused, Err(BusError::Denied(subject("signet.v1.feed"))));
        bus.publish_confirmed(batch("allowed.b"), PATIENCE).await.unwrap();
        let refused = bus.publish_confirmed(batch("signet.v1.feed"), PATIENCE).await;
        assert_eq!(refused, Err(BusError::Denied(subject("signet.v1.feed"))));
        assert_eq!(bus.counters().denied, 2);
        assert!(bus.last_fault().unwrap().contains("signet.v1.feed"));
    }
}

#[tokio::test]
async fn a_corrected_password_file_is_picked_up_without_a_restart() {
    let server = TestNats::private(r#"authorization { users: [ { user: "api", password: "right" } ] }"#);
    let directory = scratch_dir("bus").unwrap();
    let path = directory.path().join("password");
    std::fs::write(&path, "wrong\n").unwrap();
    let config = NatsConfig { user: Some("api".into()), password_file: Some(path.clone()), ..NatsConfig::to(server.url()) };
    let bus = Bus::nats(config).await.unwrap();
    until("the server's complaint", || bus.last_fault().is_some_and(|fault| fault.contains("authorization violation"))).await;
    assert!(!bus.is_connected());
    std::fs::write(&path, "right\n").unwrap();
    connected(&bus).await;
    settled(&bus).await;
}

#[tokio::test]
async fn the_limit_on_payloads_is_the_servers_own() {
    let server = TestNats::private("max_payload: 1000");
    let bus = Bus::nats(NatsConfig::to(server.url())).await.unwrap();
    connected(&bus).await;
    // The limit arrives with the greeting, just before the state; an echo makes sure.
    settled(&bus).await;
    let refused = bus.publish(&subject("event"), None, vec![0; 1_001]).await;
    assert_eq!(refused, Err(BusError::TooLarge { size: 1_001, limit: 1_000 }));
    bus.publish_confirmed(vec![OutMessage::new(subject("event"), vec![0; 1_000])], PATIENCE).await.unwrap();
    assert_eq!(bus.counters().connections, 1, "an oversized message would have cost the connection");
}

/// The test certificates (`tls/README.md`) as files.
fn certificates() -> tempfile::TempDir {
    let directory = scratch_dir("bus").unwrap();
    for (name, text) in [
        ("ca.pem", include_str!("tls/ca.pem")),
        ("other-ca.pem", include_str!("tls/other-ca.pem")),
        ("server.pem", include_str!("tls/server.pem")),
        ("server.key", include_str!("tls/server.key")),
        ("client.pem", include_str!("tls/client.pem")),
        ("client.key", include_str!("tls/client.key")),
    ] {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_authorities_are_named() {
    let server = TestNats::private("");
    let files = certificates();
    let config = NatsConfig { ca_file: Some(files.path().join("ca.pem")), ..NatsConfig::to(server.url()) };
    let bus = Bus::nats(config).await.unwrap();
    until("the handshake fails", || bus.last_fault().is_some()).await;
    assert!(!bus.is_connected());
}

#[tokio::test]
async fn tls_takes_only_our_authority_and_shows_our_certificate() {
    let files = certificates();
    let file = |name: &str| Some(files.path().join(name));
    let at = files.path().display();
    let server = TestNats::private(&format!(
        r#"tls {{ cert_file: "{at}/server.pem", key_file: "{at}/server.key", ca_file: "{at}/ca.pem", verify: true }}"#
    ));
    let full =
        NatsConfig { ca_file: file("ca.pem"), cert_file: file("client.pem"), key_file: file("client.key"), ..NatsConfig::to(server.url()) };
    let bus = Bus::nats(full.clone()).await.unwrap();
    connected(&bus).await;
    settled(&bus).await;
    for (refused, config) in [
        ("another authority", NatsConfig { ca_file: file("other-ca.pem"), ..full.clone() }),
        ("no authority of ours", NatsConfig { ca_file: None, ..full.clone() }),
        ("no certificate", NatsConfig { cert_file: None, key_file: None, ..full }),
    ] {
        let bus = Bus::nats(config).await.unwrap();
        until(refused, || bus.last_fault().is_some()).await;
        assert!(!bus.is_connected(), "{refused}");
    }
}
