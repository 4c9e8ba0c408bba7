//! Where keys and secrets rest (design 12): the [`Sealer`](signet_crypto::Sealer) over a key file, and the one place that
//! writes and reads secret files, and the keys of CAs that never leave Vault or OpenBao ([`vault`]).

mod error;
mod key_file;
pub mod secret_file;
pub mod vault;

pub use error::{
    CustodyError, REASONS, SEAL_KEY_UNUSABLE, SECRET_FILE_EXISTS, SECRET_FILE_INVALID, SECRET_FILE_MISSING, SECRET_FILE_TOO_WIDE,
    SECRET_FILE_UNREADABLE, SECRET_FILE_UNWRITABLE,
};
pub use key_file::{KEY_FILE_LEN, KeyFileSealer};
