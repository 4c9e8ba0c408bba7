//! `POST /api/v1/certificates/check` and the same inside of a tenant: may the client with this certificate connect?

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use signet_http::{Answer, Asker, Guard, Json, Problem, Route, RouteBuilder, Scoped};
use signet_model::{CredentialId, CredentialState, Decision, Refusal, Role, TenantId, log_text};
use signet_pki::{IssuerName, Serial};
use utoipa::ToSchema;

use crate::CredentialsRoom;
use crate::certificate_check::{Asking, CertificateEvidence, CertificateName};
use crate::reasons::CERTIFICATE_ISSUER_INVALID;

/// By what the certificate is known
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CertificateCheck)]
pub(super) struct CheckBody {
    /// The issuer's name in any form, such as `CN=acme`, `C = US, O = Acme` or `/C=US/O=Acme`
    issuer: String,
    /// The serial number: digits are decimal; `0x…`, and pairs of hexadecimal digits with colons or spaces are taken, too
    serial: String,
}

impl CheckBody {
    fn checked(&self) -> Result<CertificateName, Refusal> {
        let no_name = |_| Refusal::new(&CERTIFICATE_ISSUER_INVALID, format!("`issuer` of the body: `{}`", log_text(&self.issuer, 128)));
        let issuer = IssuerName::parse_liberal(&self.issuer).map_err(no_name)?;
        let serial = Serial::parse_text(&self.serial)?;
        Ok(CertificateName { issuer, serial })
    }
}

/// Whether a client with this certificate would be let in, and why not
#[derive(Debug, Serialize, ToSchema)]
struct CertificateDecision {
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
    /// The credential, where there is one
    #[schema(value_type = Option<String>)]
    credential: Option<CredentialId>,
    /// Its state
    #[schema(value_type = Option<String>)]
    state: Option<CredentialState>,
    /// The issuer, in the form that is stored
    issuer: String,
    /// The serial number, in decimal
    serial: String,
    /// The tenant that it is of
    #[schema(value_type = Option<String>)]
    tenant: Option<TenantId>,
}

impl From<Decision<CertificateEvidence>> for CertificateDecision {
    fn from(decision: Decision<CertificateEvidence>) -> Self {
        let Decision { allowed, reason, detail, fix, evidence } = decision;
        let CertificateEvidence { credential, state, issuer, serial, tenant } = evidence;
        Self { allowed, reason, detail, fix, credential, state, issuer, serial, tenant }
    }
}

pub(super) fn routes(room: &Arc<CredentialsRoom>) -> Vec<Route> {
    let check = |builder: RouteBuilder, name, summary| {
        builder
            .operation_id(name)
            .summary(summary)
            .reasons(&[&signet_pki::SERIAL_MALFORMED, &CERTIFICATE_ISSUER_INVALID])
            .body::<CheckBody>()
            .answer::<CertificateDecision>(200)
    };
    vec![
        check(
            Route::post("/api/v1/tenants/{tenant}/certificates/check", Guard::Tenant(Role::Operator)),
            "certificateCheck",
            "Decides on a certificate of the tenant as a gateway's request is decided; the first success activates",
        )
        .handler_with(Arc::clone(room), inside),
        check(
            Route::post("/api/v1/certificates/check", Guard::Platform),
            "certificateCheckAnywhere",
            "Decides on a certificate of whichever tenant as a gateway's request is decided; the first success activates",
        )
        .handler_with(Arc::clone(room), anywhere),
    ]
}

async fn inside(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Json(body): Json<CheckBody>,
) -> Result<Answer<CertificateDecision>, Problem> {
    decided(&room, Asking::Inside(&scope), &body).await
}

async fn anywhere(
    State(room): State<Arc<CredentialsRoom>>,
    asker: Asker,
    Json(body): Json<CheckBody>,
) -> Result<Answer<CertificateDecision>, Problem> {
    let scope = |tenant| asker.scope(tenant);
    decided(&room, Asking::Above(&scope), &body).await
}

async fn decided(room: &CredentialsRoom, asking: Asking<'_>, body: &CheckBody) -> Result<Answer<CertificateDecision>, Problem> {
    let name = body.checked()?;
    let checked = room.check_certificate(asking, &name).await?;
    let as_hexadecimal = checked.is_unknown() && room.would_match_as_hexadecimal(asking, &name.issuer, &body.serial).await?;
    Ok(Answer::ok(checked.decision(&name, as_hexadecimal).into()))
}
