//! Both rooms with the real glue between them, as two replicas on one database: over random histories CAP, OCSP and the list that a
//! certificate names say the same of it (acceptance 3 of the certificates).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use futures_util::future::BoxFuture;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use signet_authority::{AuthorityConfig, AuthorityMetrics, AuthorityRoom, CaCustody};
use signet_bus::{Bus, Subject};
use signet_credentials::{BusProvider, CredentialMetrics, CredentialsConfig, CredentialsRoom};
use signet_crypto::{SealError, Sealer, Secret, SystemEntropy, aead, sha256};
use signet_db::{DatabaseConfig, Db};
use signet_http::{Authenticate, BearerToken, HttpMetrics, RouteTable};
use signet_kaa::Record as _;
use signet_kaa::cap::{ClientCertificateAuthenticationRequest, ClientCertificateAuthenticationResponse};
use signet_ledger::{LedgerParts, LedgerRuntime, LedgerTasks};
use signet_model::{Caller, Clock as _, Refusal, ReplicaId, Timestamp};
use signet_pki::{CaCertificate, CertificateFacts, Crl, PublicKey};
use signet_standing::{View, ViewConfig};
use signet_testkit::{FakeClock, TestPostgres, scratch_dir};
use tower::ServiceExt as _;

use super::{Credentials, Register};

const HOUR: Duration = Duration::from_secs(3_600);
const PATIENCE: Duration = Duration::from_secs(60);
const BASE: &str = "http://127.0.0.1:7480";

struct TestSealer(aead::Key);

impl Sealer for TestSealer {
    fn seal(&self, purpose: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        self.0.seal(purpose.as_bytes(), secret).map_err(|e| SealError::Unavailable(e.to_string()))
    }

    fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Secret, SealError> {
        self.0.open(purpose.as_bytes(), sealed).map_err(|e| SealError::Unavailable(e.to_string()))
    }
}

/// Whoever asks stands above the tenants.
struct Everybody;

impl Authenticate for Everybody {
    fn authenticate<'a>(&'a self, _: &'a BearerToken) -> BoxFuture<'a, Result<Caller, Refusal>> {
        Box::pin(async { Ok(Caller::OperatorToken) })
    }
}

/// What both replicas share.
struct Site {
    directory: tempfile::TempDir,
    url: String,
    bus: Bus,
    clock: FakeClock,
}

/// A replica.
struct House {
    site: Arc<Site>,
    db: Db,
    authority: Arc<AuthorityRoom>,
    router: Router,
    cap: BusProvider,
    tasks: LedgerTasks,
}

impl House {
    async fn new(site: Arc<Site>) -> Self {
        let db = Db::open(&DatabaseConfig::new(&site.url)).await.unwrap();
        db.migrate(&[signet_ledger::migrations(), signet_credentials::migrations(), signet_authority::migrations()]).await.unwrap();
        let (clock, entropy) = (Arc::new(site.clock.clone()), Arc::new(SystemEntropy));
        let sealer: Arc<dyn Sealer> = Arc::new(TestSealer(aead::Key::from_bytes(&[1; 32]).unwrap()));
        let (ledger, tasks) = LedgerRuntime::start(LedgerParts {
            db: db.clone(),
            bus: site.bus.clone(),
            sealer: Arc::clone(&sealer),
            clock: clock.clone(),
            entropy: entropy.clone(),
            data_dir: Some(site.directory.path().to_owned()),
            worker: true,
        })
        .await
        .unwrap();
        let view = ViewConfig::new(ledger.public_keys().feed, Duration::from_secs(1), clock.clone(), entropy.clone());
        let credentials = CredentialsRoom::new(signet_credentials::Parts {
            db: db.clone(),
            ledger: ledger.clone(),
            view: View::new(ViewConfig { reasons: signet_credentials::REASONS.to_vec(), ..view }),
            clock: clock.clone(),
            entropy: entropy.clone(),
            replica: ReplicaId::generate(clock.now(), entropy.as_ref()),
            metrics: CredentialMetrics::default(),
            config: CredentialsConfig::new("ccm".parse().unwrap(), "cm".parse().unwrap()),
        })
        .unwrap();
        let authority = AuthorityRoom::new(signet_authority::Parts {
            db: db.clone(),
            ledger,
            clock: clock.clone(),
            entropy: entropy.clone(),
            sealer,
            credentials: Arc::new(Credentials(Arc::clone(&credentials))),
            custody: CaCustody::Software,
            config: AuthorityConfig { partition_size: 3, ..AuthorityConfig::new(BASE) },
            metrics: AuthorityMetrics::default(),
        })
        .unwrap();
        authority.open().await.unwrap();
        credentials.know_certificates(Arc::new(Register(Arc::clone(&authority))));
        let parts = signet_http::Parts {
            auth: Arc::new(Everybody),
            tenants: credentials.tenant_register(),
            idempotency: credentials.idempotency_keys(),
            clock,
            entropy,
            metrics: HttpMetrics::default(),
            request_deadline: PATIENCE,
        };
        let router = RouteTable::new().routes(credentials.routes()).routes(authority.routes()).into_router(parts).unwrap();
        let cap = credentials.start_cap(&site.bus).await.unwrap();
        Self { site, db, authority, router, cap, tasks }
    }

