//! `/api/v1/x509-credentials` (`kaa.md` 15.1, 15.2). The certificates are issued by whoever is plugged in for that; a server without
//! an authority still shows and moves those that are there.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize, Serializer};
use signet_crypto::Secret;
use signet_http::{Answer, Guard, IfMatch, Json, MaybeIdempotent, OptionalJson, Path, Problem, Query, Route, RouteBuilder, Scoped};
use signet_model::{CredentialKind, CredentialState, Reason, Refusal, Role, kinds};
use utoipa::ToSchema;

use super::super::credential_state_words;
use super::basic::StateBody;
use super::list::{Part, array};
use super::shape::{X509Credential, tag, versions};
use super::tenant_wide;
use super::ttl::Ttl;
use crate::CredentialsRoom;
use crate::credential::{Credential, Meant};
use crate::idempotency::{repeating, secret_of};
use crate::kaa_list::{KaaFilter, Listed};
use crate::ports::{CaChain, KaaIssued, KaaOrder, KaaSubject};
use crate::reasons::{
    CERTIFICATE_TAKEN, CERTIFICATES_OFF, CREDENTIAL_CHANGED, CREDENTIAL_ILLEGAL_TRANSITION, CREDENTIAL_NOT_FOUND, TENANT_CA_ABSENT,
};
use crate::transition::Request;

const READ: Guard = tenant_wide("tenant:x509-credentials:read", Role::Auditor);
const CREATE: Guard = tenant_wide("tenant:x509-credentials:create", Role::Operator);
const UPDATE: Guard = tenant_wide("tenant:x509-credentials:update", Role::Operator);

/// The media type of PEM.
const PEM: &str = "application/x-pem-file";

/// A certificate to be issued: with a key that is generated, or for the key of a request; nothing at all is a good order, too
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = KaaNewX509Credential)]
pub(in super::super) struct NewX509Credential {
    /// The common name; without it the id of the new credential. Not beside `csr`, which names itself
    common_name: Option<String>,
    /// How long it is to live from now on: a duration of Go such as `8760h` or `1h30m`, or whole seconds
    #[schema(value_type = Option<String>)]
    ttl: Option<Ttl>,
    /// A certificate request in PEM; then no key is generated
    csr: Option<String>,
}

impl NewX509Credential {
    fn checked(self) -> Result<(KaaSubject, Option<std::time::Duration>), Refusal> {
        let ttl = self.ttl.map(|Ttl(duration)| duration);
        match (self.common_name, self.csr) {
            (Some(_), Some(_)) => {
                let detail = "`commonName` of the body: the request in `csr` names itself; give one of the two";
                Err(Refusal::new(&kinds::INPUT_INVALID, detail))
            }
            (Some(name), None) if name.is_empty() => Err(Refusal::new(&kinds::INPUT_INVALID, "`commonName` of the body: empty")),
            (common_name, None) => Ok((KaaSubject::Generated { common_name }, ttl)),
            (None, Some(csr)) => Ok((KaaSubject::Csr(csr), ttl)),
        }
    }
}

/// A certificate that was just issued; a generated key is shown this once. No `Debug`: it may hold the key
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KaaMadeX509Credential)]
struct MadeX509Credential {
    #[serde(flatten)]
    object: X509Credential,
    /// The certificate, in PEM
    certificate: String,
    /// What a client sends: the certificate and the CAs above it, without a root, in PEM
    certificate_chain: String,
    /// The generated key, in PEM; keep it, it cannot be shown again. Absent for a request
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    #[schema(value_type = Option<String>, format = Password)]
    private_key: Option<Secret>,
    /// What the generated key is, such as `ec` or `rsa`; absent for a request
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key_type: Option<String>,
}

/// The one place where a key leaves: the answer that hands it over.
fn exposed<S: Serializer>(key: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key.as_ref().and_then(Secret::expose_str).unwrap_or_default())
}

/// The tenant's CA
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KaaTenantCa)]
struct TenantCa {
    /// Its certificate, in PEM
    certificate: String,
    /// The certificates above it, the nearest first, each in PEM
    ca_chain: Vec<String>,
}

/// Which certificates, and which of them
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListQuery {
    /// Only in this state
    #[schema(schema_with = credential_state_words, required = false)]
    state: Option<CredentialState>,
    /// Only with exactly this common name
    common_name: Option<String>,
    /// How many to leave out at the beginning
    offset: Option<u32>,
    /// Most rows of the answer; without it the answer holds all of them
    #[schema(minimum = 1)]
    limit: Option<u32>,
}

