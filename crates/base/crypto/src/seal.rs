//! What protects secrets at rest (design 12). Implementations live in `custody`: a key file, later a remote key service.

use signet_model::{Reason, Refusal};

use crate::{SEAL_DAMAGED, SEAL_UNAVAILABLE, SEAL_WRONG_KEY, Secret};

/// Seals secrets for storage. `purpose` says what the secret is for (`ledger-key:log`); a blob opens only for the
/// purpose that it was sealed for, so that blobs cannot be swapped.
pub trait Sealer: Send + Sync {
    /// Seals `secret` for `purpose`.
    ///
    /// # Errors
    /// [`SealError::Unavailable`] when the key cannot be used now.
    fn seal(&self, purpose: &str, secret: &[u8]) -> Result<Vec<u8>, SealError>;

    /// Opens what [`Sealer::seal`] made for the same purpose.
    ///
    /// # Errors
    /// [`SealError::WrongKey`] for another key's blob, [`SealError::Damaged`] for altered bytes or another purpose.
    fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Secret, SealError>;
}

/// Why a secret could not be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The operator has another key here than the blob was sealed with.
    #[error("{purpose} was sealed with the key {sealed_with}, and the key here is {present}")]
    WrongKey {
        /// What was to be opened.
        purpose: String,
        /// Fingerprint of the key that sealed it.
        sealed_with: String,
        /// Fingerprint of the key that is here.
        present: String,
    },
    /// The stored bytes are not what was sealed for this purpose.
    #[error("{purpose} does not open: {what}")]
    Damaged {
        /// What was to be opened.
        purpose: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The key cannot be used now.
    #[error("sealing does not work now: {0}")]
    Unavailable(String),
}

impl SealError {
    /// The stable reason.
    pub fn reason(&self) -> &'static Reason {
        match self {
            Self::WrongKey { .. } => &SEAL_WRONG_KEY,
            Self::Damaged { .. } => &SEAL_DAMAGED,
            Self::Unavailable(_) => &SEAL_UNAVAILABLE,
        }
    }
}

impl From<SealError> for Refusal {
    fn from(error: SealError) -> Self {
        Self::new(error.reason(), error.to_string())
    }
}
