//! `/api/v1/tenants/{tenant}/credentials`; how they are made is in `creation`.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use signet_http::{Answer, Guard, Json, Listing, OptionalJson, Page, Path, PeerAddress, Problem, Route, Scoped};
use signet_model::{CredentialId, CredentialKind, CredentialState, Decision, IdentityId, Refusal, Role, Scope, TenantId, Timestamp, kinds};
use signet_pki::{IssuerName, Serial};
use utoipa::ToSchema;

use super::creation::SecretText;
use super::{Changed, Why, credential_kind_words, credential_state_words, page_bounds};
use crate::CredentialsRoom;
use crate::check::Approach;
use crate::credential::{Credential, CredentialFilter};
use crate::identity::IdentityRef;
use crate::reasons::{CHECK_RATE_LIMITED, CREDENTIAL_ILLEGAL_TRANSITION, CREDENTIAL_NOT_FOUND, PASSWORD_QUEUE_FULL};
use crate::sql::Cursor;
use crate::transition::Request;
use crate::verdict::Evidence;

/// By what an identity proves itself. Never with anything secret
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Credential)]
pub(super) struct CredentialAnswer {
    /// Its id
    #[schema(value_type = String)]
    id: CredentialId,
    /// What it is
    #[schema(schema_with = credential_kind_words)]
    kind: CredentialKind,
    /// The username of a basic credential, without the tenant
    username: Option<String>,
    /// The application of an endpoint token
    application: Option<String>,
    /// The endpoint of an endpoint token
    endpoint: Option<String>,
    /// The issuer of a certificate, in the form `CN=…,O=…`
    issuer: Option<String>,
    /// The serial number of a certificate, in decimal
    serial: Option<String>,
    /// The common name of a certificate's subject
    common_name: Option<String>,
    /// The first instant of a certificate's validity
    #[schema(value_type = Option<String>, format = DateTime)]
    not_before: Option<Timestamp>,
    /// The last instant of a certificate's validity
    #[schema(value_type = Option<String>, format = DateTime)]
    not_after: Option<Timestamp>,
    /// The trust anchor that vouches for a foreign certificate
    anchor: Option<String>,
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
        let certificate = credential.certificate.map(|certificate| *certificate);
        Self {
            id: credential.id,
            kind: credential.kind,
            username: credential.username,
            application: credential.application,
            endpoint: credential.endpoint,
            issuer: certificate.as_ref().map(|certificate| certificate.issuer.clone()),
            serial: certificate.as_ref().map(|certificate| certificate.serial.clone()),
            common_name: certificate.as_ref().and_then(|certificate| certificate.common_name.clone()),
            not_before: certificate.as_ref().map(|certificate| certificate.not_before),
            not_after: certificate.as_ref().map(|certificate| certificate.not_after),
            anchor: certificate.and_then(|certificate| certificate.anchor),
            state: credential.state,
            identity: credential.identity,
            created_at: credential.created_at,
            updated_at: credential.updated_at,
            last_used_at: credential.last_used_at,
            version: credential.version,
        }
    }
}

/// A credential and whether the request changed it
#[derive(Debug, Serialize, ToSchema)]
struct ChangedCredential(Changed<CredentialAnswer>);

/// A username and a password to be checked
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckBody {
    /// The username, without the tenant
    username: String,
    /// The password
    #[schema(value_type = String, format = Password)]
    password: SecretText,
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
    /// Only endpoint tokens of exactly this application
    application: Option<String>,
    /// Only endpoint tokens of exactly this endpoint
    endpoint: Option<String>,
    /// Only certificates with exactly this common name
    common_name: Option<String>,
    /// Only certificates with this serial number: digits are decimal; `0x…`, and pairs of hexadecimal digits with colons or spaces
    /// are taken, too
    serial: Option<String>,
    /// Only certificates of this issuer, in any form such as `CN=acme` or `/C=US/O=Acme`; beside `serial`
    issuer: Option<String>,
}

impl Filter {
    /// The filter of the domain; none when nothing can match.
    fn checked(self) -> Result<Option<CredentialFilter>, Refusal> {
        if self.issuer.is_some() && self.serial.is_none() {
            return Err(Refusal::new(&kinds::INPUT_INVALID, "`issuer` of the query: wanted beside `serial`"));
        }
        Ok(self.parsed())
    }

    fn parsed(self) -> Option<CredentialFilter> {
        let Self { kind, state, username, identity, application, endpoint, common_name, serial, issuer } = self;
        Some(CredentialFilter {
            kind,
            state,
            username: username.map(|text| text.parse()).transpose().ok()?,
            identity: identity.as_deref().map(IdentityRef::parse),
            application: application.map(|text| text.parse()).transpose().ok()?,
            endpoint: endpoint.map(|text| text.parse()).transpose().ok()?,
            common_name,
            serial: serial.map(|text| Serial::parse_text(&text)).transpose().ok()?,
            issuer: issuer.map(|text| IssuerName::parse_liberal(&text)).transpose().ok()?,
        })
    }
}

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
        Route::get("/api/v1/tenants/{tenant}/credentials", Guard::Tenant(Role::Auditor))
            .operation_id("credentialList")
            .summary("Lists credentials, newest first")
            .paged::<Filter>()
            .answer::<Page<CredentialAnswer>>(200)
            .handler_with(Arc::clone(room), list),
        Route::post("/api/v1/tenants/{tenant}/credentials/check", Guard::Tenant(Role::Operator))
            .operation_id("credentialCheck")
            .summary("Decides on a username and password as a gateway's request is decided; the first success activates")
            .reasons(&[&PASSWORD_QUEUE_FULL, &CHECK_RATE_LIMITED])
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

async fn list(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    listing: Listing<Filter>,
) -> Result<Answer<Page<CredentialAnswer>>, Problem> {
    let (after, rows) = page_bounds(&listing.page)?;
    // What a filter wants and nothing can have finds nothing.
    let Some(filter) = listing.filter.checked()? else { return Ok(Answer::ok(Page { items: Vec::new(), next: None })) };
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
    peer: Option<Extension<PeerAddress>>,
    Json(body): Json<CheckBody>,
) -> Result<Answer<CheckDecision>, Problem> {
    let approach = Approach::rest(peer.map(|Extension(PeerAddress(address))| address.ip()));
    let checked = room.check(&scope, &body.username, body.password.0, approach).await?;
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
