//! The trace of a request: taken over from W3C Trace Context, or made here.

use http::HeaderMap;
use signet_model::{Entropy, TraceId};

/// Answer header that carries the trace id.
pub const TRACE_ID_HEADER: &str = "trace-id";

/// The trace id of a well-formed `traceparent` (W3C Trace Context section 3.2), else a fresh one.
pub(crate) fn of(headers: &HeaderMap, entropy: &dyn Entropy) -> TraceId {
    let mut parents = headers.get_all("traceparent").iter();
    let single = match (parents.next(), parents.next()) {
        (Some(parent), None) => parent.to_str().ok().and_then(parse),
        _ => None,
    };
    single.unwrap_or_else(|| TraceId::generate(entropy))
}

/// `00-<trace id>-<parent id>-<flags>`; later versions may append more fields.
fn parse(text: &str) -> Option<TraceId> {
    let fields: Vec<&str> = text.trim().splitn(5, '-').collect();
    let hex = |field: &str, length: usize| field.len() == length && field.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let (version, trace, parent, flags, rest) = match fields.as_slice() {
        [version, trace, parent, flags] => (*version, *trace, *parent, *flags, None),
        [version, trace, parent, flags, rest] => (*version, *trace, *parent, *flags, Some(rest)),
        _ => return None,
    };
    let whole = hex(version, 2) && version != "ff" && hex(parent, 16) && parent.bytes().any(|b| b != b'0') && hex(flags, 2);
    if !whole || (version == "00" && rest.is_some()) { None } else { trace.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_parents_are_taken_over() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(parse(&format!("00-{trace}-00f067aa0ba902b7-01")), trace.parse().ok());
        assert_eq!(parse(&format!("01-{trace}-00f067aa0ba902b7-01-more")), trace.parse().ok());
        for bad in [
            String::new(),
            "00".to_owned(),
            format!("ff-{trace}-00f067aa0ba902b7-01"),
            format!("00-{trace}-00f067aa0ba902b7-01-more"),
            format!("00-{trace}-0000000000000000-01"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{}-00f067aa0ba902b7-01", trace.to_uppercase()),
            format!("00-{trace}x-00f067aa0ba902b7-01"),
        ] {
            assert_eq!(parse(&bad), None, "{bad}");
        }
    }
}
