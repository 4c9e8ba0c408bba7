//! Files that hold a secret: `seal.key`, `operator.token`, TLS keys. Two promises:
//!
//! - A secret is never wider than 0600, at no moment and under no umask: the file is created with that mode in one call of
//!   open(2), beside its place, and takes its place only when it is whole and on the disk. A crash leaves the old file or
//!   the new one, never a part (at worst a hidden `.NAME.PID-N.new` beside it, of mode 0600).
//! - A secret is never read from a file that others can read or write, nor through a FIFO, a device or (unless asked) a link.
//!   One exception: what systemd presents below `$CREDENTIALS_DIRECTORY` (systemd.exec(5), LoadCredential=) has mode 0440 and
//!   belongs to root, and an access list lets in the service's user alone.
//!
//! Blocking calls, meant for start-up, rotation and the command line.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use signet_crypto::Secret;
use zeroize::Zeroizing;

use crate::CustodyError;

/// How often a name beside the final one is sought when left-overs of a crash have it.
const BESIDE_ATTEMPTS: u32 = 16;

/// Whether the last part of a path may be a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// No: for files that Signet makes itself.
    Refuse,
    /// Yes: for files that an operator names, which certbot and Kubernetes provide as links. The target's mode counts.
    Follow,
}

/// Writes a secret file that must not exist yet. Of several processes that do so at once, one succeeds.
///
/// # Errors
/// [`CustodyError::Exists`] when anything is there (also a dangling link), [`CustodyError::Unwritable`].
pub fn create_new(path: &Path, secret: &[u8]) -> Result<(), CustodyError> {
    let beside = Beside::write(path, secret)?;
    let renamed = rustix::fs::renameat_with(CWD, &beside.path, CWD, path, RenameFlags::NOREPLACE);
    match renamed {
        Ok(()) => beside.took_its_place(),
        // File systems without this flag (NFS) have hard links, which do not replace either; `beside` is removed on the way out.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rustix::fs::linkat(CWD, &beside.path, CWD, path, AtFlags::empty()).map_err(|errno| placing(path, errno))?
        }
        Err(errno) => return Err(placing(path, errno)),
    }
    sync_directory(path)
}

/// Writes a secret file, in place of a regular file of that name if there is one; whatever mode that had, the new one has 0600.
///
/// # Errors
/// [`CustodyError::NotAFile`] when a link, directory, FIFO or device is there, [`CustodyError::Unwritable`].
pub fn replace(path: &Path, secret: &[u8]) -> Result<(), CustodyError> {
    match rustix::fs::lstat(path) {
        Ok(stat) => require_regular(path, FileType::from_raw_mode(stat.st_mode))?,
        Err(Errno::NOENT) => {}
        Err(errno) => return Err(unwritable(path, errno)),
    }
    let beside = Beside::write(path, secret)?;
    rustix::fs::rename(&beside.path, path).map_err(|errno| placing(path, errno))?;
    beside.took_its_place();
    sync_directory(path)
}

/// Reads a secret file of at most `limit` bytes.
///
/// # Errors
/// [`CustodyError::TooWide`] for any right but the owner's to read and write, [`CustodyError::NotAFile`],
/// [`CustodyError::TooLong`], [`CustodyError::Missing`], [`CustodyError::Unreadable`].
pub fn read(path: &Path, limit: usize, links: Links) -> Result<Secret, CustodyError> {
    let unreadable = |source: io::Error| CustodyError::Unreadable { path: path.to_owned(), source };
    // NONBLOCK: opening a FIFO must not wait for a writer; it has no effect on regular files.
    let mut flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    if links == Links::Refuse {
        flags |= OFlags::NOFOLLOW;
    }
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::NOENT => CustodyError::Missing { path: path.to_owned() },
        Errno::LOOP => CustodyError::NotAFile { path: path.to_owned(), kind: "a symbolic link" },
        Errno::NXIO => CustodyError::NotAFile { path: path.to_owned(), kind: "a socket or device" },
        errno => unreadable(errno.into()),
    })?;
    // Of the open file, not of the path: nobody can exchange it in between.
    let stat = rustix::fs::fstat(&file).map_err(|errno| unreadable(errno.into()))?;
    require_regular(path, FileType::from_raw_mode(stat.st_mode))?;
    let mode = stat.st_mode & 0o7777;
    if mode & !0o600 != 0 && !(mode == 0o440 && is_presented(path, stat.st_uid)) {
        return Err(CustodyError::TooWide { path: path.to_owned(), mode });
    }
    // Room for one byte too many, so that nothing is moved while it grows.
    let most = limit.saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(most));
    File::from(file).take(u64::try_from(most).unwrap_or(u64::MAX)).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > limit {
        return Err(CustodyError::TooLong { path: path.to_owned(), limit });
    }
    Ok(Secret::from(std::mem::take(&mut *bytes)))
}

