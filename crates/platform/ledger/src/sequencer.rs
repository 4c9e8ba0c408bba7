//! The leader's first duty: publish committed changes on the feed and fold their records into the Merkle log.
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

use crate::keys::{SigningKeys, sign_feed};
use crate::leader::Leadership;
use crate::merkle::{Tree, leaf_hash};
use crate::stats::Stats;
use crate::{LedgerError, checkpoint, feed, files};

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
const FOLD_AT_ONCE: i64 = 1_024;
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
    tree: Tree,
    published: Position,
    stored: u64,
}

impl SequencerParts {
    /// Sequences until the token is cancelled, and then once more with a last checkpoint.
    pub(crate) async fn run(&self, leadership: &Leadership, closing: &CancellationToken) -> Result<(), LedgerError> {
        let tree = restore(&self.db).await?;
        let size = tree.size();
        let published = Position::new(i64::try_from(size).unwrap_or(i64::MAX));
        let mut sequencer = Sequencer { parts: self, leadership, tree, published, stored: size };
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
            if sequencer.tree.size() > sequencer.stored && (closed || last_checkpoint.elapsed() >= CHECKPOINT_EVERY) {
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

impl Sequencer<'_> {
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
        let folded = fold_some(&self.parts.db, &mut self.tree, FOLD_AT_ONCE).await?;
        self.parts.stats.sequenced.store(signed(self.tree.size()), Relaxed);
        Ok(folded >= FOLD_AT_ONCE)
    }

    /// Stores tiles, size and checkpoint, then appends the checkpoint to its file.
    async fn store(&mut self) -> Result<(), LedgerError> {
        let (size, root) = (self.tree.size(), self.tree.root());
        let signed_checkpoint =
            checkpoint::sign(&self.parts.keys.log, &self.parts.lineage, size, root).map_err(|e| LedgerError::Key(e.to_string()))?;
        let note = signed_checkpoint.encode();
        let mut statements = Vec::new();
        for tile in self.tree.tiles() {
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
        self.tree.forget_filled();
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

/// Appends up to `most` records behind the tree's size; how many there were.
async fn fold_some(db: &Db, tree: &mut Tree, most: i64) -> Result<i64, LedgerError> {
    let from = signed(tree.size());
    let rows = db
        .query(Statement {
            sql: Sql::Same("SELECT position, record FROM audit WHERE position > $1 ORDER BY position LIMIT $2"),
            params: vec![Value::Int(from), Value::Int(most)],
        })
        .await?;
    for row in &rows {
        let next = signed(tree.size()).saturating_add(1);
        if row.int(0)? != next {
            return Err(LedgerError::Damaged(format!("audit record {next} is missing")));
        }
        tree.append(leaf_hash(row.text(1)?.as_bytes()));
    }
    Ok(i64::try_from(rows.len()).unwrap_or(i64::MAX))
}

/// The tree as last stored. When its tiles do not give the root of its checkpoint it is folded anew from the records, and that is
/// said loudly: what does not fit then is for the verifier to find.
async fn restore(db: &Db) -> Result<Tree, LedgerError> {
    let row = db
        .query_optional(Statement { sql: Sql::Same("SELECT sequenced FROM ledger_sequencer WHERE slot = 1"), params: Vec::new() })
        .await?;
    let size = row.map(|row| row.int(0)).transpose()?.and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
    let mut stored = std::collections::HashMap::new();
    for (level, tile, _) in Tree::edge_of(size) {
        let row = db
            .query_optional(Statement {
                sql: Sql::Same("SELECT hashes FROM audit_tile WHERE level = $1 AND tile = $2"),
                params: vec![Value::Int(i64::from(level)), Value::Int(signed(tile))],
            })
            .await?;
        if let Some(row) = row {
            stored.insert((level, tile), row.bytes(0)?.to_vec());
        }
    }
    let restored = Tree::restore(size, |level, tile| stored.remove(&(level, tile)));
    let checkpoint = stored_checkpoint(db).await?;
    match restored {
        Ok(tree) if checkpoint.as_ref().is_none_or(|c| c.size != size || c.root == tree.root()) => return Ok(tree),
        Ok(_) => tracing::error!(size, "sequencer.tiles-do-not-match-their-checkpoint"),
        Err(missing) => tracing::error!(size, level = missing.level, tile = missing.tile, "sequencer.tile-missing"),
    }
    let mut tree = Tree::new();
    while tree.size() < size {
        let left = signed(size.saturating_sub(tree.size()));
        if fold_some(db, &mut tree, left.min(FOLD_AT_ONCE)).await? == 0 {
            return Err(LedgerError::Damaged(format!("the log holds {} records, {size} were sequenced", tree.size())));
        }
    }
    Ok(tree)
}

async fn stored_checkpoint(db: &Db) -> Result<Option<signet_model::Checkpoint>, LedgerError> {
    let row =
        db.query_optional(Statement { sql: Sql::Same("SELECT note FROM audit_checkpoint WHERE slot = 1"), params: Vec::new() }).await?;
    let Some(row) = row else { return Ok(None) };
    let signed = signet_model::SignedCheckpoint::decode(row.text(0)?).map_err(|e| LedgerError::Damaged(e.to_string()))?;
    Ok(Some(signed.checkpoint))
}

/// The feed's subject.
pub(crate) fn feed_subject() -> Result<Subject, LedgerError> {
    Subject::new(FEED_SUBJECT).map_err(|e| LedgerError::Damaged(e.to_string()))
}
