//! What the room wants to know of the rest of the house, and what it tells it. The binary plugs the other side in.

use std::time::Duration;

use futures_util::future::BoxFuture;
use signet_crypto::Secret;
use signet_db::Statement;
use signet_ledger::IdempotencyEntry;
use signet_model::{CredentialId, CredentialState, Refusal, Scope, TenantId, Timestamp};

use crate::X509Facts;

/// What the house asks of callers; for the page of truth of a tenant, which decides nothing.
pub trait Callers: Send + Sync {
    /// The issuer whose people may call for this tenant, if there is one.
    fn issuer_of(&self, tenant: &TenantId) -> Option<String>;

    /// Whether anybody may call without a token.
    fn security_off(&self) -> bool;
}

/// Whoever keeps the certificates themselves and tells the world which of them are revoked. It hears of each move of a credential
/// of kind `x509` in the commit of that move, so that no two of CAP, OCSP and CRL can contradict each other.
///
/// Only moves of a credential's own state are told. A disabled identity or tenant moves no row: its certificates are refused by
/// CAP, and work again when it is enabled.
pub trait CertificateRegister: Send + Sync {
    /// What is written beside a move, in the same commit: statements that hold `{ok}` as those of every `Change`, no two of which
    /// touch the same row. All of them become effects; one that fails makes the whole move fail.
    fn on_move(&self, scope: &Scope, moves: &CertificateMoves<'_>) -> Vec<Statement>;

    /// What is written when a certificate that is revoked already is revoked once more for `reason`: a key may turn out to be
    /// compromised after its certificate was replaced. Nothing when that changes nothing.
    fn on_report(&self, scope: &Scope, certificate: &MovedCertificate<'_>, reason: &str, at: Timestamp) -> Vec<Statement>;

    /// The certificates of the tenant over this key that can still be used, at most 500 at once, where `reason` says that nobody may
    /// use the key any more; else none. Asked after a revocation was committed: whoever asks revokes them too, and asks again.
    fn same_key<'a>(
        &'a self,
        scope: &'a Scope,
        spki_sha256: &'a [u8; 32],
        reason: &'a str,
    ) -> BoxFuture<'a, Result<Vec<CredentialId>, Refusal>>;

    /// What is written beside the removal of credentials of kind `x509` for good, in the same commit: at most 500 at once. They
    /// can never be used again, though their certificates may not have expired.
    fn on_removal(&self, scope: &Scope, ids: &[CredentialId]) -> Vec<Statement>;

    /// What is written beside the end of a tenant, in the same commit, behind the removal of all that it had: its name is free then,
    /// and whoever takes it must find nothing of the former one.
    fn on_tenant_gone(&self, scope: &Scope) -> Vec<Statement>;

    /// A tenant was made, or is enabled again: it needs its CA soon. Called after the commit; must not block.
    fn tenant_made(&self, tenant: &TenantId);
}

/// Certificates that move together: one by a call or a first use, up to 500 by a page of a sweep.
#[derive(Clone, Copy, Debug)]
pub struct CertificateMoves<'a> {
    /// Which; never empty.
    pub certificates: &'a [MovedCertificate<'a>],
    /// The state that all of them move to.
    pub to: CredentialState,
    /// Why, in the words of who asked.
    pub reason: Option<&'a str>,
    /// When.
    pub at: Timestamp,
}

/// A certificate that moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MovedCertificate<'a> {
    /// Its credential, whose id is its own.
    pub id: &'a CredentialId,
    /// Its issuer's name, in the canonical text.
    pub issuer: &'a str,
    /// Its serial number, in decimal.
    pub serial: &'a str,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub spki_sha256: &'a [u8; 32],
    /// The state that it moves from.
    pub from: CredentialState,
}

/// Who issues certificates for Kaa's `POST /x509-credentials`, and knows the tenant's CA.
pub trait CertificateIssuer: Send + Sync {
    /// Issues a client certificate in the tenant of `scope`. The credential is made in the commit that finishes the issuance, with
    /// what [`KaaOrder::remember`] gives as its idempotency entry.
    fn issue<'a>(&'a self, scope: &'a Scope, order: KaaOrder<'a>) -> BoxFuture<'a, Result<KaaIssued, Refusal>>;

    /// The tenant's CA; none while it is not made yet.
    fn ca<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Option<CaChain>, Refusal>>;
}

/// A certificate that Kaa's API orders.
pub struct KaaOrder<'a> {
    /// For which key and name.
    pub subject: KaaSubject,
    /// How long it is to live from now on; the tenant's default where nothing was said.
    pub ttl: Option<Duration>,
    /// What to keep for a repetition of the request; asked before the commit, with the answer as it will be.
    pub remember: &'a (dyn Fn(&KaaIssued) -> Result<Option<IdempotencyEntry>, Refusal> + Send + Sync),
}

/// For which key and name a certificate is ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KaaSubject {
    /// A key is generated, and shown once.
    Generated {
        /// The common name; the credential's id where nothing was said.
        common_name: Option<String>,
    },
    /// The caller has the key.
    Csr(String),
}

/// A certificate that was issued. No `Debug`: it may hold a private key.
pub struct KaaIssued {
    /// What the credential says of it.
    pub facts: X509Facts,
    /// When the credential was made.
    pub made_at: Timestamp,
    /// The certificate, in PEM.
    pub certificate: String,
    /// What a client sends: the certificate and the CAs above it, without a root, in PEM.
    pub chain: String,
    /// The generated key, in PEM, and what it is.
    pub private_key: Option<(Secret, String)>,
}

/// A tenant's CA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaChain {
    /// Its certificate, in PEM.
    pub certificate: String,
    /// The certificates above it, the nearest first, each in PEM.
    pub above: Vec<String>,
}
