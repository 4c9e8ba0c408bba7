//! A room with everything under it, on SQLite with the in-process bus or on PostgreSQL with NATS.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use signet_bus::{Bus, NatsConfig};
use signet_credentials::{
    Authenticator, BusProvider, CredentialMetrics, CredentialsConfig, CredentialsRoom, LimitConfig, OPERATOR_TOKEN_LIFETIME,
    OperatorTokenParts, Parts, People, VerdictConfig, first_operator_token,
};
use signet_crypto::{SealError, Sealer, Secret, SystemEntropy, aead};
use signet_db::{DatabaseConfig, Db, Statement};
use signet_http::{HttpMetrics, PeerAddress, RouteTable};
use signet_ledger::{Ledger, LedgerParts, LedgerRuntime, LedgerTasks};
use signet_model::{AuditEntry, Caller, Clock as _, Position, ReplicaId, Scope, TenantId, TraceId};
use signet_standing::{View, ViewConfig, ViewTasks};
use signet_testkit::{FakeClock, FaultProxy, TestNats, TestPostgres, psql, scratch_dir};
use tokio_util::task::AbortOnDropHandle;
use tower::ServiceExt as _;

use crate::certificate_house::{self, TestRegister};
pub(crate) use crate::gateway::{BASIC_REQUEST, CapAnswer, Events, cap_answer};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    SqliteInProcess,
    PostgresNats,
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
                run($crate::house::Kind::SqliteInProcess).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                run($crate::house::Kind::PostgresNats).await;
            }
        })+
    };
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

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

fn router(room: &Arc<CredentialsRoom>, auth: Arc<Authenticator>, clock: &Arc<FakeClock>) -> Router {
    RouteTable::new()
        .routes(room.routes())
        .into_router(signet_http::Parts {
            auth,
            tenants: room.tenant_register(),
            idempotency: room.idempotency_keys(),
            clock: Arc::clone(clock) as Arc<dyn signet_model::Clock>,
            entropy: Arc::new(SystemEntropy),
            metrics: HttpMetrics::default(),
            request_deadline: PATIENCE,
        })
        .unwrap()
}

/// What several replicas share.
struct Site {
    directory: tempfile::TempDir,
    url: String,
    nats: Option<TestNats>,
    bus: Bus,
    clock: FakeClock,
}

/// How a room works in a test.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) strict_fsm: bool,
    pub(crate) cost: u32,
    pub(crate) concurrency: usize,
    pub(crate) queue: usize,
    pub(crate) endpoint_tokens: bool,
    pub(crate) verdicts: VerdictConfig,
    pub(crate) limits: LimitConfig,
    pub(crate) sweep_page: u32,
    /// Whether somebody keeps certificates.
    pub(crate) certificates: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            strict_fsm: false,
            cost: 4,
            concurrency: 8,
            queue: 128,
            endpoint_tokens: true,
            verdicts: VerdictConfig::default(),
            limits: LimitConfig::default(),
            sweep_page: 500,
            certificates: true,
        }
    }
}

pub(crate) struct House {
    pub(crate) db: Db,
    pub(crate) bus: Bus,
    pub(crate) ledger: Ledger,
    pub(crate) view: View,
    pub(crate) room: Arc<CredentialsRoom>,
    pub(crate) metrics: CredentialMetrics,
    pub(crate) clock: FakeClock,
    pub(crate) register: Arc<TestRegister>,
    /// The operator token; empty in a further replica.
    pub(crate) token: String,
    router: Router,
    tasks: Option<LedgerTasks>,
    _view_tasks: ViewTasks,
    cap: Option<BusProvider>,
    ecap: Option<BusProvider>,
    sweeping: Option<AbortOnDropHandle<()>>,
    site: Arc<Site>,
}

/// An answer of REST.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) replayed: bool,
    pub(crate) retry_after: Option<String>,
}

impl Answer {
    pub(crate) fn text(&self, member: &str) -> &str {
        self.body[member].as_str().unwrap_or_else(|| panic!("{member} in {}", self.body))
    }

    /// The body of a good answer.
    pub(crate) fn good(self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.body);
        self.body
    }

    /// The reason of a refusal with this status.
    pub(crate) fn reason(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{}", self.body);
        self.text("reason")
    }
}

impl House {
    pub(crate) async fn new(kind: Kind) -> Self {
        Self::with(kind, Settings::default()).await
    }

