//! SQLite's errors in our words.

use std::path::Path;

use rusqlite::{Error, ErrorCode, ffi};

use crate::DbError;
use crate::value::NulInText;

/// Free space below which an I/O error is taken for a full disk: SQLite reports a write-ahead log or its index that cannot
/// grow as such.
const FULL_BELOW_BYTES: u64 = 64 * 1024;

const LOCKS_DO_NOT_WORK: &str = "file locks do not work on this file system, so the database would be damaged";

impl From<Error> for DbError {
    fn from(error: Error) -> Self {
        let failure = match &error {
            Error::SqliteFailure(failure, _) | Error::SqlInputError { error: failure, .. } => *failure,
            Error::ToSqlConversionFailure(inner) if inner.is::<NulInText>() => return Self::Constraint(inner.to_string()),
            Error::FromSqlConversionFailure(..) | Error::InvalidColumnType(..) | Error::Utf8Error(..) => {
                return Self::Corrupt(format!("a stored value is not of the type that its column promises ({error})"));
            }
            other => return Self::Internal(format!("SQLite: {other}")),
        };
        match failure.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
            ErrorCode::OperationInterrupted => Self::Timeout,
            ErrorCode::DiskFull => Self::Full("the disk that holds the database is full".to_owned()),
            ErrorCode::SystemIoFailure => match failure.extended_code {
                ffi::SQLITE_IOERR_SHMSIZE => Self::Full("the disk that holds the database is full".to_owned()),
                ffi::SQLITE_IOERR_LOCK | ffi::SQLITE_IOERR_RDLOCK | ffi::SQLITE_IOERR_UNLOCK | ffi::SQLITE_IOERR_SHMLOCK => {
                    Self::NetworkFilesystem(LOCKS_DO_NOT_WORK.to_owned())
                }
                ffi::SQLITE_IOERR_CORRUPTFS => Self::Corrupt("the file system that holds the database is damaged".to_owned()),
                code => Self::Unavailable(format!("the disk refused to read or write the database (SQLite I/O error {code})")),
            },
            ErrorCode::FileLockingProtocolFailed | ErrorCode::NoLargeFileSupport => Self::NetworkFilesystem(LOCKS_DO_NOT_WORK.to_owned()),
            ErrorCode::DatabaseCorrupt => Self::Corrupt("the database file is damaged".to_owned()),
            ErrorCode::NotADatabase => {
                Self::Corrupt("this is not an SQLite database: it may be encrypted, cut off, or another kind of file".to_owned())
            }
            ErrorCode::CannotOpen => Self::Unavailable("the database file cannot be opened".to_owned()),
            ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
                Self::Denied("the system denies access to the database file".to_owned())
            }
            ErrorCode::ReadOnly if failure.extended_code == ffi::SQLITE_READONLY_DBMOVED => {
                Self::Unavailable("the database file was moved or deleted while it was open".to_owned())
            }
            ErrorCode::ReadOnly => Self::Denied("the database file, or the directory that it lies in, is read-only".to_owned()),
            ErrorCode::OutOfMemory => Self::Unavailable("SQLite ran out of memory".to_owned()),
            ErrorCode::ConstraintViolation => Self::Constraint(format!("SQLite: {error}")),
            // A wrong statement of ours; the codes for library misuse too.
            _ => Self::Internal(format!("SQLite: {error}")),
        }
    }
}

/// The error of an operation on `path`, told with the path, and with a look at the disk where SQLite does not say enough.
pub(super) fn fault(path: &Path, error: Error) -> DbError {
    let mapped = match DbError::from(error) {
        DbError::Unavailable(_) if is_full(path) => DbError::Full("the disk that holds the database is full".to_owned()),
        other => other,
    };
    mapped.at(&path.display().to_string())
}

/// The error of the file system about `path`.
pub(super) fn file_fault(path: &Path, error: &std::io::Error) -> DbError {
    let text = format!("{}: {error}", path.display());
    match error.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => DbError::Denied(text),
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => DbError::Full(text),
        _ => DbError::Unavailable(text),
    }
}

fn is_full(path: &Path) -> bool {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    rustix::fs::statvfs(directory).is_ok_and(|space| space.f_bavail.saturating_mul(space.f_frsize) < FULL_BELOW_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(extended: i32) -> DbError {
        DbError::from(Error::SqliteFailure(ffi::Error::new(extended), Some("raw text".to_owned())))
    }

    #[test]
    fn every_kind_of_failure_has_its_reason_and_words() {
        let rows = [
            (ffi::SQLITE_BUSY, "storage.unavailable"),
            (ffi::SQLITE_BUSY_SNAPSHOT, "storage.unavailable"),
            (ffi::SQLITE_INTERRUPT, "storage.unavailable"),
            (ffi::SQLITE_FULL, "storage.full"),
            (ffi::SQLITE_IOERR_SHMSIZE, "storage.full"),
            (ffi::SQLITE_IOERR_READ, "storage.unavailable"),
            (ffi::SQLITE_IOERR_LOCK, "data-dir.network-filesystem"),
            (ffi::SQLITE_PROTOCOL, "data-dir.network-filesystem"),
            (ffi::SQLITE_CORRUPT, "storage.corrupt"),
            (ffi::SQLITE_NOTADB, "storage.corrupt"),
            (ffi::SQLITE_READONLY, "storage.denied"),
            (ffi::SQLITE_READONLY_DBMOVED, "storage.unavailable"),
            (ffi::SQLITE_CANTOPEN, "storage.unavailable"),
        ];
        for (code, reason) in rows {
            let error = mapped(code);
            assert_eq!(error.reason().code, reason, "{code}");
            assert!(!error.to_string().contains("raw text"), "{code}: {error}");
        }
        assert!(matches!(mapped(ffi::SQLITE_CONSTRAINT_UNIQUE), DbError::Constraint(_)));
        assert!(matches!(mapped(ffi::SQLITE_ERROR), DbError::Internal(_)));
    }
}
