//! What is measured: a ledger with its worker on an in-process bus, and 50,000 credentials to move.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use signet_bus::Bus;
use signet_crypto::SystemEntropy;
use signet_custody::KeyFileSealer;
use signet_db::{Db, Statement, params};
use signet_ledger::{Change, Expect, Ledger, LedgerParts, LedgerRuntime, LedgerTasks, OutboxRow, StandingEntry};
use signet_model::{AuditRecord, Caller, Clock, CredentialId, EventId, Scope, StandingSubject, TenantId, Timestamp, TraceId};

/// Credentials in the table.
pub(crate) const FLEET: usize = 50_000;

const SET_STATE: &str = "UPDATE credential SET state = $4, updated_at = $5, version = version + 1 \
                         WHERE id = $1 AND tenant = $2 AND version = $3 AND {ok}";

/// The system's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "a load generator lives in real time")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// A running ledger.
pub(crate) struct House {
    pub(crate) db: Db,
    pub(crate) bus: Bus,
    pub(crate) ledger: Ledger,
    tasks: LedgerTasks,
    _folder: tempfile::TempDir,
}

impl House {
    /// Opens the database with the ledger's and the room's tables, and starts the ledger with its worker.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let db = super::open(url).await?;
        let folder = tempfile::tempdir()?;
        let sealer = KeyFileSealer::open_or_create(std::path::Path::new(&super::seal_key(url)), &SystemEntropy)?;
        let bus = Bus::in_process();
        let parts = LedgerParts {
            db: db.clone(),
            bus: bus.clone(),
            sealer: Arc::new(sealer),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            data_dir: Some(folder.path().to_owned()),
            worker: true,
        };
        let (ledger, tasks) = LedgerRuntime::start(parts).await.map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(Self { db, bus, ledger, tasks, _folder: folder })
    }

    /// Waits for the worker to catch up, then stops it.
    pub(crate) async fn close(self) {
        self.tasks.shutdown().await;
    }
}

/// Credentials of some tenants, freshly made.
pub(crate) struct Fleet {
    tenants: Vec<TenantId>,
    ids: Vec<CredentialId>,
    entropy: SystemEntropy,
}

impl Fleet {
    /// Replaces the credentials by [`FLEET`] active ones of `tenants` tenants.
    pub(crate) async fn new(db: &Db, tenants: usize) -> Result<Self> {
        match db {
            Db::Sqlite(sqlite) => {
                let fill = format!(
                    "DELETE FROM credential; INSERT INTO credential (tenant, id, kind, state, username, password_hash, created_at, updated_at, version)
                     WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {FLEET} - 1)
                     SELECT 't' || (i % {tenants}), printf('%020d', i), 'basic', 'Active', 'user-' || i, 'x', i, i, 0 FROM n;"
                );
                sqlite.writer().run(move |connection| connection.execute_batch(&fill)).await??;
            }
            Db::Postgres(postgres) => {
                let session = postgres.dedicated("signet-bench").await?;
                let fill = format!(
                    "DELETE FROM credential; INSERT INTO credential (tenant, id, kind, state, username, password_hash, created_at, updated_at, version)
                     SELECT 't' || (i % {tenants}), lpad(i::text, 20, '0'), 'basic', 'Active', 'user-' || i, 'x', i, i, 0
                     FROM generate_series(0, {FLEET} - 1) AS i;"
                );
                session.client().batch_execute(&fill).await?;
                session.client().batch_execute("VACUUM ANALYZE").await?;
            }
        }
        let tenants = (0..tenants).map(|n| format!("t{n}").parse()).collect::<Result<Vec<_>, _>>().context("tenant names")?;
        let ids = (0..FLEET).map(|n| format!("{n:020}").parse()).collect::<Result<Vec<_>, _>>().context("credential ids")?;
        Ok(Self { tenants, ids, entropy: SystemEntropy })
    }

    /// The credentials that only one caller moves, so that no compare-and-set misses.
    pub(crate) fn part(self: &Arc<Self>, caller: usize, callers: usize) -> Part {
        let mine: Vec<usize> = (caller..FLEET).step_by(callers.max(1)).collect();
        // Jumping by a prime visits them in an order that no page cache likes.
        Part { fleet: Arc::clone(self), versions: vec![0; mine.len()], mine, at: 0 }
    }
}

/// One caller's share of a [`Fleet`].
pub(crate) struct Part {
    fleet: Arc<Fleet>,
    mine: Vec<usize>,
    versions: Vec<i64>,
    at: usize,
}

impl Part {
    /// The next transition: suspends what is active and resumes what is suspended.
    pub(crate) fn next_change(&mut self) -> Change {
        self.at = (self.at + 7_919) % self.mine.len().max(1);
        let (number, version) = (self.mine[self.at], self.versions[self.at]);
        self.versions[self.at] += 1;
        let (fleet, id) = (&self.fleet, &self.fleet.ids[number]);
        let tenant = fleet.tenants[number % fleet.tenants.len()].clone();
        let scope = Scope {
            tenant: tenant.clone(),
            caller: Caller::OperatorToken,
            trace: TraceId::generate(&fleet.entropy),
            correlation: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        };
        let suspends = version % 2 == 0;
        let (state, action) = if suspends { ("Suspended", "credential.suspend") } else { ("Active", "credential.resume") };
        let write = Statement::new(SET_STATE, params![id, &tenant, version, state, scope.now()]);
        let event = OutboxRow {
            id: EventId::generate(scope.now(), &fleet.entropy),
            subject: "kaa.v1.events.ccm.client-credentials.basic.revoked".to_owned(),
            payload: vec![0x5a; 96],
        };
        let standing = StandingEntry {
            subject: StandingSubject::Credential(tenant, id.clone()),
            good: !suspends,
            reason: suspends.then(|| "credential.suspended".to_owned()),
        };
        Change::new(AuditRecord::new(&scope, action, id.as_str())).expecting(Expect::write(write, 1)).announcing(event).standing(standing)
    }
}

/// How long a view may take to become fresh at the start of a measurement.
pub(crate) const FRESH_WITHIN: Duration = Duration::from_secs(10);
