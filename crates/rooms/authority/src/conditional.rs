//! Answers that caches may keep: ETag, Last-Modified, Cache-Control, and 304 where the client has it already (RFC 9110 section 13).
//! Only a tag tells that: a date is of whole seconds, and a list is dated before it is stored, so a later one may have an earlier date
//! than the moment at which a client fetched the one before.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::fmt::rfc2822::DateTimePrinter;
use signet_model::Timestamp;

/// What is served.
pub(crate) struct Served {
    /// The bytes.
    pub(crate) bytes: Bytes,
    /// Their media type.
    pub(crate) media_type: &'static str,
    /// Tells this text from every other one under the same address; ASCII without quotes.
    pub(crate) tag: String,
    /// Since when it is so.
    pub(crate) since: Timestamp,
    /// How long it may be kept unasked; zero: not at all.
    pub(crate) keep: Duration,
    /// Whether a cache may hand it to others.
    pub(crate) cacheable: bool,
}

/// The answer to a GET or HEAD with these headers.
pub(crate) fn answer(asked: &HeaderMap, served: Served) -> Response {
    let tag = format!("\"{}\"", served.tag);
    let unchanged = served.cacheable && has_it(asked, &tag);
    let length = served.bytes.len();
    let body = if unchanged { Body::empty() } else { Body::from(served.bytes) };
    let mut response = Response::new(body);
    *response.status_mut() = if unchanged { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let headers = response.headers_mut();
    let mut set = |name, value: String| {
        // Digits, dates and words of ours: always a header's text.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    if !unchanged {
        set(header::CONTENT_TYPE, served.media_type.to_owned());
        set(header::CONTENT_LENGTH, length.to_string());
    }
    if served.cacheable {
        set(header::ETAG, tag);
        set(header::LAST_MODIFIED, date(served.since));
        set(header::CACHE_CONTROL, format!("max-age={}, public, no-transform, must-revalidate", served.keep.as_secs()));
    } else {
        set(header::CACHE_CONTROL, "no-store".to_owned());
    }
    response
}

/// Whether the client holds this text, by its tag.
fn has_it(asked: &HeaderMap, tag: &str) -> bool {
    let tags = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|value| value.split(',')).any(|candidate| {
        let candidate = candidate.trim();
        candidate == "*" || candidate.strip_prefix("W/").unwrap_or(candidate) == tag
    })
}

/// A date of HTTP (RFC 9110 section 5.6.7), whole seconds.
fn date(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_second(at.millis().div_euclid(1_000)).unwrap_or_default();
    // Only a year before 0 or beyond 9999 has no such form.
    DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINCE: Timestamp = Timestamp::from_millis(784_111_777_500);

    fn served() -> Served {
        let bytes = Bytes::from_static(b"abc");
        let keep = Duration::from_secs(60);
        Served { bytes, media_type: "application/pkix-crl", tag: "7".to_owned(), since: SINCE, keep, cacheable: true }
    }

    fn status(name: &'static str, value: &'static str) -> u16 {
        let mut asked = HeaderMap::new();
        asked.insert(name, HeaderValue::from_static(value));
        answer(&asked, served()).status().as_u16()
    }

    #[test]
    fn a_client_that_has_it_gets_304() {
        assert_eq!(date(SINCE), "Sun, 06 Nov 1994 08:49:37 GMT");
        let rows = [
            ("if-none-match", "\"7\"", 304),
            ("if-none-match", "W/\"7\"", 304),
            ("if-none-match", "\"6\", \"7\"", 304),
            ("if-none-match", "*", 304),
            ("if-none-match", "7", 200),
            ("if-none-match", "\"6\"", 200),
            ("if-modified-since", "Sun, 06 Nov 1994 08:49:38 GMT", 200),
            ("if-modified-since", "Sun, 06 Nov 2094 08:49:38 GMT", 200),
            ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT", 200),
            ("if-modified-since", "yesterday", 200),
            ("accept", "*/*", 200),
        ];
        for (name, value, wanted) in rows {
            assert_eq!(status(name, value), wanted, "{name}: {value}");
        }
        let mut both = HeaderMap::new();
        both.insert("if-none-match", HeaderValue::from_static("\"6\""));
        both.insert("if-modified-since", HeaderValue::from_static("Sun, 06 Nov 1994 08:49:38 GMT"));
        assert_eq!(answer(&both, served()).status(), 200, "the tag decides alone");
    }

    #[test]
    fn what_may_be_kept_says_how_long_and_what_may_not_says_so() {
        let kept = answer(&HeaderMap::new(), served());
        let value = |response: &Response, name: &str| response.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
        assert_eq!(value(&kept, "cache-control").unwrap(), "max-age=60, public, no-transform, must-revalidate");
        assert_eq!((value(&kept, "etag").unwrap().as_str(), value(&kept, "content-length").unwrap().as_str()), ("\"7\"", "3"));
        let fresh = answer(&HeaderMap::new(), Served { cacheable: false, ..served() });
        assert_eq!((value(&fresh, "cache-control").unwrap().as_str(), value(&fresh, "etag")), ("no-store", None));
    }
}
