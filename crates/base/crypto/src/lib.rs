//! Cryptography for every floor above: secret types, password hashing, sealing, software signers, bearer tokens and
//! randomness. AWS-LC does the work, but for bcrypt. No I/O here: key files and remote key stores are `custody`'s.

pub mod aead;
mod digest;
mod entropy;
mod error;
mod mac;
pub mod password;
mod seal;
mod secret;
pub mod sign;
pub mod token;

pub use digest::{constant_time_eq, sha1_identifier, sha256, sha256_parts};
pub use entropy::SystemEntropy;
pub use error::{
    PASSWORD_COST, PASSWORD_EMPTY, PASSWORD_HASH, PASSWORD_NUL, PASSWORD_TOO_LONG, REASONS, SEAL_DAMAGED, SEAL_UNAVAILABLE, SEAL_WRONG_KEY,
};
pub use mac::MacKey;
pub use seal::{SealError, Sealer};
pub use secret::Secret;
