//! The only place that opens a socket: name, addresses, check, connection, TLS. Between the check and the connection nothing is
//! looked up again.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use crate::policy::Admitted;
use crate::url::Host;
use crate::{AddressPolicy, OutboundError, OutboundUrl, Resolve};

/// Addresses of one answer that are tried. All are checked.
const MOST_TRIED: usize = 4;

/// What bytes go through.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection to the URL's host, TLS included where the URL wants it, all of it before `deadline`.
pub(crate) async fn connect(
    url: &OutboundUrl,
    policy: &AddressPolicy,
    resolver: &dyn Resolve,
    tls: &Result<Arc<ClientConfig>, OutboundError>,
    deadline: Instant,
) -> Result<Box<dyn Stream>, OutboundError> {
    let late = |_| OutboundError::Timeout { host: url.host(), phase: "connecting" };
    let admitted = tokio::time::timeout_at(deadline, admitted(url, policy, resolver)).await.map_err(late)??;
    let tcp = first_that_answers(url, &admitted, deadline).await?;
    if !url.is_https() {
        return Ok(Box::new(tcp));
    }
    let tls = tls.clone()?;
    let name = match url.target() {
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| OutboundError::Url("its host cannot be in a certificate"))?,
        Host::Address(address) => ServerName::IpAddress((*address).into()),
    };
    let secured = tokio::time::timeout_at(deadline, TlsConnector::from(tls).connect(name, tcp)).await.map_err(late)?;
    Ok(Box::new(secured.map_err(|error| handshake_fault(url, &error))?))
}

/// Every address of the host, each allowed. One that is not spoils the whole answer: who mixes them has something in mind.
async fn admitted(url: &OutboundUrl, policy: &AddressPolicy, resolver: &dyn Resolve) -> Result<Vec<Admitted>, OutboundError> {
    let addresses: Vec<IpAddr> = match url.target() {
        Host::Address(address) => vec![*address],
        Host::Name(name) => resolver.resolve(name).await.map_err(|error| unreachable(url, &error))?,
    };
    if addresses.is_empty() {
        return Err(unreachable(url, &"its name has no address"));
    }
    addresses.into_iter().map(|address| policy.admit(&url.host(), SocketAddr::new(address, url.port()))).collect()
}

async fn first_that_answers(url: &OutboundUrl, admitted: &[Admitted], deadline: Instant) -> Result<TcpStream, OutboundError> {
    let mut left = u32::try_from(admitted.len().min(MOST_TRIED)).unwrap_or(1);
    let mut last = OutboundError::Timeout { host: url.host(), phase: "connecting" };
    for address in admitted.iter().take(MOST_TRIED) {
        // Each takes an equal part of what is left, so that a dead first address does not use up all of it.
        let remaining = deadline.saturating_duration_since(Instant::now());
        let share = remaining.checked_div(left).unwrap_or(remaining);
        left = left.saturating_sub(1);
        match tokio::time::timeout(share, TcpStream::connect(address.address())).await {
            Ok(Ok(stream)) => {
                // Requests are small; without it they are merely slower.
                let _slower_without = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => last = unreachable(url, &error),
            Err(_) => last = OutboundError::Timeout { host: url.host(), phase: "connecting" },
        }
    }
    Err(last)
}

fn unreachable(url: &OutboundUrl, why: &dyn std::fmt::Display) -> OutboundError {
    OutboundError::Unreachable { host: url.host(), why: why.to_string() }
}

fn handshake_fault(url: &OutboundUrl, error: &std::io::Error) -> OutboundError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => OutboundError::Untrusted { host: url.host(), why: format!("{why:?}") },
        Some(other) => unreachable(url, &format!("TLS: {other}")),
        None => unreachable(url, &format!("TLS: {error}")),
    }
}
