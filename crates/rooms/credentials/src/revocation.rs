//! The events that tell Kaa's gateways that credentials cannot be used any more (`kaa.md` 4, 14.1). A repetition by the relay
//! keeps the row's bytes, and with them the correlation id.
//!
//! The one event of a call that has a correlation id carries that. Where one call causes several events, each gets its own: whoever
//! receives them tells repeats by it (`kaa.md` 2.4).

use std::collections::BTreeMap;

use signet_kaa::Record as _;
use signet_kaa::cap::ClientCredentialsRevokedEvent;
use signet_kaa::ecap::EndpointTokenRevokedEvent;
use signet_kaa::subject;
use signet_ledger::OutboxRow;
use signet_model::{CorrelationId, CredentialId, CredentialKind, EventId, Scope};

use crate::CredentialsRoom;

/// A credential that was usable and is not any more, as far as its event needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    pub(crate) id: CredentialId,
    pub(crate) kind: CredentialKind,
    /// Of an endpoint token: its application and endpoint.
    pub(crate) endpoint: Option<(String, String)>,
}

impl CredentialsRoom {
    /// One event for each credential; endpoint tokens of one application and endpoint share one that names them all.
    pub(crate) fn revoked_events(&self, scope: &Scope, gone: &[Gone]) -> Vec<OutboxRow> {
        let (ccm, cm) = (&self.config.ccm_instance, &self.config.cm_instance);
        let call = scope.correlation.as_ref().filter(|_| gone.len() == 1);
        let mut tokens: BTreeMap<&(String, String), Vec<&CredentialId>> = BTreeMap::new();
        let mut events = Vec::new();
        for credential in gone {
            match (credential.kind, &credential.endpoint) {
                (CredentialKind::Basic, _) => {
                    events.push(self.client_event(scope, call, subject::basic_credentials_revoked(ccm), &credential.id));
                }
                (CredentialKind::X509, _) => {
                    events.push(self.client_event(scope, call, subject::certificate_credentials_revoked(ccm), &credential.id));
                }
                (CredentialKind::EndpointToken, Some(endpoint)) => tokens.entry(endpoint).or_default().push(&credential.id),
                // Kaa has no event for bare keys, and no token without an endpoint.
                (CredentialKind::PublicKey, _) | (CredentialKind::EndpointToken, None) => {}
            }
        }
        events.extend(tokens.into_iter().map(|((application, endpoint), ids)| {
            let event = EventId::generate(scope.now(), scope.entropy.as_ref());
            let record = EndpointTokenRevokedEvent {
                correlation_id: call.map_or(event.as_str(), CorrelationId::as_str).into(),
                timestamp: scope.now().millis(),
                timeout: 0,
                app_name: application.as_str().into(),
                endpoint_id: endpoint.as_str().into(),
                token_ids: ids.into_iter().map(|id| id.as_str().into()).collect(),
                originator_replica_id: self.replica.as_str().into(),
            };
            let payload = record.encode();
            OutboxRow { id: event, subject: subject::endpoint_token_revoked(cm), payload }
        }));
        events
    }

    fn client_event(&self, scope: &Scope, call: Option<&CorrelationId>, subject: String, id: &CredentialId) -> OutboxRow {
        let event = EventId::generate(scope.now(), scope.entropy.as_ref());
        let record = ClientCredentialsRevokedEvent {
            correlation_id: call.map_or(event.as_str(), CorrelationId::as_str).into(),
            timestamp: scope.now().millis(),
            timeout: 0,
            tenant_id: scope.tenant.as_str().into(),
            credentials_id: id.as_str().into(),
            originator_replica_id: self.replica.as_str().into(),
        };
        let payload = record.encode();
        OutboxRow { id: event, subject, payload }
    }
}
