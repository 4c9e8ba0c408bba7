//! The ledger's own few writes that are no Change: its keys, its lineage, what the sequencer keeps, relayed events.

use std::sync::Arc;

use signet_db::{Db, DbError, PgSession, Statement};

use crate::pipeline::as_params;
use crate::postgres::within;
use crate::sqlite::{Texts, end_transaction, execute, relaxed};

/// Whether a write waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It does.
    Waits,
    /// It is durable with the next one that waits; losing it costs a repetition only.
    Relaxed,
}

/// Where the ledger's own writes go: SQLite's writer thread, or a PostgreSQL session (the leader's own, so that its writes die
/// with its lock).
#[derive(Clone)]
pub(crate) enum Direct {
    Sqlite(signet_db::SqliteWriter, Texts),
    Postgres(Arc<PgSession>),
}

impl Direct {
    /// A way to write while starting.
    pub(crate) async fn open(db: &Db) -> Result<Self, DbError> {
        match db {
            Db::Sqlite(sqlite) => Ok(Self::Sqlite(sqlite.writer(), Texts::default())),
            Db::Postgres(postgres) => Ok(Self::Postgres(Arc::new(within(postgres.dedicated("signet-start")).await?))),
        }
    }

    /// Raises the leader's term by one, durably; the new one.
    pub(crate) async fn raise_term(&self) -> Result<i64, DbError> {
        const RAISE: &str = "UPDATE ledger_sequencer SET term = term + 1 WHERE slot = 1 RETURNING term";
        match self {
            Self::Sqlite(writer, _) => Ok(writer.run(|connection| connection.query_row(RAISE, [], |row| row.get(0))).await??),
            Self::Postgres(session) => within(async { Ok(session.client().query_one(RAISE, &[]).await?.try_get(0)?) }).await,
        }
    }

    /// Runs all statements in one transaction. When the first one touches no row (the fence), nothing is written: false.
    pub(crate) async fn write(
        &self,
        fence: Option<Statement>,
        statements: Vec<Statement>,
        durability: Durability,
    ) -> Result<bool, DbError> {
        match self {
            Self::Sqlite(writer, texts) => {
                let texts = texts.clone();
                let work = move |connection: &rusqlite::Connection| {
                    if let Some(fence) = &fence
                        && execute(connection, &texts.of(fence), &fence.params)? == 0
                    {
                        return Ok(false);
                    }
                    for statement in &statements {
                        execute(connection, &texts.of(statement), &statement.params)?;
                    }
                    Ok(true)
                };
                let written = writer.run(move |connection| match durability {
                    Durability::Relaxed => relaxed(connection, work),
                    Durability::Waits => {
                        connection.execute_batch("BEGIN IMMEDIATE")?;
                        let result = work(connection).and_then(|written| connection.execute_batch("COMMIT").map(|()| written));
                        if result.is_err() {
                            end_transaction(connection);
                        }
                        result
                    }
                });
                Ok(written.await??)
            }
            Self::Postgres(session) => within(write_postgres(session, fence, statements, durability)).await,
        }
    }
}

async fn write_postgres(
    session: &PgSession,
    fence: Option<Statement>,
    statements: Vec<Statement>,
    durability: Durability,
) -> Result<bool, DbError> {
    let client = session.client();
    client
        .batch_execute(match durability {
            Durability::Waits => "BEGIN",
            Durability::Relaxed => "BEGIN; SET LOCAL synchronous_commit = off",
        })
        .await?;
    let work = async {
        if let Some(fence) = &fence
            && client.execute(fence.sql.postgres(), &as_params(&fence.params)).await? == 0
        {
            return Ok(false);
        }
        for statement in &statements {
            client.execute(statement.sql.postgres(), &as_params(&statement.params)).await?;
        }
        Ok(true)
    };
    let written: Result<bool, tokio_postgres::Error> = work.await;
    client.batch_execute(if matches!(written, Ok(true)) { "COMMIT" } else { "ROLLBACK" }).await?;
    Ok(written?)
}
