//! The events that tell Kaa's gateways that credentials cannot be used any more (`kaa.md` 4, 14.1). A repetition by the relay
//! keeps the row's id, and with it the correlation id.

use std::collections::BTreeMap;

use signet_kaa::Record as _;
use signet_kaa::cap::ClientCredentialsRevokedEvent;
use signet_kaa::ecap::EndpointTokenRevokedEvent;
use signet_kaa::subject;
use signet_ledger::OutboxRow;
use signet_model::{CredentialId, CredentialKind, EventId, Scope};

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
        let mut tokens: BTreeMap<&(String, String), Vec<&CredentialId>> = BTreeMap::new();
        let mut events = Vec::new();
        for credential in gone {
            match (credential.kind, &credential.endpoint) {
                (CredentialKind::Basic, _) => {
                    events.push(self.client_event(scope, subject::basic_credentials_revoked(ccm), &credential.id))
                }
                (CredentialKind::X509, _) => {
                    events.push(self.client_event(scope, subject::certificate_credentials_revoked(ccm), &credential.id))
                }
                (CredentialKind::EndpointToken, Some(endpoint)) => tokens.entry(endpoint).or_default().push(&credential.id),
                // Kaa has no event for bare keys, and no token without an endpoint.
                (CredentialKind::PublicKey, _) | (CredentialKind::EndpointToken, None) => {}
            }
        }
        events.extend(tokens.into_iter().map(|((application, endpoint), ids)| {
            let event = EventId::generate(scope.now(), scope.entropy.as_ref());
            let record = EndpointTokenRevokedEvent {
                correlation_id: event.as_str().into(),
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

    fn client_event(&self, scope: &Scope, subject: String, id: &CredentialId) -> OutboxRow {
        let event = EventId::generate(scope.now(), scope.entropy.as_ref());
        let record = ClientCredentialsRevokedEvent {
            correlation_id: event.as_str().into(),
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
