//! 21/TLE: the life of tenants.

use crate::codec::{Long, Text};

record! {
    /// A tenant changed: ask the Tenant Manager about it.
    UpdatedEvent = "org.kaaproject.ipc.event.gen.v1.tenant.lifecycle.UpdatedEvent" {
        /// Traces the processing across services.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// The tenant.
        tenant_id: Text,
        /// The replica that says so.
        originator_replica_id: Text,
    }
}

record! {
    /// A tenant is gone.
    UnregisteredEvent = "org.kaaproject.ipc.event.gen.v1.tenant.lifecycle.UnregisteredEvent" {
        /// Traces the processing across services.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// The tenant.
        tenant_id: Text,
        /// The replica that says so.
        originator_replica_id: Text,
    }
}
