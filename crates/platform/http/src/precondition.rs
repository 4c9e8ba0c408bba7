//! `ETag` and `If-Match` (RFC 9110 sections 8.8.3 and 13.1.1): a change that is only made to what the caller has seen.

use axum::extract::FromRequestParts;
use http::header;
use http::request::Parts;
use signet_model::kinds;

use crate::Problem;

/// Most tags of one header that are looked at.
const MOST_TAGS: usize = 64;

/// The tags of which the thing must have one; none: the request makes no condition, or `*`, which whatever exists fulfils.
///
/// Weak tags are left out: they never match here (RFC 9110 section 13.1.1 compares strongly).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfMatch(pub Option<Vec<String>>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut tags = None;
        for value in parts.headers.get_all(header::IF_MATCH) {
            let text = value.to_str().map_err(|_| malformed())?;
            let tags = tags.get_or_insert_with(Vec::new);
            if text.trim() == "*" {
                return Ok(Self(None));
            }
            for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
                let (weak, quoted) = tag.strip_prefix("W/").map_or((false, tag), |rest| (true, rest));
                let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(malformed)?;
                if inner.contains('"') || tags.len() == MOST_TAGS {
                    return Err(malformed());
                }
                if !weak {
                    tags.push(inner.to_owned());
                }
            }
        }
        Ok(Self(tags))
    }
}

fn malformed() -> Problem {
    Problem::new(&kinds::INPUT_INVALID, format!("header `If-Match`: wanted `*` or up to {MOST_TAGS} tags in double quotes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(values: &[&str]) -> Result<Option<Vec<String>>, &'static str> {
        let mut request = http::Request::builder();
        for value in values {
            request = request.header(header::IF_MATCH, *value);
        }
        let (mut parts, ()) = request.body(()).expect("request").into_parts();
        let found = IfMatch::from_request_parts(&mut parts, &()).await;
        found.map(|IfMatch(tags)| tags).map_err(|problem| problem.refusal().reason.code)
    }

    #[tokio::test]
    async fn strong_tags_are_kept_and_a_star_asks_for_nothing() {
        assert_eq!(read(&[]).await, Ok(None));
        assert_eq!(read(&["*"]).await, Ok(None));
        assert_eq!(read(&["\"3\""]).await, Ok(Some(vec!["3".to_owned()])));
        assert_eq!(read(&["\"3\" , W/\"4\",\"5\"", "\"\""]).await, Ok(Some(vec!["3".to_owned(), "5".to_owned(), String::new()])));
        assert_eq!(read(&["W/\"4\""]).await, Ok(Some(Vec::new())), "a weak tag matches nothing");
        assert_eq!(read(&[""]).await, Ok(Some(Vec::new())));
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        for bad in ["3", "\"3", "3\"", "\"3\" \"4\"", "\"\u{e4}\"", &"\"1\",".repeat(65)] {
            assert_eq!(read(&[bad]).await, Err("input.invalid"), "{bad}");
        }
    }
}
