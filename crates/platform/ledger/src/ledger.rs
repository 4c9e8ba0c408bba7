//! The handle that rooms hold, and the start of everything behind it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use signet_bus::Bus;
use signet_crypto::{SealError, Sealer};
use signet_db::{Db, DbError, Sql, Statement, Value};
use signet_model::{AuditEntry, Clock, Entropy, Lineage, Position, ReplicaId, TenantId};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::batch::{Batcher, Job, MOST_UPKEEP_WAITING, MOST_WAITING, Writer};
use crate::direct::{Direct, Durability};
use crate::feed_source::FeedSource;
use crate::health::{self, HealthLine};
use crate::idempotency::{self, Running};
use crate::keys::{self, Keys, SigningKeys};
use crate::postgres::PostgresWriter;
use crate::relay::RelayParts;
use crate::sequencer::{SequencerParts, feed_subject};
use crate::sqlite::SqliteBatches;
use crate::stats::Stats;
use crate::{Change, CommitError, Committed, IdempotencyKey, IdempotencyState, LedgerError, PublicKeys, Upkeep};
use crate::{audit, files, leader};

/// Standings of one Change. The feed is cut between positions, so one position must fit into one message.
const MOST_STANDINGS: usize = 512;
/// Bytes of a reason code in a standing, so that a full page of the feed stays below NATS's `max_payload`.
const LONGEST_REASON: usize = 64;
/// How often expired idempotency keys are removed.
const FORGET_EVERY: Duration = Duration::from_secs(600);
/// How long the tasks may take to end in good order.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(10);

/// What a ledger is made of. The ledger's migrations must have run.
pub struct LedgerParts {
    /// The database.
    pub db: Db,
    /// Where feed and events go.
    pub bus: Bus,
    /// Opens the signing keys.
    pub sealer: Arc<dyn Sealer>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Where public keys and checkpoints are written; none: nowhere.
    pub data_dir: Option<PathBuf>,
    /// Whether this process is a worker: takes part in leading, answers feed requests.
    pub worker: bool,
}

/// The way to commit and to read what was committed. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    shared: Arc<Shared>,
    changes: mpsc::Sender<Job>,
    upkeep: mpsc::Sender<Statement>,
}

struct Shared {
    db: Db,
    lineage: Lineage,
    keys: PublicKeys,
    /// Why this replica cannot be a worker though it should.
    sealed: Option<SealError>,
    worker: bool,
    stats: Arc<Stats>,
    running: Running,
    clock: Arc<dyn Clock>,
}

/// The tasks behind a ledger; they have to be shut down.
pub struct LedgerTasks {
    closing: CancellationToken,
    batcher: JoinHandle<()>,
    others: Vec<JoinHandle<()>>,
    stop_batcher: CancellationToken,
}

/// Starts ledgers.
pub struct LedgerRuntime;

impl LedgerRuntime {
    /// Opens the ledger of a database and starts its tasks.
    ///
    /// # Errors
    /// The database cannot be reached or is damaged, or a file cannot be written. A seal key that does not open the signing keys
    /// is no error: the ledger commits, only its worker part stays off, and its health says so.
    pub async fn start(parts: LedgerParts) -> Result<(Ledger, LedgerTasks), LedgerError> {
        let direct = Direct::open(&parts.db).await?;
        let lineage = lineage(&parts.db, &direct, parts.clock.as_ref(), parts.entropy.as_ref()).await?;
        let Keys { public, signing } = keys::load_or_make(&parts.db, &direct, parts.sealer.as_ref()).await?;
        drop(direct);
        if let Some(data_dir) = &parts.data_dir {
            files::write_public_keys(data_dir, &public)?;
            files::mend_checkpoints(data_dir)?;
        }
        let stats = Arc::new(Stats::default());
        stats.saw_head(audit::head(&parts.db).await?.value());
        let (changes, waiting) = mpsc::channel(MOST_WAITING);
        let (upkeep, upkeep_waiting) = mpsc::channel(MOST_UPKEEP_WAITING);
        let committed = Arc::new(Notify::new());
        let (closing, stop_batcher) = (CancellationToken::new(), CancellationToken::new());
        let batcher = Batcher {
            writer: match &parts.db {
                Db::Sqlite(sqlite) => Writer::Sqlite(SqliteBatches::new(sqlite.writer())),
                Db::Postgres(postgres) => Writer::Postgres(Box::new(PostgresWriter::new(postgres.clone()))),
            },
            changes: waiting,
            upkeep: upkeep_waiting,
            stats: Arc::clone(&stats),
            committed: Arc::clone(&committed),
            closing: stop_batcher.clone(),
        };
        let shared = Shared {
            db: parts.db.clone(),
            lineage: lineage.clone(),
            keys: public,
            sealed: signing.as_ref().err().cloned(),
            worker: parts.worker,
            stats: Arc::clone(&stats),
            running: Running::default(),
            clock: Arc::clone(&parts.clock),
        };
        let ledger = Ledger { shared: Arc::new(shared), changes, upkeep };
        let mut tasks = LedgerTasks { closing: closing.clone(), batcher: tokio::spawn(batcher.run()), others: Vec::new(), stop_batcher };
        match signing {
            Ok(keys) if parts.worker => tasks.others = start_worker(parts, keys, lineage, stats, committed, &ledger, &closing)?,
            Ok(_) => {}
            Err(error) => tracing::error!(%error, reason = error.reason().code, "ledger.keys-sealed"),
        }
        Ok((ledger, tasks))
    }
}

