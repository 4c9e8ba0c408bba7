//! Coming up. First what needs nobody else ([`lay`]): data directory, certificate, bound listeners that answer 503. Then what
//! may have to wait ([`build`]): database, ledger, rooms.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use signet_client::{Endpoint, READY_EVENT};
use signet_crypto::{Sealer, SystemEntropy};
use signet_custody::KeyFileSealer;
use signet_db::DbError;
use signet_http::{HttpMetrics, Management};
use signet_ledger::{LedgerError, shared_seal_key};
use signet_model::{Clock, Entropy, Refusal};
use tokio_util::sync::CancellationToken;

use super::custody::ClientCertificate;
use super::data_dir::DataDir;
use super::health::Health;
use super::house::House;
use super::listeners::{self, API, HTTP, Listeners, MANAGEMENT, REVOCATION};
use super::notify::Notifier;
use super::ports::Addresses;
use super::reasons::DATA_DIR_UNUSABLE;
use super::seal::{check_seal_key, open_seal_key};
use super::shape::{SealPlace, Shape};
use super::tls::Certificates;
use super::{Launch, metrics};
use crate::clock::SystemClock;
use crate::config::{CustodyKind, Role, Settings};
use crate::{database, message_bus};

/// First and longest pause between two attempts to reach what a start waits for.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How much longer the service manager is asked to wait at each attempt; more than a pause and an attempt take together.
const MORE_TIME: Duration = Duration::from_secs(60);
/// What stands before anything else is there, and until the end.
pub(crate) struct Foundation {
    data: DataDir,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Random bytes.
    pub(crate) entropy: Arc<dyn Entropy>,
    /// What `/health` says.
    pub(crate) health: Health,
    /// The bound addresses.
    pub(crate) listeners: Listeners,
    /// Counts requests.
    pub(crate) http_metrics: HttpMetrics,
    /// Ends what runs in the background.
    pub(crate) shutdown: CancellationToken,
    certificates: Option<Arc<Certificates>>,
    /// What is shown to Vault, where that asks for a certificate.
    pub(crate) vault_client: Option<ClientCertificate>,
    registry: Mutex<Registry>,
}

impl Foundation {
    /// The data directory, absolute.
    pub(crate) fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// The registry that will show all metrics; for the one who completes it.
    pub(crate) fn take_registry(&self) -> Registry {
        std::mem::take(&mut *self.registry.lock())
    }

