//! ECDSA keys (FIPS 186-5): P-256 with SHA-256, which every TLS peer verifies, and P-384 with SHA-384.

use std::fmt;
use std::marker::PhantomData;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _,
};
use signet_model::Entropy;
use zeroize::Zeroizing;

use super::{Algorithm, SignError, Signer};
use crate::Secret;

/// A random scalar is outside the group's order once in 2^32 draws at most; four misses in a row are a broken source.
const DRAWS: usize = 4;

/// What distinguishes one curve from another here.
pub trait Curve: Send + Sync + 'static {
    /// How its keys sign.
    const ALGORITHM: Algorithm;
    /// Bytes of a scalar.
    const SCALAR: usize;
    /// ECPrivateKey (RFC 5915) up to the scalar.
    const SEC1_HEAD: &'static [u8];
    /// What follows the scalar: the curve's name, no public key.
    const SEC1_TAIL: &'static [u8];
    /// What a key of it is called in errors.
    const WANTED: SignError;
    /// AWS-LC's name of the algorithm.
    const AWS_LC: &'static EcdsaSigningAlgorithm;
}

/// The curve P-256, alias prime256v1 or secp256r1.
#[derive(Debug)]
pub enum P256 {}

impl Curve for P256 {
    const ALGORITHM: Algorithm = Algorithm::EcdsaP256;
    const SCALAR: usize = 32;
    const SEC1_HEAD: &'static [u8] = &[0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20];
    const SEC1_TAIL: &'static [u8] = &[0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    const WANTED: SignError = SignError::NotAKey("private key of P-256");
    const AWS_LC: &'static EcdsaSigningAlgorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
}

/// The curve P-384, alias secp384r1.
#[derive(Debug)]
pub enum P384 {}

impl Curve for P384 {
    const ALGORITHM: Algorithm = Algorithm::EcdsaP384;
    const SCALAR: usize = 48;
    const SEC1_HEAD: &'static [u8] = &[0x30, 0x3e, 0x02, 0x01, 0x01, 0x04, 0x30];
    const SEC1_TAIL: &'static [u8] = &[0xa0, 0x07, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
    const WANTED: SignError = SignError::NotAKey("private key of P-384");
    const AWS_LC: &'static EcdsaSigningAlgorithm = &ECDSA_P384_SHA384_ASN1_SIGNING;
}

/// A P-256 private key in memory.
pub type P256Key = EcKey<P256>;
/// A P-384 private key in memory.
pub type P384Key = EcKey<P384>;

/// A private key on the curve `C` in memory.
pub struct EcKey<C: Curve> {
    pair: EcdsaKeyPair,
    pkcs8: Secret,
    spki: Vec<u8>,
    curve: PhantomData<C>,
}

impl<C: Curve> EcKey<C> {
    /// A new key whose scalar comes from `entropy`, by rejection (FIPS 186-5 A.2.2).
    ///
    /// # Errors
    /// [`SignError::NotAKey`] when `entropy` gives no usable scalar.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, SignError> {
        for _ in 0..DRAWS {
            let mut scalar = Zeroizing::new(vec![0; C::SCALAR]);
            entropy.fill(scalar.as_mut());
            let sec1 = Secret::from([C::SEC1_HEAD, &scalar[..], C::SEC1_TAIL].concat());
            if let Ok(key) = Self::from_der(&sec1) {
                return Ok(key);
            }
        }
        Err(SignError::NotAKey("random scalar of the curve"))
    }

    /// The key of a PKCS#8 PrivateKeyInfo (RFC 5208, RFC 5915).
    ///
    /// # Errors
    /// [`SignError::NotAKey`] when it is anything else.
    pub fn from_pkcs8(pkcs8: &Secret) -> Result<Self, SignError> {
        Self::of(EcdsaKeyPair::from_pkcs8(C::AWS_LC, pkcs8.expose()))
    }

    /// The key of a PKCS#8 PrivateKeyInfo or of a bare ECPrivateKey (SEC 1, RFC 5915).
    ///
    /// # Errors
    /// [`SignError::NotAKey`] when it is neither, or on another curve.
    pub fn from_der(der: &Secret) -> Result<Self, SignError> {
        Self::of(EcdsaKeyPair::from_private_key_der(C::AWS_LC, der.expose()))
    }

    fn of<E>(pair: Result<EcdsaKeyPair, E>) -> Result<Self, SignError> {
        let pair = pair.map_err(|_| C::WANTED)?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| C::WANTED)?;
        let spki = pair.public_key().as_der().map_err(|_| C::WANTED)?.as_ref().to_vec();
        Ok(Self { pair, pkcs8: Secret::from(pkcs8.as_ref()), spki, curve: PhantomData })
    }

    /// PKCS#8 PrivateKeyInfo, version 1.
    pub fn to_pkcs8(&self) -> Secret {
        self.pkcs8.duplicate()
    }
}

