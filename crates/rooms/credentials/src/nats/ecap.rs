//! The provider of 16/ECAP for endpoint tokens (`kaa.md` 10, 15.3): gateways ask which endpoint a token stands for, and services
//! move a token to another state.

use std::sync::Arc;

use signet_bus::Bus;
use signet_crypto::Secret;
use signet_kaa::ecap::{
    EndpointTokenStatusTransitionRequest, EndpointTokenStatusTransitionResponse, EndpointTokenValidationRequest,
    EndpointTokenValidationResponse,
};
use signet_kaa::{DecodeError, Record as _, subject};
use signet_model::{CredentialKind, CredentialState, Refusal, Timestamp, kinds};

use super::{BusProvider, Desk, Head, Limits, Protocol, bounded, unregistered};
use crate::credential::Moved;
use crate::endpoint_token::Validated;
use crate::metrics::CredentialMetrics;
use crate::reasons::{CREDENTIAL_UNKNOWN, ENDPOINT_TOKEN_QUEUE_FULL};
use crate::verdict::Verdict;
use crate::{CredentialsError, CredentialsRoom};

/// Validations at once: each waits for one read only, and reads share a bounded queue of their own.
const VALIDATIONS: Limits = Limits { concurrency: 64, queue: 4_096 };
/// Transitions at once: each is a commit, and commits share batches.
const TRANSITIONS: Limits = Limits { concurrency: 64, queue: 1_024 };

impl CredentialsRoom {
    /// Subscribes to the requests for this instance, in its queue group, and answers them; and deletes the tokens of endpoints
    /// that are unregistered. The bus need not be connected yet. Nothing unless the configuration says that this is the service
    /// for endpoint tokens.
    ///
    /// # Errors
    /// The bus does not take the subscription.
    pub async fn start_ecap(self: &Arc<Self>, bus: &Bus) -> Result<Option<BusProvider>, CredentialsError> {
        if !self.config.cm_enabled {
            return Ok(None);
        }
        let cm = &self.config.cm_instance;
        let provider = BusProvider::new();
        let validations = Validations { room: Arc::clone(self) };
        Desk::open(&provider, bus, &subject::ecap_token_request(cm), cm.as_str(), validations, VALIDATIONS).await?;
        let transitions = Transitions { room: Arc::clone(self) };
        Desk::open(&provider, bus, &subject::ecap_transition_request(cm), cm.as_str(), transitions, TRANSITIONS).await?;
        unregistered::open(&provider, bus, self).await?;
        Ok(Some(provider))
    }
}

/// Requests for the endpoint of a token.
struct Validations {
    room: Arc<CredentialsRoom>,
}

/// Which token, in which application.
struct Shown {
    application: String,
    token: Secret,
}

impl Shown {
    fn new(application: &str, token: &str) -> Self {
        Self { application: bounded(application).to_owned(), token: Secret::from(bounded(token)) }
    }

    fn is_incomplete(&self) -> bool {
        self.application.is_empty() || self.token.expose().is_empty()
    }
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Validation {
    status: i32,
    /// The token's id and its endpoint, where the token may be used.
    token: Option<(String, String)>,
    phrase: Option<&'static str>,
}

impl Validation {
    fn refused(status: i32, phrase: &'static str) -> Self {
        Self { status, token: None, phrase: Some(phrase) }
    }

    /// The table of `kaa.md` 15.3.
    fn of(outcome: Result<Validated, Refusal>) -> Self {
        match outcome {
            Ok(Validated::Unknown) => Self::refused(404, CREDENTIAL_UNKNOWN.code),
            Ok(Validated::Known { id, endpoint, verdict }) => match verdict {
                Verdict::Allowed => Self { status: 200, token: Some((id.to_string(), endpoint)), phrase: None },
                Verdict::Suspended | Verdict::Revoked | Verdict::IdentityDisabled | Verdict::TenantDisabled => {
                    Self::refused(403, verdict.reason().map_or(kinds::INTERNAL.code, |reason| reason.code))
                }
                // Verdicts on passwords and certificates, which nothing here gives.
                Verdict::UnknownTenant | Verdict::UnknownUsername | Verdict::WrongPassword | Verdict::Expired => {
                    Self::refused(500, kinds::INTERNAL.code)
                }
            },
            Err(refusal) => Self::refused(500, refusal.reason.code),
        }
    }
}

fn read_validation(payload: &[u8]) -> Result<(Head, Shown), DecodeError> {
    let request = EndpointTokenValidationRequest::decode(payload)?;
    let shown = Shown::new(&request.app_name, request.token.expose());
    Ok((Head::new(request.correlation_id, request.timestamp, request.timeout), shown))
}

impl Protocol for Validations {
    type Question = Shown;
    type Reply = Validation;
    const KIND: CredentialKind = CredentialKind::EndpointToken;

    fn metrics(&self) -> &CredentialMetrics {
        &self.room.metrics
    }

    fn now(&self) -> Timestamp {
        self.room.clock.now()
    }

    fn read(&self, payload: &[u8]) -> Result<(Head, Shown), DecodeError> {
        read_validation(payload)
    }

    async fn answer(&self, shown: Shown) -> Validation {
        if shown.is_incomplete() {
            self.room.metrics.decided(CredentialKind::EndpointToken, "invalid");
            return Validation::refused(400, kinds::INPUT_INVALID.code);
        }
        Validation::of(self.room.validate_endpoint_token(&shown.application, shown.token).await)
    }

    fn overloaded(&self) -> Validation {
        Validation::refused(503, ENDPOINT_TOKEN_QUEUE_FULL.code)
    }

