//! Who may ask what: decided in this one place, before a body is read (design 9).
//!
//! Order: authenticate, tenant in the path, role, existence of the tenant. A caller of another tenant gets the very
//! answer that an absent tenant gives, and the store is not asked, so neither words nor time tell the two apart.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use http::{HeaderMap, header};
use signet_model::{Caller, Refusal, Role, TenantId, kinds, log_text};
use zeroize::Zeroizing;

use crate::context::{Exchange, caller_kind};
use crate::idempotency::{self, Begun};
use crate::kaa::{self, KaaRight};
use crate::query::path_parameters;
use crate::router::Shared;
use crate::{Asker, Problem, reasons};

/// Name of the path parameter that names the tenant.
pub const TENANT_PARAMETER: &str = "tenant";

/// What helps a tenant's caller on a route above the tenants: nothing that the tenant could give.
const PLATFORM_FIX: &str =
    "Ask a platform operator: the operator token, or an API token of role platform, may do this; no token of a tenant reaches above it.";

/// What a caller must be to pass. There is no route without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Guard {
    /// Anyone, without a token. The handler sees no caller.
    Public,
    /// Only callers above the tenants.
    Platform,
    /// Callers with at least this role in the tenant that the path names.
    Tenant(Role),
    /// Whoever holds a valid token of any kind.
    AnyCaller,
    /// On Kaa's paths: callers with this right in the tenant that they belong to, or that those above the tenants name.
    Kaa(KaaRight),
}

impl std::fmt::Display for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::Platform => f.write_str("platform"),
            Self::Tenant(role) => write!(f, "tenant:{role}"),
            Self::AnyCaller => f.write_str("any-caller"),
            Self::Kaa(right) => write!(f, "kaa:{} or {}", right.scope, right.role),
        }
    }
}

/// A bearer token as presented; wiped on drop, never shown.
pub struct BearerToken(Zeroizing<String>);

impl BearerToken {
    /// A token from its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The token's text, to be hashed or compared in constant time and not to be kept.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BearerToken(…)")
    }
}

/// Turns tokens into callers. The room that owns the tokens implements it.
pub trait Authenticate: Send + Sync {
    /// The caller that holds `token`. Refusals: `auth.invalid`, `auth.expired`, or that the check itself cannot be made
    /// now (`standing.stale`, `storage.unavailable`).
    fn authenticate<'a>(&'a self, token: &'a BearerToken) -> BoxFuture<'a, Result<Caller, Refusal>>;

    /// The caller of a request that brings no token; none where such requests are refused, which is everywhere but where
    /// security was switched off.
    fn without_token(&self) -> BoxFuture<'_, Option<Result<Caller, Refusal>>> {
        Box::pin(std::future::ready(None))
    }

    /// Whether the issuer of `token`, asked now, lets its holder do `scope` on `resource` (User-Managed Access 2.0, as `kaa.md`
    /// 17.1 uses it). Asked only where the token itself does not say so; without such an issuer the answer is no.
    fn permits<'a>(
        &'a self,
        token: &'a BearerToken,
        caller: &'a Caller,
        resource: &'a str,
        scope: &'a str,
    ) -> BoxFuture<'a, Result<bool, Refusal>> {
        let _ = (token, caller, resource, scope);
        Box::pin(std::future::ready(Ok(false)))
    }
}

/// Knows which tenants there are.
pub trait TenantExists: Send + Sync {
    /// Whether `tenant` exists, whatever its state.
    fn tenant_exists<'a>(&'a self, tenant: &'a TenantId) -> BoxFuture<'a, Result<bool, Refusal>>;
}

/// A guard with what it needs to decide.
pub(crate) struct Gate {
    pub(crate) shared: Arc<Shared>,
    pub(crate) guard: Guard,
    pub(crate) operation_id: &'static str,
    pub(crate) idempotent: bool,
}

