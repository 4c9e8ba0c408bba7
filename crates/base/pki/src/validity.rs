//! From when to when a certificate holds.

use std::time::Duration;

use signet_model::Timestamp;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// From when to when a certificate holds. Certificates carry whole seconds; fractions are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first instant.
    pub not_before: Timestamp,
    /// The last instant.
    pub not_after: Timestamp,
}

impl Validity {
    /// `days` from now, and one hour back for peers whose clocks are behind.
    pub fn days(now: Timestamp, days: u32) -> Self {
        let back = i64::try_from(HOUR.as_micros()).unwrap_or(0);
        Self { not_before: Timestamp::from_micros(now.micros().saturating_sub(back)), not_after: now.plus(DAY.saturating_mul(days)) }
    }

    /// Of a data directory's own authority: 10 years.
    pub fn authority(now: Timestamp) -> Self {
        Self::days(now, 3652)
    }

    /// Of a server certificate: 90 days.
    pub fn server_leaf(now: Timestamp) -> Self {
        Self::days(now, 90)
    }
}
