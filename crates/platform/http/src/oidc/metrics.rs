//! What is counted about callers of foreign issuers. No label names a tenant or an issuer.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// Counters of tokens, fetches and decisions. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct OidcMetrics {
    tokens: Family<Outcome, Counter>,
    fetches: Family<Outcome, Counter>,
    decisions: Family<Outcome, Counter>,
}

impl OidcMetrics {
    /// Counters that `registry` shows.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("signet_oidc_tokens", "Tokens of issuers looked at: remembered, verified or refused", metrics.tokens.clone());
        registry.register("signet_oidc_fetches", "Fetches of issuers' keys: done or failed", metrics.fetches.clone());
        registry.register(
            "signet_oidc_decisions",
            "Decisions of issuers: granted, denied, failed, or remembered",
            metrics.decisions.clone(),
        );
        metrics
    }

    pub(super) fn token(&self, outcome: &'static str) {
        self.tokens.get_or_create(&Outcome { outcome }).inc();
    }

    pub(super) fn fetched(&self, done: bool) {
        self.fetches.get_or_create(&Outcome { outcome: if done { "done" } else { "failed" } }).inc();
    }

    pub(super) fn decision(&self, outcome: &'static str) {
        self.decisions.get_or_create(&Outcome { outcome }).inc();
    }
}
