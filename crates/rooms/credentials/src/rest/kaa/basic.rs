//! `/api/v1/basic-credentials` (`kaa.md` 15.1, 15.2).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use signet_crypto::password::Password;
use signet_http::{Answer, Guard, IfMatch, Json, MaybeIdempotent, NoContent, Path, Problem, Query, Route, Scoped};
use signet_model::{CredentialKind, CredentialState, Reason, Refusal, Role, Username};
use utoipa::ToSchema;

use super::super::creation::SecretText;
use super::super::credential_state_words;
use super::super::new_password::{self, NewPassword};
use super::list::{Part, array};
use super::shape::{BasicCredential, tag, versions};
use super::tenant_wide;
use crate::CredentialsRoom;
use crate::credential::{Credential, Meant, username};
use crate::idempotency::repeating;
use crate::kaa_list::{KaaFilter, KaaList, Listed};
use crate::reasons::{
    CREDENTIAL_CHANGED, CREDENTIAL_ILLEGAL_TRANSITION, CREDENTIAL_NOT_FOUND, CREDENTIAL_USERNAME_TAKEN, PASSWORD_QUEUE_FULL,
    USERNAME_INVALID,
};
use crate::transition::Request;

const READ: Guard = tenant_wide("tenant:basic-credentials:read", Role::Auditor);
const CREATE: Guard = tenant_wide("tenant:basic-credentials:create", Role::Operator);
const UPDATE: Guard = tenant_wide("tenant:basic-credentials:update", Role::Operator);

/// A username and password to be made
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KaaNewBasicCredential)]
pub(in super::super) struct NewBasicCredential {
    /// The username: 1 to 255 characters, no control characters, no space at either end
    username: String,
    /// The password: 1 to 72 bytes
    #[schema(value_type = String, format = Password)]
    password: SecretText,
}

/// The state that is wanted
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KaaState)]
pub(in super::super) struct StateBody {
    /// Inactive, Active, Suspended or Revoked
    #[schema(schema_with = credential_state_words)]
    pub(super) state: CredentialState,
}

/// Which credentials, and which of them
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Only in this state
    #[schema(schema_with = credential_state_words, required = false)]
    state: Option<CredentialState>,
    /// Only with exactly this username
    username: Option<String>,
    /// How many to leave out at the beginning
    offset: Option<u32>,
    /// Most rows of the answer; without it the answer holds all of them
    #[schema(minimum = 1)]
    limit: Option<u32>,
}

const CREATE_REASONS: &[&Reason] = &[
    &USERNAME_INVALID,
    &signet_crypto::PASSWORD_EMPTY,
    &signet_crypto::PASSWORD_TOO_LONG,
    &signet_crypto::PASSWORD_NUL,
    &PASSWORD_QUEUE_FULL,
    &CREDENTIAL_USERNAME_TAKEN,
];

pub(in super::super) fn routes(room: &Arc<CredentialsRoom>) -> Vec<Route> {
    let set_state = |builder: signet_http::RouteBuilder, name| {
        builder
            .operation_id(name)
            .summary("Moves a username and password to a state, as Kaa's credential service does")
            .reasons(&[&CREDENTIAL_NOT_FOUND, &CREDENTIAL_ILLEGAL_TRANSITION, &CREDENTIAL_CHANGED])
            .conditional()
            .body::<StateBody>()
            .answer::<BasicCredential>(200)
            .handler_with(Arc::clone(room), state)
    };
    vec![
        Route::post("/api/v1/basic-credentials", CREATE)
            .operation_id("kaaBasicCredentialCreate")
            .summary("Makes a username and password, as Kaa's credential service does")
            .reasons(CREATE_REASONS)
            .idempotent()
            .body::<NewBasicCredential>()
            .answer::<BasicCredential>(201)
            .handler_with(Arc::clone(room), create),
        Route::get("/api/v1/basic-credentials", READ)
            .operation_id("kaaBasicCredentialList")
            .summary("Lists usernames, newest first, as Kaa's credential service does; `X-Total-Count` tells how many the filter finds")
            .query::<ListQuery>()
            .answer_list::<BasicCredential>(200)
            .handler_with(Arc::clone(room), list),
        Route::get("/api/v1/basic-credentials/{id}", READ)
            .operation_id("kaaBasicCredentialShow")
            .summary("Shows one username, as Kaa's credential service does")
            .reasons(&[&CREDENTIAL_NOT_FOUND])
            .answer::<BasicCredential>(200)
            .handler_with(Arc::clone(room), show),
        set_state(Route::put("/api/v1/basic-credentials/{id}/state", UPDATE), "kaaBasicCredentialSetState"),
        set_state(Route::patch("/api/v1/basic-credentials/{id}", UPDATE), "kaaBasicCredentialPatch"),
        Route::put("/api/v1/basic-credentials/{id}/password", UPDATE)
            .operation_id("kaaBasicCredentialSetPassword")
            .summary("Sets another password; sessions stay")
            .reasons(new_password::REASONS)
            .reasons(&[&CREDENTIAL_CHANGED])
            .conditional()
            .body::<NewPassword>()
            .no_content()
            .handler_with(Arc::clone(room), password),
    ]
}

