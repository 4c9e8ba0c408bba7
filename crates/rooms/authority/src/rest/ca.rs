//! `/api/v1/tenants/{tenant}/ca`: the CA of the tenant, its generations, what trusts them, its rotation, the look for orphans.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use signet_http::{Answer, Guard, Json, Problem, Query, Route, Scoped};
use signet_model::{CredentialId, Role, Timestamp};
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::{hex, one_of, pem_of};
use crate::AuthorityRoom;
use crate::ca::TenantCa;
use crate::intent::Orphan;
use crate::reasons::{CA_ROTATION_OUT_OF_ORDER, CA_UNAVAILABLE};
use crate::rotation::{CaState, Step};

fn state_words() -> Object {
    one_of(CaState::ALL.map(CaState::as_str))
}

fn step_words() -> Object {
    one_of(Step::ALL.map(Step::as_str))
}

/// A generation of a tenant's CA
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TenantCa)]
struct CaAnswer {
    /// Its number; they rise
    generation: i64,
    /// Where it stands in the rotation
    #[schema(schema_with = state_words)]
    state: CaState,
    /// Its subject: always `CN=` and the tenant
    subject: String,
    /// Where its key lives: software or vault
    custody: &'static str,
    /// Its serial number, in decimal
    serial: Option<String>,
    /// The identifier of its key, in hexadecimal
    key_identifier: Option<String>,
    /// The first instant of its validity
    #[schema(value_type = Option<String>, format = DateTime)]
    not_before: Option<Timestamp>,
    /// The last instant of its validity
    #[schema(value_type = Option<String>, format = DateTime)]
    not_after: Option<Timestamp>,
    /// When it was made
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last moved
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Its certificate, in PEM
    certificate: Option<String>,
}

impl From<TenantCa> for CaAnswer {
    fn from(ca: TenantCa) -> Self {
        Self {
            generation: ca.generation,
            state: ca.state,
            subject: ca.subject,
            custody: ca.custody.as_str(),
            serial: ca.serial_decimal,
            key_identifier: ca.ski.as_deref().map(hex),
            not_before: ca.not_before,
            not_after: ca.not_after,
            created_at: ca.created_at,
            updated_at: ca.updated_at,
            certificate: ca.certificate.as_deref().map(pem_of),
        }
    }
}

/// Every generation of a tenant's CA, newest first
#[derive(Debug, Serialize, ToSchema)]
struct CaGenerations {
    /// The generations
    items: Vec<CaAnswer>,
}

/// What goes into the bundle
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BundleQuery {
    /// The tenant's CAs too, for verifiers whose clients send only their own certificate
    #[serde(default)]
    tenant_cas: bool,
}

/// Certificates to trust
#[derive(Debug, Serialize, ToSchema)]
struct CaBundle {
    /// In PEM: the root, else the platform CA; behind it the tenant's CAs where they were asked for
    bundle: String,
}

/// A step of a rotation
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RotationStep {
    /// `prepare` makes the next generation, `activate` lets it issue, `taint` says that the former one goes, `retire` revokes
    /// what that one issued and ends it
    #[schema(schema_with = step_words)]
    step: Step,
}

/// Where the generation stands that a step was about
#[derive(Debug, Serialize, ToSchema)]
struct SteppedCa {
    /// Its number
    generation: i64,
    /// Where it stands now
    #[schema(schema_with = state_words)]
    state: CaState,
}

/// A serial number that was given to a certificate which was never stored; it stands on the CRL
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Orphan)]
struct OrphanAnswer {
    /// The id that the certificate would have had
    #[schema(value_type = String)]
    id: CredentialId,
    /// Its serial number, in decimal
    serial: String,
    /// Its issuer, in canonical form
    issuer: String,
    /// The generation of the tenant's CA
    generation: i64,
    /// Its subject, in canonical form
    subject: String,
    /// When it was recorded
    #[schema(value_type = String, format = DateTime)]
    intended_at: Timestamp,
}

impl From<Orphan> for OrphanAnswer {
    fn from(orphan: Orphan) -> Self {
        let Orphan { id, serial, issuer, generation, subject, intended_at, .. } = orphan;
        Self { id, serial, issuer, generation, subject, intended_at }
    }
}

