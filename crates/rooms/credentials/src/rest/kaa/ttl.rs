//! How long a certificate is to live, as Kaa's callers write it: a duration of Go such as `8760h` or `1h30m`, or whole seconds.

use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// Longest duration, as in Go: 2^63 nanoseconds, 292 years.
const LONGEST_NANOS: u128 = 1 << 63;
/// Longest text that is looked at.
const LONGEST_TEXT: usize = 64;

/// A length of time above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ttl(pub(super) Duration);

const WANTED: &str = "a duration such as 8760h, 90m or 1h30m, or whole seconds, above zero and below 292 years";

impl<'de> Deserialize<'de> for Ttl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TtlVisitor)
    }
}

struct TtlVisitor;

impl Visitor<'_> for TtlVisitor {
    type Value = Ttl;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(WANTED)
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Ttl, E> {
        let nanos = u128::from(seconds).saturating_mul(1_000_000_000);
        above_zero(nanos).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(seconds), &self))
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Ttl, E> {
        match u64::try_from(seconds) {
            Ok(seconds) => self.visit_u64(seconds),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(seconds), &self)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Ttl, E> {
        let seconds = |text: &str| text.parse::<u64>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        let nanos = match seconds(text) {
            Some(seconds) => Some(u128::from(seconds).saturating_mul(1_000_000_000)),
            None => go_nanos(text),
        };
        nanos.and_then(above_zero).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

fn above_zero(nanos: u128) -> Option<Ttl> {
    if nanos == 0 || nanos >= LONGEST_NANOS {
        return None;
    }
    u64::try_from(nanos).ok().map(|nanos| Ttl(Duration::from_nanos(nanos)))
}

/// The nanoseconds of what Go's `time.ParseDuration` reads: numbers with a unit each, perhaps with a fraction.
fn go_nanos(text: &str) -> Option<u128> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.is_empty() || rest.len() > LONGEST_TEXT {
        return None;
    }
    let mut nanos = 0_u128;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let (unit, after) = after.split_at(after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len()));
        let unit: u128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        nanos = nanos.checked_add(whole.checked_mul(unit)?)?;
        // What further digits add is less than four microseconds.
        let fraction = fraction.get(..9.min(fraction.len()))?;
        if !fraction.is_empty() {
            let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
            let part: u128 = fraction.parse().ok()?;
            nanos = nanos.checked_add(part.checked_mul(unit)?.checked_div(scale)?)?;
        }
        rest = after;
    }
    Some(nanos)
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Duration> {
        serde_json::from_str::<Ttl>(json).ok().map(|Ttl(duration)| duration)
    }

    #[test]
    fn a_ttl_is_a_duration_of_go_or_whole_seconds() {
        for (json, seconds) in [
            ("\"8760h\"", 31_536_000.0),
            ("\"90m\"", 5_400.0),
            ("\"1h30m\"", 5_400.0),
            ("\"1.5h\"", 5_400.0),
            ("\".5h\"", 1_800.0),
            ("\"1.h\"", 3_600.0),
            ("\"+2m0s\"", 120.0),
            ("\"1h15m30.918273645s\"", 4_530.918_273_645),
            ("\"1500ms\"", 1.5),
            ("\"7us\"", 0.000_007),
            ("\"7µs\"", 0.000_007),
            ("3600", 3_600.0),
            ("\"3600\"", 3_600.0),
        ] {
            let duration = read(json).unwrap_or_else(|| panic!("{json}"));
            assert!((duration.as_secs_f64() - seconds).abs() < 1e-9, "{json}: {duration:?}");
        }
    }

    #[test]
    fn what_is_neither_or_not_above_zero_is_refused() {
        for json in [
            "0",
            "-5",
            "1.5",
            "null",
            "true",
            "[]",
            "{}",
            "\"\"",
            "\"0s\"",
            "\"0\"",
            "\"-1h\"",
            "\"1d\"",
            "\"1y\"",
            "\"h\"",
            "\"1h \"",
            "\"1 h\"",
            "\"1h30\"",
            "\".h\"",
            "\"1..5h\"",
            "\"1e3s\"",
            "\"0x10s\"",
            "\"3000000h\"",
            "9223372037",
            "18446744073709551615",
            "\"99999999999999999999999999999999999999999999h\"",
            "\"１h\"",
            "\"+\"",
            "\"+5\"",
        ] {
            assert_eq!(read(json), None, "{json}");
        }
        assert!(read(&format!("\"{}1h\"", "0".repeat(80))).is_none());
    }
}
