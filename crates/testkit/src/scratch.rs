//! Scratch directories and free ports.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::TestkitError;

/// Directories of ours are called `signet-test-KIND-PID-RANDOM`, so that what a killed run left behind can be told apart.
const PREFIX: &str = "signet-test-";

/// A fresh directory with a short path (a Unix socket's path has at most about 107 bytes), removed when dropped.
/// What runs that were killed left behind is removed on the way.
pub fn scratch_dir(kind: &str) -> Result<TempDir, TestkitError> {
    let root = scratch_root();
    remove_abandoned(&root);
    tempfile::Builder::new().prefix(&format!("{PREFIX}{kind}-{}-", std::process::id())).tempdir_in(&root).map_err(TestkitError::at(root))
}

/// Root's own `TMPDIR` may be closed to the user `postgres`; `/tmp` never is.
fn scratch_root() -> PathBuf {
    if crate::debian::is_root() { PathBuf::from("/tmp") } else { std::env::temp_dir() }
}

/// Removes directories of ours whose process is gone. A shared server lives in a static that is never dropped.
fn remove_abandoned(root: &Path) {
    let Ok(entries) = std::fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let owner = rest.split('-').rev().nth(1).and_then(|pid| pid.parse::<u32>().ok());
        if let Some(owner) = owner
            && !Path::new(&format!("/proc/{owner}")).exists()
        {
            // Another run may be removing the same directory: whoever comes second has nothing to do.
            let _already_gone = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A loopback TCP port that was free a moment ago. Another program may take it meanwhile: on "address in use", ask again.
pub fn free_port() -> Result<u16, TestkitError> {
    let bound = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(TestkitError::at("127.0.0.1:0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_directory_goes_away_with_its_handle() {
        let directory = scratch_dir("unit").unwrap();
        let path = directory.path().to_owned();
        std::fs::write(path.join("file"), "x").unwrap();
        drop(directory);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_dead_run_left_behind_is_removed_and_a_living_one_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let dead = root.path().join("signet-test-pg-4294967294-abc");
        let living = root.path().join(format!("signet-test-pg-{}-abc", std::process::id()));
        let foreign = root.path().join("something-else");
        for directory in [&dead, &living, &foreign] {
            std::fs::create_dir(directory).unwrap();
        }
        remove_abandoned(root.path());
        assert!(!dead.exists() && living.exists() && foreign.exists());
    }

    #[test]
    fn two_free_ports_can_be_bound() {
        let port = free_port().unwrap();
        TcpListener::bind(("127.0.0.1", port)).unwrap();
    }
}
