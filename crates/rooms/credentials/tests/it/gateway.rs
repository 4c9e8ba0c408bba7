//! A gateway as a house's tests play it: asks over the bus, and hears of revocations.

use std::collections::BTreeSet;

use signet_bus::{Message, Pattern, Subject, Subscription};
use signet_kaa::cap::{ClientBasicAuthenticationRequest, ClientBasicAuthenticationResponse, ClientCredentialsRevokedEvent};
use signet_kaa::{Record as _, Sensitive};
use signet_model::Clock as _;

use crate::house::{House, PATIENCE};

pub(crate) const BASIC_REQUEST: &str = "kaa.v1.service.ccm.cap.basic-request";

/// An answer of the bus.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CapAnswer {
    pub(crate) correlation: String,
    pub(crate) status: i32,
    pub(crate) credential: Option<String>,
}

impl House {
    /// Asks over the bus in `acme`.
    pub(crate) async fn ask(&self, username: &str, password: &str) -> CapAnswer {
        self.ask_as("acme", username, password).await
    }

    pub(crate) async fn ask_as(&self, tenant: &str, username: &str, password: &str) -> CapAnswer {
        let subject = Subject::new(BASIC_REQUEST).unwrap();
        let payload = self.request("c-1", tenant, username, password, 0);
        cap_answer(&self.bus.request(&subject, payload, PATIENCE).await.unwrap())
    }

    pub(crate) fn request(&self, correlation: &str, tenant: &str, username: &str, password: &str, timeout: i64) -> Vec<u8> {
        let record = ClientBasicAuthenticationRequest {
            correlation_id: correlation.into(),
            timestamp: self.clock.now().millis(),
            timeout,
            tenant_id: tenant.into(),
            username: username.into(),
            password: Sensitive::new(password),
        };
        record.encode()
    }

    pub(crate) async fn listen(&self, pattern: &str) -> Subscription {
        self.bus.subscribe(&Pattern::new(pattern).unwrap(), None, 4_096).await.unwrap()
    }

    /// The events of usernames and passwords.
    pub(crate) async fn events(&self) -> Events {
        self.events_of("basic").await
    }

    /// The events of a kind of credentials that clients have; one of another kind is a failure.
    pub(crate) async fn events_of(&self, kind: &str) -> Events {
        let subscription = self.listen("kaa.v1.events.ccm.client-credentials.*.revoked").await;
        let subject = format!("kaa.v1.events.ccm.client-credentials.{kind}.revoked");
        Events { subscription, subject, seen: BTreeSet::new() }
    }
}

pub(crate) fn cap_answer(message: &Message) -> CapAnswer {
    let record = ClientBasicAuthenticationResponse::decode(&message.payload).unwrap();
    assert_eq!((record.client_id, record.timeout), (None, 0));
    assert_eq!(record.reason_phrase.is_none(), record.status_code == 200);
    CapAnswer {
        correlation: record.correlation_id.into_owned(),
        status: record.status_code,
        credential: record.credentials_id.map(Into::into),
    }
}

/// A revoked event as a gateway reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) correlation: String,
    pub(crate) tenant: String,
    pub(crate) credential: String,
    pub(crate) replica: String,
    pub(crate) timestamp: i64,
    pub(crate) timeout: i64,
}

fn event(message: &Message) -> Event {
    let record = ClientCredentialsRevokedEvent::decode(&message.payload).unwrap();
    Event {
        correlation: record.correlation_id.into_owned(),
        tenant: record.tenant_id.into_owned(),
        credential: record.credentials_id.into_owned(),
        replica: record.originator_replica_id.into_owned(),
        timestamp: record.timestamp,
        timeout: record.timeout,
    }
}

/// Events as a gateway that tells repeats by their correlation id.
pub(crate) struct Events {
    subscription: Subscription,
    subject: String,
    seen: BTreeSet<String>,
}

impl Events {
    /// The next `count` events, repeats left out.
    pub(crate) async fn next(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count {
            let message = tokio::time::timeout(PATIENCE, self.subscription.next()).await.expect("an event comes").unwrap();
            assert_eq!(message.subject.as_str(), self.subject);
            let event = event(&message);
            if self.seen.insert(event.correlation.clone()) {
                events.push(event);
            }
        }
        events
    }
}