    /// A house with the tenant `acme`, the identity `dev-1` in it, and the tenant `default`.
    pub(crate) async fn with(kind: Kind, settings: Settings) -> Self {
        let url = match kind {
            Kind::SqliteInProcess => None,
            Kind::PostgresNats => Some(TestPostgres::shared().fresh_database().await),
        };
        Self::at(kind, url, settings).await
    }

    /// The same behind a proxy in front of PostgreSQL.
    pub(crate) async fn behind(proxy: &FaultProxy) -> Self {
        let url = proxy.url_through(&TestPostgres::shared().fresh_database().await);
        Self::at(Kind::PostgresNats, Some(url), Settings::default()).await
    }

    /// The same on a PostgreSQL cluster that sorts by a language's rules.
    pub(crate) async fn on_icu() -> Self {
        let url = TestPostgres::shared_icu().fresh_database().await;
        Self::at(Kind::PostgresNats, Some(url), Settings::default()).await
    }

    /// Ends the ledger's tasks: nobody publishes the feed or answers for it any more.
    pub(crate) async fn stop_worker(&mut self) {
        self.tasks.take().unwrap().shutdown().await;
    }

    /// Ends this process's sweeping, wherever it is.
    pub(crate) fn stop_sweeping(&mut self) {
        self.sweeping = None;
    }

    /// Begins it again.
    pub(crate) fn start_sweeping(&mut self) {
        self.sweeping = Some(self.room.start_sweeping());
    }

    /// Waits until no sweep is under way.
    pub(crate) async fn swept(&self) {
        eventually("all is swept", || async { self.number("SELECT count(*) FROM sweep").await == 0 }).await;
    }

    /// Makes as many usable credentials as wanted in a tenant, of one identity or of none, in one commit and without a password
    /// that anybody could know. Their ids are their numbers.
    pub(crate) async fn fill(&self, tenant: &str, identity: Option<&str>, from: i64, count: i64) {
        let record = signet_model::AuditRecord::new(&self.scope(tenant), "test.fill", tenant);
        let text = match &self.db {
            Db::Sqlite(_) => {
                "INSERT INTO credential (tenant, id, identity, kind, state, username, password_hash, created_at, updated_at, version) \
                 SELECT $1, printf('%020d', n), $2, 'basic', 'Inactive', 'm' || n, 'x', n / 7, n, 1 FROM \
                 (WITH RECURSIVE series(n) AS (SELECT $3 UNION ALL SELECT n + 1 FROM series WHERE n < $4) SELECT n FROM series) \
                 WHERE {ok}"
            }
            Db::Postgres(_) => {
                "INSERT INTO credential (tenant, id, identity, kind, state, username, password_hash, created_at, updated_at, version) \
                 SELECT $1, lpad(n::text, 20, '0'), $2, 'basic', 'Inactive', 'm' || n, 'x', n / 7, n, 1 \
                 FROM generate_series($3::bigint, $4::bigint) AS n WHERE {ok}"
            }
        };
        let fill = Statement::new(text, signet_db::params![tenant, signet_db::Value::from(identity), from, from + count - 1]);
        let rows = u64::try_from(count).unwrap();
        self.ledger.commit(signet_ledger::Change::new(record).expecting(signet_ledger::Expect::write(fill, rows))).await.unwrap();
    }

    /// The id of a credential that [`Self::fill`] made.
    pub(crate) fn filled(n: i64) -> String {
        format!("{n:020}")
    }

    /// Ends the bus's providers in good order.
    pub(crate) async fn stop_cap(&mut self) {
        self.cap.take().unwrap().stop().await;
        self.ecap.take().unwrap().stop().await;
    }

    async fn at(kind: Kind, url: Option<String>, settings: Settings) -> Self {
        let directory = scratch_dir("credentials").unwrap();
        let url = url.unwrap_or_else(|| format!("sqlite:{}", directory.path().join("signet.db").display()));
        let nats = (kind == Kind::PostgresNats).then(|| TestNats::private(""));
        let bus = match &nats {
            None => Bus::in_process(),
            Some(nats) => connected(nats.url()).await,
        };
        let site = Site { directory, url, nats, bus, clock: FakeClock::new() };
        let mut house = Self::open(Arc::new(site), settings).await;
        house.token = house.first_token().await;
        for tenant in ["acme", "default"] {
            house.post("/api/v1/tenants", &json!({"id": tenant})).await.good();
        }
        house.post("/api/v1/tenants/acme/identities", &json!({"name": "dev-1", "kind": "device"})).await.good();
        house
    }

