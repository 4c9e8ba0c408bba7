//! Batches on SQLite: the one writer thread runs a batch as one transaction with a savepoint per Change; the thread is the order.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;
use signet_db::{DbError, SqliteWriter, Statement, Value};
use signet_model::{AuditRecord, Position};

use crate::batch::Outcome;
use crate::compose::{audit_params, filled, outbox_params, standing_params};
use crate::{Change, Expect};

/// Texts kept with their placeholder filled in; each comes from the code, so there are not many.
const MOST_TEXTS: usize = 1_024;

const HEAD: &str = "SELECT coalesce(max(position), 0) FROM audit";
const AUDIT: &str = "INSERT INTO audit (position, tenant, object, record) VALUES (?1, ?2, ?3, ?4)";
const OUTBOX: &str = "INSERT INTO outbox (position, number, id, subject, payload, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const STANDING: &str = "INSERT INTO standing (position, subject, good, reason) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (subject) \
                        DO UPDATE SET position = excluded.position, good = excluded.good, reason = excluded.reason";

/// Commits batches through the writer thread.
pub(crate) struct SqliteBatches {
    writer: SqliteWriter,
    texts: Texts,
}

impl SqliteBatches {
    pub(crate) fn new(writer: SqliteWriter) -> Self {
        Self { writer, texts: Texts::default() }
    }

    pub(crate) async fn commit(&mut self, changes: Vec<Change>) -> Vec<Outcome> {
        let (count, texts) = (changes.len(), self.texts.clone());
        let outcomes = self.writer.run(move |connection| commit_batch(connection, &texts, &changes)).await;
        outcomes.and_then(|inner| inner.map_err(DbError::from)).unwrap_or_else(|error| {
            // Full, broken or gone: the whole batch is refused; it was rolled back.
            let error = Arc::new(error);
            (0..count).map(|_| Outcome::Refused(Arc::clone(&error))).collect()
        })
    }

    pub(crate) async fn upkeep(&mut self, statements: Vec<Statement>) -> Result<(), DbError> {
        let texts = self.texts.clone();
        self.writer.run(move |connection| relaxed(connection, |connection| run_each(connection, &texts, &statements))).await??;
        Ok(())
    }
}

/// Texts as SQLite takes them: `{ok}` filled in with `TRUE`, parameters as `?n`; made once per text.
#[derive(Clone, Default)]
pub(crate) struct Texts(Arc<Mutex<HashMap<StaticText, Arc<str>>>>);

/// Address and length of a text that lives as long as the program.
type StaticText = (usize, usize);

impl Texts {
    pub(crate) fn of(&self, statement: &Statement) -> Arc<str> {
        let text = statement.sql.sqlite();
        let key = (text.as_ptr().addr(), text.len()); // a static text is known by its address
        let mut texts = self.0.lock();
        if let Some(known) = texts.get(&key) {
            return Arc::clone(known);
        }
        if texts.len() >= MOST_TEXTS {
            texts.clear();
        }
        let text: Arc<str> = filled(text, "TRUE", '?', 0).into();
        texts.insert(key, Arc::clone(&text));
        text
    }
}

fn commit_batch(connection: &mut Connection, texts: &Texts, changes: &[Change]) -> Result<Vec<Outcome>, rusqlite::Error> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let outcomes = write_batch(connection, texts, changes).and_then(|outcomes| {
        connection.execute_batch("COMMIT")?;
        Ok(outcomes)
    });
    if outcomes.is_err() {
        end_transaction(connection);
    }
    outcomes
}

/// Rolls back what may be open; SQLite itself has done so already after some errors.
pub(crate) fn end_transaction(connection: &Connection) {
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "ledger.rollback-failed");
    }
}

fn write_batch(connection: &Connection, texts: &Texts, changes: &[Change]) -> Result<Vec<Outcome>, rusqlite::Error> {
    let mut head: i64 = connection.prepare_cached(HEAD)?.query_row([], |row| row.get(0))?;
    let mut outcomes = Vec::with_capacity(changes.len());
    for change in changes {
        run(connection, "SAVEPOINT change")?;
        let next = head.saturating_add(1);
        match write_change(connection, texts, change, next) {
            Ok(true) => {
                head = next;
                outcomes.push(Outcome::Committed(next));
            }
            Ok(false) => {
                run(connection, "ROLLBACK TO change")?;
                outcomes.push(Outcome::Conflict);
            }
            // An error of this statement alone refuses this Change alone; any other ends the batch.
            Err(error) if is_of_one_change(&error) && !connection.is_autocommit() => {
                run(connection, "ROLLBACK TO change")?;
                outcomes.push(Outcome::Refused(Arc::new(DbError::from(error))));
            }
            Err(error) => return Err(error),
        }
        run(connection, "RELEASE change")?;
    }
    Ok(outcomes)
}

