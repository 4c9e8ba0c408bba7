//! The room itself: what it is made of, and what it offers to the house.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use signet_crypto::Sealer;
use signet_db::Db;
use signet_http::Route;
use signet_ledger::Ledger;
use signet_model::{Caller, Clock, Entropy, Reason, Refusal, Scope, TenantId, TraceId, kinds};
use signet_pki::Throwaway;

use crate::config::{AuthorityConfig, CaCustody, MOST_BACK_DATING};
use crate::custody::VaultState;
use crate::keys::KeyMaker;
use crate::metrics::AuthorityMetrics;
use crate::partition::Partitions;
use crate::platform::Platform;
use crate::ports::Credentials;
use crate::rest;
use crate::revocation::Revocation;
use crate::rule_book::RuleBook;
use crate::serials::Serials;
use crate::tenant_ca::OpenCas;
use crate::wanted::WantedCas;

/// Certificates of one CRL, at most, whatever the configuration says: a CRL of so many is below 1,000,000 bytes.
pub(crate) const MOST_OF_PARTITION: u32 = 18_000;
/// CA keys in memory, at most.
const MOST_OPEN_KEYS: usize = 100_000;

/// What the room is made of. Its migrations and the ledger's must have run.
pub struct Parts {
    /// Where it reads.
    pub db: Db,
    /// Where it writes.
    pub ledger: Ledger,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// What seals the keys of CAs at rest.
    pub sealer: Arc<dyn Sealer>,
    /// The credentials that certificates are.
    pub credentials: Arc<dyn Credentials>,
    /// Where the keys of tenants' CAs live.
    pub custody: CaCustody,
    /// How it works.
    pub config: AuthorityConfig,
    /// What it counts.
    pub metrics: AuthorityMetrics,
}

/// Why the room cannot open, sorted by who must act.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The operator: the configuration does not work.
    #[error("{0}")]
    Configuration(String),
}

/// The CAs of platform and tenants, and what they sign.
pub struct AuthorityRoom {
    pub(crate) db: Db,
    pub(crate) ledger: Ledger,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) sealer: Arc<dyn Sealer>,
    pub(crate) credentials: Arc<dyn Credentials>,
    pub(crate) custody: CaCustody,
    pub(crate) config: AuthorityConfig,
    pub(crate) metrics: AuthorityMetrics,
    /// None until [`AuthorityRoom::open`].
    pub(crate) platform: ArcSwapOption<Platform>,
    pub(crate) keys: KeyMaker,
    /// Keys of nobody, under which certificates are linted.
    pub(crate) throwaway: Throwaway,
    pub(crate) open_cas: OpenCas,
    pub(crate) partitions: Partitions,
    pub(crate) vault: VaultState,
    /// CRLs, OCSP and their counters.
    pub(crate) revocation: Revocation,
    pub(crate) rules: RuleBook,
    /// Tenants whose CA is to be made soon.
    pub(crate) wanted: WantedCas,
    pub(crate) serials: Serials,
}

impl AuthorityRoom {
    /// Makes the room; nothing is read or made yet.
    ///
    /// # Errors
    /// A configuration that does not work.
    pub fn new(parts: Parts) -> Result<Arc<Self>, AuthorityError> {
        let config = &parts.config;
        let wrong = |what: String| Err(AuthorityError::Configuration(what));
        if !(1..=MOST_OF_PARTITION).contains(&config.partition_size) {
            return wrong(format!("authority.partition_size: wanted 1 to {MOST_OF_PARTITION}"));
        }
        if !(1..=MOST_OPEN_KEYS).contains(&config.open_keys) {
            return wrong(format!("authority.open_keys: wanted 1 to {MOST_OPEN_KEYS}"));
        }
        if config.default_ttl > config.max_ttl {
            return wrong("authority.default_ttl: longer than authority.max_ttl".to_owned());
        }
        if config.back_dating.is_some_and(|back| back > MOST_BACK_DATING) {
            return wrong("authority.back_dating: longer than 12h".to_owned());
        }
        if !config.revocation_url.starts_with("http://") || config.revocation_url.ends_with('/') {
            return wrong("authority.revocation_url: wanted http://HOST:PORT, without a slash at the end".to_owned());
        }
        let Parts { db, ledger, clock, entropy, sealer, credentials, custody, config, metrics } = parts;
        Ok(Arc::new(Self {
            keys: KeyMaker::new(Arc::clone(&entropy)),
            throwaway: Throwaway::new(Arc::clone(&entropy)),
            open_cas: OpenCas::new(config.open_keys),
            platform: ArcSwapOption::empty(),
            partitions: Partitions::new(),
            vault: VaultState::new(),
            revocation: Revocation::new(metrics.revocation.clone()),
            rules: RuleBook::new(),
            wanted: WantedCas::new(),
            serials: Serials::new(Arc::clone(&entropy)),
            db,
            ledger,
            clock,
            entropy,
            sealer,
            credentials,
            custody,
            config,
            metrics,
        }))
    }

    /// The room's routes, each with its guard.
    pub fn routes(self: &Arc<Self>) -> Vec<Route> {
        rest::routes(self)
    }

    /// A scope for what the room does by itself in a tenant.
    pub(crate) fn own_scope(&self, part: &'static str, tenant: &TenantId) -> Scope {
        Scope {
            tenant: tenant.clone(),
            caller: Caller::System(part),
            trace: TraceId::generate(self.entropy.as_ref()),
            correlation: None,
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
        }
    }
}

impl AuthorityError {
    /// The stable reason.
    pub fn reason(&self) -> &'static Reason {
        match self {
            Self::Configuration(_) => &kinds::INPUT_INVALID,
        }
    }
}

/// A fault of ours: what happened goes to the log, not to the caller.
pub(crate) fn internal(what: &dyn std::fmt::Display) -> Refusal {
    tracing::error!(event = "internal", error = %what);
    Refusal::new(&kinds::INTERNAL, "the server failed to answer this request")
}
