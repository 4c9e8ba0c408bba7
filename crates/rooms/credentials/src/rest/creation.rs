//! `POST /api/v1/tenants/{tenant}/credentials`: one route for every kind, as all kinds are one noun with one list and one life
//! (design 9); `kind` says which other members the body has.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize};
use signet_crypto::Secret;
use signet_crypto::password::Password;
use signet_http::{Answer, Guard, Json, MaybeIdempotent, Problem, Route, Scoped};
use signet_model::{CredentialKind, Reason, Refusal, Role, Scope, Username, kinds};
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::credentials::CredentialAnswer;
use super::one_of;
use crate::CredentialsRoom;
use crate::credential::{Credential, username};
use crate::endpoint_token::NewEndpointToken;
use crate::idempotency::{repeating, secret_of};
use crate::identity::IdentityRef;
use crate::reasons::{
    APPLICATION_INVALID_NAME, CREDENTIAL_USERNAME_TAKEN, ENDPOINT_INVALID_ID, ENDPOINT_TOKEN_INVALID, ENDPOINT_TOKEN_TAKEN,
    IDENTITY_NOT_FOUND, PASSWORD_QUEUE_FULL, USERNAME_INVALID,
};

/// A secret on its way in: wiped when it is dropped, never shown.
pub(super) struct SecretText(pub(super) Secret);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::from(text)))
    }
}

/// A credential to be made: of kind `basic` with `username` and `password`, of kind `endpoint_token` with `application`,
/// `endpoint` and perhaps `token`
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCredential {
    /// What it is to be
    #[schema(schema_with = made_here)]
    kind: CredentialKind,
    /// Kind basic: the username: 1 to 255 characters, no control characters, no space at either end
    username: Option<String>,
    /// Kind basic: the password: 1 to 72 bytes
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretText>,
    /// Kind endpoint_token: the application that the endpoint is of; it belongs to the tenant that used it first
    application: Option<String>,
    /// Kind endpoint_token: the endpoint that the token stands for
    endpoint: Option<String>,
    /// Kind endpoint_token: the token: 1 to 255 characters without `+`, `#`, `/`, `.` and control characters; without it one is
    /// generated
    #[schema(value_type = Option<String>, format = Password)]
    token: Option<SecretText>,
    /// Id or name of the identity that it is to prove
    identity: Option<String>,
}

fn made_here() -> Object {
    one_of([CredentialKind::Basic.as_str(), CredentialKind::EndpointToken.as_str()])
}

/// A credential that was just made; an endpoint token with its text, which is shown this once. No `Debug`: it holds the text
#[derive(Serialize, ToSchema)]
struct MadeCredential {
    #[serde(flatten)]
    object: CredentialAnswer,
    /// The text of an endpoint token; keep it, it cannot be shown again
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

const REASONS: &[&Reason] = &[
    &USERNAME_INVALID,
    &signet_crypto::PASSWORD_EMPTY,
    &signet_crypto::PASSWORD_TOO_LONG,
    &signet_crypto::PASSWORD_NUL,
    &PASSWORD_QUEUE_FULL,
    &APPLICATION_INVALID_NAME,
    &ENDPOINT_INVALID_ID,
    &ENDPOINT_TOKEN_INVALID,
    &ENDPOINT_TOKEN_TAKEN,
    &IDENTITY_NOT_FOUND,
    &CREDENTIAL_USERNAME_TAKEN,
];

pub(super) fn routes(room: &Arc<CredentialsRoom>) -> Vec<Route> {
    vec![
        Route::post("/api/v1/tenants/{tenant}/credentials", Guard::Tenant(Role::Operator))
            .operation_id("credentialCreate")
            .summary("Makes a credential; the text of an endpoint token is shown this once")
            .reasons(REASONS)
            .idempotent()
            .body::<NewCredential>()
            .answer::<MadeCredential>(201)
            .handler_with(Arc::clone(room), create),
    ]
}

/// What is to be made, with the members of its kind and no others.
enum Wanted {
    Basic { username: Username, password: Password },
    EndpointToken(NewEndpointToken),
}

fn missing(member: &str, kind: CredentialKind) -> Refusal {
    Refusal::new(&kinds::INPUT_INVALID, format!("`{member}` of the body: missing, and kind {kind} has it"))
}

impl NewCredential {
    fn checked(self, room: &CredentialsRoom) -> Result<Wanted, Refusal> {
        let given = [
            ("username", self.username.is_some()),
            ("password", self.password.is_some()),
            ("application", self.application.is_some()),
            ("endpoint", self.endpoint.is_some()),
            ("token", self.token.is_some()),
        ];
        let own: &[&str] = match self.kind {
            CredentialKind::Basic => &["username", "password"],
            CredentialKind::EndpointToken => &["application", "endpoint", "token"],
            CredentialKind::X509 | CredentialKind::PublicKey => {
                let detail = "`kind` of the body: wanted basic or endpoint_token; the other kinds are not made here";
                return Err(Refusal::new(&kinds::INPUT_INVALID, detail));
            }
        };
        if let Some((foreign, _)) = given.iter().find(|(member, given)| *given && !own.contains(member)) {
            return Err(Refusal::new(&kinds::INPUT_INVALID, format!("`{foreign}` of the body: kind {} has none", self.kind)));
        }
        let need = |member, text: Option<String>| text.ok_or_else(|| missing(member, self.kind));
        match self.kind {
            CredentialKind::Basic => {
                let password = self.password.ok_or_else(|| missing("password", self.kind))?;
                let username = username(&need("username", self.username)?)?;
                Ok(Wanted::Basic { username, password: Password::new(password.0).map_err(Refusal::from)? })
            }
            _ => {
                let (endpoint, application) = (need("endpoint", self.endpoint)?, need("application", self.application)?);
                let token = self.token.map(|token| token.0);
                let generated = (room.config.ep_token_length, room.entropy.as_ref());
                NewEndpointToken::checked(&endpoint, &application, token, self.identity.as_deref(), generated).map(Wanted::EndpointToken)
            }
        }
    }
}

async fn create(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    MaybeIdempotent(key): MaybeIdempotent,
    Json(body): Json<NewCredential>,
) -> Result<Answer<MadeCredential>, Problem> {
    let identity = body.identity.as_deref().map(IdentityRef::parse);
    match body.checked(&room)? {
        Wanted::Basic { username, password } => {
            let remember = |credential: &Credential| repeating(key.as_ref(), &made(&scope, credential.clone(), None), scope.now());
            let credential = room.create_basic_credential(&scope, &username, password, identity.as_ref(), &remember).await?;
            Ok(made(&scope, credential, None))
        }
        Wanted::EndpointToken(new) => {
            let remember = |credential: &Credential| secret_of(key.as_ref(), credential.id.as_str(), scope.now());
            let credential = room.create_endpoint_token(&scope, &new, &remember).await?;
            Ok(made(&scope, credential, Some(new.into_token().expose().to_owned())))
        }
    }
}

fn made(scope: &Scope, credential: Credential, token: Option<String>) -> Answer<MadeCredential> {
    let location = format!("/api/v1/tenants/{}/credentials/{}", scope.tenant, credential.id);
    Answer::created(location, MadeCredential { object: credential.into(), token })
}
