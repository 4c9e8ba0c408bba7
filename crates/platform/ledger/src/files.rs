//! The ledger's files in the data directory: public keys and the log of checkpoints.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::{LedgerError, PublicKeys};

/// Where checkpoints are appended.
pub(crate) const CHECKPOINTS: &str = "checkpoints.log";

/// Writes `keys/log.pub` and `keys/feed.pub` unless they hold these keys already. Whoever verifies the log trusts `log.pub`, so
/// one that is there is never replaced.
pub(crate) fn write_public_keys(data_dir: &Path, keys: &PublicKeys) -> Result<(), LedgerError> {
    let dir = data_dir.join("keys");
    fs::create_dir_all(&dir).map_err(|error| fault(&dir, error))?;
    for (name, key) in [("log.pub", &keys.log), ("feed.pub", &keys.feed)] {
        let (path, pem) = (dir.join(name), key.to_pem());
        if fs::read_to_string(&path).is_ok_and(|held| held == pem) {
            continue;
        }
        if name == "log.pub" && path.exists() {
            let found = format!("{} holds another key than the database", path.display());
            return Err(LedgerError::Contradicted(found));
        }
        let temporary = dir.join(format!(".{name}.new"));
        fs::write(&temporary, &pem).map_err(|error| fault(&temporary, error))?;
        fs::rename(&temporary, &path).map_err(|error| fault(&path, error))?;
    }
    Ok(())
}

/// Appends a checkpoint and waits for the disk. Begins on a fresh line when the last note was torn.
pub(crate) fn append_checkpoint(data_dir: &Path, note: &str) -> Result<(), LedgerError> {
    let path = data_dir.join(CHECKPOINTS);
    let open = fs::OpenOptions::new().create(true).append(true).open(&path);
    open.and_then(|mut file| {
        file.write_all(note.as_bytes())?;
        file.sync_data()
    })
    .map_err(|error| fault(&path, error))
}

/// Longest checkpoint file that is read, in bytes: ten years of one a second would be less.
const LONGEST_FILE: u64 = 64 * 1024 * 1024 * 1024;
/// How much of the end of a checkpoint file is looked at: its last notes are what counts.
const TAIL: u64 = 64 * 1024;

/// The end of a file of checkpoints; a first note may be cut.
pub(crate) fn newest_notes(path: &Path) -> std::io::Result<String> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    if length > LONGEST_FILE {
        return Err(std::io::Error::other("too long for a file of checkpoints"));
    }
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Makes the log end on a whole line: a crash may have torn the last note.
pub(crate) fn mend_checkpoints(data_dir: &Path) -> Result<(), LedgerError> {
    let path = data_dir.join(CHECKPOINTS);
    match ends_on_a_line(&path) {
        Ok(true) => Ok(()),
        Ok(false) => append_checkpoint(data_dir, "\n"),
        Err(error) => Err(fault(&path, error)),
    }
}

fn ends_on_a_line(path: &PathBuf) -> std::io::Result<bool> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0_u8];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

fn fault(path: &Path, error: std::io::Error) -> LedgerError {
    LedgerError::File { path: path.display().to_string(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_note_is_followed_by_a_fresh_line() {
        let dir = tempfile::tempdir().unwrap();
        mend_checkpoints(dir.path()).unwrap();
        assert!(!dir.path().join(CHECKPOINTS).exists());
        append_checkpoint(dir.path(), "whole\n").unwrap();
        mend_checkpoints(dir.path()).unwrap();
        append_checkpoint(dir.path(), "torn").unwrap();
        mend_checkpoints(dir.path()).unwrap();
        append_checkpoint(dir.path(), "next\n").unwrap();
        assert_eq!(fs::read_to_string(dir.path().join(CHECKPOINTS)).unwrap(), "whole\ntorn\nnext\n");
    }
}
