//! Certificates as credentials (`kaa.md` 14.2): their birth, what is written beside each of their moves, and their end with their
//! CA. The certificates themselves are kept by whoever issues them, the [register](crate::ports::CertificateRegister); a row of
//! kind `x509` says only by which issuer and serial number one is known, and whether it may be used. May it? is `certificate_check`.

use std::sync::{Arc, OnceLock};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use signet_db::Statement;
use signet_ledger::{Change, Expect};
use signet_model::{
    AuditRecord, CredentialId, CredentialKind, CredentialState, IdentityId, Refusal, Scope, TenantId, Timestamp, kinds, log_text,
};
use signet_pki::{IssuerName, Serial};

use crate::CredentialsRoom;
use crate::credential::Credential;
use crate::identity::IdentityRef;
use crate::ports::{CertificateIssuer, CertificateMoves, CertificateRegister, MovedCertificate};
use crate::reasons::{CERTIFICATE_TAKEN, CERTIFICATES_OFF, CREDENTIAL_NOT_FOUND};
use crate::sql::{self, certificate as rows};
use crate::sweep::Key;
use crate::transition::Request;

/// Longest canonical text of an issuer that a credential may have, in bytes: an index of PostgreSQL takes 2,704 for a row.
pub(crate) const LONGEST_ISSUER: usize = 2_000;
/// Revocations of one call that are under way at once; the ledger commits them together.
const MOST_AT_ONCE: usize = 64;

/// Pages of certificates over one key, at most: 100,000 certificates.
const MOST_PAGES_OF_KEY: usize = 200;

/// What a credential says of its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct X509Facts {
    /// The credential's id, which is also the certificate's with its register.
    pub id: CredentialId,
    /// Who issued it.
    pub issuer: IssuerName,
    /// Its number there.
    pub serial: Serial,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
    /// The common name of its subject, if it has one.
    pub common_name: Option<String>,
    /// The first instant of its validity.
    pub not_before: Timestamp,
    /// The last one.
    pub not_after: Timestamp,
    /// The trust anchor that vouches for a foreign one; none for those of the tenant's own CA.
    pub anchor: Option<String>,
}

/// What makes a credential of kind `x509`, to be [joined](Change::join) with what its register writes.
#[derive(Clone, Debug)]
pub struct Birth {
    /// The row, and what must hold for it. Its record is `credential.create`.
    pub change: Change,
    /// The identity that it proves, as its id.
    pub identity: Option<IdentityId>,
    /// When it is made; what is written beside should say the same.
    pub made_at: Timestamp,
}

/// A certificate as its row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// Canonical text.
    pub(crate) issuer: String,
    /// Decimal digits.
    pub(crate) serial: String,
    pub(crate) spki_sha256: [u8; 32],
    pub(crate) common_name: Option<String>,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) anchor: Option<String>,
}

impl From<&X509Facts> for Certificate {
    fn from(facts: &X509Facts) -> Self {
        Self {
            issuer: facts.issuer.as_str().to_owned(),
            serial: facts.serial.decimal(),
            spki_sha256: facts.spki_sha256,
            common_name: facts.common_name.clone(),
            not_before: facts.not_before,
            not_after: facts.not_after,
            anchor: facts.anchor.clone(),
        }
    }
}

impl Credential {
    /// What its register hears when it moves; nothing of the other kinds.
    pub(crate) fn moved_certificate(&self) -> Option<MovedCertificate<'_>> {
        self.certificate.as_ref().map(|certificate| MovedCertificate {
            id: &self.id,
            issuer: &certificate.issuer,
            serial: &certificate.serial,
            spki_sha256: &certificate.spki_sha256,
            from: self.state,
        })
    }
}

/// Who is told of certificates.
#[derive(Default)]
pub(crate) struct Told {
    register: OnceLock<Arc<dyn CertificateRegister>>,
    issuer: OnceLock<Arc<dyn CertificateIssuer>>,
}

impl CredentialsRoom {
    /// Plugs in who keeps the certificates. Only the first word counts. Without it no credential of kind `x509` is made; those that
    /// are there are moved and checked all the same.
    pub fn know_certificates(&self, register: Arc<dyn CertificateRegister>) {
        let _ = self.told.register.set(register);
    }

