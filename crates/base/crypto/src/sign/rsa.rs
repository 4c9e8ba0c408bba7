//! RSA keys of 2048 to 4096 bits with PKCS#1 v1.5 and SHA-256 (RFC 8017): what profile `kaa` and old peers want.

use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};

use super::{Algorithm, SignError, Signer};
use crate::Secret;

/// The largest modulus in bytes: 4096 bits. A larger one costs each peer more than it gives.
const LARGEST: usize = 512;
const WANTED: SignError = SignError::NotAKey("private key of RSA with 2048 to 4096 bits");

/// An RSA private key in memory.
pub struct RsaKey {
    pair: KeyPair,
    pkcs8: Secret,
    spki: Vec<u8>,
}

impl RsaKey {
    /// A new key with the exponent 65537. Its primes come from AWS-LC's own generator: the library takes no other.
    ///
    /// # Errors
    /// [`SignError::Failed`] when AWS-LC finds no key.
    pub(super) fn generate(size: KeySize) -> Result<Self, SignError> {
        Self::of(KeyPair::generate(size).map_err(|_| SignError::Failed)?)
    }

    /// The key of a PKCS#8 PrivateKeyInfo, or of a bare RSAPrivateKey (PKCS#1, RFC 8017 appendix A.1.2).
    ///
    /// # Errors
    /// [`SignError::NotAKey`] when it is neither, below 2048 or above 4096 bits.
    pub fn from_der(der: &Secret) -> Result<Self, SignError> {
        let der = der.expose();
        Self::of(KeyPair::from_pkcs8(der).or_else(|_| KeyPair::from_der(der)).map_err(|_| WANTED)?)
    }

    fn of(pair: KeyPair) -> Result<Self, SignError> {
        if pair.public_modulus_len() > LARGEST {
            return Err(WANTED);
        }
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| WANTED)?;
        let pkcs8 = Secret::from(pkcs8.as_ref());
        let spki = pair.public_key().as_der().map_err(|_| WANTED)?.as_ref().to_vec();
        Ok(Self { pair, pkcs8, spki })
    }

    /// PKCS#8 PrivateKeyInfo, version 1.
    pub fn to_pkcs8(&self) -> Secret {
        self.pkcs8.duplicate()
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaKey(..)")
    }
}

impl Signer for RsaKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RsaPkcs1Sha256
    }

    fn public_key_spki_der(&self) -> Vec<u8> {
        self.spki.clone()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map_err(|_| SignError::Failed)?;
        Ok(signature)
    }
}
