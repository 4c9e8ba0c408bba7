//! Where the verifier's rows come from: an SQLite file that is opened read-only, or a database's pool. Rows are read in chunks, each
//! in a transaction of its own, so that a running server is not kept from tidying up behind a long one.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use signet_db::{Db, DbError, Sql, Statement, Value};
use signet_model::Lineage;

use super::check::{AuditRow, Check, Next};
use super::{Fault, LogSource};
use crate::merkle::{Hash, TILE_WIDTH, hashes_of};

/// Rows in one chunk.
const CHUNK: i64 = 2_048;

const ROWS: &str = "SELECT position, tenant, object, record FROM audit WHERE position > $1 ORDER BY position LIMIT $2";
const TILE: &str = "SELECT hashes FROM audit_tile WHERE level = 0 AND tile = $1";
const NOTE: &str = "SELECT note FROM audit_checkpoint WHERE slot = 1";
const LINEAGE: &str = "SELECT value FROM ledger_meta WHERE name = 'lineage'";
const LOWEST: &str = "SELECT min(position) FROM audit";

/// An open log.
pub(crate) enum Source {
    File(Arc<Mutex<Connection>>),
    Database(Db),
}

impl Source {
    pub(crate) async fn open(log: LogSource) -> Result<Self, Fault> {
        match log {
            LogSource::Database(db) => Ok(Self::Database(db)),
            LogSource::SqliteFile(path) => {
                let opened = off_the_runtime(move || open_file(&path)).await?;
                Ok(Self::File(Arc::new(Mutex::new(opened?))))
            }
        }
    }

    pub(crate) async fn lineage(&self) -> Result<Lineage, Fault> {
        let value = self.text(LINEAGE).await?;
        value.map(Lineage).ok_or_else(|| Fault::unreadable("the database holds no ledger: it has no lineage"))
    }

    pub(crate) async fn checkpoint(&self) -> Result<Option<String>, Fault> {
        self.text(NOTE).await
    }

    /// The lowest position.
    pub(crate) async fn lowest(&self) -> Result<Option<i64>, Fault> {
        match self {
            Self::File(connection) => blocking(connection, |c| c.query_row(LOWEST, [], |row| row.get(0))).await,
            Self::Database(db) => {
                let row = db.query_optional(statement(LOWEST, Vec::new())).await.map_err(Fault::unreadable)?;
                row.map(|row| row.opt_int(0)).transpose().map(Option::flatten).map_err(Fault::unreadable)
            }
        }
    }

    /// Reads every row into the check.
    pub(crate) async fn feed(&self, check: &mut Check) -> Result<(), Fault> {
        let mut after = 0_i64;
        let mut held: Option<(i64, Vec<Hash>)> = None;
        loop {
            let rows = self.rows(after).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.position;
            for row in &rows {
                let (tile, index) = place(row.position);
                if held.as_ref().is_none_or(|(held, _)| *held != tile) {
                    held = Some((tile, self.tile(tile).await?));
                }
                let stored = held.as_ref().and_then(|(_, hashes)| hashes.get(index).copied());
                let named = named_elsewhere(row);
                let elsewhere = match named {
                    Some(position) => {
                        let (tile, index) = place(position);
                        self.tile(tile).await?.get(index).copied()
                    }
                    None => None,
                };
                if check.row(row, stored, |_| elsewhere)? == Next::Stop {
                    return Ok(());
                }
            }
        }
    }

    async fn rows(&self, after: i64) -> Result<Vec<AuditRow>, Fault> {
        match self {
            Self::File(connection) => {
                blocking(connection, move |connection| {
                    let mut statement = connection.prepare_cached(ROWS)?;
                    let rows = statement.query_map([after, CHUNK], |row| {
                        Ok(AuditRow {
                            position: row.get(0)?,
                            tenant: bytes(row, 1)?,
                            object: bytes(row, 2)?.unwrap_or_default(),
                            record: bytes(row, 3)?.unwrap_or_default(),
                        })
                    })?;
                    rows.collect()
                })
                .await
            }
            Self::Database(db) => {
                let rows = db.query(statement(ROWS, vec![Value::Int(after), Value::Int(CHUNK)])).await.map_err(Fault::unreadable)?;
                let row = |row: &signet_db::Row| -> Result<AuditRow, DbError> {
                    Ok(AuditRow {
                        position: row.int(0)?,
                        tenant: row.opt_text(1)?.map(|text| text.as_bytes().to_vec()),
                        object: row.text(2)?.as_bytes().to_vec(),
                        record: row.text(3)?.as_bytes().to_vec(),
                    })
                };
                rows.iter().map(row).collect::<Result<_, _>>().map_err(Fault::unreadable)
            }
        }
    }

