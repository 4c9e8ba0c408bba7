//! Table `issuance_rule`.

use signet_db::{Statement, params};
use signet_model::{TenantId, Timestamp};

/// The safe rule again. The row stays and its version rises: a replica that remembers the former rule must not take the next one for
/// it.
pub(crate) fn reset(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE issuance_rule SET rule = '{}', updated_at = $1, version = version + 1 WHERE tenant = $2 AND {ok}",
        params![now, tenant],
    )
}
