//! What can be wrong with a certificate, a key or their files, and the reason that a person is told.

use signet_crypto::sign::SignError;
use signet_model::{Reason, Refusal};

use crate::LintFailure;

signet_model::reasons! {
    /// The certificate or its PEM text is damaged.
    CERTIFICATE_MALFORMED = ("certificate.malformed", 400, "Look at the file with `openssl x509 -in FILE -noout -text`, and write it again from its source.");
    /// There is no certificate in the file.
    CERTIFICATE_MISSING = ("certificate.missing", 400, "Give a PEM file with -----BEGIN CERTIFICATE-----; a DER file is converted by `openssl x509 -inform der -in FILE -out FILE.pem`.");
    /// The private key does not belong to the certificate.
    CERTIFICATE_KEY_MISMATCH = ("certificate.key-mismatch", 400, "Give the key that the certificate was made for, or have the certificate issued for this key.");
    /// The certificate may not issue others.
    CERTIFICATE_NOT_AUTHORITY = ("certificate.not-an-authority", 400, "Give a CA certificate: basicConstraints CA:TRUE and, if it has a keyUsage, keyCertSign.");
    /// It was not issued by the authority that it is held against.
    CERTIFICATE_NOT_ISSUER = ("certificate.not-issuer", 400, "Give the authority that issued it: its issuer's name and authority key identifier say which.");
    /// A server name cannot stand in a certificate.
    CERTIFICATE_NAME_INVALID = ("certificate.name-invalid", 400, "Use DNS names of letters, digits and hyphens, at most 253 characters, or IP addresses.");
    /// There is no private key in the file.
    PRIVATE_KEY_MISSING = ("private-key.missing", 400, "Give a PEM file with a PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY block.");
    /// The private key is encrypted, and nothing here asks for passphrases.
    PRIVATE_KEY_ENCRYPTED = ("private-key.encrypted", 400, "Decrypt it once with `openssl pkey -in FILE -out FILE.plain`, chmod it to 0600 and name that file.");
    /// The private key is of a kind that is not used here.
    PRIVATE_KEY_UNSUPPORTED = ("private-key.unsupported", 400, "Use P-256, P-384, P-521, Ed25519, or RSA of at least 2048 bits, in PKCS#8, SEC 1 or PKCS#1 form.");
    /// The text is no serial number.
    SERIAL_MALFORMED = ("serial.malformed", 400, "Give the decimal digits, or hexadecimal as 0x4a1f0b or 4a:1f:0b; `openssl x509 -noout -serial` prints it.");
    /// The certificate request is damaged.
    CSR_MALFORMED = ("csr.malformed", 400, "Look at it with `openssl req -noout -text -verify -in FILE`, and make it anew: PEM or DER, each extension once.");
    /// The request is not signed by the key that it asks a certificate for.
    CSR_BAD_SIGNATURE = ("csr.bad-signature", 422, "Make the request anew with the private key, for example with `openssl req -new -key FILE`.");
    /// The request is signed with an algorithm that is not accepted.
    CSR_SIGNATURE_UNSUPPORTED = ("csr.signature-unsupported", 422, "Sign the request with SHA-256 or stronger: ECDSA, Ed25519, RSA PKCS#1 or PSS, for example `openssl req -new -sha256`.");
    /// The request asks for a certificate that could issue others.
    CSR_CA_REQUESTED = ("csr.ca-requested", 422, "Leave basicConstraints CA:TRUE and keyCertSign out of the request: authorities are made with `signet ca`, not by request.");
    /// The request asks for more names than one certificate may have.
    CSR_TOO_MANY_NAMES = ("csr.too-many-names", 422, "Ask for at most 100 names; more are several certificates.");
    /// The request asks for a name that no certificate may have.
    CSR_NAME_REFUSED = ("csr.name-refused", 422, "Use DNS names of letters, digits and hyphens (an international name in its xn-- form) without wildcards, plain IPv4 or IPv6 addresses, absolute URIs, ASCII mail addresses.");
    /// The key is too weak or known to others.
    KEY_WEAK = ("key.weak", 422, "Make a new key with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`, or RSA of 2048 to 4096 bits with a current library.");
    /// The key is of a kind that is not certified.
    KEY_UNSUPPORTED = ("key.unsupported", 422, "Use P-256, P-384 (by the curve's name, not explicit parameters), Ed25519, or RSA of 2048 to 4096 bits.");
    /// The certificate that was asked for breaks a rule of its profile or of RFC 5280.
    CERTIFICATE_LINT = ("certificate.lint", 422, "Change what the named rule says; docs/reference/lints.md lists the rules.");
    /// The certificate to be made breaks a rule through our own doing.
    CERTIFICATE_LINT_OURS = ("certificate.lint-ours", 500, "Report the named rule with the request; nothing was signed.");
    /// A revocation list breaks a rule through our own doing.
    CRL_LINT = ("crl.lint", 500, "Report the named rule; nothing was signed, and the list before it stays.");
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
    /// Not a serial number.
    #[error("not a serial number: {0}")]
    Serial(String),
    /// The certificate request is damaged.
    #[error("the certificate request cannot be used: {0}")]
    Csr(String),
    /// The request is not signed by its own key.
    #[error("the certificate request is not signed by the key in it")]
    CsrSignature,
    /// The request is signed with an algorithm that is not accepted.
    #[error("the certificate request is signed with {0}")]
    CsrAlgorithm(String),
    /// The request wants to be an authority.
    #[error("the certificate request asks for {0}")]
    CaRequested(&'static str),
    /// The request has too many names.
    #[error("the certificate request asks for more than {0} names")]
    TooManyNames(usize),
    /// The request asks for a name that no certificate may have.
    #[error("the name cannot be certified: {0}")]
    NameRefused(String),
    /// A weak or known key.
    #[error("the public key is weak: {0}")]
    WeakKey(String),
    /// A kind of public key that is not certified.
    #[error("the public key is not usable: {0}")]
    UnsupportedPublicKey(String),
    /// A certificate that breaks rules; nothing was signed with the authority's key.
    #[error(transparent)]
    Lint(#[from] LintFailure),
    /// Signed by another authority, or another key of the same name.
    #[error("not of this issuer: {0}")]
    NotIssuer(String),
    /// A revocation list that breaks a rule; it was not signed.
    #[error("the revocation list breaks {rule}: {what}")]
    CrlRule {
        /// The rule's name.
        rule: &'static str,
        /// What was found.
        what: String,
    },
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
            Self::Serial(_) => &SERIAL_MALFORMED,
            Self::Csr(_) => &CSR_MALFORMED,
            Self::CsrSignature => &CSR_BAD_SIGNATURE,
            Self::CsrAlgorithm(_) => &CSR_SIGNATURE_UNSUPPORTED,
            Self::CaRequested(_) => &CSR_CA_REQUESTED,
            Self::TooManyNames(_) => &CSR_TOO_MANY_NAMES,
            Self::NameRefused(_) => &CSR_NAME_REFUSED,
            Self::WeakKey(_) => &KEY_WEAK,
            Self::UnsupportedPublicKey(_) => &KEY_UNSUPPORTED,
            Self::Lint(failure) => failure.reason(),
            Self::NotIssuer(_) => &CERTIFICATE_NOT_ISSUER,
            Self::CrlRule { .. } => &CRL_LINT,
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
