//! What a foreign client on NATS hears and asks: revoked events, and basic authentication.

use std::collections::BTreeSet;
use std::time::Duration;

use signet_kaa::Record;
use signet_kaa::cap::{ClientBasicAuthenticationRequest, ClientBasicAuthenticationResponse, ClientCredentialsRevokedEvent};
use signet_tests::{NatsPeer, within};

/// Where a credential's end is told.
pub(crate) const REVOKED: &str = "kaa.v1.events.ccm.client-credentials.basic.revoked";
const REQUEST: &str = "kaa.v1.service.ccm.cap.basic-request";
const REPLY: &str = "kaa.v1.replica.foreign.cap.basic-response";

/// Correlation ids of the events about a credential: one for each event, however often it was sent.
pub(crate) fn revoked(peer: &NatsPeer, credential: &str) -> BTreeSet<String> {
    let told = peer.deliveries();
    let events = told.iter().filter(|delivery| delivery.subject == REVOKED);
    let decoded = events.map(|delivery| ClientCredentialsRevokedEvent::decode(&delivery.payload).unwrap());
    decoded.filter(|event| event.credentials_id == credential).map(|event| event.correlation_id.to_string()).collect()
}

/// Whether exactly so many events about a credential arrive, and stay so many.
#[track_caller]
pub(crate) fn exactly(peer: &NatsPeer, credential: &str, count: usize) {
    let arrived = within(Duration::from_secs(30), || revoked(peer, credential).len() >= count);
    assert!(arrived, "{} of {count} events about {credential}", revoked(peer, credential).len());
    // A surplus event would come with the others or right after them.
    signet_testkit::process::pause(Duration::from_millis(300));
    assert_eq!(revoked(peer, credential).len(), count, "events about {credential}");
}

/// Asks for `username` of `acme` with password `pw`, as a Kaa gateway does; the status codes of the answers after one came.
pub(crate) fn authenticate(peer: &NatsPeer, correlation: &str, username: &str) -> Vec<i32> {
    authenticate_with(peer, correlation, username, "pw")
}

/// The same with another password.
pub(crate) fn authenticate_with(peer: &NatsPeer, correlation: &str, username: &str, password: &str) -> Vec<i32> {
    let request = ClientBasicAuthenticationRequest {
        correlation_id: correlation.into(),
        timestamp: 0,
        timeout: 0,
        tenant_id: "acme".into(),
        username: username.into(),
        password: signet_kaa::Sensitive::new(password),
    };
    peer.subscribe_once(REPLY);
    peer.publish(REQUEST, REPLY, &request.encode()).unwrap();
    let answers = || {
        let told = peer.deliveries();
        let answers = told.iter().filter(|delivery| delivery.subject == REPLY && !delivery.payload.is_empty());
        let decoded = answers.map(|delivery| ClientBasicAuthenticationResponse::decode(&delivery.payload).unwrap());
        decoded.filter(|answer| answer.correlation_id == correlation).map(|answer| answer.status_code).collect::<Vec<i32>>()
    };
    within(Duration::from_secs(20), || !answers().is_empty());
    answers()
}
