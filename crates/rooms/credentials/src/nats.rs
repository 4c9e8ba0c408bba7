//! The provider of 22/CAP for basic credentials (`kaa.md` 14.3): gateways ask over the bus whether a client may connect.
//!
//! The reader never waits: it hands a request to a bounded queue, or answers 503 at once. What cannot be understood, has no
//! reply subject or has come too late is counted and gets no answer. The decision is that of REST.

use std::sync::Arc;
use std::time::Duration;

use signet_bus::{Bus, Message, Pattern, Subject, Subscription};
use signet_crypto::Secret;
use signet_kaa::cap::{ClientBasicAuthenticationRequest, ClientBasicAuthenticationResponse};
use signet_kaa::{Record as _, subject};
use signet_model::{Caller, CredentialKind, Refusal, Scope, Timestamp, TraceId, kinds};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::check::{CHECK_DEADLINE, Checked, Verdict};
use crate::password_pool::deadline;
use crate::reasons::PASSWORD_QUEUE_FULL;
use crate::{CredentialsError, CredentialsRoom};

/// Messages between the bus and the reader, which only looks at them and passes them on.
const READ_AHEAD: usize = 4_096;
/// How far the clocks of a gateway and of this machine may be apart before a request counts as expired.
const CLOCK_SKEW: Duration = Duration::from_secs(5);
/// Longest message that is looked at, in bytes.
const LONGEST_MESSAGE: usize = 256 * 1024;
/// Bytes of a tenant, a username and a password that can matter; longer ones are nobody's.
const LONGEST_NAME: usize = 1_024;

/// Serves the bus until it is stopped or dropped.
pub struct CapProvider {
    stop: CancellationToken,
    tasks: TaskTracker,
    _stop_on_drop: DropGuard,
}

impl CapProvider {
    /// Takes no more requests, answers what was taken, and ends.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl CredentialsRoom {
    /// Subscribes to the requests for this instance, in its queue group, and answers them. The bus need not be connected yet.
    ///
    /// # Errors
    /// The bus does not take the subscription.
    pub async fn start_cap(self: &Arc<Self>, bus: &Bus) -> Result<CapProvider, CredentialsError> {
        let ccm = &self.config.ccm_instance;
        let pattern = Pattern::new(&subject::cap_basic_request(ccm)).map_err(signet_bus::BusError::from)?;
        let subscription = bus.subscribe(&pattern, Some(ccm.as_str()), READ_AHEAD).await?;
        let (queue, waiting) = mpsc::channel(self.config.cap_queue_length.max(1));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let desk = Desk { room: Arc::clone(self), bus: bus.clone() };
        tasks.spawn(read(desk.clone(), subscription, queue, stop.clone()));
        tasks.spawn(dispatch(desk, waiting, self.config.cap_concurrency.max(1), tasks.clone()));
        tasks.close();
        Ok(CapProvider { _stop_on_drop: stop.clone().drop_guard(), stop, tasks })
    }
}

/// A request as it waits: only what an answer needs, nothing longer than it can matter, the password wiped in the end.
struct Asked {
    reply: Subject,
    correlation_id: String,
    timestamp: Timestamp,
    timeout: Duration,
    tenant: String,
    username: String,
    password: Secret,
}

impl Asked {
    /// Whether nobody waits for the answer any more.
    fn expired(&self, now: Timestamp) -> bool {
        !self.timeout.is_zero() && now > self.timestamp.plus(self.timeout).plus(CLOCK_SKEW)
    }
}

/// Why a message is dropped without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dropped {
    /// Not one record, or larger than any.
    Malformed,
    /// Nobody to answer to.
    NoReply,
}

impl Dropped {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NoReply => "no_reply",
        }
    }
}

/// What can matter of a name or password: one that is too long becomes one that nobody has.
fn bounded(text: &str) -> &str {
    if text.len() > LONGEST_NAME { "\u{0}" } else { text }
}

