//! The data directory: made with mode 0700, checked for what a server needs of it, and held by one process at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use signet_model::Refusal;

use super::reasons::{DATA_DIR_IN_USE, DATA_DIR_UNUSABLE};

/// Held by flock for as long as the process lives; the kernel lets go of it however the process ends.
const LOCK_FILE: &str = "signet.lock";

/// A data directory that this process holds.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// Kept for its lock.
    _lock: File,
}

impl DataDir {
    /// Makes the directory where it is missing and takes its lock.
    pub(crate) fn hold(path: &Path) -> Result<Self, Refusal> {
        let path = make(path)?;
        let lock_path = path.join(LOCK_FILE);
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&lock_path);
        let mut lock = opened.map_err(|e| unusable(&path, &format!("is no place for its {LOCK_FILE}, which cannot be opened: {e}")))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The lock says enough; the number in the file only helps to find the holder.
                let _ = lock.take(20).read_to_string(&mut holder);
                let pid = holder.trim().parse::<u32>().map_or_else(|_| "another process".to_owned(), |pid| format!("process {pid}"));
                return Err(Refusal::new(&DATA_DIR_IN_USE, format!("{} is held by {pid}", path.display()))
                    .with_fix(format!("Stop {pid} first, or give this one a directory of its own with `--data-dir DIR`.")));
            }
            Err(TryLockError::Error(e)) => return Err(unusable(&path, &format!("its lock cannot be taken: {e}"))),
        }
        let written = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| writeln!(lock, "{}", std::process::id()));
        written.map_err(|e| unusable(&path, &format!("is no place for its {LOCK_FILE}, which cannot be written: {e}")))?;
        warn_of_others(&path);
        Ok(Self { path, _lock: lock })
    }

    /// The directory, absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// The mode of a file or directory to which others than its owner have any right; none where nobody has, or nothing is there.
pub(crate) fn mode_for_others(path: &Path) -> Option<u32> {
    let mode = std::fs::metadata(path).ok()?.mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// A directory and a token of an earlier start that others may read are worth a warning, and no more (design 10).
fn warn_of_others(path: &Path) {
    for (what, path, narrow) in [("data directory", path.to_path_buf(), "700"), ("operator token", path.join("operator.token"), "600")] {
        if let Some(mode) = mode_for_others(&path) {
            let fix = format!("chmod {narrow} {}", path.display());
            tracing::warn!(event = "data-dir.open-to-others", what, path = %path.display(), mode = %format_args!("{mode:04o}"), fix);
        }
    }
}

/// Whether some process holds the directory now, and which, as far as it says.
pub(crate) fn holder(path: &Path) -> Option<Option<u32>> {
    let mut file = File::open(path.join(LOCK_FILE)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.read_to_string(&mut text).ok()?;
            Some(text.trim().parse().ok())
        }
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

/// Makes a directory that only this user can enter; the answer is its absolute path.
pub(crate) fn make(path: &Path) -> Result<PathBuf, Refusal> {
    if path.to_str().is_none() {
        // The database and the ready line name it as text.
        let refusal = Refusal::new(&DATA_DIR_UNUSABLE, format!("the name of the data directory {} is not UTF-8 text", path.display()));
        return Err(refusal.with_fix("Rename it, or name another with `--data-dir DIR`."));
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| unusable(path, &format!("cannot be made: {e}")))?;
    let absolute = path.canonicalize().map_err(|e| unusable(path, &format!("cannot be opened: {e}")))?;
    std::fs::read_dir(&absolute).map_err(|e| unusable(path, &format!("cannot be read: {e}")))?;
    Ok(absolute)
}

/// The refusal of a directory, with a fix that fits what is wrong with it.
fn unusable(path: &Path, why: &str) -> Refusal {
    let shown = path.display();
    let refusal = Refusal::new(&DATA_DIR_UNUSABLE, format!("the data directory {shown} {why}"));
    let own = rustix::process::geteuid().as_raw();
    match std::fs::metadata(path) {
        Ok(meta) if !meta.is_dir() => refusal.with_fix(format!("{shown} is not a directory: name another with `--data-dir DIR`.")),
        Ok(meta) if meta.uid() != own => {
            refusal.with_fix(format!("It belongs to user {}: `chown -R {own} {shown}` as root, or run as that user.", meta.uid()))
        }
        Ok(meta) if meta.mode() & 0o700 != 0o700 => refusal.with_fix(format!("Give its owner access: `chmod 700 {shown}`.")),
        Ok(_) => refusal.with_fix(
            "Its file system must be writable: check `mount` and the free space, or name another directory with `--data-dir DIR`.",
        ),
        Err(_) => refusal,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn one_holder_at_a_time_and_the_other_is_told_who() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/d");
        let held = DataDir::hold(&path).unwrap();
        assert_eq!(held.path().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let refusal = DataDir::hold(&path).unwrap_err();
        assert_eq!(refusal.reason.code, "data-dir.in-use");
        assert!(refusal.detail.contains(&format!("process {}", std::process::id())), "{}", refusal.detail);
        assert_eq!(holder(&path), Some(Some(std::process::id())));
        drop(held);
        assert_eq!(holder(&path), None);
        DataDir::hold(&path).unwrap();
    }

    #[test]
    fn rights_of_others_are_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("operator.token");
        std::fs::write(&file, "x").unwrap();
        for (mode, seen) in [(0o600, None), (0o400, None), (0o644, Some(0o644)), (0o640, Some(0o640)), (0o602, Some(0o602))] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(mode_for_others(&file), seen, "{mode:o}");
        }
        assert_eq!(mode_for_others(&dir.path().join("none")), None);
    }

    #[test]
    fn a_lock_that_cannot_be_opened_is_named_once() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(LOCK_FILE)).unwrap();
        let refusal = DataDir::hold(dir.path()).unwrap_err();
        assert_eq!(refusal.detail.matches(&*dir.path().to_string_lossy()).count(), 1, "{}", refusal.detail);
        assert!(refusal.detail.contains(LOCK_FILE), "{}", refusal.detail);
    }

    #[test]
    fn a_name_that_is_no_text_is_refused_in_words() {
        use std::os::unix::ffi::OsStrExt as _;
        let refusal = DataDir::hold(Path::new(std::ffi::OsStr::from_bytes(b"d\xe4ta"))).unwrap_err();
        assert_eq!(refusal.reason.code, "data-dir.unusable");
    }

    #[test]
    fn a_file_in_its_place_is_refused_in_words() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "").unwrap();
        let refusal = DataDir::hold(&path).unwrap_err();
        assert_eq!(refusal.reason.code, "data-dir.unusable");
        assert!(refusal.fix().contains("not a directory"), "{}", refusal.fix());
    }
}
