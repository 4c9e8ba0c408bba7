//! The shared connections of reads: opened when wanted, one at a time, with a pause after a failure that grows and is jittered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

use super::checks;
use super::link::{Link, Purpose};
use super::target::Target;
use crate::{DbError, Row, Statement};

/// The pause after the first failure and the longest one; each is drawn between half and all of it, so that many replicas do not
/// come back at the same moment.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Reads under way on every open connection before another one is opened.
const CROWDED: usize = 8;
/// What the server lists the shared connections as.
const APPLICATION_NAME: &str = "signet";

#[derive(Default)]
struct Slot {
    link: Mutex<Option<Arc<Link>>>,
    running: AtomicUsize,
}

impl Slot {
    fn open(&self) -> Option<Arc<Link>> {
        self.link.lock().clone().filter(|link| !link.is_closed())
    }

    /// Takes a broken connection out, unless another one has taken its place already.
    fn forget(&self, broken: &Arc<Link>) {
        let mut link = self.link.lock();
        if link.as_ref().is_some_and(|present| Arc::ptr_eq(present, broken)) {
            link.take();
        }
    }
}

/// What is known about connecting.
#[derive(Default)]
struct Gate {
    failures: u32,
    /// No attempt before then, and why.
    closed: Option<(Instant, DbError)>,
}

pub(super) struct SharedLinks {
    target: Arc<Target>,
    slots: Vec<Slot>,
    /// Held while one connection is opened; the others wait for how it goes.
    gate: tokio::sync::Mutex<Gate>,
    /// Whether the look for a transaction pooler was done.
    looked: AtomicBool,
}

/// What a shared connection is asked.
enum Ask {
    Read(Statement),
    Ping,
}

impl Ask {
    async fn on(&self, link: &Link) -> Result<Vec<Row>, DbError> {
        match self {
            Self::Read(statement) => link.query(statement).await,
            Self::Ping => link.ping().await.map(|()| Vec::new()),
        }
    }
}

/// Counts a read under way while it lives.
struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl SharedLinks {
    pub(super) fn new(target: Arc<Target>, count: usize) -> Self {
        Self {
            target,
            slots: (0..count).map(|_| Slot::default()).collect(),
            gate: tokio::sync::Mutex::default(),
            looked: AtomicBool::new(false),
        }
    }

    pub(super) async fn query(&self, statement: Statement) -> Result<Vec<Row>, DbError> {
        self.ask(&Ask::Read(statement)).await
    }

    pub(super) async fn ping(&self) -> Result<(), DbError> {
        self.ask(&Ask::Ping).await.map(drop)
    }

    /// Opens a connection; the first time with a look for a transaction pooler.
    pub(super) async fn connect(&self, purpose: Purpose, application_name: &str) -> Result<Link, DbError> {
        let link = Link::open(&self.target, purpose, application_name).await?;
        if !self.looked.load(Ordering::Acquire) {
            let look = checks::refuse_transaction_pooler(&link, &self.target);
            timeout(self.target.deadline, look).await.map_err(|_| self.silent())??;
            self.looked.store(true, Ordering::Release);
        }
        Ok(link)
    }

    pub(super) fn close(&self) {
        for slot in &self.slots {
            slot.link.lock().take();
        }
    }

    /// Runs a read by the deadline. It has no effect, so a broken connection is no reason to fail: it runs once more on
    /// another one.
    async fn ask(&self, ask: &Ask) -> Result<Vec<Row>, DbError> {
        let deadline = Instant::now().checked_add(self.target.deadline).ok_or(DbError::Timeout)?;
        let mut again = true;
        loop {
            let slot = self.least_busy()?;
            slot.running.fetch_add(1, Ordering::Relaxed);
            let _running = Running(&slot.running);
            let link = timeout_at(deadline, self.link(slot)).await.map_err(|_| self.silent())??;
            match timeout_at(deadline, ask.on(&link)).await {
                Ok(Err(DbError::Unavailable(_))) if again => {
                    again = false;
                    slot.forget(&link);
                }
                Ok(result) => return result.map_err(|error| error.at(&self.target.place)),
                Err(_) => {
                    link.cut();
                    slot.forget(&link);
                    return Err(self.silent());
                }
            }
        }
    }

    /// An open connection with few reads under way, or a closed one when all are crowded.
    fn least_busy(&self) -> Result<&Slot, DbError> {
        let load = |slot: &&Slot| {
            let running = slot.running.load(Ordering::Relaxed);
            if slot.open().is_some() { running } else { running.saturating_add(CROWDED) }
        };
        self.slots.iter().min_by_key(load).ok_or_else(|| DbError::Internal("there are no shared connections".to_owned()))
    }

    async fn link(&self, slot: &Slot) -> Result<Arc<Link>, DbError> {
        if let Some(link) = slot.open() {
            return Ok(link);
        }
        let mut gate = self.gate.lock().await;
        // Whoever held the gate before may have opened it.
        if let Some(link) = slot.open() {
            return Ok(link);
        }
        if let Some((until, error)) = &gate.closed
            && Instant::now() < *until
        {
            return Err(error.clone());
        }
        match self.connect(Purpose::Shared, APPLICATION_NAME).await {
            Ok(link) => {
                *gate = Gate::default();
                let link = Arc::new(link);
                *slot.link.lock() = Some(Arc::clone(&link));
                Ok(link)
            }
            Err(error) => {
                let until = Instant::now().checked_add(pause(gate.failures)).unwrap_or_else(Instant::now);
                gate.failures = gate.failures.saturating_add(1);
                gate.closed = Some((until, error.clone()));
                tracing::warn!(%error, failures = gate.failures, "database.connect-failed");
                Err(error)
            }
        }
    }

    fn silent(&self) -> DbError {
        DbError::Unavailable(format!("{}: no answer within {:?}", self.target.place, self.target.deadline))
    }
}

/// How long to wait after the given number of failures in a row.
fn pause(failures: u32) -> Duration {
    let whole = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(failures.min(16)).unwrap_or(u32::MAX)).min(LONGEST_PAUSE);
    whole.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_to_its_bound_and_is_never_the_whole_fleet_s() {
        for failures in 0..40 {
            let pause = pause(failures);
            assert!(pause >= FIRST_PAUSE / 2 && pause <= LONGEST_PAUSE, "{failures}: {pause:?}");
        }
        assert!(pause(0) <= FIRST_PAUSE && pause(30) >= LONGEST_PAUSE / 2);
    }
}