    /// Plugs in who issues certificates for Kaa's API. Only the first word counts.
    pub fn know_certificate_issuer(&self, issuer: Arc<dyn CertificateIssuer>) {
        let _ = self.told.issuer.set(issuer);
    }

    /// Who issues certificates.
    pub(crate) fn certificate_issuer(&self) -> Result<&dyn CertificateIssuer, Refusal> {
        self.told.issuer.get().map(AsRef::as_ref).ok_or_else(certificates_off)
    }

    /// What is written beside a move of these certificates; nothing when there are none, or nobody keeps them.
    pub(crate) fn beside_moves(
        &self,
        scope: &Scope,
        certificates: &[MovedCertificate<'_>],
        to: CredentialState,
        reason: Option<&str>,
        at: Timestamp,
    ) -> Vec<Statement> {
        match self.told.register.get() {
            Some(register) if !certificates.is_empty() => register.on_move(scope, &CertificateMoves { certificates, to, reason, at }),
            Some(_) | None => Vec::new(),
        }
    }

    /// What comes of revoking a certificate that is revoked already; none when that changes nothing.
    pub(crate) fn report(&self, scope: &Scope, credential: &Credential, reason: Option<&str>, at: Timestamp) -> Option<Change> {
        let (register, certificate, reason) = (self.told.register.get()?, credential.moved_certificate()?, reason?);
        if credential.state != CredentialState::Revoked {
            return None;
        }
        let effect = register.on_report(scope, &certificate, reason, at);
        let record = AuditRecord::new(scope, "credential.report", credential.id.as_str()).because(Some(reason.to_owned()));
        (!effect.is_empty()).then(|| effect.into_iter().fold(Change::new(record), Change::effecting))
    }

    /// Revokes what else the tenant has over the key of a certificate that was revoked since that key is compromised. A call that is
    /// cut off is repeated by revoking once more.
    pub(crate) async fn revoke_same_key(&self, scope: &Scope, revoked: &Credential, reason: Option<&str>) -> Result<(), Refusal> {
        let (Some(register), Some(certificate), Some(reason)) = (self.told.register.get(), &revoked.certificate, reason) else {
            return Ok(());
        };
        for _ in 0..MOST_PAGES_OF_KEY {
            let others = register.same_key(scope, &certificate.spki_sha256, reason).await?;
            if others.is_empty() {
                return Ok(());
            }
            self.revoke_certificates(scope, &others, reason).await?;
        }
        Err(Refusal::new(&kinds::STORAGE_CONTENTION, "certificates over the same key are still being issued; revoke once more"))
    }

    /// What is written beside the removal of these certificates.
    pub(crate) fn beside_removal(&self, scope: &Scope, ids: &[CredentialId]) -> Vec<Statement> {
        match self.told.register.get() {
            Some(register) if !ids.is_empty() => register.on_removal(scope, ids),
            Some(_) | None => Vec::new(),
        }
    }

    /// What is written beside the end of a tenant.
    pub(crate) fn beside_end_of_tenant(&self, scope: &Scope) -> Vec<Statement> {
        self.told.register.get().map_or_else(Vec::new, |register| register.on_tenant_gone(scope))
    }

    /// Tells of a tenant that works from now on.
    pub(crate) fn tenant_works(&self, tenant: &TenantId) {
        if let Some(register) = self.told.register.get() {
            register.tenant_made(tenant);
        }
    }

    /// What makes a credential of kind `x509`, in state Inactive, of this identity (by id or name) or of none. Whoever commits it
    /// with what is theirs calls [`certificate_born`](Self::certificate_born) then, and on a conflict asks again.
    ///
    /// # Errors
    /// `certificates.off` when nobody keeps certificates; `tenant.disabled` and the like, `identity.not-found`;
    /// `certificate.taken` when a credential has that issuer and serial number, in whatever tenant; the database cannot be read.
    pub async fn certificate_birth(&self, scope: &Scope, facts: &X509Facts, identity: Option<&str>) -> Result<Birth, Refusal> {
        if self.told.register.get().is_none() {
            return Err(certificates_off());
        }
        let identity = self.identity_of_certificate(scope, identity).await?;
        let certificate = Certificate::from(facts);
        if certificate.issuer.len() > LONGEST_ISSUER {
            let detail = format!("the issuer's name has {} bytes; wanted at most {LONGEST_ISSUER}", certificate.issuer.len());
            return Err(Refusal::new(&kinds::INPUT_INVALID, detail));
        }
        if sql::one(&self.db, rows::taken(&certificate.issuer, &certificate.serial), |_| Ok(())).await?.is_some() {
            let detail =
                format!("a credential for serial number {} of `{}` exists already", certificate.serial, log_text(&certificate.issuer, 128));
            return Err(Refusal::new(&CERTIFICATE_TAKEN, detail));
        }
        let made_at = scope.now();
        let leaning = self.leaning(scope, identity.as_ref(), &Key::of(made_at, &facts.id)).await?;
        leaning.gives?;
        let mut record = AuditRecord::new(scope, "credential.create", facts.id.as_str())
            .with("kind", CredentialKind::X509.as_str())
            .with("issuer", certificate.issuer.as_str())
            .with("serial", certificate.serial.as_str());
        if let Some(identity) = &identity {
            record = record.with("identity", identity.as_str());
        }
        if let Some(anchor) = &certificate.anchor {
            record = record.with("anchor", anchor.as_str());
        }
        let insert = rows::insert(&scope.tenant, &facts.id, &certificate, identity.as_ref(), made_at);
        let change = Change::new(record).expecting(Expect::write(insert, 1)).expecting(leaning.guard);
        Ok(Birth { change, identity, made_at })
    }

    /// A birth was committed: for the numbers only.
    pub fn certificate_born(&self) {
        self.metrics.moved(CredentialKind::X509, None, CredentialState::Inactive);
    }

    /// At most `most` tenants that work, by name, behind `after`: those that need a CA.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn working_tenants(&self, after: Option<&TenantId>, most: u32) -> Result<Vec<TenantId>, Refusal> {
        sql::all(&self.db, sql::tenant::working(after, most), |row| sql::parsed(row, 0)).await
    }

