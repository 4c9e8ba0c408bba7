//! The room with a real ledger under it, on SQLite or on PostgreSQL; the room of credentials is a double.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures_util::future::BoxFuture;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::Value;
use signet_authority::{AuthorityConfig, AuthorityMetrics, AuthorityRoom, CaCustody, IssueOrder, Issued, Parts, Source};
use signet_bus::Bus;
use signet_crypto::sign::KeyType;
use signet_crypto::{SealError, Sealer, Secret, SystemEntropy, aead};
use signet_db::{DatabaseConfig, Db, Statement};
use signet_http::{Authenticate, BearerToken, HttpMetrics, IdempotencyStore, KeyState, KeyedRequest, RouteTable, TenantExists};
use signet_ledger::{IdempotencyKey, IdempotencyState, Ledger, LedgerParts, LedgerRuntime, LedgerTasks, request_hash};
use signet_model::{AuditEntry, Caller, Entropy, Position, Refusal, Scope, TenantId, TraceId};
use signet_testkit::{FakeClock, TestPostgres, scratch_dir};
use tower::ServiceExt as _;

use crate::credentials::{self, Double};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// Runs the same test on both.
#[macro_export]
macro_rules! on_both {
    ($(async fn $name:ident($kind:ident) $body:block)+) => {
        $(mod $name {
            use super::*;

            async fn run($kind: $crate::house::Kind) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                run($crate::house::Kind::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                run($crate::house::Kind::Postgres).await;
            }
        })+
    };
}

struct TestSealer(aead::Key);

impl Sealer for TestSealer {
    fn seal(&self, purpose: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        self.0.seal(purpose.as_bytes(), secret).map_err(|e| SealError::Unavailable(e.to_string()))
    }

    fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Secret, SealError> {
        let wrong = |_| SealError::WrongKey { purpose: purpose.to_owned(), sealed_with: "a".to_owned(), present: "b".to_owned() };
        self.0.open(purpose.as_bytes(), sealed).map_err(wrong)
    }
}

/// Whoever asks stands above the tenants.
struct Everybody;

impl Authenticate for Everybody {
    fn authenticate<'a>(&'a self, _: &'a BearerToken) -> BoxFuture<'a, Result<Caller, Refusal>> {
        Box::pin(async { Ok(Caller::OperatorToken) })
    }
}

struct AnyTenant;

impl TenantExists for AnyTenant {
    fn tenant_exists<'a>(&'a self, _: &'a TenantId) -> BoxFuture<'a, Result<bool, Refusal>> {
        Box::pin(async { Ok(true) })
    }
}

/// Keys as the house keeps them.
struct Keys(Ledger);

impl IdempotencyStore for Keys {
    fn begin<'a>(&'a self, request: &'a KeyedRequest) -> BoxFuture<'a, Result<KeyState, Refusal>> {
        Box::pin(async move {
            let tenant = request.scope.as_ref().unwrap().tenant.clone();
            let key = IdempotencyKey::new(&tenant, &request.asker.caller, request.route, &request.key);
            match self.0.idempotency_begin(&key, request_hash(&request.key, &request.body)).await.unwrap() {
                IdempotencyState::Fresh(mark) => Ok(KeyState::Fresh(Arc::new(mark))),
                IdempotencyState::Replay { status, body } => Ok(KeyState::Replay { status, body: body.into_bytes() }),
                IdempotencyState::SecretNotReplayable { id } => Err(Refusal::new(&signet_ledger::IDEMPOTENCY_SECRET_NOT_REPLAYABLE, id)),
                other => panic!("{other:?}"),
            }
        })
    }
}

/// What several replicas share.
pub(crate) struct Site {
    directory: PathBuf,
    /// None in a process that another one has started.
    _kept: Option<tempfile::TempDir>,
    url: String,
    pub(crate) clock: FakeClock,
    /// Where the keys of CAs live in houses that are built from now on.
    pub(crate) custody: std::sync::Mutex<CaCustody>,
}

impl Site {
    pub(crate) async fn new(kind: Kind) -> Arc<Self> {
        let directory = scratch_dir("authority").unwrap();
        let url = match kind {
            Kind::Sqlite => format!("sqlite:{}", directory.path().join("signet.db").display()),
            Kind::Postgres => TestPostgres::shared().fresh_database().await,
        };
        Arc::new(Self {
            directory: directory.path().to_owned(),
            _kept: Some(directory),
            url,
            clock: FakeClock::new(),
            custody: std::sync::Mutex::new(CaCustody::Software),
        })
    }

