//! The directory of a ceremony: written beside its place, put there when it is whole.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use signet_crypto::Secret;
use signet_custody::secret_file;
use signet_model::Refusal;

signet_model::reasons! {
    /// A ceremony would write where something is.
    CEREMONY_EXISTS = ("ceremony.exists", 409, "Name a directory that does not exist: a ceremony never touches what another one made.");
    /// The directory of a ceremony cannot be written.
    CEREMONY_UNWRITABLE = ("ceremony.unwritable", 400, "Name a new directory inside one that this user can write.");
    /// The directory of a ceremony cannot be read.
    CEREMONY_UNREADABLE = ("ceremony.unreadable", 400, "Name the directory that `signet ca ceremony --out` made.");
}

/// Writes `files` into the new directory `place`, all with mode 0600.
///
/// # Errors
/// `ceremony.exists` when anything is there, `ceremony.unwritable`.
pub(crate) fn save(place: &Path, files: &[(&'static str, Secret)]) -> Result<(), Refusal> {
    let exists = || Refusal::new(&CEREMONY_EXISTS, format!("{} exists already", place.display()));
    let unwritable = |why: &dyn std::fmt::Display| Refusal::new(&CEREMONY_UNWRITABLE, format!("{}: {why}", place.display()));
    if place.symlink_metadata().is_ok() {
        return Err(exists());
    }
    let beside = Beside::make(place).map_err(|error| unwritable(&error))?;
    for (name, content) in files {
        secret_file::create_new(&beside.0.join(name), content.expose()).map_err(|error| unwritable(&error))?;
    }
    match rustix::fs::renameat_with(CWD, &beside.0, CWD, place, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST | Errno::NOTEMPTY) => Err(exists()),
        Err(errno) => Err(unwritable(&std::io::Error::from(errno))),
    }
}

/// The directory under another name; removed with all keys in it when it does not take its place.
struct Beside(PathBuf);

impl Beside {
    fn make(place: &Path) -> std::io::Result<Self> {
        let mut name = place.as_os_str().to_owned();
        // A slash at the end would put it inside of what is not there yet.
        if let (Some(parent), Some(last)) = (place.parent(), place.file_name()) {
            name = parent.join(last).into_os_string();
        }
        name.push(format!(".{}.new", std::process::id()));
        let path = PathBuf::from(name);
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // After the rename there is nothing under this name any more.
        if let Err(error) = std::fs::remove_dir_all(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(event = "ceremony.not-removed", directory = %self.0.display(), %error);
        }
    }
}
