//! The log as it was left: restored, and compared with everything that was signed before one more record is folded. A leader that
//! folded on over altered or cut records would sign them, and an old checkpoint kept elsewhere would be all that tells.

use std::collections::HashMap;
use std::path::Path;

use signet_crypto::sign::Ed25519Public;
use signet_db::{Db, Sql, Statement, Value};
use signet_model::{Checkpoint, Lineage, SignedCheckpoint};

use crate::merkle::{Tree, leaf_hash};
use crate::sequencer::FOLD_AT_ONCE;
use crate::{LedgerError, audit, checkpoint, files};

/// What signed this log, and where its checkpoints are kept besides the database.
pub(crate) struct Signed<'a> {
    pub(crate) key: &'a Ed25519Public,
    pub(crate) lineage: &'a Lineage,
    pub(crate) data_dir: Option<&'a Path>,
}

/// The log, agreeing with all that was signed.
pub(crate) struct Restored {
    pub(crate) tree: Tree,
    /// The size whose tiles are stored; the tree may have been folded further.
    pub(crate) stored: u64,
}

/// Restores the tree.
///
/// # Errors
/// [`LedgerError::Contradicted`] when the records do not give a signed root or are fewer than were signed.
pub(crate) async fn restore(db: &Db, signed: &Signed<'_>) -> Result<Restored, LedgerError> {
    let stored = sequenced(db).await?;
    let mut anchors: Vec<(Checkpoint, &str)> = Vec::new();
    let newest = in_database(db, signed).await?;
    // Size and checkpoint are written in one transaction.
    if newest.as_ref().map_or(0, |found| found.size) != stored {
        return Err(contradicted(format!("{stored} records were sequenced, and the database holds no checkpoint of that size")));
    }
    anchors.extend(newest.map(|found| (found, "the checkpoint in the database")));
    anchors.extend(in_file(signed).await?.map(|found| (found, "checkpoints.log")));
    anchors.sort_by_key(|(anchor, _)| anchor.size);
    let head = u64::try_from(audit::head(db).await?.value()).unwrap_or(0);
    let most = anchors.last().map_or(stored, |(anchor, _)| anchor.size.max(stored));
    if head < most {
        return Err(contradicted(format!("the log holds {head} records, and {most} were signed")));
    }
    let agrees = |tree: &Tree| anchors.iter().all(|(anchor, _)| anchor.size != tree.size() || anchor.root == tree.root());
    let from_tiles = match of_tiles(db, stored).await? {
        Some(tree) if agrees(&tree) => Some(tree),
        Some(_) => {
            tracing::error!(size = stored, "sequencer.tiles-do-not-match-their-checkpoint");
            None
        }
        None => None,
    };
    let mut tree = match from_tiles {
        Some(tree) => tree,
        None => folded(db, Tree::new(), stored, &anchors).await?,
    };
    for (anchor, from) in &anchors {
        if anchor.size < stored {
            // The stored tiles hold every smaller tree as well.
            let smaller = match of_tiles(db, anchor.size).await? {
                Some(smaller) => smaller,
                None => folded(db, Tree::new(), anchor.size, &[]).await?,
            };
            compare(&smaller, anchor, from)?;
        } else {
            tree = folded(db, tree, anchor.size, &[]).await?;
            compare(&tree, anchor, from)?;
        }
    }
    Ok(Restored { tree, stored })
}

fn contradicted(detail: impl Into<String>) -> LedgerError {
    LedgerError::Contradicted(detail.into())
}

fn compare(tree: &Tree, anchor: &Checkpoint, from: &str) -> Result<(), LedgerError> {
    if tree.root() == anchor.root {
        return Ok(());
    }
    Err(contradicted(format!("the first {} records do not give the root that was signed ({from})", anchor.size)))
}

async fn sequenced(db: &Db) -> Result<u64, LedgerError> {
    let row = db
        .query_optional(Statement { sql: Sql::Same("SELECT sequenced FROM ledger_sequencer WHERE slot = 1"), params: Vec::new() })
        .await?;
    Ok(row.map(|row| row.int(0)).transpose()?.and_then(|size| u64::try_from(size).ok()).unwrap_or(0))
}

