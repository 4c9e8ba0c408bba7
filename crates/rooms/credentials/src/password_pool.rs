//! Password hashing on threads of its own: as many as cores, at low priority, behind a bounded queue with deadlines, so that a
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
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::CredentialsError;
use crate::reasons::PASSWORD_QUEUE_FULL;

/// Passwords that may wait for a thread; one more is told so at once.
const MOST_WAITING: usize = 256;
/// How long a new password may take to be hashed, with the wait.
pub(crate) const HASH_DEADLINE: Duration = Duration::from_secs(10);
/// Steps of niceness below everything else of this process.
const NICENESS: i32 = 10;

/// Called with the stronger hash of a password that was verified against a weaker one.
pub(crate) type Strengthened = Box<dyn FnOnce(BcryptHash) + Send>;

/// A password as a caller offers it. One that no stored password can be (empty, too long, with a NUL) costs as much as a wrong
/// one, and never fits.
pub(crate) struct Offered {
    password: Password,
    possible: bool,
}

impl Offered {
    pub(crate) fn new(text: Secret) -> Result<Self, Refusal> {
        match Password::new(text) {
            Ok(password) => Ok(Self { password, possible: true }),
            Err(_) => Ok(Self { password: Password::new("impossible")?, possible: false }),
        }
    }
}

/// What came of a verification.
pub(crate) struct Verified {
    /// Whether the password is the one that was hashed.
    pub(crate) right: bool,
    /// The password, for a verification against another hash.
    pub(crate) offered: Offered,
}

enum Task {
    Verify { offered: Offered, hash: Arc<BcryptHash>, strengthened: Option<Strengthened>, answer: oneshot::Sender<Verified> },
    Hash { password: Password, answer: oneshot::Sender<BcryptHash> },
}

struct Job {
    task: Task,
    deadline: Instant,
}

/// The threads and their queue. They end when the pool is dropped.
pub(crate) struct PasswordPool {
    jobs: Sender<Job>,
    shared: Arc<Shared>,
    dummy: Arc<BcryptHash>,
}

struct Shared {
    cost: Cost,
    entropy: Arc<dyn Entropy>,
    operations: AtomicU64,
}

impl PasswordPool {
    /// Starts the threads. New hashes have the cost `cost`.
    pub(crate) fn start(cost: u32, entropy: Arc<dyn Entropy>) -> Result<Self, CredentialsError> {
        let cost = Cost::new(cost).map_err(|error| CredentialsError::Configuration(format!("password.bcrypt_cost: {error}")))?;
        if cost > Cost::CEILING {
            let ceiling = Cost::CEILING.value();
            return Err(CredentialsError::Configuration(format!("password.bcrypt_cost: {} is above {ceiling}", cost.value())));
        }
        let (jobs, waiting) = bounded(MOST_WAITING);
        let shared = Arc::new(Shared { cost, entropy, operations: AtomicU64::new(0) });
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        for number in 0..threads {
            let (waiting, shared) = (waiting.clone(), Arc::clone(&shared));
            thread::Builder::new()
                .name(format!("password-{number}"))
                .spawn(move || work(&waiting, &shared))
                .map_err(CredentialsError::Threads)?;
        }
        Ok(Self { jobs, shared, dummy: Arc::new(password::dummy_hash(cost)) })
    }

    /// Verifies a password. Without a hash it does the same work against one that nobody has a password for.
    pub(crate) async fn verify(
        &self,
        offered: Offered,
        hash: Option<(BcryptHash, Strengthened)>,
        deadline: Instant,
    ) -> Result<Verified, Refusal> {
        let (hash, strengthened, known) = match hash {
            Some((hash, strengthened)) => (Arc::new(hash), Some(strengthened), true),
            None => (Arc::clone(&self.dummy), None, false),
        };
        let (answer, answered) = oneshot::channel();
        self.submit(Task::Verify { offered, hash, strengthened, answer }, deadline)?;
        let verified = wait(answered, deadline).await?;
        // Whatever bcrypt says of the dummy.
        Ok(Verified { right: verified.right && known, ..verified })
    }

    /// Hashes a new password.
    pub(crate) async fn hash(&self, password: Password, within: Duration) -> Result<BcryptHash, Refusal> {
        let deadline = deadline(within);
        let (answer, answered) = oneshot::channel();
        self.submit(Task::Hash { password, answer }, deadline)?;
        wait(answered, deadline).await
    }

