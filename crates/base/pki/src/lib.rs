//! Certificates: names, serial numbers, keys and requests of others, read and judged; the profiles of our own certificates, encoded
//! once, linted as a whole and signed by any [`Signer`](signet_crypto::sign::Signer); and the PEM files that operators bring.
//! Types and strict DER come from `x509-cert` where nothing depends on the single byte.

mod algorithm;
mod attribute;
mod authority;
mod certificate;
mod certificate_facts;
mod crl;
mod crl_read;
mod csr;
mod csr_extensions;
mod csr_write;
mod error;
mod facts;
mod inspect;
mod issuer;
mod lint;
mod name;
mod name_text;
mod names;
mod ocsp;
mod oid;
pub mod pem;
mod pkcs7;
mod profile;
mod public_key;
mod reason;
mod request;
mod serial;
mod signed;
mod subject_name;
mod time;
mod tlv;
mod validity;
mod verify;
mod weak_key;

pub use authority::CertificateAuthority;
pub use certificate::CaCertificate;
pub use certificate_facts::{CertificateFacts, FoundName, LONGEST_CERTIFICATE};
pub use crl::{CrlEntry, CrlRequest, LintedCrl, issuing_distribution_point};
pub use crl_read::{Crl, IssuingDistributionPoint, LONGEST_CRL, RevokedEntry};
pub use csr::{Asked, Csr, LONGEST_CSR, Verified};
pub use csr_write::write_request;
pub use error::{
    CERTIFICATE_KEY_MISMATCH, CERTIFICATE_LINT, CERTIFICATE_LINT_OURS, CERTIFICATE_MALFORMED, CERTIFICATE_MISSING,
    CERTIFICATE_NAME_INVALID, CERTIFICATE_NOT_AUTHORITY, CERTIFICATE_NOT_ISSUER, CRL_LINT, CSR_BAD_SIGNATURE, CSR_CA_REQUESTED,
    CSR_MALFORMED, CSR_NAME_REFUSED, CSR_SIGNATURE_UNSUPPORTED, CSR_TOO_MANY_NAMES, KEY_UNSUPPORTED, KEY_WEAK, PRIVATE_KEY_ENCRYPTED,
    PRIVATE_KEY_MISSING, PRIVATE_KEY_UNSUPPORTED, PkiError, REASONS, SERIAL_MALFORMED, TEXT_NOT_UTF8,
};
pub use facts::LeafFacts;
pub use inspect::{
    CertificateShown, ConstraintsShown, ExtensionShown, Inspection, KeyShown, ListShown, PointShown, RequestShown, RevokedShown, Shown,
    SignatureShown, inspect,
};
pub use issuer::IssuerFacts;
pub use lint::{Finding, LintContext, LintFailure, Severity, lint_certificate, lint_rules};
pub use name::{Attribute, LONGEST_COMMON_NAME, Name};
pub use name_text::IssuerName;
pub use names::ServerNames;
pub use ocsp::{
    CertId, CertIdHash, CertStatus, IssuerHashes, LONGEST_OCSP_REQUEST, MOST_CERT_IDS, OcspError, OcspRequest, ResponderId, SingleResponse,
    ocsp_error, ocsp_response,
};
pub use pem::{KeyForm, PrivateKey};
pub use pkcs7::{LONGEST_PKCS7, MOST_PKCS7_CERTIFICATES, Pkcs7, pkcs7_certs_only};
pub use profile::{Profile, ProfileError};
pub use public_key::{FEWEST_RSA_BITS, KeyKind, MOST_RSA_BITS, PublicKey};
pub use reason::{RevocationReason, UnknownReason};
pub use request::{CertificateRequest, LintedCertificate, Throwaway};
pub use serial::{LONGEST_SERIAL, Serial, SerialLength};
pub use subject_name::{MOST_SUBJECT_NAMES, SubjectName};
pub use validity::Validity;
pub use verify::{
    Anchor, LONGEST_CHAIN, MOST_CHAIN_CERTIFICATES, PATH_REASONS, PathError, PathFault, PathVerifier, Place, Purpose, VerifiedChain,
    check_link, check_responder, v1_leaf_of,
};
