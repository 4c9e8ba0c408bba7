//! What the room counts. Labels come from closed sets; never a tenant, never an id.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::LeafProfile;
use crate::revocation::RevocationMetrics;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProfileLabels {
    profile: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

/// Counters of the room. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct AuthorityMetrics {
    issued: Family<ProfileLabels, Counter>,
    refused: Family<ReasonLabels, Counter>,
    cas: Counter,
    orphans: Counter,
    /// Of CRL, OCSP and alarms.
    pub(crate) revocation: RevocationMetrics,
}

impl AuthorityMetrics {
    /// Counters that `registry` shows.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self { revocation: RevocationMetrics::register(registry), ..Self::default() };
        registry.register("signet_authority_issued", "Certificates issued, by profile", metrics.issued.clone());
        registry.register("signet_authority_refused", "Requests for certificates that were refused, by reason", metrics.refused.clone());
        registry.register("signet_authority_cas_made", "CAs of tenants that this process made", metrics.cas.clone());
        registry.register(
            "signet_authority_orphans",
            "Serial numbers recorded for a certificate that was never stored; they are on the CRL",
            metrics.orphans.clone(),
        );
        metrics
    }

    /// What is counted of CRL, OCSP and alarms.
    pub fn revocation(&self) -> &RevocationMetrics {
        &self.revocation
    }

    pub(crate) fn issued(&self, profile: LeafProfile) {
        self.issued.get_or_create(&ProfileLabels { profile: profile.as_str() }).inc();
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&ReasonLabels { reason }).inc();
    }

    pub(crate) fn ca_made(&self) {
        self.cas.inc();
    }

    pub(crate) fn orphaned(&self) {
        self.orphans.inc();
    }
}