/// The middleware of one route: the guard, then the idempotency key of a creating call.
pub(crate) async fn enforce(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let request = match gate.admit(request).await {
        Ok(request) => request,
        Err(problem) => return problem.into_response(),
    };
    if !gate.idempotent {
        return next.run(request).await;
    }
    match idempotency::begin(gate.shared.idempotency.as_ref(), gate.operation_id, request).await {
        Ok(Begun::Fresh(request)) => next.run(request).await,
        Ok(Begun::Replayed(response)) => response,
        Err(problem) => problem.into_response(),
    }
}

impl Gate {
    async fn admit(&self, request: Request) -> Result<Request, Problem> {
        if self.guard == Guard::Public {
            return Ok(request);
        }
        let (mut parts, body) = request.into_parts();
        let exchange = parts.extensions.get::<Arc<Exchange>>().cloned();
        let exchange = exchange.ok_or_else(|| Problem::internal(&"a guard outside of the exchange layer"))?;
        let (token, caller) = self.caller(&parts.headers).await?;
        let _ = exchange.caller.set(caller_kind(&caller));
        let parameters = path_parameters(&mut parts, &()).await?;
        let tenant = if let Guard::Kaa(right) = self.guard {
            let tenant = kaa::tenant_of(&caller, &parts.headers)?;
            self.check_right(right, token.as_ref(), &caller, &tenant, &parameters).await?;
            Some(tenant)
        } else {
            let tenant = tenant(parameters)?;
            self.check(&caller, tenant.as_ref()).await?;
            tenant
        };
        let asker = Asker {
            caller,
            trace: exchange.trace.clone(),
            correlation: exchange.correlation.clone(),
            clock: Arc::clone(&self.shared.clock),
            entropy: Arc::clone(&self.shared.entropy),
        };
        if let Some(tenant) = tenant {
            parts.extensions.insert(asker.scope(tenant));
        }
        parts.extensions.insert(asker);
        Ok(Request::from_parts(parts, body))
    }

    /// Who asks, and with which token.
    async fn caller(&self, headers: &HeaderMap) -> Result<(Option<BearerToken>, Caller), Problem> {
        match bearer(headers) {
            Ok(token) => {
                let caller = self.shared.auth.authenticate(&token).await?;
                Ok((Some(token), caller))
            }
            Err(problem) => match self.shared.auth.without_token().await {
                Some(caller) => Ok((None, caller?)),
                None => Err(problem),
            },
        }
    }

    async fn check(&self, caller: &Caller, tenant: Option<&TenantId>) -> Result<(), Problem> {
        match (self.guard, tenant) {
            (Guard::Public, _) => Ok(()),
            (Guard::AnyCaller, None) => match caller {
                Caller::OperatorToken
                | Caller::PlatformToken { .. }
                | Caller::ApiToken { .. }
                | Caller::Person { .. }
                | Caller::System(_) => Ok(()),
                Caller::Bus => Err(role_missing(caller, "a token")),
            },
            (Guard::Platform, None) if caller.is_platform() => Ok(()),
            // A route above the tenants says nothing of the tenant that it names to anyone below.
            (Guard::Platform, Some(tenant)) if caller.is_platform() => self.existing(tenant).await,
            (Guard::Platform, _) => Err(role_missing(caller, "role platform").with_fix(PLATFORM_FIX)),
            (Guard::AnyCaller, Some(tenant)) => self.in_tenant(caller, tenant, Role::Auditor).await,
            (Guard::Tenant(role), Some(tenant)) => self.in_tenant(caller, tenant, role).await,
            (Guard::Tenant(_), None) => Err(Problem::internal(&"a tenant's guard on a path without a tenant")),
            (Guard::Kaa(_), _) => Err(Problem::internal(&"a right of Kaa's is checked on its own way")),
        }
    }

