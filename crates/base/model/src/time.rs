//! Instants as integer microseconds since the Unix epoch; RFC 3339 on the wire.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds since 1970-01-01T00:00:00Z. Stored as a 64-bit integer, written as RFC 3339 with six decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is no RFC 3339 date-time (RFC 3339 section 5.6), or one of a time that is not supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeFormatError {
    text: String,
    out_of_range: bool,
}

impl fmt::Display for TimeFormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.out_of_range {
            write!(f, "{} is not between -009999-01-02T01:59:59Z and 9999-12-30T22:00:00Z", self.text)
        } else {
            write!(f, "not an RFC 3339 time: {}", self.text)
        }
    }
}
impl std::error::Error for TimeFormatError {}

impl Timestamp {
    /// The epoch itself.
    pub const EPOCH: Self = Self(0);

    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From milliseconds since the epoch, as Kaa's messages carry them; saturates.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// This instant and `later`; saturates at the ends of the range.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(later.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Time from `earlier` to this instant; zero when the clock went backwards.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => write!(f, "{time:.6}"),
            // Outside jiff's years -9999 to 9999: still readable, never a panic.
            Err(_) => write!(f, "@{}us", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimeFormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed: jiff::Timestamp = text.parse().map_err(|_| {
            // The last hours of the year 9999 are well-formed and beyond what is kept, so that every time has a date in every zone.
            let local = text.strip_suffix(['Z', 'z']).or_else(|| text.len().checked_sub(6).and_then(|end| text.get(..end)));
            let out_of_range = local.is_some_and(|local| local.parse::<jiff::civil::DateTime>().is_ok()) && text.len() > 10;
            TimeFormatError { text: text.chars().take(64).collect(), out_of_range }
        })?;
        Ok(Self(parsed.as_microsecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Where a domain function learns the time. The system clock lives in the binary, a fake one in the tests.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_six_decimals_and_read_back() {
        let time = Timestamp::from_micros(1_583_066_822_247_462);
        assert_eq!(time.to_string(), "2020-03-01T12:47:02.247462Z");
        assert_eq!("2020-03-01T12:47:02.247462Z".parse(), Ok(time));
        assert_eq!(Timestamp::EPOCH.to_string(), "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn odd_times_are_refused_or_survived() {
        for (text, said) in [
            ("yesterday", "not an RFC 3339 time"),
            ("2027-01-31", "not an RFC 3339 time"),
            ("2027-02-30T00:00:00Z", "not an RFC 3339 time"),
            ("9999-12-31T23:59:59Z", "is not between"),
            ("9999-12-31T23:59:59+00:00", "is not between"),
        ] {
            let error = text.parse::<Timestamp>().unwrap_err().to_string();
            assert!(error.contains(said) && error.contains(text), "{error}");
        }
        assert!(Timestamp::from_micros(i64::MAX).to_string().starts_with('@'));
        assert_eq!(Timestamp::EPOCH.since(Timestamp::from_micros(5)), Duration::ZERO);
        assert_eq!(Timestamp::from_millis(-1).millis(), -1);
    }
}
