//! One connection, from the end of its handshake to its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::response::Response;
use futures_util::future::BoxFuture;
use http::{Request, header};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::activity::{Activity, Verdict};
use super::body::{MarkedBody, TimedBody};
use super::stall::StallGuard;
use super::{Limits, Site};

/// The peer's address, as an extension of each request. Behind a proxy it is the proxy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// What a connection needs to be served.
pub(crate) struct Connection {
    pub(crate) site: Site,
    pub(crate) peer: SocketAddr,
    pub(crate) limits: Limits,
    pub(crate) drain: CancellationToken,
}

/// The protocol, as the handshake settled it; plain connections speak HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Serves `$connection` until it ends, is idle or stuck; politely when draining. One text for both protocols, whose
/// connection types share no trait.
macro_rules! drive {
    ($connection:expr, $this:expr, $activity:expr) => {{
        let mut connection = pin!($connection);
        let mut tick = tokio::time::interval($this.limits.tick());
        let mut ending = false;
        loop {
            tokio::select! {
                // Broken connections are the peer's matter and too many to log.
                _ = connection.as_mut() => break,
                () = $this.drain.cancelled(), if !ending => {
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                }
                _ = tick.tick() => match $activity.verdict(&$this.limits, Instant::now()) {
                    Verdict::Live => {}
                    // A peer that was asked to end and is still idle a tick later is cut.
                    Verdict::Idle if ending => break,
                    Verdict::Idle => {
                        ending = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    Verdict::Stuck => break,
                },
            }
        }
    }};
}

/// Headers of one request that are read at all: more than are taken, so that the refusal can be said in words. A request of more
/// is answered a bare 431 by the library.
const MAX_HEADERS_READ: usize = 256;

impl Connection {
    pub(crate) async fn serve<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: T, protocol: Protocol) {
        let (activity, unread) = (Activity::new(), Arc::default());
        let io = TokioIo::new(StallGuard::new(stream, self.limits.write_stall, Arc::clone(&unread)));
        let exchange =
            Exchanges { site: self.site.clone(), peer: self.peer, limits: self.limits, activity: activity.clone(), protocol, unread };
        let head_bytes = usize::try_from(self.limits.max_head_bytes).unwrap_or(usize::MAX);
        match protocol {
            Protocol::Http1 => {
                let mut builder = http1::Builder::new();
                builder.timer(TokioTimer::new()).header_read_timeout(self.limits.head);
                // The library's own bound is answered without a word; ours comes first.
                builder.max_headers(MAX_HEADERS_READ);
                builder.max_header_size(head_bytes).max_buf_size(head_bytes.saturating_add(16 * 1024));
                drive!(builder.serve_connection(io, exchange), self, activity);
            }
            Protocol::Http2 => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder.timer(TokioTimer::new()).keep_alive_interval(self.limits.idle).keep_alive_timeout(self.limits.head);
                builder.max_header_list_size(self.limits.max_head_bytes).max_concurrent_streams(self.limits.max_streams);
                builder.max_pending_accept_reset_streams(self.limits.max_reset_streams);
                drive!(builder.serve_connection(io, exchange), self, activity);
            }
        }
    }
}

/// The service of one connection.
#[derive(Clone)]
struct Exchanges {
    site: Site,
    peer: SocketAddr,
    limits: Limits,
    activity: Activity,
    protocol: Protocol,
    unread: Arc<AtomicBool>,
}

impl Service<Request<Incoming>> for Exchanges {
    type Response = http::Response<MarkedBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mark = self.activity.begin();
        let (site, limits, protocol) = (self.site.clone(), self.limits, self.protocol);
        let mut request = request.map(|body| TimedBody::new(body, limits.body_pause, limits.body, Arc::clone(&self.unread)));
        request.extensions_mut().insert(PeerAddress(self.peer));
        Box::pin(async move {
            let mut response: Response = site.answer(request).await;
            if protocol == Protocol::Http2 {
                // Such headers are HTTP/1's alone (RFC 9113 section 8.2.2).
                response.headers_mut().remove(header::CONNECTION);
            }
            Ok(response.map(|body| MarkedBody::new(body, mark)))
        })
    }
}
