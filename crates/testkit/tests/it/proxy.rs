//! The proxy that breaks on request, in front of an echo server.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use signet_testkit::{FaultProxy, ProxyMode};

/// An echo server that ends with the test process.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || std::io::copy(&mut stream.try_clone().unwrap(), &mut stream));
        }
    });
    address
}

fn connect(proxy: &FaultProxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    stream
}

fn roundtrip(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(text)?;
    let mut back = vec![0u8; text.len()];
    stream.read_exact(&mut back)?;
    Ok(back)
}

#[test]
fn a_black_hole_keeps_sockets_open_and_loses_nothing_when_packets_flow_again() {
    let proxy = FaultProxy::to(&echo());
    let mut stream = connect(&proxy);
    assert_eq!(roundtrip(&mut stream, b"before").unwrap(), b"before");
    proxy.set(ProxyMode::Blackhole);
    let silent = roundtrip(&mut stream, b"during").unwrap_err();
    assert!(matches!(silent.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{silent}");
    let mut late = connect(&proxy);
    assert!(roundtrip(&mut late, b"late").is_err());
    proxy.set(ProxyMode::Forward);
    for (stream, expected) in [(&mut stream, &b"during"[..]), (&mut late, &b"late"[..])] {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut back = vec![0u8; expected.len()];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(back, expected);
    }
}

#[test]
fn a_cut_resets_old_and_new_connections() {
    let proxy = FaultProxy::to(&echo());
    let mut stream = connect(&proxy);
    assert_eq!(roundtrip(&mut stream, b"before").unwrap(), b"before");
    proxy.set(ProxyMode::Cut);
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert!(matches!(stream.read(&mut [0u8; 1]), Err(error) if error.kind() == ErrorKind::ConnectionReset));
    let refused = TcpStream::connect(proxy.address()).and_then(|mut new| {
        new.set_read_timeout(Some(Duration::from_secs(10)))?;
        new.read_exact(&mut [0u8; 1])
    });
    assert!(matches!(refused.unwrap_err().kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof));
    proxy.set(ProxyMode::Forward);
    assert_eq!(roundtrip(&mut connect(&proxy), b"again").unwrap(), b"again");
}

#[test]
fn a_slow_path_delays_and_delivers() {
    let proxy = FaultProxy::to(&echo());
    let mut stream = connect(&proxy);
    proxy.set(ProxyMode::Slow(Duration::from_millis(50)));
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let started = Instant::now();
    assert_eq!(roundtrip(&mut stream, b"slowly").unwrap(), b"slowly");
    assert!(started.elapsed() >= Duration::from_millis(100));
}

#[test]
fn the_end_of_one_side_reaches_the_other() {
    let proxy = FaultProxy::to(&echo());
    let mut stream = connect(&proxy);
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(b"last words").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).unwrap();
    assert_eq!(heard, b"last words");
}

#[test]
fn a_url_is_rewritten_to_go_through_the_proxy() {
    let proxy = FaultProxy::to("127.0.0.1:1");
    let address = proxy.address();
    assert_eq!(proxy.url_through("postgres://u:p@127.0.0.1:5/db"), format!("postgres://u:p@{address}/db"));
    assert_eq!(proxy.url_through("nats://127.0.0.1:4222"), format!("nats://{address}"));
}
