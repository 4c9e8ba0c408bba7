//! How a listener ends.

use std::time::Duration;

use signet_http::{Drained, Limits, Site, TlsMode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{PATIENCE, ask, plain, serve_site, world};

async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what}"));
}

#[tokio::test]
async fn running_requests_end_idle_connections_close_and_new_ones_are_refused() {
    let (listener, _) = plain().await;
    let address = listener.address();
    let mut idle = TcpStream::connect(address).await.expect("connect");
    idle.write_all(b"GET /public HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("write");
    let mut byte = [0_u8; 1];
    idle.read_exact(&mut byte).await.expect("an answer");
    let running = tokio::spawn(async move { ask(address, "GET", "/sleep", "", "").await.status });
    until("both are connected", || listener.connections() == 2).await;
    let watch = listener.watch();
    assert!(watch.is_open());
    // The request is in its handler for 700 ms; half of that is time enough to be there.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(listener.drain(PATIENCE).await, Drained { cut: 0 });
    assert!(!watch.is_open());
    assert_eq!(running.await.expect("task"), 204);
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, idle.read_to_end(&mut rest)).await.expect("closed").expect("read");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_does_not_end_by_the_deadline_is_cut() {
    let (listener, _) = plain().await;
    let mut stuck = TcpStream::connect(listener.address()).await.expect("connect");
    stuck
        .write_all(b"POST /t/acme/things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer platform\r\nContent-Length: 9\r\n\r\n")
        .await
        .expect("write");
    until("it is connected", || listener.connections() == 1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(listener.drain(Duration::from_millis(100)).await, Drained { cut: 1 });
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stuck.read_to_end(&mut rest)).await.expect("cut");
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_dropped_listener_is_closed() {
    let listener = serve_site(Site::of(world().router), TlsMode::Plain, Limits::default()).await;
    let (address, watch) = (listener.address(), listener.watch());
    drop(listener);
    assert!(!watch.is_open());
    let gone = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("closed");
}
