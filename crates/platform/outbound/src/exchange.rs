//! One request and its answer over one connection: HTTP/1.1, no redirect, no upgrade, no content encoding, nothing kept open.

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio_util::task::AbortOnDropHandle;

use crate::client::{Request, Response};
use crate::connect::Stream;
use crate::{OutboundError, OutboundUrl};

/// Most header fields of an answer, and most bytes of all of them.
const MOST_HEADERS: usize = 100;
const LONGEST_HEADERS: usize = 64 * 1024;

/// Sends the request and reads the whole answer. The caller bounds the time.
pub(crate) async fn exchange(stream: Box<dyn Stream>, request: Request, limit: usize) -> Result<Response, OutboundError> {
    let url = request.url.clone();
    let message = message(request)?;
    let mut builder = http1::Builder::new();
    builder.max_headers(MOST_HEADERS).max_buf_size(LONGEST_HEADERS);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|error| fault(&url, &error))?;
    // Ends with this function: an answer that was given up does not go on in the background.
    let _driver = AbortOnDropHandle::new(tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(event = "outbound.connection-ended", %error);
        }
    }));
    let answer = sender.send_request(message).await.map_err(|error| fault(&url, &error))?;
    let (parts, mut body) = answer.into_parts();
    if parts.status.is_informational() {
        return Err(unusable(&url, "it changes the protocol"));
    }
    if let Some(encoding) = parts.headers.get_all(CONTENT_ENCODING).iter().find(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(unusable(&url, format!("it is encoded ({encoding:?}), which was not asked for")));
    }
    let too_large = || OutboundError::TooLarge { host: url.host(), limit };
    let announced = hyper::body::Body::size_hint(&body).lower();
    if usize::try_from(announced).map_or(true, |announced| announced > limit) {
        return Err(too_large());
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| fault(&url, &error))?;
        // Trailers carry nothing that anyone here reads.
        let Ok(data) = frame.into_data() else { continue };
        if whole.len().saturating_add(data.len()) > limit {
            return Err(too_large());
        }
        whole.extend_from_slice(&data);
    }
    Ok(Response { status: parts.status, headers: parts.headers, body: whole.freeze() })
}

fn message(request: Request) -> Result<http::Request<Full<Bytes>>, OutboundError> {
    if matches!(request.method, Method::CONNECT | Method::TRACE) {
        return Err(OutboundError::Request("its method is CONNECT or TRACE"));
    }
    let own = [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, UPGRADE, ACCEPT_ENCODING];
    if own.iter().any(|name| request.headers.contains_key(name)) {
        return Err(OutboundError::Request("it sets a header that belongs to the connection"));
    }
    let host = HeaderValue::try_from(request.url.authority()).map_err(|_| OutboundError::Url("its host cannot be in a header"))?;
    let mut headers: HeaderMap = request.headers;
    headers.insert(HOST, host);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(concat!("signet/", env!("CARGO_PKG_VERSION"))));
    let mut message = http::Request::new(Full::new(request.body));
    *message.method_mut() = request.method;
    *message.version_mut() = Version::HTTP_11;
    *message.uri_mut() = http::Uri::from(request.url.path().clone());
    *message.headers_mut() = headers;
    Ok(message)
}

/// The causes in one line, since hyper's own text names only the kind. None of them holds bytes of the answer.
fn fault(url: &OutboundUrl, error: &hyper::Error) -> OutboundError {
    let mut why = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        why = format!("{why}: {cause}");
        next = cause.source();
    }
    unusable(url, why)
}

fn unusable(url: &OutboundUrl, why: impl Into<String>) -> OutboundError {
    OutboundError::Answer { host: url.host(), why: why.into() }
}

impl Response {
    /// The status, when it is a success.
    pub(crate) fn success(&self, url: &OutboundUrl) -> Result<(), OutboundError> {
        if self.status.is_success() && self.status != StatusCode::NO_CONTENT {
            return Ok(());
        }
        Err(OutboundError::Status { host: url.host(), status: self.status.as_u16() })
    }
}
