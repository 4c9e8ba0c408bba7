//! A raw server whose every byte the test decides, a resolver that answers as it is told, and a client with short times.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use signet_outbound::{AddressPolicy, Network, Outbound, OutboundConfig, OutboundError, Request, Resolve, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// A server on loopback that plays one script for each connection.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
    _serving: AbortOnDropHandle<()>,
}

impl Peer {
    /// Reads the head of the request, writes these bytes, closes.
    pub(crate) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        Self::answering_on("127.0.0.1:0", answer).await
    }

    pub(crate) async fn answering_on(address: &str, answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::playing(address, move |mut stream| {
            let answer = answer.clone();
            Box::pin(async move {
                let _gone = stream.write_all(&answer).await;
                let _gone = stream.shutdown().await;
            })
        })
        .await
    }

    /// Reads the head of the request, then does what the script says.
    pub(crate) async fn playing(address: &str, script: impl Fn(TcpStream) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let connections = Arc::new(AtomicUsize::new(0));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, heard) = (Arc::clone(&connections), Arc::clone(&requests));
        let script = Arc::new(script);
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                seen.fetch_add(1, Ordering::SeqCst);
                let (script, heard) = (Arc::clone(&script), Arc::clone(&heard));
                tokio::spawn(async move {
                    let head = read_head(&mut stream).await;
                    heard.lock().expect("not poisoned").push(head);
                    script(stream).await;
                });
            }
        });
        Self { address, connections, requests, _serving: AbortOnDropHandle::new(serving) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The heads of the requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("not poisoned").clone()
    }
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0u8; 1];
    while !head.ends_with(b"\r\n\r\n") && head.len() < 65_536 {
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// A plain 200 with this body.
pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// A resolver with a script: the answers of a name one after the other, the last one again and again.
#[derive(Default)]
pub(crate) struct Names {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    lookups: AtomicUsize,
}

impl Names {
    pub(crate) fn new(answers: &[(&str, &[&[&str]])]) -> Arc<Self> {
        let names = Self::default();
        for (name, lists) in answers {
            let lists = lists.iter().map(|list| list.iter().map(|ip| ip.parse().expect("an address")).collect()).rev().collect();
            names.answers.lock().expect("not poisoned").insert((*name).to_owned(), lists);
        }
        Arc::new(names)
    }

    pub(crate) fn lookups(&self) -> usize {
        self.lookups.load(Ordering::SeqCst)
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().expect("not poisoned");
        let answer = match answers.get_mut(name) {
            Some(lists) if lists.len() > 1 => lists.pop(),
            Some(lists) => lists.last().cloned(),
            None => None,
        };
        Box::pin(async move { answer.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound)) })
    }
}

/// Times that end a test soon, and a limit of 1,000 bytes.
pub(crate) fn config(policy: AddressPolicy) -> OutboundConfig {
    OutboundConfig {
        connect_timeout: Duration::from_secs(2),
        total_timeout: Duration::from_secs(2),
        max_body: 1_000,
        ..OutboundConfig::new(policy)
    }
}

/// Only these networks beside the public ones, plain http.
pub(crate) fn only(networks: &[&str]) -> AddressPolicy {
    let networks: Vec<Network> = networks.iter().map(|n| n.parse().expect("a network")).collect();
    AddressPolicy::deny_by_default().allow_plain_http().allow_networks(&networks)
}

/// A client that may reach loopback by plain http.
pub(crate) fn local_client() -> Outbound {
    Outbound::new(config(only(&["127.0.0.0/8"]))).expect("a client")
}

pub(crate) async fn get(client: &Outbound, url: &str) -> Result<Response, OutboundError> {
    client.send(Request::get(client.url(url)?)).await
}
