//! TLS: groups, ALPN, live swap, and clients that speak something else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, NamedGroup, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use signet_http::{Limits, ListenError, TlsMode, server_config};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{PATIENCE, Reply, serve, talk};

const FIRST: (&[u8], &[u8]) = (include_bytes!("data/first.pem"), include_bytes!("data/first.key"));
const SECOND: (&[u8], &[u8]) = (include_bytes!("data/second.pem"), include_bytes!("data/second.key"));

fn certificate(pem: &[u8]) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem).expect("certificate")
}

fn config((pem, key): (&[u8], &[u8])) -> Result<rustls::ServerConfig, ListenError> {
    server_config(vec![certificate(pem)], PrivateKeyDer::from_pem_slice(key).expect("key"))
}

pub(crate) fn mode() -> TlsMode {
    TlsMode::tls(config(FIRST).expect("configuration")).0
}

fn client(alpn: &[&str]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for (pem, _) in [FIRST, SECOND] {
        roots.add(certificate(pem)).expect("root");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

pub(crate) async fn connect(address: SocketAddr, alpn: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").expect("name");
    TlsConnector::from(Arc::new(client(alpn))).connect(name, stream).await
}

pub(crate) type Sender = hyper::client::conn::http2::SendRequest<Empty<Bytes>>;

pub(crate) async fn http2(address: SocketAddr) -> Sender {
    let stream = connect(address, &["h2"]).await.expect("handshake");
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2 handshake");
    tokio::spawn(connection);
    sender
}

pub(crate) async fn send(sender: &mut Sender, path: &str, headers: &[(&str, &str)]) -> Result<(u16, String), hyper::Error> {
    let mut request = Request::get(format!("https://localhost{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = sender.send_request(request.body(Empty::new()).expect("request")).await?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

async fn ask(stream: &mut TlsStream<TcpStream>, path: &str) -> u16 {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await.expect("write");
    let mut text = String::new();
    let mut buffer = [0_u8; 4096];
    loop {
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.expect("in time").expect("read");
        assert_ne!(read, 0, "closed after {text:?}");
        text.push_str(std::str::from_utf8(&buffer[..read]).expect("text"));
        if text.contains("\r\n\r\n") {
            let (reply, _) = Reply::parse(&text);
            if reply.headers.get("content-length").is_none_or(|length| length.parse() == Ok(reply.body.len())) {
                return reply.status;
            }
        }
    }
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().expect("certificates")[0].clone().into_owned()
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_over_a_hybrid_key_exchange() {
    let (listener, _) = serve(mode(), Limits::default()).await;
    let mut one = connect(listener.address(), &["http/1.1"]).await.expect("handshake");
    assert_eq!(ask(&mut one, "/public").await, 200);
    let group = one.get_ref().1.negotiated_key_exchange_group().expect("group").name();
    assert_eq!(group, NamedGroup::X25519MLKEM768);
    let mut two = http2(listener.address()).await;
    assert_eq!(send(&mut two, "/public", &[]).await.expect("answer").0, 200);
    let (status, body) = send(&mut two, "/nowhere", &[]).await.expect("answer");
    assert!(status == 404 && body.contains("route.not-found"), "{body}");
    let mut none = connect(listener.address(), &[]).await.expect("handshake");
    assert_eq!(ask(&mut none, "/public").await, 200);
}

#[tokio::test]
async fn an_unknown_application_protocol_is_refused_in_the_handshake() {
    let (listener, _) = serve(mode(), Limits::default()).await;
    let error = connect(listener.address(), &["spdy/3"]).await.expect_err("no common protocol");
    assert!(error.to_string().to_lowercase().contains("alert"), "{error}");
}

#[tokio::test]
async fn certificates_are_swapped_under_open_connections() {
    let (mode, handle) = TlsMode::tls(config(FIRST).expect("configuration"));
    let (listener, _) = serve(mode, Limits::default()).await;
    let mut old = connect(listener.address(), &["http/1.1"]).await.expect("handshake");
    assert_eq!((ask(&mut old, "/public").await, shown(&old)), (200, certificate(FIRST.0)));
    handle.store(Arc::new(config(SECOND).expect("configuration")));
    assert_eq!(ask(&mut old, "/public").await, 200, "the open connection goes on");
    let mut new = connect(listener.address(), &["http/1.1"]).await.expect("handshake");
    assert_eq!((ask(&mut new, "/public").await, shown(&new)), (200, certificate(SECOND.0)));
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let error = config((FIRST.0, SECOND.1)).expect_err("a wrong pair");
    assert_eq!(error.reason().code, "tls.configuration");
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_told_so() {
    let (listener, _) = serve(mode(), Limits::default()).await;
    let answer = talk(listener.address(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let (reply, _) = Reply::parse(&answer);
    assert_eq!(reply.status, 400);
    assert!(reply.body.contains("HTTPS") && reply.body.len().to_string() == reply.headers["content-length"], "{answer}");
    assert_eq!(talk(listener.address(), b"\x00\x01\x02").await, "", "other noise gets nothing");
}

#[tokio::test]
async fn who_does_not_finish_the_handshake_in_time_is_dropped() {
    let limits = Limits { handshake: Duration::from_millis(300), ..Limits::default() };
    let (listener, _) = serve(mode(), limits).await;
    for start in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00"] {
        let mut stream = TcpStream::connect(listener.address()).await.expect("connect");
        stream.write_all(start).await.expect("write");
        let mut rest = Vec::new();
        // Ended or reset: both are the end.
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("dropped");
    }
}
