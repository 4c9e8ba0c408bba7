//! The provider of 22/CAP for basic credentials (`kaa.md` 14.3): gateways ask over the bus whether a client may connect. The
//! decision is that of REST.

use std::sync::Arc;

use signet_bus::Bus;
use signet_crypto::Secret;
use signet_kaa::cap::{ClientBasicAuthenticationRequest, ClientBasicAuthenticationResponse};
use signet_kaa::{DecodeError, Record as _, subject};
use signet_model::{Caller, CredentialKind, Refusal, Scope, Timestamp, TraceId, kinds};
use tokio::time::Instant;

use super::{BusProvider, Desk, Head, Limits, Protocol, bounded, cap_certificate};
use crate::check::{Approach, CHECK_DEADLINE};
use crate::flights::MOST_JOINED;
use crate::metrics::CredentialMetrics;
use crate::password_pool::deadline;
use crate::reasons::{CHECK_RATE_LIMITED, PASSWORD_QUEUE_FULL};
use crate::verdict::{Checked, Verdict};
use crate::{CredentialsError, CredentialsRoom};

/// Requests that are looked up at once, beside those that wait for bcrypt: as many as the database takes in.
const MOST_LOOKED_UP: usize = 1_024;
/// Requests that wait to be looked up: more than a whole fleet that comes back at once. One more is told that the queue is full.
const MOST_WAITING: usize = 32_768;

impl CredentialsRoom {
    /// Subscribes to the requests for this instance, in its queue group, and answers them. The bus need not be connected yet.
    ///
    /// # Errors
    /// The bus does not take the subscription.
    pub async fn start_cap(self: &Arc<Self>, bus: &Bus) -> Result<BusProvider, CredentialsError> {
        let ccm = &self.config.ccm_instance;
        // Whoever waits for bcrypt must not keep the others from being looked up: the places for that are counted on top.
        let of_bcrypt = self.config.most_of_bus().saturating_add(MOST_JOINED);
        let limits = Limits { concurrency: of_bcrypt.saturating_add(MOST_LOOKED_UP), queue: MOST_WAITING };
        let provider = BusProvider::new();
        let basic = BasicRequests { room: Arc::clone(self) };
        Desk::open(&provider, bus, &subject::cap_basic_request(ccm), ccm.as_str(), basic, limits).await?;
        cap_certificate::open(&provider, bus, self).await?;
        Ok(provider)
    }
}

/// Requests for basic authentication.
struct BasicRequests {
    room: Arc<CredentialsRoom>,
}

/// Whom a client says that it is.
struct Question {
    tenant: String,
    username: String,
    password: Secret,
    /// When the answer is worth nothing any more.
    deadline: Instant,
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
        // Not 401: nothing is said of the password. To a gateway both are "not now".
        Err(refusal) if [&PASSWORD_QUEUE_FULL, &CHECK_RATE_LIMITED].contains(&refusal.reason) => {
            return Reply::refused(503, refusal.reason.code);
        }
        Err(refusal) => return Reply::refused(500, refusal.reason.code),
    };
    let (status, phrase) = match checked.verdict {
        Verdict::Allowed => (200, None),
        Verdict::UnknownTenant | Verdict::UnknownUsername => (404, checked.verdict.reason()),
        Verdict::WrongPassword => (401, checked.verdict.reason()),
        Verdict::Suspended | Verdict::Revoked | Verdict::Expired | Verdict::IdentityDisabled | Verdict::TenantDisabled => {
            (403, checked.verdict.reason())
        }
    };
    Reply { status, credential: checked.user.map(|user| user.credential.to_string()), phrase: phrase.map(|reason| reason.code) }
}

fn read_question(payload: &[u8]) -> Result<(Head, Question), DecodeError> {
    let request = ClientBasicAuthenticationRequest::decode(payload)?;
    let head = Head::new(request.correlation_id, request.timestamp, request.timeout);
    let question = Question {
        tenant: bounded(&request.tenant_id).to_owned(),
        username: bounded(&request.username).to_owned(),
        password: Secret::from(bounded(request.password.expose())),
        deadline: deadline(CHECK_DEADLINE),
    };
    Ok((head, question))
}

impl BasicRequests {
    async fn check(&self, question: Question) -> Result<Checked, Refusal> {
        let Question { tenant, username, password, deadline } = question;
        let approach = Approach::bus(deadline);
        let Ok(tenant) = tenant.parse() else {
            return self.room.check_nobody(&tenant, &username, password, approach).await;
        };
        let scope = Scope {
            tenant,
            caller: Caller::Bus,
            trace: TraceId::generate(self.room.entropy.as_ref()),
            correlation: None,
            clock: Arc::clone(&self.room.clock),
            entropy: Arc::clone(&self.room.entropy),
        };
        self.room.check(&scope, &username, password, approach).await
    }
}

impl Protocol for BasicRequests {
    type Question = Question;
    type Reply = Reply;
    const KIND: CredentialKind = CredentialKind::Basic;

    fn metrics(&self) -> &CredentialMetrics {
        &self.room.metrics
    }

    fn now(&self) -> Timestamp {
        self.room.clock.now()
    }

    fn read(&self, payload: &[u8]) -> Result<(Head, Question), DecodeError> {
        read_question(payload)
    }

    async fn answer(&self, question: Question) -> Reply {
        if question.tenant.is_empty() || question.username.is_empty() || question.password.expose().is_empty() {
            self.room.metrics.decided(CredentialKind::Basic, "invalid");
            return Reply::refused(400, kinds::INPUT_INVALID.code);
        }
        reply(self.check(question).await)
    }

    fn overloaded(&self) -> Reply {
        Reply::refused(503, PASSWORD_QUEUE_FULL.code)
    }

    fn write(&self, head: &Head, reply: &Reply) -> Vec<u8> {
        let record = ClientBasicAuthenticationResponse {
            correlation_id: head.correlation_id.as_str().into(),
            timestamp: self.now().millis(),
            timeout: 0,
            credentials_id: reply.credential.as_deref().map(Into::into),
            client_id: None,
            status_code: reply.status,
            reason_phrase: reply.phrase.map(Into::into),
        };
        record.encode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::CheckedUser;

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
    fn what_is_no_request_is_not_read_and_more_behind_it_is_let_be() {
        let good = request("acme", "bob", "pw");
        for bad in [vec![], vec![0], vec![0xff; 40], good[..good.len() / 2].to_vec()] {
            assert!(read_question(&bad).is_err());
        }
        let (head, question) = read_question(&[good, vec![1, 2, 3]].concat()).unwrap();
        assert_eq!(head, Head::new("c-1", 1_000, 500));
        assert_eq!((question.tenant.as_str(), question.username.as_str(), question.password.expose()), ("acme", "bob", &b"pw"[..]));
    }

    #[test]
    fn names_that_are_too_long_are_not_kept_and_not_cut_into_another() {
        let long = "u".repeat(50_000);
        let (_, question) = read_question(&request(&long, &long, &long)).unwrap();
        for kept in [question.tenant.as_str(), question.username.as_str(), question.password.expose_str().unwrap()] {
            assert_eq!(kept, "\u{0}");
        }
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
        assert_eq!(failed(&CHECK_RATE_LIMITED), 503);
    }
}
