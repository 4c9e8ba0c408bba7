//! Password hashing on threads of its own: as many as cores, at low priority, behind bounded queues with deadlines, so that a
//! flood of logins cannot take the cores or the memory from anything else. bcrypt never runs anywhere else in this room.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use signet_crypto::Secret;
use signet_crypto::password::{self, BcryptHash, Cost, Password};
use signet_model::{Entropy, Refusal, kinds};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::CredentialsError;
use crate::flights::{Flights, Helm, Refused};
use crate::limits::Toll;
use crate::reasons::PASSWORD_QUEUE_FULL;
use crate::verdicts::{Digest, Verdicts};

/// Passwords of REST that may wait or run; one more is told so at once.
const MOST_OF_REST: usize = 256;
/// How long a new password may take to be hashed, with the wait.
pub(crate) const HASH_DEADLINE: Duration = Duration::from_secs(10);
/// Steps of niceness below everything else of this process.
const NICENESS: i32 = 10;

/// Called with the stronger hash of a password that was verified against a weaker one.
pub(crate) type Strengthened = Box<dyn FnOnce(BcryptHash) + Send>;

/// A password as a caller offers it. One that no stored password can be (empty, too long, with a NUL) costs as much as a wrong
/// one, and never fits.
pub(crate) struct Offered {
    /// What was given.
    text: Secret,
    /// What bcrypt works on.
    password: Password,
    possible: bool,
}

impl Offered {
    pub(crate) fn new(text: Secret) -> Result<Self, Refusal> {
        match Password::new(text.duplicate()) {
            Ok(password) => Ok(Self { text, password, possible: true }),
            Err(_) => Ok(Self { text, password: Password::new("impossible")?, possible: false }),
        }
    }

    /// The bytes that were given.
    pub(crate) fn expose(&self) -> &[u8] {
        self.text.expose()
    }
}

/// Which queue a request waits in, so that one cannot fill the other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Requests of the message bus.
    Bus,
    /// Requests of REST.
    Rest,
}

/// What a password is held against.
pub(crate) struct Against {
    pub(crate) hash: BcryptHash,
    /// What a right password is remembered under.
    pub(crate) digest: Digest,
    pub(crate) strengthened: Strengthened,
}

/// What came of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verified {
    /// Whether the password is the one that was hashed.
    pub(crate) right: bool,
    /// Whether it is the outcome of an equal verification that was under way.
    pub(crate) joined: bool,
}

enum Task {
    Verify { offered: Arc<Offered>, against: Option<Against>, toll: Toll, helm: Helm },
    Hash { password: Password, answer: oneshot::Sender<BcryptHash>, deadline: Instant },
}

struct Job {
    task: Task,
    /// Given back before the outcome is told: whoever hears it finds the place free.
    place: OwnedSemaphorePermit,
}

/// The threads and their queue. They end when the pool is dropped.
pub(crate) struct PasswordPool {
    jobs: Sender<Job>,
    shared: Arc<Shared>,
    flights: Arc<Flights>,
    of_bus: Arc<Semaphore>,
    of_rest: Arc<Semaphore>,
}

struct Shared {
    cost: Cost,
    dummy: BcryptHash,
    entropy: Arc<dyn Entropy>,
    verdicts: Arc<Verdicts>,
    operations: AtomicU64,
}

