//! The leader's first duty: publish committed changes on the feed and fold their records into the Merkle log.
//!
//! A log that contradicts what was signed is not folded on (`history`); the feed goes on, since revocations must arrive.
//!
//! The feed goes out at once. Tiles, tree size and checkpoint are stored at most once a second, in one write that carries the
//! term: after a crash the next leader folds the last second's records again and publishes them again, which views take for what
//! they already have.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use signet_bus::{Bus, Subject};
use signet_db::{Db, DbError, Sql, Statement, Value};
use signet_model::{Clock, FEED_SUBJECT, FeedBatch, Lineage, Position};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::history::{self, Signed};
use crate::keys::{SigningKeys, sign_feed};
use crate::leader::Leadership;
use crate::merkle::Tree;
use crate::stats::Stats;
use crate::{LedgerError, audit, checkpoint, feed, files};

/// How soon a commit of another process is noticed while such commits come, and when none came for a while.
const LOOK_OFTEN: Duration = Duration::from_millis(20);
const LOOK_SELDOM: Duration = Duration::from_millis(100);
/// Between two looks, whatever rings: commits that come in between go into one batch of the feed.
const REST: Duration = Duration::from_millis(5);
/// A busy time lasts so long after the last commit seen.
const BUSY: Duration = Duration::from_secs(2);
/// Between two checkpoints.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);
/// Records folded between two looks at the feed.
pub(crate) const FOLD_AT_ONCE: i64 = 1_024;
/// A bus that does not take a batch by then is tried again later.
const PUBLISH_DEADLINE: Duration = Duration::from_secs(1);

/// What the sequencer needs; shared by all its terms.
pub(crate) struct SequencerParts {
    pub(crate) db: Db,
    pub(crate) bus: Bus,
    pub(crate) keys: Arc<SigningKeys>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lineage: Lineage,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) stats: Arc<Stats>,
    pub(crate) committed: Arc<Notify>,
    pub(crate) relay: Arc<Notify>,
    pub(crate) feed_subject: Subject,
}

/// One term's work.
struct Sequencer<'a> {
    parts: &'a SequencerParts,
    leadership: &'a Leadership,
    /// None: the log contradicts what was signed, and nothing more is signed over it.
    tree: Option<Tree>,
    published: Position,
    stored: u64,
}

impl SequencerParts {
    /// Sequences until the token is cancelled, and then once more with a last checkpoint.
    pub(crate) async fn run(&self, leadership: &Leadership, closing: &CancellationToken) -> Result<(), LedgerError> {
        let mut sequencer = self.begin(leadership).await?;
        let mut last_news = Instant::now();
        let mut last_checkpoint = Instant::now();
        loop {
            let closed = closing.is_cancelled();
            let news = sequencer.publish().await?;
            let more = sequencer.fold().await?;
            self.stats.works();
            if news || more {
                last_news = Instant::now();
                self.relay.notify_one();
            }
            if sequencer.has_unstored() && (closed || last_checkpoint.elapsed() >= CHECKPOINT_EVERY) {
                sequencer.store().await?;
                last_checkpoint = Instant::now();
            }
            if more {
                continue;
            }
            if closed {
                return Ok(());
            }
            sleep(REST).await;
            let pause = if last_news.elapsed() < BUSY { LOOK_OFTEN } else { LOOK_SELDOM };
            let now = Instant::now();
            tokio::select! {
                () = closing.cancelled() => {}
                () = self.committed.notified() => {}
                () = sleep_until(now.checked_add(pause).unwrap_or(now)) => {}
            }
        }
    }
}

impl SequencerParts {
    async fn begin<'a>(&'a self, leadership: &'a Leadership) -> Result<Sequencer<'a>, LedgerError> {
        let signed_so_far = Signed { key: &self.keys.log.public(), lineage: &self.lineage, data_dir: self.data_dir.as_deref() };
        let (tree, published, stored) = match history::restore(&self.db, &signed_so_far).await {
            Ok(restored) => (Some(restored.tree), restored.stored, restored.stored),
            Err(LedgerError::Contradicted(detail)) => {
                tracing::error!(%detail, "sequencer.log-contradicted");
                self.stats.contradicted(detail);
                (None, u64::try_from(audit::head(&self.db).await?.value()).unwrap_or(0), 0)
            }
            Err(error) => return Err(error),
        };
        Ok(Sequencer { parts: self, leadership, tree, published: Position::new(signed(published)), stored })
    }
}

