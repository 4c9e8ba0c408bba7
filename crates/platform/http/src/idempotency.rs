//! `Idempotency-Key` on creating calls (design 9): the key is read and the body kept here, whether it ran before is known to
//! an [`IdempotencyStore`], and the record of the answer is written inside the Change that the handler commits.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::response::Response;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use signet_model::{Refusal, Scope};

use crate::answer::json_response;
use crate::json::collect;
use crate::{Asker, Problem, kaa, reasons};

/// The request header.
pub const IDEMPOTENCY_KEY_HEADER: &str = "idempotency-key";
/// Answer header of a replay: `true`.
pub const REPLAYED_HEADER: &str = "idempotency-replayed";
/// Longest key, in characters.
const MAX_KEY: usize = 255;

/// A request that came with an idempotency key.
#[derive(Clone, Debug)]
pub struct KeyedRequest {
    /// Who asks, when and under which trace.
    pub asker: Asker,
    /// The tenant of the path with the rest of the scope, on routes that have one.
    pub scope: Option<Scope>,
    /// The route, by its operation id.
    pub route: &'static str,
    /// The key: 1 to 255 visible ASCII characters.
    pub key: String,
    /// The body, byte for byte: another body under the same key is refused.
    pub body: Bytes,
}

/// How a request with a key goes on.
pub enum KeyState {
    /// It is the first. The mark is handed to the handler and kept until the answer is made; dropping it ends the request.
    Fresh(Arc<dyn Any + Send + Sync>),
    /// It was answered before: answer the same.
    Replay {
        /// HTTP status.
        status: u16,
        /// The body, byte for byte.
        body: Vec<u8>,
    },
}

/// Knows which keys were used. Refusals: `idempotency.key-reused`, `idempotency.in-progress`,
/// `idempotency.secret-not-replayable`.
pub trait IdempotencyStore: Send + Sync {
    /// Finds out how `request` goes on.
    fn begin<'a>(&'a self, request: &'a KeyedRequest) -> BoxFuture<'a, Result<KeyState, Refusal>>;
}

/// The key of a creating call with the store's mark, for the handler; none when the caller sent no key.
#[derive(Clone)]
pub struct Idempotent {
    /// The request.
    pub request: Arc<KeyedRequest>,
    mark: Arc<dyn Any + Send + Sync>,
}

impl Idempotent {
    /// The mark, as the type that the store made it.
    pub fn mark<M: Send + Sync + 'static>(&self) -> Option<Arc<M>> {
        Arc::clone(&self.mark).downcast().ok()
    }
}

/// `Option<Idempotent>` as an extractor that cannot fail.
#[derive(Clone)]
pub struct MaybeIdempotent(pub Option<Idempotent>);

impl<S: Send + Sync> FromRequestParts<S> for MaybeIdempotent {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(parts.extensions.get::<Idempotent>().cloned()))
    }
}

/// The request, ready for its handler, or the answer of the first one.
pub(crate) enum Begun {
    Fresh(Request),
    Replayed(Response),
}

pub(crate) async fn begin(store: &dyn IdempotencyStore, route: &'static str, request: Request) -> Result<Begun, Problem> {
    let Some(key) = key(request.headers())? else { return Ok(Begun::Fresh(request)) };
    let (mut parts, body) = request.into_parts();
    let asker = parts.extensions.get::<Asker>().cloned();
    let asker = asker.ok_or_else(|| Problem::internal(&"an idempotent route must know its caller"))?;
    let body = collect(&parts.headers, body).await?;
    let scope = parts.extensions.get::<Scope>().cloned();
    let keyed = Arc::new(KeyedRequest { asker, scope, route, key, body: body.clone() });
    match store.begin(&keyed).await? {
        KeyState::Fresh(mark) => {
            parts.extensions.insert(Idempotent { request: keyed, mark });
            Ok(Begun::Fresh(Request::from_parts(parts, Body::from(body))))
        }
        KeyState::Replay { status, body } => {
            let status = StatusCode::from_u16(status).map_err(|error| Problem::internal(&error))?;
            let location = if status == StatusCode::CREATED { location(parts.uri.path(), &body) } else { None };
            let mut response = json_response(status, location.as_deref(), body);
            response.headers_mut().insert(REPLAYED_HEADER, HeaderValue::from_static("true"));
            Ok(Begun::Replayed(response))
        }
    }
}

#[derive(Deserialize)]
struct Made<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

/// Where the thing is that was made here the first time: what is made has its id and stands under the list that it was added to.
fn location(list: &str, answered: &[u8]) -> Option<String> {
    let made: Made<'_> = serde_json::from_slice(answered).ok()?;
    Some(format!("{}/{}", kaa::canonical(list), made.id))
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY_HEADER).iter();
    let key = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.as_bytes(),
        (Some(_), Some(_)) => {
            return Err(Problem::new(&reasons::IDEMPOTENCY_KEY_INVALID, "the request has several `Idempotency-Key` headers"));
        }
    };
    match std::str::from_utf8(key) {
        Ok(key) if (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) => Ok(Some(key.to_owned())),
        _ => Err(Problem::new(&reasons::IDEMPOTENCY_KEY_INVALID, "the `Idempotency-Key` is not 1 to 255 visible ASCII characters")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repetition_tells_where_the_thing_is_as_the_first_answer_did() {
        let at = |path: &str, body: &str| location(path, body.as_bytes());
        assert_eq!(at("/api/v1/tenants", r#"{"id":"acme","x":1}"#).as_deref(), Some("/api/v1/tenants/acme"));
        assert_eq!(at("/ccm/api/v1/basic-credentials", r#"{"id":"c1"}"#).as_deref(), Some("/api/v1/basic-credentials/c1"));
        for nameless in ["", "[]", r#"{"name":"x"}"#] {
            assert_eq!(at("/api/v1/tenants", nameless), None);
        }
    }

    #[test]
    fn keys_are_visible_ascii_of_bounded_length() {
        let read = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(IDEMPOTENCY_KEY_HEADER, HeaderValue::from_bytes(value).expect("header value"));
            key(&headers)
        };
        assert_eq!(read(b"k-1").expect("good").as_deref(), Some("k-1"));
        assert!(read("k".repeat(255).as_bytes()).is_ok());
        for bad in [&b""[..], b"a b", b"\xc3\xa4", &[b'k'; 256]] {
            assert_eq!(read(bad).expect_err("bad").refusal().reason.code, "idempotency.key-invalid");
        }
        assert!(key(&HeaderMap::new()).expect("none").is_none());
    }
}
