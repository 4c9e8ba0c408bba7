//! A TCP proxy on loopback that breaks on request: what lies between Signet and its database or bus.
//!
//! It runs on a thread and a runtime of its own, so a test that blocks does not stall the packets.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

use crate::TestkitError;
use crate::error::or_fail;

/// What the proxy does with bytes and connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyMode {
    /// Passes everything on at once.
    Forward,
    /// Keeps every socket open, accepts new ones, passes nothing on, in neither direction: a peer behind a firewall that
    /// drops. Bytes that wait are delivered when the mode changes back, as TCP would retransmit them.
    Blackhole,
    /// Resets every connection and each new one.
    Cut,
    /// Passes at most 1 KiB on, after this time, again and again.
    Slow(Duration),
}

/// Local ports of the connections that a proxy has open to its upstream.
type Ports = Arc<Mutex<BTreeSet<u16>>>;

/// A TCP proxy between a client under test and a real server. It ends when dropped.
pub struct FaultProxy {
    address: SocketAddr,
    mode: watch::Sender<ProxyMode>,
    upstream_ports: Ports,
    _stop_on_drop: oneshot::Sender<()>,
}

impl FaultProxy {
    /// A proxy in front of `upstream` (`host:port`), forwarding.
    pub fn to(upstream: &str) -> Self {
        or_fail(Self::start(upstream))
    }

    /// As [`FaultProxy::to`], for callers that report the error themselves.
    pub fn start(upstream: &str) -> Result<Self, TestkitError> {
        let upstream = upstream.to_owned();
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(TestkitError::at("127.0.0.1:0"))?;
        listener.set_nonblocking(true).map_err(TestkitError::at("127.0.0.1:0"))?;
        let address = listener.local_addr().map_err(TestkitError::at("127.0.0.1:0"))?;
        let (mode, watched) = watch::channel(ProxyMode::Forward);
        let (stop, stopped) = oneshot::channel::<()>();
        let upstream_ports = Ports::default();
        let ports = Arc::clone(&upstream_ports);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(TestkitError::at("runtime"))?;
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                tokio::select! {
                    () = accept(listener, upstream, watched, ports) => {}
                    _ = stopped => {}
                }
            });
        });
        Ok(Self { address, mode, upstream_ports, _stop_on_drop: stop })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The given URL with its `host:port` replaced by the proxy's.
    pub fn url_through(&self, url: &str) -> String {
        let (scheme, rest) = url.split_once("://").unwrap_or(("tcp", url));
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let user = authority.rsplit_once('@').map_or(String::new(), |(user, _)| format!("{user}@"));
        format!("{scheme}://{user}{}{path}", self.address)
    }

    /// Whether this proxy has an open connection to its upstream from this local port: the upstream's own view of who a
    /// client is, such as PostgreSQL's `pg_stat_activity.client_port`.
    pub fn owns_upstream_port(&self, port: u16) -> bool {
        self.upstream_ports.lock().unwrap_or_else(PoisonError::into_inner).contains(&port)
    }

    /// Changes what happens from now on, to open connections too.
    pub fn set(&self, mode: ProxyMode) {
        self.mode.send_replace(mode);
    }
}

async fn accept(listener: TcpListener, upstream: String, mode: watch::Receiver<ProxyMode>, ports: Ports) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                tokio::spawn(serve(client, upstream.clone(), mode.clone(), Arc::clone(&ports)));
            }
            // Out of descriptors or a connection that died while it queued: the next one may do better.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve(client: TcpStream, upstream: String, mut mode: watch::Receiver<ProxyMode>, ports: Ports) {
    // A real peer behind a black hole is not reached either: connect when packets flow.
    if mode.wait_for(|mode| *mode != ProxyMode::Blackhole).await.is_err() || *mode.borrow() == ProxyMode::Cut {
        return reset(client);
    }
    let Ok(server) = TcpStream::connect(upstream.as_str()).await else { return reset(client) };
    for stream in [&client, &server] {
        // Small requests should not wait for one another; without it the proxy is merely slower.
        let _slower_without = stream.set_nodelay(true);
    }
    let port = server.local_addr().map(|address| address.port()).unwrap_or_default();
    let note = |ports: &Ports| ports.lock().unwrap_or_else(PoisonError::into_inner).insert(port);
    let forget = |ports: &Ports| ports.lock().unwrap_or_else(PoisonError::into_inner).remove(&port);
    note(&ports);
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let ended_by_mode = {
        let mut cut = mode.clone();
        let up = pump(&mut from_client, &mut to_server, mode.clone());
        let down = pump(&mut from_server, &mut to_client, mode.clone());
        tokio::select! {
            _ = cut.wait_for(|mode| *mode == ProxyMode::Cut) => true,
            ((), ()) = async { tokio::join!(up, down) } => false,
        }
    };
    forget(&ports);
    if ended_by_mode {
        for stream in [from_client.reunite(to_client), from_server.reunite(to_server)].into_iter().flatten() {
            reset(stream);
        }
    }
}

/// Passes bytes on in one direction until its sender closes; then the receiver sees the end too.
async fn pump(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, mut mode: watch::Receiver<ProxyMode>) {
    let mut buffer = vec![0u8; 64 * 1024];
    loop {
        if mode.wait_for(|mode| *mode != ProxyMode::Blackhole).await.is_err() {
            return;
        }
        let limit = if matches!(*mode.borrow(), ProxyMode::Slow(_)) { 1024 } else { buffer.len() };
        let Some(room) = buffer.get_mut(..limit) else { return };
        let read = match from.read(room).await {
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        // What was read before the hole opened waits here and is not lost.
        if mode.wait_for(|mode| *mode != ProxyMode::Blackhole).await.is_err() {
            return;
        }
        let delay = match *mode.borrow() {
            ProxyMode::Slow(delay) => delay,
            ProxyMode::Forward | ProxyMode::Blackhole | ProxyMode::Cut => Duration::ZERO,
        };
        tokio::time::sleep(delay).await;
        let Some(bytes) = buffer.get(..read) else { return };
        if to.write_all(bytes).await.is_err() {
            break;
        }
    }
    // The other side may be gone already.
    let _already_closed = to.shutdown().await;
}

/// Closes with a reset instead of an orderly end.
fn reset(stream: TcpStream) {
    // Where the option is refused the close is orderly, which is still a cut.
    let _orderly_then = stream.set_zero_linger();
    drop(stream);
}
