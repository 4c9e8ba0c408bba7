//! A ledger with a room's table, on SQLite with the in-process bus or on PostgreSQL with NATS.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use signet_bus::{Bus, NatsConfig};
use signet_crypto::{SealError, Sealer, Secret, aead};
use signet_db::{DatabaseConfig, Db, Migration, Migrations, Sql, Statement, Value};
use signet_ledger::{Change, CommitError, Committed, Expect, Ledger, LedgerParts, LedgerRuntime, LedgerTasks, OutboxRow, StandingEntry};
use signet_model::{AuditRecord, Entropy as _, EventId, StandingSubject, Timestamp, TraceId};
use signet_testkit::{FakeClock, SeededEntropy, TestNats, TestPostgres, scratch_dir};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    SqliteInProcess,
    PostgresNats,
}

/// Runs the same test on both.
#[macro_export]
macro_rules! on_both {
    ($($(#[$attr:meta])* async fn $name:ident($kind:ident) $body:block)+) => {
        $(mod $name {
            use super::*;

            async fn run($kind: $crate::house::Kind) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                run($crate::house::Kind::SqliteInProcess).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                run($crate::house::Kind::PostgresNats).await;
            }
        })+
    };
}

const THINGS: &[Migration] = &[Migration {
    version: 1,
    name: "things",
    sql: "CREATE TABLE thing (id {text_c} PRIMARY KEY, state {text_c} NOT NULL, count {int8} NOT NULL) {strict};",
}];

pub(crate) struct TestSealer(aead::Key);

impl TestSealer {
    pub(crate) fn of(byte: u8) -> Arc<Self> {
        Arc::new(Self(aead::Key::from_bytes(&[byte; 32]).unwrap()))
    }
}

impl Sealer for TestSealer {
    fn seal(&self, purpose: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        self.0.seal(purpose.as_bytes(), secret).map_err(|e| SealError::Unavailable(e.to_string()))
    }

    fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Secret, SealError> {
        let wrong = |_| SealError::WrongKey { purpose: purpose.to_owned(), sealed_with: "a".to_owned(), present: "b".to_owned() };
        self.0.open(purpose.as_bytes(), sealed).map_err(wrong)
    }
}

pub(crate) struct House {
    pub(crate) db: Db,
    pub(crate) bus: Bus,
    pub(crate) ledger: Ledger,
    pub(crate) tasks: LedgerTasks,
    pub(crate) clock: FakeClock,
    pub(crate) site: Site,
}

/// What outlives a ledger: directory, database, bus.
pub(crate) struct Site {
    pub(crate) directory: Option<tempfile::TempDir>,
    pub(crate) url: String,
    pub(crate) nats: Option<TestNats>,
    pub(crate) bus: Option<Bus>,
}

impl Site {
    pub(crate) async fn of(kind: Kind) -> Self {
        let directory = scratch_dir("ledger").unwrap();
        match kind {
            Kind::SqliteInProcess => {
                let url = format!("sqlite:{}", directory.path().join("signet.db").display());
                Self { directory: Some(directory), url, nats: None, bus: Some(Bus::in_process()) }
            }
            Kind::PostgresNats => Self {
                directory: Some(directory),
                url: TestPostgres::shared().fresh_database().await,
                nats: Some(TestNats::private("")),
                bus: None,
            },
        }
    }

    pub(crate) fn data_dir(&self) -> &Path {
        self.directory.as_ref().unwrap().path()
    }

    pub(crate) async fn db(&self) -> Db {
        open(&self.url).await
    }

    pub(crate) async fn bus(&self) -> Bus {
        match &self.nats {
            None => self.bus.clone().unwrap(),
            Some(nats) => connected(nats.url()).await,
        }
    }

    pub(crate) async fn start(self) -> House {
        let (db, bus) = (self.db().await, self.bus().await);
        self.start_on(db, bus, TestSealer::of(1)).await
    }

    pub(crate) fn parts(&self, db: Db, bus: Bus, sealer: Arc<dyn Sealer>, clock: &FakeClock) -> LedgerParts {
        LedgerParts {
            db,
            bus,
            sealer,
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SeededEntropy::new(7)),
            data_dir: Some(self.data_dir().to_owned()),
            worker: true,
        }
    }

    pub(crate) async fn start_on(self, db: Db, bus: Bus, sealer: Arc<dyn Sealer>) -> House {
        let clock = FakeClock::new();
        let parts = self.parts(db.clone(), bus.clone(), sealer, &clock);
        let (ledger, tasks) = LedgerRuntime::start(parts).await.unwrap();
        House { db, bus, ledger, tasks, clock, site: self }
    }
}

