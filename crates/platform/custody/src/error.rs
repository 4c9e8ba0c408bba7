//! Why a secret file or a key in it cannot be used. The paths are the operator's own; contents never appear.

use std::io;
use std::path::{Path, PathBuf};

use signet_crypto::aead::AeadError;
use signet_model::{Reason, Refusal, log_text};

signet_model::reasons! {
    /// A secret file can be read or written by others.
    SECRET_FILE_TOO_WIDE = ("secret-file.too-wide", 400, "Narrow it with `chmod 600 FILE`; if others could read it until now, replace the secret.");
    /// A secret file is not a regular file of a sensible length.
    SECRET_FILE_INVALID = ("secret-file.invalid", 400, "Put a regular file there: no link, directory, FIFO or device.");
    /// A secret file is not there.
    SECRET_FILE_MISSING = ("secret-file.missing", 400, "Name the file that is there, or copy it from where it is kept.");
    /// A new secret would overwrite a file.
    SECRET_FILE_EXISTS = ("secret-file.exists", 409, "Name a file that does not exist, or move the old one away.");
    /// A secret file cannot be opened or read.
    SECRET_FILE_UNREADABLE = ("secret-file.unreadable", 503, "Give the file to the user that the server runs as, with mode 0600, in a directory that this user can enter.");
    /// A secret file cannot be written.
    SECRET_FILE_UNWRITABLE = ("secret-file.unwritable", 503, "Make the directory writable for the user that the server runs as, and see that the volume has space.");
    /// The file holds no seal key.
    SEAL_KEY_UNUSABLE = ("seal.key-unusable", 400, "Restore the seal key from its backup: exactly 32 random bytes. Only where nothing is sealed yet: delete it, and a new one is made.");
}

/// Why a secret file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    /// Others may read or write it.
    #[error("{} has mode {mode:04o}, and nobody but its owner may read it (0600)", shown(path))]
    TooWide {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Something else than a regular file.
    #[error("{} is {kind}, not a regular file", shown(path))]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What is there.
        kind: &'static str,
    },
    /// More bytes than any secret of its kind has.
    #[error("{} is longer than {limit} bytes", shown(path))]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The most that was to be read.
        limit: usize,
    },
    /// Nothing there.
    #[error("{} does not exist", shown(path))]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// Something there that would be overwritten.
    #[error("{} exists already", shown(path))]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// The system does not let us read it.
    #[error("{} cannot be read: {source}", shown(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system does not let us write it.
    #[error("{} cannot be written: {source}", shown(path))]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No seal key in the file.
    #[error("{} holds no seal key: {what}", shown(path))]
    UnusableKey {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// AWS-LC refused the key; a fault of ours.
    #[error("the seal key could not be set up: {0}")]
    Cryptography(#[from] AeadError),
}

impl CustodyError {
    /// The stable reason.
    pub fn reason(&self) -> &'static Reason {
        match self {
            Self::TooWide { .. } => &SECRET_FILE_TOO_WIDE,
            Self::NotAFile { .. } | Self::TooLong { .. } => &SECRET_FILE_INVALID,
            Self::Missing { .. } => &SECRET_FILE_MISSING,
            Self::Exists { .. } => &SECRET_FILE_EXISTS,
            Self::Unreadable { .. } => &SECRET_FILE_UNREADABLE,
            Self::Unwritable { .. } => &SECRET_FILE_UNWRITABLE,
            Self::UnusableKey { .. } => &SEAL_KEY_UNUSABLE,
            Self::Cryptography(_) => &signet_model::kinds::INTERNAL,
        }
    }
}

impl From<CustodyError> for Refusal {
    fn from(error: CustodyError) -> Self {
        let refusal = Self::new(error.reason(), error.to_string());
        match &error {
            CustodyError::TooWide { path, .. } => {
                refusal.with_fix(format!("Run `chmod 600 {}`; if others could read it until now, replace the secret.", shell_word(path)))
            }
            _ => refusal,
        }
    }
}

/// A path for a message, without control characters.
fn shown(path: &Path) -> String {
    log_text(&path.to_string_lossy(), 512)
}

/// A path as one word of a POSIX shell, to be pasted behind `chmod 600`.
fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let text = if text.starts_with('-') { format!("./{text}") } else { text.into_owned() };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-+:@%,".contains(&b);
    if text.bytes().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fix_of_a_wide_file_is_the_line_to_run() {
        for (path, word) in [
            ("d/seal.key", "d/seal.key"),
            ("my dir/seal.key", "'my dir/seal.key'"),
            ("it's", r"'it'\''s'"),
            ("-rf", "./-rf"),
            ("$(reboot)", "'$(reboot)'"),
        ] {
            let refusal = Refusal::from(CustodyError::TooWide { path: path.into(), mode: 0o644 });
            assert!(refusal.fix().starts_with(&format!("Run `chmod 600 {word}`")), "{}", refusal.fix());
            assert!(refusal.detail.contains("0644"), "{}", refusal.detail);
        }
    }
}