impl Sequencer<'_> {
    fn has_unstored(&self) -> bool {
        self.tree.as_ref().is_some_and(|tree| tree.size() > self.stored)
    }

    /// Publishes everything behind the last published position; false when there was nothing, or nobody to take it.
    async fn publish(&mut self) -> Result<bool, LedgerError> {
        let parts = self.parts;
        let mut any = false;
        loop {
            let behind = feed::behind(&parts.db, self.published).await?;
            parts.stats.saw_head(behind.head.value());
            if behind.to <= self.published {
                return Ok(any);
            }
            let batch = FeedBatch {
                lineage: parts.lineage.clone(),
                term: self.leadership.term,
                from: self.published,
                to: behind.to,
                time: parts.clock.now(),
                changes: behind.changes,
            };
            let payload = serde_json::to_string(&batch).map_err(|e| LedgerError::Damaged(e.to_string()))?;
            let message = sign_feed(&parts.keys.feed, FeedBatch::PURPOSE, payload)?.encode();
            match timeout(PUBLISH_DEADLINE, parts.bus.publish(&parts.feed_subject, None, message)).await {
                Ok(Ok(())) => {}
                // Views that miss it ask; the batch is made again, with what came meanwhile.
                Ok(Err(error)) => {
                    tracing::debug!(%error, "feed.not-published");
                    return Ok(any);
                }
                Err(_) => return Ok(any),
            }
            any = true;
            self.published = behind.to;
            parts.stats.published.store(behind.to.value(), Relaxed);
            if behind.to == behind.head {
                return Ok(any);
            }
        }
    }

    /// Folds the next records; true when there may be more.
    async fn fold(&mut self) -> Result<bool, LedgerError> {
        let Some(tree) = &mut self.tree else { return Ok(false) };
        let folded = history::fold(&self.parts.db, tree, FOLD_AT_ONCE).await?;
        self.parts.stats.sequenced.store(signed(tree.size()), Relaxed);
        Ok(folded >= FOLD_AT_ONCE)
    }

    /// Stores tiles, size and checkpoint, then appends the checkpoint to its file.
    async fn store(&mut self) -> Result<(), LedgerError> {
        let Some(tree) = &mut self.tree else { return Ok(()) };
        let (size, root) = (tree.size(), tree.root());
        let signed_checkpoint =
            checkpoint::sign(&self.parts.keys.log, &self.parts.lineage, size, root).map_err(|e| LedgerError::Key(e.to_string()))?;
        let note = signed_checkpoint.encode();
        let mut statements = Vec::new();
        for tile in tree.tiles() {
            statements.push(Statement {
                sql: Sql::Same(
                    "INSERT INTO audit_tile (level, tile, hashes) VALUES ($1, $2, $3) \
                     ON CONFLICT (level, tile) DO UPDATE SET hashes = excluded.hashes",
                ),
                params: vec![Value::Int(i64::from(tile.level)), Value::Int(signed(tile.tile)), Value::Bytes(tile.hashes)],
            });
        }
        statements.push(Statement {
            sql: Sql::Same(
                "INSERT INTO audit_checkpoint (slot, size, note) VALUES (1, $1, $2) \
                 ON CONFLICT (slot) DO UPDATE SET size = excluded.size, note = excluded.note",
            ),
            params: vec![Value::Int(signed(size)), Value::Text(note.clone())],
        });
        match self.leadership.write(statements, Some(signed(size))).await {
            Ok(()) => {}
            // Out of space: reads, checks and the feed go on; the tiles wait for the next second.
            Err(LedgerError::Db(error @ (DbError::Full(_) | DbError::Busy))) => {
                tracing::warn!(%error, "sequencer.not-stored");
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        tree.forget_filled();
        self.stored = size;
        self.parts.stats.checkpointed.store(signed(size), Relaxed);
        if let Some(data_dir) = self.parts.data_dir.clone() {
            append(data_dir, note).await;
        }
        Ok(())
    }
}

/// Appends to the file of checkpoints. A file that cannot be written is told and is no reason to stop sequencing.
#[expect(clippy::disallowed_methods, reason = "one short write at a time, at most once a second")]
async fn append(data_dir: PathBuf, note: String) {
    match tokio::task::spawn_blocking(move || files::append_checkpoint(&data_dir, &note)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "sequencer.checkpoint-file"),
        Err(error) => tracing::error!(%error, "sequencer.checkpoint-file"),
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The feed's subject.
pub(crate) fn feed_subject() -> Result<Subject, LedgerError> {
    Subject::new(FEED_SUBJECT).map_err(|e| LedgerError::Damaged(e.to_string()))
}
