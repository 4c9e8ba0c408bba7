//! The inventory: certificates found by what people have in hand.

use std::time::Duration;

use signet_model::{CredentialId, IdentityId, Refusal, Scope, Timestamp};
use signet_pki::{IssuerName, RevocationReason, Serial};

use crate::AuthorityRoom;
use crate::reasons::CERTIFICATE_NOT_FOUND;
use crate::sql::{self, Cursor, inventory, status};
use crate::status::named_reason;

/// Certificates over one key that are named at once.
const MOST_OF_KEY: u32 = 500;

/// A certificate as the inventory has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateRow {
    pub(crate) id: CredentialId,
    /// Of the tenant's CA; 0 for a foreign one.
    pub(crate) generation: i64,
    pub(crate) issuer: String,
    pub(crate) serial: Serial,
    pub(crate) profile: String,
    /// `intended`, `orphaned` or the state of its credential.
    pub(crate) state: String,
    pub(crate) state_since: Timestamp,
    pub(crate) revocation_reason: Option<String>,
    pub(crate) subject: String,
    pub(crate) common_name: Option<String>,
    pub(crate) spki_sha256: Vec<u8>,
    pub(crate) fingerprint: Option<Vec<u8>>,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) intended_at: Timestamp,
    pub(crate) issued_at: Option<Timestamp>,
    pub(crate) identity: Option<IdentityId>,
}

/// A certificate with its bytes and names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateWhole {
    pub(crate) row: CertificateRow,
    pub(crate) der: Option<Vec<u8>>,
    /// `KIND:VALUE`.
    pub(crate) names: Vec<String>,
}

/// What a certificate must be to be listed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Search {
    /// A distinguished name, or a common name alone.
    pub(crate) subject: Option<Subject>,
    /// An alternative name, of whatever kind.
    pub(crate) name: Option<String>,
    pub(crate) issuer: Option<IssuerName>,
    pub(crate) serial: Option<Serial>,
    /// SHA-256 of the certificate or of its SubjectPublicKeyInfo.
    pub(crate) fingerprint: Option<[u8; 32]>,
    pub(crate) state: Option<&'static str>,
    pub(crate) identity: Option<IdentityId>,
    /// It ends within this time from now.
    pub(crate) expires_within: Option<Duration>,
    /// It has ended; or has not.
    pub(crate) expired: Option<bool>,
}

/// A subject as people give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A common name.
    Common(String),
    /// A distinguished name, with the common name in it.
    Whole(IssuerName, Option<String>),
}

impl Search {
    /// From when to when it may end, where that matters.
    pub(crate) fn ends(&self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let (first, last) = (Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX));
        let just_before = Timestamp::from_micros(now.micros().saturating_sub(1));
        match (self.expired, self.expires_within) {
            (None, None) => None,
            (Some(true), None) => Some((first, just_before)),
            (Some(false), None) => Some((now, last)),
            (None | Some(false), Some(within)) => Some((now, now.plus(within))),
            // Both: whatever ends before then, also what has ended.
            (Some(true), Some(within)) => Some((first, now.plus(within))),
        }
    }

    /// Whether the list is sorted by the end, soonest first, rather than by the age, newest first.
    pub(crate) fn by_end(&self) -> bool {
        let sought =
            self.serial.is_some() || self.fingerprint.is_some() || self.name.is_some() || self.identity.is_some() || self.subject.is_some();
        !sought && (self.expired.is_some() || self.expires_within.is_some())
    }

    /// The cursor behind a certificate of this list.
    pub(crate) fn behind(&self, row: &CertificateRow) -> Cursor {
        Cursor::behind(if self.by_end() { row.not_after } else { row.intended_at }, &row.id)
    }
}

impl AuthorityRoom {
    /// The certificates of the tenant over this key that can still be used, at most 500, where `reason` is the CRL's
    /// `keyCompromise`; else none. Only the tenant's own: whoever brings a foreign certificate has not proven that the key is theirs.
    ///
    /// # Errors
    /// The database.
    pub async fn same_key(&self, scope: &Scope, spki_sha256: &[u8; 32], reason: &str) -> Result<Vec<CredentialId>, Refusal> {
        if named_reason(Some(reason)) != Some(RevocationReason::KeyCompromise) {
            return Ok(Vec::new());
        }
        sql::all(&self.db, status::usable_with_key(&scope.tenant, spki_sha256, MOST_OF_KEY), |row| sql::parsed(row, 0)).await
    }

    /// A page of certificates.
    pub(crate) async fn certificates(
        &self,
        scope: &Scope,
        search: &Search,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Vec<CertificateRow>, Refusal> {
        let start = if search.by_end() { Cursor::soonest() } else { Cursor::newest() };
        let statement = inventory::page(&scope.tenant, search, scope.now(), after.unwrap_or(&start), limit);
        sql::all(&self.db, statement, inventory::read).await
    }

    /// One certificate.
    ///
    /// # Errors
    /// The tenant has none of that id.
    pub(crate) async fn certificate(&self, scope: &Scope, id: &str) -> Result<CertificateWhole, Refusal> {
        let absent = || Refusal::new(&CERTIFICATE_NOT_FOUND, format!("tenant `{}` has no such certificate", scope.tenant));
        let Ok(id) = id.parse::<CredentialId>() else { return Err(absent()) };
        let (row, der) = sql::one(&self.db, inventory::find(&scope.tenant, &id), inventory::read_whole).await?.ok_or_else(absent)?;
        let names =
            sql::all(&self.db, inventory::names(&scope.tenant, &id), |row| Ok(format!("{}:{}", row.text(0)?, row.text(1)?))).await?;
        Ok(CertificateWhole { row, der, names })
    }
}
