//! The first argument of every domain function: tenant, caller, clock, randomness, trace.

use std::sync::Arc;

use crate::{Caller, Clock, CorrelationId, TenantId, Timestamp, TraceId};

/// Where a domain function gets random bytes. A failing source must end the process's work, not weaken it, so filling
/// cannot fail here: the implementation over AWS-LC panics in its request, which is isolated and counted.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` with cryptographically secure random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// Who does what for which tenant, when, and under which trace.
#[derive(Clone)]
pub struct Scope {
    /// The tenant that the work is for.
    pub tenant: TenantId,
    /// Who asked.
    pub caller: Caller,
    /// The trace that log lines, audit records and answers carry.
    pub trace: TraceId,
    /// What the call is known by in Kaa's services, where it came from one of them.
    pub correlation: Option<CorrelationId>,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where random bytes come from.
    pub entropy: Arc<dyn Entropy>,
}

impl Scope {
    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The same scope in another tenant; for callers above the tenants.
    #[must_use]
    pub fn in_tenant(&self, tenant: TenantId) -> Self {
        Self { tenant, ..self.clone() }
    }
}

impl std::fmt::Debug for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scope")
            .field("tenant", &self.tenant)
            .field("caller", &self.caller)
            .field("trace", &self.trace)
            .field("correlation", &self.correlation)
            .finish_non_exhaustive()
    }
}