    /// What the ready line says.
    pub(crate) fn endpoint(&self, started: Instant) -> Endpoint {
        Endpoint {
            event: READY_EVENT.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            data_dir: self.data_dir().to_string_lossy().into_owned(),
            listeners: self.listeners.addresses(),
            elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Reads certificates and keys again; what does not read is told and what was in use stays.
    pub(crate) fn reload(&self) {
        let listener = self.certificates.as_ref().map(|certificates| certificates.reload());
        let vault = self.vault_client.as_ref().map(ClientCertificate::reload);
        for outcome in [listener, vault].into_iter().flatten() {
            match outcome {
                Ok(()) => tracing::info!(event = "tls.reloaded"),
                Err(refusal) => tracing::error!(event = "tls.reload-failed", reason = refusal.reason.code, detail = %refusal.detail),
            }
        }
    }
}

/// Holds the data directory and binds the listeners.
pub(crate) async fn lay(launch: &Launch) -> Result<Foundation, Refusal> {
    let settings = &launch.settings;
    let data = DataDir::hold(&settings.process.data_dir)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let mut wanted = Vec::new();
    let api_over_tls = settings.process.roles.has(Role::Api) && !launch.shape.one_listener;
    if api_over_tls {
        wanted.push((API, &settings.listen.api));
    }
    wanted.push(if launch.shape.one_listener { (HTTP, &settings.listen.api) } else { (MANAGEMENT, &settings.listen.management) });
    if launch.shape.certificates && settings.process.roles.has(Role::Api) {
        wanted.push((REVOCATION, &settings.listen.revocation));
    }
    let mut addresses = Addresses::choose(&wanted, &launch.flags, launch.any_port, data.path())?;
    let names: Vec<&'static str> = wanted.iter().map(|(name, _)| *name).collect();
    let held = listeners::bind(&addresses, &names).await?;
    let certificates = if api_over_tls {
        Some(Arc::new(Certificates::open(
            &settings.tls,
            addresses.of(API).unwrap_or(&settings.listen.api),
            data.path(),
            clock.as_ref(),
            entropy.as_ref(),
        )?))
    } else {
        None
    };
    let vault_client = match settings.custody.kind {
        CustodyKind::Vault if launch.shape.certificates => ClientCertificate::open(&settings.custody)?,
        CustodyKind::Vault | CustodyKind::Software => None,
    };
    let started = seconds_since_epoch();
    let mut registry = metrics::of_process(started);
    let http_metrics = HttpMetrics::register(&mut registry);
    let shutdown = CancellationToken::new();
    let listeners = held.serve(certificates.as_ref().map(|c| c.handle()).as_ref(), &entropy, &http_metrics, &shutdown);
    addresses
        .remember(&listeners.addresses())
        .map_err(|e| Refusal::new(&DATA_DIR_UNUSABLE, format!("ports.json of the data directory cannot be written: {e}")))?;
    let health = Health::starting();
    // Until the parts are there, the process alone is shown.
    let management = Management { health: Arc::new(health.clone()), registry: Arc::new(metrics::of_process(started)) };
    if let Some(site) = listeners.site(MANAGEMENT) {
        site.open(management.into_router());
    } else if let Some(site) = listeners.site(HTTP) {
        site.open(management.beside(signet_http::starting_router(Arc::clone(&entropy))));
    }
    if let Some(certificates) = &certificates {
        tokio::spawn(Arc::clone(certificates).keep_fresh(Arc::clone(&clock), Arc::clone(&entropy), shutdown.clone()));
    }
    Ok(Foundation {
        data,
        clock,
        entropy,
        health,
        listeners,
        http_metrics,
        shutdown,
        certificates,
        vault_client,
        registry: Mutex::new(registry),
    })
}

/// Everything that has to be there before the first request.
pub(crate) async fn build(launch: &Launch, foundation: &Foundation, notifier: &Notifier) -> Result<House, Refusal> {
    let settings = &launch.settings;
    let in_file = seal_key_file(settings, &launch.shape, foundation.data_dir());
    in_file.as_deref().map_or(Ok(()), check_seal_key)?;
    let bus = message_bus::open(settings, launch.shape.nats_login.clone()).await.map_err(|e| Refusal::new(e.reason(), e.to_string()))?;
    let waiting = Waiting { foundation, notifier };
    let db = waiting.until_there(|| database::open(settings, foundation.data_dir())).await?;
    waiting.until_there(|| database::migrate(&db)).await?;
    let sealer: Arc<dyn Sealer> = match in_file {
        Some(path) => Arc::new(waiting.until_there(|| open_seal_key(&path, &db, foundation.entropy.as_ref())).await?),
        None => {
            let key = waiting.until_there(|| shared_seal_key(&db, foundation.entropy.as_ref())).await?;
            Arc::new(KeyFileSealer::of_key(&key, Path::new("the database"))?)
        }
    };
    House::assemble(launch, foundation, &waiting, sealer, bus, db).await
}

/// The file of the seal key; none when the database keeps it.
pub(crate) fn seal_key_file(settings: &Settings, shape: &Shape, data_dir: &Path) -> Option<PathBuf> {
    match (&settings.seal.key_file, shape.seal) {
        (Some(path), _) => Some(path.clone()),
        (None, SealPlace::DataDir) => Some(data_dir.join("seal.key")),
        (None, SealPlace::Database) => None,
    }
}

/// Patience with what is not there yet.
pub(crate) struct Waiting<'a> {
    foundation: &'a Foundation,
    notifier: &'a Notifier,
}

impl Waiting<'_> {
    /// Tries until the database answers; any other trouble ends the start. Health, the service manager and the log say meanwhile
    /// what is waited for.
    pub(crate) async fn until_there<T, E, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, Refusal>
    where
        E: Into<Trouble>,
        F: Future<Output = Result<T, E>>,
    {
        let mut pause = FIRST_PAUSE;
        loop {
            match attempt().await.map_err(Into::into) {
                Ok(there) => return Ok(there),
                Err(Trouble::Lasting(refusal)) => return Err(refusal),
                Err(Trouble::Passing(refusal)) => {
                    tracing::warn!(event = "start.waiting", reason = refusal.reason.code, detail = %refusal.detail);
                    self.foundation.health.waits_for(format!("waits for the database ({})", refusal.reason.code));
                    self.notifier.waiting("waiting for the database", MORE_TIME);
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
                }
            }
        }
    }
}

/// Whether trying again can help.
pub(crate) enum Trouble {
    /// The dependency may come back.
    Passing(Refusal),
    /// Somebody has to do something.
    Lasting(Refusal),
}

impl Trouble {
    /// Sorts a refusal: what is unavailable may come back.
    pub(crate) fn of(refusal: Refusal) -> Self {
        if refusal.reason.status == 503 { Self::Passing(refusal) } else { Self::Lasting(refusal) }
    }

    /// What it is, for those who do not wait.
    pub(crate) fn refusal(self) -> Refusal {
        match self {
            Self::Passing(refusal) | Self::Lasting(refusal) => refusal,
        }
    }
}

impl From<DbError> for Trouble {
    fn from(error: DbError) -> Self {
        let passing = matches!(error, DbError::Unavailable(_) | DbError::Timeout | DbError::Busy);
        let refusal = Refusal::new(error.reason(), error.to_string());
        if passing { Self::Passing(refusal) } else { Self::Lasting(refusal) }
    }
}

impl From<LedgerError> for Trouble {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Db(error) => error.into(),
            LedgerError::Contradicted(_)
            | LedgerError::Damaged(_)
            | LedgerError::File { .. }
            | LedgerError::Deposed
            | LedgerError::Key(_) => Self::Lasting(Refusal::new(error.reason(), error.to_string())),
        }
    }
}

/// For the metric of the process's start.
#[expect(clippy::cast_precision_loss, reason = "exact to the microsecond for centuries")]
fn seconds_since_epoch() -> f64 {
    crate::clock::now().micros() as f64 / 1e6
}
