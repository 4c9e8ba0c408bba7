//! The offline verifier: reads the log as it stands, from a file nobody needs to run or beside a running server, and compares it
//! with what was signed. It needs only the public key, changes nothing and holds one chunk of rows at a time.

mod check;
mod source;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use signet_crypto::sign::Ed25519Public;
use signet_db::Db;
use signet_model::{Checkpoint, Lineage, SignedCheckpoint};

use crate::{checkpoint, files};
use check::{Anchor, Check};
use source::Source;

/// What to verify, and against what.
pub struct VerifyOptions {
    /// Where the log is.
    pub log: LogSource,
    /// The public key that checkpoints must be signed with.
    pub key: Ed25519Public,
    /// The data directory's `checkpoints.log`; it may be absent.
    pub checkpoints_log: Option<PathBuf>,
    /// A checkpoint kept elsewhere; every note at its end counts, and one must be there.
    pub checkpoint: Option<PathBuf>,
}

/// Where a log is.
pub enum LogSource {
    /// An SQLite file, opened read-only.
    SqliteFile(PathBuf),
    /// A database that is read through its pool; for PostgreSQL.
    Database(Db),
}

/// The kind of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Damage {
    /// A record, or what stands beside it, is not what was signed.
    Altered,
    /// A record is not there, though later ones are.
    Missing,
    /// Records stand at each other's places.
    Reordered,
    /// The newest records are not there.
    Truncated,
    /// The log or what to compare it with cannot be read.
    Unreadable,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether everything signed is there, unchanged.
    pub ok: bool,
    /// Records read.
    pub records: u64,
    /// Size of the tree that `root` is of: the newest checkpoint's, or all records where there is none yet.
    pub size: u64,
    /// Root over the first `size` records as they stand, in base64 as in a checkpoint.
    pub root: String,
    /// The first position that is damaged, as far as it can be told.
    pub first_bad: Option<u64>,
    /// The kind of damage.
    pub kind: Option<Damage>,
    /// In words.
    pub detail: String,
    /// The checkpoint kept elsewhere cannot be used, so nothing was verified: the caller's fault, not the log's.
    #[serde(skip)]
    pub checkpoint_unusable: bool,
}

/// A finding that ends the verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: Damage,
    pub(crate) first_bad: Option<u64>,
    pub(crate) detail: String,
    /// What was given to compare with is at fault, not the log.
    pub(crate) given: bool,
}

impl Fault {
    pub(crate) fn new(kind: Damage, first_bad: Option<u64>, detail: impl Into<String>) -> Self {
        Self { kind, first_bad, detail: detail.into(), given: false }
    }

    fn given(detail: impl Into<String>) -> Self {
        Self { given: true, ..Self::new(Damage::Unreadable, None, detail) }
    }

    pub(crate) fn unreadable(error: impl std::fmt::Display) -> Self {
        Self::new(Damage::Unreadable, None, error.to_string())
    }
}

/// Verifies the log. Whatever is found, also that nothing could be read, is a verdict.
pub async fn verify(options: VerifyOptions) -> Verdict {
    let mut check = Check::default();
    let result = run(options, &mut check).await;
    check.verdict(result)
}

async fn run(options: VerifyOptions, check: &mut Check) -> Result<String, Fault> {
    let source = Source::open(options.log).await?;
    let lineage = source.lineage().await?;
    let mut anchors = Vec::new();
    if let Some(note) = source.checkpoint().await? {
        let signed = SignedCheckpoint::decode(&note)
            .map_err(|e| Fault::new(Damage::Altered, None, format!("the checkpoint in the database: {e}")))?;
        let found = checkpoint::trusted(&signed, &options.key, &lineage)
            .ok_or_else(|| Fault::new(Damage::Altered, None, "the checkpoint in the database is not signed by this log's key"))?;
        anchors.push(Anchor::of(found, "the checkpoint in the database"));
    }
    if let Some(path) = &options.checkpoints_log
        && path.exists()
    {
        // All of them: a history that was signed anew over altered records contradicts an older one.
        anchors.extend(newest(path, &options.key, &lineage)?.iter().map(|found| Anchor::of(found, "checkpoints.log")));
    }
    if let Some(path) = &options.checkpoint {
        anchors
            .extend(kept_elsewhere(path, &options.key, &lineage)?.iter().map(|found| Anchor::of(found, "the checkpoint kept elsewhere")));
    }
    check.expect(anchors);
    if let Some(position) = source.lowest().await?
        && position < 1
    {
        return Err(Fault::new(Damage::Altered, None, format!("a record stands at position {position}; the first is 1")));
    }
    source.feed(check).await?;
    check.finish()
}

/// The trusted checkpoints at the end of a file, the newest last; none when the file holds no note at all.
fn newest(path: &Path, key: &Ed25519Public, lineage: &Lineage) -> Result<Vec<Checkpoint>, Fault> {
    let text = files::newest_notes(path).map_err(|e| Fault::unreadable(format!("{}: {e}", path.display())))?;
    let notes: Vec<SignedCheckpoint> = checkpoint::notes(&text).collect();
    let found: Vec<Checkpoint> = notes.iter().filter_map(|note| checkpoint::trusted(note, key, lineage)).cloned().collect();
    if found.is_empty() && !notes.is_empty() {
        return Err(Fault::unreadable(format!("{}: no checkpoint in it is signed by this log's key for this log", path.display())));
    }
    Ok(found)
}

/// The checkpoints at the end of a file that the caller names. Some of this log's key but all of another history are a finding about
/// the log: it was begun anew. Anything else that is wrong with the file is the caller's to mend.
fn kept_elsewhere(path: &Path, key: &Ed25519Public, lineage: &Lineage) -> Result<Vec<Checkpoint>, Fault> {
    let shown = path.display();
    let text = files::newest_notes(path).map_err(|e| Fault::given(format!("{shown}: {e}")))?;
    let notes: Vec<SignedCheckpoint> = checkpoint::notes(&text).collect();
    if notes.is_empty() {
        return Err(Fault::given(format!("{shown}: holds no checkpoint")));
    }
    let found: Vec<Checkpoint> = notes.iter().filter_map(|note| checkpoint::trusted(note, key, lineage)).cloned().collect();
    if !found.is_empty() {
        return Ok(found);
    }
    if notes.iter().any(|signed| checkpoint::verify(signed, key).is_some()) {
        return Err(Fault::unreadable(format!("{shown}: its checkpoints are signed by this log's key for another history of the log")));
    }
    Err(Fault::given(format!("{shown}: no checkpoint in it is signed by this log's key: it is of another log")))
}

fn base64(hash: &[u8; 32]) -> String {
    STANDARD.encode(hash)
}
