//! `GET /api/v1/tenants/{tenant}/certificates[/{certificate}]`.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use signet_http::{Answer, Guard, Listing, Page, Path, Problem, Route, Scoped};
use signet_model::{CredentialId, CredentialState, IdentityId, Refusal, Role, Scope, Timestamp, kinds, log_text};
use signet_pki::{IssuerName, Name, Serial, SubjectName};
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::{hex, one_of, pem_of, span};
use crate::AuthorityRoom;
use crate::inventory::{CertificateRow, CertificateWhole, Search, Subject};
use crate::reasons::CERTIFICATE_NOT_FOUND;
use crate::sql::Cursor;

/// States that are no credential's.
const OTHER_STATES: [&str; 2] = ["intended", "orphaned"];

fn states() -> impl Iterator<Item = &'static str> {
    CredentialState::ALL.iter().map(|state| state.as_str()).chain(OTHER_STATES)
}

fn state_words() -> Object {
    one_of(states())
}

/// A certificate of the tenant
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Certificate)]
struct CertificateAnswer {
    /// The id of certificate and credential
    #[schema(value_type = String)]
    id: CredentialId,
    /// Its serial number, in decimal
    serial: String,
    /// The same in hexadecimal
    serial_hex: String,
    /// Its issuer, in canonical form
    issuer: String,
    /// The generation of the tenant's CA that issued it; 0 for a foreign one
    generation: i64,
    /// What it is: device, kaa, service, ocsp or foreign
    profile: String,
    /// The state of its credential; `intended` while it is being made, `orphaned` when it never was
    #[schema(schema_with = state_words)]
    state: String,
    /// Since when
    #[schema(value_type = String, format = DateTime)]
    state_since: Timestamp,
    /// Why it was revoked, where a reason of RFC 5280 was given
    revocation_reason: Option<String>,
    /// Its subject, in canonical form
    subject: String,
    /// The common name of the subject
    common_name: Option<String>,
    /// The id of the identity that it proves
    #[schema(value_type = Option<String>)]
    identity: Option<IdentityId>,
    /// The first instant of its validity
    #[schema(value_type = String, format = DateTime)]
    not_before: Timestamp,
    /// The last instant of its validity
    #[schema(value_type = String, format = DateTime)]
    not_after: Timestamp,
    /// When it was stored; null when it never was
    #[schema(value_type = Option<String>, format = DateTime)]
    issued_at: Option<Timestamp>,
    /// SHA-256 of the certificate, in hexadecimal
    fingerprint: Option<String>,
    /// SHA-256 of its public key (SubjectPublicKeyInfo), in hexadecimal
    spki_sha256: String,
}

impl From<CertificateRow> for CertificateAnswer {
    fn from(row: CertificateRow) -> Self {
        Self {
            id: row.id,
            serial: row.serial.decimal(),
            serial_hex: row.serial.hex(),
            issuer: row.issuer,
            generation: row.generation,
            profile: row.profile,
            state: row.state,
            state_since: row.state_since,
            revocation_reason: row.revocation_reason,
            subject: row.subject,
            common_name: row.common_name,
            identity: row.identity,
            not_before: row.not_before,
            not_after: row.not_after,
            issued_at: row.issued_at,
            fingerprint: row.fingerprint.as_deref().map(hex),
            spki_sha256: hex(&row.spki_sha256),
        }
    }
}

/// A certificate with its names and itself
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WholeCertificate {
    #[serde(flatten)]
    facts: CertificateAnswer,
    /// Its alternative names as `KIND:VALUE`
    names: Vec<String>,
    /// The certificate, in PEM; null when it was never stored
    certificate: Option<String>,
}

impl From<CertificateWhole> for WholeCertificate {
    fn from(whole: CertificateWhole) -> Self {
        Self { facts: whole.row.into(), names: whole.names, certificate: whole.der.as_deref().map(pem_of) }
    }
}

/// What is sought; all of it together
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// Only with exactly this common name, or with this distinguished name in whatever spelling
    subject: Option<String>,
    /// Only with exactly this alternative name, with or without its kind (`dns:NAME`)
    name: Option<String>,
    /// Only of this issuer, in whatever spelling
    issuer: Option<String>,
    /// Only with this serial number: decimal digits, `0x…`, or hexadecimal digits with colons
    serial: Option<String>,
    /// Only with this SHA-256, in hexadecimal with or without colons: of the certificate or of its public key
    fingerprint: Option<String>,
    /// Only in this state
    #[schema(schema_with = state_words, required = false)]
    state: Option<String>,
    /// Only of this identity, by id or name
    identity: Option<String>,
    /// Only such as end within this time from now: a whole number and s, m, h or d; soonest first
    expires_within: Option<String>,
    /// Only such as have ended, or have not; soonest first
    expired: Option<bool>,
}

