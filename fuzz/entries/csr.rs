//! Certificate requests: anybody who may enrol sends them, and people show them.

use signet_pki::{Csr, inspect};

/// The names of attributes whose values are nobody's business.
const SECRET: &str = "canary-geheim";

/// Only a request that is signed by its own key is verified; what is shown of it holds no attribute's value; refusals are short and
/// plain.
pub(crate) fn feed(bytes: &[u8]) {
    let shown = inspect(bytes).map(|inspection| serde_json::to_string(&inspection).unwrap_or_else(|e| panic!("not to be shown: {e}")));
    if let Ok(shown) = &shown {
        assert!(!shown.contains(SECRET), "a challengePassword is shown: {shown}");
    }
    match Csr::parse(bytes) {
        Ok(csr) => {
            let asked = csr.unverified();
            assert!(asked.names().len() <= signet_pki::MOST_SUBJECT_NAMES, "{} names", asked.names().len());
            assert!(!format!("{asked:?}").contains(SECRET), "a challengePassword is kept");
            if let Ok(verified) = csr.verify() {
                assert!(!verified.spki().is_empty());
            }
        }
        Err(error) => plain(&error.to_string()),
    }
    if let Err(error) = shown {
        plain(&error.to_string());
    }
}

fn plain(text: &str) {
    assert!(text.len() <= 2_000 && !text.chars().any(char::is_control), "{text:?}");
}
