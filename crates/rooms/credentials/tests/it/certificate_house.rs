//! What tests of certificates need of a house: a register that keeps what it is told in tables of its own, issuing, asking over the
//! bus, and hearing of their end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::{Value, json};
use signet_bus::{Message, Subject};
use signet_credentials::ports::{
    CaChain, CertificateIssuer, CertificateMoves, CertificateRegister, KaaIssued, KaaOrder, KaaSubject, MovedCertificate,
};
use signet_credentials::{CredentialsRoom, X509Facts};
use signet_crypto::{Secret, SystemEntropy};
use signet_db::{Migration, Migrations, Statement, params};
use signet_kaa::Record as _;
use signet_kaa::cap::{ClientCertificateAuthenticationRequest, ClientCertificateAuthenticationResponse};
use signet_ledger::{Decided, Ledger};
use signet_model::{Clock as _, CredentialId, Refusal, Scope, TenantId, Timestamp};
use signet_pki::{IssuerName, Serial, SerialLength};

use crate::house::{House, PATIENCE};

pub(crate) const CERTIFICATE_REQUEST: &str = "kaa.v1.service.ccm.cap.certificate-request";
pub(crate) const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// The register's tables: one row for each move and each removal that it was told of.
pub(crate) fn migrations() -> Migrations {
    const TABLES: &str = "CREATE TABLE told_move (tenant TEXT NOT NULL, id TEXT NOT NULL, from_state TEXT NOT NULL, to_state TEXT NOT NULL, \
                          reason TEXT, issuer TEXT NOT NULL, serial TEXT NOT NULL, at BIGINT NOT NULL, \
                          CHECK (to_state <> 'refused')); \
                          CREATE TABLE told_removal (tenant TEXT NOT NULL, id TEXT NOT NULL); CREATE TABLE told_gone (tenant TEXT NOT NULL); \
                          CREATE TABLE told_report (tenant TEXT NOT NULL, id TEXT NOT NULL, reason TEXT NOT NULL, at BIGINT NOT NULL);";
    const STEPS: &[Migration] = &[Migration { version: 1, name: "what a test is told", sql: TABLES }];
    Migrations { owner: "test_register", steps: STEPS }
}

/// Writes what it is told into its tables.
#[derive(Default)]
pub(crate) struct TestRegister {
    /// Whether what it writes beside a move cannot be written.
    pub(crate) broken: AtomicBool,
    /// What it knows over the same key as whatever is revoked next.
    pub(crate) same_key: Mutex<Vec<CredentialId>>,
    /// The tenants that it was told of.
    pub(crate) tenants: Mutex<Vec<String>>,
}

impl CertificateRegister for TestRegister {
    fn on_move(&self, scope: &Scope, moves: &CertificateMoves<'_>) -> Vec<Statement> {
        let to = if self.broken.load(Ordering::SeqCst) { "refused" } else { moves.to.as_str() };
        let row = |moved: &MovedCertificate<'_>| {
            assert_ne!(moved.from, moves.to);
            assert_eq!(moved.spki_sha256, &[7; 32]);
            Statement::new(
                "INSERT INTO told_move (tenant, id, from_state, to_state, reason, issuer, serial, at) \
                 SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE {ok}",
                params![&scope.tenant, moved.id, moved.from, to, moves.reason, moved.issuer, moved.serial, moves.at],
            )
        };
        moves.certificates.iter().map(row).collect()
    }

    fn on_report(&self, scope: &Scope, certificate: &MovedCertificate<'_>, reason: &str, at: Timestamp) -> Vec<Statement> {
        if reason != "keyCompromise" {
            return Vec::new();
        }
        let write = Statement::new(
            "INSERT INTO told_report (tenant, id, reason, at) SELECT $1, $2, $3, $4 WHERE {ok}",
            params![&scope.tenant, certificate.id, reason, at],
        );
        vec![write]
    }

    fn same_key<'a>(&'a self, _: &'a Scope, _: &'a [u8; 32], reason: &'a str) -> BoxFuture<'a, Result<Vec<CredentialId>, Refusal>> {
        // Each page once, as those that are revoked are named no more.
        let named = if reason == "keyCompromise" { std::mem::take(&mut *self.same_key.lock()) } else { Vec::new() };
        Box::pin(async move { Ok(named) })
    }

    fn on_removal(&self, scope: &Scope, ids: &[CredentialId]) -> Vec<Statement> {
        let row = |id: &CredentialId| {
            Statement::new("INSERT INTO told_removal (tenant, id) SELECT $1, $2 WHERE {ok}", params![&scope.tenant, id])
        };
        ids.iter().map(row).collect()
    }

    fn on_tenant_gone(&self, scope: &Scope) -> Vec<Statement> {
        vec![Statement::new("INSERT INTO told_gone (tenant) SELECT $1 WHERE {ok}", params![&scope.tenant])]
    }

    fn tenant_made(&self, tenant: &TenantId) {
        self.tenants.lock().push(tenant.to_string());
    }
}

