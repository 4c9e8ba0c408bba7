//! The tokens of one endpoint, read along their index in either direction. An endpoint has few, so skipping costs little.

use std::collections::BTreeSet;

use signet_db::{Statement, Value};
use signet_model::{CredentialState, EndpointId, TenantId};

use crate::endpoint_list::EndpointTokens;

/// Endpoint, tenant and four states, so that one text serves every choice: one that is wanted stands for each that is not.
fn of(tenant: &TenantId, endpoint: &EndpointId, states: &BTreeSet<CredentialState>) -> Vec<Value> {
    let mut params = vec![Value::from(endpoint), Value::from(tenant)];
    let first = states.first().copied();
    for state in CredentialState::ALL {
        let wanted = states.contains(state).then_some(*state).or(first).unwrap_or(*state);
        params.push(Value::from(wanted));
    }
    params
}

pub(crate) fn count(tenant: &TenantId, endpoint: &EndpointId, states: &BTreeSet<CredentialState>) -> Statement {
    Statement::new(
        "SELECT count(*) FROM credential WHERE endpoint = $1 AND tenant = $2 AND kind = 'endpoint_token' AND state IN ($3, $4, $5, $6)",
        of(tenant, endpoint, states),
    )
}

pub(crate) fn part(tenant: &TenantId, endpoint: &EndpointId, wanted: &EndpointTokens) -> Statement {
    let text = if wanted.oldest_first {
        credentials!(
            "WHERE endpoint = $1 AND tenant = $2 AND kind = 'endpoint_token' AND state IN ($3, $4, $5, $6) \
         ORDER BY created_at, id LIMIT $7 OFFSET $8"
        )
    } else {
        credentials!(
            "WHERE endpoint = $1 AND tenant = $2 AND kind = 'endpoint_token' AND state IN ($3, $4, $5, $6) \
         ORDER BY created_at DESC, id DESC LIMIT $7 OFFSET $8"
        )
    };
    let mut params = of(tenant, endpoint, &wanted.states);
    params.extend([Value::from(wanted.limit), Value::from(wanted.offset)]);
    Statement::new(text, params)
}