    fn submit(&self, task: Task, deadline: Instant) -> Result<(), Refusal> {
        self.jobs.try_send(Job { task, deadline }).map_err(|refused| match refused {
            TrySendError::Full(_) => Refusal::new(&PASSWORD_QUEUE_FULL, format!("{MOST_WAITING} passwords are waiting already")),
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

/// The instant `within` from now.
pub(crate) fn deadline(within: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(within).unwrap_or(now)
}

async fn wait<T>(answered: oneshot::Receiver<T>, deadline: Instant) -> Result<T, Refusal> {
    match timeout_at(deadline, answered).await {
        Ok(Ok(answer)) => Ok(answer),
        // The thread found it too late, or failed; both are counted there.
        Ok(Err(_)) | Err(_) => Err(Refusal::new(&PASSWORD_QUEUE_FULL, "the password's turn did not come in time")),
    }
}

fn work(waiting: &Receiver<Job>, shared: &Shared) {
    // On Linux this is the priority of the calling thread alone (setpriority(2), "Bugs").
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "password.priority-unchanged");
    }
    while let Ok(job) = waiting.recv() {
        if job.deadline <= Instant::now() {
            continue; // dropping the task tells who waits
        }
        // A panic, such as of a random source that fails, ends this password's request and nothing else.
        if catch_unwind(AssertUnwindSafe(|| run(job.task, waiting, shared))).is_err() {
            tracing::error!("password.panicked");
        }
    }
}

fn run(task: Task, waiting: &Receiver<Job>, shared: &Shared) {
    match task {
        Task::Verify { offered, hash, strengthened, answer } => {
            if answer.is_closed() {
                return;
            }
            let right = shared.counted(|| password::verify(&offered.password, &hash)) && offered.possible;
            let stronger = strengthened.filter(|_| right && hash.needs_rehash(shared.cost));
            // Only while nobody waits: strengthening is for quiet hours.
            match stronger.filter(|_| waiting.is_empty()) {
                None => drop(answer.send(Verified { right, offered })),
                Some(strengthened) => {
                    let stronger = shared.counted(|| password::hash(&offered.password, shared.cost, shared.entropy.as_ref()));
                    strengthened(stronger);
                    drop(answer.send(Verified { right, offered }));
                }
            }
        }
        Task::Hash { password, answer } => {
            if !answer.is_closed() {
                drop(answer.send(shared.counted(|| password::hash(&password, shared.cost, shared.entropy.as_ref()))));
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

    fn pool() -> PasswordPool {
        PasswordPool::start(4, Arc::new(SystemEntropy)).unwrap()
    }

    fn offered(text: &str) -> Offered {
        Offered::new(Secret::from(text)).unwrap()
    }

    fn ignored() -> Strengthened {
        Box::new(|_| {})
    }

    fn soon() -> Instant {
        deadline(Duration::from_secs(30))
    }

    #[tokio::test]
    async fn the_right_password_verifies_and_no_other_does() {
        let pool = pool();
        let hash = pool.hash(Password::new("pw").unwrap(), HASH_DEADLINE).await.unwrap();
        for (text, right) in [("pw", true), ("pW", false), ("", false), ("pw\0", false), ("impossible", false), (&"x".repeat(73), false)] {
            assert_eq!(pool.verify(offered(text), Some((hash.clone(), ignored())), soon()).await.unwrap().right, right, "{text:?}");
        }
    }

    #[tokio::test]
    async fn every_attempt_costs_one_operation_known_user_or_not() {
        let pool = pool();
        let hash = pool.hash(Password::new("pw").unwrap(), HASH_DEADLINE).await.unwrap();
        for text in ["pw", "no", "", "impossible", &"x".repeat(100)] {
            for known in [Some((hash.clone(), ignored())), None] {
                let (before, user) = (pool.operations(), known.is_some());
                let verified = pool.verify(offered(text), known, soon()).await.unwrap();
                assert_eq!(pool.operations() - before, 1, "{text:?}, known {user}");
                assert_eq!(verified.right, user && text == "pw");
            }
        }
    }

    #[tokio::test]
    async fn a_weak_hash_is_strengthened_by_the_right_password_only() {
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let weak = password::hash(&Password::new("pw").unwrap(), Cost::new(4).unwrap(), entropy.as_ref());
        let pool = PasswordPool::start(5, entropy).unwrap();
        for (text, expected) in [("no", None), ("pw", Some(5))] {
            let (send, mut receive) = oneshot::channel();
            let strengthened: Strengthened = Box::new(move |hash| drop(send.send(hash)));
            pool.verify(offered(text), Some((weak.clone(), strengthened)), soon()).await.unwrap();
            let stronger = receive.try_recv().ok();
            assert_eq!(stronger.as_ref().map(|hash| hash.cost().value()), expected);
            if let Some(stronger) = stronger {
                assert!(password::verify(&Password::new("pw").unwrap(), &stronger));
            }
        }
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_a_late_turn_is_not_taken() {
        let (jobs, _kept) = bounded(1);
        let shared = Arc::new(Shared { cost: Cost::DEFAULT, entropy: Arc::new(SystemEntropy), operations: AtomicU64::new(0) });
        // No threads: what is put in stays.
        let pool = PasswordPool { jobs, shared, dummy: Arc::new(password::dummy_hash(Cost::DEFAULT)) };
        let late = pool.verify(offered("pw"), None, deadline(Duration::from_millis(20))).await;
        assert_eq!(late.err().unwrap().reason.code, "password.queue-full");
        assert_eq!(pool.waiting(), 1);
        let full = pool.hash(Password::new("pw").unwrap(), HASH_DEADLINE).await;
        assert_eq!(full.err().unwrap().reason.code, "password.queue-full");
        assert_eq!(pool.operations(), 0);
    }

    #[test]
    fn a_cost_outside_the_allowed_range_is_refused_at_the_start() {
        for cost in [0, 3, 17, 31, 32] {
            let error = PasswordPool::start(cost, Arc::new(SystemEntropy)).err().map(|e| e.to_string());
            assert!(error.is_some_and(|text| text.contains("password.bcrypt_cost")), "{cost}");
        }
    }
}
