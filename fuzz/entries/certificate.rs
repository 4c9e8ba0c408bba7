//! Certificates: each TLS client sends one, and imports and people bring others.

use std::sync::LazyLock;

use rustls_pki_types::CertificateDer;
use signet_model::Timestamp;
use signet_pki::{
    Anchor, CaCertificate, CertificateFacts, LeafFacts, LintContext, PathVerifier, Purpose, inspect, lint_certificate, pem, v1_leaf_of,
};

const ROOT: &[u8] = include_bytes!("../corpus/certificate/root.der");
/// All that the root's key has signed, and verifies.
const GOOD: [&[u8]; 4] = [
    include_bytes!("../corpus/certificate/good-leaf.der"),
    include_bytes!("../corpus/certificate/good-ed25519.der"),
    include_bytes!("../corpus/certificate/names.der"),
    // Others have issued the serial number 0; the linter says so, a verifier must live with it (RFC 5280 section 4.1.2.2).
    include_bytes!("../corpus/certificate/zero-serial.der"),
];
const V1: &[u8] = include_bytes!("../corpus/certificate/v1.der");
/// 2030-01-01T00:00:00Z, when they are valid.
const NOW: Timestamp = Timestamp::from_micros(1_893_456_000_000_000);

static TRUST: LazyLock<(CaCertificate, PathVerifier)> = LazyLock::new(|| {
    let root = CaCertificate::from_der(CertificateDer::from(ROOT)).unwrap_or_else(|e| panic!("the committed root: {e}"));
    let verifier = PathVerifier::new(vec![Anchor::new(root.clone())]).unwrap_or_else(|e| panic!("the committed root: {e}"));
    (root, verifier)
});

/// Nothing verifies but what the root has signed, whether it is sent as the leaf or between; every reader takes or refuses it, in
/// plain words.
pub(crate) fn feed(bytes: &[u8]) {
    let (root, verifier) = &*TRUST;
    let der = CertificateDer::from(bytes);
    match verifier.verify(&der, &[], NOW, Purpose::Client) {
        Ok(_) => assert!(GOOD.contains(&bytes), "verified: {bytes:?}"),
        Err(error) => {
            assert!(!GOOD.contains(&bytes), "a good certificate is refused: {error}");
            plain(&error.to_string());
        }
    }
    assert!(verifier.verify(&CertificateDer::from(V1), std::slice::from_ref(&der), NOW, Purpose::Client).is_err());
    assert!(v1_leaf_of(root, &der, NOW).is_err() || bytes == V1, "taken for a leaf of version 1: {bytes:?}");
    match CertificateFacts::read(bytes) {
        Ok(facts) => assert!(facts.names.iter().all(|name| !name.value.chars().any(char::is_control))),
        Err(error) => plain(&error.to_string()),
    }
    for finding in lint_certificate(bytes, &LintContext::default()) {
        plain(&finding.to_string());
    }
    let read = LeafFacts::read(&der).map(|_| ()).and(CaCertificate::from_der(der.into_owned()).map(|_| ()));
    if let Err(error) = read {
        plain(&error.to_string());
    }
    if let Err(error) = pem::certificates(bytes) {
        plain(&error.to_string());
    }
    match inspect(bytes) {
        Ok(shown) => drop(serde_json::to_string(&shown).unwrap_or_else(|e| panic!("not to be shown: {e}"))),
        Err(error) => plain(&error.to_string()),
    }
}

fn plain(text: &str) {
    assert!(text.len() <= 2_000 && !text.chars().any(char::is_control), "{text:?}");
}
