//! A certificate between "will be signed" and "is stored" (crash safety, checklist C4).
//!
//! One commit records serial number and intent; then it is signed; another commit stores it, with the credential that it is. What
//! falls between leaves an intent, and an intent that is old enough becomes an orphan, which stands on the CRL whether it was
//! signed or not. So there is no certificate that nobody knows.

use std::time::Duration;

use signet_ledger::{Change, CommitError, Expect};
use signet_model::{AuditRecord, CredentialId, Refusal, Scope, TenantId, Timestamp, kinds};
use signet_pki::{IssuerName, Profile, PublicKey, Serial, Validity};

use crate::sql::certificate;
use crate::{AuthorityRoom, sql};

/// How old an intent is that nobody finishes any more. A request is answered or given up long before.
pub(crate) const GIVEN_UP: Duration = Duration::from_secs(60);
/// Intents that are looked at in one go.
const PAGE: u32 = 500;
/// Orphans that are named at once.
const MOST_NAMED: u32 = 1_000;

/// A certificate that will be signed.
#[derive(Clone, Debug)]
pub(crate) struct Intent {
    pub(crate) tenant: TenantId,
    pub(crate) id: CredentialId,
    pub(crate) generation: i64,
    pub(crate) issuer: IssuerName,
    pub(crate) serial: Serial,
    pub(crate) partition: i64,
    pub(crate) profile: Profile,
    /// Canonical text.
    pub(crate) subject: String,
    pub(crate) common_name: Option<String>,
    pub(crate) spki_sha256: [u8; 32],
    pub(crate) validity: Validity,
    pub(crate) at: Timestamp,
}

/// A serial number that was given to a certificate which was never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// The tenant.
    pub tenant: TenantId,
    /// The id that the certificate would have had.
    pub id: CredentialId,
    /// The generation of the tenant's CA.
    pub generation: i64,
    pub(crate) partition: i64,
    /// The issuer's name in canonical form.
    pub issuer: String,
    /// The serial number in decimal digits.
    pub serial: String,
    /// The subject in canonical form.
    pub subject: String,
    /// When it was recorded.
    pub intended_at: Timestamp,
}

/// What a look for orphans has found in a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Those that became orphans now; of more than about 1,000 the rest is found by the next look.
    pub now: Vec<Orphan>,
    /// Those that were found before and have not been named in `now`, newest first; at most 1,000.
    pub before: Vec<Orphan>,
}

impl Intent {
    /// The record of the first commit, and with another action of the second one.
    pub(crate) fn record(&self, scope: &Scope, action: &'static str) -> AuditRecord {
        AuditRecord::new(scope, action, self.id.as_str())
            .with("issuer", self.issuer.as_str())
            .with("generation", self.generation.to_string())
            .with("serial", self.serial.decimal())
            .with("profile", self.profile.name())
            .with("subject", self.subject.as_str())
    }

    /// The first commit.
    pub(crate) fn intend(&self, scope: &Scope, rule_version: i64, key: &PublicKey) -> Change {
        let write = certificate::intend(self, rule_version, &key.key_identifier());
        Change::new(self.record(scope, "certificate.intend")).expecting(Expect::write(write, 1))
    }
}

impl AuthorityRoom {
    /// Gives up on an intent: it stands on the CRL from now on. False when it was finished or given up by somebody else.
    pub(crate) async fn give_up(&self, scope: &Scope, orphan: &Orphan, why: &str) -> Result<bool, Refusal> {
        let record = AuditRecord::new(scope, "certificate.orphan", orphan.id.as_str())
            .because(Some(why.to_owned()))
            .with("issuer", orphan.issuer.as_str())
            .with("serial", orphan.serial.as_str())
            .with("subject", orphan.subject.as_str());
        let change = Change::new(record)
            .expecting(Expect::write(certificate::orphan(&orphan.tenant, &orphan.id, scope.now()), 1))
            .effecting(certificate::touch_partition(&orphan.tenant, orphan.generation, orphan.partition));
        match self.ledger.commit(change).await {
            Ok(_) => {
                self.metrics.orphaned();
                tracing::warn!(event = "certificate.orphan", tenant = %orphan.tenant, id = %orphan.id, serial = orphan.serial, why);
                Ok(true)
            }
            Err(CommitError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The same for an intent of ours that came to nothing; what cannot be written now is found later.
    pub(crate) async fn give_up_own(&self, scope: &Scope, intent: &Intent, why: &str) {
        let orphan = Orphan {
            tenant: intent.tenant.clone(),
            id: intent.id.clone(),
            generation: intent.generation,
            partition: intent.partition,
            issuer: intent.issuer.as_str().to_owned(),
            serial: intent.serial.decimal(),
            subject: intent.subject.clone(),
            intended_at: intent.at,
        };
        if let Err(refusal) = self.give_up(scope, &orphan, why).await {
            tracing::warn!(event = "certificate.orphan-later", id = %intent.id, reason = refusal.reason.code, detail = refusal.detail);
        }
    }

    /// Turns what was left behind in the tenant into orphans, and names each.
    ///
    /// # Errors
    /// The database.
    pub async fn reconcile(&self, scope: &Scope) -> Result<Reconciled, Refusal> {
        let before = back(scope.now(), GIVEN_UP);
        let mut found = Reconciled::default();
        loop {
            let statement = certificate::left_behind_of(&scope.tenant, before, PAGE);
            let page = sql::all(&self.db, statement, certificate::read_orphan).await?;
            let full = page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
            let settled = self.settled_in_vault(page).await?;
            // Those that wait for Vault would be read again and again.
            let full = full && !settled.is_empty() && found.now.len() < usize::try_from(MOST_NAMED).unwrap_or(usize::MAX);
            for orphan in settled {
                if self.give_up(scope, &orphan, "left behind").await? {
                    found.now.push(orphan);
                }
            }
            if !full {
                break;
            }
        }
        let all = sql::all(&self.db, certificate::orphans_of(&scope.tenant, MOST_NAMED), certificate::read_orphan).await?;
        found.before = all.into_iter().filter(|orphan| found.now.iter().all(|now| now.id != orphan.id)).collect();
        Ok(found)
    }

    /// The same for all tenants; one page. How many there were.
    pub(crate) async fn reconcile_all(&self) -> Result<usize, Refusal> {
        let before = back(self.clock.now(), GIVEN_UP);
        let page = sql::all(&self.db, certificate::left_behind(before, PAGE), certificate::read_orphan).await?;
        let page = self.settled_in_vault(page).await?;
        for orphan in &page {
            let scope = self.own_scope("authority", &orphan.tenant);
            self.give_up(&scope, orphan, "left behind").await?;
        }
        Ok(page.len())
    }

    /// Every intent of a CA that ends, whatever its age: after this none of them can be stored.
    pub(crate) async fn give_up_all_of(&self, scope: &Scope, generation: i64) -> Result<(), Refusal> {
        for _ in 0..MOST_PAGES {
            let statement = certificate::left_behind_in(&scope.tenant, generation, PAGE);
            let page = sql::all(&self.db, statement, certificate::read_orphan).await?;
            if page.is_empty() {
                return Ok(());
            }
            for orphan in page {
                self.give_up(scope, &orphan, "its CA was retired").await?;
            }
        }
        Err(Refusal::new(&kinds::STORAGE_CONTENTION, "certificates of the CA are still being begun"))
    }
}

/// Pages of intents of one CA, at most: more cannot be under way at once.
const MOST_PAGES: u32 = 1_000;

/// A time so much earlier.
pub(crate) fn back(from: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_micros(from.micros().saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
}
