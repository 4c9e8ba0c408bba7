//! The client: one request under all the limits.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rustls::ClientConfig;
use serde::de::DeserializeOwned;
use signet_crypto::Secret;
use tokio::time::Instant;

use crate::connect::connect;
use crate::exchange::exchange;
use crate::limits::InFlight;
use crate::{AddressPolicy, ClientIdentity, OutboundError, OutboundUrl, Resolve, SystemResolver, trust};

/// How a client works.
#[derive(Clone, Debug)]
pub struct OutboundConfig {
    /// What it may reach.
    pub policy: AddressPolicy,
    /// For name lookup, TCP and TLS together.
    pub connect_timeout: Duration,
    /// For one whole exchange, connecting included.
    pub total_timeout: Duration,
    /// Longest body of an answer, in bytes.
    pub max_body: usize,
    /// PEM file of the authorities that servers' certificates must be signed by; none means the system's.
    pub ca_file: Option<PathBuf>,
    /// What is shown to a server that asks for a client certificate.
    pub identity: Option<ClientIdentity>,
    /// Exchanges at once; one more is refused. A single host gets a quarter of them.
    pub max_in_flight: usize,
}

impl OutboundConfig {
    /// The usual limits under this policy: 5 s to connect, 10 s in all, 1 MiB, 64 at once.
    pub fn new(policy: AddressPolicy) -> Self {
        Self {
            policy,
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(10),
            max_body: 1024 * 1024,
            ca_file: None,
            identity: None,
            max_in_flight: 64,
        }
    }
}

/// One request.
#[derive(Clone)]
pub struct Request {
    /// What to do; not CONNECT and not TRACE.
    pub method: Method,
    /// Whom to ask.
    pub url: OutboundUrl,
    /// Headers, without those of the connection (`Host`, `Content-Length`, `Accept-Encoding` …).
    pub headers: HeaderMap,
    /// The body; may be empty.
    pub body: Bytes,
}

impl Request {
    /// A GET without headers.
    pub fn get(url: OutboundUrl) -> Self {
        Self { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A POST of this body. Its content type is a header that the caller sets.
    pub fn post(url: OutboundUrl, body: impl Into<Bytes>) -> Self {
        Self { method: Method::POST, url, headers: HeaderMap::new(), body: body.into() }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }
}

/// Bodies and headers may hold secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}, {} bytes", self.method, self.url, self.body.len())
    }
}

/// One whole answer, of whatever status. Redirects are answers like any other.
#[derive(Clone)]
pub struct Response {
    /// Its status.
    pub status: StatusCode,
    /// Its headers; at most 100.
    pub headers: HeaderMap,
    /// Its body, not longer than the client's limit.
    pub body: Bytes,
}

impl Response {
    /// The body as JSON. What does not read is told by place, without its text.
    ///
    /// # Errors
    /// [`OutboundError::Answer`].
    pub fn json<T: DeserializeOwned>(&self, url: &OutboundUrl) -> Result<T, OutboundError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let what = if error.is_data() { "its JSON is not of the expected shape" } else { "it is not JSON" };
            OutboundError::Answer { host: url.host(), why: format!("{what} (line {}, column {})", error.line(), error.column()) }
        })
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} bytes", self.status, self.body.len())
    }
}

/// The client. Clones share its limits.
#[derive(Clone)]
pub struct Outbound(Arc<Inner>);

struct Inner {
    config: OutboundConfig,
    resolver: Arc<dyn Resolve>,
    /// A machine without any certificate authority can still ask plain http servers.
    tls: Result<Arc<ClientConfig>, OutboundError>,
    in_flight: Arc<InFlight>,
}

impl Outbound {
    /// A client that asks the system for addresses.
    ///
    /// # Errors
    /// [`OutboundError::TrustFile`] when the file of authorities cannot be used.
    pub fn new(config: OutboundConfig) -> Result<Self, OutboundError> {
        Self::with_resolver(config, Arc::new(SystemResolver::default()))
    }

    /// A client that asks this resolver.
    ///
    /// # Errors
    /// As [`Outbound::new`].
    pub fn with_resolver(config: OutboundConfig, resolver: Arc<dyn Resolve>) -> Result<Self, OutboundError> {
        let tls = trust::tls(config.ca_file.as_deref(), config.identity.as_ref());
        if let (Err(error), Some(_)) = (&tls, &config.ca_file) {
            return Err(error.clone());
        }
        let in_flight = InFlight::new(config.max_in_flight);
        Ok(Self(Arc::new(Inner { config, resolver, tls, in_flight })))
    }

    /// What it may reach; for parsing URLs.
    pub fn policy(&self) -> &AddressPolicy {
        &self.0.config.policy
    }

    /// Parses a URL under the client's policy.
    ///
    /// # Errors
    /// As [`OutboundUrl::parse`].
    pub fn url(&self, text: &str) -> Result<OutboundUrl, OutboundError> {
        OutboundUrl::parse(text, self.policy())
    }

    /// One exchange. Every status is an answer; nothing is followed and nothing repeated.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn send(&self, request: Request) -> Result<Response, OutboundError> {
        let inner = &self.0;
        let url = request.url.clone();
        // The URL may have been parsed under another policy.
        if !url.is_https() && !self.policy().allows_plain_http() {
            return Err(OutboundError::Url("plain `http` is not allowed here"));
        }
        let _place = inner.in_flight.enter(&url.host())?;
        let started = Instant::now();
        let by = |time: Duration| started.checked_add(time).unwrap_or(started);
        let deadline = by(inner.config.total_timeout);
        let connected_by = by(inner.config.connect_timeout).min(deadline);
        let stream = connect(&url, self.policy(), inner.resolver.as_ref(), &inner.tls, connected_by).await?;
        tokio::time::timeout_at(deadline, exchange(stream, request, inner.config.max_body))
            .await
            .map_err(|_| OutboundError::Timeout { host: url.host(), phase: "answering" })?
    }

    /// A GET of JSON: a success with a body that reads, or an error.
    ///
    /// # Errors
    /// [`OutboundError`]; every status but a success is [`OutboundError::Status`].
    pub async fn get_json<T: DeserializeOwned>(
        &self,
        url: &OutboundUrl,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Result<T, OutboundError> {
        let mut request = Request::get(url.clone()).with(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in headers {
            request.headers.append(name.clone(), value.clone());
        }
        let response = self.send(request).await?;
        response.success(url)?;
        response.json(url)
    }
}

/// A header value that is shown nowhere; none when the secret is no header text.
pub fn sensitive(secret: &Secret) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(secret.expose()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// `Authorization: Bearer …`; none when the token is no header text.
pub fn bearer(token: &Secret) -> Option<(HeaderName, HeaderValue)> {
    let text = token.expose_str()?;
    let mut value = HeaderValue::try_from(format!("Bearer {text}")).ok()?;
    value.set_sensitive(true);
    Some((AUTHORIZATION, value))
}
