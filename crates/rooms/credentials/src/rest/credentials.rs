//! `/api/v1/tenants/{tenant}/credentials`.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize};
use signet_crypto::Secret;
use signet_crypto::password::Password;
use signet_http::{Answer, Guard, Json, Listing, MaybeIdempotent, OptionalJson, Page, Path, Problem, Route, Scoped};
use signet_model::{
    CredentialId, CredentialKind, CredentialState, Decision, IdentityId, Reason, Refusal, Role, Scope, TenantId, Timestamp, Username, kinds,
};
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::{Changed, Why, credential_kind_words, credential_state_words, one_of, page_bounds};
use crate::CredentialsRoom;
use crate::check::Evidence;
use crate::credential::{Credential, CredentialFilter, username};
use crate::idempotency::repeating;
use crate::identity::IdentityRef;
use crate::reasons::{
    CREDENTIAL_ILLEGAL_TRANSITION, CREDENTIAL_NOT_FOUND, CREDENTIAL_USERNAME_TAKEN, IDENTITY_NOT_FOUND, PASSWORD_QUEUE_FULL,
    USERNAME_INVALID,
};
use crate::sql::Cursor;
use crate::transition::Request;

/// By what an identity proves itself. Never with anything secret
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Credential)]
struct CredentialAnswer {
    /// Its id
    #[schema(value_type = String)]
    id: CredentialId,
    /// What it is
    #[schema(schema_with = credential_kind_words)]
    kind: CredentialKind,
    /// The username of a basic credential, without the tenant
    username: Option<String>,
    /// Where it stands in its life
    #[schema(schema_with = credential_state_words)]
    state: CredentialState,
    /// The id of the identity that it proves
    #[schema(value_type = Option<String>)]
    identity: Option<IdentityId>,
    /// When it was made
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When the API last changed it
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Its last successful use, to the minute; null before the first
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// Grows with each change of state
    version: i64,
}

impl From<Credential> for CredentialAnswer {
    fn from(credential: Credential) -> Self {
        let Credential { id, kind, state, username, identity, created_at, updated_at, last_used_at, version } = credential;
        Self { id, kind, username, state, identity, created_at, updated_at, last_used_at, version }
    }
}

/// A credential and whether the request changed it
#[derive(Debug, Serialize, ToSchema)]
struct ChangedCredential(Changed<CredentialAnswer>);

/// A password on its way in: wiped when it is dropped, never shown.
struct PasswordText(Secret);

impl<'de> Deserialize<'de> for PasswordText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::from(text)))
    }
}

/// A credential to be made
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCredential {
    /// What it is to be
    #[schema(schema_with = basic_only)]
    kind: CredentialKind,
    /// The username: 1 to 255 characters, no control characters, no space at either end
    username: String,
    /// The password: 1 to 72 bytes
    #[schema(value_type = String, format = Password)]
    password: PasswordText,
    /// Id or name of the identity that it is to prove
    identity: Option<String>,
}

fn basic_only() -> Object {
    one_of([CredentialKind::Basic.as_str()])
}

/// A username and a password to be checked
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckBody {
    /// The username, without the tenant
    username: String,
    /// The password
    #[schema(value_type = String, format = Password)]
    password: PasswordText,
}

/// Whether a client with these would be let in, and why not
#[derive(Debug, Serialize, ToSchema)]
struct CheckDecision {
    /// Whether it may connect
    allowed: bool,
    /// Reason code of a refusal
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    reason: Option<&'static str>,
    /// What was seen
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// What would change the decision
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
    /// The credential, when the password was right
    #[schema(value_type = Option<String>)]
    credential: Option<CredentialId>,
    /// Its state, when the password was right
    #[schema(value_type = Option<String>)]
    state: Option<CredentialState>,
    /// The username that was given
    username: String,
    /// The tenant
    #[schema(value_type = String)]
    tenant: TenantId,
}

impl From<Decision<Evidence>> for CheckDecision {
    fn from(decision: Decision<Evidence>) -> Self {
        let Decision { allowed, reason, detail, fix, evidence } = decision;
        let Evidence { credential, state, username, tenant } = evidence;
        Self { allowed, reason, detail, fix, credential, state, username, tenant }
    }
}

/// Exact filters of the list
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// Only this kind
    #[schema(schema_with = credential_kind_words, required = false)]
    kind: Option<CredentialKind>,
    /// Only in this state
    #[schema(schema_with = credential_state_words, required = false)]
    state: Option<CredentialState>,
    /// Only with exactly this username
    username: Option<String>,
    /// Only of this identity, by id or name
    identity: Option<String>,
}

const CREATE_REASONS: &[&Reason] = &[
    &USERNAME_INVALID,
    &signet_crypto::PASSWORD_EMPTY,
    &signet_crypto::PASSWORD_TOO_LONG,
    &signet_crypto::PASSWORD_NUL,
    &PASSWORD_QUEUE_FULL,
    &IDENTITY_NOT_FOUND,
    &CREDENTIAL_USERNAME_TAKEN,
];

