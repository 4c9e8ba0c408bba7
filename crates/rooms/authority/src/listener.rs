//! The plain listener (`enrolment.md` 14.1, 14.2): CRLs, OCSP and the certificates of the tenants' CAs, for anybody, without TLS,
//! since whoever verifies a certificate cannot be asked to verify another one first. What is served is public; what is not there
//! is 404 in the same words, whatever the reason.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use signet_crypto::sha256;
use signet_model::{Refusal, TenantId};
use signet_pki::LONGEST_OCSP_REQUEST;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::AuthorityRoom;
use crate::conditional::{Served, answer};
use crate::crl::ServedCrl;
use crate::ocsp::Answered;
use crate::ocsp_path;
use crate::sql::partition::PartitionKey;

/// How long a cache may hand out a list unasked. Far below half of the period, so that a suspension is seen soon behind caches
/// too; asking again costs a 304.
const KEEP_CRL: Duration = Duration::from_secs(60);
/// The same for a CA's certificate, which does not change.
const KEEP_CERTIFICATE: Duration = Duration::from_secs(86_400);
/// Said of a CRL that is due for renewal and could not be renewed; it holds, and lacks no change that is known.
const CRL_STATE: HeaderName = HeaderName::from_static("signet-crl");
/// When a client that got 503 may ask again, seconds.
const RETRY_AFTER: &str = "5";

impl AuthorityRoom {
    /// The router of the plain listener.
    pub fn revocation_router(self: &Arc<Self>) -> Router {
        let fixed = |name: HeaderName, value: &'static str| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
        Router::new()
            .route("/crl/{tenant}/{generation}/{file}", get(crl))
            .route("/ca/{tenant}/{file}", get(ca_certificate))
            .route("/ocsp", post(ocsp_post))
            .route("/ocsp/", post(ocsp_post))
            .route("/ocsp/{*request}", get(ocsp_get))
            .fallback(async || absent())
            .method_not_allowed_fallback(async || text(StatusCode::METHOD_NOT_ALLOWED, "This method is not served here.\n"))
            .with_state(Arc::clone(self))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .layer(fixed(header::CACHE_CONTROL, "no-store"))
    }
}

type Room = State<Arc<AuthorityRoom>>;

async fn crl(State(room): Room, Path((tenant, generation, file)): Path<(String, String, String)>, headers: HeaderMap) -> Response {
    let (Ok(tenant), Some(generation), Some(number)) =
        (tenant.parse::<TenantId>(), number(&generation), file.strip_suffix(".crl").and_then(number))
    else {
        return absent();
    };
    match room.crl(&PartitionKey { tenant, generation, number }).await {
        Ok(Some(ServedCrl { crl, not_renewed })) => {
            let tag = crl.number.to_string();
            let (bytes, since) = (crl.der.clone(), crl.this_update);
            // The last list of a CA that ended is kept as long as any, also when its end has come.
            let left = crl.next_update.since(room.clock.now());
            let keep = if left.is_zero() { KEEP_CRL } else { left.min(KEEP_CRL) };
            let mut response = answer(&headers, Served { bytes, media_type: "application/pkix-crl", tag, since, keep, cacheable: true });
            if not_renewed {
                response.headers_mut().insert(CRL_STATE, HeaderValue::from_static("not-renewed"));
            }
            response
        }
        Ok(None) => absent(),
        Err(refusal) => unavailable("crl", &refusal),
    }
}

async fn ca_certificate(State(room): Room, Path((tenant, file)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let (Ok(tenant), Some(generation)) = (tenant.parse::<TenantId>(), file.strip_suffix(".cer").and_then(number)) else {
        return absent();
    };
    match room.published_ca(&tenant, generation).await {
        Ok(Some((der, since))) => {
            let tag = sha256(&der).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
            let keep = KEEP_CERTIFICATE;
            answer(&headers, Served { bytes: der.into(), media_type: "application/pkix-cert", tag, since, keep, cacheable: true })
        }
        Ok(None) => absent(),
        Err(refusal) => unavailable("ca", &refusal),
    }
}

async fn ocsp_post(State(room): Room, body: Body) -> Response {
    match to_bytes(body, LONGEST_OCSP_REQUEST).await {
        Ok(request) => ocsp_response(&HeaderMap::new(), Answered { keep: None, ..room.ocsp(&request).await }),
        Err(_) => text(StatusCode::PAYLOAD_TOO_LARGE, "The request is too long or was cut off.\n"),
    }
}

async fn ocsp_get(State(room): Room, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().strip_prefix("/ocsp/").unwrap_or_default();
    match ocsp_path::request(path) {
        Some(request) => ocsp_response(&headers, room.ocsp(&request).await),
        None => text(StatusCode::BAD_REQUEST, "The path is not the base64 of an OCSP request.\n"),
    }
}

fn ocsp_response(asked: &HeaderMap, answered: Answered) -> Response {
    let tag = match answered.keep {
        Some(_) => sha256(&answered.der).iter().take(16).map(|byte| format!("{byte:02x}")).collect(),
        None => String::new(),
    };
    let served = Served {
        bytes: answered.der.into(),
        media_type: "application/ocsp-response",
        tag,
        since: answered.at,
        keep: answered.keep.unwrap_or_default(),
        cacheable: answered.keep.is_some(),
    };
    answer(asked, served)
}

/// Plain digits only: one object has one address.
fn number(text: &str) -> Option<i64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

fn absent() -> Response {
    text(StatusCode::NOT_FOUND, "There is nothing here.\n")
}

fn text(status: StatusCode, words: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], words).into_response()
}

fn unavailable(what: &'static str, refusal: &Refusal) -> Response {
    tracing::warn!(event = "revocation.unavailable", what, reason = refusal.reason.code, detail = %refusal.detail);
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, "This is not available for now.\n");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    response
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!(target: "signet::http", "panic on the listener of CRL and OCSP");
    text(StatusCode::INTERNAL_SERVER_ERROR, "internal\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_object_has_one_address() {
        let rows = [("0", Some(0)), ("7", Some(7)), ("007", None), ("+7", None), ("-1", None), ("", None), ("99999999999999999999", None)];
        for (text, wanted) in rows {
            assert_eq!(number(text), wanted, "{text}");
        }
    }
}
