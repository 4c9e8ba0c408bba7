//! What a Tenant Manager answers, or whoever sits in its place.

use signet_model::TenantId;

/// Tenants of one answer, at most.
const MOST: usize = 100_000;

/// What is understood names tenants by names of ours and is bounded; the same bytes always say the same.
pub(crate) fn feed(bytes: &[u8]) {
    let Some(told) = signet_credentials::tenants_told(bytes) else { return };
    assert!(told.len() <= MOST && told.len() <= bytes.len(), "{} tenants in {} bytes", told.len(), bytes.len());
    for tenant in &told {
        assert!(tenant.as_str().parse::<TenantId>().as_ref() == Ok(tenant), "{tenant} is no name");
    }
    assert!(signet_credentials::tenants_told(bytes) == Some(told), "read twice, told differently");
}