pub(crate) async fn connected(url: &str) -> Bus {
    let bus = Bus::nats(NatsConfig::to(url)).await.unwrap();
    eventually("the bus connects", || async { bus.is_connected() }).await;
    bus
}

pub(crate) async fn open(url: &str) -> Db {
    let db = Db::open(&DatabaseConfig::new(url)).await.unwrap();
    db.migrate(&[signet_ledger::migrations(), Migrations { owner: "things", steps: THINGS }]).await.unwrap();
    db
}

impl House {
    pub(crate) async fn new(kind: Kind) -> Self {
        Site::of(kind).await.start().await
    }

    /// Ends the ledger and keeps its site.
    pub(crate) async fn end(self) -> Site {
        self.tasks.shutdown().await;
        self.db.close().await;
        self.site
    }

    pub(crate) async fn commit(&self, change: Change) -> Result<Committed, CommitError> {
        self.ledger.commit(change).await
    }

    pub(crate) async fn thing(&self, id: &str) -> Option<(String, i64)> {
        let row = self.db.query_optional(statement("SELECT state, count FROM thing WHERE id = $1", [text(id)])).await.unwrap()?;
        Some((row.text(0).unwrap().to_owned(), row.int(1).unwrap()))
    }

    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        self.db.query_optional(statement(sql, [])).await.unwrap().unwrap().int(0).unwrap()
    }

    /// Positions of all records in order, each compared with its record's own.
    pub(crate) async fn positions(&self) -> Vec<i64> {
        let mut found = Vec::new();
        loop {
            let after = signet_model::Position::new(found.last().copied().unwrap_or(0));
            let page = self.ledger.audit_page(None, None, after, 1_000).await.unwrap();
            if page.is_empty() {
                return found;
            }
            found.extend(page.iter().map(|entry| entry.position.value()));
        }
    }
}

/// Waits for what must come about; the machine may be slow, so the limit is wide.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..1_500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never came about: {what}");
}

pub(crate) fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

pub(crate) fn statement<const N: usize>(sql: &'static str, params: [Value; N]) -> Statement {
    Statement { sql: Sql::Same(sql), params: params.to_vec() }
}

pub(crate) fn record(action: &'static str, object: &str) -> AuditRecord {
    AuditRecord {
        tenant: Some("acme".parse().unwrap()),
        time: Timestamp::EPOCH,
        actor: "system:test".to_owned(),
        action,
        object: object.to_owned(),
        reason: None,
        trace_id: trace(),
        detail: BTreeMap::new(),
    }
}

/// A trace unlike any other of this run.
fn trace() -> TraceId {
    TraceId::generate(&signet_crypto::SystemEntropy)
}

/// `INSERT` of a thing that must not exist.
pub(crate) fn creation(id: &str) -> Change {
    let insert = "INSERT INTO thing (id, state, count) SELECT $1, $2, $3 WHERE {ok} ON CONFLICT DO NOTHING";
    Change::new(record("thing.create", id)).expecting(Expect::write(statement(insert, [text(id), text("new"), Value::Int(0)]), 1))
}

/// Compare-and-set of a thing's state.
pub(crate) fn transition(id: &str, from: &str, to: &str) -> Change {
    let update = "UPDATE thing SET state = $3, count = count + 1 WHERE id = $1 AND state = $2 AND {ok}";
    let write = Expect::write(statement(update, [text(id), text(from), text(to)]), 1);
    Change::new(record("thing.move", id)).expecting(write)
}

pub(crate) fn event(subject: &str, payload: &str) -> OutboxRow {
    let mut bytes = [0_u8; 1];
    signet_crypto::SystemEntropy.fill(&mut bytes);
    let id = EventId::generate(Timestamp::EPOCH, &signet_crypto::SystemEntropy);
    OutboxRow { id, subject: subject.to_owned(), payload: payload.as_bytes().to_vec() }
}

pub(crate) fn standing(credential: &str, good: bool) -> StandingEntry {
    let subject = StandingSubject::Credential("acme".parse().unwrap(), credential.parse().unwrap());
    StandingEntry { subject, good, reason: (!good).then(|| "credential.suspended".to_owned()) }
}
