//! Revocation lists: fetched from wherever a certificate says.

use std::sync::LazyLock;

use rustls_pki_types::CertificateDer;
use signet_pki::{CaCertificate, Crl, inspect};

const ROOT: &[u8] = include_bytes!("../corpus/certificate/root.der");
/// The only lists in the world that the root's key has signed.
const GOOD: [&[u8]; 10] = [
    include_bytes!("../corpus/crl/good.der"),
    include_bytes!("../corpus/crl/good-critical.der"),
    include_bytes!("../corpus/crl/good-delta.der"),
    include_bytes!("../corpus/crl/good-empty.der"),
    include_bytes!("../corpus/crl/good-hold.der"),
    include_bytes!("../corpus/crl/good-idp.der"),
    include_bytes!("../corpus/crl/good-indirect.der"),
    include_bytes!("../corpus/crl/good-number.der"),
    include_bytes!("../corpus/crl/good-reasons.der"),
    include_bytes!("../corpus/crl/good-version-1.der"),
];

static TRUST: LazyLock<CaCertificate> =
    LazyLock::new(|| CaCertificate::from_der(CertificateDer::from(ROOT)).unwrap_or_else(|e| panic!("the committed root: {e}")));

/// Nothing but the good lists verifies; entries are found by their numbers; what is shown can be written down.
pub(crate) fn feed(bytes: &[u8]) {
    match Crl::parse(bytes) {
        Ok(list) => {
            for entry in list.entries() {
                assert!(list.entry(entry.serial).is_some());
            }
            match list.verify(&TRUST) {
                Ok(()) => assert!(GOOD.contains(&bytes), "verified: {bytes:?}"),
                Err(error) => {
                    assert!(!GOOD.contains(&bytes), "a good list is refused: {error}");
                    plain(&error.to_string());
                }
            }
        }
        Err(error) => {
            assert!(!GOOD.contains(&bytes), "a good list is refused: {error}");
            plain(&error.to_string());
        }
    }
    match inspect(bytes) {
        Ok(shown) => drop(serde_json::to_string(&shown).unwrap_or_else(|e| panic!("not to be shown: {e}"))),
        Err(error) => plain(&error.to_string()),
    }
}

fn plain(text: &str) {
    assert!(text.len() <= 2_000 && !text.chars().any(char::is_control), "{text:?}");
}
