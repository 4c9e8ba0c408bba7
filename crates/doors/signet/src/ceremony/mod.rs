//! The ceremony: an offline root and the platform's authority under it, made on a machine that no network reaches, with a signed
//! transcript of every step. No server, no database.
//!
//! Everything is made in memory first; a directory appears whole or not at all, and never over anything that is there.

mod files;
mod perform;
mod readme;
mod transcript;
mod verify;

pub(crate) use files::{REASONS, save};
pub(crate) use perform::{Authority, Plan, perform};
pub(crate) use verify::{Verdict, verify};

/// Certificate of the root.
const ROOT_CERTIFICATE: &str = "root.pem";
/// Private key of the root.
const ROOT_KEY: &str = "root.key";
/// Certificate of the platform's authority.
const PLATFORM_CERTIFICATE: &str = "platform.pem";
/// Private key of the platform's authority.
const PLATFORM_KEY: &str = "platform.key";
/// What was done.
const TRANSCRIPT: &str = "transcript.jsonl";
/// The root's signature over it.
const SIGNATURE: &str = "transcript.sig";
/// What to do next.
const README: &str = "README.txt";
/// The step that names the hashes of the files.
const WROTE: &str = "files";
/// The step that names what was made with a key: `KEY-certificate`.
const ROOT: &str = "root";
const PLATFORM: &str = "platform";
