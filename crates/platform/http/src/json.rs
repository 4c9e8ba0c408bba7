//! The JSON body of a request: bounded, strict, and liberal only about how its media type is written.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use signet_model::{Refusal, log_text};

use crate::listen::BodyTooSlow;
use crate::strict::{parse, read};
use crate::{Problem, reasons};

/// Largest body of our own API.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// The body as a `T`. Unknown and duplicate members, a NUL anywhere and nesting beyond
/// [`MAX_DEPTH`](crate::MAX_DEPTH) are refused by name; no `Content-Type` is taken as JSON.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        check_media_type(&parts.headers)?;
        let bytes = collect(&parts.headers, body).await?;
        Ok(Self(json_from_slice(&bytes)?))
    }
}

/// One strict JSON value.
fn json_from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    parse(bytes).and_then(read).map_err(|fault| fault.refusal("the body"))
}

/// An optional body: nothing at all reads as `T::default()`.
#[derive(Clone, Copy, Debug)]
pub struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = collect(&parts.headers, body).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        check_media_type(&parts.headers)?;
        Ok(Self(json_from_slice(&bytes)?))
    }
}

/// `application/json` in any case and with any parameters, or no type at all (RFC 9110 section 8.3 lets us assume one).
fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    if let Some(coding) = headers.get(header::CONTENT_ENCODING)
        && !coding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return Err(Problem::new(&reasons::BODY_MEDIA_TYPE, "the body has a `Content-Encoding`, wanted none"));
    }
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(value) = types.next() else { return Ok(()) };
    let essence = value.to_str().unwrap_or("?").split(';').next().unwrap_or("").trim();
    if essence.eq_ignore_ascii_case("application/json") && types.next().is_none() {
        return Ok(());
    }
    Err(Problem::new(&reasons::BODY_MEDIA_TYPE, format!("the body is declared as `{}`, wanted `application/json`", log_text(essence, 64))))
}

/// The whole body, at most [`MAX_BODY_BYTES`]; a declared length beyond that is refused before anything is read.
pub(crate) async fn collect(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(&reasons::BODY_TOO_LARGE, format!("the body is larger than {MAX_BODY_BYTES} bytes"));
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > MAX_BODY_BYTES)) {
        return Err(too_large());
    }
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) if BodyTooSlow::caused(error.as_ref()) => {
            Err(Problem::new(&reasons::BODY_TOO_SLOW, "the body did not arrive within its deadline"))
        }
        Err(_) => Err(Problem::new(&reasons::BODY_MALFORMED, "the body broke off before its end")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn status(content_type: Option<&str>, body: impl Into<Body>) -> u16 {
        let mut request = Request::builder();
        if let Some(value) = content_type {
            request = request.header(header::CONTENT_TYPE, value);
        }
        let request = request.body(body.into()).expect("request");
        match Json::<serde_json::Value>::from_request(request, &()).await {
            Ok(_) => 200,
            Err(problem) => problem.status().as_u16(),
        }
    }

    #[tokio::test]
    async fn media_types_are_read_liberally_and_others_refused() {
        for good in
            [None, Some("application/json"), Some("APPLICATION/JSON"), Some("application/json; charset=utf-8"), Some("application/json;x")]
        {
            assert_eq!(status(good, "{}").await, 200, "{good:?}");
        }
        for bad in ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx", "application/merge-patch+json"] {
            assert_eq!(status(Some(bad), "{}").await, 415, "{bad}");
        }
    }

    #[tokio::test]
    async fn bodies_are_taken_up_to_the_limit_and_not_beyond() {
        let padded = |length: usize| format!("{}{}", " ".repeat(length - 2), "{}");
        assert_eq!(status(None, padded(MAX_BODY_BYTES)).await, 200);
        assert_eq!(status(None, padded(MAX_BODY_BYTES + 1)).await, 413);
    }
}
