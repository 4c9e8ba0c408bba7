//! `ETag` and `If-None-Match` of a list (RFC 9110 sections 8.8.3 and 13.1.2): what the caller has already is not sent again. The
//! tag is a hash of the answer's bytes, so it needs no version to be kept.

use std::fmt::Write as _;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use signet_crypto::sha256;
use signet_model::kinds;

use crate::answer::json_response;
use crate::{Answer, Problem};

/// Most tags that are looked at.
const MOST_TAGS: usize = 64;
/// Bytes of the hash that make a tag: enough that no two answers that differ share one.
const TAG_BYTES: usize = 16;

/// What the caller says that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfNoneMatch(Seen);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    /// Whatever there is: `*`.
    Anything,
    /// Answers with these tags; none for a request without the header.
    Tags(Vec<String>),
}

impl IfNoneMatch {
    /// The answer with its tag, or 304 without a body when the caller has it.
    pub fn answer<T: Serialize>(&self, answer: &Answer<T>) -> Result<Response, Problem> {
        let body = answer.encode()?;
        let mut tag = String::with_capacity(TAG_BYTES.saturating_mul(2));
        for byte in sha256(&body).iter().take(TAG_BYTES) {
            // Writing to a String cannot fail.
            let _ = write!(tag, "{byte:02x}");
        }
        let had = match &self.0 {
            Seen::Anything => true,
            Seen::Tags(tags) => tags.contains(&tag),
        };
        let mut response =
            if had { StatusCode::NOT_MODIFIED.into_response() } else { json_response(answer.status(), answer.location(), body) };
        let tag = HeaderValue::from_str(&format!("\"{tag}\"")).map_err(|error| Problem::internal(&error))?;
        response.headers_mut().insert(header::ETAG, tag);
        // The caller may keep it, and asks each time whether it still holds; nobody between may.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        Ok(response)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut tags = Vec::new();
        for value in parts.headers.get_all(header::IF_NONE_MATCH) {
            let text = value.to_str().map_err(|_| malformed())?;
            if text.trim() == "*" {
                return Ok(Self(Seen::Anything));
            }
            for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
                // The comparison is weak: a tag that a cache on the way weakened counts all the same.
                let quoted = tag.strip_prefix("W/").unwrap_or(tag);
                let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(malformed)?;
                if inner.contains('"') || tags.len() == MOST_TAGS {
                    return Err(malformed());
                }
                tags.push(inner.to_owned());
            }
        }
        Ok(Self(Seen::Tags(tags)))
    }
}

fn malformed() -> Problem {
    Problem::new(&kinds::INPUT_INVALID, format!("header `If-None-Match`: wanted `*` or up to {MOST_TAGS} tags in double quotes"))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    async fn seen(values: &[&str]) -> Result<IfNoneMatch, u16> {
        let mut request = Request::builder();
        for value in values {
            request = request.header(header::IF_NONE_MATCH, *value);
        }
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        IfNoneMatch::from_request_parts(&mut parts, &()).await.map_err(|problem| problem.status().as_u16())
    }

    fn tag_of(response: &Response) -> String {
        response.headers()[header::ETAG].to_str().expect("text").to_owned()
    }

    #[tokio::test]
    async fn what_the_caller_has_is_not_sent_again() {
        let answer = |number: u32| Answer::ok(vec![number]);
        let first = seen(&[]).await.expect("no header").answer(&answer(1)).expect("an answer");
        let tag = tag_of(&first);
        assert_eq!(first.status(), StatusCode::OK);
        for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
            let again = seen(&[&known]).await.expect("well-formed").answer(&answer(1)).expect("an answer");
            assert_eq!((again.status(), tag_of(&again)), (StatusCode::NOT_MODIFIED, tag.clone()), "{known}");
            assert!(!again.headers().contains_key(header::CONTENT_TYPE));
        }
        let changed = seen(&[&tag]).await.expect("well-formed").answer(&answer(2)).expect("an answer");
        assert_eq!(changed.status(), StatusCode::OK);
        assert_ne!(tag_of(&changed), tag);
    }

    #[tokio::test]
    async fn what_is_no_list_of_tags_is_refused() {
        let many = vec!["\"x\""; MOST_TAGS + 1].join(",");
        for bad in ["x", "\"x", "x\"", "\"a\"b\"", "W/x", &many] {
            assert_eq!(seen(&[bad]).await, Err(400), "{bad}");
        }
        assert_eq!(seen(&["\"a\"", "\"b\",\"c\""]).await, Ok(IfNoneMatch(Seen::Tags(["a", "b", "c"].map(str::to_owned).to_vec()))));
    }
}