fn read_request(message: &Message) -> Result<Asked, Dropped> {
    if message.payload.len() > LONGEST_MESSAGE {
        return Err(Dropped::Malformed);
    }
    let request = ClientBasicAuthenticationRequest::decode(&message.payload).map_err(|_| Dropped::Malformed)?;
    let reply = message.reply.clone().ok_or(Dropped::NoReply)?;
    Ok(Asked {
        reply,
        correlation_id: request.correlation_id.into_owned(),
        timestamp: Timestamp::from_millis(request.timestamp),
        timeout: Duration::from_millis(u64::try_from(request.timeout).unwrap_or(0)),
        tenant: bounded(&request.tenant_id).to_owned(),
        username: bounded(&request.username).to_owned(),
        password: Secret::from(bounded(request.password.expose())),
    })
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reply {
    status: i32,
    credential: Option<String>,
    phrase: Option<&'static str>,
}

impl Reply {
    fn refused(status: i32, phrase: &'static str) -> Self {
        Self { status, credential: None, phrase: Some(phrase) }
    }
}

/// The table of `kaa.md` 14.3.
fn reply(outcome: Result<Checked, Refusal>) -> Reply {
    let checked = match outcome {
        Ok(checked) => checked,
        Err(refusal) if refusal.reason == &PASSWORD_QUEUE_FULL => return Reply::refused(503, refusal.reason.code),
        Err(refusal) => return Reply::refused(500, refusal.reason.code),
    };
    let (status, phrase) = match checked.verdict {
        Verdict::Allowed => (200, None),
        Verdict::UnknownTenant | Verdict::UnknownUsername => (404, checked.verdict.reason()),
        Verdict::WrongPassword => (401, checked.verdict.reason()),
        Verdict::Suspended | Verdict::Revoked | Verdict::IdentityDisabled | Verdict::TenantDisabled => (403, checked.verdict.reason()),
    };
    Reply { status, credential: checked.user.map(|user| user.credential.to_string()), phrase: phrase.map(|reason| reason.code) }
}

/// Where requests are taken and answers given.
#[derive(Clone)]
struct Desk {
    room: Arc<CredentialsRoom>,
    bus: Bus,
}

impl Desk {
    /// Takes a message in: never waits for anything but the bus's own outgoing queue.
    async fn take(&self, message: Message, queue: &mpsc::Sender<Asked>) {
        if message.status.is_some() {
            return; // the server's own words, nothing to decode
        }
        match read_request(&message) {
            Ok(asked) => match queue.try_send(asked) {
                Ok(()) => self.room.metrics.waiting(queue.max_capacity().saturating_sub(queue.capacity())),
                Err(mpsc::error::TrySendError::Full(asked) | mpsc::error::TrySendError::Closed(asked)) => {
                    self.count("queue_full");
                    self.answer(&asked, &Reply::refused(503, PASSWORD_QUEUE_FULL.code)).await;
                }
            },
            Err(dropped) => {
                self.count(dropped.as_str());
                let count = self.room.metrics.decisions(CredentialKind::Basic, dropped.as_str());
                // The first, the second, the fourth, …: a flood of garbage must not become a flood of lines.
                if count.is_power_of_two() {
                    tracing::warn!(event = "cap.request-dropped", why = dropped.as_str(), count, bytes = message.payload.len());
                }
            }
        }
    }

    async fn serve(&self, asked: Asked) {
        if asked.expired(self.room.clock.now()) {
            self.count("expired");
            return;
        }
        let reply = if asked.tenant.is_empty() || asked.username.is_empty() || asked.password.expose().is_empty() {
            self.count("invalid");
            Reply::refused(400, kinds::INPUT_INVALID.code)
        } else {
            reply(self.check(&asked).await)
        };
        self.answer(&asked, &reply).await;
    }

    async fn check(&self, asked: &Asked) -> Result<Checked, Refusal> {
        let (deadline, password) = (deadline(CHECK_DEADLINE), asked.password.duplicate());
        let Ok(tenant) = asked.tenant.parse() else {
            return self.room.check_nobody(password, deadline).await;
        };
        let scope = Scope {
            tenant,
            caller: Caller::Bus,
            trace: TraceId::generate(self.room.entropy.as_ref()),
            clock: Arc::clone(&self.room.clock),
            entropy: Arc::clone(&self.room.entropy),
        };
        self.room.check(&scope, &asked.username, password, deadline).await
    }

    async fn answer(&self, asked: &Asked, reply: &Reply) {
        let record = ClientBasicAuthenticationResponse {
            correlation_id: asked.correlation_id.as_str().into(),
            timestamp: self.room.clock.now().millis(),
            timeout: 0,
            credentials_id: reply.credential.as_deref().map(Into::into),
            client_id: None,
            status_code: reply.status,
            reason_phrase: reply.phrase.map(Into::into),
        };
        if let Err(error) = self.bus.publish(&asked.reply, None, record.encode()).await {
            tracing::warn!(event = "cap.answer-failed", %error);
        }
    }

    fn count(&self, result: &'static str) {
        self.room.metrics.decided(CredentialKind::Basic, result);
    }
}

async fn read(desk: Desk, mut subscription: Subscription, queue: mpsc::Sender<Asked>, stop: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            message = subscription.next() => match message {
                Some(message) => desk.take(message, &queue).await,
                None => return,
            },
        }
    }
    // What has arrived already is ours: the queue group has given it to nobody else.
    while let Some(message) = subscription.try_next() {
        desk.take(message, &queue).await;
    }
}

