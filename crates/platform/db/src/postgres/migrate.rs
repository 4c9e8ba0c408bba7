//! Migrations on PostgreSQL: one process at a time, by an advisory lock of the session; a transaction for each step.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{PgSession, Postgres};
use crate::migrate::{Dialect, Migration, Migrations, TABLE, present, record, rendered};
use crate::{DbError, Statement, params};

/// "SIGNET", 0.
const MIGRATION_LOCK: i64 = 0x5349_474e_4554_0000;
/// How long another process may migrate before this one gives up, and how often this one looks.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(100);
/// What one step may take: it may build an index over millions of rows.
const LONGEST_STEP: &str = "SET statement_timeout = '30min'; SET lock_timeout = '60s'; SET idle_in_transaction_session_timeout = '30min'";

pub(crate) async fn migrate(postgres: &Postgres, all: &[Migrations]) -> Result<(), DbError> {
    let session = postgres.dedicated("signet-migrate").await?;
    lock(&session, postgres.place()).await?;
    session.batch(LONGEST_STEP).await?;
    // Without the question a user who may not create tables could not start on a finished schema.
    let exists = session.query(&Statement::new("SELECT to_regclass('schema_version') IS NOT NULL", Vec::new())).await?;
    if exists.first().map(|row| row.int(0)).transpose()? != Some(1) {
        session.batch(&rendered(TABLE, Dialect::Postgres)).await?;
    }
    for one in all {
        one.check_order()?;
        let rows = session.query(&present(one.owner)).await?;
        let mut version = rows.first().map(|row| row.int(0)).transpose()?.unwrap_or(0);
        while let Some(step) = one.next_after(version)? {
            run(&session, one.owner, step).await?;
            version = step.version;
            tracing::info!(owner = one.owner, version, name = step.name, "database.migrated");
        }
    }
    // The lock goes with the session.
    Ok(())
}

/// The step's own text has no deadline of ours; the server's limits and the keepalives end it.
async fn run(session: &PgSession, owner: &'static str, step: &Migration) -> Result<(), DbError> {
    let text = format!("BEGIN; {}", rendered(step.sql, Dialect::Postgres));
    session.client().batch_execute(&text).await.map_err(|error| session.fault(error))?;
    session.execute(&record(owner, step)).await?;
    session.client().batch_execute("COMMIT").await.map_err(|error| session.fault(error))
}

/// Asks again and again, since a waiting statement would hold back `CREATE INDEX CONCURRENTLY` and run into its own limit.
async fn lock(session: &PgSession, place: &str) -> Result<(), DbError> {
    let started = Instant::now();
    loop {
        let rows = session.query(&Statement::new("SELECT pg_try_advisory_lock($1)", params![MIGRATION_LOCK])).await?;
        if rows.first().map(|row| row.int(0)).transpose()? == Some(1) {
            return Ok(());
        }
        if started.elapsed() > PATIENCE {
            return Err(DbError::Unavailable(format!("{place}: another process has been migrating for {PATIENCE:?}")));
        }
        sleep(LOOK).await;
    }
}
