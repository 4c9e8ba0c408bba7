//! Migrations on SQLite: each step reads the version again inside its own immediate transaction, so any number of processes
//! may migrate at the same time and each step runs once.

use super::{Sqlite, execute, query};
use crate::DbError;
use crate::migrate::{Dialect, Migrations, TABLE, present, record, rendered};

pub(crate) async fn migrate(sqlite: &Sqlite, all: &[Migrations]) -> Result<(), DbError> {
    let writer = sqlite.writer();
    for one in all.iter().copied() {
        one.check_order()?;
        loop {
            let step = writer.transaction(move |connection| {
                connection.execute_batch(&rendered(TABLE, Dialect::Sqlite))?;
                let rows = query(connection, &present(one.owner))?;
                let version = rows.first().map(|row| row.int(0)).transpose()?.unwrap_or(0);
                let Some(step) = one.next_after(version)? else { return Ok(None) };
                connection.execute_batch(&rendered(step.sql, Dialect::Sqlite))?;
                execute(connection, &record(one.owner, step))?;
                Ok(Some(step))
            });
            let Some(step) = step.await? else { break };
            tracing::info!(owner = one.owner, version = step.version, name = step.name, "database.migrated");
        }
    }
    Ok(())
}
