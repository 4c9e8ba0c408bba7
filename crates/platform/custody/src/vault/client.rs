//! A call: with a token, in a bounded number at once, repeated where that is harmless, after a new login where the server no
//! longer knows the token.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::Value;
use signet_model::Entropy;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::session::{self, Session};
use super::transport::{Ask, Transport};
use super::{VaultConfig, VaultError, VaultHealth};

/// Calls at once; the outbound client allows one host twice as many, which leaves room for logins and health.
const MOST_CALLS: usize = 16;
/// Calls that wait for a place; one more is refused at once.
const MOST_WAITING: usize = 512;
/// How often a call is repeated after the first time.
const MOST_REPEATS: u32 = 2;
/// Before the first repetition; three times as much before the second.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Whether a call may be made twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Twice is as good as once.
    Harmless,
    /// Only when it is certain that it was not carried out.
    OnlyIfNotDone,
}

/// One call.
pub(super) struct Call<'a> {
    pub(super) name: &'static str,
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) body: Option<Value>,
    pub(super) repeat: Repeat,
}

/// Makes calls.
pub(super) struct Client {
    transport: Arc<Transport>,
    session: Arc<Session>,
    entropy: Arc<dyn Entropy>,
    /// Places for calls that run, and for those that run or wait.
    running: Semaphore,
    admitted: Semaphore,
    call_timeout: Duration,
}

impl Client {
    /// The client, and the task that keeps its token alive.
    pub(super) fn start(config: VaultConfig, entropy: Arc<dyn Entropy>) -> Result<(Self, AbortOnDropHandle<()>), VaultError> {
        let transport = Arc::new(Transport::new(&config)?);
        let session = Arc::new(Session::new(&config, Arc::clone(&transport), Arc::clone(&entropy))?);
        let renewal = AbortOnDropHandle::new(tokio::spawn(session::keep_alive(Arc::downgrade(&session))));
        let client = Self {
            transport,
            session,
            entropy,
            running: Semaphore::new(MOST_CALLS),
            admitted: Semaphore::new(MOST_CALLS.saturating_add(MOST_WAITING)),
            call_timeout: config.exchange_timeout.saturating_mul(3),
        };
        Ok((client, renewal))
    }

    pub(super) async fn health(&self) -> Result<VaultHealth, VaultError> {
        self.transport.health().await
    }

    /// Has a token that the server knows.
    pub(super) async fn log_in(&self) -> Result<(), VaultError> {
        let token = self.session.token().await?;
        if self.session.is_known(&token).await? {
            return Ok(());
        }
        self.session.forget(&token).await;
        self.session.token().await.map(|_| ())
    }

    /// Makes the call within its time.
    pub(super) async fn call(&self, call: Call<'_>) -> Result<Value, VaultError> {
        let _admitted = self.admitted.try_acquire().map_err(|_| VaultError::Busy("too many calls to the server wait"))?;
        let late = |_| VaultError::Timeout { call: call.name };
        tokio::time::timeout(self.call_timeout, self.within_time(&call)).await.map_err(late)?
    }

    async fn within_time(&self, call: &Call<'_>) -> Result<Value, VaultError> {
        let _running = self.running.acquire().await.map_err(|_| VaultError::Busy("the client was closed"))?;
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut repeats = 0;
        loop {
            let error = match self.once(call).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if repeats >= MOST_REPEATS || !worth_repeating(&error, call.repeat) {
                return Err(error);
            }
            repeats = repeats.saturating_add(1);
            tracing::debug!(event = "custody.call-repeated", call = call.name, reason = error.reason().code, waited = ?started.elapsed());
            tokio::time::sleep(self.spread(pause)).await;
            pause = pause.saturating_mul(3);
        }
    }

    /// The call with the token at hand, and once more with a new one if the server did not know that.
    async fn once(&self, call: &Call<'_>) -> Result<Value, VaultError> {
        let token = self.session.token().await?;
        let ask = |token| Ask { call: call.name, method: &call.method, path: call.path, token: Some(token), body: call.body.as_ref() };
        match self.transport.ask(ask(&token.value)).await {
            Err(denied @ VaultError::Denied { .. }) => {
                if self.session.is_known(&token).await? {
                    return Err(denied);
                }
                self.session.forget(&token).await;
                let token = self.session.token().await?;
                self.transport.ask(ask(&token.value)).await
            }
            outcome => outcome,
        }
    }

    /// Between half of the time and the whole.
    fn spread(&self, time: Duration) -> Duration {
        let mut byte = [0];
        self.entropy.fill(&mut byte);
        let half = time.checked_div(2).unwrap_or_default();
        half.saturating_add(half.mul_f64(f64::from(byte[0]) / 255.0))
    }
}

fn worth_repeating(error: &VaultError, repeat: Repeat) -> bool {
    match error {
        // Refused before anything was done.
        VaultError::Busy(_) | VaultError::Unreachable(_) => true,
        // Perhaps carried out; a gateway that gave up included.
        VaultError::Interrupted { .. } => repeat == Repeat::Harmless,
        VaultError::Unavailable { status, .. } => repeat == Repeat::Harmless && matches!(status, 502..=504),
        // A slow server is not made faster by asking again, a sealed one not opened, and what is wrong stays so.
        VaultError::Timeout { .. }
        | VaultError::Sealed
        | VaultError::Uninitialised
        | VaultError::Standby
        | VaultError::Config(_)
        | VaultError::TrustFile(_)
        | VaultError::BadTokenFile { .. }
        | VaultError::SecretFile { .. }
        | VaultError::Redirect { .. }
        | VaultError::LoginRefused { .. }
        | VaultError::Denied { .. }
        | VaultError::Refused { .. }
        | VaultError::Missing { .. }
        | VaultError::Answer { .. } => false,
    }
}
