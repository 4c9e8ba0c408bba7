//! The listeners of one process: bound before anything else is there, answering 503 until their sites open, drained at the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use signet_http::{
    BoundListener, HealthLine, HealthSource, HttpMetrics, Limits, ListenError, ListenerWatch, RunningListener, Site, TlsMode,
};
use signet_model::{Entropy, Refusal};
use tokio_util::sync::CancellationToken;

use super::ports::Addresses;

/// Name of the listener of REST.
pub(crate) const API: &str = "api";
/// Name of the listener of health and metrics.
pub(crate) const MANAGEMENT: &str = "management";
/// Name of the listener of revocation lists and OCSP.
pub(crate) const REVOCATION: &str = "revocation";
/// Name of the one listener of a drop-in: both, without TLS.
pub(crate) const HTTP: &str = "http";

/// Addresses that are held but not served yet.
pub(crate) struct Held(Vec<BoundListener>);

/// Binds every address of this process, or none.
pub(crate) async fn bind(addresses: &Addresses, names: &[&'static str]) -> Result<Held, Refusal> {
    let mut held = Vec::new();
    for name in names {
        if let Some(address) = addresses.of(name) {
            held.push(BoundListener::bind(name, &address.to_string()).await.map_err(|error| with_holder(error, name))?);
        }
    }
    Ok(Held(held))
}

/// A taken address is refused with the listener's name in the command that helps.
fn with_holder(error: ListenError, name: &str) -> Refusal {
    let taken = matches!(error, ListenError::AddressInUse { .. });
    let refusal = Refusal::from(error);
    if taken {
        refusal.with_fix(format!(
            "Stop the program that holds it (`ss -ltnp` names it), or choose another with `--listen {name}=HOST:PORT` or `--any-port`."
        ))
    } else {
        refusal
    }
}

/// Listeners at work with their sites.
pub(crate) struct Listeners {
    running: Vec<RunningListener>,
    sites: BTreeMap<&'static str, Site>,
}

impl Held {
    /// Serves; every site still says that the process is starting.
    pub(crate) fn serve(
        self,
        tls: Option<&Arc<ArcSwap<ServerConfig>>>,
        entropy: &Arc<dyn Entropy>,
        metrics: &HttpMetrics,
        shutdown: &CancellationToken,
    ) -> Listeners {
        let (mut running, mut sites) = (Vec::new(), BTreeMap::new());
        for listener in self.0 {
            let (name, site) = (listener.name(), Site::starting(Arc::clone(entropy)));
            let (mode, limits) = match (name, tls) {
                (API, Some(config)) => (TlsMode::Tls(Arc::clone(config)), Limits::default()),
                // Behind an ingress or a cache every connection comes from the same address.
                (HTTP | REVOCATION, _) => {
                    (TlsMode::Plain, Limits { max_connections_per_address: Limits::default().max_connections, ..Limits::default() })
                }
                _ => (TlsMode::Plain, Limits::management()),
            };
            running.push(listener.serve(site.clone(), mode, limits, metrics.clone(), shutdown));
            sites.insert(name, site);
        }
        Listeners { running, sites }
    }
}

impl Listeners {
    /// Where each listens: name to `host:port`.
    pub(crate) fn addresses(&self) -> BTreeMap<String, String> {
        self.running.iter().map(|listener| (listener.name().to_owned(), listener.address().to_string())).collect()
    }

    /// The site of a listener.
    pub(crate) fn site(&self, name: &str) -> Option<&Site> {
        self.sites.get(name)
    }

    /// Says of each listener whether it is open.
    pub(crate) fn health(&self) -> Arc<dyn HealthSource> {
        let watches: Vec<(&'static str, ListenerWatch)> = self.running.iter().map(|l| (l.name(), l.watch())).collect();
        Arc::new(super::health::Told(move || {
            let line = |(name, watch): &(&'static str, ListenerWatch)| HealthLine {
                name: match *name {
                    API => "listener api",
                    HTTP => "listener http",
                    REVOCATION => "listener revocation",
                    _ => "listener management",
                },
                ok: watch.is_open(),
                detail: if watch.is_open() { String::new() } else { "not accepting connections".to_owned() },
            };
            watches.iter().map(line).collect()
        }))
    }

    /// Lets running exchanges end, the API's first, so that probes still see the process while it drains.
    pub(crate) async fn drain(self, deadline: Duration) {
        for listener in self.running {
            let name = listener.name();
            let drained = listener.drain(deadline).await;
            tracing::info!(event = "listener.drained", listener = name, cut = drained.cut);
        }
    }
}
