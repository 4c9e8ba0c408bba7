//! AES-256-GCM with associated data (NIST SP 800-38D): random 96-bit nonce, ciphertext, 128-bit tag, in one piece.
//!
//! A random nonce bounds one key to 2^32 messages. What is sealed under such a key here are keys at start and rotation; a
//! surface that seals per request must derive a key per message instead.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use signet_model::Entropy;
use zeroize::Zeroizing;

use crate::Secret;

/// Length of a key in bytes.
pub const KEY_LEN: usize = 32;
/// Length of the nonce in front.
const NONCE_LEN: usize = 12;
/// Length of the tag behind.
const TAG_LEN: usize = 16;
/// By how much the sealed form is longer than the plain one.
pub const OVERHEAD: usize = NONCE_LEN + TAG_LEN;

/// Why nothing was sealed or opened. Deliberately without detail: which check failed would help only a forger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AeadError {
    /// Altered, cut, another key or other associated data.
    #[error("the sealed bytes do not open")]
    Unopened,
    /// AWS-LC refused to seal (a plaintext of 64 GiB or more).
    #[error("the bytes could not be sealed")]
    Unsealed,
}

/// An AES-256-GCM key.
pub struct Key(RandomizedNonceKey);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// A new key from `entropy`.
    ///
    /// # Errors
    /// As [`Key::from_bytes`].
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, AeadError> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        entropy.fill(bytes.as_mut());
        Self::from_bytes(&bytes)
    }

    /// The key with these bytes.
    ///
    /// # Errors
    /// [`AeadError::Unsealed`] when AWS-LC cannot set the key up.
    pub fn from_bytes(bytes: &[u8; KEY_LEN]) -> Result<Self, AeadError> {
        RandomizedNonceKey::new(&AES_256_GCM, bytes).map(Self).map_err(|_| AeadError::Unsealed)
    }

    /// Seals `plain`, bound to `associated`: nonce, ciphertext, tag.
    ///
    /// # Errors
    /// [`AeadError::Unsealed`] when AWS-LC refuses.
    pub fn seal(&self, associated: &[u8], plain: &[u8]) -> Result<Vec<u8>, AeadError> {
        let mut sealed = Vec::with_capacity(plain.len().saturating_add(OVERHEAD));
        sealed.extend_from_slice(&[0; NONCE_LEN]);
        sealed.extend_from_slice(plain);
        let (head, body) = sealed.split_at_mut_checked(NONCE_LEN).ok_or(AeadError::Unsealed)?;
        let (nonce, tag) = self.0.seal_in_place_separate_tag(Aad::from(associated), body).map_err(|_| AeadError::Unsealed)?;
        head.copy_from_slice(nonce.as_ref());
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what [`Key::seal`] made with the same `associated` data.
    ///
    /// # Errors
    /// [`AeadError::Unopened`] when one bit differs.
    pub fn open(&self, associated: &[u8], sealed: &[u8]) -> Result<Secret, AeadError> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(AeadError::Unopened)?;
        let plain_len = body.len().checked_sub(TAG_LEN).ok_or(AeadError::Unopened)?;
        let mut body = Zeroizing::new(body.to_vec());
        self.0.open_in_place(Nonce::from(nonce), Aad::from(associated), &mut body).map_err(|_| AeadError::Unopened)?;
        body.truncate(plain_len);
        Ok(Secret::from(std::mem::take(&mut *body)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::SystemEntropy;

    fn key() -> Key {
        Key::generate(&SystemEntropy).unwrap()
    }

    #[test]
    fn it_opens_the_gcm_specification_vector() {
        // McGrew and Viega, test case 14 (AES-256, one zero block).
        let sealed = [
            &[0; 12][..],
            &[0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18],
            &[0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19],
        ]
        .concat();
        assert_eq!(Key::from_bytes(&[0; 32]).unwrap().open(b"", &sealed).unwrap().expose(), [0; 16]);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused() {
        let key = key();
        let sealed = key.seal(b"purpose", b"secret bytes").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.open(b"purpose", &altered).unwrap_err(), AeadError::Unopened, "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(key.open(b"purpose", &sealed[..length]).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn equal_plaintexts_are_sealed_differently() {
        let key = key();
        assert_ne!(key.seal(b"", b"x").unwrap(), key.seal(b"", b"x").unwrap());
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_with_its_key_and_data_only(plain: Vec<u8>, associated: Vec<u8>, other: Vec<u8>, flip: prop::sample::Index, bit in 0_u8..8) {
            let key = key();
            let sealed = key.seal(&associated, &plain).unwrap();
            prop_assert_eq!(sealed.len().checked_sub(plain.len()), Some(OVERHEAD));
            let opened = key.open(&associated, &sealed).unwrap();
            prop_assert_eq!(opened.expose(), &plain[..]);
            if other != associated {
                prop_assert!(key.open(&other, &sealed).is_err());
            }
            prop_assert!(self::key().open(&associated, &sealed).is_err());
            let mut altered = sealed;
            let at = flip.index(altered.len());
            altered[at] ^= 1 << bit;
            prop_assert!(key.open(&associated, &altered).is_err());
        }
    }
}
