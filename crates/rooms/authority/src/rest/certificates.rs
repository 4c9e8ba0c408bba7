//! `POST /api/v1/tenants/{tenant}/certificates`: issuing.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use signet_crypto::Secret;
use signet_crypto::sign::KeyType;
use signet_http::{Answer, Guard, Json, MaybeIdempotent, Problem, Route, Scoped};
use signet_model::{CredentialId, CredentialState, Reason, Refusal, Role, Scope, Timestamp, kinds};
use signet_pki::{Csr, SubjectName, pem};
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::{one_of, pem_of, span};
use crate::idempotency::{repeating, secret_of};
use crate::issue::{IssueOrder, Issued, Source};
use crate::reasons::{CA_UNAVAILABLE, CERTIFICATE_NOT_ALLOWED, KEY_COMPROMISED, KEY_QUEUE_FULL, RANDOM_UNAVAILABLE};
use crate::{AuthorityRoom, LeafProfile};

/// A certificate to be issued: for the key of a `csr`, or for a key that is made now (`generate_key`)
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCertificate {
    /// A certificate request (PKCS#10), in PEM
    csr: Option<String>,
    /// Make a key of this kind; it is shown this once
    #[schema(schema_with = key_words, required = false)]
    generate_key: Option<String>,
    /// The common name; else that of the request, else the identity's name
    common_name: Option<String>,
    /// Alternative names as `dns:NAME`, `ip:ADDRESS`, `uri:URI`, `email:ADDRESS`; else those of the request that are allowed
    #[serde(default)]
    names: Vec<String>,
    /// Id or name of the identity that it is to prove
    identity: Option<String>,
    /// What it is to be; the server's usual profile when absent
    #[schema(schema_with = profile_words, required = false)]
    profile: Option<LeafProfile>,
    /// How long it is to live: a whole number and s, m, h or d
    ttl: Option<String>,
}

fn key_words() -> Object {
    one_of(KeyType::ALL.map(KeyType::name))
}

fn profile_words() -> Object {
    one_of(LeafProfile::ALL.map(LeafProfile::as_str))
}

fn state_words() -> Object {
    one_of(CredentialState::ALL.iter().map(|word| word.as_str()))
}

/// A certificate that was just issued; with its private key where that was made here, which is shown this once. No `Debug`: it
/// holds the key
#[derive(Serialize, ToSchema)]
struct IssuedCertificate {
    /// The id of certificate and credential
    #[schema(value_type = String)]
    id: CredentialId,
    /// Its serial number, in decimal
    serial: String,
    /// The same in hexadecimal
    serial_hex: String,
    /// Its issuer, in the form `CN=…`
    issuer: String,
    /// The generation of the tenant's CA that issued it
    generation: i64,
    /// The state of its credential
    #[schema(schema_with = state_words)]
    state: CredentialState,
    /// What it is
    #[schema(schema_with = profile_words)]
    profile: LeafProfile,
    /// Its subject, in the form `CN=…`
    subject: String,
    /// The first instant of its validity
    #[schema(value_type = String, format = DateTime)]
    not_before: Timestamp,
    /// The last instant of its validity
    #[schema(value_type = String, format = DateTime)]
    not_after: Timestamp,
    /// The certificate, in PEM
    certificate: String,
    /// What is sent behind it, each in PEM: the tenant's CA, and the platform CA where there is a root above that
    chain: Vec<String>,
    /// The private key (PKCS#8), in PEM; keep it, it cannot be shown again
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<String>,
    /// What the request asked for and the certificate does not have
    ignored: Vec<String>,
}

