//! Between the check and the connection nothing may change, and nothing in an answer leads elsewhere.

use signet_outbound::{Outbound, OutboundError};

use crate::support::{Names, Peer, config, get, local_client, ok, only};

/// Only 127.0.0.2 may be reached; 127.0.0.1, on the same port, is the trap.
async fn good_and_trap() -> (Peer, Peer) {
    for _ in 0..50 {
        let good = Peer::answering_on("127.0.0.2:0", ok("good")).await;
        let same_port = format!("127.0.0.1:{}", good.address.port());
        if tokio::net::TcpListener::bind(&same_port).await.is_ok() {
            return (good, Peer::answering_on(&same_port, ok("trap")).await);
        }
    }
    panic!("no port is free on both addresses");
}

#[tokio::test]
async fn the_connection_goes_to_the_address_that_was_checked_however_the_name_moves() {
    let (good, trap) = good_and_trap().await;
    let names = Names::new(&[("moving.test", &[&["127.0.0.2"], &["127.0.0.1"]])]);
    let client = Outbound::with_resolver(config(only(&["127.0.0.2/32"])), names.clone()).unwrap();
    let url = format!("http://moving.test:{}/", good.address.port());
    assert_eq!(get(&client, &url).await.unwrap().body, "good");
    assert_eq!(names.lookups(), 1, "one exchange, one lookup");
    // The next exchange looks again, and is refused: no connection was kept, no verdict either.
    assert!(matches!(get(&client, &url).await, Err(OutboundError::Address { .. })));
    assert_eq!((names.lookups(), good.connections(), trap.connections()), (2, 1, 0));
}

#[tokio::test]
async fn the_header_names_the_host_of_the_url_and_not_the_address() {
    let good = Peer::answering_on("127.0.0.2:0", ok("good")).await;
    let names = Names::new(&[("named.test", &[&["127.0.0.2"]])]);
    let client = Outbound::with_resolver(config(only(&["127.0.0.2/32"])), names).unwrap();
    get(&client, &format!("http://Named.Test:{}/a?b", good.address.port())).await.unwrap();
    let request = good.requests().remove(0).to_ascii_lowercase();
    assert!(request.starts_with("get /a?b http/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("host: named.test:{}\r\n", good.address.port())), "{request}");
    assert!(request.contains("accept-encoding: identity\r\n") && request.contains("connection: close\r\n"), "{request}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_never_followed() {
    let (good, trap) = good_and_trap().await;
    let client = Outbound::new(config(only(&["127.0.0.0/8"]))).unwrap();
    let trap_url = trap.url("/stolen");
    for (status, location) in [
        (301, trap_url.as_str()),
        (302, trap_url.as_str()),
        (303, trap_url.as_str()),
        (307, trap_url.as_str()),
        (308, trap_url.as_str()),
        (302, "http://169.254.169.254/latest/meta-data/"),
        (302, "//127.0.0.1/"),
        (302, "file:///etc/passwd"),
        (300, trap_url.as_str()),
    ] {
        let answer =
            format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nRefresh: 0; url={trap_url}\r\nContent-Length: 0\r\n\r\n");
        let sender = Peer::answering_on("127.0.0.2:0", answer).await;
        assert_eq!(get(&client, &sender.url("/")).await.unwrap().status.as_u16(), status);
        let json = client.get_json::<serde_json::Value>(&client.url(&sender.url("/")).unwrap(), &[]).await;
        assert!(matches!(json, Err(OutboundError::Status { status: seen, .. }) if seen == status), "{json:?}");
    }
    assert_eq!((good.connections(), trap.connections()), (0, 0));
}

#[tokio::test]
async fn an_alternative_service_or_an_upgrade_is_not_taken() {
    let peer = Peer::answering("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n").await;
    assert!(matches!(get(&local_client(), &peer.url("/")).await, Err(OutboundError::Answer { .. })));
    let trap = Peer::answering(ok("trap")).await;
    let lure = format!("HTTP/1.1 200 OK\r\nAlt-Svc: h2=\"{}\"\r\nContent-Length: 2\r\n\r\n{{}}", trap.address);
    let peer = Peer::answering(lure).await;
    let client = local_client();
    for _ in 0..2 {
        get(&client, &peer.url("/")).await.unwrap();
    }
    assert_eq!((peer.connections(), trap.connections()), (2, 0));
}