async fn dispatch(desk: Desk, mut waiting: mpsc::Receiver<Asked>, concurrency: usize, tasks: TaskTracker) {
    let admission = Arc::new(Semaphore::new(concurrency));
    loop {
        // First a place, then a request: what waits, waits in the queue, whose length is bounded and told.
        let Ok(place) = Arc::clone(&admission).acquire_owned().await else { return };
        let Some(asked) = waiting.recv().await else { return };
        desk.room.metrics.waiting(waiting.len());
        let desk = desk.clone();
        tasks.spawn(async move {
            desk.serve(asked).await;
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::check::CheckedUser;

    fn message(payload: Vec<u8>, reply: Option<&str>) -> Message {
        let subject = |text: &str| Subject::new(text).unwrap();
        Message { subject: subject("a"), reply: reply.map(subject), payload: Bytes::from(payload), status: None }
    }

    fn request(tenant: &str, username: &str, password: &str) -> Vec<u8> {
        let record = ClientBasicAuthenticationRequest {
            correlation_id: "c-1".into(),
            timestamp: 1_000,
            timeout: 500,
            tenant_id: tenant.into(),
            username: username.into(),
            password: signet_kaa::Sensitive::new(password),
        };
        record.encode()
    }

    #[test]
    fn what_cannot_be_understood_or_answered_is_dropped() {
        let good = request("acme", "bob", "pw");
        for bad in [vec![], vec![0], vec![0xff; 40], good[..good.len() / 2].to_vec(), vec![0; LONGEST_MESSAGE + 1]] {
            assert_eq!(read_request(&message(bad, Some("r"))).err(), Some(Dropped::Malformed));
        }
        assert_eq!(read_request(&message(good.clone(), None)).err(), Some(Dropped::NoReply));
        let asked = read_request(&message([good, vec![1, 2, 3]].concat(), Some("r"))).ok().unwrap();
        assert_eq!((asked.correlation_id.as_str(), asked.username.as_str(), asked.password.expose()), ("c-1", "bob", &b"pw"[..]));
    }

    #[test]
    fn names_that_are_too_long_are_not_kept_and_not_cut_into_another() {
        let long = "u".repeat(50_000);
        let asked = read_request(&message(request(&long, &long, &long), Some("r"))).ok().unwrap();
        for kept in [asked.tenant.as_str(), asked.username.as_str(), asked.password.expose_str().unwrap()] {
            assert_eq!(kept, "\u{0}");
        }
    }

    #[test]
    fn a_request_expires_after_its_timeout_and_the_skew_and_without_one_never() {
        let mut asked = read_request(&message(request("acme", "bob", "pw"), Some("r"))).ok().unwrap();
        let at = Timestamp::from_millis;
        assert!(!asked.expired(at(0)) && !asked.expired(at(6_500)) && asked.expired(at(6_501)));
        asked.timeout = Duration::ZERO;
        assert!(!asked.expired(at(i64::MAX / 2_000)));
    }

    #[test]
    fn every_row_of_the_table_has_its_status_and_names_the_credential_only_where_the_password_was_right() {
        let user = || {
            Some(CheckedUser {
                credential: "br7si8mg10l7an82que0".parse().unwrap(),
                identity: None,
                state: signet_model::CredentialState::Active,
            })
        };
        for (verdict, user, status, phrase) in [
            (Verdict::Allowed, user(), 200, None),
            (Verdict::UnknownTenant, None, 404, Some("credential.unknown")),
            (Verdict::UnknownUsername, None, 404, Some("credential.unknown")),
            (Verdict::WrongPassword, None, 401, Some("credential.wrong-password")),
            (Verdict::Suspended, user(), 403, Some("credential.suspended")),
            (Verdict::Revoked, user(), 403, Some("credential.revoked")),
            (Verdict::IdentityDisabled, user(), 403, Some("identity.disabled")),
            (Verdict::TenantDisabled, user(), 403, Some("tenant.disabled")),
        ] {
            let credential = user.as_ref().map(|user| user.credential.to_string());
            assert_eq!(reply(Ok(Checked { verdict, user })), Reply { status, credential, phrase });
        }
        let failed = |reason| reply(Err(Refusal::new(reason, "x"))).status;
        assert_eq!(failed(&kinds::STORAGE_UNAVAILABLE), 500);
        assert_eq!(failed(&kinds::STORAGE_FULL), 500);
        assert_eq!(failed(&PASSWORD_QUEUE_FULL), 503);
    }
}