const CREATE_REASONS: &[&Reason] = &[
    &CERTIFICATES_OFF,
    &CERTIFICATE_TAKEN,
    &signet_pki::CSR_MALFORMED,
    &signet_pki::CSR_BAD_SIGNATURE,
    &signet_pki::CSR_CA_REQUESTED,
    &signet_pki::CSR_TOO_MANY_NAMES,
    &signet_pki::CSR_NAME_REFUSED,
    &signet_pki::KEY_WEAK,
    &signet_pki::KEY_UNSUPPORTED,
];

pub(in super::super) fn routes(room: &Arc<CredentialsRoom>) -> Vec<Route> {
    let set_state = |builder: RouteBuilder, name| {
        builder
            .operation_id(name)
            .summary("Moves a certificate to a state, as Kaa's credential service does")
            .reasons(&[&CREDENTIAL_NOT_FOUND, &CREDENTIAL_ILLEGAL_TRANSITION, &CREDENTIAL_CHANGED])
            .conditional()
            .body::<StateBody>()
            .answer::<X509Credential>(200)
            .handler_with(Arc::clone(room), state)
    };
    vec![
        Route::post("/api/v1/x509-credentials", CREATE)
            .operation_id("kaaX509CredentialCreate")
            .summary("Issues a client certificate and shows a generated key this once, as Kaa's credential service does")
            .reasons(CREATE_REASONS)
            .idempotent()
            .optional_body::<NewX509Credential>()
            .answer::<MadeX509Credential>(201)
            .handler_with(Arc::clone(room), create),
        Route::get("/api/v1/x509-credentials", READ)
            .operation_id("kaaX509CredentialList")
            .summary("Lists certificates, newest first, as Kaa's credential service does; `X-Total-Count` tells how many the filter finds")
            .query::<ListQuery>()
            .answer_list::<X509Credential>(200)
            .handler_with(Arc::clone(room), list),
        Route::get("/api/v1/x509-credentials/ca", READ)
            .operation_id("kaaX509CredentialCa")
            .summary("Shows the tenant's CA, as Kaa's credential service does; in PEM for `Accept: application/x-pem-file`")
            .reasons(&[&TENANT_CA_ABSENT])
            .answer::<TenantCa>(200)
            .handler_with(Arc::clone(room), ca),
        Route::get("/api/v1/x509-credentials/{id}", READ)
            .operation_id("kaaX509CredentialShow")
            .summary("Shows one certificate, as Kaa's credential service does")
            .reasons(&[&CREDENTIAL_NOT_FOUND])
            .answer::<X509Credential>(200)
            .handler_with(Arc::clone(room), show),
        set_state(Route::put("/api/v1/x509-credentials/{id}/state", UPDATE), "kaaX509CredentialSetState"),
        set_state(Route::patch("/api/v1/x509-credentials/{id}", UPDATE), "kaaX509CredentialPatch"),
    ]
}

async fn create(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    MaybeIdempotent(key): MaybeIdempotent,
    OptionalJson(body): OptionalJson<NewX509Credential>,
) -> Result<Answer<MadeX509Credential>, Problem> {
    let (subject, ttl) = body.checked()?;
    let issuer = room.certificate_issuer()?;
    let remember = |issued: &KaaIssued| match &issued.private_key {
        Some(_) => secret_of(key.as_ref(), issued.facts.id.as_str(), scope.now()),
        None => repeating(key.as_ref(), &created(issued, None), scope.now()),
    };
    let mut issued = issuer.issue(&scope, KaaOrder { subject, ttl, remember: &remember }).await?;
    let private_key = issued.private_key.take();
    Ok(created(&issued, private_key))
}

fn created(issued: &KaaIssued, private_key: Option<(Secret, String)>) -> Answer<MadeX509Credential> {
    let (private_key, private_key_type) = private_key.unzip();
    let made = MadeX509Credential {
        object: X509Credential::made(&issued.facts, issued.made_at),
        certificate: issued.certificate.clone(),
        certificate_chain: issued.chain.clone(),
        private_key,
        private_key_type,
    };
    // As of every credential that was just made.
    Answer::created(format!("/api/v1/x509-credentials/{}", issued.facts.id), made).with_tag("1")
}

/// A credential that was asked for as a certificate, and so is one.
fn object(credential: Credential) -> Result<X509Credential, Refusal> {
    X509Credential::of(credential).ok_or_else(|| crate::internal(&"a credential of kind x509 has no issuer or number"))
}