    async fn end(self) -> Arc<Site> {
        self.cap.stop().await;
        self.tasks.shutdown().await;
        self.db.close().await;
        self.site
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let request = Request::post(path).header("host", "localhost").header("authorization", "Bearer x");
        let response = self.router.clone().oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        assert!(status.is_success(), "{path} {body}: {status} {}", String::from_utf8_lossy(&bytes));
        serde_json::from_slice(&bytes).unwrap()
    }

    /// What the plain listener serves.
    async fn plain(&self, request: Request<Body>) -> Vec<u8> {
        let response = self.authority.revocation_router().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()
    }

    /// The status that a gateway is told.
    async fn cap(&self, known: &Known) -> i32 {
        let request = ClientCertificateAuthenticationRequest {
            correlation_id: "c".into(),
            timestamp: self.site.clock.now().millis(),
            timeout: 0,
            issuer: "CN=acme".into(),
            serial_number: known.facts.serial.decimal().into(),
        };
        let subject = Subject::new("kaa.v1.service.ccm.cap.certificate-request").unwrap();
        let answer = self.site.bus.request(&subject, request.encode(), PATIENCE).await.unwrap();
        ClientCertificateAuthenticationResponse::decode(&answer.payload).unwrap().status_code
    }

    /// Whether the list that the certificate names is without it; the list is verified.
    async fn off_the_list(&self, known: &Known, ca: &CaCertificate) -> bool {
        let path = known.facts.crl_urls[0].strip_prefix(BASE).unwrap();
        let list = self.plain(Request::get(path).body(Body::empty()).unwrap()).await;
        let list = Crl::parse(&list).unwrap();
        list.verify(ca).unwrap();
        assert_eq!(list.distribution_point().unwrap().urls, known.facts.crl_urls);
        list.entry(&known.facts.serial.to_der_bytes()).is_none()
    }

    /// Whether OCSP calls it good.
    async fn good(&self, known: &Known, ca: &CaCertificate) -> bool {
        const SHA256: &[u8] = &[0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00];
        let serial = der(2, &known.facts.serial.to_der_bytes());
        let key = PublicKey::from_spki_der(ca.spki()).unwrap();
        let id = [SHA256.to_vec(), der(4, &sha256(ca.subject().der())), der(4, &sha256(key.bits())), serial.clone()].concat();
        let request = der(0x30, &der(0x30, &der(0x30, &der(0x30, &der(0x30, &id)))));
        let answer = self.plain(Request::post("/ocsp").body(Body::from(request)).unwrap()).await;
        // The status stands behind the number that it is of (RFC 6960 section 4.2.1).
        let at = answer.windows(serial.len()).position(|window| window == serial).unwrap() + serial.len();
        assert!([0x80, 0xa1].contains(&answer[at]), "neither good nor revoked: {:#x}", answer[at]);
        answer[at] == 0x80
    }
}

fn der(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).unwrap();
    let head = if length < 128 { vec![tag, length] } else { vec![tag, 0x81, length] };
    [head, body.to_vec()].concat()
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Issue { days: u32 },
    Suspend(usize),
    Resume(usize),
    Revoke(usize, bool),
    Pass { hours: u32 },
    Absence { days: u32 },
    Rotate,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1_u32..60).prop_map(|days| Step::Issue { days }),
        4 => any::<usize>().prop_map(Step::Suspend),
        3 => any::<usize>().prop_map(Step::Resume),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(which, compromised)| Step::Revoke(which, compromised)),
        3 => (1_u32..24 * 20).prop_map(|hours| Step::Pass { hours }),
        1 => (60_u32..200).prop_map(|days| Step::Absence { days }),
        3 => Just(Step::Rotate),
        1 => Just(Step::Restart),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Usable,
    Suspended,
    Revoked,
}

struct Known {
    id: String,
    facts: CertificateFacts,
    generation: i64,
    state: State,
}

struct Case {
    houses: Vec<House>,
    turn: usize,
    known: Vec<Known>,
    cas: BTreeMap<i64, CaCertificate>,
    turns: usize,
    retired: Vec<i64>,
}

impl Case {
    fn house(&mut self) -> &House {
        self.turn += 1;
        &self.houses[self.turn % 2]
    }

    fn now(&self) -> Timestamp {
        self.houses[0].site.clock.now()
    }

