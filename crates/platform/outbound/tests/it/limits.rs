//! How much at once, how long until there is a connection, and what a caller may not set.

use std::time::Duration;

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, HOST};
use http::{HeaderValue, Method};
use signet_crypto::Secret;
use signet_outbound::{Outbound, OutboundError, Request, bearer};

use crate::support::{Names, Peer, config, get, local_client, ok, only};

#[tokio::test]
async fn one_request_too_many_is_refused_and_a_place_is_given_back() {
    let peer = Peer::playing("127.0.0.1:0", |stream| {
        Box::pin(async move {
            let _kept = stream;
            std::future::pending().await
        })
    })
    .await;
    let mut narrow = config(only(&["127.0.0.0/8"]));
    narrow.max_in_flight = 4;
    narrow.total_timeout = Duration::from_secs(600);
    let client = Outbound::new(narrow).unwrap();
    let held = {
        let (client, url) = (client.clone(), peer.url("/"));
        tokio::spawn(async move { get(&client, &url).await })
    };
    while peer.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(get(&client, &peer.url("/")).await.unwrap_err(), OutboundError::Busy, "a quarter of four for one host");
    let other = Peer::answering_on("127.0.0.2:0", ok("other")).await;
    assert_eq!(get(&client, &other.url("/")).await.unwrap().body, "other", "others are served meanwhile");
    held.abort();
    assert!(held.await.is_err());
    let again = tokio::time::timeout(Duration::from_millis(200), get(&client, &peer.url("/"))).await;
    assert!(again.is_err(), "let in again, and waiting: {again:?}");
}

#[tokio::test]
async fn a_name_server_that_hangs_is_left_after_the_time_to_connect() {
    struct Hangs;
    impl signet_outbound::Resolve for Hangs {
        fn resolve<'a>(&'a self, _: &'a str) -> futures_util::future::BoxFuture<'a, std::io::Result<Vec<std::net::IpAddr>>> {
            Box::pin(std::future::pending())
        }
    }
    let mut short = config(only(&[]));
    short.connect_timeout = Duration::from_millis(100);
    let client = Outbound::with_resolver(short, std::sync::Arc::new(Hangs)).unwrap();
    let outcome = get(&client, "http://any.test/").await;
    assert!(matches!(outcome, Err(OutboundError::Timeout { phase: "connecting", .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_server_that_accepts_and_never_shakes_hands_is_left_too() {
    let peer = Peer::playing("127.0.0.1:0", |_| Box::pin(std::future::pending())).await;
    let mut short = config(only(&["127.0.0.0/8"]));
    short.connect_timeout = Duration::from_millis(100);
    let client = Outbound::new(short).unwrap();
    let outcome = get(&client, &format!("https://{}/", peer.address)).await;
    assert!(matches!(outcome, Err(OutboundError::Timeout { phase: "connecting", .. })), "{outcome:?}");
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap();
    let outcome = get(&local_client(), &format!("http://{gone}/")).await;
    assert!(matches!(outcome, Err(OutboundError::Unreachable { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_caller_sets_no_header_of_the_connection_and_no_odd_method() {
    let peer = Peer::answering(ok("{}")).await;
    let client = local_client();
    let request = || Request::get(client.url(&peer.url("/")).unwrap());
    for name in [HOST, CONTENT_LENGTH, ACCEPT_ENCODING, http::header::TRANSFER_ENCODING, http::header::CONNECTION, http::header::UPGRADE] {
        let outcome = client.send(request().with(name.clone(), HeaderValue::from_static("x"))).await;
        assert!(matches!(outcome, Err(OutboundError::Request(_))), "{name}: {outcome:?}");
    }
    for method in [Method::CONNECT, Method::TRACE] {
        let outcome = client.send(Request { method, ..request() }).await;
        assert!(matches!(outcome, Err(OutboundError::Request(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_token_travels_and_is_never_shown() {
    let peer = Peer::answering(ok("{}")).await;
    let client = Outbound::with_resolver(config(only(&["127.0.0.0/8"])), Names::new(&[])).unwrap();
    let (name, value) = bearer(&Secret::from("canary-77")).unwrap();
    assert_eq!(name, AUTHORIZATION);
    let request = Request::post(client.url(&peer.url("/token?canary-78")).unwrap(), "canary-79").with(name, value.clone());
    for shown in [format!("{request:?}"), format!("{value:?}")] {
        assert!(!shown.contains("canary"), "{shown}");
    }
    client.send(request).await.unwrap();
    assert!(peer.requests()[0].contains("Bearer canary-77"));
    assert!(bearer(&Secret::from("a\r\nEvil: b")).is_none());
}
