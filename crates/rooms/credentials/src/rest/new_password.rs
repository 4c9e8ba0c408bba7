//! `PUT /api/v1/tenants/{tenant}/credentials/{credential}/password`.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use signet_crypto::password::Password;
use signet_http::{Answer, Guard, Json, Path, Problem, Route, Scoped};
use signet_model::{Reason, Refusal, Role};
use utoipa::ToSchema;

use super::creation::SecretText;
use super::credentials::CredentialAnswer;
use crate::CredentialsRoom;
use crate::reasons::{CREDENTIAL_ILLEGAL_TRANSITION, CREDENTIAL_NO_PASSWORD, CREDENTIAL_NOT_FOUND, PASSWORD_QUEUE_FULL};

/// Another password
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    /// The password: 1 to 72 bytes
    #[schema(value_type = String, format = Password)]
    password: SecretText,
}

impl NewPassword {
    /// The password, if it can be one.
    pub(super) fn checked(self) -> Result<Password, Refusal> {
        Password::new(self.password.0).map_err(Refusal::from)
    }
}

/// What setting a password is refused with.
pub(super) const REASONS: &[&Reason] = &[
    &signet_crypto::PASSWORD_EMPTY,
    &signet_crypto::PASSWORD_TOO_LONG,
    &signet_crypto::PASSWORD_NUL,
    &PASSWORD_QUEUE_FULL,
    &CREDENTIAL_NOT_FOUND,
    &CREDENTIAL_NO_PASSWORD,
    &CREDENTIAL_ILLEGAL_TRANSITION,
];

pub(super) fn routes(room: &Arc<CredentialsRoom>) -> Vec<Route> {
    vec![
        Route::put("/api/v1/tenants/{tenant}/credentials/{credential}/password", Guard::Tenant(Role::Operator))
            .operation_id("credentialSetPassword")
            .summary("Sets another password; sessions stay")
            .reasons(REASONS)
            .body::<NewPassword>()
            .answer::<CredentialAnswer>(200)
            .handler_with(Arc::clone(room), set_password),
    ]
}

async fn set_password(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Path(id): Path<String>,
    Json(body): Json<NewPassword>,
) -> Result<Answer<CredentialAnswer>, Problem> {
    let password = body.checked()?;
    Ok(Answer::ok(room.set_password(&scope, &id, password).await?.into()))
}
