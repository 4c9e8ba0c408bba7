//! What the room wants to know of the rest of the house.

use signet_model::TenantId;

/// What the house asks of callers; for the page of truth of a tenant, which decides nothing.
pub trait Callers: Send + Sync {
    /// The issuer whose people may call for this tenant, if there is one.
    fn issuer_of(&self, tenant: &TenantId) -> Option<String>;

    /// Whether anybody may call without a token.
    fn security_off(&self) -> bool;
}
