//! PKCS#7 files: answers of enrolment servers, and what Windows exports.

use signet_pki::{Pkcs7, inspect, pkcs7_certs_only};

/// What is taken keeps its certificates when it is written anew; what is shown can be written down; refusals are short and plain.
pub(crate) fn feed(bytes: &[u8]) {
    match Pkcs7::parse(bytes) {
        Ok(read) => {
            let written = pkcs7_certs_only(read.certificates());
            let again = Pkcs7::parse(&written).unwrap_or_else(|e| panic!("what was written does not read: {e}"));
            assert_eq!((again.certificates(), again.signers()), (read.certificates(), 0));
        }
        Err(error) => plain(&error.to_string()),
    }
    match inspect(bytes) {
        Ok(shown) => drop(serde_json::to_string(&shown).unwrap_or_else(|e| panic!("not to be shown: {e}"))),
        Err(error) => plain(&error.to_string()),
    }
}

fn plain(text: &str) {
    assert!(text.len() <= 2_000 && !text.chars().any(char::is_control), "{text:?}");
}
