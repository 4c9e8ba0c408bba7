//! `endpoint.json`: what a running server says of itself on its first line of stdout and, the same object, in its data directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The value of `event` in [`Endpoint`].
pub const READY_EVENT: &str = "ready";

/// The file's name in a data directory.
const FILE_NAME: &str = "endpoint.json";

/// A server that is (or was) up.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Endpoint {
    /// Always [`READY_EVENT`].
    pub event: String,
    /// Version of the server.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Its data directory as an absolute path.
    pub data_dir: String,
    /// What it has bound: name to `host:port`.
    pub listeners: BTreeMap<String, String>,
    /// Milliseconds from the start of the process to readiness.
    pub elapsed_ms: u64,
}

impl Endpoint {
    /// Where a data directory keeps it.
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE_NAME)
    }

    /// Reads that of `data_dir`; none when there is no file. A file that is no endpoint counts as none: the caller says so
    /// in its error, and the next start of a server replaces it.
    pub fn read(data_dir: &Path) -> Option<Self> {
        let bytes = std::fs::read(Self::path(data_dir)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}
