//! The one queue that every Change goes through: what comes in while a batch commits becomes the next batch. Upkeep waits in a
//! queue of its own and runs when a batch is done, so it never delays a Change by more than one small transaction.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use signet_db::{DbError, Statement};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::postgres::PostgresWriter;
use crate::sqlite::SqliteBatches;
use crate::stats::Stats;
use crate::{Change, CommitError, Committed};

/// Changes that may wait; one more is refused as overloaded.
pub(crate) const MOST_WAITING: usize = 8_192;
/// Changes in one batch.
pub(crate) const MOST_IN_BATCH: usize = 256;
/// Upkeep statements that may wait; one more is dropped.
pub(crate) const MOST_UPKEEP_WAITING: usize = 8_192;
/// Upkeep statements in one go.
const MOST_UPKEEP_AT_ONCE: usize = 256;
/// A Change that has waited longer, since the database stalled, is refused instead of written: requests end by their deadlines.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Upkeep rests so long between two goes, so that it comes in batches too.
const UPKEEP_REST: Duration = Duration::from_millis(50);
/// While the storage is full, how often a write is tried, so that the alarm ends though nobody else writes.
const TRY_FOR_ROOM: Duration = Duration::from_secs(2);
/// A write that changes nothing.
const NOTHING: &str = "UPDATE ledger_meta SET value = value WHERE name = 'lineage'";

/// What became of a Change of a batch.
#[derive(Debug)]
pub(crate) enum Outcome {
    Committed(i64),
    Conflict,
    Refused(Arc<DbError>),
}

/// A Change that waits for its answer.
pub(crate) struct Job {
    pub(crate) change: Change,
    pub(crate) since: Instant,
    pub(crate) answer: oneshot::Sender<Result<Committed, CommitError>>,
}

/// Who commits: one per kind of database.
pub(crate) enum Writer {
    Sqlite(SqliteBatches),
    Postgres(Box<PostgresWriter>),
}

impl Writer {
    /// Commits the changes of a batch; one outcome for each, in order.
    async fn commit(&mut self, changes: Vec<Change>) -> Vec<Outcome> {
        match self {
            Self::Sqlite(writer) => writer.commit(changes).await,
            Self::Postgres(writer) => writer.commit(changes).await,
        }
    }

    async fn upkeep(&mut self, statements: Vec<Statement>) -> Result<(), DbError> {
        match self {
            Self::Sqlite(writer) => writer.upkeep(statements).await,
            Self::Postgres(writer) => writer.upkeep(statements).await,
        }
    }
}

/// The task that commits.
pub(crate) struct Batcher {
    pub(crate) writer: Writer,
    pub(crate) changes: mpsc::Receiver<Job>,
    pub(crate) upkeep: mpsc::Receiver<Statement>,
    pub(crate) stats: Arc<Stats>,
    /// Rung after each batch that committed something.
    pub(crate) committed: Arc<Notify>,
    /// When cancelled, what waits is still committed and nothing more is taken.
    pub(crate) closing: CancellationToken,
}

impl Batcher {
    /// Runs until every handle is gone, or it was told to close and the queue is empty.
    pub(crate) async fn run(mut self) {
        let mut jobs = Vec::with_capacity(MOST_IN_BATCH);
        let mut upkeep_from = Instant::now();
        let mut upkeep_open = true;
        loop {
            let rested = tokio::time::sleep_until(upkeep_from);
            tokio::select! {
                biased;
                received = self.changes.recv_many(&mut jobs, MOST_IN_BATCH) => {
                    if received == 0 {
                        break;
                    }
                    self.commit(&mut jobs).await;
                    if upkeep_open && Instant::now() >= upkeep_from && !self.upkeep.is_empty() {
                        self.maintain(None).await;
                        upkeep_from = after_rest();
                    }
                }
                () = self.closing.cancelled(), if !self.changes.is_closed() => self.changes.close(),
                first = async { rested.await; self.upkeep.recv().await }, if upkeep_open => match first {
                    Some(first) => {
                        self.maintain(Some(first)).await;
                        upkeep_from = after_rest();
                    }
                    None => upkeep_open = false,
                },
                () = tokio::time::sleep(TRY_FOR_ROOM), if self.stats.storage_full() => {
                    self.maintain(Some(Statement::new(NOTHING, Vec::new()))).await;
                }
            }
        }
    }

    async fn commit(&mut self, jobs: &mut Vec<Job>) {
        let (mut changes, mut callers) = (Vec::with_capacity(jobs.len()), Vec::with_capacity(jobs.len()));
        for job in jobs.drain(..) {
            if job.since.elapsed() > LONGEST_WAIT {
                self.stats.refused.fetch_add(1, Relaxed);
                let _ = job.answer.send(Err(DbError::Timeout.into())); // nobody to tell when the caller is gone
                continue;
            }
            changes.push(job.change);
            callers.push((job.since, job.answer));
        }
        if changes.is_empty() {
            return;
        }
        let outcomes = self.writer.commit(changes).await;
        let mut any = false;
        for ((since, answer), outcome) in callers.into_iter().zip(outcomes) {
            let result = match outcome {
                Outcome::Committed(position) => {
                    any = true;
                    self.stats.storage_full.store(false, Relaxed);
                    self.stats.saw_head(position);
                    self.stats.committed_after(since.elapsed());
                    Ok(Committed { position: signet_model::Position::new(position) })
                }
                Outcome::Conflict => {
                    self.stats.conflicts.fetch_add(1, Relaxed);
                    Err(CommitError::Conflict)
                }
                Outcome::Refused(error) => {
                    self.stats.refused.fetch_add(1, Relaxed);
                    self.saw(&error);
                    Err(CommitError::Refused(error))
                }
            };
            // A caller that went away does not undo its Change; there is nobody to tell.
            let _ = answer.send(result);
        }
        if any {
            self.stats.batches.fetch_add(1, Relaxed);
            self.committed.notify_one();
        }
    }

    /// Raises the alarm of a full storage.
    fn saw(&self, error: &DbError) {
        if matches!(error, DbError::Full(_)) && !self.stats.storage_full.swap(true, Relaxed) {
            tracing::error!(event = "storage.full", %error);
        }
    }

    async fn maintain(&mut self, first: Option<Statement>) {
        let mut statements: Vec<Statement> = first.into_iter().collect();
        while statements.len() < MOST_UPKEEP_AT_ONCE {
            let Ok(next) = self.upkeep.try_recv() else { break };
            statements.push(next);
        }
        let count = u64::try_from(statements.len()).unwrap_or(u64::MAX);
        match self.writer.upkeep(statements).await {
            Ok(()) => {
                self.stats.storage_full.store(false, Relaxed);
                self.stats.upkeep_done.fetch_add(count, Relaxed)
            }
            Err(error) => {
                self.saw(&error);
                tracing::debug!(%error, count, "upkeep.dropped");
                self.stats.upkeep_dropped.fetch_add(count, Relaxed)
            }
        };
    }
}

fn after_rest() -> Instant {
    let now = Instant::now();
    now.checked_add(UPKEEP_REST).unwrap_or(now)
}
