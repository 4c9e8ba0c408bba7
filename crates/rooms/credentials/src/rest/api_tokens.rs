//! `/api/v1/tenants/{tenant}/api-tokens`.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use signet_http::{Answer, Guard, Json, Listing, MaybeIdempotent, NoFilter, OptionalJson, Page, Path, Problem, Route, Scoped};
use signet_model::{ApiTokenId, Role, Timestamp};
use utoipa::ToSchema;

use super::{Changed, Why, page_bounds, tenant_role_words};
use crate::CredentialsRoom;
use crate::api_token::{ApiToken, MadeApiToken, NewApiToken};
use crate::idempotency::secret_of;
use crate::reasons::{API_TOKEN_INVALID_EXPIRY, API_TOKEN_NOT_FOUND};
use crate::sql::Cursor;

/// A token that a program calls the API of one tenant with. Never its text
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiToken)]
struct ApiTokenAnswer {
    /// Its id
    #[schema(value_type = String)]
    id: ApiTokenId,
    /// What it is for
    name: Option<String>,
    /// What it may do
    #[schema(schema_with = tenant_role_words)]
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
    #[schema(schema_with = tenant_role_words)]
    role: Role,
    /// When it ends by itself: in the future, at most ten years from now
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// What it is for
    name: Option<String>,
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
    ]
}

async fn create(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    MaybeIdempotent(key): MaybeIdempotent,
    Json(body): Json<NewApiTokenBody>,
) -> Result<Answer<ShownApiToken>, Problem> {
    let new = NewApiToken::checked(body.name, body.role, body.expires_at, scope.now())?;
    let remember = |token: &ApiToken| secret_of(key.as_ref(), token.id.as_str(), scope.now());
    let MadeApiToken { token, text } = room.create_api_token(&scope, &new, &remember).await?;
    let location = format!("/api/v1/tenants/{}/api-tokens/{}", scope.tenant, token.id);
    Ok(Answer::created(location, ShownApiToken { object: token.into(), token: text.expose().to_owned() }))
}

async fn list(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    listing: Listing<NoFilter>,
) -> Result<Answer<Page<ApiTokenAnswer>>, Problem> {
    let (after, rows) = page_bounds(&listing.page)?;
    let tokens = room.api_tokens(&scope, &after, rows).await?;
    let page = Page::cut(tokens, listing.page.limit(), |token| Cursor::behind(token.created_at, &token.id));
    Ok(Answer::ok(page.map(ApiTokenAnswer::from)))
}

async fn revoke(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Path(id): Path<String>,
    OptionalJson(why): OptionalJson<Why>,
) -> Result<Answer<ChangedApiToken>, Problem> {
    let revoked = room.revoke_api_token(&scope, &id, why.checked()?).await?;
    Ok(Answer::ok(ChangedApiToken(Changed { object: revoked.token.into(), changed: revoked.changed })))
}
