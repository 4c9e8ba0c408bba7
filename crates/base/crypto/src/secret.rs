//! Bytes that must not be seen: wiped when dropped, never printed, never serialised, compared in constant time.

use std::fmt;

use zeroize::Zeroizing;

use crate::constant_time_eq;

/// Secret bytes. There is no `Clone`, `Serialize` or `==`: copying, writing and comparing a secret are spelled out where
/// they happen. `Debug` shows that there is one, not which.
///
/// ```
/// let secret = signet_crypto::Secret::from("hunter2");
/// assert_eq!(secret.expose(), b"hunter2");
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// ```
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The bytes themselves; for the call that needs them, not to be kept.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The same as text, when it is UTF-8.
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Whether both hold the same bytes, in a time that depends on their lengths only.
    pub fn ct_eq(&self, other: &Self) -> bool {
        constant_time_eq(&self.0, &other.0)
    }

    /// A second copy, for the rare place that needs one.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        Self::from(bytes.to_vec())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_content() {
        let secret = Secret::from("canary-5f2e");
        for shown in [format!("{secret:?}"), format!("{secret:#?}"), format!("{:?}", Some(&secret))] {
            assert!(!shown.contains("canary") && !shown.contains("11"), "{shown}");
        }
    }

    #[test]
    fn comparison_and_views_follow_the_bytes() {
        let secret = Secret::from(vec![0xff, 0]);
        assert!(secret.ct_eq(&secret.duplicate()));
        assert!(!secret.ct_eq(&Secret::from(vec![0xff])));
        assert_eq!(secret.expose_str(), None);
        assert_eq!(Secret::from("ä".to_owned()).expose_str(), Some("ä"));
    }
}
