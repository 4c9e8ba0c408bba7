//! Whether the file system under the data directory can hold a database (field case H14). SQLite needs locks that exclude
//! each other and a shared memory map; NFS and SMB promise neither between machines, shared folders of virtual machines
//! and FUSE mounts often lack them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

/// What is doubtful about a directory's file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesystemConcern {
    /// The directory.
    pub directory: PathBuf,
    /// The file system's type, such as `nfs`.
    pub filesystem: String,
    /// Whether Signet refuses to run there; otherwise the operator is warned.
    pub refused: bool,
    /// What was seen.
    pub detail: String,
}

impl fmt::Display for FilesystemConcern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lies on a file system of type {}: {}", self.directory.display(), self.filesystem, self.detail)
    }
}

/// What a file system is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Shared between machines, with locks that lie.
    Network(&'static str),
    /// Depends on what stands behind it.
    Doubtful(&'static str),
    /// Anything else.
    Local,
}

/// By the magic numbers of `statfs(2)` and `linux/magic.h`.
fn kind(magic: u32) -> Kind {
    match magic {
        0x6969 => Kind::Network("nfs"),
        0x517b => Kind::Network("smb"),
        0xff53_4d42 => Kind::Network("cifs"),
        0xfe53_4d42 => Kind::Network("smb2"),
        0x564c => Kind::Network("ncp"),
        0x5346_414f | 0x6b41_4653 => Kind::Network("afs"),
        0x7375_7245 => Kind::Network("coda"),
        0x0102_1997 => Kind::Doubtful("9p"),
        0x6573_5546 => Kind::Doubtful("fuse"),
        0x786f_4256 => Kind::Doubtful("vboxsf"),
        0x00c3_6400 => Kind::Doubtful("ceph"),
        0x0bd0_0bd0 => Kind::Doubtful("lustre"),
        0x0116_1970 => Kind::Doubtful("gfs2"),
        0x7461_636f => Kind::Doubtful("ocfs2"),
        _ => Kind::Local,
    }
}

/// Looks at the file system of `directory`; `None` when nothing is wrong with it. A directory that cannot be looked at is no
/// concern of this function: opening it will fail in its own words.
pub fn examine_filesystem(directory: &Path) -> Option<FilesystemConcern> {
    let magic = rustix::fs::statfs(directory).ok()?.f_type;
    // The number has 32 bits; some platforms sign-extend it.
    let magic = u32::try_from(magic & 0xffff_ffff).ok()?;
    judge(directory, kind(magic), probe)
}

fn judge(directory: &Path, kind: Kind, probe: impl Fn(&Path) -> Option<String>) -> Option<FilesystemConcern> {
    let concern = |filesystem: &str, refused, detail: String| {
        Some(FilesystemConcern { directory: directory.to_owned(), filesystem: filesystem.to_owned(), refused, detail })
    };
    match kind {
        Kind::Network(name) => {
            concern(name, true, "its locks do not hold between machines, and a database on it would be damaged".to_owned())
        }
        Kind::Doubtful(name) => concern(name, false, probe(directory)?),
        Kind::Local => None,
    }
}

/// Tries two connections on a throw-away database: the second must be locked out while the first writes, and must see what it
/// wrote. What does not work, or `None`. A full or read-only directory tells nothing about locks.
fn probe(directory: &Path) -> Option<String> {
    let path = directory.join(format!(".signet-lock-probe-{}", std::process::id()));
    let result = two_writers(&path);
    for end in ["", "-wal", "-shm", "-journal"] {
        let mut file = path.clone().into_os_string();
        file.push(end);
        // Some of them were never made.
        let _not_there = std::fs::remove_file(file);
    }
    match result {
        Ok(true) => None,
        Ok(false) => Some("two writers were let in at the same time".to_owned()),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::FileLockingProtocolFailed | ErrorCode::NoLargeFileSupport) => Some("file locks do not work".to_owned()),
            Some(ErrorCode::SystemIoFailure) => Some("file locks or shared memory do not work".to_owned()),
            _ => None,
        },
    }
}

fn two_writers(path: &Path) -> Result<bool, rusqlite::Error> {
    let first = Connection::open(path)?;
    let mode: String = first.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    let second = Connection::open(path)?;
    second.busy_timeout(Duration::ZERO)?;
    first.execute_batch("BEGIN IMMEDIATE; CREATE TABLE probe (x)")?;
    let locked_out = second.execute_batch("BEGIN IMMEDIATE").is_err_and(|e| e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy));
    first.execute_batch("COMMIT")?;
    let seen: i64 = second.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(locked_out && seen == 1 && mode == "wal")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_refused_by_name_without_a_probe() {
        for (magic, name) in [(0x6969, "nfs"), (0xff53_4d42, "cifs"), (0xfe53_4d42, "smb2"), (0x517b, "smb")] {
            let concern = judge(Path::new("/d"), kind(magic), |_| panic!("probed")).unwrap();
            assert!(concern.refused && concern.filesystem == name, "{concern:?}");
            assert!(concern.to_string().starts_with(&format!("/d lies on a file system of type {name}: ")));
        }
    }

    #[test]
    fn doubtful_file_systems_only_warn_and_only_when_locks_fail() {
        for magic in [0x0102_1997, 0x6573_5546, 0x786f_4256] {
            assert_eq!(judge(Path::new("/d"), kind(magic), |_| None), None);
            let concern = judge(Path::new("/d"), kind(magic), |_| Some("file locks do not work".into())).unwrap();
            assert!(!concern.refused && concern.detail == "file locks do not work");
        }
        assert_eq!(judge(Path::new("/d"), kind(0xef53), |_| panic!("probed")), None);
    }

    #[test]
    fn a_local_directory_passes_the_probe_and_keeps_no_trace_of_it() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(probe(directory.path()), None);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        assert_eq!(examine_filesystem(directory.path()), None);
        assert_eq!(examine_filesystem(Path::new("/nowhere/at/all")), None);
    }
}
