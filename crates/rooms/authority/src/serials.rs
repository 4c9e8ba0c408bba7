//! Serial numbers of certificates, drawn at random; a random source that stands still is noticed, and nothing is issued then.

use std::sync::Arc;

use parking_lot::Mutex;
use signet_model::{Entropy, Refusal};
use signet_pki::{Serial, SerialLength};

use crate::reasons::RANDOM_UNAVAILABLE;

/// Where serial numbers come from.
pub(crate) struct Serials {
    entropy: Arc<dyn Entropy>,
    last: Mutex<Option<Serial>>,
}

impl Serials {
    pub(crate) fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self { entropy, last: Mutex::new(None) }
    }

    /// Another number.
    ///
    /// # Errors
    /// `random.unavailable` when it is the one before.
    pub(crate) fn draw(&self, length: SerialLength) -> Result<Serial, Refusal> {
        let serial = Serial::random(self.entropy.as_ref(), length);
        let before = self.last.lock().replace(serial.clone());
        if before.as_ref() == Some(&serial) {
            tracing::error!(event = "random.unavailable", "two serial numbers in a row are the same");
            return Err(Refusal::new(&RANDOM_UNAVAILABLE, "the random source gave the same serial number twice"));
        }
        Ok(serial)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use signet_crypto::SystemEntropy;

    use super::*;

    struct Stuck;

    impl Entropy for Stuck {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    #[test]
    fn fifty_thousand_numbers_of_two_processes_are_positive_and_none_comes_twice() {
        let processes = [Serials::new(Arc::new(SystemEntropy)), Serials::new(Arc::new(SystemEntropy))];
        let draw = |serials: &Serials, length| (0..12_500).map(|_| serials.draw(length).unwrap()).collect::<Vec<_>>();
        let lengths = [SerialLength::Sixteen, SerialLength::Twenty];
        let drawn: Vec<Serial> = processes.iter().flat_map(|serials| lengths.map(|length| draw(serials, length)).concat()).collect();
        assert!(drawn.iter().all(|serial| !serial.is_negative() && serial.magnitude().len() >= 16));
        let der_is_positive = |serial: &Serial| serial.to_der_bytes().first().is_some_and(|first| first & 0x80 == 0);
        assert!(drawn.iter().all(der_is_positive));
        let different: HashSet<String> = drawn.iter().map(Serial::decimal).collect();
        assert_eq!((drawn.len(), different.len()), (50_000, 50_000));
    }

    #[test]
    fn a_random_source_that_stands_still_gives_no_second_number() {
        let serials = Serials::new(Arc::new(Stuck));
        assert!(serials.draw(SerialLength::Sixteen).is_ok());
        assert_eq!(serials.draw(SerialLength::Sixteen).unwrap_err().reason.code, "random.unavailable");
    }
}