fn start_worker(
    parts: LedgerParts,
    keys: Arc<SigningKeys>,
    lineage: Lineage,
    stats: Arc<Stats>,
    committed: Arc<Notify>,
    ledger: &Ledger,
    closing: &CancellationToken,
) -> Result<Vec<JoinHandle<()>>, LedgerError> {
    let wake = Arc::new(Notify::new());
    let source = FeedSource {
        db: parts.db.clone(),
        bus: parts.bus.clone(),
        keys: Arc::clone(&keys),
        clock: Arc::clone(&parts.clock),
        lineage: lineage.clone(),
    };
    let relay = Arc::new(RelayParts { db: parts.db.clone(), bus: parts.bus.clone(), stats: Arc::clone(&stats), wake: Arc::clone(&wake) });
    let sequencer = Arc::new(SequencerParts {
        db: parts.db.clone(),
        bus: parts.bus,
        keys,
        clock: parts.clock,
        lineage,
        data_dir: parts.data_dir,
        stats: Arc::clone(&stats),
        committed,
        relay: wake,
        feed_subject: feed_subject()?,
    });
    let work = move |leadership, token: CancellationToken| {
        let (sequencer, relay) = (Arc::clone(&sequencer), Arc::clone(&relay));
        async move {
            // Either's failure ends the term, and with it the other.
            tokio::try_join!(sequencer.run(&leadership, &token), relay.run(&leadership, &token)).map(|_| ())
        }
    };
    let upkeep = forget_expired(ledger.clone(), closing.clone());
    Ok(vec![
        tokio::spawn(source.run(closing.clone())),
        tokio::spawn(leader::lead(parts.db, stats, closing.clone(), work)),
        tokio::spawn(upkeep),
    ])
}

async fn forget_expired(ledger: Ledger, closing: CancellationToken) {
    loop {
        tokio::select! {
            () = closing.cancelled() => return,
            () = tokio::time::sleep(FORGET_EVERY) => {}
        }
        ledger.upkeep(Upkeep { statement: idempotency::forget_expired(ledger.shared.clock.now()) });
    }
}

/// The database's lineage, made with its first ledger.
async fn lineage(db: &Db, direct: &Direct, clock: &dyn Clock, entropy: &dyn Entropy) -> Result<Lineage, LedgerError> {
    let read = || Statement { sql: Sql::Same("SELECT value FROM ledger_meta WHERE name = 'lineage'"), params: Vec::new() };
    if let Some(row) = db.query_optional(read()).await? {
        return Ok(Lineage(row.text(0)?.to_owned()));
    }
    // A UUIDv7's digits, taken from an id so that there is one generator.
    let made = ReplicaId::generate(clock.now(), entropy);
    let digits = made.as_str().rsplit('_').next().unwrap_or_default().to_owned();
    let insert = Statement {
        sql: Sql::Same("INSERT INTO ledger_meta (name, value) VALUES ('lineage', $1) ON CONFLICT DO NOTHING"),
        params: vec![Value::Text(digits)],
    };
    direct.write(None, vec![insert], Durability::Waits).await?;
    let row = db.query_optional(read()).await?.ok_or_else(|| LedgerError::Damaged("the lineage vanished after it was made".to_owned()))?;
    Ok(Lineage(row.text(0)?.to_owned()))
}

