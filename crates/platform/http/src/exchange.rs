//! The outermost layer of a surface: trace id, one log line, deadline, panic isolation, problems rendered, headers set.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, Method, Version, header};
use signet_model::{CorrelationId, kinds};
use tracing::Instrument as _;

use crate::context::Exchange;
use crate::correlation::{self, CORRELATION_ID_HEADER};
use crate::router::Shared;
use crate::trace::{self, TRACE_ID_HEADER};
use crate::{Problem, kaa, leftover, reasons};

/// Most headers in one request.
pub(crate) const MAX_HEADERS: usize = 100;

/// Most bytes of headers in one request; a bearer token of 60 KB fits. The transport reads a little more, so that the
/// refusal can be said in words.
pub const MAX_HEADER_BYTES: usize = 64 * 1024;

pub(crate) async fn exchange(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let kaa = kaa::is_kaa_path(request.uri().path());
    let correlate = || correlation::of(request.headers(), shared.clock.as_ref(), shared.entropy.as_ref());
    let (correlation, uncorrelated) = kaa.then(correlate).map_or((None, None), |(id, problem)| (Some(id), problem));
    let trace = trace::of(request.headers(), shared.entropy.as_ref());
    let exchange = Arc::new(Exchange { trace, correlation, caller: OnceLock::new() });
    let method = word(request.method());
    let head = request.method() == Method::HEAD;
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    request.extensions_mut().insert(Arc::clone(&exchange));

    let correlation_id = exchange.correlation.as_ref().map(CorrelationId::as_str);
    let span = tracing::info_span!(target: "signet::http", "request", trace_id = %exchange.trace, correlation_id);
    let answer = async {
        if let Some(problem) = uncorrelated.or_else(|| precheck(&request).err()) {
            return problem.into_response();
        }
        // HTTP/1.1 has its own ways with an unread body, and `Expect: 100-continue` must not be answered by reading it.
        let (request, leftover) = if request.version() == Version::HTTP_2 {
            let (parts, body) = request.into_parts();
            let (body, leftover) = leftover::keep(body);
            (Request::from_parts(parts, body), Some(leftover))
        } else {
            (request, None)
        };
        let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
        match tokio::time::timeout(shared.request_deadline, answer).await {
            Ok(Ok(response)) => {
                if let Some(leftover) = leftover.filter(|_| response.status().is_client_error()) {
                    leftover.drain().await;
                }
                response
            }
            Ok(Err(_)) => {
                // The payload may hold anything, so it is not logged; the hook of the binary logs the place.
                shared.metrics.panicked();
                tracing::error!(target: "signet::http", "panic");
                Problem::new(&kinds::INTERNAL, "the server failed to answer this request").into_response()
            }
            Err(_) => Problem::new(&reasons::REQUEST_DEADLINE, "the request was not answered within its deadline").into_response(),
        }
    };
    let mut response = answer.instrument(span.clone()).await;
    let mut reason = "none";
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        reason = problem.refusal().reason.code;
        let rendered = if kaa { kaa::render(&problem) } else { problem.render(Some(&exchange.trace)) };
        let (parts, _) = response.into_parts();
        let mut whole = rendered;
        for (name, value) in &parts.headers {
            if !whole.headers().contains_key(name) {
                whole.headers_mut().append(name, value.clone());
            }
        }
        response = whole;
    }
    finish(response.headers_mut(), &exchange);
    let (status, took) = (response.status().as_u16(), started.elapsed());
    shared.metrics.answered(method, route, status, took);
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let caller = exchange.caller.get().copied().unwrap_or("none");
    span.in_scope(|| tracing::info!(target: "signet::http", method, route, status, reason, micros, caller, "answered"));
    if head { without_body(response) } else { response }
}

/// What no route needs to look at again.
fn precheck(request: &Request) -> Result<(), Problem> {
    let size = header_bytes(request.headers());
    if size > MAX_HEADER_BYTES {
        return Err(Problem::new(
            &reasons::HEADERS_TOO_LARGE,
            format!("the request has {size} bytes of headers, the limit is {MAX_HEADER_BYTES}"),
        ));
    }
    let count = request.headers().len();
    if count > MAX_HEADERS {
        let detail = format!("the request has {count} headers, the limit is {MAX_HEADERS}");
        return Err(Problem::new(&reasons::HEADERS_TOO_LARGE, detail).with_fix(format!("Send at most {MAX_HEADERS} headers.")));
    }
    let hosts = request.headers().get_all(header::HOST).iter().count();
    // RFC 9112 section 3.2; HTTP/2 carries the host in `:authority`, HTTP/1.0 may have none.
    let wanted = request.version() == Version::HTTP_11;
    if hosts > 1 || (wanted && hosts == 0) {
        return Err(Problem::new(&reasons::REQUEST_HOST, format!("the request has {hosts} `Host` headers")));
    }
    Ok(())
}

fn header_bytes(headers: &HeaderMap) -> usize {
    let line = |(name, value): (&http::HeaderName, &HeaderValue)| name.as_str().len().saturating_add(value.len()).saturating_add(4);
    headers.iter().map(line).fold(0, usize::saturating_add)
}

fn finish(headers: &mut HeaderMap, exchange: &Exchange) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(trace) = HeaderValue::from_str(exchange.trace.as_str()) {
        headers.insert(TRACE_ID_HEADER, trace);
    }
    if let Some(Ok(id)) = exchange.correlation.as_ref().map(|id| HeaderValue::from_bytes(id.as_str().as_bytes())) {
        headers.insert(CORRELATION_ID_HEADER, id);
    }
}

/// The answer to a HEAD: status and headers of the GET, with the length the body would have.
fn without_body(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = http_body::Body::size_hint(&body).exact() {
        parts.headers.entry(header::CONTENT_LENGTH).or_insert(HeaderValue::from(length));
    }
    Response::from_parts(parts, Body::empty())
}

/// The method as a word from a closed set, since callers may send any token.
fn word(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
