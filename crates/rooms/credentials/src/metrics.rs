//! What the room counts, under the names of `kaa.md` 17.4. Labels come from closed sets; never a tenant, never an id.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use signet_model::{CredentialKind, CredentialState};

/// Upper bounds of the duration buckets, in seconds; bcrypt of cost 10 takes about 0.06.
const BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AuthLabels {
    kind: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByLabels {
    by: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CredentialLabels {
    kind: &'static str,
    state: &'static str,
}

/// Counters and gauges of the room. Clones count together.
#[derive(Clone, Debug)]
pub struct CredentialMetrics {
    auth: Family<AuthLabels, Counter>,
    duration: Family<KindLabels, Histogram, fn() -> Histogram>,
    queue: Gauge,
    verified: Family<ByLabels, Counter>,
    limited: Family<ByLabels, Counter>,
    credentials: Family<CredentialLabels, Gauge>,
}

/// Counts a request as one that waits.
pub(crate) struct Waits(Gauge);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for CredentialMetrics {
    fn default() -> Self {
        Self {
            auth: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            queue: Gauge::default(),
            verified: Family::default(),
            limited: Family::default(),
            credentials: Family::default(),
        }
    }
}

impl CredentialMetrics {
    /// Counters that `registry` shows.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("ccm_auth", "Authentication requests, by kind and result", metrics.auth.clone());
        registry.register("ccm_auth_duration_seconds", "Time from taking a request to its decision", metrics.duration.clone());
        registry.register(
            "ccm_auth_queue_length",
            "Authentication requests that wait to be looked up or for bcrypt",
            metrics.queue.clone(),
        );
        registry.register(
            "ccm_password_verified",
            "Passwords verified: from memory, by bcrypt, or joined to an equal verification under way",
            metrics.verified.clone(),
        );
        registry.register(
            "ccm_auth_limited",
            "Authentication requests refused for too many wrong passwords, by whose",
            metrics.limited.clone(),
        );
        // A counter that appears only with its first event hides that event from a rate.
        for kind in [CredentialKind::Basic, CredentialKind::X509] {
            metrics.auth.get_or_create(&AuthLabels { kind: kind.as_str(), result: "allowed" }).inc_by(0);
        }
        registry.register("ccm_credentials", "Credentials, by kind and state", metrics.credentials.clone());
        metrics
    }

    pub(crate) fn decided(&self, kind: CredentialKind, result: &'static str) {
        self.auth.get_or_create(&AuthLabels { kind: kind.as_str(), result }).inc();
    }

    /// How many requests of this kind ended so.
    pub fn decisions(&self, kind: CredentialKind, result: &'static str) -> u64 {
        self.auth.get_or_create(&AuthLabels { kind: kind.as_str(), result }).get()
    }

    pub(crate) fn took(&self, kind: CredentialKind, time: Duration) {
        self.duration.get_or_create(&KindLabels { kind: kind.as_str() }).observe(time.as_secs_f64());
    }

    /// A password was verified by `memory`, by `bcrypt`, or `joined` to an equal one.
    pub(crate) fn verified_by(&self, what: &'static str) {
        self.verified.get_or_create(&ByLabels { by: what }).inc();
    }

    /// How many passwords were verified so.
    pub fn verifications(&self, by: &'static str) -> u64 {
        self.verified.get_or_create(&ByLabels { by }).get()
    }

    /// A request was refused since the bucket of its `credential`, `tenant` or `source` was empty.
    pub(crate) fn limited(&self, by: &'static str) {
        self.limited.get_or_create(&ByLabels { by }).inc();
    }

    /// How many requests were refused so.
    pub fn refused_by_limit(&self, by: &'static str) -> u64 {
        self.limited.get_or_create(&ByLabels { by }).get()
    }

    /// A request of the bus begins to wait. The gauge is that of every desk together.
    pub(crate) fn queued(&self) {
        self.queue.inc();
    }

    /// A request of the bus waits no more.
    pub(crate) fn unqueued(&self) {
        self.queue.dec();
    }

    /// A request waits for bcrypt, until what this gives is dropped.
    pub(crate) fn waits(&self) -> Waits {
        self.queue.inc();
        Waits(self.queue.clone())
    }

    /// A credential came to be (`from` is none) or moved, in this process.
    pub(crate) fn moved(&self, kind: CredentialKind, from: Option<CredentialState>, to: CredentialState) {
        if let Some(from) = from {
            self.gauge(kind, from).dec();
        }
        self.gauge(kind, to).inc();
    }

    /// A credential is there no more.
    pub(crate) fn removed(&self, kind: CredentialKind, from: CredentialState) {
        self.gauge(kind, from).dec();
    }

    /// The numbers as counted in the database; what is not named there is none.
    pub(crate) fn counted(&self, counts: &[(CredentialKind, CredentialState, i64)]) {
        for kind in CredentialKind::ALL {
            for state in CredentialState::ALL {
                let number = counts.iter().find(|(k, s, _)| k == kind && s == state).map_or(0, |(_, _, number)| *number);
                self.gauge(*kind, *state).set(number);
            }
        }
    }

    /// The last known number of credentials of a kind in a state.
    pub fn credentials(&self, kind: CredentialKind, state: CredentialState) -> i64 {
        self.gauge(kind, state).get()
    }

    fn gauge(&self, kind: CredentialKind, state: CredentialState) -> Gauge {
        self.credentials.get_or_create(&CredentialLabels { kind: kind.as_str(), state: state.as_str() }).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_kaas() -> Result<(), std::fmt::Error> {
        let mut registry = Registry::default();
        let metrics = CredentialMetrics::register(&mut registry);
        metrics.decided(CredentialKind::Basic, "allowed");
        metrics.took(CredentialKind::Basic, Duration::from_millis(60));
        metrics.queued();
        metrics.queued();
        metrics.unqueued();
        metrics.moved(CredentialKind::Basic, None, CredentialState::Inactive);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        for line in [
            "ccm_auth_total{kind=\"basic\",result=\"allowed\"} 1",
            "ccm_auth_duration_seconds_count{kind=\"basic\"} 1",
            "ccm_auth_queue_length 1",
            "ccm_credentials{kind=\"basic\",state=\"Inactive\"} 1",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        Ok(())
    }

    #[test]
    fn moves_shift_the_gauges_and_a_count_corrects_them() {
        let metrics = CredentialMetrics::default();
        let basic = |state| metrics.credentials(CredentialKind::Basic, state);
        metrics.moved(CredentialKind::Basic, None, CredentialState::Inactive);
        metrics.moved(CredentialKind::Basic, Some(CredentialState::Inactive), CredentialState::Active);
        assert_eq!((basic(CredentialState::Inactive), basic(CredentialState::Active)), (0, 1));
        metrics.counted(&[(CredentialKind::Basic, CredentialState::Revoked, 7)]);
        assert_eq!((basic(CredentialState::Active), basic(CredentialState::Revoked)), (0, 7));
    }
}
