//! What one call of Kaa's world is known by in every service that it reaches (`kaa.md` 2.4, 17.3).

use std::fmt;
use std::str::FromStr;

use crate::id::xid;
use crate::{Entropy, Timestamp};

/// A correlation id: taken over from a caller as it is, or an xid of ours. Opaque, safe for logs, not a secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CorrelationId(String);

/// A text that is no correlation id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorrelationFormatError;

impl fmt::Display for CorrelationFormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a correlation id: wanted 1 to {} characters, none of them a control character", CorrelationId::LONGEST)
    }
}
impl std::error::Error for CorrelationFormatError {}

impl CorrelationId {
    /// Longest one that is taken over, in characters.
    pub const LONGEST: usize = 255;

    /// A new one, as Kaa's own services make them: an xid.
    pub fn generate(now: Timestamp, entropy: &dyn Entropy) -> Self {
        Self(xid(now, entropy))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CorrelationId {
    type Err = CorrelationFormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=Self::LONGEST).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(CorrelationFormatError) }
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zero;
    impl Entropy for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    #[test]
    fn whatever_peers_use_is_taken_over_and_nothing_that_could_forge_a_log_line() {
        for good in ["c1", "br7si8mg10l7an82que0", "2f1c0f6e-7c1e-4f0e-9a53-6f1d6a1b2c3d", "Süd 7", &"x".repeat(255)] {
            assert_eq!(good.parse::<CorrelationId>().map(|id| id.to_string()).as_deref(), Ok(good));
        }
        for bad in ["", "a\nb", "a\0b", "\u{7f}", &"x".repeat(256)] {
            assert_eq!(bad.parse::<CorrelationId>(), Err(CorrelationFormatError), "{bad:?}");
        }
        let made = CorrelationId::generate(Timestamp::EPOCH, &Zero);
        assert_eq!(made.as_str(), "0".repeat(20));
    }
}