impl PasswordPool {
    /// Starts the threads. New hashes have the cost `cost`; of the bus, `most_of_bus` passwords wait or run at most. What turns
    /// out right is remembered in `verdicts`.
    pub(crate) fn start(
        cost: u32,
        most_of_bus: usize,
        verdicts: Arc<Verdicts>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, CredentialsError> {
        let cost = Cost::new(cost).map_err(|error| CredentialsError::Configuration(format!("password.bcrypt_cost: {error}")))?;
        if cost > Cost::CEILING {
            let ceiling = Cost::CEILING.value();
            return Err(CredentialsError::Configuration(format!("password.bcrypt_cost: {} is above {ceiling}", cost.value())));
        }
        let (pool, waiting) = Self::queue(cost, most_of_bus, verdicts, entropy);
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        for number in 0..threads {
            let (waiting, shared) = (waiting.clone(), Arc::clone(&pool.shared));
            thread::Builder::new()
                .name(format!("password-{number}"))
                .spawn(move || work(&waiting, &shared))
                .map_err(CredentialsError::Threads)?;
        }
        Ok(pool)
    }

    /// The pool without threads, and what they are to work on.
    fn queue(cost: Cost, most_of_bus: usize, verdicts: Arc<Verdicts>, entropy: Arc<dyn Entropy>) -> (Self, Receiver<Job>) {
        // As many as there are places, so it is never full.
        let (jobs, waiting) = bounded(MOST_OF_REST.saturating_add(most_of_bus));
        let dummy = password::dummy_hash(cost);
        let shared = Arc::new(Shared { cost, dummy, entropy, verdicts, operations: AtomicU64::new(0) });
        let places = |most| Arc::new(Semaphore::new(most));
        let pool = Self { jobs, shared, flights: Arc::default(), of_bus: places(most_of_bus), of_rest: places(MOST_OF_REST) };
        (pool, waiting)
    }

    /// Verifies a password. Held against nothing it is the same work, and wrong. Equal attempts, by `attempt`, that are under way
    /// at the same time are one; `toll` is asked for the first of them only.
    pub(crate) async fn verify(
        &self,
        attempt: Digest,
        offered: &Arc<Offered>,
        against: Option<Against>,
        toll: impl FnOnce() -> Result<Toll, Refusal>,
        line: Line,
        deadline: Instant,
    ) -> Result<Verified, Refusal> {
        let begin = |helm| self.submit(Task::Verify { offered: Arc::clone(offered), against, toll: toll()?, helm }, line);
        let seat = self.flights.board(attempt, deadline, begin).map_err(|refused| match refused {
            Refused::Crowded => Refusal::new(&PASSWORD_QUEUE_FULL, "too many wait for the same password already"),
            Refused::Begin(refusal) => refusal,
        })?;
        let joined = seat.joined.is_some();
        let right = seat.outcome(deadline).await.ok_or_else(late)?;
        Ok(Verified { right, joined })
    }

    /// Hashes a new password.
    pub(crate) async fn hash(&self, password: Password, within: Duration) -> Result<BcryptHash, Refusal> {
        let deadline = deadline(within);
        let (answer, answered) = oneshot::channel();
        self.submit(Task::Hash { password, answer, deadline }, Line::Rest)?;
        // The thread found it too late, or failed; both are counted there.
        timeout_at(deadline, answered).await.ok().and_then(Result::ok).ok_or_else(late)
    }

    fn submit(&self, task: Task, line: Line) -> Result<(), Refusal> {
        let places = match line {
            Line::Bus => &self.of_bus,
            Line::Rest => &self.of_rest,
        };
        let full = || Refusal::new(&PASSWORD_QUEUE_FULL, "as many passwords wait already as may");
        let place = Arc::clone(places).try_acquire_owned().map_err(|_| full())?;
        self.jobs.try_send(Job { task, place }).map_err(|refused| match refused {
            TrySendError::Full(_) => full(),
            TrySendError::Disconnected(_) => Refusal::new(&kinds::INTERNAL, "the password threads have ended"),
        })
    }

    /// Passwords that wait for a thread.
    #[cfg(test)]
    fn waiting(&self) -> usize {
        self.jobs.len()
    }

    /// Runs of bcrypt so far.
    pub(crate) fn operations(&self) -> u64 {
        self.shared.operations.load(Ordering::Relaxed)
    }
}

fn late() -> Refusal {
    Refusal::new(&PASSWORD_QUEUE_FULL, "the password's turn did not come in time")
}

/// The instant `within` from now.
pub(crate) fn deadline(within: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(within).unwrap_or(now)
}

fn work(waiting: &Receiver<Job>, shared: &Shared) {
    // On Linux this is the priority of the calling thread alone (setpriority(2), "Bugs").
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "password.priority-unchanged");
    }
    while let Ok(job) = waiting.recv() {
        // A panic, such as of a random source that fails, ends this password's request and nothing else: dropping the task tells
        // who waits.
        if catch_unwind(AssertUnwindSafe(|| run(job, waiting, shared))).is_err() {
            tracing::error!("password.panicked");
        }
    }
}

