//! The header `Correlation-ID` on Kaa's paths (`kaa.md` 17.3): taken over, or made here, and told in the answer.

use http::HeaderMap;
use signet_model::{Clock, CorrelationId, Entropy, kinds};

use crate::Problem;

/// The request header, and the one of the answer.
pub const CORRELATION_ID_HEADER: &str = "correlation-id";

/// What a request is known by: the caller's id, or a fresh one when it sent none. A malformed one is refused, since the caller would
/// look for it in vain; that answer carries a fresh one.
pub(crate) fn of(headers: &HeaderMap, clock: &dyn Clock, entropy: &dyn Entropy) -> (CorrelationId, Option<Problem>) {
    let fresh = || CorrelationId::generate(clock.now(), entropy);
    let mut values = headers.get_all(CORRELATION_ID_HEADER).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return (fresh(), None),
        (Some(value), None) if value.is_empty() => return (fresh(), None),
        (Some(value), None) => value,
        (Some(_), Some(_)) => return (fresh(), Some(refused("the request has several"))),
    };
    match std::str::from_utf8(value.as_bytes()).ok().and_then(|text| text.parse().ok()) {
        Some(id) => (id, None),
        None => (fresh(), Some(refused("the request has a malformed one"))),
    }
}

fn refused(seen: &str) -> Problem {
    let most = CorrelationId::LONGEST;
    Problem::new(&kinds::INPUT_INVALID, format!("header `Correlation-ID`: wanted at most one of up to {most} characters, {seen}"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use signet_testkit::{FakeClock, SeededEntropy};

    use super::*;

    fn read(values: &[&[u8]]) -> (String, bool) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CORRELATION_ID_HEADER, HeaderValue::from_bytes(value).expect("header value"));
        }
        let (id, problem) = of(&headers, &FakeClock::new(), &SeededEntropy::new(1));
        (id.to_string(), problem.is_some())
    }

    #[test]
    fn a_good_one_is_taken_over_and_a_missing_one_made() {
        for good in ["c-1", "S\u{fc}d", &"x".repeat(255)] {
            assert_eq!(read(&[good.as_bytes()]), (good.to_owned(), false));
        }
        let (absent, empty): (&[&[u8]], &[&[u8]]) = (&[], &[b""]);
        for none in [absent, empty] {
            let (id, refused) = read(none);
            assert_eq!((id.len(), refused), (20, false), "{none:?}");
        }
    }

    #[test]
    fn a_malformed_one_is_refused() {
        for bad in [&[&b"\xff"[..]][..], &[b"a\tb"], &["x".repeat(256).as_bytes()], &[b"a", b"b"]] {
            let (id, refused) = read(bad);
            assert_eq!((id.len(), refused), (20, true), "{bad:?}");
        }
    }
}