/// Makes the credentials of certificates that it only pretends to sign: here the room's side is tested.
pub(crate) struct TestIssuer {
    pub(crate) room: Arc<CredentialsRoom>,
    pub(crate) ledger: Ledger,
}

impl TestIssuer {
    async fn issued(&self, scope: &Scope, order: KaaOrder<'_>) -> Result<KaaIssued, Refusal> {
        self.room.certificate_leaning(scope, None).await?;
        let now = scope.now();
        let id = CredentialId::generate(now, scope.entropy.as_ref());
        let (common_name, generated) = match order.subject {
            KaaSubject::Generated { common_name } => (common_name.unwrap_or_else(|| id.to_string()), true),
            KaaSubject::Csr(csr) if csr.starts_with("-----BEGIN") => ("of-request".to_owned(), false),
            KaaSubject::Csr(_) => return Err(Refusal::new(&signet_pki::CSR_BAD_SIGNATURE, "it is signed by another key")),
        };
        let facts = X509Facts {
            id,
            issuer: IssuerName::common(scope.tenant.as_str()),
            serial: Serial::random(&SystemEntropy, SerialLength::Twenty),
            spki_sha256: [7; 32],
            common_name: Some(common_name),
            not_before: now,
            not_after: now.plus(order.ttl.unwrap_or(YEAR)),
            anchor: None,
        };
        let birth = self.room.certificate_birth(scope, &facts, None).await?;
        let issued = KaaIssued {
            facts,
            made_at: birth.made_at,
            certificate: "-----BEGIN CERTIFICATE-----\nleaf\n".to_owned(),
            chain: "-----BEGIN CERTIFICATE-----\nleaf\n-----BEGIN CERTIFICATE-----\nca\n".to_owned(),
            private_key: generated.then(|| (Secret::from("-----BEGIN PRIVATE KEY-----\ncanary-key\n"), "ec".to_owned())),
        };
        self.ledger.commit(birth.change.idempotent((order.remember)(&issued)?)).await?;
        self.room.certificate_born();
        Ok(issued)
    }
}

impl CertificateIssuer for TestIssuer {
    fn issue<'a>(&'a self, scope: &'a Scope, order: KaaOrder<'a>) -> BoxFuture<'a, Result<KaaIssued, Refusal>> {
        Box::pin(self.issued(scope, order))
    }

    fn ca<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Option<CaChain>, Refusal>> {
        let ca = (scope.tenant.as_str() == "acme").then(|| CaChain {
            certificate: "-----BEGIN CERTIFICATE-----\nca of acme\n".to_owned(),
            above: vec!["-----BEGIN CERTIFICATE-----\nplatform\n".to_owned()],
        });
        Box::pin(std::future::ready(Ok(ca)))
    }
}

/// An answer to the question whose certificate it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateAnswer {
    pub(crate) correlation: String,
    pub(crate) status: i32,
    /// Tenant and credential.
    pub(crate) of: Option<(String, String)>,
}

pub(crate) fn certificate_answer(message: &Message) -> CertificateAnswer {
    let record = ClientCertificateAuthenticationResponse::decode(&message.payload).unwrap();
    assert_eq!((record.client_id, record.timeout), (None, 0));
    assert_eq!(record.reason_phrase.is_none(), record.status_code == 200);
    let of = record.tenant_id.map(Into::into).zip(record.credentials_id.map(Into::into));
    CertificateAnswer { correlation: record.correlation_id.into_owned(), status: record.status_code, of }
}

/// What is to be issued.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) issuer: &'a str,
    pub(crate) serial: &'a str,
    pub(crate) common_name: Option<&'a str>,
    pub(crate) identity: Option<&'a str>,
    pub(crate) lifetime: Duration,
    pub(crate) anchor: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    /// One of `acme`'s own CA, of no identity, for a year.
    pub(crate) fn own(serial: &'a str) -> Self {
        Self { tenant: "acme", issuer: "CN=acme", serial, common_name: Some("dev"), identity: None, lifetime: YEAR, anchor: None }
    }
}

