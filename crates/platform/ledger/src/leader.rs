//! Which of the worker replicas sequences. On PostgreSQL the leader holds an advisory lock on a session that it pings each second
//! and that the server ends after a few silent ones, so a leader that vanished is replaced within seconds. Each take-over raises
//! the term, and every write of a leader names its term: one that was replaced without noticing can write nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use signet_db::{Db, DbError, PgSession, Postgres, Sql, Statement, Value};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::LedgerError;
use crate::direct::{Direct, Durability};
use crate::sqlite::Texts;
use crate::stats::Stats;

/// The advisory lock of the leader.
const LEADER_LOCK: i64 = 0x5349_474e_4554_0002; // "SIGNET", 2
/// How often the leader pings and the others try.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// A ping that takes longer ends the leadership.
const LONGEST_PING: Duration = Duration::from_secs(2);
/// The server ends the session, and with it the lock, when nothing came for 4 s, or when a transaction of it stands still.
const SESSION: &str = "SET idle_session_timeout = '4s'; SET idle_in_transaction_session_timeout = '4s'; SET statement_timeout = '5s'";

/// A leader's right to write.
#[derive(Clone)]
pub(crate) struct Leadership {
    pub(crate) term: i64,
    direct: Direct,
}

impl Leadership {
    /// Writes all statements if this term is still the newest; an error otherwise.
    pub(crate) async fn write(&self, statements: Vec<Statement>, sequenced: Option<i64>) -> Result<(), LedgerError> {
        // The fence is an update, so that a leader of a newer term waits for it or makes it miss.
        let fence = match sequenced {
            Some(sequenced) => Statement {
                sql: Sql::Same("UPDATE ledger_sequencer SET sequenced = $2 WHERE slot = 1 AND term = $1"),
                params: vec![Value::Int(self.term), Value::Int(sequenced)],
            },
            None => Statement {
                sql: Sql::Same("UPDATE ledger_sequencer SET term = term WHERE slot = 1 AND term = $1"),
                params: vec![Value::Int(self.term)],
            },
        };
        if self.direct.write(Some(fence), statements, Durability::Relaxed).await? { Ok(()) } else { Err(LedgerError::Deposed) }
    }

    async fn take_over(direct: Direct) -> Result<Self, LedgerError> {
        Ok(Self { term: direct.raise_term().await?, direct })
    }
}

/// Seeks the leadership again and again, and runs `work` while holding it. `work` must end soon after its token is cancelled.
pub(crate) async fn lead<F>(db: Db, stats: Arc<Stats>, closing: CancellationToken, work: impl Fn(Leadership, CancellationToken) -> F)
where
    F: Future<Output = Result<(), LedgerError>>,
{
    while !closing.is_cancelled() {
        let held = match &db {
            Db::Sqlite(sqlite) => hold_alone(&db, Direct::Sqlite(sqlite.writer(), Texts::default()), &stats, &closing, &work).await,
            Db::Postgres(postgres) => seek(postgres, &stats, &closing, &work).await,
        };
        stats.leader.store(false, Relaxed);
        if let Err(error) = held {
            // Said once while it stays the same: attempts come each second.
            if stats.failed(error.reason(), error.to_string()) {
                tracing::warn!(%error, "leader.failed");
            }
        }
        tokio::select! {
            () = closing.cancelled() => {}
            () = sleep(HEARTBEAT) => {}
        }
    }
}

/// The one process on an SQLite database leads.
async fn hold_alone<F>(
    db: &Db,
    direct: Direct,
    stats: &Stats,
    closing: &CancellationToken,
    work: &impl Fn(Leadership, CancellationToken) -> F,
) -> Result<(), LedgerError>
where
    F: Future<Output = Result<(), LedgerError>>,
{
    let leadership = match Leadership::take_over(direct.clone()).await {
        // Out of space: the feed must go on, and nobody else leads here, so the old term does.
        Err(LedgerError::Db(DbError::Full(_))) => Leadership { term: present_term(db).await?, direct },
        other => other?,
    };
    begun(stats, leadership.term);
    work(leadership, closing.child_token()).await
}

async fn seek<F>(
    postgres: &Postgres,
    stats: &Stats,
    closing: &CancellationToken,
    work: &impl Fn(Leadership, CancellationToken) -> F,
) -> Result<(), LedgerError>
where
    F: Future<Output = Result<(), LedgerError>>,
{
    let session = limited(postgres.dedicated("signet-leader")).await?;
    limited(async { Ok(session.client().batch_execute(SESSION).await?) }).await?;
    while !limited(try_lock(&session)).await? {
        // The lock is another's: this replica waits as it should, whatever failed before.
        stats.works();
        tokio::select! {
            () = closing.cancelled() => return Ok(()),
            () = sleep(HEARTBEAT) => {}
        }
    }
    let session = Arc::new(session);
    let leadership = Leadership::take_over(Direct::Postgres(Arc::clone(&session))).await?;
    begun(stats, leadership.term);
    let token = closing.child_token();
    let running = work(leadership, token.clone());
    tokio::pin!(running);
    let ended = tokio::select! {
        ended = &mut running => return ended,
        error = silence(&session) => error,
    };
    // The lock may be another's already: stop at once. Whatever is still under way fails at the fence.
    stats.leader.store(false, Relaxed);
    token.cancel();
    let _ = timeout(LONGEST_PING, running).await;
    Err(ended.into())
}

async fn present_term(db: &Db) -> Result<i64, LedgerError> {
    let read = Statement { sql: Sql::Same("SELECT term FROM ledger_sequencer WHERE slot = 1"), params: Vec::new() };
    let row = db.query_optional(read).await?.ok_or_else(|| LedgerError::Damaged("no row in ledger_sequencer".to_owned()))?;
    Ok(row.int(0)?)
}

fn begun(stats: &Stats, term: i64) {
    stats.term.store(term, Relaxed);
    stats.leader.store(true, Relaxed);
    tracing::info!(term, "leader.begun");
}

/// Pings until one fails.
async fn silence(session: &PgSession) -> DbError {
    loop {
        sleep(HEARTBEAT).await;
        if let Err(error) = limited(async { Ok(session.client().batch_execute("SELECT 1").await?) }).await {
            return error;
        }
    }
}

async fn try_lock(session: &PgSession) -> Result<bool, DbError> {
    let row = session.client().query_one("SELECT pg_try_advisory_lock($1)", &[&LEADER_LOCK]).await?;
    Ok(row.try_get(0)?)
}

async fn limited<T>(work: impl Future<Output = Result<T, DbError>>) -> Result<T, DbError> {
    timeout(LONGEST_PING, work).await.unwrap_or(Err(DbError::Timeout))
}