/// Whether `path` is a credential that systemd presents to this service, where mode 0440 is as narrow as it can be.
pub fn is_credential(path: &Path) -> bool {
    rustix::fs::stat(path).is_ok_and(|stat| stat.st_mode & 0o7777 == 0o440 && is_presented(path, stat.st_uid))
}

fn is_presented(path: &Path, owner: u32) -> bool {
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    directory.is_some_and(|directory| is_below(path, &directory)) && (owner == 0 || owner == rustix::process::geteuid().as_raw())
}

/// Whether the file lies directly or deeper in `directory`, links resolved; a relative or absent directory holds nothing.
fn is_below(path: &Path, directory: &Path) -> bool {
    let resolved = |path: &Path| std::fs::canonicalize(path);
    directory.is_absolute()
        && directory.parent().is_some()
        && matches!((resolved(path), resolved(directory)), (Ok(path), Ok(directory)) if path.starts_with(&directory))
}

/// The new content under a name of its own in the same directory; removed when it does not take its place.
struct Beside {
    path: PathBuf,
    placed: bool,
}

impl Beside {
    fn write(path: &Path, secret: &[u8]) -> Result<Self, CustodyError> {
        let (beside, mut file) = Self::create(path)?;
        let unwritable = |source: io::Error| CustodyError::Unwritable { path: path.to_owned(), source };
        // A umask takes rights away, never gives: under umask 0777 the file has none at all, and its owner could not read it again.
        let stat = rustix::fs::fstat(&file).map_err(|errno| unwritable(errno.into()))?;
        if stat.st_mode & 0o600 != 0o600 {
            rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR).map_err(|errno| unwritable(errno.into()))?;
        }
        file.write_all(secret).and_then(|()| file.sync_all()).map_err(unwritable)?;
        Ok(beside)
    }

    fn create(path: &Path) -> Result<(Self, File), CustodyError> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let Some(name) = path.file_name() else {
            return Err(CustodyError::NotAFile { path: path.to_owned(), kind: "a directory" });
        };
        for _ in 0..BESIDE_ATTEMPTS {
            let mut hidden = OsString::from(".");
            hidden.push(name);
            hidden.push(format!(".{}-{}.new", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed)));
            let beside = path.with_file_name(hidden);
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
            match rustix::fs::open(&beside, flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => return Ok((Self { path: beside, placed: false }, File::from(file))),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(unwritable(path, errno)),
            }
        }
        Err(unwritable(path, Errno::EXIST))
    }

    fn took_its_place(mut self) {
        self.placed = true;
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.placed {
            // An error is on its way already, or the file has its second name; what stays behind has mode 0600.
            let _ = rustix::fs::unlink(&self.path);
        }
    }
}

/// A new name lasts only once its directory is on the disk.
fn sync_directory(path: &Path) -> Result<(), CustodyError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|source| CustodyError::Unwritable { path: path.to_owned(), source })
}

fn require_regular(path: &Path, kind: FileType) -> Result<(), CustodyError> {
    let kind = match kind {
        FileType::RegularFile => return Ok(()),
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "of an unknown kind",
    };
    Err(CustodyError::NotAFile { path: path.to_owned(), kind })
}

fn placing(path: &Path, errno: Errno) -> CustodyError {
    match errno {
        Errno::EXIST => CustodyError::Exists { path: path.to_owned() },
        errno => unwritable(path, errno),
    }
}

fn unwritable(path: &Path, errno: Errno) -> CustodyError {
    CustodyError::Unwritable { path: path.to_owned(), source: errno.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_in_the_directory_of_credentials_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let (credentials, other) = (dir.path().join("credentials"), dir.path().join("credentials-not"));
        for directory in [&credentials, &other] {
            std::fs::create_dir(directory).unwrap();
            std::fs::write(directory.join("seal.key"), "x").unwrap();
        }
        std::os::unix::fs::symlink(other.join("seal.key"), credentials.join("link")).unwrap();
        assert!(is_below(&credentials.join("seal.key"), &credentials));
        for outside in
            [other.join("seal.key"), credentials.join("../credentials-not/seal.key"), credentials.join("link"), credentials.join("none")]
        {
            assert!(!is_below(&outside, &credentials), "{}", outside.display());
        }
        assert!(!is_below(&other.join("seal.key"), Path::new("")) && !is_below(&other.join("seal.key"), Path::new("/")));
    }
}