async fn create(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    MaybeIdempotent(key): MaybeIdempotent,
    Json(body): Json<NewBasicCredential>,
) -> Result<Answer<BasicCredential>, Problem> {
    let username = username(&body.username)?;
    let password = Password::new(body.password.0).map_err(Refusal::from)?;
    let remember = |credential: &Credential| repeating(key.as_ref(), &created(credential.clone()), scope.now());
    let credential = room.create_basic_credential(&scope, &username, password, None, &remember).await?;
    Ok(created(credential))
}

fn created(credential: Credential) -> Answer<BasicCredential> {
    let tag = tag(&credential);
    Answer::created(format!("/api/v1/basic-credentials/{}", credential.id), credential.into()).with_tag(tag)
}

fn shown(credential: Credential) -> Answer<BasicCredential> {
    let tag = tag(&credential);
    Answer::ok(credential.into()).with_tag(tag)
}

async fn list(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let ListQuery { state, username, offset, limit } = query;
    let Part { offset, limit } = Part::new(offset, limit)?;
    let list = match username.map(|text| text.parse::<Username>()).transpose() {
        Ok(username) => {
            let filter = KaaFilter { listed: Listed::Basic(username), state };
            room.kaa_credentials(&scope, filter, offset, limit).await?
        }
        // Nobody can have it.
        Err(_) => KaaList::empty(),
    };
    let shapes = |rows: Vec<Credential>| rows.into_iter().map(BasicCredential::from).collect::<Vec<_>>();
    array(list.total, (shapes(list.rows), list.rest), move |rest| {
        let (room, scope) = (Arc::clone(&room), scope.clone());
        async move {
            let (rows, rest) = room.more_kaa_credentials(&scope, rest).await?;
            Ok((shapes(rows), rest))
        }
    })
}

async fn show(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Path(id): Path<String>,
) -> Result<Answer<BasicCredential>, Problem> {
    Ok(shown(room.meant(&scope, basic(&id, None)).await?))
}

async fn state(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Path(id): Path<String>,
    condition: IfMatch,
    Json(body): Json<StateBody>,
) -> Result<Answer<BasicCredential>, Problem> {
    let versions = versions(condition);
    let moved = room.move_credential(&scope, basic(&id, versions.as_deref()), Request::SetState(body.state), None).await?;
    Ok(shown(moved.credential))
}

async fn password(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Path(id): Path<String>,
    condition: IfMatch,
    Json(body): Json<NewPassword>,
) -> Result<NoContent, Problem> {
    let versions = versions(condition);
    let password = body.checked()?;
    room.set_password(&scope, basic(&id, versions.as_deref()), password).await?;
    Ok(NoContent)
}

/// A basic credential by its id; on these paths the other kinds do not exist.
fn basic<'a>(id: &'a str, versions: Option<&'a [i64]>) -> Meant<'a> {
    Meant::from(id).of_kind(CredentialKind::Basic).in_versions(versions)
}