    async fn open(site: Arc<Site>, settings: Settings) -> Self {
        let db = Db::open(&DatabaseConfig { deadline: Duration::from_secs(3), ..DatabaseConfig::new(&site.url) }).await.unwrap();
        db.migrate(&[signet_ledger::migrations(), signet_credentials::migrations(), certificate_house::migrations()]).await.unwrap();
        let bus = match &site.nats {
            None => site.bus.clone(),
            Some(nats) => connected(nats.url()).await,
        };
        let (clock, entropy) = (Arc::new(site.clock.clone()), Arc::new(SystemEntropy));
        let (ledger, tasks) = LedgerRuntime::start(LedgerParts {
            db: db.clone(),
            bus: bus.clone(),
            sealer: Arc::new(TestSealer(aead::Key::from_bytes(&[1; 32]).unwrap())),
            clock: clock.clone(),
            entropy: entropy.clone(),
            data_dir: Some(site.directory.path().to_owned()),
            worker: true,
        })
        .await
        .unwrap();
        let feed_key = ledger.public_keys().feed;
        let view = View::new(ViewConfig {
            reasons: signet_credentials::REASONS.to_vec(),
            ..ViewConfig::new(feed_key, Duration::from_secs(1), clock.clone(), entropy.clone())
        });
        let view_tasks = ViewTasks::start(view.clone(), bus.clone()).unwrap();
        let metrics = CredentialMetrics::default();
        let room = CredentialsRoom::new(Parts {
            db: db.clone(),
            ledger: ledger.clone(),
            view: view.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            replica: ReplicaId::generate(clock.now(), entropy.as_ref()),
            metrics: metrics.clone(),
            config: CredentialsConfig {
                bcrypt_cost: settings.cost,
                strict_fsm: settings.strict_fsm,
                cap_concurrency: settings.concurrency,
                cap_queue_length: settings.queue,
                cm_enabled: settings.endpoint_tokens,
                verdicts: settings.verdicts,
                limits: settings.limits,
                sweep_page: settings.sweep_page,
                ..CredentialsConfig::new("ccm".parse().unwrap(), "cm".parse().unwrap())
            },
        })
        .unwrap();
        let register = Arc::new(TestRegister::default());
        if settings.certificates {
            room.know_certificates(register.clone());
        }
        let router = router(&room, room.authenticator(), &clock);
        let cap = room.start_cap(&bus).await.unwrap();
        let ecap = room.start_ecap(&bus).await.unwrap();
        let sweeping = room.start_sweeping();
        eventually("the view is fresh", || async { view.check(&[]).is_ok() }).await;
        let clock = site.clock.clone();
        Self {
            db,
            bus,
            ledger,
            view,
            room,
            metrics,
            clock,
            register,
            token: String::new(),
            router,
            tasks: Some(tasks),
            _view_tasks: view_tasks,
            cap: Some(cap),
            ecap,
            sweeping: Some(sweeping),
            site,
        }
    }

    /// Takes these people from now on, besides the holders of our own tokens.
    pub(crate) fn admit(&mut self, people: People) {
        self.router = router(&self.room, self.room.authenticator_for(people), &Arc::new(self.clock.clone()));
    }

    /// A further replica on the same database and bus.
    pub(crate) async fn replica(&self) -> Self {
        self.replica_with(Settings::default()).await
    }

    /// The same with other settings.
    pub(crate) async fn replica_with(&self, settings: Settings) -> Self {
        Self { token: self.token.clone(), ..Self::open(Arc::clone(&self.site), settings).await }
    }

    /// Ends this process of the house and starts it anew with other settings.
    pub(crate) async fn restarted(self, settings: Settings) -> Self {
        let (site, token) = (Arc::clone(&self.site), self.token.clone());
        self.end().await;
        Self { token, ..Self::open(site, settings).await }
    }

    pub(crate) async fn end(self) {
        if let Some(tasks) = self.tasks {
            tasks.shutdown().await;
        }
        self.db.close().await;
    }

    /// What protects secrets at rest.
    pub(crate) fn sealer(&self) -> Arc<dyn Sealer> {
        Arc::new(TestSealer(aead::Key::from_bytes(&[1; 32]).unwrap()))
    }

    pub(crate) fn operator_token_parts<'a>(&'a self, caller: &'a Caller) -> OperatorTokenParts<'a> {
        OperatorTokenParts {
            db: &self.db,
            ledger: &self.ledger,
            clock: &self.clock,
            entropy: &SystemEntropy,
            caller,
            lifetime: OPERATOR_TOKEN_LIFETIME,
        }
    }

