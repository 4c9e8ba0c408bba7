//! Doubles for time and randomness. They make a run repeatable; neither is fit for anything but tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use signet_model::{Clock, Entropy, Timestamp};

/// A clock that moves only when told. Clones share the same time.
#[derive(Clone, Debug)]
pub struct FakeClock(Arc<AtomicI64>);

impl FakeClock {
    /// 2026-01-01T00:00:00Z, where [`FakeClock::new`] starts.
    pub const START: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

    /// A clock at [`FakeClock::START`].
    pub fn new() -> Self {
        Self::at(Self::START)
    }

    /// A clock at this instant.
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.micros())))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }

    /// Moves the clock anywhere, also back.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.micros(), Ordering::SeqCst);
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Bytes from a seed (SplitMix64): the same seed gives the same bytes. Clones draw from the same stream.
#[derive(Clone, Debug)]
pub struct SeededEntropy(Arc<AtomicU64>);

impl SeededEntropy {
    /// A stream that begins at this seed.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        for chunk in bytes.chunks_mut(8) {
            let mut word = self.0.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
            word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            word ^= word >> 31;
            for (byte, drawn) in chunk.iter_mut().zip(word.to_le_bytes()) {
                *byte = drawn;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_clock_share_its_time() {
        let clock = FakeClock::new();
        let seen_by_the_room = clock.clone();
        assert_eq!(clock.now().to_string(), "2026-01-01T00:00:00.000000Z");
        clock.advance(Duration::from_secs(86_400));
        assert_eq!(seen_by_the_room.now().to_string(), "2026-01-02T00:00:00.000000Z");
        clock.set(Timestamp::EPOCH);
        assert_eq!(seen_by_the_room.now(), Timestamp::EPOCH);
    }

    #[test]
    fn one_seed_gives_one_stream_and_another_gives_another() {
        let draw = |seed| {
            let mut bytes = [0u8; 37];
            SeededEntropy::new(seed).fill(&mut bytes);
            bytes
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let stream = SeededEntropy::new(7);
        let (mut first, mut second) = ([0u8; 16], [0u8; 16]);
        stream.fill(&mut first);
        stream.fill(&mut second);
        assert_ne!(first, second);
    }
}
