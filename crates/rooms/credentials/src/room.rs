//! The room itself: what it is made of, and what it offers to the house.

use std::sync::Arc;
use std::time::Duration;

use signet_bus::BusError;
use signet_db::Db;
use signet_http::{IdempotencyStore, Route, TenantExists};
use signet_kaa::subject::InstanceName;
use signet_ledger::Ledger;
use signet_model::{Clock, Entropy, Refusal, ReplicaId, kinds};
use signet_standing::View;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::authenticate::{Authenticator, People};
use crate::certificate::Told;
use crate::endpoint_token::{DEFAULT_LENGTH, LENGTHS};
use crate::idempotency::IdempotencyKeys;
use crate::last_use::LastUse;
use crate::limits::{LimitConfig, Limits};
use crate::metrics::CredentialMetrics;
use crate::password_pool::PasswordPool;
use crate::sweep::MOST_IN_PAGE;
use crate::tenant_truth::Remembered;
use crate::tenants_seen::TenantsSeen;
use crate::verdicts::{VerdictConfig, Verdicts};
use crate::{rest, sql};

/// Shortest time between two counts of all credentials.
const COUNT_EVERY: Duration = Duration::from_secs(60);
/// Between two looks for right passwords that have been remembered long enough; until then they are not used, but kept.
const FORGET_EVERY: Duration = Duration::from_secs(30);
/// A count may take this part of the time, so that ten million rows are counted more seldom than ten.
const COUNT_SHARE: u32 = 200;

/// How the room works. `Default` is what Kaa's own service does.
#[derive(Clone, Debug)]
pub struct CredentialsConfig {
    /// Cost of new password hashes, 4 to 16.
    pub bcrypt_cost: u32,
    /// The name of this service in subjects; also the queue group of its replicas.
    pub ccm_instance: InstanceName,
    /// The name of the service that Kaa's gateways ask about endpoint tokens; part of the subjects of their events.
    pub cm_instance: InstanceName,
    /// Whether only the moves of Kaa's product text are legal.
    pub strict_fsm: bool,
    /// Requests of the bus whose passwords are hashed at once, as far as there are cores.
    pub cap_concurrency: usize,
    /// Requests of the bus that may wait for that beside them; one more is answered 503 at once. What needs no bcrypt waits in no
    /// such queue.
    pub cap_queue_length: usize,
    /// Whether the bus is answered for endpoint tokens, and those of unregistered endpoints are deleted. They can be made and
    /// moved in any case; a cluster of Kaa's has a service of its own for the rest.
    pub cm_enabled: bool,
    /// Characters of an endpoint token that is generated: 20 (119 random bits) to 255.
    pub ep_token_length: usize,
    /// Which right passwords are remembered, and how long.
    pub verdicts: VerdictConfig,
    /// How many wrong passwords are allowed.
    pub limits: LimitConfig,
    /// Credentials that one page of a sweep tells of, revokes or removes: 1 to 500, since a commit has its bounds.
    pub sweep_page: u32,
}

impl CredentialsConfig {
    /// The defaults, under these instance names.
    pub fn new(ccm_instance: InstanceName, cm_instance: InstanceName) -> Self {
        Self {
            bcrypt_cost: 10,
            ccm_instance,
            cm_instance,
            strict_fsm: false,
            cap_concurrency: 8,
            cap_queue_length: 128,
            cm_enabled: false,
            ep_token_length: DEFAULT_LENGTH,
            verdicts: VerdictConfig::default(),
            limits: LimitConfig::default(),
            sweep_page: MOST_IN_PAGE,
        }
    }
}

impl CredentialsConfig {
    /// Passwords of the bus that wait for bcrypt or are hashed, at most.
    pub(crate) fn most_of_bus(&self) -> usize {
        self.cap_concurrency.max(1).saturating_add(self.cap_queue_length)
    }
}

/// What the room is made of. Its migrations and the ledger's must have run.
pub struct Parts {
    /// Where it reads.
    pub db: Db,
    /// Where it writes.
    pub ledger: Ledger,
    /// What is withdrawn.
    pub view: View,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// This process, as events name it.
    pub replica: ReplicaId,
    /// What it counts.
    pub metrics: CredentialMetrics,
    /// How it works.
    pub config: CredentialsConfig,
}

/// Why the room cannot open or serve the bus, sorted by who must act.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The operator: the configuration does not work.
    #[error("{0}")]
    Configuration(String),
    /// The machine gives no threads.
    #[error("the password threads cannot start: {0}")]
    Threads(std::io::Error),
    /// The bus does not take the subscription.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// Tenants, identities, credentials and tokens.
