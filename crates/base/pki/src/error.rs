//! What can be wrong with a certificate, a key or their files, and the reason that a person is told.

use signet_crypto::sign::SignError;
use signet_model::{Reason, Refusal};

signet_model::reasons! {
    /// The certificate or its PEM text is damaged.
    CERTIFICATE_MALFORMED = ("certificate.malformed", 400, "Look at the file with `openssl x509 -in FILE -noout -text`, and write it again from its source.");
    /// There is no certificate in the file.
    CERTIFICATE_MISSING = ("certificate.missing", 400, "Give a PEM file with -----BEGIN CERTIFICATE-----; a DER file is converted by `openssl x509 -inform der -in FILE -out FILE.pem`.");
    /// The private key does not belong to the certificate.
    CERTIFICATE_KEY_MISMATCH = ("certificate.key-mismatch", 400, "Give the key that the certificate was made for, or have the certificate issued for this key.");
    /// The certificate may not issue others.
    CERTIFICATE_NOT_AUTHORITY = ("certificate.not-an-authority", 400, "Give a CA certificate: basicConstraints CA:TRUE and, if it has a keyUsage, keyCertSign.");
    /// A server name cannot stand in a certificate.
    CERTIFICATE_NAME_INVALID = ("certificate.name-invalid", 400, "Use DNS names of letters, digits and hyphens, at most 253 characters, or IP addresses.");
    /// There is no private key in the file.
    PRIVATE_KEY_MISSING = ("private-key.missing", 400, "Give a PEM file with a PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY block.");
    /// The private key is encrypted, and nothing here asks for passphrases.
    PRIVATE_KEY_ENCRYPTED = ("private-key.encrypted", 400, "Decrypt it once with `openssl pkey -in FILE -out FILE.plain`, chmod it to 0600 and name that file.");
    /// The private key is of a kind that is not used here.
    PRIVATE_KEY_UNSUPPORTED = ("private-key.unsupported", 400, "Use P-256, P-384, P-521, Ed25519, or RSA of at least 2048 bits, in PKCS#8, SEC 1 or PKCS#1 form.");
    /// The file is not UTF-8 text.
    TEXT_NOT_UTF8 = ("text.not-utf8", 400, "Save the file as UTF-8, for example with `iconv -f UTF-16 -t UTF-8 FILE -o FILE.utf8`.");
}

/// Why a certificate or key cannot be read, used or made. Never holds key material.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PkiError {
    /// The bytes are not what they claim to be.
    #[error("{what} cannot be read: {detail}")]
    Malformed {
        /// Which part.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// No certificate block.
    #[error("no certificate in the file; it holds {found}")]
    NoCertificate {
        /// The labels of the blocks that are there.
        found: String,
    },
    /// No private key block.
    #[error("no private key in the file; it holds {found}")]
    NoKey {
        /// The labels of the blocks that are there.
        found: String,
    },
    /// The key needs a passphrase.
    #[error("the private key is encrypted ({0})")]
    EncryptedKey(&'static str),
    /// Not a kind of key that is used here.
    #[error("the private key is not usable: {0}")]
    UnsupportedKey(String),
    /// Key and certificate do not belong together.
    #[error("the certificate's public key is sha256:{certificate}, the private key's is sha256:{key}")]
    KeyMismatch {
        /// SHA-256 of the certificate's SubjectPublicKeyInfo, hexadecimal.
        certificate: String,
        /// SHA-256 of the private key's SubjectPublicKeyInfo, hexadecimal.
        key: String,
    },
    /// The certificate may not issue.
    #[error("the certificate cannot issue others: {0}")]
    NotAnAuthority(&'static str),
    /// A name that no certificate can hold.
    #[error("not a server name: {0}")]
    Name(String),
    /// Text in another encoding.
    #[error("the file is {0}, not UTF-8")]
    Encoding(&'static str),
    /// The signer failed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A certificate could not be put together; a fault of ours.
    #[error("the certificate could not be encoded: {0}")]
    Encode(String),
}

impl PkiError {
    /// The stable reason.
    pub fn reason(&self) -> &'static Reason {
        match self {
            Self::Malformed { .. } => &CERTIFICATE_MALFORMED,
            Self::NoCertificate { .. } => &CERTIFICATE_MISSING,
            Self::NoKey { .. } => &PRIVATE_KEY_MISSING,
            Self::EncryptedKey(_) => &PRIVATE_KEY_ENCRYPTED,
            Self::UnsupportedKey(_) => &PRIVATE_KEY_UNSUPPORTED,
            Self::KeyMismatch { .. } => &CERTIFICATE_KEY_MISMATCH,
            Self::NotAnAuthority(_) => &CERTIFICATE_NOT_AUTHORITY,
            Self::Name(_) => &CERTIFICATE_NAME_INVALID,
            Self::Encoding(_) => &TEXT_NOT_UTF8,
            Self::Sign(_) | Self::Encode(_) => &signet_model::kinds::INTERNAL,
        }
    }

    /// A damaged part, with the parser's words.
    pub(crate) fn malformed(what: &'static str, detail: impl std::fmt::Display) -> Self {
        Self::Malformed { what, detail: detail.to_string() }
    }

    /// A fault while encoding.
    pub(crate) fn encode(error: impl std::fmt::Display) -> Self {
        Self::Encode(error.to_string())
    }
}

impl From<PkiError> for Refusal {
    fn from(error: PkiError) -> Self {
        Self::new(error.reason(), error.to_string())
    }
}
