//! The token: had by login, renewed at two thirds of its lease, had anew when renewal fails or the server no longer knows it.
//!
//! Time is counted by the monotonic clock, so that a wall clock that is set does not age a token.

use std::sync::{Arc, Weak};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use signet_crypto::Secret;
use signet_model::Entropy;
use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;

use super::config::{VaultAuth, VaultConfig, checked_path};
use super::transport::{Ask, Transport};
use super::{SecretSource, VaultError, answer, secret_text};

/// After a refused login: no other for this long, doubled each time, so that nobody is locked out by our repeating it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Bounds of the pause before a failed renewal is tried again.
const SHORTEST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A token that the server gave or took.
pub(super) struct Token {
    pub(super) value: Secret,
    epoch: u64,
    lease: Option<Lease>,
}

#[derive(Clone, Copy)]
struct Lease {
    length: Duration,
    /// Of the first lease, which renewals cannot exceed; a much shorter one says that the token nears its end.
    first: Duration,
    renewable: bool,
    since: Instant,
}

#[derive(Default)]
struct State {
    token: Option<Arc<Token>>,
    /// Grows with each login.
    epoch: u64,
    refused: Option<RefusedLogin>,
}

struct RefusedLogin {
    error: VaultError,
    not_before: Instant,
    pause: Duration,
}

/// Keeps one token.
pub(super) struct Session {
    transport: Arc<Transport>,
    auth: VaultAuth,
    entropy: Arc<dyn Entropy>,
    state: Mutex<State>,
    /// A token was had: the renewal counts anew.
    changed: Arc<Notify>,
}

impl Session {
    pub(super) fn new(config: &VaultConfig, transport: Arc<Transport>, entropy: Arc<dyn Entropy>) -> Result<Self, VaultError> {
        let auth = config.auth.clone();
        match &auth {
            VaultAuth::Token { .. } => {}
            VaultAuth::AppRole { mount, .. } | VaultAuth::Kubernetes { mount, .. } => {
                checked_path("auth mount", mount)?;
            }
        }
        Ok(Self { transport, auth, entropy, state: Mutex::default(), changed: Arc::default() })
    }

    /// The token, by login if there is none. Of many that ask at once one logs in, and all have its outcome.
    pub(super) async fn token(&self) -> Result<Arc<Token>, VaultError> {
        let mut state = self.state.lock().await;
        let now = Instant::now();
        if let Some(token) = state.token.as_ref().filter(|token| token.lives(now)) {
            return Ok(Arc::clone(token));
        }
        if let Some(refused) = state.refused.as_ref().filter(|refused| now < refused.not_before) {
            return Err(refused.error.clone());
        }
        match self.log_in().await {
            Ok((value, lease)) => Ok(self.install(&mut state, value, lease)),
            Err(error) => {
                state.token = None;
                if matches!(error, VaultError::LoginRefused { .. }) {
                    let pause = state.refused.as_ref().map_or(FIRST_PAUSE, |last| last.pause.saturating_mul(2).min(LONGEST_PAUSE));
                    let not_before = later(Instant::now(), pause);
                    state.refused = Some(RefusedLogin { error: error.clone(), not_before, pause });
                }
                tracing::warn!(event = "custody.login-failed", how = self.how(), reason = error.reason().code, %error);
                Err(error)
            }
        }
    }

    /// Says that the server refused this token, after which the next call logs in; unless somebody has done so meanwhile.
    pub(super) async fn forget(&self, token: &Token) {
        let mut state = self.state.lock().await;
        if state.token.as_ref().is_some_and(|held| held.epoch == token.epoch) {
            state.token = None;
        }
    }