pub struct CredentialsRoom {
    pub(crate) db: Db,
    pub(crate) ledger: Ledger,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) replica: ReplicaId,
    pub(crate) metrics: CredentialMetrics,
    pub(crate) config: CredentialsConfig,
    pub(crate) verdicts: Arc<Verdicts>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) pool: PasswordPool,
    pub(crate) last_use: LastUse,
    pub(crate) tenants_seen: TenantsSeen,
    pub(crate) truth: Remembered,
    /// Who keeps and who issues certificates.
    pub(crate) told: Told,
    /// Told when there is something to sweep.
    pub(crate) sweeps_wait: Notify,
    authenticator: Arc<Authenticator>,
}

impl CredentialsRoom {
    /// Opens the room and starts its password threads.
    ///
    /// # Errors
    /// A configuration that does not work, or no threads.
    pub fn new(parts: Parts) -> Result<Arc<Self>, CredentialsError> {
        if !LENGTHS.contains(&parts.config.ep_token_length) {
            let (shortest, longest) = (LENGTHS.start(), LENGTHS.end());
            return Err(CredentialsError::Configuration(format!("kaa.ep_token_length: wanted {shortest} to {longest}")));
        }
        let tenants_seen = TenantsSeen::new(&parts.view);
        let config = &parts.config;
        if config.verdicts.lifetime > VerdictConfig::LONGEST {
            return Err(CredentialsError::Configuration("password.remember_for: more than 24 hours".to_owned()));
        }
        let verdicts = Arc::new(Verdicts::new(config.verdicts, parts.entropy.as_ref()));
        let limits = Arc::new(Limits::new(config.limits, parts.entropy.as_ref()));
        let pool = PasswordPool::start(config.bcrypt_cost, config.most_of_bus(), Arc::clone(&verdicts), Arc::clone(&parts.entropy))?;
        let authenticator = Arc::new(Authenticator::new(parts.db.clone(), parts.view, Arc::clone(&parts.clock)));
        Ok(Arc::new(Self {
            db: parts.db,
            ledger: parts.ledger,
            clock: parts.clock,
            entropy: parts.entropy,
            replica: parts.replica,
            metrics: parts.metrics,
            config: parts.config,
            verdicts,
            limits,
            pool,
            last_use: LastUse::new(),
            tenants_seen,
            truth: Remembered::new(),
            told: Told::default(),
            sweeps_wait: Notify::new(),
            authenticator,
        }))
    }

    /// The room's routes, each with its guard.
    pub fn routes(self: &Arc<Self>) -> Vec<Route> {
        rest::routes(self)
    }

    /// What turns bearer tokens into callers.
    pub fn authenticator(&self) -> Arc<Authenticator> {
        Arc::clone(&self.authenticator)
    }

    /// The same for a house that also takes these people.
    pub fn authenticator_for(self: &Arc<Self>, people: People) -> Arc<Authenticator> {
        Arc::new(self.authenticator.beside(people, self.tenant_register()))
    }

    /// What knows which tenants there are.
    pub fn tenant_register(self: &Arc<Self>) -> Arc<dyn TenantExists> {
        Arc::<Self>::clone(self)
    }

    /// What knows which idempotency keys were used, for every room's routes.
    pub fn idempotency_keys(&self) -> Arc<dyn IdempotencyStore> {
        Arc::new(IdempotencyKeys::new(self.ledger.clone()))
    }

    /// Keeps `ccm_credentials` true to the database, and the memory of right passwords short, until the handle is dropped.
    pub fn start_counting(self: &Arc<Self>) -> AbortOnDropHandle<()> {
        let room = Arc::clone(self);
        AbortOnDropHandle::new(tokio::spawn(async move {
            tokio::join!(count_again_and_again(Arc::clone(&room)), forget_again_and_again(&room));
        }))
    }

    /// Runs of bcrypt so far: for benchmarks, and for tests that every attempt costs the same.
    pub fn password_operations(&self) -> u64 {
        self.pool.operations()
    }
}

async fn forget_again_and_again(room: &CredentialsRoom) {
    loop {
        tokio::time::sleep(FORGET_EVERY).await;
        room.verdicts.forget_old(Instant::now());
    }
}

async fn count_again_and_again(room: Arc<CredentialsRoom>) {
    loop {
        let started = Instant::now();
        // A count that fails leaves the last numbers; the next one corrects them.
        if let Ok(counts) = sql::all(&room.db, sql::credential::counts(), sql::credential::read_count).await {
            room.metrics.counted(&counts);
        }
        tokio::time::sleep(started.elapsed().saturating_mul(COUNT_SHARE).max(COUNT_EVERY)).await;
    }
}

/// A fault of ours: what happened goes to the log, not to the caller.
pub(crate) fn internal(what: &dyn std::fmt::Display) -> Refusal {
    tracing::error!(event = "internal", error = %what);
    Refusal::new(&kinds::INTERNAL, "the server failed to answer this request")
}
