//! Answers that are too long, too slow, or not what they say.

use std::time::Duration;

use futures_util::future::BoxFuture;
use signet_outbound::{Outbound, OutboundError};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{Peer, config, get, local_client, ok, only};

/// What an outcome is called in the tables below.
fn name(outcome: &Result<signet_outbound::Response, OutboundError>) -> &'static str {
    match outcome {
        Ok(_) => "ok",
        Err(OutboundError::TooLarge { .. }) => "too large",
        Err(OutboundError::Answer { .. }) => "unusable",
        Err(OutboundError::Timeout { phase: "answering", .. }) => "too slow",
        Err(_) => "another error",
    }
}

/// 1 MiB of zeros, compressed to a thousandth: what a bomb looks like. Nobody here unpacks it.
fn bomb(encoding: &str) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: 20\r\n\r\n").into_bytes();
    answer.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x63, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    answer
}

#[tokio::test]
async fn answers_are_bounded_and_must_be_what_they_say() {
    let body = |length: usize| "x".repeat(length);
    let chunked = |chunks: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
    let headers = |text: String| format!("HTTP/1.1 200 OK\r\n{text}Content-Length: 0\r\n\r\n");
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("exactly the limit", ok(&body(1_000)).into(), "ok"),
        ("one byte more", ok(&body(1_001)).into(), "too large"),
        ("announced far too long", "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n".into(), "unusable"),
        ("announced too long", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n".into(), "too large"),
        ("shorter than announced", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort".into(), "unusable"),
        ("longer than announced", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}and more".into(), "ok"),
        ("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 200\r\n\r\n{}".into(), "unusable"),
        ("a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".into(), "unusable"),
        ("without a length, until the end", format!("HTTP/1.1 200 OK\r\n\r\n{}", body(900)).into(), "ok"),
        ("without a length, too long", format!("HTTP/1.1 200 OK\r\n\r\n{}", body(5_000)).into(), "too large"),
        ("chunks", chunked("2\r\n{}\r\n0\r\n\r\n").into(), "ok"),
        ("many chunks, too long together", chunked(&format!("12c\r\n{}\r\n", body(300)).repeat(4)).into(), "too large"),
        ("a chunk of an absurd size", chunked("fffffffffffffffff\r\n").into(), "unusable"),
        ("a chunk that ends early", chunked("64\r\nshort").into(), "unusable"),
        ("a chunk that is no number", chunked("zz\r\n").into(), "unusable"),
        ("many header fields", headers("A: b\r\n".repeat(500)).into(), "unusable"),
        ("a huge header field", headers(format!("A: {}\r\n", body(200_000))).into(), "unusable"),
        ("a header field without end", format!("HTTP/1.1 200 OK\r\nA: {}", body(500_000)).into(), "unusable"),
        ("gzip", bomb("gzip"), "unusable"),
        ("gzip, spelled loudly", bomb("GZIP"), "unusable"),
        ("brotli", bomb("br"), "unusable"),
        ("twice encoded", bomb("gzip, gzip"), "unusable"),
        ("identity", "HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}".into(), "ok"),
        ("HTTP/0.9", "{}".into(), "unusable"),
        ("another protocol", "SSH-2.0-OpenSSH_9.9\r\n".into(), "unusable"),
        ("nothing", "".into(), "unusable"),
        ("half a head", "HTTP/1.1 200 OK\r\nCont".into(), "unusable"),
        ("a status that is none", "HTTP/1.1 2000 OK\r\n\r\n".into(), "unusable"),
        ("a line break in a header", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n".into(), "unusable"),
    ];
    let client = local_client();
    for (what, answer, wanted) in cases {
        let peer = Peer::answering(answer).await;
        let outcome = get(&client, &peer.url("/")).await;
        assert_eq!(name(&outcome), wanted, "{what}: {outcome:?}");
    }
}

type Script = fn(TcpStream) -> BoxFuture<'static, ()>;

/// Sends `first`, then `again` for ever, a little at a time.
async fn drip(mut stream: TcpStream, first: &'static str, again: &'static str) {
    if stream.write_all(first.as_bytes()).await.is_err() {
        return;
    }
    while stream.write_all(again.as_bytes()).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_slow_answer_ends_by_the_total_time_however_it_drips() {
    let scripts: [(&str, Script); 5] = [
        ("says nothing", |stream| Box::pin(drip(stream, "", ""))),
        ("drips its status line", |stream| Box::pin(drip(stream, "HTTP/1.1 200 ", "O"))),
        ("drips its body", |stream| Box::pin(drip(stream, "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", "x"))),
        ("drips empty-handed chunks", |stream| {
            Box::pin(drip(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"))
        }),
        ("says continue for ever", |stream| Box::pin(drip(stream, "", "HTTP/1.1 100 Continue\r\n\r\n"))),
    ];
    let mut short = config(only(&["127.0.0.0/8"]));
    short.total_timeout = Duration::from_millis(400);
    let client = Outbound::new(short).unwrap();
    for (what, script) in scripts {
        let peer = Peer::playing("127.0.0.1:0", script).await;
        let outcome = get(&client, &peer.url("/")).await;
        assert_eq!(name(&outcome), "too slow", "{what}: {outcome:?}");
    }
}

#[tokio::test]
async fn an_endless_body_is_left_when_it_is_too_long() {
    let peer = Peer::playing("127.0.0.1:0", |mut stream| {
        Box::pin(async move {
            let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(&[b'x'; 4_096]).await.is_ok() {}
        })
    })
    .await;
    let outcome = get(&local_client(), &peer.url("/")).await;
    assert_eq!(name(&outcome), "too large", "{outcome:?}");
}

#[tokio::test]
async fn json_that_does_not_read_is_told_by_place_and_never_shown() {
    let client = local_client();
    for (body, wanted) in [
        ("canary", "it is not JSON"),
        ("{\"a\":1, canary", "it is not JSON"),
        ("[\"canary\"]", "not of the expected shape"),
        ("", "it is not JSON"),
    ] {
        let peer = Peer::answering(ok(body)).await;
        let outcome = client.get_json::<std::collections::BTreeMap<String, u8>>(&client.url(&peer.url("/")).unwrap(), &[]).await;
        let text = outcome.unwrap_err().to_string();
        assert!(text.contains(wanted) && !text.contains("canary"), "{text}");
    }
    for (status, body) in [(204, ""), (404, "{}"), (500, "{}"), (304, "")] {
        let peer = Peer::answering(format!("HTTP/1.1 {status} X\r\n\r\n{body}")).await;
        let outcome = client.get_json::<serde_json::Value>(&client.url(&peer.url("/")).unwrap(), &[]).await;
        assert!(matches!(outcome, Err(OutboundError::Status { status: seen, .. }) if seen == status), "{outcome:?}");
    }
}
