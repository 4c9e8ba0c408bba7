//! What tests of endpoint tokens need of a house: making them, asking for them over the bus, and hearing of their end.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use signet_bus::{Message, Subject, Subscription};
use signet_kaa::ecap::{
    EndpointTokenRevokedEvent, EndpointTokenStatusTransitionRequest, EndpointTokenStatusTransitionResponse, EndpointTokenValidationRequest,
    EndpointTokenValidationResponse,
};
use signet_kaa::elce::UnregisteredEvent;
use signet_kaa::{Record as _, Sensitive};
use signet_model::Clock as _;

use crate::house::{Answer, House, PATIENCE};

pub(crate) const VALIDATION: &str = "kaa.v1.service.cm.ecap.ep-token-request";
pub(crate) const TRANSITION: &str = "kaa.v1.service.cm.ecap.ep-token-status-transition-request";
pub(crate) const UNREGISTERED: &str = "kaa.v1.events.epr.endpoint.lifecycle.unregistered";

/// An answer to the question whose token it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Validation {
    pub(crate) correlation: String,
    pub(crate) status: i32,
    /// Token id and endpoint.
    pub(crate) token: Option<(String, String)>,
}

pub(crate) fn validation(message: &Message) -> Validation {
    let record = EndpointTokenValidationResponse::decode(&message.payload).unwrap();
    assert_eq!(record.timeout, 0);
    assert_eq!(record.reason_phrase.is_none(), record.status_code == 200);
    let token = record.token_id.map(Into::into).zip(record.endpoint_id.map(Into::into));
    Validation { correlation: record.correlation_id.into_owned(), status: record.status_code, token }
}

/// A revoked event as a gateway reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokensGone {
    pub(crate) application: String,
    pub(crate) endpoint: String,
    pub(crate) ids: BTreeSet<String>,
    pub(crate) correlation: String,
    pub(crate) replica: String,
    pub(crate) timestamp: i64,
}

/// Events as a gateway that tells repeats by their correlation id.
pub(crate) struct TokenEvents {
    subscription: Subscription,
    seen: BTreeSet<String>,
}

impl TokenEvents {
    /// The next event that is no repeat.
    pub(crate) async fn next(&mut self) -> TokensGone {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.subscription.next()).await.expect("an event comes").unwrap();
            let record = EndpointTokenRevokedEvent::decode(&message.payload).unwrap();
            assert_eq!(record.timeout, 0);
            let ids: BTreeSet<String> = record.token_ids.iter().map(ToString::to_string).collect();
            assert_eq!(ids.len(), record.token_ids.len(), "each id once");
            if self.seen.insert(record.correlation_id.to_string()) {
                return TokensGone {
                    application: record.app_name.into_owned(),
                    endpoint: record.endpoint_id.into_owned(),
                    ids,
                    correlation: record.correlation_id.into_owned(),
                    replica: record.originator_replica_id.into_owned(),
                    timestamp: record.timestamp,
                };
            }
        }
    }

    /// The next event, by what it names.
    pub(crate) async fn next_named(&mut self) -> (String, String, BTreeSet<String>) {
        let event = self.next().await;
        (event.application, event.endpoint, event.ids)
    }
}

pub(crate) fn named(application: &str, endpoint: &str, ids: &[&str]) -> (String, String, BTreeSet<String>) {
    (application.to_owned(), endpoint.to_owned(), ids.iter().map(|id| (*id).to_owned()).collect())
}

impl House {
    /// Asks for a token in a tenant, with what else the body shall hold.
    pub(crate) async fn make_token(&self, tenant: &str, application: &str, endpoint: &str, more: &Value) -> Answer {
        let mut body = json!({"kind": "endpoint_token", "application": application, "endpoint": endpoint});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.post(&format!("/api/v1/tenants/{tenant}/credentials"), &body).await
    }

    /// A token of `acme`; its id.
    pub(crate) async fn endpoint_token(&self, application: &str, endpoint: &str, token: &str) -> String {
        let made = self.make_token("acme", application, endpoint, &json!({"token": token})).await.good();
        made["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn validation_request(&self, correlation: &str, application: &str, token: &str, timeout: i64) -> Vec<u8> {
        let record = EndpointTokenValidationRequest {
            correlation_id: correlation.into(),
            timestamp: self.clock.now().millis(),
            timeout,
            app_name: application.into(),
            token: Sensitive::new(token),
        };
        record.encode()
    }

    /// Asks over the bus whose token it is.
    pub(crate) async fn validate(&self, application: &str, token: &str) -> Validation {
        let payload = self.validation_request("c-1", application, token, 0);
        validation(&self.bus.request(&Subject::new(VALIDATION).unwrap(), payload, PATIENCE).await.unwrap())
    }

    /// The status of the answer alone.
    pub(crate) async fn validates(&self, application: &str, token: &str) -> i32 {
        self.validate(application, token).await.status
    }

    /// Asks over the bus to move a token; the status.
    pub(crate) async fn transit(&self, application: &str, token: &str, state: &str) -> i32 {
        let request = EndpointTokenStatusTransitionRequest {
            correlation_id: "t-1".into(),
            timestamp: self.clock.now().millis(),
            timeout: 0,
            app_name: application.into(),
            token: Sensitive::new(token),
            target_status: state.into(),
        };
        let answer = self.bus.request(&Subject::new(TRANSITION).unwrap(), request.encode(), PATIENCE).await.unwrap();
        let record = EndpointTokenStatusTransitionResponse::decode(&answer.payload).unwrap();
        assert_eq!((record.correlation_id.as_ref(), record.timeout), ("t-1", 0));
        assert_eq!(record.reason_phrase.is_none(), record.status_code == 200);
        record.status_code
    }

    /// Tells the world that an endpoint is no more.
    pub(crate) async fn unregister(&self, endpoint: &str) {
        let event = UnregisteredEvent {
            correlation_id: "u-1".into(),
            timestamp: self.clock.now().millis(),
            timeout: 0,
            app_version_name: "demo-v1".into(),
            endpoint_id: endpoint.into(),
            originator_replica_id: "epr-1".into(),
        };
        self.bus.publish(&Subject::new(UNREGISTERED).unwrap(), None, event.encode()).await.unwrap();
    }

    pub(crate) async fn token_events(&self) -> TokenEvents {
        TokenEvents { subscription: self.listen("kaa.v1.events.cm.endpoint.token.revoked").await, seen: BTreeSet::new() }
    }
}
