//! What the world sees of a room's certificates: its plain listener, read with our own reader of CRLs, and OCSP by the byte.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use rustls_pki_types::CertificateDer;
use signet_authority::register::{Moves, Moving, on_move, on_report};
use signet_authority::{AuthorityRoom, Issued};
use signet_crypto::sha256;
use signet_ledger::Change;
use signet_model::{AuditRecord, CredentialId, CredentialState, TenantId, Timestamp};
use signet_pki::{CaCertificate, Crl, PublicKey};
use tower::ServiceExt as _;

use crate::house::House;

/// An answer of the plain listener.
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) async fn ask(room: &Arc<AuthorityRoom>, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Seen {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = room.revocation_router().oneshot(request.body(Body::from(body.to_vec())).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    Seen { status: parts.status.as_u16(), headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
}

pub(crate) async fn get(room: &Arc<AuthorityRoom>, path: &str) -> Seen {
    ask(room, "GET", path, &[], &[]).await
}

/// A certificate of a tenant, as far as it is watched.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) id: CredentialId,
    /// The value of the serial number's INTEGER.
    pub(crate) serial: Vec<u8>,
    /// The address of its CRL without the host, as it names it.
    pub(crate) crl: String,
    pub(crate) generation: i64,
    pub(crate) spki_sha256: [u8; 32],
    pub(crate) not_after: Timestamp,
}

impl Watched {
    pub(crate) fn of(issued: &Issued) -> Self {
        Self {
            id: issued.id.clone(),
            serial: issued.serial.to_der_bytes(),
            crl: crl_path(&issued.leaf),
            generation: issued.generation,
            spki_sha256: issued.spki_sha256,
            not_after: issued.validity.not_after,
        }
    }
}

/// The path of the one CRL that a certificate names.
fn crl_path(der: &[u8]) -> String {
    let at = |part: &[u8]| der.windows(part.len()).position(|window| window == part).unwrap();
    let (from, to) = (at(b"/crl/"), at(b".crl") + 4);
    String::from_utf8(der[from..to].to_vec()).unwrap()
}

/// A CRL that was fetched and verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List {
    pub(crate) number: u64,
    pub(crate) this_update: Timestamp,
    pub(crate) next_update: Timestamp,
    /// Serial numbers with the codes of their reasons.
    pub(crate) entries: BTreeMap<Vec<u8>, Option<u8>>,
}

/// The CA's certificate as published.
pub(crate) async fn ca(room: &Arc<AuthorityRoom>, tenant: &str, generation: i64) -> CaCertificate {
    let seen = get(room, &format!("/ca/{tenant}/{generation}.cer")).await;
    assert_eq!((seen.status, seen.header("content-type")), (200, "application/pkix-cert"));
    CaCertificate::from_der(CertificateDer::from(seen.body.to_vec())).unwrap()
}

/// Fetches a CRL and verifies it by the CA's certificate; it says its own address.
pub(crate) async fn list(room: &Arc<AuthorityRoom>, tenant: &str, generation: i64, path: &str) -> List {
    let seen = get(room, path).await;
    assert_eq!((seen.status, seen.header("content-type")), (200, "application/pkix-crl"), "{path}");
    let crl = Crl::parse(&seen.body).unwrap();
    crl.verify(&ca(room, tenant, generation).await).unwrap();
    let point = crl.distribution_point().unwrap();
    assert_eq!((point.urls.clone(), point.only_user_certs), (vec![format!("http://127.0.0.1:7480{path}")], true));
    List {
        number: crl.number().unwrap().decimal().parse().unwrap(),
        this_update: crl.this_update(),
        next_update: crl.next_update().unwrap(),
        entries: crl.entries().iter().map(|entry| (entry.serial.to_vec(), entry.reason_code)).collect(),
    }
}

/// What OCSP said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Good,
    Revoked(Option<u8>),
    Unknown,
    /// An unsigned refusal with this code.
    Refused(u8),
}

/// A request by SHA-256 for one serial number, with these extensions.
pub(crate) fn ocsp_request(ca: &CaCertificate, serial: &[u8], extensions: &[u8]) -> Vec<u8> {
    const SHA256: &[u8] = &[0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00];
    let key = PublicKey::from_spki_der(ca.spki()).unwrap();
    let parts = [SHA256.to_vec(), der(4, &sha256(ca.subject().der())), der(4, &sha256(key.bits())), der(2, serial)];
    let list = der(0x30, &der(0x30, &der(0x30, &parts.concat())));
    der(0x30, &der(0x30, &[list, extensions.to_vec()].concat()))
}

pub(crate) fn der(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).unwrap();
    let head = if length < 128 { vec![tag, length] } else { vec![tag, 0x81, length] };
    [head, body.to_vec()].concat()
}

/// What an answer says of a serial number.
pub(crate) fn said(answer: &[u8], serial: &[u8]) -> Said {
    if let [0x30, 3, 0x0a, 1, code] = answer {
        return Said::Refused(*code);
    }
    let integer = der(2, serial);
    let at =
        answer.windows(integer.len()).position(|window| window == integer).expect("the serial number is in the answer") + integer.len();
    match answer[at] {
        0x80 => Said::Good,
        0x82 => Said::Unknown,
        // RevokedInfo: a GeneralizedTime of 15 characters, then the reason (RFC 6960 section 4.2.1).
        0xa1 => Said::Revoked((answer[at + 1] > 17).then(|| answer[at + 2 + 17 + 4])),
        other => panic!("status {other:#x}"),
    }
}

pub(crate) async fn ocsp(room: &Arc<AuthorityRoom>, tenant: &str, generation: i64, serial: &[u8]) -> Said {
    let request = ocsp_request(&ca(room, tenant, generation).await, serial, &[]);
    let seen = ask(room, "POST", "/ocsp", &[("content-type", "application/ocsp-request")], &request).await;
    assert_eq!((seen.status, seen.header("content-type")), (200, "application/ocsp-response"));
    said(&seen.body, serial)
}

/// Moves a certificate as the room of credentials does: what the register writes, in one commit with what that room writes.
pub(crate) async fn moved(house: &House, tenant: &str, watched: &Watched, to: CredentialState, reason: Option<&str>) {
    moved_together(house, tenant, &[watched], to, reason).await;
}

pub(crate) async fn moved_together(house: &House, tenant: &str, watched: &[&Watched], to: CredentialState, reason: Option<&str>) {
    let scope = house.scope(tenant);
    let tenant: TenantId = tenant.parse().unwrap();
    let certificates: Vec<_> = watched.iter().map(|one| Moving { id: &one.id, spki_sha256: &one.spki_sha256 }).collect();
    let moves = Moves { tenant: &tenant, certificates: &certificates, to, reason, at: scope.now() };
    let mut change = Change::new(AuditRecord::new(&scope, "credential.move", "test"));
    change.effect = on_move(&moves);
    house.ledger.commit(change).await.unwrap();
}

/// Revokes once more what is revoked, as the room of credentials does; whether there was anything to write.
pub(crate) async fn reported(house: &House, tenant: &str, watched: &Watched, reason: &str) -> bool {
    let scope = house.scope(tenant);
    let moving = Moving { id: &watched.id, spki_sha256: &watched.spki_sha256 };
    let mut change = Change::new(AuditRecord::new(&scope, "credential.report", "test"));
    change.effect = on_report(&scope.tenant, moving, reason, scope.now());
    let news = !change.effect.is_empty();
    house.ledger.commit(change).await.unwrap();
    news
}