/// What was left behind by processes that ended while they issued
#[derive(Debug, Serialize, ToSchema)]
struct ReconciledAnswer {
    /// What this request turned into orphans
    orphaned: Vec<OrphanAnswer>,
    /// Orphans that were found before, newest first; at most 1,000
    known: Vec<OrphanAnswer>,
}

pub(super) fn routes(room: &Arc<AuthorityRoom>) -> Vec<Route> {
    vec![
        Route::get("/api/v1/tenants/{tenant}/ca", Guard::Tenant(Role::Auditor))
            .operation_id("caShow")
            .summary("Shows the tenant's CA that issues; it is made if there is none yet")
            .reasons(&[&CA_UNAVAILABLE])
            .answer::<CaAnswer>(200)
            .handler_with(Arc::clone(room), show),
        Route::get("/api/v1/tenants/{tenant}/ca/generations", Guard::Tenant(Role::Auditor))
            .operation_id("caList")
            .summary("Lists every generation of the tenant's CA, newest first")
            .answer::<CaGenerations>(200)
            .handler_with(Arc::clone(room), generations),
        Route::get("/api/v1/tenants/{tenant}/ca/bundle", Guard::Tenant(Role::Auditor))
            .operation_id("caBundle")
            .summary("Gives the certificates that verify what the tenant's CAs issue")
            .reasons(&[&CA_UNAVAILABLE])
            .query::<BundleQuery>()
            .answer::<CaBundle>(200)
            .handler_with(Arc::clone(room), bundle),
        Route::post("/api/v1/tenants/{tenant}/ca/rotate", Guard::Tenant(Role::Owner))
            .operation_id("caRotate")
            .summary("Does one step of the rotation of the tenant's CA")
            .reasons(&[&CA_ROTATION_OUT_OF_ORDER, &CA_UNAVAILABLE])
            .body::<RotationStep>()
            .answer::<SteppedCa>(200)
            .handler_with(Arc::clone(room), rotate),
        Route::post("/api/v1/tenants/{tenant}/ca/reconcile", Guard::Tenant(Role::Operator))
            .operation_id("caReconcile")
            .summary("Names every serial number whose certificate was never stored")
            .answer::<ReconciledAnswer>(200)
            .handler_with(Arc::clone(room), reconcile),
    ]
}

async fn show(State(room): State<Arc<AuthorityRoom>>, Scoped(scope): Scoped) -> Result<Answer<CaAnswer>, Problem> {
    Ok(Answer::ok(room.active_or_made(&scope).await?.into()))
}

async fn generations(State(room): State<Arc<AuthorityRoom>>, Scoped(scope): Scoped) -> Result<Answer<CaGenerations>, Problem> {
    let items = room.ca_rows(&scope.tenant).await?.into_iter().map(CaAnswer::from).collect();
    Ok(Answer::ok(CaGenerations { items }))
}

async fn bundle(
    State(room): State<Arc<AuthorityRoom>>,
    Scoped(scope): Scoped,
    Query(query): Query<BundleQuery>,
) -> Result<Answer<CaBundle>, Problem> {
    Ok(Answer::ok(CaBundle { bundle: room.bundle(&scope, query.tenant_cas).await? }))
}

async fn rotate(
    State(room): State<Arc<AuthorityRoom>>,
    Scoped(scope): Scoped,
    Json(body): Json<RotationStep>,
) -> Result<Answer<SteppedCa>, Problem> {
    let stepped = room.rotate(&scope, body.step).await?;
    Ok(Answer::ok(SteppedCa { generation: stepped.generation, state: stepped.state }))
}

async fn reconcile(State(room): State<Arc<AuthorityRoom>>, Scoped(scope): Scoped) -> Result<Answer<ReconciledAnswer>, Problem> {
    let found = room.reconcile(&scope).await?;
    let all = |orphans: Vec<Orphan>| orphans.into_iter().map(OrphanAnswer::from).collect();
    Ok(Answer::ok(ReconciledAnswer { orphaned: all(found.now), known: all(found.before) }))
}