fn shown(credential: Credential) -> Result<Answer<X509Credential>, Problem> {
    let tag = tag(&credential);
    Ok(Answer::ok(object(credential)?).with_tag(tag))
}

async fn list(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let ListQuery { state, common_name, offset, limit } = query;
    let Part { offset, limit } = Part::new(offset, limit)?;
    let filter = KaaFilter { listed: Listed::Certificates(common_name), state };
    let list = room.kaa_credentials(&scope, filter, offset, limit).await?;
    let shapes = |rows: Vec<Credential>| rows.into_iter().map(object).collect::<Result<Vec<_>, _>>();
    array(list.total, (shapes(list.rows)?, list.rest), move |rest| {
        let (room, scope) = (Arc::clone(&room), scope.clone());
        async move {
            let (rows, rest) = room.more_kaa_credentials(&scope, rest).await?;
            Ok((shapes(rows)?, rest))
        }
    })
}

async fn show(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Path(id): Path<String>,
) -> Result<Answer<X509Credential>, Problem> {
    shown(room.meant(&scope, certificate(&id, None)).await?)
}

async fn state(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Path(id): Path<String>,
    condition: IfMatch,
    Json(body): Json<StateBody>,
) -> Result<Answer<X509Credential>, Problem> {
    let versions = versions(condition);
    let moved = room.move_credential(&scope, certificate(&id, versions.as_deref()), Request::SetState(body.state), None).await?;
    shown(moved.credential)
}

async fn ca(State(room): State<Arc<CredentialsRoom>>, Scoped(scope): Scoped, headers: HeaderMap) -> Result<Response, Problem> {
    let absent = || Refusal::new(&TENANT_CA_ABSENT, format!("tenant `{}` has no CA yet", scope.tenant));
    let found = match room.certificate_issuer() {
        Ok(issuer) => issuer.ca(&scope).await?,
        // Where no authority is set up, none has one.
        Err(_) => None,
    };
    let CaChain { certificate, above } = found.ok_or_else(absent)?;
    if wants_pem(&headers) {
        let mut response = certificate.into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PEM));
        return Ok(response);
    }
    Ok(Answer::ok(TenantCa { certificate, ca_chain: above }).into_response())
}

/// Whether an `Accept` header asks for PEM by its name.
fn wants_pem(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = values.flat_map(|value| value.split(','));
    ranges.any(|range| range.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(PEM)))
}

/// A certificate by its credential's id; on these paths the other kinds do not exist.
fn certificate<'a>(id: &'a str, versions: Option<&'a [i64]>) -> Meant<'a> {
    Meant::from(id).of_kind(CredentialKind::X509).in_versions(versions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_for_a_new_key_or_for_that_of_a_request() {
        let read = |json: &str| serde_json::from_str::<NewX509Credential>(json).map_err(|error| error.to_string());
        let subject = |json: &str| read(json).unwrap().checked().map(|(subject, _)| subject).map_err(|refusal| refusal.reason.code);
        let generated = |common_name: Option<&str>| Ok(KaaSubject::Generated { common_name: common_name.map(str::to_owned) });
        assert_eq!(subject("{}"), generated(None));
        assert_eq!(subject(r#"{"commonName":"dev-1","ttl":"90m"}"#), generated(Some("dev-1")));
        assert_eq!(subject(r#"{"commonName":null,"ttl":null}"#), generated(None));
        assert_eq!(subject(r#"{"csr":"x","ttl":60}"#), Ok(KaaSubject::Csr("x".to_owned())));
        assert_eq!(subject(r#"{"csr":"x","commonName":"dev-1"}"#), Err("input.invalid"));
        assert_eq!(subject(r#"{"commonName":""}"#), Err("input.invalid"));
        for bad in [r#"{"ttl":"1d"}"#, r#"{"ttl":0}"#, r#"{"ttl":-1}"#, r#"{"ttl":1.5}"#, r#"{"name":"x"}"#, r#"{"commonName":1}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn pem_is_for_those_who_name_it() {
        let wants = |accept: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(header::ACCEPT, HeaderValue::from_static(value));
            }
            wants_pem(&headers)
        };
        for pem in ["application/x-pem-file", "text/html, Application/X-PEM-File;q=0.9", " application/x-pem-file ; q=1"] {
            assert!(wants(&[pem]), "{pem}");
        }
        assert!(wants(&["text/html", "application/x-pem-file"]));
        for json in ["*/*", "application/json", "application/x-pem", ""] {
            assert!(!wants(&[json]), "{json}");
        }
        assert!(!wants(&[]));
    }
}