impl House {
    /// Makes the credential of a certificate, as an authority does.
    pub(crate) async fn try_certificate(&self, wanted: &Wanted<'_>) -> Result<String, Refusal> {
        let scope = self.scope(wanted.tenant);
        let id = CredentialId::generate(scope.now(), &SystemEntropy);
        let facts = X509Facts {
            id: id.clone(),
            issuer: IssuerName::parse_liberal(wanted.issuer).unwrap(),
            serial: Serial::parse_text(wanted.serial).unwrap(),
            spki_sha256: [7; 32],
            common_name: wanted.common_name.map(str::to_owned),
            not_before: scope.now(),
            not_after: scope.now().plus(wanted.lifetime),
            anchor: wanted.anchor.map(str::to_owned),
        };
        self.ledger
            .decide(|| async {
                let birth = self.room.certificate_birth(&scope, &facts, wanted.identity).await?;
                Ok::<_, Refusal>(Decided::commit(birth.change, ()))
            })
            .await?;
        self.room.certificate_born();
        Ok(id.to_string())
    }

    pub(crate) async fn certificate_as(&self, wanted: &Wanted<'_>) -> String {
        self.try_certificate(wanted).await.unwrap()
    }

    /// One of `acme`'s own CA with this serial number.
    pub(crate) async fn certificate(&self, serial: &str) -> String {
        self.certificate_as(&Wanted::own(serial)).await
    }

    pub(crate) fn certificate_request(&self, correlation: &str, issuer: &str, serial: &str, timeout: i64) -> Vec<u8> {
        let record = ClientCertificateAuthenticationRequest {
            correlation_id: correlation.into(),
            timestamp: self.clock.now().millis(),
            timeout,
            issuer: issuer.into(),
            serial_number: serial.into(),
        };
        record.encode()
    }

    /// Asks over the bus whose certificate it is.
    pub(crate) async fn ask_certificate(&self, issuer: &str, serial: &str) -> CertificateAnswer {
        let payload = self.certificate_request("c-1", issuer, serial, 0);
        certificate_answer(&self.bus.request(&Subject::new(CERTIFICATE_REQUEST).unwrap(), payload, PATIENCE).await.unwrap())
    }

    /// The status of the answer alone, for one of `acme`'s own CA.
    pub(crate) async fn connects(&self, serial: &str) -> i32 {
        self.ask_certificate("CN=acme", serial).await.status
    }

    /// Checks a certificate over REST in a tenant; the decision.
    pub(crate) async fn check_certificate(&self, tenant: &str, issuer: &str, serial: &str) -> Value {
        let body = json!({"issuer": issuer, "serial": serial});
        self.post(&format!("/api/v1/tenants/{tenant}/certificates/check"), &body).await.good()
    }

    /// The same wherever it is.
    pub(crate) async fn check_certificate_anywhere(&self, issuer: &str, serial: &str) -> Value {
        self.post("/api/v1/certificates/check", &json!({"issuer": issuer, "serial": serial})).await.good()
    }

    /// The moves that the register was told of a certificate, in order: from, to, why.
    pub(crate) async fn told_moves(&self, id: &str) -> Vec<(String, String, Option<String>)> {
        let statement = Statement::new("SELECT from_state, to_state, reason FROM told_move WHERE id = $1 ORDER BY at", params![id]);
        let rows = self.db.query(statement).await.unwrap();
        let text = |row: &signet_db::Row, column| row.text(column).unwrap().to_owned();
        rows.iter().map(|row| (text(row, 0), text(row, 1), row.opt_text(2).unwrap().map(str::to_owned))).collect()
    }

    /// The reasons of the reports that the register was told of a credential, in their order.
    pub(crate) async fn told_reports(&self, id: &str) -> Vec<String> {
        let statement = Statement::new("SELECT reason FROM told_report WHERE id = $1 ORDER BY at", params![id]);
        self.db.query(statement).await.unwrap().iter().map(|row| row.text(0).unwrap().to_owned()).collect()
    }

    /// The present instant of the house.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The events of certificates.
    pub(crate) async fn certificate_events(&self) -> crate::house::Events {
        self.events_of("certificate").await
    }
}

pub(crate) fn known(status: i32, tenant: &str, credential: &str) -> CertificateAnswer {
    CertificateAnswer { correlation: "c-1".to_owned(), status, of: Some((tenant.to_owned(), credential.to_owned())) }
}

pub(crate) fn unknown(status: i32) -> CertificateAnswer {
    CertificateAnswer { correlation: "c-1".to_owned(), status, of: None }
}