    /// Whether a credential could be made for this identity now: asked before anything is signed, and cheap. The answer is the
    /// identity's name.
    ///
    /// # Errors
    /// As [`certificate_birth`](Self::certificate_birth).
    pub async fn certificate_leaning(&self, scope: &Scope, identity: Option<&str>) -> Result<Option<String>, Refusal> {
        if self.told.register.get().is_none() {
            return Err(certificates_off());
        }
        let identity = match identity {
            Some(wanted) => Some(self.identity(scope, &IdentityRef::parse(wanted)).await?),
            None => None,
        };
        self.leaning(scope, identity.as_ref().map(|identity| &identity.id), &Key::end()).await?.gives?;
        Ok(identity.map(|identity| identity.name.as_str().to_owned()))
    }

    /// The id of an identity, given by id or name; none when the tenant has none.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn certificate_identity(&self, scope: &Scope, wanted: &str) -> Result<Option<IdentityId>, Refusal> {
        Ok(self.find_identity(scope, &IdentityRef::parse(wanted)).await?.map(|identity| identity.id))
    }

    async fn identity_of_certificate(&self, scope: &Scope, identity: Option<&str>) -> Result<Option<IdentityId>, Refusal> {
        match identity {
            Some(wanted) => Ok(Some(self.identity(scope, &IdentityRef::parse(wanted)).await?.id)),
            None => Ok(None),
        }
    }

    /// Revokes certificates of the tenant for good, each in a commit of its own with its event, as when their CA ends. Whatever
    /// state they are in, also with `strict-fsm`; those that are revoked or gone already are passed over.
    ///
    /// # Errors
    /// The database cannot be read or written; then some may be revoked, and the call can be repeated.
    pub async fn revoke_certificates(&self, scope: &Scope, ids: &[CredentialId], reason: &str) -> Result<(), Refusal> {
        let revoke = |id: &CredentialId| {
            let id = id.clone();
            async move {
                let meant = crate::credential::Meant::from(id.as_str()).of_kind(CredentialKind::X509);
                match self.move_by(scope, meant, Request::Revoke, Some(reason), false).await {
                    Ok(_) => Ok(()),
                    Err(refusal) if refusal.reason == &CREDENTIAL_NOT_FOUND => Ok(()),
                    Err(refusal) => Err(refusal),
                }
            }
        };
        stream::iter(ids.iter().map(revoke)).buffer_unordered(MOST_AT_ONCE).try_collect().await
    }
}

fn certificates_off() -> Refusal {
    Refusal::new(&CERTIFICATES_OFF, "no authority for certificates is set up in this server")
}
