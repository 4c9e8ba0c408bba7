//! `/api/v1/tenants`.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use signet_http::reasons::TENANT_NOT_FOUND;
use signet_http::{Answer, Asker, Guard, Json, Listing, MaybeIdempotent, NoFilter, Page, Problem, Route, Scoped};
use signet_model::{Enabled, Refusal, Role, TenantId, Timestamp, log_text};
use utoipa::ToSchema;

use super::{enabled_words, page_bounds};
use crate::CredentialsRoom;
use crate::idempotency::repeating;
use crate::reasons::{TENANT_EXISTS, TENANT_INVALID_NAME};
use crate::sql::Cursor;
use crate::tenant::Tenant;

/// A tenant: the wall around everything of one customer
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tenant)]
struct TenantAnswer {
    /// Its name, which is its id
    #[schema(value_type = String)]
    id: TenantId,
    /// Whether what leans on it works
    #[schema(schema_with = enabled_words)]
    state: Enabled,
    /// When it was made
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last changed
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Grows with each change
    version: i64,
}

impl From<Tenant> for TenantAnswer {
    fn from(tenant: Tenant) -> Self {
        let Tenant { id, state, created_at, updated_at, version } = tenant;
        Self { id, state, created_at, updated_at, version }
    }
}

/// A tenant to be made
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTenant {
    /// Its name: 1 to 64 letters, digits, `.`, `_` and `-`, beginning with a letter or digit
    id: String,
}

pub(super) fn routes(room: &Arc<CredentialsRoom>) -> Vec<Route> {
    vec![
        Route::post("/api/v1/tenants", Guard::Platform)
            .operation_id("tenantCreate")
            .summary("Makes a tenant")
            .reasons(&[&TENANT_INVALID_NAME, &TENANT_EXISTS])
            .idempotent()
            .body::<NewTenant>()
            .answer::<TenantAnswer>(201)
            .handler_with(Arc::clone(room), create),
        Route::get("/api/v1/tenants", Guard::AnyCaller)
            .operation_id("tenantList")
            .summary("Lists the tenants that the caller may see, newest first")
            .paged::<NoFilter>()
            .answer::<Page<TenantAnswer>>(200)
            .handler_with(Arc::clone(room), list),
        Route::get("/api/v1/tenants/{tenant}", Guard::Tenant(Role::Auditor))
            .operation_id("tenantShow")
            .summary("Shows one tenant")
            .answer::<TenantAnswer>(200)
            .handler_with(Arc::clone(room), show),
    ]
}

async fn create(
    State(room): State<Arc<CredentialsRoom>>,
    asker: Asker,
    MaybeIdempotent(key): MaybeIdempotent,
    Json(body): Json<NewTenant>,
) -> Result<Answer<TenantAnswer>, Problem> {
    let invalid = |_| Refusal::new(&TENANT_INVALID_NAME, format!("tenant name `{}`: wanted {}", log_text(&body.id, 64), TenantId::RULE));
    let scope = asker.scope(body.id.parse().map_err(invalid)?);
    let remember = |tenant: &Tenant| repeating(key.as_ref(), &created(tenant.clone()), scope.now());
    Ok(created(room.create_tenant(&scope, &remember).await?))
}

fn created(tenant: Tenant) -> Answer<TenantAnswer> {
    Answer::created(format!("/api/v1/tenants/{}", tenant.id), tenant.into())
}

async fn list(
    State(room): State<Arc<CredentialsRoom>>,
    asker: Asker,
    listing: Listing<NoFilter>,
) -> Result<Answer<Page<TenantAnswer>>, Problem> {
    let (after, rows) = page_bounds(&listing.page)?;
    let tenants = room.tenants(&asker.caller, &after, rows).await?;
    let page = Page::cut(tenants, listing.page.limit(), |tenant| Cursor::behind(tenant.created_at, &tenant.id));
    Ok(Answer::ok(page.map(TenantAnswer::from)))
}

async fn show(State(room): State<Arc<CredentialsRoom>>, Scoped(scope): Scoped) -> Result<Answer<TenantAnswer>, Problem> {
    let tenant = room.tenant(&scope).await?;
    let absent = || Problem::new(&TENANT_NOT_FOUND, format!("tenant `{}` does not exist, or this caller may not see it", scope.tenant));
    Ok(Answer::ok(tenant.ok_or_else(absent)?.into()))
}
