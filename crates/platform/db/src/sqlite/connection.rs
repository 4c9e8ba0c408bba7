//! Opening the file: rights, identity, settings.

use std::fs::{OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::fault::{fault, file_fault};
use crate::DbError;

/// `SIGN`: what SQLite's header names as the file's application.
const APPLICATION_ID: i64 = 0x5349_474e;
/// Prepared statements kept by each connection.
const STATEMENTS: usize = 256;
/// Page caches in KiB: the writer's, and each reader's.
const WRITER_CACHE_KIB: u32 = 64 * 1024;
const READER_CACHE_KIB: u32 = 16 * 1024;
/// The write-ahead log is cut back to this size after a burst.
const LARGEST_LOG_BYTES: u32 = 64 * 1024 * 1024;

/// The writer's connection; makes the file when there is none.
pub(super) fn open_writer(path: &Path, busy: Duration) -> Result<Connection, DbError> {
    make_file(path)?;
    let words = |error| fault(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(words)?;
    connection.busy_timeout(busy).map_err(words)?;
    let is_new = check_owner(path, &connection)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(words)?;
    if mode != "wal" {
        return Err(DbError::NetworkFilesystem(format!("{}: this file system offers no shared memory for the database", path.display())));
    }
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; \
             PRAGMA cache_size = -{WRITER_CACHE_KIB}; PRAGMA journal_size_limit = {LARGEST_LOG_BYTES};"
        ))
        .map_err(words)?;
    if is_new {
        connection.execute_batch(&format!("PRAGMA application_id = {APPLICATION_ID}")).map_err(words)?;
    }
    keep_statements(&connection).map_err(words)?;
    Ok(connection)
}

/// A reader's connection to a file that a writer has opened.
pub(super) fn open_reader(path: &Path, busy: Duration) -> Result<Connection, DbError> {
    let words = |error| fault(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(words)?;
    connection.busy_timeout(busy).map_err(words)?;
    connection
        .execute_batch(&format!(
            "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -{READER_CACHE_KIB};"
        ))
        .map_err(words)?;
    keep_statements(&connection).map_err(words)?;
    Ok(connection)
}

/// Keeps statements prepared. Without "query planner stability" SQLite compiles one anew at each change of a parameter that a
/// partial index might be chosen by, which costs more than the look-up itself.
fn keep_statements(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// Makes the file for its owner alone, or takes everybody else's rights from it. SQLite gives its companions the file's mode.
///
/// An existing file is not opened here: closing it would drop the locks that this process may hold on it (fcntl(2)).
fn make_file(path: &Path) -> Result<(), DbError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_made) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(file_fault(path, &error)),
    }
    for file in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
        let about = match std::fs::metadata(&file) {
            Ok(about) => about,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(file_fault(&file, &error)),
        };
        if !about.is_file() {
            return Err(DbError::Corrupt(format!("{} is not a file", file.display())));
        }
        if about.permissions().mode() & 0o077 != 0
            && let Err(error) = std::fs::set_permissions(&file, Permissions::from_mode(0o600))
        {
            tracing::warn!(file = %file.display(), %error, "database.file-mode: others may read the database; run chmod 600 on it");
        }
    }
    Ok(())
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Refuses the database of another program before anything is written to it. Whether the file has yet to be marked as ours.
fn check_owner(path: &Path, connection: &Connection) -> Result<bool, DbError> {
    let read = || -> Result<(i64, i64, i64), rusqlite::Error> {
        let application = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        let tables = "SELECT count(*), coalesce(sum(name = 'schema_version'), 0) FROM sqlite_schema WHERE type = 'table'";
        let (all, ours) = connection.query_row(tables, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((application, all, ours))
    };
    match read().map_err(|error| fault(path, error))? {
        (APPLICATION_ID, _, _) => Ok(false),
        (0, 0, _) => Ok(true),
        (0, _, ours) if ours > 0 => Ok(true),
        _ => Err(DbError::Corrupt(format!("{} is an SQLite database of another program; nothing in it was changed", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_prepared_statement_is_compiled_once_whatever_it_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let writer = open_writer(&path, Duration::from_secs(1)).unwrap();
        writer.execute_batch("CREATE TABLE t (a TEXT, kind TEXT); CREATE INDEX i ON t (a) WHERE kind = 'x'").unwrap();
        let reader = open_reader(&path, Duration::from_secs(1)).unwrap();
        for connection in [&reader, &writer] {
            let mut statement = connection.prepare_cached("SELECT a FROM t WHERE a = $1 AND kind = $2").unwrap();
            for value in ["x", "y", "z"] {
                assert!(statement.query([value, value]).unwrap().next().unwrap().is_none());
            }
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
        }
    }
}