    /// What another process has made.
    pub(crate) fn at(url: &str, directory: &str) -> Self {
        Self {
            directory: directory.into(),
            _kept: None,
            url: url.to_owned(),
            clock: FakeClock::new(),
            custody: std::sync::Mutex::new(CaCustody::Software),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

pub(crate) struct House {
    pub(crate) db: Db,
    pub(crate) ledger: Ledger,
    pub(crate) room: Arc<AuthorityRoom>,
    pub(crate) credentials: Arc<Double>,
    pub(crate) site: Arc<Site>,
    pub(crate) clock: FakeClock,
    pub(crate) metrics: AuthorityMetrics,
    router: Router,
    tasks: LedgerTasks,
}

/// An answer of REST.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) replayed: bool,
}

impl Answer {
    pub(crate) fn good(self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.body);
        self.body
    }

    pub(crate) fn reason(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{}", self.body);
        self.body["reason"].as_str().unwrap()
    }
}

pub(crate) fn usual() -> AuthorityConfig {
    AuthorityConfig::new("http://127.0.0.1:7480")
}

impl House {
    /// A house with an open platform CA, the tenants `acme` and `default`, and the device `dev-1`.
    pub(crate) async fn new(kind: Kind) -> Self {
        Self::with(Site::new(kind).await, usual()).await
    }

    pub(crate) async fn with(site: Arc<Site>, config: AuthorityConfig) -> Self {
        let house = Self::closed(site, config, Arc::new(SystemEntropy)).await;
        house.room.open().await.unwrap();
        house
    }

    /// The same without its platform CA, and with another random source for the room.
    pub(crate) async fn closed(site: Arc<Site>, config: AuthorityConfig, entropy: Arc<dyn Entropy>) -> Self {
        let db = Db::open(&DatabaseConfig::new(&site.url)).await.unwrap();
        db.migrate(&[signet_ledger::migrations(), signet_authority::migrations(), credentials::migrations()]).await.unwrap();
        let clock = Arc::new(site.clock.clone());
        let sealer: Arc<dyn Sealer> = Arc::new(TestSealer(aead::Key::from_bytes(&[1; 32]).unwrap()));
        let (ledger, tasks) = LedgerRuntime::start(LedgerParts {
            db: db.clone(),
            bus: Bus::in_process(),
            sealer: Arc::clone(&sealer),
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy),
            data_dir: Some(site.directory.clone()),
            worker: true,
        })
        .await
        .unwrap();
        let double = Double::new(ledger.clone());
        for tenant in ["acme", "default"] {
            double.tenant(tenant, true);
        }
        double.device("dev-1");
        let metrics = AuthorityMetrics::default();
        let room = AuthorityRoom::new(Parts {
            db: db.clone(),
            ledger: ledger.clone(),
            clock: clock.clone(),
            entropy,
            sealer,
            credentials: double.clone(),
            custody: site.custody.lock().unwrap().clone(),
            config,
            metrics: metrics.clone(),
        })
        .unwrap();
        let router = RouteTable::new()
            .routes(room.routes())
            .into_router(signet_http::Parts {
                auth: Arc::new(Everybody),
                tenants: Arc::new(AnyTenant),
                idempotency: Arc::new(Keys(ledger.clone())),
                clock: clock.clone(),
                entropy: Arc::new(SystemEntropy),
                metrics: HttpMetrics::default(),
                request_deadline: Duration::from_secs(60),
            })
            .unwrap();
        let clock = site.clock.clone();
        Self { db, ledger, room, credentials: double, site, clock, metrics, router, tasks }
    }

    /// A further replica on the same database.
    pub(crate) async fn replica(&self) -> Self {
        Self::with(Arc::clone(&self.site), usual()).await
    }

    pub(crate) async fn end(self) -> Arc<Site> {
        self.tasks.shutdown().await;
        self.db.close().await;
        self.site
    }

    pub(crate) fn scope(&self, tenant: &str) -> Scope {
        Scope {
            tenant: tenant.parse().unwrap(),
            caller: Caller::System("test"),
            trace: TraceId::generate(&SystemEntropy),
            correlation: None,
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(SystemEntropy),
        }
    }

    /// Issues with a key that is made.
    pub(crate) async fn issue(&self, tenant: &str, common_name: &str) -> Result<Issued, Refusal> {
        self.order(tenant, generated(common_name)).await
    }

    pub(crate) async fn order(&self, tenant: &str, order: IssueOrder) -> Result<Issued, Refusal> {
        self.room.issue(&self.scope(tenant), order, &|_| Ok(None)).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost").header("authorization", "Bearer x");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status: parts.status.as_u16(), body, replayed: parts.headers.contains_key("idempotency-replayed") }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[], Some(body)).await
    }

    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        self.db.query_optional(Statement::new(sql, Vec::new())).await.unwrap().unwrap().int(0).unwrap()
    }

    pub(crate) async fn records(&self, object: &str) -> Vec<AuditEntry> {
        self.ledger.audit_page(None, Some(object), Position::ZERO, 1_000).await.unwrap()
    }
}

/// A certificate over a key that is made.
pub(crate) fn generated(common_name: &str) -> IssueOrder {
    IssueOrder {
        source: Source::Generate(KeyType::P256),
        identity: None,
        profile: None,
        ttl: None,
        common_name: Some(common_name.to_owned()),
        names: Vec::new(),
        id_as_cn: false,
    }
}

/// Waits for what must come about; the machine may be slow, so the limit is wide.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..3_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never came about: {what}");
}
