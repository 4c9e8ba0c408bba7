//! What a body, a query and a path may be.

use signet_http::{Limits, TlsMode};
use std::time::Duration;

use crate::support::{Reply, ask, get, plain, post, serve, talk};

#[tokio::test]
async fn bodies_are_strict() {
    let (listener, _) = plain().await;
    let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(70_000));
    let deep = format!(r#"{{"name":{}1{}}}"#, "[".repeat(40), "]".repeat(40));
    for (body, status, reason) in [
        (r#"{"name":"a","nmae":"b"}"#, 400, "input.unknown-member"),
        (r#"{"name":"a","name":"b"}"#, 400, "body.malformed"),
        (r#"{"name":1}"#, 400, "input.invalid"),
        (r#"{"note":"x"}"#, 400, "input.invalid"),
        (r#"{"name":"a\u0000"}"#, 400, "input.nul"),
        (r#"{"name":"a"} {}"#, 400, "body.malformed"),
        (deep.as_str(), 400, "body.malformed"),
        ("[]", 400, "input.invalid"),
        ("not json", 400, "body.malformed"),
        ("", 400, "body.malformed"),
        (long.as_str(), 413, "body.too-large"),
    ] {
        let reply = post(listener.address(), "/t/acme/things", "", body).await;
        let shown: String = body.chars().take(60).collect();
        assert_eq!((reply.status, reply.reason().as_str()), (status, reason), "{shown}");
    }
    let named = post(listener.address(), "/t/acme/things", "", r#"{"name":"a","nmae":"b"}"#).await;
    assert!(named.json()["detail"].as_str().expect("detail").contains("`nmae`"), "{named:?}");
}

#[tokio::test]
async fn media_types_marks_and_transfer_codings_are_read_liberally() {
    let (listener, _) = plain().await;
    let good = r#"{"name":"a"}"#;
    for head in [
        "",
        "Content-Type: application/json\r\n",
        "Content-Type: APPLICATION/JSON\r\n",
        "Content-Type: application/json; charset=utf-8\r\n",
    ] {
        let reply = post(listener.address(), "/t/acme/things", head, good).await;
        assert_eq!((reply.status, reply.headers["location"].as_str()), (201, "/t/acme/things/1"), "{head}");
    }
    for head in ["Content-Type: text/plain\r\n", "Content-Type: application/x-www-form-urlencoded\r\n"] {
        let reply = post(listener.address(), "/t/acme/things", head, good).await;
        assert_eq!((reply.status, reply.reason().as_str()), (415, "body.media-type"), "{head}");
    }
    assert_eq!(post(listener.address(), "/t/acme/things", "Content-Encoding: gzip\r\n", good).await.reason(), "body.media-type");
    assert_eq!(post(listener.address(), "/t/acme/things", "", "\u{feff}{\"name\":\"a\"}").await.status, 201);
    let request = "POST /t/acme/things HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer platform\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{\"name\r\n6\r\n\":\"a\"}\r\n0\r\n\r\n";
    assert_eq!(Reply::parse(&talk(listener.address(), request.as_bytes()).await).0.status, 201);
    let expect = "POST /t/acme/things HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer platform\r\nExpect: 100-continue\r\nContent-Length: 12\r\n\r\n{\"name\":\"a\"}";
    let answer = talk(listener.address(), expect.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 "), "{answer}");
}

#[tokio::test]
async fn an_expected_body_that_is_too_large_is_refused_before_it_is_sent() {
    let (listener, _) = plain().await;
    let request = "POST /t/acme/things HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer platform\r\nExpect: 100-continue\r\nContent-Length: 9999999\r\n\r\n";
    let answer = talk(listener.address(), request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn an_optional_body_may_be_absent_but_not_wrong() {
    let (listener, _) = plain().await;
    let stop = "/t/acme/things/a%20b/stop";
    assert_eq!(post(listener.address(), stop, "", "").await.json()["name"], "a b");
    assert_eq!(post(listener.address(), stop, "", r#"{"reason":"x"}"#).await.json()["note"], "x");
    assert_eq!(post(listener.address(), stop, "", r#"{"raeson":"x"}"#).await.reason(), "input.unknown-member");
}

#[tokio::test]
async fn queries_and_paths_are_decoded_once_and_strict() {
    let (listener, _) = plain().await;
    let address = listener.address();
    assert_eq!(ask(address, "GET", "/found?name=a%5Cb%2525", "", "").await.json()["name"], "a\\b%25");
    for (query, reason) in
        [("name=a%00b", "input.nul"), ("nmae=a", "input.unknown-member"), ("name=%zz", "input.invalid"), ("name=%ff", "input.invalid")]
    {
        let reply = ask(address, "GET", &format!("/found?{query}"), "", "").await;
        assert_eq!((reply.status, reply.reason().as_str()), (400, reason), "{query}");
    }
    assert_eq!(get(address, "/t/acme/things/a%2Fb%2525", "platform").await.json()["name"], "a/b%25");
    assert_eq!(get(address, "/t/acme/things/a%00b", "platform").await.reason(), "input.nul");
}

#[tokio::test]
async fn lists_are_paged_to_their_end() {
    let (listener, _) = plain().await;
    let (mut names, mut after) = (Vec::new(), String::new());
    loop {
        let page = get(listener.address(), &format!("/t/acme/things?limit=2&name=n{after}"), "platform").await.json();
        names.extend(page["items"].as_array().expect("items").iter().map(|thing| thing["name"].as_str().expect("name").to_owned()));
        assert_eq!(page["items"][0]["note"], "n");
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(names, ["1", "2", "3", "4", "5"]);
    for (query, reason) in [
        ("limit=0", "input.invalid"),
        ("limit=1001", "input.invalid"),
        ("after=%21", "page.cursor-invalid"),
        ("x=1", "input.unknown-member"),
    ] {
        assert_eq!(get(listener.address(), &format!("/t/acme/things?{query}"), "platform").await.reason(), reason, "{query}");
    }
}

#[tokio::test]
async fn a_body_that_stops_coming_is_refused_408() {
    let limits = Limits { body_pause: Duration::from_millis(200), ..Limits::default() };
    let (listener, _) = serve(TlsMode::Plain, limits).await;
    let request = "POST /t/acme/things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer platform\r\nContent-Length: 12\r\n\r\n{\"name\"";
    let reply = Reply::parse(&talk(listener.address(), request.as_bytes()).await).0;
    assert_eq!((reply.status, reply.reason().as_str(), reply.headers["connection"].as_str()), (408, "body.too-slow", "close"));
}
