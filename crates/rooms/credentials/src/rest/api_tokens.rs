//! `/api/v1/tenants/{tenant}/api-tokens`, and `/api/v1/api-tokens` for those above all tenants.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use signet_http::{
    Answer, Asker, Guard, Idempotent, Json, Listing, MaybeIdempotent, NoFilter, OptionalJson, Page, Path, Problem, Route, Scoped,
};
use signet_model::{ApiTokenId, Role, Timestamp};
use utoipa::ToSchema;

use super::{Changed, Why, page_bounds, role_words, tenant_role_words};
use crate::CredentialsRoom;
use crate::api_token::{ApiToken, MadeApiToken, NewApiToken, Owner};
use crate::idempotency::secret_of;
use crate::reasons::{API_TOKEN_INVALID_EXPIRY, API_TOKEN_NOT_FOUND};
use crate::sql::Cursor;

/// A token that a program calls the API with. Never its text
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiToken)]
struct ApiTokenAnswer {
    /// Its id
    #[schema(value_type = String)]
    id: ApiTokenId,
    /// What it is for
    name: Option<String>,
    /// What it may do
    #[schema(schema_with = role_words)]
    role: Role,
    /// When it was made
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Who made it
    created_by: String,
    /// When it ends by itself
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// When it was revoked; null if it was not
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
    /// Grows with each change
    version: i64,
}

impl From<ApiToken> for ApiTokenAnswer {
    fn from(token: ApiToken) -> Self {
        let ApiToken { id, name, role, created_at, created_by, expires_at, revoked_at, version } = token;
        Self { id, name, role, created_at, created_by, expires_at, revoked_at, version }
    }
}

/// A token that was just made, with its text, which is shown this once. No `Debug`: it holds the text.
#[derive(Serialize, ToSchema)]
struct ShownApiToken {
    #[serde(flatten)]
    object: ApiTokenAnswer,
    /// The token's text; keep it, it cannot be shown again
    token: String,
}

/// A token to be made
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewApiToken)]
pub(super) struct NewApiTokenBody {
    /// What it may do
    #[serde(deserialize_with = "tenant_role")]
    #[schema(schema_with = tenant_role_words)]
    role: Role,
    /// When it ends by itself: in the future, at most ten years from now
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// What it is for
    name: Option<String>,
}

/// A token above all tenants, to be made
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPlatformToken)]
pub(super) struct NewPlatformTokenBody {
    /// When it ends by itself: in the future, at most ten years from now
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// What it is for
    name: Option<String>,
}

/// Reads a role that a tenant can give; the one above the tenants is none of them, and a refusal does not offer it.
fn tenant_role<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Role, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum TenantRole {
        Auditor,
        Operator,
        Owner,
    }
    TenantRole::deserialize(deserializer).map(|role| match role {
        TenantRole::Auditor => Role::Auditor,
        TenantRole::Operator => Role::Operator,
        TenantRole::Owner => Role::Owner,
    })
}

/// A token and whether the request changed it
#[derive(Debug, Serialize, ToSchema)]
struct ChangedApiToken(Changed<ApiTokenAnswer>);

pub(super) fn routes(room: &Arc<CredentialsRoom>) -> Vec<Route> {
    vec![
        Route::post("/api/v1/tenants/{tenant}/api-tokens", Guard::Tenant(Role::Owner))
            .operation_id("apiTokenCreate")
            .summary("Makes an API token and shows its text this once")
            .reasons(&[&API_TOKEN_INVALID_EXPIRY])
            .idempotent()
            .body::<NewApiTokenBody>()
            .answer::<ShownApiToken>(201)
            .handler_with(Arc::clone(room), create),
        Route::get("/api/v1/tenants/{tenant}/api-tokens", Guard::Tenant(Role::Auditor))
            .operation_id("apiTokenList")
            .summary("Lists API tokens, newest first, without their texts")
            .paged::<NoFilter>()
            .answer::<Page<ApiTokenAnswer>>(200)
            .handler_with(Arc::clone(room), list),
        Route::post("/api/v1/tenants/{tenant}/api-tokens/{token}/revoke", Guard::Tenant(Role::Owner))
            .operation_id("apiTokenRevoke")
            .summary("Ends an API token")
            .reasons(&[&API_TOKEN_NOT_FOUND])
            .optional_body::<Why>()
            .answer::<ChangedApiToken>(200)
            .handler_with(Arc::clone(room), revoke),
        Route::post("/api/v1/api-tokens", Guard::Platform)
            .operation_id("platformTokenCreate")
            .summary("Makes an API token that stands above all tenants, and shows its text this once")
            .reasons(&[&API_TOKEN_INVALID_EXPIRY])
            .idempotent()
            .body::<NewPlatformTokenBody>()
            .answer::<ShownApiToken>(201)
            .handler_with(Arc::clone(room), create_platform),
        Route::get("/api/v1/api-tokens", Guard::Platform)
            .operation_id("platformTokenList")
            .summary("Lists the API tokens that stand above all tenants, newest first, without their texts")
            .paged::<NoFilter>()
            .answer::<Page<ApiTokenAnswer>>(200)
            .handler_with(Arc::clone(room), list_platform),
        Route::post("/api/v1/api-tokens/{token}/revoke", Guard::Platform)
            .operation_id("platformTokenRevoke")
            .summary("Ends an API token that stands above all tenants")
            .reasons(&[&API_TOKEN_NOT_FOUND])
            .optional_body::<Why>()
            .answer::<ChangedApiToken>(200)
            .handler_with(Arc::clone(room), revoke_platform),
    ]
}

