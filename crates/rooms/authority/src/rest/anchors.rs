//! `/api/v1/tenants/{tenant}/anchors` and `POST /api/v1/tenants/{tenant}/certificates/import`.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use signet_http::{Answer, Guard, Json, Listing, NoContent, NoFilter, Page, Path, Problem, Route, Scoped};
use signet_model::{AnchorId, Role, Timestamp};
use utoipa::ToSchema;

use super::inventory::WholeCertificate;
use super::pem_of;
use crate::AuthorityRoom;
use crate::anchors::{NewAnchor, StoredAnchor};
use crate::reasons::{
    ANCHOR_EXISTS, ANCHOR_INVALID, ANCHOR_NOT_FOUND, ANCHOR_TOO_MANY, CERTIFICATE_KNOWN, CERTIFICATE_NOT_ALLOWED, CERTIFICATE_UNTRUSTED,
    KEY_COMPROMISED,
};
use crate::sql::Cursor;

/// A foreign CA that the tenant trusts
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Anchor)]
struct AnchorAnswer {
    /// Its id
    #[schema(value_type = String)]
    id: AnchorId,
    /// Its subject, in canonical form
    subject: String,
    /// What it may vouch for; empty: anything
    names: Vec<String>,
    /// Whether certificates of version 1 that it issued itself are taken
    allow_v1_leaf: bool,
    /// The first instant of its validity
    #[schema(value_type = String, format = DateTime)]
    not_before: Timestamp,
    /// The last instant of its validity
    #[schema(value_type = String, format = DateTime)]
    not_after: Timestamp,
    /// When it was added
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Its certificate, in PEM
    certificate: String,
}

impl From<StoredAnchor> for AnchorAnswer {
    fn from(anchor: StoredAnchor) -> Self {
        Self {
            id: anchor.id,
            subject: anchor.subject,
            names: anchor.names.iter().map(ToString::to_string).collect(),
            allow_v1_leaf: anchor.allow_v1_leaf,
            not_before: anchor.not_before,
            not_after: anchor.not_after,
            created_at: anchor.created_at,
            certificate: pem_of(&anchor.certificate),
        }
    }
}

/// A foreign CA to be trusted
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAnchorBody {
    /// Its certificate, in PEM
    certificate: String,
    /// What it may vouch for: `dns:DOMAIN` (and what lies below), `uri:PREFIX`, `ip:NETWORK`, `email:DOMAIN`, `cn:NAME` (with a
    /// `*` at its end: what begins so); none: anything
    #[serde(default)]
    names: Vec<String>,
    /// Whether certificates of version 1 that it issued itself are taken, as old walks of OpenSSL make them
    #[serde(default)]
    allow_v1_leaf: bool,
}

/// A certificate of a foreign CA to be made a credential
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ImportBody {
    /// In PEM: the certificate first, then those between it and the trust anchor
    certificate: String,
    /// Id or name of the identity that it is to prove
    identity: Option<String>,
}

pub(super) fn routes(room: &Arc<AuthorityRoom>) -> Vec<Route> {
    vec![
        Route::post("/api/v1/tenants/{tenant}/anchors", Guard::Platform)
            .operation_id("anchorCreate")
            .summary("Trusts a foreign CA in the tenant")
            .reasons(&[&ANCHOR_INVALID, &ANCHOR_EXISTS, &ANCHOR_TOO_MANY, &signet_pki::CERTIFICATE_NOT_AUTHORITY, &signet_pki::KEY_WEAK])
            .reasons(&[&KEY_COMPROMISED, &CERTIFICATE_NOT_ALLOWED])
            .body::<NewAnchorBody>()
            .answer::<AnchorAnswer>(201)
            .handler_with(Arc::clone(room), create),
        Route::get("/api/v1/tenants/{tenant}/anchors", Guard::Tenant(Role::Auditor))
            .operation_id("anchorList")
            .summary("Lists the foreign CAs that the tenant trusts, newest first")
            .paged::<NoFilter>()
            .answer::<Page<AnchorAnswer>>(200)
            .handler_with(Arc::clone(room), list),
        Route::get("/api/v1/tenants/{tenant}/anchors/{anchor}", Guard::Tenant(Role::Auditor))
            .operation_id("anchorShow")
            .summary("Shows one foreign CA")
            .reasons(&[&ANCHOR_NOT_FOUND])
            .answer::<AnchorAnswer>(200)
            .handler_with(Arc::clone(room), show),
        Route::delete("/api/v1/tenants/{tenant}/anchors/{anchor}", Guard::Platform)
            .operation_id("anchorDelete")
            .summary("Trusts a foreign CA no longer, and revokes the credentials that it vouched for")
            .reasons(&[&ANCHOR_NOT_FOUND])
            .no_content()
            .handler_with(Arc::clone(room), delete),
        Route::post("/api/v1/tenants/{tenant}/certificates/import", Guard::Tenant(Role::Operator))
            .operation_id("certificateImport")
            .summary("Makes a certificate of a foreign CA a credential")
            .reasons(signet_pki::PATH_REASONS)
            .reasons(&[&CERTIFICATE_UNTRUSTED, &CERTIFICATE_KNOWN, &CERTIFICATE_NOT_ALLOWED, &KEY_COMPROMISED])
            .body::<ImportBody>()
            .answer::<WholeCertificate>(201)
            .handler_with(Arc::clone(room), import),
    ]
}

async fn create(
    State(room): State<Arc<AuthorityRoom>>,
    Scoped(scope): Scoped,
    Json(body): Json<NewAnchorBody>,
) -> Result<Answer<AnchorAnswer>, Problem> {
    let new = NewAnchor::read(&body.certificate, &body.names, body.allow_v1_leaf)?;
    let anchor = room.add_anchor(&scope, &new).await?;
    Ok(Answer::created(format!("/api/v1/tenants/{}/anchors/{}", scope.tenant, anchor.id), anchor.into()))
}

async fn list(
    State(room): State<Arc<AuthorityRoom>>,
    Scoped(scope): Scoped,
    listing: Listing<NoFilter>,
) -> Result<Answer<Page<AnchorAnswer>>, Problem> {
    let after = listing.page.after::<Cursor>()?.unwrap_or_else(Cursor::newest);
    let limit = listing.page.limit();
    let anchors = room.anchors(&scope, &after, limit.saturating_add(1)).await?;
    let page = Page::cut(anchors, limit, |anchor| Cursor::behind(anchor.created_at, &anchor.id));
    Ok(Answer::ok(page.map(AnchorAnswer::from)))
}

async fn show(
    State(room): State<Arc<AuthorityRoom>>,
    Scoped(scope): Scoped,
    Path(id): Path<String>,
) -> Result<Answer<AnchorAnswer>, Problem> {
    Ok(Answer::ok(room.anchor(&scope, &id).await?.into()))
}

async fn delete(State(room): State<Arc<AuthorityRoom>>, Scoped(scope): Scoped, Path(id): Path<String>) -> Result<NoContent, Problem> {
    room.remove_anchor(&scope, &id).await?;
    Ok(NoContent)
}

async fn import(
    State(room): State<Arc<AuthorityRoom>>,
    Scoped(scope): Scoped,
    Json(body): Json<ImportBody>,
) -> Result<Answer<WholeCertificate>, Problem> {
    let id = room.import(&scope, &body.certificate, body.identity.as_deref()).await?;
    let whole = room.certificate(&scope, id.as_str()).await?;
    Ok(Answer::created(format!("/api/v1/tenants/{}/certificates/{id}", scope.tenant), whole.into()))
}