impl Ledger {
    /// Commits a Change, durably, together with whatever else is waiting. A caller that goes away does not undo it.
    ///
    /// # Errors
    /// See [`CommitError`]; except for a connection that broke during the commit itself, nothing was changed then.
    pub async fn commit(&self, change: Change) -> Result<Committed, CommitError> {
        let change = change.settled();
        if change.holds_nul() {
            return Err(DbError::Constraint("a text holds a NUL character, which no text of ours may".to_owned()).into());
        }
        if change.standing.len() > MOST_STANDINGS
            || change.standing.iter().any(|entry| entry.reason.as_ref().is_some_and(|r| r.len() > LONGEST_REASON))
        {
            let bound = format!("more than {MOST_STANDINGS} standings in one change, or a reason code longer than {LONGEST_REASON} bytes");
            return Err(DbError::Constraint(bound).into());
        }
        let (answer, answered) = oneshot::channel();
        let job = Job { change, since: Instant::now(), answer };
        self.changes.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => {
                self.shared.stats.overloaded.fetch_add(1, Relaxed);
                CommitError::Overloaded
            }
            mpsc::error::TrySendError::Closed(_) => CommitError::closed(),
        })?;
        answered.await.unwrap_or_else(|_| Err(CommitError::closed()))
    }

    /// Hands over upkeep; never waits, and drops it when too much is waiting.
    pub fn upkeep(&self, upkeep: Upkeep) {
        if self.upkeep.try_send(upkeep.statement).is_err() {
            self.shared.stats.upkeep_dropped.fetch_add(1, Relaxed);
        }
    }

    /// Records after `after`, oldest first, at most 1,000. No tenant: of all, which only a platform caller may see.
    pub async fn audit_page(
        &self,
        tenant: Option<&TenantId>,
        object: Option<&str>,
        after: Position,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, LedgerError> {
        audit::page(&self.shared.db, tenant, object, after, limit).await
    }

    /// The record at `position`, if it is of this tenant (or no tenant is named).
    pub async fn audit_entry(&self, tenant: Option<&TenantId>, position: Position) -> Result<Option<AuditEntry>, LedgerError> {
        audit::at(&self.shared.db, tenant, position).await
    }

    /// How a request with an idempotency key goes on. While it is `Fresh`, the mark it holds keeps equal requests out.
    pub async fn idempotency_begin(&self, key: &IdempotencyKey, body_hash: [u8; 32]) -> Result<IdempotencyState, LedgerError> {
        self.shared.running.begin(&self.shared.db, key, body_hash, self.shared.clock.now()).await
    }

    /// The last position that this process has seen committed.
    pub fn head(&self) -> Position {
        Position::new(self.shared.stats.head())
    }

    /// Which history the positions belong to.
    pub fn lineage(&self) -> &Lineage {
        &self.shared.lineage
    }

    /// The keys that verify checkpoints and feed.
    pub fn public_keys(&self) -> &PublicKeys {
        &self.shared.keys
    }

    /// Counters and gauges for the metrics page.
    pub fn stats(&self) -> &Stats {
        &self.shared.stats
    }

    /// What the health page says of the ledger; never waits.
    pub fn health(&self) -> Vec<HealthLine> {
        health::lines(self.shared.worker, self.shared.sealed.as_ref(), &self.shared.stats)
    }
}

impl LedgerTasks {
    /// Ends in good order: what was handed over is committed, sequenced, relayed as far as the bus takes it, and a last checkpoint
    /// is signed. What does not end in time is aborted; the next start goes on from there.
    pub async fn shutdown(self) {
        let now = Instant::now();
        let deadline = now.checked_add(SHUTDOWN_DEADLINE).unwrap_or(now);
        self.stop_batcher.cancel();
        finish(self.batcher, deadline).await;
        self.closing.cancel();
        for task in self.others {
            finish(task, deadline).await;
        }
    }
}

async fn finish(mut task: JoinHandle<()>, deadline: Instant) {
    match tokio::time::timeout_at(deadline, &mut task).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "ledger.task-failed"),
        Err(_) => {
            tracing::warn!("ledger.task-aborted");
            task.abort();
        }
    }
}