    async fn moves(&mut self, which: usize, from: &[State], to: State, verb: &str, reason: &str) {
        let Some(which) = which.checked_rem(self.known.len()) else { return };
        // Of what a retired CA issued, what had ended may be revoked or forgotten by then.
        let known = &self.known[which];
        if from.contains(&known.state) && !self.retired.contains(&known.generation) {
            let path = format!("/api/v1/tenants/acme/credentials/{}/{verb}", self.known[which].id);
            self.house().post(&path, &json!({"reason": reason})).await;
            self.known[which].state = to;
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Issue { days } => {
                let order = json!({"generate_key": "p256", "common_name": "d", "ttl": format!("{days}d")});
                let made = self.house().post("/api/v1/tenants/acme/certificates", &order).await;
                let leaf = signet_pki::pem::certificates(made["certificate"].as_str().unwrap().as_bytes()).unwrap();
                let generation = made["generation"].as_i64().unwrap();
                let ca = CaCertificate::from_pem(made["chain"][0].as_str().unwrap().as_bytes()).unwrap();
                self.cas.insert(generation, ca);
                let id = made["id"].as_str().unwrap().to_owned();
                self.known.push(Known { id, facts: CertificateFacts::read(&leaf[0]).unwrap(), generation, state: State::Usable });
            }
            Step::Suspend(which) => self.moves(which, &[State::Usable], State::Suspended, "suspend", "lost").await,
            Step::Resume(which) => self.moves(which, &[State::Suspended], State::Usable, "resume", "found").await,
            Step::Revoke(which, compromised) => {
                let reason = if compromised { "keyCompromise" } else { "superseded" };
                self.moves(which, &[State::Usable, State::Suspended], State::Revoked, "revoke", reason).await;
            }
            Step::Pass { hours } => self.houses[0].site.clock.advance(HOUR * hours),
            Step::Absence { days } => {
                self.houses[0].site.clock.advance(HOUR * 24 * days);
                self.house().authority.clean().await.unwrap();
            }
            Step::Rotate => {
                let step = ["prepare", "activate", "taint", "retire"][self.turns % 4];
                self.turns += 1;
                let done = self.house().post("/api/v1/tenants/acme/ca/rotate", &json!({"step": step})).await;
                if step == "retire" {
                    let generation = done["generation"].as_i64().unwrap();
                    self.retired.push(generation);
                    let now = self.now();
                    let of_it = |known: &&mut Known| known.generation == generation && known.facts.not_after >= now;
                    self.known.iter_mut().filter(of_it).for_each(|known| known.state = State::Revoked);
                }
            }
            Step::Restart => {
                self.turn += 1;
                let site = self.houses.remove(self.turn % 2).end().await;
                self.houses.push(House::new(site).await);
            }
        }
    }

    async fn check(&mut self, steps: &[Step]) {
        let now = self.now();
        for number in 0..self.known.len() {
            self.turn += 1;
            let (house, known) = (&self.houses[self.turn % 2], &self.known[number]);
            let told = format!("certificate {number} ({:?}) after {steps:?}", known.state);
            let usable = known.state == State::Usable;
            if now >= known.facts.not_after {
                assert_eq!(house.cap(known).await, 403, "{told}: it has ended");
                continue;
            }
            let ca = &self.cas[&known.generation];
            assert_eq!(house.off_the_list(known, ca).await, usable, "the list of {told}");
            if !self.retired.contains(&known.generation) {
                assert_eq!(house.good(known, ca).await, usable, "OCSP of {told}");
            }
            // Some are never used, so that first uses come at any time.
            if number % 2 == 0 || !usable {
                assert_eq!(house.cap(known).await, if usable { 200 } else { 403 }, "CAP of {told}");
            }
        }
    }
}

async fn site(postgres: bool) -> Arc<Site> {
    let directory = scratch_dir("agreement").unwrap();
    let url = match postgres {
        true => TestPostgres::shared().fresh_database().await,
        false => format!("sqlite:{}", directory.path().join("signet.db").display()),
    };
    Arc::new(Site { directory, url, bus: Bus::in_process(), clock: FakeClock::new() })
}

async fn run(postgres: bool, cases: usize) {
    let cases = if std::env::var_os("SIGNET_DEEP").is_some() { cases * 20 } else { cases };
    let mut runner = TestRunner::deterministic();
    let lives = proptest::collection::vec(step(), 20..50);
    for _ in 0..cases {
        let site = site(postgres).await;
        let houses = vec![House::new(Arc::clone(&site)).await, House::new(site).await];
        houses[0].post("/api/v1/tenants", &json!({"id": "acme"})).await;
        let steps = lives.new_tree(&mut runner).unwrap().current();
        let mut case = Case { houses, turn: 0, known: Vec::new(), cas: BTreeMap::new(), turns: 0, retired: Vec::new() };
        for (number, step) in steps.iter().enumerate() {
            case.take(*step).await;
            case.check(&steps[..=number]).await;
        }
        for house in case.houses {
            house.end().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cap_ocsp_and_lists_agree_whatever_happens_on_sqlite() {
    run(false, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cap_ocsp_and_lists_agree_whatever_happens_on_postgres() {
    run(true, 2).await;
}