fn run(Job { task, place }: Job, waiting: &Receiver<Job>, shared: &Shared) {
    match task {
        Task::Verify { offered, against, toll, helm } => {
            if helm.abandoned(Instant::now()) {
                return;
            }
            let hash = against.as_ref().map_or(&shared.dummy, |against| &against.hash);
            let fits = shared.counted(|| password::verify(&offered.password, hash));
            let Some(Against { hash, digest, strengthened }) = against.filter(|_| fits && offered.possible) else {
                // Whatever bcrypt says of the dummy.
                toll.keep();
                drop(place);
                return helm.land(false);
            };
            // Only while nobody waits: strengthening is for quiet hours.
            if hash.needs_rehash(shared.cost) && waiting.is_empty() {
                strengthened(shared.counted(|| password::hash(&offered.password, shared.cost, shared.entropy.as_ref())));
            }
            // Before it lands: who comes after it is not to run bcrypt again, and finds what this one took.
            shared.verdicts.remember(digest, Instant::now());
            drop(toll);
            drop(place);
            helm.land(true);
        }
        Task::Hash { password, answer, deadline } => {
            if !answer.is_closed() && deadline > Instant::now() {
                let hash = shared.counted(|| password::hash(&password, shared.cost, shared.entropy.as_ref()));
                drop(place);
                drop(answer.send(hash));
            }
        }
    }
}

impl Shared {
    fn counted<T>(&self, operation: impl FnOnce() -> T) -> T {
        self.operations.fetch_add(1, Ordering::Relaxed);
        operation()
    }
}

#[cfg(test)]
mod tests {
    use signet_crypto::SystemEntropy;

    use super::*;
    use crate::verdicts::VerdictConfig;

    const MOST_OF_BUS: usize = 3;

    fn verdicts() -> Arc<Verdicts> {
        Arc::new(Verdicts::new(VerdictConfig::default(), &SystemEntropy))
    }

    fn pool() -> PasswordPool {
        PasswordPool::start(4, MOST_OF_BUS, verdicts(), Arc::new(SystemEntropy)).unwrap()
    }

    fn offered(text: &str) -> Arc<Offered> {
        Arc::new(Offered::new(Secret::from(text)).unwrap())
    }

    fn against(hash: &BcryptHash) -> Against {
        Against { hash: hash.clone(), digest: [7; 32], strengthened: Box::new(|_| {}) }
    }

    fn free() -> Result<Toll, Refusal> {
        Ok(Toll::free())
    }

    fn soon() -> Instant {
        deadline(Duration::from_secs(30))
    }

    /// An attempt that equals no other.
    fn unequal() -> Digest {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        digest
    }

    async fn hashed(pool: &PasswordPool) -> BcryptHash {
        pool.hash(Password::new("pw").unwrap(), HASH_DEADLINE).await.unwrap()
    }

    #[tokio::test]
    async fn the_right_password_verifies_and_is_remembered_and_no_other_is() {
        let pool = pool();
        let hash = hashed(&pool).await;
        for (text, right) in [("pW", false), ("", false), ("pw\0", false), ("impossible", false), (&"x".repeat(73), false), ("pw", true)] {
            let verified = pool.verify(unequal(), &offered(text), Some(against(&hash)), free, Line::Bus, soon()).await.unwrap();
            assert_eq!(verified, Verified { right, joined: false }, "{text:?}");
            assert_eq!(pool.shared.verdicts.knows(&[7; 32], Instant::now()), right, "{text:?}");
        }
    }

    #[tokio::test]
    async fn every_attempt_costs_one_operation_known_user_or_not() {
        let pool = pool();
        let hash = hashed(&pool).await;
        for text in ["pw", "no", "", "impossible", &"x".repeat(100)] {
            for known in [Some(against(&hash)), None] {
                let (before, user) = (pool.operations(), known.is_some());
                let verified = pool.verify(unequal(), &offered(text), known, free, Line::Rest, soon()).await.unwrap();
                assert_eq!(pool.operations() - before, 1, "{text:?}, known {user}");
                assert_eq!(verified.right, user && text == "pw");
            }
        }
    }