    /// Whether the server still knows this token: what tells an expired one from one whose policy does not allow a call. Every
    /// token may ask this by the policy `default`.
    pub(super) async fn is_known(&self, token: &Token) -> Result<bool, VaultError> {
        match self.look_up(&token.value).await {
            Ok(_) => Ok(true),
            Err(VaultError::Denied { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    fn install(&self, state: &mut State, value: Secret, lease: Option<Lease>) -> Arc<Token> {
        state.epoch = state.epoch.wrapping_add(1);
        state.refused = None;
        let token = Arc::new(Token { value, epoch: state.epoch, lease });
        state.token = Some(Arc::clone(&token));
        self.changed.notify_one();
        tracing::info!(event = "custody.logged-in", how = self.how(), lease_seconds = lease.map(|lease| lease.length.as_secs()));
        token
    }

    fn how(&self) -> &'static str {
        match &self.auth {
            VaultAuth::Token { .. } => "token",
            VaultAuth::AppRole { .. } => "AppRole",
            VaultAuth::Kubernetes { .. } => "Kubernetes",
        }
    }

    async fn log_in(&self) -> Result<(Secret, Option<Lease>), VaultError> {
        let (path, body) = match &self.auth {
            VaultAuth::Token { token } => return self.take(token).await,
            VaultAuth::AppRole { mount, role_id, secret_id } => {
                let secret_id = secret_text::read(secret_id)?;
                (login_path(mount), json!({"role_id": role_id, "secret_id": secret_id.expose_str()}))
            }
            VaultAuth::Kubernetes { mount, role, jwt_file } => {
                let jwt = secret_text::read_presented(jwt_file)?;
                (login_path(mount), json!({"role": role, "jwt": jwt.expose_str()}))
            }
        };
        let ask = Ask { call: "logging in", method: &Method::POST, path: &path, token: None, body: Some(&body) };
        let given = match self.transport.ask(ask).await {
            Ok(given) => given,
            // 400: wrong secret id; 403: not bound to this role; 404: no such method mounted there.
            Err(VaultError::Refused { said, .. } | VaultError::Missing { said, .. }) => {
                return Err(VaultError::LoginRefused { how: self.how(), said: without(said, &body) });
            }
            Err(VaultError::Denied { .. }) => {
                return Err(VaultError::LoginRefused { how: self.how(), said: "permission denied".to_owned() });
            }
            Err(other) => return Err(other),
        };
        let token = answer::text(&given, "/auth/client_token", "logging in")?;
        Ok((Secret::from(token), lease_of(&given, "/auth/lease_duration", "/auth/renewable")))
    }

    /// Takes a token as it is: asks the server how long it lives.
    async fn take(&self, source: &SecretSource) -> Result<(Secret, Option<Lease>), VaultError> {
        let token = secret_text::read(source)?;
        match self.look_up(&token).await {
            Ok(known) => Ok((token, lease_of(&known, "/data/ttl", "/data/renewable"))),
            Err(VaultError::Denied { .. }) => Err(VaultError::LoginRefused {
                how: self.how(),
                said: "the token is expired, revoked, or may not look itself up (policy `default`)".to_owned(),
            }),
            Err(other) => Err(other),
        }
    }

    async fn look_up(&self, token: &Secret) -> Result<Value, VaultError> {
        let path = "auth/token/lookup-self";
        self.transport.ask(Ask { call: "looking the token up", method: &Method::GET, path, token: Some(token), body: None }).await
    }

    /// One round of the renewal: the token lives longer, or another one is had, or what went wrong.
    async fn renew(&self, token: &Token, lease: Lease) -> Result<(), VaultError> {
        if lease.renewable {
            let ask = Ask {
                call: "renewing the token",
                method: &Method::POST,
                path: "auth/token/renew-self",
                token: Some(&token.value),
                body: Some(&json!({})),
            };
            match self.transport.ask(ask).await {
                Ok(renewed) => {
                    let longer = lease_of(&renewed, "/auth/lease_duration", "/auth/renewable");
                    // Near its greatest age a token is renewed for ever less time; then it is better had anew.
                    let worth = longer.is_none_or(|longer| longer.length.saturating_mul(3) >= lease.first);
                    if worth {
                        let longer = longer.map(|longer| Lease { first: lease.first, ..longer });
                        self.prolong(token, longer).await;
                        return Ok(());
                    }
                }
                Err(VaultError::Denied { .. } | VaultError::Refused { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        // Not under the lock: calls go on with the old token as long as it lives.
        let (value, lease) = self.log_in().await?;
        let mut state = self.state.lock().await;
        if state.epoch == token.epoch {
            self.install(&mut state, value, lease);
        }
        Ok(())
    }

    async fn prolong(&self, token: &Token, lease: Option<Lease>) {
        let mut state = self.state.lock().await;
        if state.token.as_ref().is_some_and(|held| held.epoch == token.epoch) {
            state.token = Some(Arc::new(Token { value: token.value.duplicate(), epoch: token.epoch, lease }));
        }
    }

    async fn held(&self) -> Option<Arc<Token>> {
        self.state.lock().await.token.clone()
    }

    /// A part of `whole` up to a tenth, so that replicas that started together do not ask together.
    fn jitter(&self, whole: Duration) -> Duration {
        let mut bytes = [0; 4];
        self.entropy.fill(&mut bytes);
        let tenth = whole.checked_div(10).unwrap_or_default();
        tenth.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
    }
}

impl Token {
    fn lives(&self, now: Instant) -> bool {
        self.lease.is_none_or(|lease| now < later(lease.since, lease.length))
    }
}

/// Renews the token until the session is gone.
pub(super) async fn keep_alive(session: Weak<Session>) {
    let Some(changed) = session.upgrade().map(|session| Arc::clone(&session.changed)) else { return };
    let mut failed: Option<Instant> = None;
    loop {
        let due = {
            let Some(session) = session.upgrade() else { return };
            let lease = session.held().await.and_then(|token| token.lease);
            lease.map(|lease| {
                let two_thirds = lease.length.saturating_mul(2).checked_div(3).unwrap_or_default();
                failed.unwrap_or_else(|| later(lease.since, two_thirds.saturating_sub(session.jitter(lease.length))))
            })
        };
        match due {
            // No token, or one that lives for ever: until another is had.
            None => {
                changed.notified().await;
                failed = None;
                continue;
            }
            Some(due) => {
                if tokio::time::timeout_at(due, changed.notified()).await.is_ok() {
                    failed = None;
                    continue;
                }
            }
        }
        let Some(session) = session.upgrade() else { return };
        let Some(token) = session.held().await else { continue };
        let Some(lease) = token.lease else { continue };
        failed = match session.renew(&token, lease).await {
            Ok(()) => None,
            Err(error) => {
                tracing::warn!(event = "custody.renewal-failed", reason = error.reason().code, %error);
                let wait = lease.length.checked_div(10).unwrap_or_default().clamp(SHORTEST_WAIT, LONGEST_WAIT);
                Some(later(Instant::now(), wait))
            }
        };
    }
}

fn login_path(mount: &str) -> String {
    format!("auth/{}/login", mount.trim_matches('/'))
}

/// The lease that an answer gives from now on; none for a token that lives for ever.
fn lease_of(answer: &Value, seconds: &str, renewable: &str) -> Option<Lease> {
    let length = Duration::from_secs(answer.pointer(seconds).and_then(Value::as_u64).filter(|seconds| *seconds > 0)?);
    let renewable = answer.pointer(renewable).and_then(Value::as_bool).unwrap_or(false);
    Some(Lease { length, first: length, renewable, since: Instant::now() })
}

/// The text without what was sent in the body, should the server echo it.
fn without(said: String, body: &Value) -> String {
    let secrets = ["secret_id", "jwt"].into_iter().filter_map(|name| body.get(name).and_then(Value::as_str));
    secrets.filter(|secret| !secret.is_empty()).fold(said, |said, secret| said.replace(secret, "[secret]"))
}

fn later(from: Instant, by: Duration) -> Instant {
    // A lease of centuries is one that nobody waits for.
    from.checked_add(by).or_else(|| from.checked_add(Duration::from_secs(100 * 365 * 86_400))).unwrap_or(from)
}
