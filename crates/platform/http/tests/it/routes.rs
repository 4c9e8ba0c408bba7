//! Paths, methods, traces, panics, deadlines.

use std::time::Duration;

use signet_http::{Limits, Site, TlsMode};

use crate::support::{ask, get, plain, serve_site, world_with};

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let (listener, _) = plain().await;
    let address = listener.address();
    let unknown = get(address, "/nowhere%00?x=secret", "platform").await;
    assert_eq!((unknown.status, unknown.reason().as_str()), (404, "route.not-found"));
    assert_eq!(unknown.headers["content-type"], "application/problem+json");
    assert!(!unknown.body.contains("secret"), "a query is not repeated");
    assert_eq!(get(address, "/public/", "platform").await.status, 404);
    let method = ask(address, "DELETE", "/t/acme/things", "", "").await;
    assert_eq!((method.status, method.reason().as_str()), (405, "route.method-not-allowed"));
    let mut allowed: Vec<&str> = method.headers["allow"].split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
    assert_eq!(ask(address, "BREW", "/public", "", "").await.status, 405);
    for (method, path, status) in
        [("OPTIONS", "/public", 405), ("OPTIONS", "*", 404), ("CONNECT", "x:1", 404), ("GET", "http://x/public", 200)]
    {
        let reply = ask(address, method, path, "", "").await;
        assert_eq!((reply.status, reply.headers["x-content-type-options"].as_str()), (status, "nosniff"), "{method} {path}");
        assert_eq!(reply.headers["trace-id"].len(), 32);
    }
}

#[tokio::test]
async fn head_is_get_without_its_body_on_every_get_route() {
    let (listener, _) = plain().await;
    for (path, token) in
        [("/public", ""), ("/any/acme", "auditor@acme"), ("/t/acme/things", "platform"), ("/nowhere", ""), ("/owner/acme", "x")]
    {
        let head = format!("Authorization: Bearer {token}\r\n");
        let (full, bare) = (ask(listener.address(), "GET", path, &head, "").await, ask(listener.address(), "HEAD", path, &head, "").await);
        assert_eq!(full.status, bare.status, "{path}");
        for name in ["content-type", "content-length", "cache-control", "x-content-type-options", "www-authenticate"] {
            assert_eq!(full.headers.get(name), bare.headers.get(name), "{path} {name}");
        }
    }
    assert_eq!(ask(listener.address(), "HEAD", "/t/acme/things/1/stop", "", "").await.status, 405);
}

#[tokio::test]
async fn a_trace_is_taken_over_and_told_everywhere() {
    let (listener, _) = plain().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("traceparent: 00-{trace}-00f067aa0ba902b7-01\r\nAuthorization: Bearer platform\r\n");
    let good = ask(listener.address(), "GET", "/platform", &parent, "").await;
    assert_eq!((good.headers["trace-id"].as_str(), good.json()["trace"].as_str()), (trace, Some(trace)));
    let bad = ask(listener.address(), "GET", "/nowhere", &parent, "").await;
    assert_eq!((bad.headers["trace-id"].as_str(), bad.json()["trace_id"].as_str()), (trace, Some(trace)));
    let (first, second) = (get(listener.address(), "/any", "platform").await, get(listener.address(), "/any", "platform").await);
    assert_ne!(first.headers["trace-id"], second.headers["trace-id"]);
}

#[tokio::test]
async fn a_panic_is_one_failed_request_and_says_nothing() {
    let (listener, world) = plain().await;
    for (path, token) in [("/panic", "x"), ("/any", "panic")] {
        let reply = get(listener.address(), path, token).await;
        assert_eq!((reply.status, reply.reason().as_str()), (500, "internal"));
        assert!(!reply.body.contains("secret"), "{}", reply.body);
    }
    assert_eq!(world.metrics.panics(), 2);
    assert_eq!(get(listener.address(), "/public", "x").await.status, 200);
}

#[tokio::test]
async fn answers_carry_their_security_headers() {
    let (listener, _) = plain().await;
    for path in ["/public", "/nowhere", "/panic"] {
        let reply = get(listener.address(), path, "x").await;
        assert_eq!(
            (reply.headers["x-content-type-options"].as_str(), reply.headers["cache-control"].as_str()),
            ("nosniff", "no-store"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered_503() {
    let site = Site::of(world_with(Duration::from_millis(50)).router);
    let listener = serve_site(site, TlsMode::Plain, Limits::default()).await;
    let reply = get(listener.address(), "/sleep", "x").await;
    assert_eq!((reply.status, reply.reason().as_str()), (503, "request.deadline"));
    assert_eq!(reply.headers["retry-after"], "1");
}
