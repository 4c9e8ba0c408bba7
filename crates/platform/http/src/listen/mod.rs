//! Listeners: bind first, serve later, drain at the end. The accept loop is ours, since handshakes, first bytes and heads
//! need deadlines, and connections need limits, that `axum::serve` has not.

mod activity;
mod body;
mod census;
mod connection;
mod limits;
mod site;
mod stall;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use signet_model::{Reason, Refusal};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use connection::PeerAddress;
pub use limits::Limits;
pub use site::{Site, starting_router};
pub use tls::{TlsMode, server_config};

use census::{Census, Place};
use connection::{Connection, Protocol};

use crate::{HttpMetrics, reasons};

/// Why a listener cannot work. All of it is the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is taken.
    #[error("listener `{name}`: {address} is in use by another program")]
    AddressInUse {
        /// Which listener.
        name: &'static str,
        /// The address as configured.
        address: String,
    },
    /// This process may not bind it.
    #[error("listener `{name}`: this process may not listen on {address}")]
    PermissionDenied {
        /// Which listener.
        name: &'static str,
        /// The address as configured.
        address: String,
    },
    /// It cannot be bound or is no address.
    #[error("listener `{name}`: cannot listen on {address}: {source}")]
    Failed {
        /// Which listener.
        name: &'static str,
        /// The address as configured.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// Certificate and key make no TLS configuration.
    #[error("TLS: {0}")]
    Tls(String),
}

impl ListenError {
    /// The stable reason.
    pub fn reason(&self) -> &'static Reason {
        match self {
            Self::AddressInUse { .. } => &reasons::LISTEN_ADDRESS_IN_USE,
            Self::PermissionDenied { .. } => &reasons::LISTEN_PERMISSION_DENIED,
            Self::Failed { .. } => &reasons::LISTEN_FAILED,
            Self::Tls(_) => &reasons::TLS_CONFIGURATION,
        }
    }

    fn bind(name: &'static str, address: &str, source: io::Error) -> Self {
        let address = address.to_owned();
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::AddressInUse { name, address },
            io::ErrorKind::PermissionDenied => Self::PermissionDenied { name, address },
            _ => Self::Failed { name, address, source },
        }
    }
}

impl From<ListenError> for Refusal {
    fn from(error: ListenError) -> Self {
        Self::new(error.reason(), error.to_string())
    }
}

/// The body did not arrive in time; travels as a body error.
#[derive(Debug, thiserror::Error)]
#[error("the body did not arrive in time")]
pub(crate) struct BodyTooSlow;

impl BodyTooSlow {
    /// Whether `error` was caused by a slow body.
    pub(crate) fn caused(error: &(dyn std::error::Error + 'static)) -> bool {
        let mut next = Some(error);
        while let Some(error) = next {
            if error.is::<Self>() {
                return true;
            }
            next = error.source();
        }
        false
    }
}

/// A listener that holds its address; connections wait in the kernel until [`BoundListener::serve`].
#[derive(Debug)]
pub struct BoundListener {
    name: &'static str,
    listener: TcpListener,
    address: SocketAddr,
}

impl BoundListener {
    /// Binds `address`, a `host:port`; of several addresses of a name, the first that this machine has.
    pub async fn bind(name: &'static str, address: &str) -> Result<Self, ListenError> {
        let fault = |error| ListenError::bind(name, address, error);
        let mut last = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
        for candidate in lookup_host(address).await.map_err(fault)? {
            match TcpListener::bind(candidate).await {
                Ok(listener) => {
                    let address = listener.local_addr().map_err(fault)?;
                    return Ok(Self { name, listener, address });
                }
                // Only what this machine has not is passed over: taking `::1` because 127.0.0.1 is taken would surprise.
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => last = error,
                Err(error) => return Err(fault(error)),
            }
        }
        Err(fault(last))
    }

    /// The listener's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The address that is bound, with its real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `site` until `shutdown` or [`RunningListener::drain`].
    pub fn serve(self, site: Site, tls: TlsMode, limits: Limits, metrics: HttpMetrics, shutdown: &CancellationToken) -> RunningListener {
        let census = Census::new(metrics.connections(self.name));
        let (tracker, drain, cut) = (TaskTracker::new(), shutdown.child_token(), CancellationToken::new());
        let accepting = CancellationToken::new();
        let listening = Listening {
            name: self.name,
            site,
            tls,
            limits,
            metrics,
            census: census.clone(),
            handshakes: Arc::new(Semaphore::new(limits.max_handshakes)),
            tracker: tracker.clone(),
            drain: drain.clone(),
            cut: cut.clone(),
        };
        let open = accepting.clone();
        tracker.spawn(async move {
            // Dropped however the loop ends, so that nobody takes a dead loop for an open listener.
            let _closed = open.drop_guard();
            listening.accept_all(self.listener).await;
        });
        RunningListener { name: self.name, address: self.address, census, tracker, drain, cut, accepting }
    }
}

/// A listener at work. Dropping it cuts its connections; [`RunningListener::drain`] ends them politely.
#[derive(Debug)]
pub struct RunningListener {
    name: &'static str,
    address: SocketAddr,
    census: Census,
    tracker: TaskTracker,
    drain: CancellationToken,
    cut: CancellationToken,
    accepting: CancellationToken,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were open still at the deadline, and were cut.
    pub cut: usize,
}

/// Tells whether a listener is open, for as long as anybody asks.
#[derive(Clone, Debug)]
pub struct ListenerWatch {
    accepting: CancellationToken,
    drain: CancellationToken,
}

impl ListenerWatch {
    /// Whether connections are accepted.
    pub fn is_open(&self) -> bool {
        !self.accepting.is_cancelled() && !self.drain.is_cancelled()
    }
}

impl RunningListener {
    /// The listener's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The address that is bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Open connections.
    pub fn connections(&self) -> usize {
        self.census.open()
    }

