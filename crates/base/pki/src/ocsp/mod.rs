//! OCSP (RFC 6960, profile of RFC 5019) as the responder sees it: requests read within bounds, answers built and signed.

mod request;
mod response;

pub use request::{CertId, CertIdHash, IssuerHashes, LONGEST_OCSP_REQUEST, MOST_CERT_IDS, OcspRequest};
pub use response::{CertStatus, OcspError, ResponderId, SingleResponse, ocsp_error, ocsp_response};

/// id-pkix-ocsp-nonce, 1.3.6.1.5.5.7.48.1.2.
const NONCE: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02];
