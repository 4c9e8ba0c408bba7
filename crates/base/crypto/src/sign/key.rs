//! A private key of any kind that signs certificates, and the kinds that can be made.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::rsa::KeySize;
use pkcs8::der::pem::{self, LineEnding};
use signet_model::Entropy;
use zeroize::Zeroizing;

use super::rsa::RsaKey;
use super::{Algorithm, Ed25519Key, P256Key, P384Key, SignError, Signer};
use crate::Secret;

/// A kind of key that can be made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// ECDSA on P-256, the default.
    P256,
    /// ECDSA on P-384.
    P384,
    /// Ed25519.
    Ed25519,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits.
    Rsa4096,
}

impl KeyType {
    /// Every kind, in the order in which help texts name them.
    pub const ALL: [Self; 6] = [Self::P256, Self::P384, Self::Ed25519, Self::Rsa2048, Self::Rsa3072, Self::Rsa4096];

    /// The name in commands and settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "p256",
            Self::P384 => "p384",
            Self::Ed25519 => "ed25519",
            Self::Rsa2048 => "rsa2048",
            Self::Rsa3072 => "rsa3072",
            Self::Rsa4096 => "rsa4096",
        }
    }

    /// What a key of this kind signs with.
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::P256 => Algorithm::EcdsaP256,
            Self::P384 => Algorithm::EcdsaP384,
            Self::Ed25519 => Algorithm::Ed25519,
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => Algorithm::RsaPkcs1Sha256,
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a kind of key: use p256, p384, ed25519, rsa2048, rsa3072 or rsa4096")]
pub struct KeyTypeError;

impl FromStr for KeyType {
    type Err = KeyTypeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(KeyTypeError)
    }
}

/// A private key in memory, of any kind that certificates are signed with.
#[derive(Debug)]
pub enum SigningKey {
    /// On P-256.
    P256(P256Key),
    /// On P-384.
    P384(P384Key),
    /// Ed25519.
    Ed25519(Ed25519Key),
    /// RSA of 2048 to 4096 bits.
    Rsa(RsaKey),
}

impl SigningKey {
    /// A new key. RSA primes come from AWS-LC's own generator, everything else from `entropy`.
    ///
    /// # Errors
    /// [`SignError::NotAKey`] when `entropy` is broken, [`SignError::Failed`] when AWS-LC finds no RSA key.
    pub fn generate(kind: KeyType, entropy: &dyn Entropy) -> Result<Self, SignError> {
        Ok(match kind {
            KeyType::P256 => Self::P256(P256Key::generate(entropy)?),
            KeyType::P384 => Self::P384(P384Key::generate(entropy)?),
            KeyType::Ed25519 => Self::Ed25519(Ed25519Key::generate(entropy)?),
            KeyType::Rsa2048 => Self::Rsa(RsaKey::generate(KeySize::Rsa2048)?),
            KeyType::Rsa3072 => Self::Rsa(RsaKey::generate(KeySize::Rsa3072)?),
            KeyType::Rsa4096 => Self::Rsa(RsaKey::generate(KeySize::Rsa4096)?),
        })
    }

    /// The key in `der`: PKCS#8 of any kind, SEC 1 on P-256 or P-384, PKCS#1.
    ///
    /// # Errors
    /// [`SignError::NotAKey`] for any other key or form.
    pub fn from_private_der(der: &Secret) -> Result<Self, SignError> {
        P256Key::from_der(der)
            .map(Self::P256)
            .or_else(|_| P384Key::from_der(der).map(Self::P384))
            .or_else(|_| Ed25519Key::from_pkcs8(der).map(Self::Ed25519))
            .or_else(|_| RsaKey::from_der(der).map(Self::Rsa))
            .map_err(|_| SignError::NotAKey("private key of P-256, P-384, Ed25519 or RSA with 2048 to 4096 bits"))
    }

    /// PKCS#8 PrivateKeyInfo, version 1.
    pub fn to_pkcs8(&self) -> Secret {
        match self {
            Self::P256(key) => key.to_pkcs8(),
            Self::P384(key) => key.to_pkcs8(),
            Self::Ed25519(key) => key.to_pkcs8(),
            Self::Rsa(key) => key.to_pkcs8(),
        }
    }

    /// The same as PEM with the label `PRIVATE KEY`.
    ///
    /// # Errors
    /// [`SignError::Failed`] when the text cannot be written.
    pub fn to_pkcs8_pem(&self) -> Result<Secret, SignError> {
        const LABEL: &str = "PRIVATE KEY";
        let der = self.to_pkcs8();
        let length = pem::encapsulated_len(LABEL, LineEnding::LF, der.expose().len()).map_err(|_| SignError::Failed)?;
        // One buffer of the final size, so that no part of the key stays behind in a smaller one.
        let mut text = Zeroizing::new(vec![0; length]);
        let written = pem::encode(LABEL, LineEnding::LF, der.expose(), &mut text).map_err(|_| SignError::Failed)?.len();
        text.truncate(written);
        Ok(Secret::from(std::mem::take(&mut *text)))
    }

    fn signer(&self) -> &dyn Signer {
        match self {
            Self::P256(key) => key,
            Self::P384(key) => key,
            Self::Ed25519(key) => key,
            Self::Rsa(key) => key,
        }
    }
}

impl Signer for SigningKey {
    fn algorithm(&self) -> Algorithm {
        self.signer().algorithm()
    }

    fn public_key_spki_der(&self) -> Vec<u8> {
        self.signer().public_key_spki_der()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.signer().sign(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemEntropy;
    use crate::sign::{SignatureAlgorithm, public_key_of, verify_signature};

    #[test]
    fn every_kind_is_made_signs_and_survives_its_file() {
        for kind in [KeyType::P256, KeyType::P384, KeyType::Ed25519, KeyType::Rsa2048] {
            let key = SigningKey::generate(kind, &SystemEntropy).unwrap();
            assert_eq!(key.algorithm(), kind.algorithm(), "{kind}");
            let spki = key.public_key_spki_der();
            let read = SigningKey::from_private_der(&key.to_pkcs8()).unwrap();
            assert_eq!(read.public_key_spki_der(), spki, "{kind}");
            assert_eq!(public_key_of(&key.to_pkcs8()).unwrap(), spki, "{kind}");
            let signature = read.sign(b"message").unwrap();
            let algorithm = SignatureAlgorithm::from(key.algorithm());
            assert_eq!(verify_signature(&spki, algorithm, b"message", &signature), Ok(()), "{kind}");
            assert!(verify_signature(&spki, algorithm, b"massage", &signature).is_err(), "{kind}");
            let pem = key.to_pkcs8_pem().unwrap();
            let (label, der) = pem::decode_vec(pem.expose()).unwrap();
            assert_eq!((label, der.as_slice()), ("PRIVATE KEY", key.to_pkcs8().expose()), "{kind}");
            assert!(pem.expose().ends_with(b"-----END PRIVATE KEY-----\n"), "{kind}");
        }
    }

    #[test]
    fn names_of_kinds_are_read_as_written() {
        for kind in KeyType::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        for text in ["", "P256", "rsa", "rsa1024", "p521"] {
            assert_eq!(text.parse::<KeyType>(), Err(KeyTypeError), "{text}");
        }
    }

    #[test]
    fn what_is_no_private_key_is_refused() {
        assert!(SigningKey::from_private_der(&Secret::from("")).is_err());
        let public = SigningKey::generate(KeyType::P256, &SystemEntropy).unwrap().public_key_spki_der();
        assert!(SigningKey::from_private_der(&Secret::from(public)).is_err());
    }
}