pub(super) fn routes(room: &Arc<CredentialsRoom>) -> Vec<Route> {
    let transition = |path, name, summary| {
        Route::post(path, Guard::Tenant(Role::Operator))
            .operation_id(name)
            .summary(summary)
            .reasons(&[&CREDENTIAL_NOT_FOUND, &CREDENTIAL_ILLEGAL_TRANSITION])
            .optional_body::<Why>()
            .answer::<ChangedCredential>(200)
    };
    vec![
        Route::post("/api/v1/tenants/{tenant}/credentials", Guard::Tenant(Role::Operator))
            .operation_id("credentialCreate")
            .summary("Makes a credential")
            .reasons(CREATE_REASONS)
            .idempotent()
            .body::<NewCredential>()
            .answer::<CredentialAnswer>(201)
            .handler_with(Arc::clone(room), create),
        Route::get("/api/v1/tenants/{tenant}/credentials", Guard::Tenant(Role::Auditor))
            .operation_id("credentialList")
            .summary("Lists credentials, newest first")
            .paged::<Filter>()
            .answer::<Page<CredentialAnswer>>(200)
            .handler_with(Arc::clone(room), list),
        Route::post("/api/v1/tenants/{tenant}/credentials/check", Guard::Tenant(Role::Operator))
            .operation_id("credentialCheck")
            .summary("Decides on a username and password as a gateway's request is decided; the first success activates")
            .reasons(&[&PASSWORD_QUEUE_FULL])
            .body::<CheckBody>()
            .answer::<CheckDecision>(200)
            .handler_with(Arc::clone(room), check),
        Route::get("/api/v1/tenants/{tenant}/credentials/{credential}", Guard::Tenant(Role::Auditor))
            .operation_id("credentialShow")
            .summary("Shows one credential")
            .reasons(&[&CREDENTIAL_NOT_FOUND])
            .answer::<CredentialAnswer>(200)
            .handler_with(Arc::clone(room), show),
        transition("/api/v1/tenants/{tenant}/credentials/{credential}/suspend", "credentialSuspend", "Refuses a credential for now")
            .handler_with(Arc::clone(room), suspend),
        transition(
            "/api/v1/tenants/{tenant}/credentials/{credential}/resume",
            "credentialResume",
            "Lets a suspended credential work again",
        )
        .handler_with(Arc::clone(room), resume),
        transition("/api/v1/tenants/{tenant}/credentials/{credential}/revoke", "credentialRevoke", "Refuses a credential for ever")
            .handler_with(Arc::clone(room), revoke),
    ]
}

async fn create(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    MaybeIdempotent(key): MaybeIdempotent,
    Json(body): Json<NewCredential>,
) -> Result<Answer<CredentialAnswer>, Problem> {
    match body.kind {
        CredentialKind::Basic => {}
        CredentialKind::X509 | CredentialKind::PublicKey | CredentialKind::EndpointToken => {
            return Err(Problem::new(&kinds::INPUT_INVALID, "`kind` of the body: wanted basic; the other kinds are not made here"));
        }
    }
    let username = username(&body.username)?;
    let password = Password::new(body.password.0).map_err(Refusal::from)?;
    let identity = body.identity.as_deref().map(IdentityRef::parse);
    let remember = |credential: &Credential| repeating(key.as_ref(), &created(&scope, credential.clone()), scope.now());
    let credential = room.create_basic_credential(&scope, &username, password, identity.as_ref(), &remember).await?;
    Ok(created(&scope, credential))
}

fn created(scope: &Scope, credential: Credential) -> Answer<CredentialAnswer> {
    Answer::created(format!("/api/v1/tenants/{}/credentials/{}", scope.tenant, credential.id), credential.into())
}

async fn list(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    listing: Listing<Filter>,
) -> Result<Answer<Page<CredentialAnswer>>, Problem> {
    let (after, rows) = page_bounds(&listing.page)?;
    let Filter { kind, state, username, identity } = listing.filter;
    let username = match username.map(|text| text.parse::<Username>()).transpose() {
        Ok(username) => username,
        // Nobody can have it.
        Err(_) => return Ok(Answer::ok(Page { items: Vec::new(), next: None })),
    };
    let filter = CredentialFilter { kind, state, username, identity: identity.as_deref().map(IdentityRef::parse) };
    let credentials = room.credentials(&scope, &filter, &after, rows).await?;
    let page = Page::cut(credentials, listing.page.limit(), |credential| Cursor::behind(credential.created_at, &credential.id));
    Ok(Answer::ok(page.map(CredentialAnswer::from)))
}

async fn show(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Path(id): Path<String>,
) -> Result<Answer<CredentialAnswer>, Problem> {
    Ok(Answer::ok(room.credential(&scope, &id).await?.into()))
}

async fn check(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Json(body): Json<CheckBody>,
) -> Result<Answer<CheckDecision>, Problem> {
    let checked = room.check(&scope, &body.username, body.password.0, CredentialsRoom::check_deadline()).await?;
    Ok(Answer::ok(checked.decision(&scope.tenant, &body.username).into()))
}

async fn suspend(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Path(id): Path<String>,
    OptionalJson(why): OptionalJson<Why>,
) -> Result<Answer<ChangedCredential>, Problem> {
    transit(&room, &scope, &id, Request::Suspend, &why).await
}

async fn resume(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Path(id): Path<String>,
    OptionalJson(why): OptionalJson<Why>,
) -> Result<Answer<ChangedCredential>, Problem> {
    transit(&room, &scope, &id, Request::Resume, &why).await
}

async fn revoke(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Path(id): Path<String>,
    OptionalJson(why): OptionalJson<Why>,
) -> Result<Answer<ChangedCredential>, Problem> {
    transit(&room, &scope, &id, Request::Revoke, &why).await
}

async fn transit(
    room: &CredentialsRoom,
    scope: &Scope,
    id: &str,
    request: Request,
    why: &Why,
) -> Result<Answer<ChangedCredential>, Problem> {
    let moved = room.move_credential(scope, id, request, why.checked()?).await?;
    Ok(Answer::ok(ChangedCredential(Changed { object: moved.credential.into(), changed: moved.changed })))
}
