//! What the parts that tell of revocation keep in memory and count.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use signet_http::HealthLine;
use signet_model::Refusal;
use tokio::time::Instant;

use crate::AuthorityRoom;
use crate::config::CaCustody;
use crate::crl::{Crls, LIFETIME, PERIOD};
use crate::ocsp::Responders;
use crate::ocsp_issuers::OcspIssuers;
use crate::publisher::Round;

/// How long health tells of a list that could not be published; one that still cannot is told of anew by each round.
const FAULT_TOLD: Duration = Duration::from_secs(60);

/// Health tells of the platform CA's end so long before.
const TOLD_BEFORE: Duration = Duration::from_secs(90 * 86_400);

/// What is in memory.
pub(crate) struct Revocation {
    pub(crate) crls: Crls,
    pub(crate) issuers: OcspIssuers,
    pub(crate) responders: Responders,
    pub(crate) metrics: RevocationMetrics,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabels {
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DaysLabels {
    days: u32,
}

/// Counters of CRL, OCSP and alarms. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct RevocationMetrics {
    published: Counter,
    failed: Family<ReasonLabels, Counter>,
    not_renewed: Counter,
    age: Gauge,
    waiting: Gauge,
    answered: Family<StatusLabels, Counter>,
    told: Counter,
    ending: Family<DaysLabels, Gauge>,
    cas_ending: Family<DaysLabels, Gauge>,
    /// What failed last, and when.
    fault: std::sync::Arc<ArcSwapOption<(Instant, String)>>,
    seen_age: std::sync::Arc<AtomicI64>,
}

impl RevocationMetrics {
    /// Counters that `registry` shows.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("signet_crl_published", "CRLs signed and stored by this process", metrics.published.clone());
        registry.register("signet_crl_failures", "CRLs that could not be signed or stored, by reason", metrics.failed.clone());
        registry.register(
            "signet_crl_not_renewed",
            "CRLs served that were due for renewal and could not be renewed; they still hold and lack no change",
            metrics.not_renewed.clone(),
        );
        registry.register(
            "signet_crl_oldest_age_seconds",
            "Age of the oldest CRL that is still needed; of the leader",
            metrics.age.clone(),
        );
        registry.register("signet_crl_unpublished", "CRLs of the last round that could not be brought up to date", metrics.waiting.clone());
        registry.register("signet_ocsp_answers", "Certificates asked for by OCSP, by what was answered", metrics.answered.clone());
        registry.register("signet_certificates_told_expiring", "Certificates whose end was told of by an event", metrics.told.clone());
        registry.register(
            "signet_certificates_expiring",
            "Usable certificates that end within so many days; of the leader",
            metrics.ending.clone(),
        );
        registry.register(
            "signet_authority_cas_expiring",
            "CAs of tenants that issue and end within so many days; of the leader",
            metrics.cas_ending.clone(),
        );
        metrics
    }

    pub(crate) fn crl_published(&self) {
        self.published.inc();
    }

    /// CRLs that this process has published.
    pub fn crls_published(&self) -> u64 {
        self.published.get()
    }

    pub(crate) fn crl_not_renewed(&self) {
        self.not_renewed.inc();
    }

    /// How often a CRL was served that could not be renewed.
    pub fn crls_not_renewed(&self) -> u64 {
        self.not_renewed.get()
    }

    pub(crate) fn crl_failed(&self, refusal: &Refusal) {
        self.failed.get_or_create(&ReasonLabels { reason: refusal.reason.code }).inc();
        self.fault.store(Some(std::sync::Arc::new((Instant::now(), refusal.to_string()))));
    }

    /// What came of a round of the publisher.
    pub(crate) fn round(&self, round: Round) {
        self.waiting.set(i64::try_from(round.failed).unwrap_or(i64::MAX));
    }

    pub(crate) fn oldest(&self, age: Option<Duration>) {
        let age = age.map_or(0, |age| i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
        self.age.set(age);
        self.seen_age.store(age, Ordering::Relaxed);
    }

    pub(crate) fn answered(&self, status: &'static str) {
        self.answered.get_or_create(&StatusLabels { status }).inc();
    }

    /// How many certificates were answered so by OCSP.
    pub fn ocsp_answers(&self, status: &'static str) -> u64 {
        self.answered.get_or_create(&StatusLabels { status }).get()
    }

    pub(crate) fn told(&self, number: usize) {
        self.told.inc_by(u64::try_from(number).unwrap_or(u64::MAX));
    }

    pub(crate) fn ending(&self, days: u32, certificates: i64, cas: i64) {
        self.ending.get_or_create(&DaysLabels { days }).set(certificates);
        self.cas_ending.get_or_create(&DaysLabels { days }).set(cas);
    }

    /// How many CAs that issue ended within so many days at the last count.
    pub fn cas_ending(&self, days: u32) -> i64 {
        self.cas_ending.get_or_create(&DaysLabels { days }).get()
    }

    /// What health says of the CRLs: what is wrong, or nothing.
    pub(crate) fn unwell(&self) -> Option<String> {
        let age = self.seen_age.load(Ordering::Relaxed);
        let (period, lifetime) = (i64::try_from(PERIOD.as_secs()).unwrap_or(i64::MAX), LIFETIME.as_secs());
        if let Some((at, fault)) = self.fault.load().as_deref()
            && at.elapsed() < FAULT_TOLD
        {
            return Some(format!("a CRL cannot be published: {fault}"));
        }
        (age > period).then(|| format!("the oldest CRL is {age} s old; CRLs hold for {lifetime} s"))
    }
}

impl Revocation {
    pub(crate) fn new(metrics: RevocationMetrics) -> Self {
        Self { crls: Crls::new(), issuers: OcspIssuers::new(), responders: Responders::new(), metrics }
    }
}

impl AuthorityRoom {
    /// What the health page says of the room; never waits.
    pub fn health(&self) -> Vec<HealthLine> {
        let unwell = self.revocation.metrics.unwell();
        let mut lines = vec![HealthLine { name: "authority.crl", ok: unwell.is_none(), detail: unwell.unwrap_or_default() }];
        if let CaCustody::Vault(_) = self.custody {
            let unwell = self.vault.unwell();
            lines.push(HealthLine { name: "authority.custody", ok: unwell.is_none(), detail: unwell.unwrap_or_default() });
        }
        lines.extend(self.platform_health());
        lines
    }

    /// What has to be known of the platform CA's end: nothing of it outlives it, and to put another in its place takes time.
    fn platform_health(&self) -> Option<HealthLine> {
        let (now, end) = (self.clock.now(), self.platform().ok()?.facts.not_after());
        let detail = if end <= now.plus(TOLD_BEFORE) { format!("the platform CA ends at {end}") } else { String::new() };
        Some(HealthLine { name: "authority.platform-ca", ok: end > now, detail })
    }
}
