//! ECDSA on P-256 with SHA-256: what certificates of a data directory are signed with, since every TLS peer verifies it.

use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use signet_model::Entropy;
use zeroize::Zeroizing;

use super::{Algorithm, SignError, Signer};
use crate::Secret;

/// ECPrivateKey (RFC 5915) up to the 32 bytes of the scalar, and what follows: the curve's name, no public key.
const SEC1_HEAD: [u8; 7] = [0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20];
const SEC1_TAIL: [u8; 12] = [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// A random scalar is outside the group's order once in 2^32 draws; four misses in a row are a broken source.
const DRAWS: usize = 4;

/// A P-256 private key in memory.
pub struct P256Key {
    pair: EcdsaKeyPair,
    pkcs8: Secret,
    spki: Vec<u8>,
}

impl P256Key {
    /// A new key whose scalar comes from `entropy`, by rejection (FIPS 186-5 A.2.2).
    ///
    /// # Errors
    /// [`SignError::NotAKey`] when `entropy` gives no usable scalar.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, SignError> {
        for _ in 0..DRAWS {
            let mut scalar = Zeroizing::new([0; 32]);
            entropy.fill(scalar.as_mut());
            let sec1 = Secret::from([&SEC1_HEAD[..], &scalar[..], &SEC1_TAIL].concat());
            if let Ok(key) = Self::from_der(&sec1) {
                return Ok(key);
            }
        }
        Err(SignError::NotAKey("random scalar of P-256"))
    }

    /// The key of a PKCS#8 PrivateKeyInfo (RFC 5208, RFC 5915).
    ///
    /// # Errors
    /// [`SignError::NotAKey`] when it is anything else.
    pub fn from_pkcs8(pkcs8: &Secret) -> Result<Self, SignError> {
        Self::of(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.expose()))
    }

    /// The key of a PKCS#8 PrivateKeyInfo or of a bare ECPrivateKey (SEC 1, RFC 5915).
    ///
    /// # Errors
    /// [`SignError::NotAKey`] when it is neither, or on another curve.
    pub fn from_der(der: &Secret) -> Result<Self, SignError> {
        Self::of(EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, der.expose()))
    }

    fn of<E>(pair: Result<EcdsaKeyPair, E>) -> Result<Self, SignError> {
        const WANTED: SignError = SignError::NotAKey("private key of P-256");
        let pair = pair.map_err(|_| WANTED)?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| WANTED)?;
        let spki = pair.public_key().as_der().map_err(|_| WANTED)?.as_ref().to_vec();
        Ok(Self { pair, pkcs8: Secret::from(pkcs8.as_ref()), spki })
    }

    /// PKCS#8 PrivateKeyInfo, version 1.
    pub fn to_pkcs8(&self) -> Secret {
        self.pkcs8.duplicate()
    }
}

impl fmt::Debug for P256Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("P256Key(..)")
    }
}

impl Signer for P256Key {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EcdsaP256
    }

    fn public_key_spki_der(&self) -> Vec<u8> {
        self.spki.clone()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.pair.sign(&SystemRandom::new(), message).map(|signature| signature.as_ref().to_vec()).map_err(|_| SignError::Failed)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

    use super::*;
    use crate::SystemEntropy;

    struct Constant(u8);

    impl Entropy for Constant {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    fn verifies(key: &P256Key, message: &[u8], signature: &[u8]) -> bool {
        let spki = key.public_key_spki_der();
        let point = spki.last_chunk::<65>().unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature).is_ok()
    }

    #[test]
    fn a_signature_verifies_for_its_message_and_key_only() {
        let (key, other) = (P256Key::generate(&SystemEntropy).unwrap(), P256Key::generate(&SystemEntropy).unwrap());
        let signature = key.sign(b"message").unwrap();
        assert!(verifies(&key, b"message", &signature));
        assert!(!verifies(&key, b"massage", &signature) && !verifies(&other, b"message", &signature));
    }

    #[test]
    fn a_key_survives_pkcs8_and_sec1() {
        let key = P256Key::generate(&SystemEntropy).unwrap();
        let read = P256Key::from_pkcs8(&key.to_pkcs8()).unwrap();
        assert_eq!(read.public_key_spki_der(), key.public_key_spki_der());
        let scalar = [7_u8; 32];
        let sec1 = Secret::from([&SEC1_HEAD[..], &scalar, &SEC1_TAIL].concat());
        let from_sec1 = P256Key::from_der(&sec1).unwrap();
        assert_eq!(from_sec1.public_key_spki_der(), P256Key::generate(&Constant(7)).unwrap().public_key_spki_der());
        assert!(P256Key::from_pkcs8(&sec1).is_err());
    }

    #[test]
    fn a_broken_random_source_gives_no_key() {
        assert!(P256Key::generate(&Constant(0)).is_err(), "zero is no scalar");
        assert!(P256Key::generate(&Constant(0xff)).is_err(), "above the order of the group");
    }

    #[test]
    fn other_keys_are_refused() {
        let ed25519 = crate::sign::Ed25519Key::generate(&SystemEntropy).unwrap();
        assert!(P256Key::from_der(&ed25519.to_pkcs8()).is_err());
        assert!(P256Key::from_der(&Secret::from("")).is_err());
    }
}