impl<C: Curve> fmt::Debug for EcKey<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EcKey({:?}, ..)", C::ALGORITHM)
    }
}

impl<C: Curve> Signer for EcKey<C> {
    fn algorithm(&self) -> Algorithm {
        C::ALGORITHM
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
    use super::*;
    use crate::SystemEntropy;
    use crate::sign::{SignatureAlgorithm, verify_signature};

    struct Constant(u8);

    impl Entropy for Constant {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    fn a_signature_verifies_for_its_message_and_key_only<C: Curve>() {
        let (key, other) = (EcKey::<C>::generate(&SystemEntropy).unwrap(), EcKey::<C>::generate(&SystemEntropy).unwrap());
        let signature = key.sign(b"message").unwrap();
        let verify = |key: &EcKey<C>, message| {
            verify_signature(&key.public_key_spki_der(), SignatureAlgorithm::from(C::ALGORITHM), message, &signature)
        };
        assert_eq!(verify(&key, b"message"), Ok(()));
        assert!(verify(&key, b"massage").is_err() && verify(&other, b"message").is_err());
    }

    fn a_key_survives_pkcs8_and_sec1<C: Curve>() {
        let key = EcKey::<C>::generate(&SystemEntropy).unwrap();
        let read = EcKey::<C>::from_pkcs8(&key.to_pkcs8()).unwrap();
        assert_eq!(read.public_key_spki_der(), key.public_key_spki_der());
        let sec1 = Secret::from([C::SEC1_HEAD, &vec![7; C::SCALAR], C::SEC1_TAIL].concat());
        let from_sec1 = EcKey::<C>::from_der(&sec1).unwrap();
        assert_eq!(from_sec1.public_key_spki_der(), EcKey::<C>::generate(&Constant(7)).unwrap().public_key_spki_der());
        assert!(EcKey::<C>::from_pkcs8(&sec1).is_err());
    }

    fn a_broken_random_source_gives_no_key<C: Curve>() {
        assert!(EcKey::<C>::generate(&Constant(0)).is_err(), "zero is no scalar");
        assert!(EcKey::<C>::generate(&Constant(0xff)).is_err(), "above the order of the group");
    }

    #[test]
    fn both_curves_behave() {
        a_signature_verifies_for_its_message_and_key_only::<P256>();
        a_signature_verifies_for_its_message_and_key_only::<P384>();
        a_key_survives_pkcs8_and_sec1::<P256>();
        a_key_survives_pkcs8_and_sec1::<P384>();
        a_broken_random_source_gives_no_key::<P256>();
        a_broken_random_source_gives_no_key::<P384>();
    }

    #[test]
    fn other_keys_are_refused() {
        let ed25519 = crate::sign::Ed25519Key::generate(&SystemEntropy).unwrap();
        assert!(P256Key::from_der(&ed25519.to_pkcs8()).is_err());
        assert!(P256Key::from_der(&P384Key::generate(&SystemEntropy).unwrap().to_pkcs8()).is_err(), "another curve");
        assert!(P256Key::from_der(&Secret::from("")).is_err());
    }
}