    /// For health checks.
    pub fn watch(&self) -> ListenerWatch {
        ListenerWatch { accepting: self.accepting.clone(), drain: self.drain.clone() }
    }

    /// Stops accepting, lets running exchanges end, and cuts what is left at the deadline.
    pub async fn drain(self, deadline: Duration) -> Drained {
        self.drain.cancel();
        self.tracker.close();
        if tokio::time::timeout(deadline, self.tracker.wait()).await.is_ok() {
            return Drained { cut: 0 };
        }
        let cut = self.census.open();
        self.cut.cancel();
        self.tracker.wait().await;
        Drained { cut }
    }
}

impl Drop for RunningListener {
    fn drop(&mut self) {
        self.drain.cancel();
        self.cut.cancel();
    }
}

/// What the accept loop and its connections share.
#[derive(Clone)]
struct Listening {
    name: &'static str,
    site: Site,
    tls: TlsMode,
    limits: Limits,
    metrics: HttpMetrics,
    census: Census,
    handshakes: Arc<Semaphore>,
    tracker: TaskTracker,
    drain: CancellationToken,
    cut: CancellationToken,
}

impl Listening {
    async fn accept_all(self, listener: TcpListener) {
        let mut pause = FIRST_PAUSE;
        loop {
            let accepted = tokio::select! {
                () = self.drain.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    pause = FIRST_PAUSE;
                    match self.census.admit(peer.ip(), &self.limits) {
                        Ok(place) => self.take(stream, peer, place),
                        Err(why) => self.metrics.refused(self.name, why),
                    }
                }
                // The peer left between SYN and accept.
                Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {}
                Err(error) => {
                    // No descriptors or memory: accepting again at once would only burn the processor.
                    tracing::warn!(target: "signet::http", listener = self.name, %error, "accept");
                    self.metrics.refused(self.name, "accept");
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn take(&self, stream: TcpStream, peer: SocketAddr, place: Place) {
        let this = self.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = this.cut.cancelled() => {}
                () = this.connection(stream, peer) => {}
            }
            drop(place);
        });
    }

    async fn connection(&self, stream: TcpStream, peer: SocketAddr) {
        // A delayed answer is only slower; nothing depends on it.
        let _ = stream.set_nodelay(true);
        let connection = Connection { site: self.site.clone(), peer, limits: self.limits, drain: self.drain.clone() };
        let TlsMode::Tls(config) = &self.tls else { return connection.serve(stream, Protocol::Http1).await };
        let handshake = tokio::time::timeout(self.limits.handshake, tls::handshake(stream, config, &self.handshakes));
        let settled = tokio::select! {
            // Whoever has not finished the handshake has asked for nothing yet.
            () = self.drain.cancelled() => return,
            settled = handshake => settled.unwrap_or(Err("handshake-deadline")),
        };
        match settled {
            Ok(stream) => {
                let protocol = match stream.get_ref().1.alpn_protocol() {
                    Some(b"h2") => Protocol::Http2,
                    Some(_) | None => Protocol::Http1,
                };
                connection.serve(stream, protocol).await;
            }
            Err(why) => self.metrics.refused(self.name, why),
        }
    }
}

/// First and longest pause after a failed accept.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_has_its_reason() {
        for (kind, code) in [
            (io::ErrorKind::AddrInUse, "listen.address-in-use"),
            (io::ErrorKind::PermissionDenied, "listen.permission-denied"),
            (io::ErrorKind::AddrNotAvailable, "listen.failed"),
        ] {
            let refusal: Refusal = ListenError::bind("api", "127.0.0.1:443", kind.into()).into();
            assert_eq!(refusal.reason.code, code);
            assert!(refusal.detail.contains("`api`") && refusal.detail.contains("127.0.0.1:443"), "{refusal}");
        }
    }

    #[test]
    fn a_slow_body_is_found_behind_other_errors() {
        let wrapped = axum::Error::new(axum::Error::new(BodyTooSlow));
        assert!(BodyTooSlow::caused(&wrapped));
        assert!(!BodyTooSlow::caused(&io::Error::other("x")));
    }
}