    fn write(&self, head: &Head, reply: &Validation) -> Vec<u8> {
        let (id, endpoint) = reply.token.as_ref().map(|(id, endpoint)| (id.as_str(), endpoint.as_str())).unzip();
        let record = EndpointTokenValidationResponse {
            correlation_id: head.correlation_id.as_str().into(),
            timestamp: self.now().millis(),
            timeout: 0,
            token_id: id.map(Into::into),
            endpoint_id: endpoint.map(Into::into),
            status_code: reply.status,
            reason_phrase: reply.phrase.map(Into::into),
        };
        record.encode()
    }
}

/// Requests to move a token to another state.
struct Transitions {
    room: Arc<CredentialsRoom>,
}

/// Which token shall be in which state.
struct Wanted {
    shown: Shown,
    state: String,
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Transition {
    status: i32,
    phrase: Option<&'static str>,
}

impl Transition {
    fn refused(status: i32, phrase: &'static str) -> Self {
        Self { status, phrase: Some(phrase) }
    }

    /// The table of `kaa.md` 14.1.
    fn of(outcome: Result<Moved, Refusal>) -> Self {
        match outcome {
            Ok(_) => Self { status: 200, phrase: None },
            // Absent, or not from that state; what is a fault of ours or of the storage is 500 here as there.
            Err(refusal) if matches!(refusal.reason.status, 404 | 409) => Self::refused(refusal.reason.status.into(), refusal.reason.code),
            Err(refusal) => Self::refused(500, refusal.reason.code),
        }
    }
}

fn read_transition(payload: &[u8]) -> Result<(Head, Wanted), DecodeError> {
    let request = EndpointTokenStatusTransitionRequest::decode(payload)?;
    let shown = Shown::new(&request.app_name, request.token.expose());
    let wanted = Wanted { shown, state: bounded(&request.target_status).to_owned() };
    Ok((Head::new(request.correlation_id, request.timestamp, request.timeout), wanted))
}

impl Protocol for Transitions {
    type Question = Wanted;
    type Reply = Transition;
    const KIND: CredentialKind = CredentialKind::EndpointToken;

    fn metrics(&self) -> &CredentialMetrics {
        &self.room.metrics
    }

    fn now(&self) -> Timestamp {
        self.room.clock.now()
    }

    fn read(&self, payload: &[u8]) -> Result<(Head, Wanted), DecodeError> {
        read_transition(payload)
    }

    async fn answer(&self, Wanted { shown, state }: Wanted) -> Transition {
        match state.parse::<CredentialState>() {
            Ok(state) if !shown.is_incomplete() => {
                Transition::of(self.room.move_endpoint_token(&shown.application, shown.token, state).await)
            }
            Ok(_) | Err(_) => Transition::refused(400, kinds::INPUT_INVALID.code),
        }
    }

    fn overloaded(&self) -> Transition {
        Transition::refused(503, ENDPOINT_TOKEN_QUEUE_FULL.code)
    }

    fn write(&self, head: &Head, reply: &Transition) -> Vec<u8> {
        let record = EndpointTokenStatusTransitionResponse {
            correlation_id: head.correlation_id.as_str().into(),
            timestamp: self.now().millis(),
            timeout: 0,
            status_code: reply.status,
            reason_phrase: reply.phrase.map(Into::into),
        };
        record.encode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reasons::{CREDENTIAL_ILLEGAL_TRANSITION, CREDENTIAL_NOT_FOUND};

    #[test]
    fn every_row_of_validation_has_its_status_and_names_the_token_only_where_it_may_be_used() {
        let id = || "br7si8mg10l7an82que0".parse().unwrap();
        for (verdict, status, phrase) in [
            (Verdict::Allowed, 200, None),
            (Verdict::Suspended, 403, Some("credential.suspended")),
            (Verdict::Revoked, 403, Some("credential.revoked")),
            (Verdict::IdentityDisabled, 403, Some("identity.disabled")),
            (Verdict::TenantDisabled, 403, Some("tenant.disabled")),
        ] {
            let token = (status == 200).then(|| ("br7si8mg10l7an82que0".to_owned(), "ep-1".to_owned()));
            let known = Validated::Known { id: id(), endpoint: "ep-1".to_owned(), verdict };
            assert_eq!(Validation::of(Ok(known)), Validation { status, token, phrase });
        }
        assert_eq!(Validation::of(Ok(Validated::Unknown)), Validation::refused(404, "credential.unknown"));
        for failed in [&kinds::STORAGE_UNAVAILABLE, &kinds::STORAGE_FULL, &kinds::STORAGE_CONTENTION, &kinds::INTERNAL] {
            assert_eq!(Validation::of(Err(Refusal::new(failed, "x"))), Validation::refused(500, failed.code));
        }
    }

    #[test]
    fn every_row_of_transition_has_its_status() {
        let of = |reason| Transition::of(Err(Refusal::new(reason, "x"))).status;
        assert_eq!(of(&CREDENTIAL_NOT_FOUND), 404);
        assert_eq!(of(&CREDENTIAL_ILLEGAL_TRANSITION), 409);
        assert_eq!(of(&kinds::STORAGE_CONTENTION), 409);
        assert_eq!(of(&kinds::STORAGE_UNAVAILABLE), 500);
        assert_eq!(of(&kinds::STORAGE_FULL), 500);
    }

    #[test]
    fn what_is_too_long_is_not_cut_into_another() {
        let record = EndpointTokenValidationRequest {
            correlation_id: "c-1".into(),
            timestamp: 1_000,
            timeout: 500,
            app_name: "a".repeat(50_000).into(),
            token: signet_kaa::Sensitive::new("t".repeat(50_000)),
        };
        let (head, shown) = read_validation(&record.encode()).unwrap();
        assert_eq!(head, Head::new("c-1", 1_000, 500));
        assert_eq!((shown.application.as_str(), shown.token.expose()), ("\u{0}", &b"\0"[..]));
    }
}
