//! What became of a batch whose connection broke before the commit was answered (see `postgres`).

use std::collections::HashMap;
use std::time::Duration;

use signet_db::{DbError, Postgres};
use signet_model::AuditRecord;
use tokio::time::{Instant, sleep, timeout_at};

use crate::Change;
use crate::batch::Outcome;
use crate::postgres::{COMMIT_LOCK, Session};

/// The search ends by then.
const DEADLINE: Duration = Duration::from_secs(3);
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(200);

/// Sets the outcome of every change of `open` that was committed, and gives back a new session. Those left are refused by the
/// caller; an error says that nothing could be found out, so a refused Change may still have been committed.
pub(crate) async fn settle(
    postgres: &Postgres,
    broken: Session,
    changes: &[Change],
    open: &[usize],
    outcomes: &mut [Option<Outcome>],
) -> Result<Session, DbError> {
    tracing::warn!(changes = open.len(), "ledger.connection-lost");
    let (backend, floor) = (broken.backend.clone(), broken.floor);
    drop(broken);
    let now = Instant::now();
    let deadline = now.checked_add(DEADLINE).unwrap_or(now);
    loop {
        let attempt = timeout_at(deadline, look(postgres, &backend, floor)).await.unwrap_or(Err(DbError::Timeout));
        match attempt {
            Ok((session, records)) => {
                for index in open {
                    let Some(change) = changes.get(*index) else { continue };
                    let found = records.get(&change.record.leaf_suffix()).copied();
                    let outcome = match found {
                        Some(position) => Outcome::Committed(position),
                        None => Outcome::Refused(std::sync::Arc::new(DbError::Unavailable(
                            "the connection broke and nothing was committed".to_owned(),
                        ))),
                    };
                    if let Some(slot) = outcomes.get_mut(*index) {
                        *slot = Some(outcome);
                    }
                }
                return Ok(session);
            }
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(error) => {
                tracing::debug!(%error, "ledger.outcome-unknown-yet");
                sleep(BETWEEN_ATTEMPTS).await;
            }
        }
    }
}

/// Ends the old server process, waits for the lock and reads what was committed above `floor`: record text behind the position,
/// which holds time, trace, action and object, and its position.
async fn look(postgres: &Postgres, backend: &(i32, String), floor: i64) -> Result<(Session, HashMap<String, i64>), DbError> {
    let session = Session::open(postgres).await?;
    let client = session.pg.client();
    let ours = "FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2";
    client.query(&format!("SELECT pg_terminate_backend(pid) {ours}"), &[&backend.0, &backend.1]).await?;
    while client.query_opt(&format!("SELECT 1 {ours}"), &[&backend.0, &backend.1]).await?.is_some() {
        sleep(Duration::from_millis(20)).await;
    }
    client.batch_execute(&format!("BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({COMMIT_LOCK})")).await?;
    let rows = client.query("SELECT position, record FROM audit WHERE position > $1", &[&floor]).await?;
    client.batch_execute("COMMIT").await?;
    let mut records = HashMap::new();
    for row in rows {
        let (position, record): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        let suffix = record.strip_prefix(AuditRecord::LEAF_PREFIX).and_then(|rest| rest.strip_prefix(&position.to_string()));
        if let Some(suffix) = suffix {
            records.insert(suffix.to_owned(), position);
        }
    }
    Ok((session, records))
}
