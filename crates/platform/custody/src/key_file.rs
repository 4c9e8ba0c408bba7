//! A sealer whose key lies in a file (design 12, embedded). It protects what is copied without the file: database dumps, backups,
//! replicas' storage. It does not protect against the theft of the whole directory.
//!
//! A sealed secret is `01 ‖ key id (8) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`, AES-256-GCM, bound to the version, the key id and
//! the purpose. Nonces are random: one key is good for 2^32 secrets, and it seals keys, a few per year.

use std::fmt;
use std::path::Path;

use signet_crypto::aead::{self, Key};
use signet_crypto::{SealError, Sealer, Secret, sha256_parts};
use signet_model::Entropy;
use zeroize::Zeroizing;

use crate::CustodyError;
use crate::secret_file::{self, Links};

/// Bytes of a seal key file.
pub const KEY_FILE_LEN: usize = aead::KEY_LEN;

const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 8;

/// Seals with the key of a file.
pub struct KeyFileSealer {
    key: Key,
    id: [u8; KEY_ID_LEN],
}

impl fmt::Debug for KeyFileSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyFileSealer({})", self.fingerprint())
    }
}

impl KeyFileSealer {
    /// Opens the key file, or makes it (mode 0600, 32 bytes from `entropy`) when there is none. Of several processes that make it
    /// at once one wins, and all have its key.
    ///
    /// # Errors
    /// [`CustodyError`], for a file that is wider than 0600, no regular file, or no seal key, or cannot be read or written.
    pub fn open_or_create(path: &Path, entropy: &dyn Entropy) -> Result<Self, CustodyError> {
        match Self::open(path) {
            Err(CustodyError::Missing { .. }) => {}
            opened => return opened,
        }
        let mut bytes = Zeroizing::new([0; KEY_FILE_LEN]);
        entropy.fill(bytes.as_mut());
        match secret_file::create_new(path, bytes.as_ref()) {
            Ok(()) | Err(CustodyError::Exists { .. }) => Self::open(path),
            Err(error) => Err(error),
        }
    }

    /// Opens a key file that must be there.
    ///
    /// # Errors
    /// As [`KeyFileSealer::open_or_create`], and [`CustodyError::Missing`].
    pub fn open(path: &Path) -> Result<Self, CustodyError> {
        let unusable = |what: String| CustodyError::UnusableKey { path: path.to_owned(), what };
        // Enough to say by how much a file is too long, when it is a key with a line end, say.
        let secret = secret_file::read(path, 4096, Links::Refuse)?;
        let bytes: &[u8; KEY_FILE_LEN] = secret
            .expose()
            .try_into()
            .map_err(|_| unusable(format!("it has {} bytes instead of {KEY_FILE_LEN}", secret.expose().len())))?;
        Self::of_key(bytes, path)
    }

    /// Seals with a key that lies elsewhere than in a file; `place` says where, for errors.
    ///
    /// # Errors
    /// [`CustodyError::UnusableKey`] for a key of zeros, or one that AWS-LC does not take.
    pub fn of_key(bytes: &[u8; KEY_FILE_LEN], place: &Path) -> Result<Self, CustodyError> {
        let unusable = |what: String| CustodyError::UnusableKey { path: place.to_owned(), what };
        if bytes.iter().all(|byte| *byte == 0) {
            // What a file system may leave after a power loss: the length without the content.
            return Err(unusable("all its bytes are zero".to_owned()));
        }
        let mut id = [0; KEY_ID_LEN];
        for (to, from) in id.iter_mut().zip(sha256_parts(&[b"signet seal key id 1\0", bytes])) {
            *to = from;
        }
        Ok(Self { key: Key::from_bytes(bytes)?, id })
    }

    /// The key's public name, which sealed secrets carry: 16 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        hex(&self.id)
    }

    fn associated(&self, purpose: &str) -> Vec<u8> {
        // Fixed lengths first: no two purposes give the same bytes.
        [&[VERSION], &self.id[..], purpose.as_bytes()].concat()
    }
}

impl Sealer for KeyFileSealer {
    fn seal(&self, purpose: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let sealed = self.key.seal(&self.associated(purpose), secret).map_err(|e| SealError::Unavailable(e.to_string()))?;
        Ok([&[VERSION], &self.id[..], &sealed].concat())
    }

    fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Secret, SealError> {
        let damaged = |what| SealError::Damaged { purpose: purpose.to_owned(), what };
        let (version, rest) = sealed.split_first().ok_or_else(|| damaged("it is empty"))?;
        if *version != VERSION {
            return Err(damaged("its version is not 1: altered, or sealed by a newer Signet"));
        }
        let (id, body) = rest.split_first_chunk::<KEY_ID_LEN>().ok_or_else(|| damaged("it is cut off"))?;
        let opened = self.key.open(&self.associated(purpose), body);
        match (opened, *id == self.id) {
            (Ok(secret), true) => Ok(secret),
            // Our key opens it, so it is the name of the key that was altered, not the key that differs.
            (Ok(_), false) => Err(damaged("its key id was altered")),
            (Err(_), true) => Err(damaged("it was altered, or sealed for another purpose")),
            (Err(_), false) => Err(SealError::WrongKey { purpose: purpose.to_owned(), sealed_with: hex(id), present: self.fingerprint() }),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