fn is_of_one_change(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => matches!(
            failure.code,
            rusqlite::ErrorCode::ConstraintViolation
                | rusqlite::ErrorCode::TypeMismatch
                | rusqlite::ErrorCode::TooBig
                | rusqlite::ErrorCode::ParameterOutOfRange
                | rusqlite::ErrorCode::Unknown
        ),
        // The statement's own fault: its text, the number of its parameters.
        _ => true,
    }
}

/// Writes one Change; false when an expectation failed.
fn write_change(connection: &Connection, texts: &Texts, change: &Change, position: i64) -> Result<bool, rusqlite::Error> {
    for expect in &change.expect {
        let held = match expect {
            Expect::Guard { statement, rows } => rows_of(connection, &texts.of(statement), &statement.params)? == *rows,
            Expect::Write { statement, rows } => execute(connection, &texts.of(statement), &statement.params)? == *rows,
        };
        if !held {
            return Ok(false);
        }
    }
    for effect in &change.effect {
        execute(connection, &texts.of(effect), &effect.params)?;
    }
    let [tenant, object, _] = audit_params(change);
    let record = Value::Text(leaf(&change.record, position));
    execute(connection, AUDIT, &[Value::Int(position), tenant, object, record])?;
    for (number, event) in (0_i64..).zip(&change.events) {
        let [id, subject, payload, created] = outbox_params(change, event);
        execute(connection, OUTBOX, &[Value::Int(position), Value::Int(number), id, subject, payload, created])?;
    }
    for entry in &change.standing {
        let [subject, good, reason] = standing_params(entry);
        execute(connection, STANDING, &[Value::Int(position), subject, good, reason])?;
    }
    Ok(true)
}

fn leaf(record: &AuditRecord, position: i64) -> String {
    record.leaf(Position::new(position))
}

/// Runs `work` in a transaction that does not wait for the disk: what it writes is durable with the next Change's commit, and
/// losing it costs a repetition only.
pub(crate) fn relaxed<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
) -> Result<T, rusqlite::Error> {
    connection.execute_batch("PRAGMA synchronous = NORMAL")?;
    let result = connection.execute_batch("BEGIN IMMEDIATE").and_then(|()| {
        let value = work(connection)?;
        connection.execute_batch("COMMIT")?;
        Ok(value)
    });
    if result.is_err() {
        end_transaction(connection);
    }
    // Were this to fail, commits would no longer wait for the disk: so the failure is the caller's, loudly.
    connection.execute_batch("PRAGMA synchronous = FULL")?;
    result
}

/// Runs upkeep statements; one that fails by itself is passed over.
fn run_each(connection: &Connection, texts: &Texts, statements: &[Statement]) -> Result<(), rusqlite::Error> {
    for statement in statements {
        match execute(connection, &texts.of(statement), &statement.params) {
            Ok(_) => {}
            Err(error) if is_of_one_change(&error) && !connection.is_autocommit() => tracing::warn!(%error, "upkeep.refused"),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn run(connection: &Connection, text: &str) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(text)?.execute([]).map(|_| ())
}

/// Rows touched.
pub(crate) fn execute(connection: &Connection, text: &str, params: &[Value]) -> Result<u64, rusqlite::Error> {
    let touched = connection.prepare_cached(text)?.execute(rusqlite::params_from_iter(params))?;
    Ok(u64::try_from(touched).unwrap_or(u64::MAX))
}

/// Rows found.
fn rows_of(connection: &Connection, text: &str, params: &[Value]) -> Result<u64, rusqlite::Error> {
    let mut statement = connection.prepare_cached(text)?;
    let mut rows = statement.query(rusqlite::params_from_iter(params))?;
    let mut found = 0_u64;
    while rows.next()?.is_some() {
        found = found.saturating_add(1);
    }
    Ok(found)
}
