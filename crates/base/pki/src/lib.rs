//! Certificates of a data directory: a self-signed authority, the server certificate that it issues, and the PEM files that
//! operators bring. Types and strict DER come from `x509-cert`; what is signed is our own value, so that any
//! [`Signer`](signet_crypto::sign::Signer) does the last step. No path validation: rustls does that.

mod authority;
mod certificate;
mod error;
mod facts;
mod names;
pub mod pem;
mod tbs;

pub use authority::CertificateAuthority;
pub use certificate::CaCertificate;
pub use error::{
    CERTIFICATE_KEY_MISMATCH, CERTIFICATE_MALFORMED, CERTIFICATE_MISSING, CERTIFICATE_NAME_INVALID, CERTIFICATE_NOT_AUTHORITY,
    PRIVATE_KEY_ENCRYPTED, PRIVATE_KEY_MISSING, PRIVATE_KEY_UNSUPPORTED, PkiError, REASONS, TEXT_NOT_UTF8,
};
pub use facts::LeafFacts;
pub use names::ServerNames;
pub use pem::{KeyForm, PrivateKey};
pub use tbs::Validity;
