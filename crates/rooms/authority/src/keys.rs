//! Making keys. An elliptic key takes microseconds and is made where it is wanted; an RSA key takes up to seconds and is made on
//! threads of its own, a few at once, with a bound on those that wait.

use std::sync::Arc;

use signet_crypto::sign::{KeyType, SigningKey};
use signet_model::{Entropy, Refusal};
use tokio::sync::{Semaphore, oneshot};

use crate::internal;
use crate::reasons::{KEY_QUEUE_FULL, RANDOM_UNAVAILABLE};

/// RSA keys that are made at once.
const AT_ONCE: usize = 2;
/// RSA keys that are made or waited for.
const MOST_WAITING: usize = 64;

/// Makes keys.
pub(crate) struct KeyMaker {
    entropy: Arc<dyn Entropy>,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl KeyMaker {
    pub(crate) fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self { entropy, running: Arc::new(Semaphore::new(AT_ONCE)), waiting: Arc::new(Semaphore::new(MOST_WAITING)) }
    }

    /// A new key.
    ///
    /// # Errors
    /// `key.queue-full`, and `random.unavailable` when the random source gives no key.
    pub(crate) async fn generate(&self, kind: KeyType) -> Result<SigningKey, Refusal> {
        let unavailable = |error| {
            tracing::error!(event = "random.unavailable", %error);
            Refusal::new(&RANDOM_UNAVAILABLE, "no key could be made")
        };
        match kind {
            KeyType::P256 | KeyType::P384 | KeyType::Ed25519 => SigningKey::generate(kind, self.entropy.as_ref()).map_err(unavailable),
            KeyType::Rsa2048 | KeyType::Rsa3072 | KeyType::Rsa4096 => {
                let full = |_| Refusal::new(&KEY_QUEUE_FULL, format!("{MOST_WAITING} RSA keys are being made or waited for"));
                let _place = Arc::clone(&self.waiting).try_acquire_owned().map_err(full)?;
                let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|error| internal(&error))?;
                let entropy = Arc::clone(&self.entropy);
                let (tell, made) = oneshot::channel();
                let work = move || {
                    // The turn ends with the work, also when nobody waits for it any more.
                    let _turn = turn;
                    let _ = tell.send(SigningKey::generate(kind, entropy.as_ref()));
                };
                std::thread::Builder::new().name("rsa-key".to_owned()).spawn(work).map_err(|error| internal(&error))?;
                made.await.map_err(|error| internal(&error))?.map_err(unavailable)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use signet_crypto::SystemEntropy;
    use signet_crypto::sign::{Algorithm, Signer as _};

    use super::*;

    struct Stuck;

    impl Entropy for Stuck {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    #[tokio::test]
    async fn every_kind_is_made() {
        let keys = KeyMaker::new(Arc::new(SystemEntropy));
        for kind in [KeyType::P256, KeyType::P384, KeyType::Ed25519, KeyType::Rsa2048] {
            assert_eq!(keys.generate(kind).await.unwrap().algorithm(), kind.algorithm());
        }
        assert_eq!(keys.generate(KeyType::Rsa2048).await.unwrap().algorithm(), Algorithm::RsaPkcs1Sha256);
    }

    #[tokio::test]
    async fn a_random_source_that_gives_no_key_stops_it() {
        let refusal = KeyMaker::new(Arc::new(Stuck)).generate(KeyType::P256).await.unwrap_err();
        assert_eq!(refusal.reason.code, "random.unavailable");
    }

    #[tokio::test]
    async fn only_so_many_rsa_keys_wait() {
        let keys = KeyMaker::new(Arc::new(SystemEntropy));
        let all = Arc::clone(&keys.waiting).acquire_many_owned(u32::try_from(MOST_WAITING).unwrap()).await.unwrap();
        assert_eq!(keys.generate(KeyType::Rsa2048).await.unwrap_err().reason.code, "key.queue-full");
        assert!(keys.generate(KeyType::P256).await.is_ok());
        drop(all);
        assert!(keys.generate(KeyType::Rsa2048).await.is_ok());
    }
}
