//! Signing without showing the key (design 12): the trait that CA, ledger and token signer use, and its software form.

mod any;
mod ecdsa;
mod ed25519;
mod key;
mod passphrase;
mod rsa;
mod verify;

pub use any::public_key_of;
pub use ecdsa::{Curve, EcKey, P256, P256Key, P384, P384Key};
pub use ed25519::{Ed25519Key, Ed25519Public};
pub use key::{KeyType, KeyTypeError, SigningKey};
pub use passphrase::seal_with_passphrase;
pub use rsa::RsaKey;
pub use verify::{P256_SPKI_HEAD, P384_SPKI_HEAD, SignatureAlgorithm, decompress_point, usable_public_key, verify_signature};

/// What a key signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519 (RFC 8032); signatures are 64 raw bytes.
    Ed25519,
    /// ECDSA on P-256 with SHA-256 (FIPS 186-5); signatures are DER, as X.509 wants them (RFC 3279 section 2.2.3).
    EcdsaP256,
    /// ECDSA on P-384 with SHA-384; signatures are DER.
    EcdsaP384,
    /// RSA PKCS#1 v1.5 with SHA-256 (RFC 8017 section 8.2); signatures are as long as the modulus.
    RsaPkcs1Sha256,
}

/// A private key that signs, wherever it lives.
pub trait Signer: Send + Sync {
    /// How it signs.
    fn algorithm(&self) -> Algorithm;

    /// The public half as DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7).
    fn public_key_spki_der(&self) -> Vec<u8>;

    /// Signs `message`, which is hashed by the algorithm itself.
    ///
    /// # Errors
    /// [`SignError::Failed`] when the key cannot be used.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// Why a key could not be read or used. Never holds key material.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The bytes are no private key of the wanted kind.
    #[error("not a {0}")]
    NotAKey(&'static str),
    /// Signing failed.
    #[error("the signature could not be made")]
    Failed,
    /// The key did not make the signature.
    #[error("the signature is not by that key over that message")]
    BadSignature,
}
