//! `/api/v1/tenants/{tenant}/identities`. Wherever a path holds an identity, its name does as well as its id.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use signet_http::{Answer, Guard, Json, Listing, MaybeIdempotent, NoFilter, OptionalJson, Page, Path, Problem, Route, Scoped};
use signet_model::{Enabled, IdentityId, IdentityKind, IdentityName, Role, Scope, Timestamp};
use utoipa::ToSchema;

use super::{Changed, Why, enabled_words, identity_kind_words, page_bounds};
use crate::CredentialsRoom;
use crate::idempotency::repeating;
use crate::identity::{Identity, IdentityRef, NewIdentity};
use crate::reasons::{IDENTITY_EXISTS, IDENTITY_INVALID_LABELS, IDENTITY_INVALID_NAME, IDENTITY_NOT_FOUND};
use crate::sql::Cursor;

/// Something that acts: a device, a service or an operator
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Identity)]
struct IdentityAnswer {
    /// Its id
    #[schema(value_type = String)]
    id: IdentityId,
    /// Its name, unique in the tenant
    #[schema(value_type = String)]
    name: IdentityName,
    /// What it is
    #[schema(schema_with = identity_kind_words)]
    kind: IdentityKind,
    /// Whether its credentials work
    #[schema(schema_with = enabled_words)]
    state: Enabled,
    /// Free labels
    labels: BTreeMap<String, String>,
    /// When it was made
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last changed
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Grows with each change
    version: i64,
}

impl From<Identity> for IdentityAnswer {
    fn from(identity: Identity) -> Self {
        let Identity { id, name, kind, state, labels, created_at, updated_at, version } = identity;
        Self { id, name, kind, state, labels, created_at, updated_at, version }
    }
}

/// An identity to be made
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewIdentity)]
pub(super) struct NewIdentityBody {
    /// Its name: 1 to 128 letters, digits and `.` `_` `~` `:` `@` `-`, beginning with a letter or digit
    name: String,
    /// What it is
    #[schema(schema_with = identity_kind_words)]
    kind: IdentityKind,
    /// Free labels: at most 32
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// An identity and whether the request changed it
#[derive(Debug, Serialize, ToSchema)]
struct ChangedIdentity(Changed<IdentityAnswer>);

pub(super) fn routes(room: &Arc<CredentialsRoom>) -> Vec<Route> {
    let switch = |path, name, summary| {
        Route::post(path, Guard::Tenant(Role::Operator))
            .operation_id(name)
            .summary(summary)
            .optional_body::<Why>()
            .answer::<ChangedIdentity>(200)
    };
    vec![
        Route::post("/api/v1/tenants/{tenant}/identities", Guard::Tenant(Role::Operator))
            .operation_id("identityCreate")
            .summary("Makes an identity")
            .reasons(&[&IDENTITY_INVALID_NAME, &IDENTITY_INVALID_LABELS, &IDENTITY_EXISTS])
            .idempotent()
            .body::<NewIdentityBody>()
            .answer::<IdentityAnswer>(201)
            .handler_with(Arc::clone(room), create),
        Route::get("/api/v1/tenants/{tenant}/identities", Guard::Tenant(Role::Auditor))
            .operation_id("identityList")
            .summary("Lists identities, newest first")
            .paged::<NoFilter>()
            .answer::<Page<IdentityAnswer>>(200)
            .handler_with(Arc::clone(room), list),
        Route::get("/api/v1/tenants/{tenant}/identities/{identity}", Guard::Tenant(Role::Auditor))
            .operation_id("identityShow")
            .summary("Shows one identity, by id or name")
            .reasons(&[&IDENTITY_NOT_FOUND])
            .answer::<IdentityAnswer>(200)
            .handler_with(Arc::clone(room), show),
        switch("/api/v1/tenants/{tenant}/identities/{identity}/enable", "identityEnable", "Lets an identity's credentials work again")
            .reasons(&[&IDENTITY_NOT_FOUND])
            .handler_with(Arc::clone(room), enable),
        switch("/api/v1/tenants/{tenant}/identities/{identity}/disable", "identityDisable", "Refuses every credential of an identity")
            .reasons(&[&IDENTITY_NOT_FOUND])
            .handler_with(Arc::clone(room), disable),
    ]
}

async fn create(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    MaybeIdempotent(key): MaybeIdempotent,
    Json(body): Json<NewIdentityBody>,
) -> Result<Answer<IdentityAnswer>, Problem> {
    let new = NewIdentity::checked(&body.name, body.kind, body.labels)?;
    let remember = |identity: &Identity| repeating(key.as_ref(), &created(&scope, identity.clone()), scope.now());
    let identity = room.create_identity(&scope, &new, &remember).await?;
    Ok(created(&scope, identity))
}

fn created(scope: &Scope, identity: Identity) -> Answer<IdentityAnswer> {
    Answer::created(format!("/api/v1/tenants/{}/identities/{}", scope.tenant, identity.id), identity.into())
}

async fn list(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    listing: Listing<NoFilter>,
) -> Result<Answer<Page<IdentityAnswer>>, Problem> {
    let (after, rows) = page_bounds(&listing.page)?;
    let identities = room.identities(&scope, &after, rows).await?;
    let page = Page::cut(identities, listing.page.limit(), |identity| Cursor::behind(identity.created_at, &identity.id));
    Ok(Answer::ok(page.map(IdentityAnswer::from)))
}

async fn show(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Path(wanted): Path<String>,
) -> Result<Answer<IdentityAnswer>, Problem> {
    Ok(Answer::ok(room.identity(&scope, &IdentityRef::parse(&wanted)).await?.into()))
}

async fn enable(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Path(wanted): Path<String>,
    OptionalJson(why): OptionalJson<Why>,
) -> Result<Answer<ChangedIdentity>, Problem> {
    switch(&room, &scope, &wanted, Enabled::Enabled, &why).await
}

async fn disable(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Path(wanted): Path<String>,
    OptionalJson(why): OptionalJson<Why>,
) -> Result<Answer<ChangedIdentity>, Problem> {
    switch(&room, &scope, &wanted, Enabled::Disabled, &why).await
}

async fn switch(room: &CredentialsRoom, scope: &Scope, wanted: &str, to: Enabled, why: &Why) -> Result<Answer<ChangedIdentity>, Problem> {
    let switched = room.switch_identity(scope, &IdentityRef::parse(wanted), to, why.checked()?).await?;
    Ok(Answer::ok(ChangedIdentity(Changed { object: switched.identity.into(), changed: switched.changed })))
}
