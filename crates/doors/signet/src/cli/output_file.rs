//! Files that a command makes: never over anything that is there, not even a dangling link, and refused before the work that
//! fills them begins. They are born with mode 0600, whole or not at all.

use std::path::{Path, PathBuf};

use rustix::fs::Access;
use signet_custody::{CustodyError, secret_file};
use signet_model::Refusal;

signet_model::reasons! {
    /// A file that was to be made is there already.
    FILE_EXISTS = ("file.exists", 409, "Name a file that does not exist, or move the old one away; nothing is ever overwritten.");
    /// A file cannot be made at this place.
    FILE_UNWRITABLE = ("file.unwritable", 400, "Name a place in a directory that this user can write.");
    /// A file cannot be read.
    FILE_UNREADABLE = ("file.unreadable", 400, "Name a readable file of at most 1 MiB, or `-` for stdin.");
}

/// A place that was free when it was looked at.
#[derive(Debug)]
pub(crate) struct OutputFile(PathBuf);

impl OutputFile {
    /// Makes sure that the file can be made there, as far as that can be known before.
    pub(crate) fn at(path: &Path) -> Result<Self, Refusal> {
        if path.symlink_metadata().is_ok() {
            return Err(exists(path));
        }
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let unwritable = |why: &str| Err(Refusal::new(&FILE_UNWRITABLE, format!("{} cannot be made: {why}", path.display())));
        match std::fs::metadata(directory) {
            Ok(meta) if !meta.is_dir() => return unwritable(&format!("{} is no directory", directory.display())),
            Ok(_) => {}
            Err(error) => return unwritable(&format!("{}: {error}", directory.display())),
        }
        if path.file_name().is_none() {
            return unwritable("it names no file");
        }
        match rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK) {
            Ok(()) => Ok(Self(path.to_owned())),
            Err(errno) => unwritable(&format!("{}: {}", directory.display(), std::io::Error::from(errno))),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Makes the file. What took the place meanwhile stays as it is.
    pub(crate) fn write(&self, content: &[u8]) -> Result<(), Refusal> {
        secret_file::create_new(&self.0, content).map_err(|error| match error {
            CustodyError::Exists { .. } => exists(&self.0),
            other => Refusal::new(&FILE_UNWRITABLE, format!("{} cannot be made: {other}", self.0.display())),
        })
    }
}

fn exists(path: &Path) -> Refusal {
    Refusal::new(&FILE_EXISTS, format!("{} exists already", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_there_stays_whatever_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("file"), "old").unwrap();
        std::os::unix::fs::symlink(at("nowhere"), at("dangling")).unwrap();
        for name in ["file", "dangling", "."] {
            assert_eq!(OutputFile::at(&at(name)).unwrap_err().reason.code, "file.exists", "{name}");
        }
        let late = OutputFile::at(&at("late")).unwrap();
        std::fs::write(at("late"), "theirs").unwrap();
        assert_eq!(late.write(b"ours").unwrap_err().reason.code, "file.exists");
        assert_eq!(std::fs::read(at("late")).unwrap(), b"theirs");
    }

    #[test]
    fn it_is_born_for_its_owner_alone_and_a_place_that_cannot_hold_it_is_named_before() {
        let dir = tempfile::tempdir().unwrap();
        let file = OutputFile::at(&dir.path().join("key.pem")).unwrap();
        file.write(b"secret").unwrap();
        assert_eq!(file.path().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        for place in ["none/key.pem", "key.pem/x"] {
            assert_eq!(OutputFile::at(&dir.path().join(place)).unwrap_err().reason.code, "file.unwritable", "{place}");
        }
    }
}
