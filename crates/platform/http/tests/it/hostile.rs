//! Clients that mean no good: smuggled requests, slow ones, floods.

use std::time::Duration;

use signet_http::{Limits, TlsMode};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{PATIENCE, Reply, ask, plain, serve, talk};
use crate::tls;

/// What a smuggler wants to be taken for a request of its own.
const HIDDEN: &str = "GET /found?name=smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn ambiguous_requests_are_refused_or_end_their_connection() {
    let (listener, _) = plain().await;
    let ambiguous = [
        ("both lengths", format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}", HIDDEN.len() + 5)),
        ("both lengths, the other way round", format!("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{HIDDEN}")),
        ("two lengths", format!("Content-Length: 0\r\nContent-Length: {}\r\n\r\n{HIDDEN}", HIDDEN.len())),
        ("a list of lengths", format!("Content-Length: 0, {}\r\n\r\n{HIDDEN}", HIDDEN.len())),
        ("a signed length", format!("Content-Length: +0\r\n\r\n{HIDDEN}")),
        ("a hexadecimal length", format!("Content-Length: 0x0\r\n\r\n{HIDDEN}")),
        ("a folded header", format!("X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n{HIDDEN}")),
        ("a space before the colon", format!("Content-Length : 0\r\n\r\n{HIDDEN}")),
        ("an unknown coding", format!("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{HIDDEN}")),
        ("chunked not last", format!("Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{HIDDEN}")),
        ("chunked twice over two lines", format!("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{HIDDEN}")),
        ("a huge chunk", format!("Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n{HIDDEN}")),
        ("a negative chunk", format!("Transfer-Encoding: chunked\r\n\r\n-1\r\n{HIDDEN}")),
        ("a NUL in a header", format!("X-A: a\0b\r\nContent-Length: 0\r\n\r\n{HIDDEN}")),
        ("a bare CR in a header", format!("X-A: a\rTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n{HIDDEN}")),
    ];
    for (name, rest) in ambiguous {
        let request = format!("POST /t/acme/things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer platform\r\n{rest}");
        let answer = talk(listener.address(), request.as_bytes()).await;
        assert!(!answer.contains("smuggled"), "{name}: {answer}");
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{name}: {answer}");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{name}: {answer}");
    }
    let old = format!("POST /t/acme/things HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}");
    assert!(!talk(listener.address(), old.as_bytes()).await.contains("smuggled"));
}

#[tokio::test]
async fn an_unread_body_is_never_taken_for_the_next_request() {
    let (listener, _) = plain().await;
    // Refused by the guard before the body is read.
    let request = format!("POST /t/acme/things HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{HIDDEN}", HIDDEN.len());
    let mut stream = TcpStream::connect(listener.address()).await.expect("connect");
    stream.write_all(request.as_bytes()).await.expect("write");
    stream.shutdown().await.expect("shutdown");
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("in time").expect("read");
    assert!(answer.starts_with("HTTP/1.1 401 ") && !answer.contains("smuggled"), "{answer}");
}

