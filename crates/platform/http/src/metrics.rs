//! What the HTTP surface counts (`kaa.md` 17.4 for the format). Labels are bounded: routes, methods and statuses of our own
//! table, listener names; never a tenant, an id or a path as sent.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds of the latency buckets, in seconds.
const BUCKETS: [f64; 12] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListenerLabels {
    listener: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedLabels {
    listener: &'static str,
    why: &'static str,
}

/// Counters of requests and connections. Clones count together.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    requests: Family<RequestLabels, Counter>,
    duration: Family<RouteLabels, Histogram, fn() -> Histogram>,
    panics: Counter,
    connections: Family<ListenerLabels, Gauge>,
    refused: Family<RefusedLabels, Counter>,
}

impl Default for HttpMetrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            panics: Counter::default(),
            connections: Family::default(),
            refused: Family::default(),
        }
    }
}

impl HttpMetrics {
    /// Counters that `registry` shows.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("signet_http_requests", "HTTP requests answered", metrics.requests.clone());
        registry.register("signet_http_request_duration_seconds", "Time from the request's head to the answer's", metrics.duration.clone());
        registry.register("signet_http_panics", "Requests that ended in a panic", metrics.panics.clone());
        registry.register("signet_http_connections", "Open connections", metrics.connections.clone());
        registry.register("signet_http_connections_refused", "Connections closed before a request", metrics.refused.clone());
        metrics
    }

    /// Requests that ended in a panic so far.
    pub fn panics(&self) -> u64 {
        self.panics.get()
    }

    pub(crate) fn panicked(&self) {
        self.panics.inc();
    }

    pub(crate) fn answered(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        self.requests.get_or_create(&RequestLabels { method, route: route.to_owned(), status }).inc();
        self.duration.get_or_create(&RouteLabels { route: route.to_owned() }).observe(took.as_secs_f64());
    }

    pub(crate) fn connections(&self, listener: &'static str) -> Gauge {
        self.connections.get_or_create(&ListenerLabels { listener }).clone()
    }

    pub(crate) fn refused(&self, listener: &'static str, why: &'static str) {
        self.refused.get_or_create(&RefusedLabels { listener, why }).inc();
    }
}