    async fn check_right(
        &self,
        right: KaaRight,
        token: Option<&BearerToken>,
        caller: &Caller,
        tenant: &TenantId,
        parameters: &[(String, String)],
    ) -> Result<(), Problem> {
        let resource = right.resource_name(parameters)?;
        let allowed = match (caller, token) {
            _ if caller.may_scope(tenant, &resource, right.scope, right.role) => true,
            (Caller::Person { .. }, Some(token)) => self.shared.auth.permits(token, caller, &resource, right.scope).await?,
            _ => false,
        };
        if allowed {
            return self.existing(tenant).await;
        }
        match caller {
            Caller::Person { .. } => Err(Problem::new(
                &reasons::AUTH_SCOPE_MISSING,
                format!("the token does not carry the scope `{}` on `{}`", right.scope, log_text(&resource, 200)),
            )),
            Caller::OperatorToken | Caller::PlatformToken { .. } | Caller::ApiToken { .. } | Caller::Bus | Caller::System(_) => {
                Err(role_missing(caller, &format!("role {} in tenant `{tenant}`", right.role)))
            }
        }
    }

    async fn in_tenant(&self, caller: &Caller, tenant: &TenantId, role: Role) -> Result<(), Problem> {
        if caller.may(tenant, role) {
            return self.existing(tenant).await;
        }
        match caller {
            Caller::ApiToken { tenant: own, .. } | Caller::Person { tenant: own, .. } if own == tenant => {
                Err(role_missing(caller, &format!("role {role} in tenant `{tenant}`")))
            }
            Caller::ApiToken { .. } | Caller::Person { .. } => Err(absent(tenant)),
            Caller::OperatorToken | Caller::PlatformToken { .. } | Caller::Bus | Caller::System(_) => {
                Err(role_missing(caller, &format!("role {role}")))
            }
        }
    }

    async fn existing(&self, tenant: &TenantId) -> Result<(), Problem> {
        if self.shared.tenants.tenant_exists(tenant).await? { Ok(()) } else { Err(absent(tenant)) }
    }
}

pub(crate) fn absent(tenant: &TenantId) -> Problem {
    Problem::new(&reasons::TENANT_NOT_FOUND, format!("tenant `{tenant}` does not exist, or this caller may not see it"))
}

fn role_missing(caller: &Caller, needed: &str) -> Problem {
    let held = match caller {
        Caller::ApiToken { tenant, role, .. } => format!("role {role} in tenant `{tenant}`"),
        Caller::Person { tenant, rights, .. } => match rights.role() {
            Some(role) => format!("role {role} in tenant `{tenant}`"),
            None => format!("no role in tenant `{tenant}`"),
        },
        Caller::OperatorToken | Caller::PlatformToken { .. } | Caller::System(_) => "role platform".to_owned(),
        Caller::Bus => "no role".to_owned(),
    };
    Problem::new(&reasons::AUTH_ROLE_MISSING, format!("this token holds {held}; this route needs {needed}"))
}

/// The token of exactly one `Authorization: Bearer` header (RFC 6750 section 2.1).
fn bearer(headers: &HeaderMap) -> Result<BearerToken, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (Some(value), None) if !value.is_empty() => value,
        (Some(_) | None, None) | (None, Some(_)) => {
            return Err(Problem::new(&reasons::AUTH_MISSING, "the request has no `Authorization` header, or an empty one"));
        }
        (Some(_), Some(_)) => return Err(Problem::new(&reasons::AUTH_INVALID, "the request has several `Authorization` headers")),
    };
    let (scheme, token) = value.to_str().unwrap_or("").trim().split_once(' ').unwrap_or(("", ""));
    let token = token.trim_start();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.contains(' ') {
        return Err(Problem::new(&reasons::AUTH_INVALID, "the `Authorization` header is not `Bearer` and one token"));
    }
    Ok(BearerToken::new(token))
}

fn tenant(parameters: Vec<(String, String)>) -> Result<Option<TenantId>, Problem> {
    let named = parameters.into_iter().find(|(name, _)| name == TENANT_PARAMETER);
    let Some((_, text)) = named else { return Ok(None) };
    text.parse().map(Some).map_err(|error| Problem::new(&kinds::INPUT_INVALID, format!("`tenant` of the path: {error}")))
}
