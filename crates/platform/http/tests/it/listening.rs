//! Binding, and what is answered before the server is ready.

use std::sync::Arc;

use signet_http::{BoundListener, HttpMetrics, Limits, ListenError, Site, TlsMode};
use signet_model::{ExitCode, Refusal};
use signet_testkit::SeededEntropy;
use tokio_util::sync::CancellationToken;

use crate::support::{ask, serve_site, talk, world};

#[tokio::test]
async fn a_taken_address_is_named_with_what_to_do() {
    let first = BoundListener::bind("api", "127.0.0.1:0").await.expect("a free port");
    let address = first.address().to_string();
    let refusal: Refusal = BoundListener::bind("management", &address).await.expect_err("taken").into();
    assert_eq!((refusal.reason.code, refusal.reason.exit()), ("listen.address-in-use", ExitCode::Unavailable));
    assert!(refusal.detail.contains(&address) && refusal.detail.contains("management"), "{refusal}");
    assert!(refusal.fix().contains("--listen"), "{}", refusal.fix());
}

#[tokio::test]
async fn what_is_no_address_of_this_machine_fails_in_words() {
    for bad in ["nonsense", "127.0.0.1", "127.0.0.1:99999", "192.0.2.1:1"] {
        let error = BoundListener::bind("api", bad).await.expect_err(bad);
        assert!(matches!(&error, ListenError::Failed { .. }) && error.to_string().contains(bad), "{error}");
    }
}

#[tokio::test]
async fn connections_before_serving_wait_and_are_then_answered() {
    let bound = BoundListener::bind("api", "127.0.0.1:0").await.expect("a free port");
    let address = bound.address();
    let early = tokio::spawn(async move { ask(address, "GET", "/public", "", "").await.status });
    tokio::task::yield_now().await;
    let site = Site::of(world().router);
    let _listener = bound.serve(site, TlsMode::Plain, Limits::default(), HttpMetrics::default(), &CancellationToken::new());
    assert_eq!(early.await.expect("task"), 200);
}

#[tokio::test]
async fn a_starting_site_says_so_until_it_is_opened() {
    let site = Site::starting(Arc::new(SeededEntropy::new(1)));
    let listener = serve_site(site.clone(), TlsMode::Plain, Limits::default()).await;
    let reply = ask(listener.address(), "GET", "/public", "", "").await;
    assert_eq!((reply.status, reply.reason().as_str(), reply.headers["retry-after"].as_str()), (503, "starting", "1"));
    assert_eq!(reply.headers["trace-id"], reply.json()["trace_id"].as_str().expect("trace id"));
    assert!(!site.is_open());
    site.open(world().router);
    assert_eq!(ask(listener.address(), "GET", "/public", "", "").await.status, 200);
}

#[tokio::test]
async fn http_1_1_wants_exactly_one_host() {
    let listener = serve_site(Site::of(world().router), TlsMode::Plain, Limits::default()).await;
    for head in ["", "Host: a\r\nHost: b\r\n"] {
        let answer = talk(listener.address(), format!("GET /public HTTP/1.1\r\n{head}Connection: close\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("request.host"), "{answer}");
    }
    assert!(talk(listener.address(), b"GET /public HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.0 200 "));
}
