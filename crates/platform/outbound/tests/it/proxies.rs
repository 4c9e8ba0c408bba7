//! The environment names a proxy; the client does not care.

use std::process::Command;

use crate::support::{Peer, get, local_client, ok};

const ASKED: &str = "SIGNET_TEST_ASKED_URL";

#[tokio::test]
async fn asks_what_it_is_told_to_ask() {
    let own = Peer::answering(ok("direct")).await;
    let url = std::env::var(ASKED).unwrap_or_else(|_| own.url("/"));
    assert_eq!(get(&local_client(), &url).await.unwrap().body, "direct");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_of_the_environment_is_not_used() {
    let (peer, proxy) = (Peer::answering(ok("direct")).await, Peer::answering(ok("proxied")).await);
    let proxy_url = format!("http://{}", proxy.address);
    // The environment belongs to the whole process, so the question is asked by another one: this program again.
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "proxies::asks_what_it_is_told_to_ask"]).env(ASKED, peer.url("/"));
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        again.env(name, &proxy_url);
    }
    let ended = again.env_remove("no_proxy").env_remove("NO_PROXY").output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    assert_eq!((peer.connections(), proxy.connections()), (1, 0));
}