    #[tokio::test]
    async fn equal_attempts_at_once_cost_one_operation_right_or_wrong_or_nobodys() {
        let (pool, waiting) = PasswordPool::queue(Cost::new(4).unwrap(), MOST_OF_BUS, verdicts(), Arc::new(SystemEntropy));
        let hash = password::hash(&Password::new("pw").unwrap(), Cost::new(4).unwrap(), &SystemEntropy);
        for (text, known, right) in [("pw", true, true), ("no", true, false), ("pw", false, false)] {
            let (key, before, password) = (unequal(), pool.operations(), offered(text));
            let attempts = (0..64).map(|_| pool.verify(key, &password, known.then(|| against(&hash)), free, Line::Bus, soon()));
            let all = futures_util::future::join_all(attempts);
            // The one job comes when the first of them is polled.
            let work = async {
                while pool.waiting() == 0 {
                    tokio::task::yield_now().await;
                }
                run(waiting.recv().unwrap(), &waiting, &pool.shared);
            };
            let (outcomes, ()) = tokio::join!(all, work);
            assert_eq!(pool.operations(), before.saturating_add(1));
            assert!(outcomes.iter().all(|outcome| outcome.as_ref().unwrap().right == right));
            assert_eq!(outcomes.iter().filter(|outcome| outcome.as_ref().unwrap().joined).count(), 63);
        }
    }

    #[tokio::test]
    async fn a_weak_hash_is_strengthened_by_the_right_password_only() {
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let weak = password::hash(&Password::new("pw").unwrap(), Cost::new(4).unwrap(), entropy.as_ref());
        let pool = PasswordPool::start(5, MOST_OF_BUS, verdicts(), entropy).unwrap();
        for (text, expected) in [("no", None), ("pw", Some(5))] {
            let (send, mut receive) = oneshot::channel();
            let against = Against { strengthened: Box::new(move |hash| drop(send.send(hash))), ..against(&weak) };
            pool.verify(unequal(), &offered(text), Some(against), free, Line::Bus, soon()).await.unwrap();
            let stronger = receive.try_recv().ok();
            assert_eq!(stronger.as_ref().map(|hash| hash.cost().value()), expected);
            if let Some(stronger) = stronger {
                assert!(password::verify(&Password::new("pw").unwrap(), &stronger));
            }
        }
    }

    #[tokio::test]
    async fn a_full_line_refuses_at_once_and_leaves_the_other_its_places() {
        // No threads: what is put in stays.
        let (pool, waiting) = PasswordPool::queue(Cost::new(4).unwrap(), MOST_OF_BUS, verdicts(), Arc::new(SystemEntropy));
        let verify = |line, time| {
            let pool = &pool;
            async move { pool.verify(unequal(), &offered("pw"), None, free, line, deadline(time)).await.map_err(|refusal| refusal.reason.code) }
        };
        let shortly = Duration::from_millis(1);
        for _ in 0..MOST_OF_BUS {
            assert_eq!(verify(Line::Bus, shortly).await, Err("password.queue-full"));
        }
        assert_eq!(pool.waiting(), MOST_OF_BUS);
        let (started, patience) = (Instant::now(), Duration::from_secs(60));
        assert_eq!(verify(Line::Bus, patience).await, Err("password.queue-full"));
        assert!(started.elapsed() < patience, "it did not wait for its turn");
        assert_eq!(verify(Line::Rest, shortly).await, Err("password.queue-full"));
        assert_eq!(pool.waiting(), MOST_OF_BUS + 1, "the other line had room");
        // A turn that comes too late is not taken.
        while let Ok(job) = waiting.try_recv() {
            run(job, &waiting, &pool.shared);
        }
        assert_eq!(pool.operations(), 0);
        assert_eq!((pool.of_bus.available_permits(), pool.of_rest.available_permits()), (MOST_OF_BUS, MOST_OF_REST));
    }

    #[test]
    fn a_cost_outside_the_allowed_range_is_refused_at_the_start() {
        for cost in [0, 3, 17, 31, 32] {
            let error = PasswordPool::start(cost, MOST_OF_BUS, verdicts(), Arc::new(SystemEntropy)).err().map(|e| e.to_string());
            assert!(error.is_some_and(|text| text.contains("password.bcrypt_cost")), "{cost}");
        }
    }
}
