//! `/api/v1/tenants`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use signet_http::{Answer, Asker, Guard, Json, Listing, MaybeIdempotent, NoFilter, OptionalJson, Page, Problem, Query, Route, Scoped};
use signet_model::{Refusal, Role, TenantId, TenantState, Timestamp, log_text};
use utoipa::ToSchema;

use super::{Changed, Why, page_bounds, tenant_state_words};
use crate::CredentialsRoom;
use crate::idempotency::repeating;
use crate::reasons::{
    TENANT_BEING_PURGED, TENANT_EXISTS, TENANT_INVALID_GRACE, TENANT_INVALID_NAME, TENANT_MANAGED, TENANT_PROTECTED, TENANT_SWEEP_UNDER_WAY,
};
use crate::sql::Cursor;
use crate::tenant::{Deletion, SwitchedTenant, Tenant};

/// A tenant: the wall around everything of one customer
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tenant)]
struct TenantAnswer {
    /// Its name, which is its id
    #[schema(value_type = String)]
    id: TenantId,
    /// Whether what leans on it works
    #[schema(schema_with = tenant_state_words)]
    state: TenantState,
    /// When it was made
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last changed
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Grows with each change
    version: i64,
    /// When everything of it is removed; null unless it is being deleted
    #[schema(value_type = Option<String>, format = DateTime)]
    purge_at: Option<Timestamp>,
    /// Whether Kaa's Tenant Manager decides about it
    managed: bool,
    /// Whether it was unregistered there, so that its credentials are revoked for good
    unregistered: bool,
}

impl From<Tenant> for TenantAnswer {
    fn from(tenant: Tenant) -> Self {
        let Tenant { id, state, created_at, updated_at, version, purge_at, managed, unregistered } = tenant;
        Self { id, state, created_at, updated_at, version, purge_at, managed, unregistered }
    }
}

/// A tenant to be made
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTenant {
    /// Its name: 1 to 64 letters, digits, `.`, `_` and `-`, beginning with a letter or digit
    id: String,
}

/// A tenant and whether the request changed it
#[derive(Debug, Serialize, ToSchema)]
struct ChangedTenant(Changed<TenantAnswer>);

/// How a tenant is deleted
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DeletionQuery {
    /// How long `enable` takes it back: a whole number and s, m, h or d, at most 366d; 24h when absent
    grace: Option<String>,
    /// Delete it here though the Tenant Manager keeps it
    #[serde(default)]
    force: bool,
}

pub(super) fn routes(room: &Arc<CredentialsRoom>) -> Vec<Route> {
    let switch = |path, name, summary| {
        Route::post(path, Guard::Platform).operation_id(name).summary(summary).optional_body::<Why>().answer::<ChangedTenant>(200)
    };
    vec![
        switch("/api/v1/tenants/{tenant}/enable", "tenantEnable", "Lets a tenant work again, also one that is being deleted")
            .reasons(&[&TENANT_BEING_PURGED, &TENANT_SWEEP_UNDER_WAY])
            .handler_with(Arc::clone(room), enable),
        switch("/api/v1/tenants/{tenant}/disable", "tenantDisable", "Refuses everything of a tenant until it is enabled")
            .handler_with(Arc::clone(room), disable),
        Route::delete("/api/v1/tenants/{tenant}", Guard::Platform)
            .operation_id("tenantDelete")
            .summary("Refuses everything of a tenant at once, and removes it when the grace has passed")
            .reasons(&[&TENANT_PROTECTED, &TENANT_MANAGED, &TENANT_INVALID_GRACE])
            .query::<DeletionQuery>()
            .optional_body::<Why>()
            .answer::<ChangedTenant>(200)
            .handler_with(Arc::clone(room), delete),
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

async fn enable(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    OptionalJson(why): OptionalJson<Why>,
) -> Result<Answer<ChangedTenant>, Problem> {
    Ok(changed(room.enable_tenant(&scope, why.checked()?).await?))
}

async fn disable(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    OptionalJson(why): OptionalJson<Why>,
) -> Result<Answer<ChangedTenant>, Problem> {
    Ok(changed(room.disable_tenant(&scope, why.checked()?).await?))
}

async fn delete(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Query(query): Query<DeletionQuery>,
    OptionalJson(why): OptionalJson<Why>,
) -> Result<Answer<ChangedTenant>, Problem> {
    let grace = query.grace.as_deref().map(grace).transpose()?;
    Ok(changed(room.delete_tenant(&scope, Deletion { grace, force: query.force }, why.checked()?).await?))
}

fn changed(switched: SwitchedTenant) -> Answer<ChangedTenant> {
    Answer::ok(ChangedTenant(Changed { object: switched.tenant.into(), changed: switched.changed }))
}

/// A length of time in the words of the command line.
fn grace(text: &str) -> Result<Duration, Refusal> {
    let seconds = || {
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
        let seconds: u64 = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(seconds)
    };
    let invalid = || Refusal::new(&TENANT_INVALID_GRACE, format!("`grace` is `{}`", log_text(text, 32)));
    seconds().map(Duration::from_secs).ok_or_else(invalid)
}

async fn show(State(room): State<Arc<CredentialsRoom>>, Scoped(scope): Scoped) -> Result<Answer<TenantAnswer>, Problem> {
    Ok(Answer::ok(room.existing_tenant(&scope).await?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_is_a_whole_number_and_a_unit() {
        for (text, seconds) in [("0s", 0), ("90s", 90), ("5m", 300), ("24h", 86_400), ("366d", 31_622_400)] {
            assert_eq!(grace(text).ok(), Some(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "h", "5", "-1s", "1.5h", "1w", "1 h", "18446744073709551615d"] {
            assert_eq!(grace(bad).map_err(|refusal| refusal.reason.code), Err("tenant.invalid-grace"), "{bad}");
        }
    }
}