pub(super) fn routes(room: &Arc<AuthorityRoom>) -> Vec<Route> {
    vec![
        Route::get("/api/v1/tenants/{tenant}/certificates", Guard::Tenant(Role::Auditor))
            .operation_id("certificateList")
            .summary("Lists certificates, newest first, or by their end where that is asked for")
            .reasons(&[&signet_pki::SERIAL_MALFORMED])
            .paged::<Filter>()
            .answer::<Page<CertificateAnswer>>(200)
            .handler_with(Arc::clone(room), list),
        Route::get("/api/v1/tenants/{tenant}/certificates/{certificate}", Guard::Tenant(Role::Auditor))
            .operation_id("certificateShow")
            .summary("Shows one certificate")
            .reasons(&[&CERTIFICATE_NOT_FOUND])
            .answer::<WholeCertificate>(200)
            .handler_with(Arc::clone(room), show),
    ]
}

fn invalid(member: &str, wanted: &str, text: &str) -> Refusal {
    Refusal::new(&kinds::INPUT_INVALID, format!("`{member}` of the query: wanted {wanted}, got `{}`", log_text(text, 64)))
}

/// 32 bytes of hexadecimal digits, with colons or without.
fn fingerprint(text: &str) -> Result<[u8; 32], Refusal> {
    let refuse = || invalid("fingerprint", "64 hexadecimal digits, colons between", text);
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(refuse());
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| refuse())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| refuse())?;
    }
    Ok(bytes)
}

/// The value of an alternative name, written as it is stored.
fn name(text: &str) -> String {
    SubjectName::parse(text).map_or_else(|_| text.to_owned(), |name| name.value())
}

impl Filter {
    /// The search of the domain; none when nothing can match.
    async fn checked(self, room: &AuthorityRoom, scope: &Scope) -> Result<Option<Search>, Refusal> {
        let subject = match self.subject {
            None => None,
            Some(text) if !text.contains('=') => Some(Subject::Common(text)),
            Some(text) => {
                let name = Name::parse(&text).map_err(|_| invalid("subject", "a common name or a distinguished name", &text))?;
                Some(Subject::Whole(name.canonical(), name.common_name().map(str::to_owned)))
            }
        };
        let issuer = self.issuer.map(|text| IssuerName::parse_liberal(&text).map_err(|_| invalid("issuer", "a distinguished name", &text)));
        let state = match &self.state {
            None => None,
            Some(text) => Some(states().find(|state| state == text).ok_or_else(|| invalid("state", "a state", text))?),
        };
        let identity = match &self.identity {
            None => None,
            Some(text) => match room.credentials.identity(scope, text).await? {
                Some(identity) => Some(identity),
                None => return Ok(None),
            },
        };
        Ok(Some(Search {
            subject,
            name: self.name.as_deref().map(name),
            issuer: issuer.transpose()?,
            serial: self.serial.as_deref().map(Serial::parse_text).transpose()?,
            fingerprint: self.fingerprint.as_deref().map(fingerprint).transpose()?,
            state,
            identity,
            expires_within: self.expires_within.as_deref().map(|text| span("expires_within", text)).transpose()?,
            expired: self.expired,
        }))
    }
}

async fn list(
    State(room): State<Arc<AuthorityRoom>>,
    Scoped(scope): Scoped,
    listing: Listing<Filter>,
) -> Result<Answer<Page<CertificateAnswer>>, Problem> {
    let after = listing.page.after::<Cursor>()?;
    let limit = listing.page.limit();
    let Some(search) = listing.filter.checked(&room, &scope).await? else {
        return Ok(Answer::ok(Page { items: Vec::new(), next: None }));
    };
    let rows = room.certificates(&scope, &search, after.as_ref(), limit.saturating_add(1)).await?;
    let page = Page::cut(rows, limit, |row| search.behind(row));
    Ok(Answer::ok(page.map(CertificateAnswer::from)))
}

async fn show(
    State(room): State<Arc<AuthorityRoom>>,
    Scoped(scope): Scoped,
    Path(id): Path<String>,
) -> Result<Answer<WholeCertificate>, Problem> {
    Ok(Answer::ok(room.certificate(&scope, &id).await?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_with_colons_and_without() {
        let plain = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        assert_eq!((fingerprint(&plain).unwrap(), fingerprint(&colons).unwrap()), ([0xab; 32], [0xab; 32]));
        for bad in ["", "ab", &"g".repeat(64), &"+1".repeat(32), &"ä".repeat(32), &format!("{plain}ab")] {
            assert!(fingerprint(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_sought_as_it_is_stored() {
        assert_eq!((name("dns:GW.Example"), name("urn:x:1")), ("gw.example".to_owned(), "urn:x:1".to_owned()));
        assert_eq!(name("ip:2001:db8:0::7"), "2001:db8::7");
    }
}