async fn in_database(db: &Db, signed: &Signed<'_>) -> Result<Option<Checkpoint>, LedgerError> {
    let row =
        db.query_optional(Statement { sql: Sql::Same("SELECT note FROM audit_checkpoint WHERE slot = 1"), params: Vec::new() }).await?;
    let Some(row) = row else { return Ok(None) };
    let note = SignedCheckpoint::decode(row.text(0)?).map_err(|e| contradicted(format!("the checkpoint in the database: {e}")))?;
    match checkpoint::trusted(&note, signed.key, signed.lineage) {
        Some(found) => Ok(Some(found.clone())),
        None => Err(contradicted("the checkpoint in the database is not signed by this log's key")),
    }
}

/// The newest checkpoint of the data directory's file. A file that holds only others' belongs to another log.
#[expect(clippy::disallowed_methods, reason = "one short read when a leader begins")]
async fn in_file(signed: &Signed<'_>) -> Result<Option<Checkpoint>, LedgerError> {
    let Some(path) = signed.data_dir.map(|dir| dir.join(files::CHECKPOINTS)) else { return Ok(None) };
    let shown = path.display().to_string();
    let read = tokio::task::spawn_blocking(move || if path.exists() { files::newest_notes(&path) } else { Ok(String::new()) }).await;
    let text =
        read.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(|error| LedgerError::File { path: shown.clone(), error })?;
    let notes: Vec<SignedCheckpoint> = checkpoint::notes(&text).collect();
    let found = notes.iter().rev().find_map(|note| checkpoint::trusted(note, signed.key, signed.lineage)).cloned();
    if found.is_none() && !notes.is_empty() {
        return Err(contradicted(format!("{shown} holds the checkpoints of another log or another key")));
    }
    Ok(found)
}

/// The tree of `size` from its stored tiles; none when a tile is not there.
async fn of_tiles(db: &Db, size: u64) -> Result<Option<Tree>, LedgerError> {
    let mut stored = HashMap::new();
    for (level, tile, _) in Tree::edge_of(size) {
        let row = db
            .query_optional(Statement {
                sql: Sql::Same("SELECT hashes FROM audit_tile WHERE level = $1 AND tile = $2"),
                params: vec![Value::Int(i64::from(level)), Value::Int(number(tile))],
            })
            .await?;
        if let Some(row) = row {
            stored.insert((level, tile), row.bytes(0)?.to_vec());
        }
    }
    match Tree::restore(size, |level, tile| stored.remove(&(level, tile))) {
        Ok(tree) => Ok(Some(tree)),
        Err(missing) => {
            tracing::error!(size, level = missing.level, tile = missing.tile, "sequencer.tile-missing");
            Ok(None)
        }
    }
}

/// The tree folded on from the records up to `size`, compared with each anchor on the way.
async fn folded(db: &Db, mut tree: Tree, size: u64, anchors: &[(Checkpoint, &str)]) -> Result<Tree, LedgerError> {
    while tree.size() < size {
        let next = anchors.iter().map(|(anchor, _)| anchor.size).find(|at| *at > tree.size()).unwrap_or(size).min(size);
        let left = number(next.saturating_sub(tree.size()));
        if fold(db, &mut tree, left.min(FOLD_AT_ONCE)).await? == 0 {
            return Err(contradicted(format!("the log holds {} records, {size} were sequenced", tree.size())));
        }
        for (anchor, from) in anchors.iter().filter(|(anchor, _)| anchor.size == tree.size()) {
            compare(&tree, anchor, from)?;
        }
    }
    Ok(tree)
}

/// Appends up to `most` records behind the tree's size; how many there were.
pub(crate) async fn fold(db: &Db, tree: &mut Tree, most: i64) -> Result<i64, LedgerError> {
    let from = number(tree.size());
    let rows = db
        .query(Statement {
            sql: Sql::Same("SELECT position, record FROM audit WHERE position > $1 ORDER BY position LIMIT $2"),
            params: vec![Value::Int(from), Value::Int(most)],
        })
        .await?;
    for row in &rows {
        let next = number(tree.size()).saturating_add(1);
        if row.int(0)? != next {
            return Err(contradicted(format!("audit record {next} is missing")));
        }
        tree.append(leaf_hash(row.text(1)?.as_bytes()));
    }
    Ok(i64::try_from(rows.len()).unwrap_or(i64::MAX))
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
