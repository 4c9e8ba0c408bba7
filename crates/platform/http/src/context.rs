//! What the guard leaves for the handler: who asks, under which trace, and the scope of the tenant in the path.

use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use http::request::Parts;
use signet_model::{Caller, Clock, CorrelationId, Entropy, Scope, TenantId, TraceId};

use crate::Problem;

/// The scope of the request: the path's tenant, the caller, clock, randomness, trace. Only on routes with `{tenant}` in
/// their path; elsewhere use [`Asker`].
#[derive(Clone, Debug)]
pub struct Scoped(pub Scope);

impl<S: Send + Sync> FromRequestParts<S> for Scoped {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let scope = parts.extensions.get::<Scope>().cloned();
        scope.map(Self).ok_or_else(|| Problem::internal(&"a handler wants a scope on a route without a tenant"))
    }
}

/// An authenticated caller with what a [`Scope`] needs besides a tenant.
#[derive(Clone)]
pub struct Asker {
    /// Who asks.
    pub caller: Caller,
    /// Under which trace.
    pub trace: TraceId,
    /// What the call is known by in Kaa's services; only on Kaa's paths.
    pub correlation: Option<CorrelationId>,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where random bytes come from.
    pub entropy: Arc<dyn Entropy>,
}

impl Asker {
    /// The scope of this request in `tenant`. Whether the caller may act there is the guard's matter.
    pub fn scope(&self, tenant: TenantId) -> Scope {
        Scope {
            tenant,
            caller: self.caller.clone(),
            trace: self.trace.clone(),
            correlation: self.correlation.clone(),
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
        }
    }
}

impl std::fmt::Debug for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (caller, trace, correlation) = (&self.caller, &self.trace, &self.correlation);
        f.debug_struct("Asker").field("caller", caller).field("trace", trace).field("correlation", correlation).finish_non_exhaustive()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let asker = parts.extensions.get::<Self>().cloned();
        asker.ok_or_else(|| Problem::internal(&"a handler wants a caller on a public route"))
    }
}

/// The exchange that a request belongs to; made by the exchange layer before routing.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) trace: TraceId,
    /// Only on Kaa's paths.
    pub(crate) correlation: Option<CorrelationId>,
    /// Kind of caller for the log line, once the guard knows it.
    pub(crate) caller: OnceLock<&'static str>,
}

/// The kind of a caller: a word from a closed set, for logs.
pub(crate) fn caller_kind(caller: &Caller) -> &'static str {
    match caller {
        Caller::OperatorToken => "operator-token",
        Caller::ApiToken { .. } => "api-token",
        Caller::PlatformToken { .. } => "platform-token",
        Caller::Person { .. } => "person",
        Caller::Bus => "bus",
        Caller::System(_) => "system",
    }
}
