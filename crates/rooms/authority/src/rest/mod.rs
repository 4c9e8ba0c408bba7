//! The room's routes, one file per noun, and here what they share. Handlers read the request into checked values, call the domain,
//! and write the answer; nothing is decided here.

mod anchors;
mod ca;
mod certificates;
mod forecast;
mod inventory;
mod rules;

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use signet_http::Route;
use signet_model::{Refusal, kinds, log_text};
use signet_pki::pem;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use crate::AuthorityRoom;

/// Longest lifetime or window that a request may name.
const LONGEST_SPAN: Duration = Duration::from_secs(100 * 366 * 86_400);

pub(crate) fn routes(room: &Arc<AuthorityRoom>) -> Vec<Route> {
    let parts = [
        certificates::routes(room),
        inventory::routes(room),
        forecast::routes(room),
        ca::routes(room),
        rules::routes(room),
        anchors::routes(room),
    ];
    parts.into_iter().flatten().collect()
}

/// A certificate as PEM.
fn pem_of(der: &[u8]) -> String {
    pem::write_certificate(&CertificateDer::from(der))
}

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A length of time such as `90d`: a whole number and s, m, h or d.
fn span(member: &str, text: &str) -> Result<Duration, Refusal> {
    let refuse = || {
        let detail = format!("`{member}`: wanted a whole number and s, m, h or d, of at most 100 years, got `{}`", log_text(text, 32));
        Refusal::new(&kinds::INPUT_INVALID, detail)
    };
    let unit = text.chars().next_back().ok_or_else(refuse)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(refuse()),
    };
    let digits = text.strip_suffix(unit).unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refuse());
    }
    let span = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds)).map(Duration::from_secs);
    span.filter(|span| *span <= LONGEST_SPAN).ok_or_else(refuse)
}

/// The schema of a text that is one of `words`.
fn one_of(words: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_whole_number_and_a_unit() {
        for (text, seconds) in [("0s", 0), ("90d", 7_776_000), ("24h", 86_400), ("5m", 300), ("36600d", 3_162_240_000)] {
            assert_eq!(span("ttl", text).unwrap().as_secs(), seconds, "{text}");
        }
        for text in ["", "d", "1", "1.5h", "-1d", "+1d", "1 d", "1w", "36601d", "99999999999999999999d", "1\u{e4}"] {
            assert_eq!(span("ttl", text).unwrap_err().reason.code, "input.invalid", "{text}");
        }
    }
}