    async fn tile(&self, tile: i64) -> Result<Vec<Hash>, Fault> {
        let stored: Option<Vec<u8>> = match self {
            Self::File(connection) => {
                let read = move |c: &Connection| c.prepare_cached(TILE)?.query_row([tile], |row| bytes(row, 0)).optional();
                blocking(connection, read).await?.flatten()
            }
            Self::Database(db) => {
                let row = db.query_optional(statement(TILE, vec![Value::Int(tile)])).await.map_err(Fault::unreadable)?;
                row.map(|row| row.bytes(0).map(<[u8]>::to_vec)).transpose().map_err(Fault::unreadable)?
            }
        };
        Ok(stored.map(|bytes| hashes_of(&bytes).take(TILE_WIDTH).collect()).unwrap_or_default())
    }

    async fn text(&self, sql: &'static str) -> Result<Option<String>, Fault> {
        match self {
            Self::File(connection) => blocking(connection, move |c| c.query_row(sql, [], |row| row.get(0)).optional()).await,
            Self::Database(db) => {
                let row = db.query_optional(statement(sql, Vec::new())).await.map_err(Fault::unreadable)?;
                row.map(|row| row.text(0).map(str::to_owned)).transpose().map_err(Fault::unreadable)
            }
        }
    }
}

/// The tile of a position's leaf, and its place in it.
fn place(position: i64) -> (i64, usize) {
    let leaf = position.saturating_sub(1).max(0);
    let width = i64::try_from(TILE_WIDTH).unwrap_or(i64::MAX);
    (leaf.checked_div(width).unwrap_or(0), usize::try_from(leaf.checked_rem(width).unwrap_or(0)).unwrap_or(0))
}

/// The position that a record names, when it is another than its row's.
fn named_elsewhere(row: &AuditRow) -> Option<i64> {
    let rest = row.record.strip_prefix(signet_model::AuditRecord::LEAF_PREFIX.as_bytes())?;
    let digits: Vec<u8> = rest.iter().copied().take_while(u8::is_ascii_digit).take(19).collect();
    let position: i64 = std::str::from_utf8(&digits).ok()?.parse().ok()?;
    (position != row.position).then_some(position)
}

fn statement(sql: &'static str, params: Vec<Value>) -> Statement {
    Statement { sql: Sql::Same(sql), params }
}

/// A column's bytes, whatever its type: a tampered text need not be one.
fn bytes(row: &rusqlite::Row<'_>, column: usize) -> Result<Option<Vec<u8>>, rusqlite::Error> {
    use rusqlite::types::ValueRef;
    Ok(match row.get_ref(column)? {
        ValueRef::Null => None,
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes.to_vec()),
        ValueRef::Integer(number) => Some(number.to_string().into_bytes()),
        ValueRef::Real(number) => Some(number.to_string().into_bytes()),
    })
}

/// Opens read-only. A file of WAL mode in a directory that cannot be written to opens only as immutable, which is right when there
/// is no `-wal` with something in it.
fn open_file(path: &Path) -> Result<Connection, Fault> {
    let fault = |error: rusqlite::Error| Fault::unreadable(format!("{}: {error}", path.display()));
    if !path.is_file() {
        return Err(Fault::unreadable(format!("{}: there is no such file", path.display())));
    }
    let probe = |connection: Connection| -> Result<Connection, rusqlite::Error> {
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let first = Connection::open_with_flags(path, flags).and_then(probe);
    let error = match first {
        Ok(connection) => return Ok(connection),
        Err(error) => error,
    };
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let nothing_in_wal = std::fs::metadata(wal).map_or(true, |wal| wal.len() == 0);
    match path.to_str().filter(|_| nothing_in_wal) {
        Some(text) => {
            let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
            let uri = format!("file:{escaped}?immutable=1");
            Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI).and_then(probe).map_err(fault)
        }
        None => Err(fault(error)),
    }
}

async fn blocking<T: Send + 'static>(
    connection: &Arc<Mutex<Connection>>,
    read: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
) -> Result<T, Fault> {
    let connection = Arc::clone(connection);
    off_the_runtime(move || read(&connection.lock())).await?.map_err(Fault::unreadable)
}

#[expect(clippy::disallowed_methods, reason = "one read at a time, by the only user of this connection")]
async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(Fault::unreadable)
}
