//! What `/health` and `/ready` say: a line per part, gathered from wherever the part keeps it; while starting and while stopping,
//! that first.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use signet_http::{HealthLine, HealthSource};

/// How often the start looks whether all is well.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Where the process stands in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// Not ready yet; why.
    Starting(String),
    /// Ready; the parts speak for themselves.
    Running,
    /// On its way out.
    Stopping,
}

/// The health of the whole process. Clones are the same.
#[derive(Clone)]
pub(crate) struct Health(Arc<RwLock<Inner>>);

struct Inner {
    phase: Phase,
    sources: Vec<Arc<dyn HealthSource>>,
}

impl Health {
    /// Of a process that is starting.
    pub(crate) fn starting() -> Self {
        Self(Arc::new(RwLock::new(Inner { phase: Phase::Starting("not ready yet".to_owned()), sources: Vec::new() })))
    }

    /// What the start waits for.
    pub(crate) fn waits_for(&self, what: impl Into<String>) {
        self.0.write().phase = Phase::Starting(what.into());
    }

    /// From now on these speak.
    pub(crate) fn running(&self, sources: Vec<Arc<dyn HealthSource>>) {
        *self.0.write() = Inner { phase: Phase::Running, sources };
    }

    /// Waits until every part is well, or until `patience` ends.
    pub(crate) async fn well_within(&self, patience: Duration) {
        let well = async {
            while !self.lines().iter().all(|line| line.ok) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        if tokio::time::timeout(patience, well).await.is_err() {
            let ill: Vec<String> =
                self.lines().iter().filter(|line| !line.ok).map(|line| format!("{}: {}", line.name, line.detail)).collect();
            tracing::warn!(event = "start.not-well", parts = %ill.join("; "));
        }
    }

    /// The end has begun.
    pub(crate) fn stopping(&self) {
        self.0.write().phase = Phase::Stopping;
    }
}

impl HealthSource for Health {
    fn lines(&self) -> Vec<HealthLine> {
        let (phase, sources) = {
            let inner = self.0.read();
            (inner.phase.clone(), inner.sources.clone())
        };
        let unwell = |detail: String| HealthLine { name: "process", ok: false, detail };
        let mut lines = match phase {
            Phase::Starting(why) => vec![unwell(format!("starting: {why}"))],
            Phase::Stopping => vec![unwell("shutting down".to_owned())],
            Phase::Running => Vec::new(),
        };
        lines.extend(sources.iter().flat_map(|source| source.lines()));
        lines
    }
}

/// Lines that are computed when asked for; the computation must not wait.
pub(crate) struct Told<F>(pub(crate) F);

impl<F: Fn() -> Vec<HealthLine> + Send + Sync> HealthSource for Told<F> {
    fn lines(&self) -> Vec<HealthLine> {
        (self.0)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phase_is_told_first_and_the_parts_after_it() {
        let health = Health::starting();
        health.waits_for("database: unreachable");
        assert_eq!(health.lines().first().map(|l| l.detail.clone()), Some("starting: database: unreachable".to_owned()));
        let part = Told(|| vec![HealthLine { name: "bus", ok: true, detail: String::new() }]);
        health.running(vec![Arc::new(part)]);
        assert!(health.lines().iter().all(|l| l.ok));
        health.stopping();
        assert_eq!(health.lines().iter().map(|l| (l.name, l.ok)).collect::<Vec<_>>(), [("process", false), ("bus", true)]);
    }
}