#[tokio::test]
async fn slow_heads_and_silence_are_ended_by_the_deadline() {
    let limits = Limits { head: Duration::from_millis(400), ..Limits::default() };
    let (listener, _) = serve(TlsMode::Plain, limits).await;
    for start in ["", "GET /public HT", "GET /public HTTP/1.1\r\nHost: x\r\nX-A: "] {
        let answer = talk(listener.address(), start.as_bytes()).await;
        assert!(!answer.contains("200 OK"), "{start}");
    }
    // A byte now and then does not move the deadline.
    let mut stream = TcpStream::connect(listener.address()).await.expect("connect");
    let drip = async {
        loop {
            if stream.write_all(b"G").await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, drip).await.expect("the drip is cut off");
}

#[tokio::test]
async fn a_body_that_drips_ends_by_the_deadline_of_the_whole() {
    let limits = Limits { body_pause: Duration::from_secs(20), body: Duration::from_millis(400), ..Limits::default() };
    let (listener, _) = serve(TlsMode::Plain, limits).await;
    let mut stream = TcpStream::connect(listener.address()).await.expect("connect");
    let head = b"POST /t/acme/things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer platform\r\nContent-Length: 60000\r\n\r\n";
    stream.write_all(head).await.expect("write");
    let (mut read, mut write) = stream.into_split();
    let drip = tokio::spawn(async move {
        while write.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut text = Vec::new();
    let mut buffer = [0_u8; 4096];
    loop {
        // A reset after the answer is as good as an end.
        match tokio::time::timeout(PATIENCE, read.read(&mut buffer)).await.expect("in time") {
            Ok(0) | Err(_) => break,
            Ok(length) => text.extend_from_slice(&buffer[..length]),
        }
    }
    let (reply, _) = Reply::parse(std::str::from_utf8(&text).expect("text"));
    assert_eq!((reply.status, reply.reason().as_str()), (408, "body.too-slow"));
    tokio::time::timeout(PATIENCE, drip).await.expect("the drip is cut off").expect("task");
}

#[tokio::test]
async fn long_tokens_are_taken_and_longer_ones_refused_in_words() {
    let (listener, _) = serve(tls::mode(), Limits::default()).await;
    let (plain, _) = plain().await;
    let mut two = tls::http2(listener.address()).await;
    for (kilobytes, status) in [(7, 200), (9, 200), (17, 200), (33, 200), (60, 200), (70, 431), (100, 431)] {
        let token = format!("auditor@acme/{}", "x".repeat(kilobytes * 1024));
        let head = format!("Authorization: Bearer {token}\r\n");
        let one = ask(plain.address(), "GET", "/any", &head, "").await;
        assert_eq!(one.status, status, "HTTP/1, {kilobytes} KB");
        let (code, body) = tls::send(&mut two, "/any", &[("authorization", &format!("Bearer {token}"))]).await.expect("answer");
        assert_eq!(code, status, "HTTP/2, {kilobytes} KB");
        if status == 431 {
            assert_eq!((one.reason().as_str(), one.headers["connection"].as_str()), ("headers.too-large", "close"));
            assert!(body.contains("headers.too-large"), "{body}");
        }
    }
    assert_eq!(tls::send(&mut two, "/public", &[]).await.expect("the connection lives").0, 200);
}

#[tokio::test]
async fn many_headers_are_refused_in_words() {
    let (listener, _) = plain().await;
    for (count, status) in [(90, 200), (150, 431), (200, 431)] {
        let head: String = (0..count).map(|n| format!("X-{n}: {n}\r\n")).collect();
        let reply = ask(listener.address(), "GET", "/public", &head, "").await;
        assert_eq!(reply.status, status, "{count}");
        assert!(status == 200 || reply.reason() == "headers.too-large", "{}", reply.body);
    }
}

#[tokio::test]
async fn header_floods_are_answered_431_and_cost_no_more() {
    let (listener, _) = plain().await;
    let many: String = (0..5_000).map(|n| format!("X-{n}: {n}\r\n")).collect();
    let large = format!("X-A: {}\r\n", "x".repeat(400_000));
    for head in [many, large] {
        let answer = talk(listener.address(), format!("GET /public HTTP/1.1\r\nHost: x\r\n{head}\r\n").as_bytes()).await;
        // The rest of the flood may reset the connection before the answer is read.
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    assert_eq!(ask(listener.address(), "GET", "/public", "", "").await.status, 200);
}

#[tokio::test]
async fn one_address_cannot_take_every_place() {
    let limits = Limits { max_connections_per_address: 3, ..Limits::default() };
    let (listener, _) = serve(TlsMode::Plain, limits).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(listener.address()).await.expect("connect");
        stream.write_all(b"GET /public HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("write");
        stream.read_u8().await.expect("an answer");
        held.push(stream);
    }
    assert_eq!(talk(listener.address(), b"GET /public HTTP/1.1\r\nHost: x\r\n\r\n").await, "");
    held.pop();
    let again = async {
        while talk(listener.address(), b"GET /public HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.expect("a place became free");
}

#[tokio::test]
async fn a_client_that_takes_no_bytes_is_cut() {
    let limits = Limits { write_stall: Duration::from_millis(300), ..Limits::default() };
    let (listener, _) = serve(TlsMode::Plain, limits).await;
    let mut stream = TcpStream::connect(listener.address()).await.expect("connect");
    stream.write_all(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("write");
    stream.read_u8().await.expect("the answer begins");
    let gone = async {
        while listener.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("cut");
}

#[tokio::test]
async fn an_exchange_that_does_not_end_is_cut() {
    let limits = Limits { exchange: Duration::from_millis(100), ..Limits::default() };
    let (listener, _) = serve(TlsMode::Plain, limits).await;
    assert_eq!(talk(listener.address(), b"GET /sleep HTTP/1.1\r\nHost: x\r\n\r\n").await, "");
}

#[tokio::test]
async fn an_answer_in_pieces_may_take_longer_than_an_exchange_as_long_as_they_come() {
    let limits = Limits { exchange: Duration::from_millis(400), ..Limits::default() };
    let (listener, _) = serve(TlsMode::Plain, limits).await;
    // Twenty pieces, 30 ms apart.
    let text = talk(listener.address(), b"GET /pieces HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(text.contains("19 ") && text.ends_with("0\r\n\r\n"), "{text}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_has_no_end() {
    let (listener, _) = plain().await;
    let text = talk(listener.address(), b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("1 "), "{text}");
    assert!(!text.ends_with("0\r\n\r\n") && !text.contains("secret"), "{text}");
}

/// Sends a large body in two parts, the second one after the refusal, and reads the answer to its end.
async fn send_on(mut stream: impl AsyncRead + AsyncWrite + Unpin, head: &str) -> u16 {
    let half = "x".repeat(1024 * 1024);
    let request = format!("POST /t/acme/things HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {}\r\n\r\n{half}", 2 * half.len());
    stream.write_all(request.as_bytes()).await.expect("the first half is taken");
    stream.flush().await.expect("the first half is taken");
    tokio::time::sleep(Duration::from_millis(200)).await;
    stream.write_all(half.as_bytes()).await.expect("the second half is taken");
    stream.flush().await.expect("the second half is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an end, and no reset");
    Reply::parse(&answer).0.status
}

#[tokio::test]
async fn whoever_sends_too_much_still_reads_why() {
    let (listener, _) = serve(tls::mode(), Limits::default()).await;
    let (plain, _) = plain().await;
    for (head, status) in [("", 401), ("Authorization: Bearer platform\r\n", 413)] {
        let stream = TcpStream::connect(plain.address()).await.expect("connect");
        assert_eq!(send_on(stream, head).await, status);
        let stream = tls::connect(listener.address(), &["http/1.1"]).await.expect("handshake");
        assert_eq!(send_on(stream, head).await, status);
    }
}

/// HTTP/2 frame: length, type, flags, stream (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

#[tokio::test]
async fn rapid_resets_end_the_connection() {
    let (listener, _) = serve(tls::mode(), Limits::default()).await;
    let mut stream = tls::connect(listener.address(), &["h2"]).await.expect("handshake");
    // GET, https, authority `x`, path `/sleep` in HPACK (RFC 7541): static indexes and literals.
    let request = [&[0x82, 0x87, 0x41, 1, b'x', 0x44, 6][..], b"/sleep"].concat();
    let mut bytes = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    for stream in (1..2_000).step_by(2) {
        bytes.extend(frame(HEADERS, 0x5, stream, &request));
        bytes.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    let _ = stream.write_all(&bytes).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the connection ends");
    let mut rest = answer.as_slice();
    let mut told = false;
    while let [a, b, c, kind, _, _, _, _, _, after @ ..] = rest {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        // Last stream, then the error: ENHANCE_YOUR_CALM is 11.
        told |= *kind == GOAWAY && after.get(4..8) == Some(&[0, 0, 0, 11]);
        rest = after.get(length..).unwrap_or_default();
    }
    assert!(told, "no GOAWAY in {} bytes", answer.len());
    assert_eq!(tls::send(&mut tls::http2(listener.address()).await, "/public", &[]).await.expect("others are served").0, 200);
}

#[tokio::test]
async fn silent_http_2_connections_are_ended() {
    let limits = Limits { head: Duration::from_millis(300), idle: Duration::from_millis(300), ..Limits::default() };
    let (listener, _) = serve(tls::mode(), limits).await;
    for start in [&b""[..], PREFACE, &[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()] {
        let mut stream = tls::connect(listener.address(), &["h2"]).await.expect("handshake");
        stream.write_all(start).await.expect("write");
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("ended");
    }
}