impl From<&Issued> for IssuedCertificate {
    fn from(issued: &Issued) -> Self {
        let private_key = issued.private_key.as_ref().map(pem::write_private_key);
        Self {
            id: issued.id.clone(),
            serial: issued.serial.decimal(),
            serial_hex: issued.serial.hex(),
            issuer: issued.issuer.as_str().to_owned(),
            generation: issued.generation,
            state: issued.state,
            profile: issued.profile,
            subject: issued.subject.as_str().to_owned(),
            not_before: issued.validity.not_before,
            not_after: issued.validity.not_after,
            certificate: pem_of(&issued.leaf),
            chain: issued.chain.iter().map(|der| pem_of(der)).collect(),
            private_key: private_key.as_ref().and_then(Secret::expose_str).map(str::to_owned),
            ignored: issued.ignored.clone(),
        }
    }
}

/// What issuing may be refused for, besides what the credential's birth is refused for.
const REASONS: &[&Reason] = &[
    &signet_pki::CSR_MALFORMED,
    &signet_pki::CSR_BAD_SIGNATURE,
    &signet_pki::CSR_SIGNATURE_UNSUPPORTED,
    &signet_pki::CSR_CA_REQUESTED,
    &signet_pki::CSR_TOO_MANY_NAMES,
    &signet_pki::CSR_NAME_REFUSED,
    &signet_pki::KEY_WEAK,
    &signet_pki::KEY_UNSUPPORTED,
    &CERTIFICATE_NOT_ALLOWED,
    &KEY_COMPROMISED,
    &KEY_QUEUE_FULL,
    &RANDOM_UNAVAILABLE,
    &CA_UNAVAILABLE,
];

pub(super) fn routes(room: &Arc<AuthorityRoom>) -> Vec<Route> {
    vec![
        Route::post("/api/v1/tenants/{tenant}/certificates", Guard::Tenant(Role::Operator))
            .operation_id("certificateIssue")
            .summary("Issues a client certificate; a private key that is made for it is shown this once")
            .reasons(REASONS)
            .idempotent()
            .body::<NewCertificate>()
            .answer::<IssuedCertificate>(201)
            .handler_with(Arc::clone(room), issue),
    ]
}

impl NewCertificate {
    fn checked(self) -> Result<IssueOrder, Refusal> {
        let invalid = |what: &str| Refusal::new(&kinds::INPUT_INVALID, what.to_owned());
        let source = match (self.csr, self.generate_key) {
            (Some(csr), None) => Source::Csr(Box::new(Csr::parse(csr.as_bytes())?.verify()?)),
            (None, Some(kind)) => {
                let kind = kind.parse().map_err(|error| invalid(&format!("`generate_key` of the body: {error}")))?;
                Source::Generate(kind)
            }
            (Some(_), Some(_)) | (None, None) => return Err(invalid("the body: wanted one of `csr` and `generate_key`")),
        };
        let names = self.names.iter().map(|name| SubjectName::parse(name)).collect::<Result<_, _>>()?;
        Ok(IssueOrder {
            source,
            identity: self.identity,
            profile: self.profile,
            ttl: self.ttl.as_deref().map(|text| span("ttl", text)).transpose()?,
            common_name: self.common_name,
            names,
            id_as_cn: false,
        })
    }
}

async fn issue(
    State(room): State<Arc<AuthorityRoom>>,
    Scoped(scope): Scoped,
    MaybeIdempotent(key): MaybeIdempotent,
    Json(body): Json<NewCertificate>,
) -> Result<Answer<IssuedCertificate>, Problem> {
    let order = body.checked()?;
    let remember = |issued: &Issued| match &issued.private_key {
        Some(_) => secret_of(key.as_ref(), issued.id.as_str(), issued.made_at),
        None => repeating(key.as_ref(), || answer(&scope, issued), issued.made_at),
    };
    let issued = room.issue(&scope, order, &remember).await?;
    Ok(answer(&scope, &issued))
}

fn answer(scope: &Scope, issued: &Issued) -> Answer<IssuedCertificate> {
    Answer::created(format!("/api/v1/tenants/{}/certificates/{}", scope.tenant, issued.id), IssuedCertificate::from(issued))
}