    async fn first_token(&self) -> String {
        let made = first_operator_token(self.operator_token_parts(&Caller::System("test"))).await.unwrap();
        made.unwrap().token.expose().to_owned()
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

    pub(crate) async fn call(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        let retry_after = parts.headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        Answer { status: parts.status.as_u16(), body, replayed: parts.headers.contains_key("idempotency-replayed"), retry_after }
    }

    /// The answer as it is sent, for what must be exact to the byte.
    pub(crate) async fn raw(&self, request: Request<Body>) -> http::Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(&self, method: &str, path: &str, token: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Answer {
        let mut request =
            Request::builder().method(method).uri(path).header("host", "localhost").header("authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.call(request.body(body.map_or_else(Body::empty, |bytes| Body::from(bytes.to_vec()))).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &self.token, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &self.token, &[], Some(body.to_string().as_bytes())).await
    }

    /// A new credential of `dev-1` in `acme`; its id.
    pub(crate) async fn credential(&self, username: &str, password: &str) -> String {
        self.credential_of("dev-1", username, password).await
    }

    pub(crate) async fn credential_of(&self, identity: &str, username: &str, password: &str) -> String {
        let body = json!({"kind": "basic", "username": username, "password": password, "identity": identity});
        let made = self.post("/api/v1/tenants/acme/credentials", &body).await.good();
        made["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn show(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/tenants/acme/credentials/{id}")).await.good()
    }

    pub(crate) async fn state(&self, id: &str) -> String {
        self.show(id).await["state"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn act(&self, id: &str, verb: &str) -> Answer {
        self.post(&format!("/api/v1/tenants/acme/credentials/{id}/{verb}"), &json!({})).await
    }

    /// Checks a password over REST in `acme`; the decision.
    pub(crate) async fn check(&self, username: &str, password: &str) -> Value {
        self.post("/api/v1/tenants/acme/credentials/check", &json!({"username": username, "password": password})).await.good()
    }

    /// The same from an address.
    pub(crate) async fn check_from(&self, address: &str, username: &str, password: &str) -> Answer {
        let peer = PeerAddress((address.parse::<std::net::IpAddr>().unwrap(), 1_024).into());
        let body = json!({"username": username, "password": password}).to_string();
        let request = Request::post("/api/v1/tenants/acme/credentials/check")
            .header("host", "localhost")
            .header("authorization", format!("Bearer {}", self.token))
            .extension(peer)
            .body(Body::from(body));
        self.call(request.unwrap()).await
    }

    /// Lets time pass, and the view ask again, since to it nobody has answered meanwhile.
    pub(crate) async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        eventually("the view is fresh", || async { self.view.check(&[]).is_ok() }).await;
    }

    /// Actions on an object in order, oldest first.
    pub(crate) async fn actions(&self, object: &str) -> Vec<String> {
        self.records(object).await.into_iter().map(|entry| entry.action).collect()
    }

    pub(crate) async fn records(&self, object: &str) -> Vec<AuditEntry> {
        self.ledger.audit_page(None, Some(object), Position::ZERO, 1_000).await.unwrap()
    }

    /// The number that a statement yields.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        self.db.query_optional(Statement::new(sql, Vec::new())).await.unwrap().unwrap().int(0).unwrap()
    }

    /// Writes by hand, past the ledger.
    pub(crate) async fn by_hand(&self, sql: String) {
        match &self.db {
            Db::Sqlite(sqlite) => sqlite.writer().run(move |connection| connection.execute_batch(&sql)).await.unwrap().unwrap(),
            Db::Postgres(_) => drop(psql(&self.site.url, &sql).unwrap()),
        }
    }

    /// Waits until the view has applied everything that was committed.
    pub(crate) async fn view_is_current(&self) {
        eventually("the view has caught up", || async { self.view.position() >= self.ledger.head() }).await;
    }

    /// An API token of a tenant; its text and its id.
    pub(crate) async fn api_token(&self, tenant: &TenantId, role: &str) -> (String, String) {
        let expires_at = self.clock.now().plus(Duration::from_secs(86_400));
        let body = json!({"role": role, "expires_at": expires_at});
        let made = self.post(&format!("/api/v1/tenants/{tenant}/api-tokens"), &body).await.good();
        (made["token"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
    }
}

pub(crate) async fn connected(url: &str) -> Bus {
    let bus = Bus::nats(NatsConfig::to(url)).await.unwrap();
    eventually("the bus connects", || async { bus.is_connected() }).await;
    bus
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