async fn create(
    State(room): State<Arc<CredentialsRoom>>,
    asker: Asker,
    Scoped(scope): Scoped,
    MaybeIdempotent(key): MaybeIdempotent,
    Json(body): Json<NewApiTokenBody>,
) -> Result<Answer<ShownApiToken>, Problem> {
    let new = NewApiToken::checked(body.name, body.role, body.expires_at, asker.clock.now())?;
    let path = format!("/api/v1/tenants/{}/api-tokens", scope.tenant);
    made(&room, &asker, &Owner::Tenant(scope.tenant), &new, key.as_ref(), &path).await
}

async fn create_platform(
    State(room): State<Arc<CredentialsRoom>>,
    asker: Asker,
    MaybeIdempotent(key): MaybeIdempotent,
    Json(body): Json<NewPlatformTokenBody>,
) -> Result<Answer<ShownApiToken>, Problem> {
    let new = NewApiToken::platform(body.name, body.expires_at, asker.clock.now())?;
    made(&room, &asker, &Owner::Platform, &new, key.as_ref(), "/api/v1/api-tokens").await
}

async fn made(
    room: &CredentialsRoom,
    asker: &Asker,
    owner: &Owner,
    new: &NewApiToken,
    key: Option<&Idempotent>,
    path: &str,
) -> Result<Answer<ShownApiToken>, Problem> {
    let remember = |token: &ApiToken| secret_of(key, token.id.as_str(), asker.clock.now());
    let MadeApiToken { token, text } = room.create_api_token(asker, owner, new, &remember).await?;
    Ok(Answer::created(format!("{path}/{}", token.id), ShownApiToken { object: token.into(), token: text.expose().to_owned() }))
}

async fn list(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    listing: Listing<NoFilter>,
) -> Result<Answer<Page<ApiTokenAnswer>>, Problem> {
    page_of(&room, &Owner::Tenant(scope.tenant), &listing).await
}

async fn list_platform(
    State(room): State<Arc<CredentialsRoom>>,
    listing: Listing<NoFilter>,
) -> Result<Answer<Page<ApiTokenAnswer>>, Problem> {
    page_of(&room, &Owner::Platform, &listing).await
}

async fn page_of(room: &CredentialsRoom, owner: &Owner, listing: &Listing<NoFilter>) -> Result<Answer<Page<ApiTokenAnswer>>, Problem> {
    let (after, rows) = page_bounds(&listing.page)?;
    let tokens = room.api_tokens(owner, &after, rows).await?;
    let page = Page::cut(tokens, listing.page.limit(), |token| Cursor::behind(token.created_at, &token.id));
    Ok(Answer::ok(page.map(ApiTokenAnswer::from)))
}

async fn revoke(
    State(room): State<Arc<CredentialsRoom>>,
    asker: Asker,
    Scoped(scope): Scoped,
    Path(id): Path<String>,
    OptionalJson(why): OptionalJson<Why>,
) -> Result<Answer<ChangedApiToken>, Problem> {
    ended(&room, &asker, &Owner::Tenant(scope.tenant), &id, &why).await
}

async fn revoke_platform(
    State(room): State<Arc<CredentialsRoom>>,
    asker: Asker,
    Path(id): Path<String>,
    OptionalJson(why): OptionalJson<Why>,
) -> Result<Answer<ChangedApiToken>, Problem> {
    ended(&room, &asker, &Owner::Platform, &id, &why).await
}

async fn ended(room: &CredentialsRoom, asker: &Asker, owner: &Owner, id: &str, why: &Why) -> Result<Answer<ChangedApiToken>, Problem> {
    let revoked = room.revoke_api_token(asker, owner, id, why.checked()?).await?;
    Ok(Answer::ok(ChangedApiToken(Changed { object: revoked.token.into(), changed: revoked.changed })))
}
