//! `/api/v1/tenants`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use signet_http::{Answer, Asker, Guard, Json, Listing, MaybeIdempotent, NoFilter, OptionalJson, Page, Problem, Query, Route, Scoped};
use signet_model::{CredentialKind, CredentialState, Refusal, Role, TenantId, TenantState, Timestamp, log_text};
use utoipa::ToSchema;

use super::{Changed, Why, credential_kind_words, credential_state_words, page_bounds, tenant_state_words};
use crate::CredentialsRoom;
use crate::idempotency::repeating;
use crate::reasons::{
    TENANT_BEING_PURGED, TENANT_EXISTS, TENANT_INVALID_GRACE, TENANT_INVALID_NAME, TENANT_MANAGED, TENANT_PROTECTED, TENANT_SWEEP_UNDER_WAY,
};
use crate::sql::Cursor;
use crate::tenant::{Deletion, SwitchedTenant, Tenant};
use crate::tenant_truth::{Count, Truth, Warning};

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

/// How many credentials of a kind are in each state
#[derive(Debug, Serialize, ToSchema)]
struct CountAnswer {
    /// The kind
    #[schema(schema_with = credential_kind_words)]
    kind: CredentialKind,
    /// The state
    #[schema(schema_with = credential_state_words)]
    state: CredentialState,
    /// How many
    number: i64,
}

/// What a tenant holds
#[derive(Debug, Serialize, ToSchema)]
struct HoldingAnswer {
    /// When it was counted: some seconds ago where counting takes long
    #[schema(value_type = String, format = DateTime)]
    counted_at: Timestamp,
    /// False when there are more than two million, and the numbers are of some of them
    complete: bool,
    /// By kind and state; what is not there is zero
    counts: Vec<CountAnswer>,
}

/// What a tenant asks of those who connect
#[derive(Debug, Serialize, ToSchema)]
struct RequiredAnswer {
    /// Whether only the moves of Kaa's product text are legal
    strict_fsm: bool,
    /// Cost of new password hashes
    bcrypt_cost: u32,
    /// The issuer whose people may call; null if none is known
    issuer: Option<String>,
    /// Who decides about the tenant: `signet` or `tenant-manager`
    managed_by: &'static str,
}

/// Work on a tenant's credentials that is under way
#[derive(Debug, Serialize, ToSchema)]
struct SweepAnswer {
    /// `being-told`, `being-revoked` or `being-removed`
    work: &'static str,
    /// How many were told of, revoked or removed so far
    done: i64,
    /// When it began
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
}

/// Something that somebody should look after
#[derive(Debug, Serialize, ToSchema)]
struct WarningAnswer {
    /// `disabled`, `deleting`, `unregistered`, `being-told`, `being-revoked`, `being-removed`, `security-off`, `token-ends` or
    /// `never-used`
    code: &'static str,
    /// What it is about
    detail: String,
}

/// A tenant with what it holds, what it asks, and what somebody should look after
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TenantSummary)]
struct SummaryAnswer {
    /// The tenant
    #[serde(flatten)]
    tenant: TenantAnswer,
    /// What it holds
    credentials: HoldingAnswer,
    /// When a credential of it was last used, to the minute; null if none was yet
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// What it asks of those who connect
    required: RequiredAnswer,
    /// Work under way; null if none is
    sweep: Option<SweepAnswer>,
    /// What somebody should look after
    warnings: Vec<WarningAnswer>,
}

impl From<Truth> for SummaryAnswer {
    fn from(truth: Truth) -> Self {
        let Truth { tenant, counted, last_used_at, required, sweep, warnings } = truth;
        let counts = counted.counts.into_iter().map(|Count { kind, state, number }| CountAnswer { kind, state, number }).collect();
        Self {
            required: RequiredAnswer {
                strict_fsm: required.strict_fsm,
                bcrypt_cost: required.bcrypt_cost,
                issuer: required.issuer,
                managed_by: if tenant.managed { "tenant-manager" } else { "signet" },
            },
            tenant: tenant.into(),
            credentials: HoldingAnswer { counted_at: counted.at, complete: counted.complete, counts },
            last_used_at,
            sweep: sweep.map(|sweep| SweepAnswer { work: sweep.work.under_way(), done: sweep.told, started_at: sweep.started_at }),
            warnings: warnings.into_iter().map(|Warning { code, detail }| WarningAnswer { code, detail }).collect(),
        }
    }
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
        Route::get("/api/v1/tenants/{tenant}/summary", Guard::Tenant(Role::Auditor))
            .operation_id("tenantSummary")
            .summary("Shows what a tenant holds, what it asks of those who connect, and what somebody should look after")
            .answer::<SummaryAnswer>(200)
            .handler_with(Arc::clone(room), summary),
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

async fn summary(State(room): State<Arc<CredentialsRoom>>, Scoped(scope): Scoped) -> Result<Answer<SummaryAnswer>, Problem> {
    Ok(Answer::ok(room.tenant_truth(&scope).await?.into()))
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
