//! OCSP requests: anybody sends them, to a listener without TLS and without login.

use std::sync::LazyLock;

use rustls_pki_types::CertificateDer;
use signet_pki::{CaCertificate, CertIdHash, IssuerHashes, LONGEST_OCSP_REQUEST, MOST_CERT_IDS, OcspRequest};

const ROOT: &[u8] = include_bytes!("../corpus/certificate/root.der");

static ISSUER: LazyLock<IssuerHashes> = LazyLock::new(|| {
    let root = CaCertificate::from_der(CertificateDer::from(ROOT)).unwrap_or_else(|e| panic!("the committed root: {e}"));
    IssuerHashes::of(root.subject().der(), root.key_bits())
});

/// What is taken is within its bounds; the issuer is found only by hashes of the right length; refusals are short and plain.
pub(crate) fn feed(bytes: &[u8]) {
    match OcspRequest::parse(bytes) {
        Ok(request) => {
            assert!(bytes.len() <= LONGEST_OCSP_REQUEST && (1..=MOST_CERT_IDS).contains(&request.certs().len()));
            assert!(request.nonce().is_none_or(|nonce| (1..=128).contains(&nonce.len())));
            for id in request.certs() {
                assert!(!id.serial().is_empty());
                if ISSUER.matches(id) {
                    let length = if id.hash() == CertIdHash::Sha1 { 20 } else { 32 };
                    assert_eq!((id.issuer_name_hash().len(), id.issuer_key_hash().len()), (length, length));
                }
            }
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() <= 400 && !text.chars().any(char::is_control), "{text:?}");
        }
    }
}
