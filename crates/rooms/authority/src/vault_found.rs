//! Certificates that a mount signed and whose answer was lost: looked for before an intent is given up, so that the number that
//! stands on the CRL is the one that the certificate has. What nobody intended is recorded as an orphan of its own.

use std::collections::BTreeSet;

use rustls_pki_types::CertificateDer;
use signet_ledger::{Change, CommitError, Expect};
use signet_model::{CredentialId, Refusal, Scope, TenantId};
use signet_pki::{CertificateFacts, Profile, Serial, Validity};

use crate::ca::Custody;
use crate::custody::VaultKey;
use crate::intent::{Intent, Orphan};
use crate::sql::{certificate, vault};
use crate::vault_issue::Leaf;
use crate::{AuthorityRoom, internal, sql};

impl AuthorityRoom {
    /// Looks into the mounts of these intents for what was signed. The intents whose CA could not be asked are left out of what is
    /// given back: they wait until it can.
    pub(crate) async fn settled_in_vault(&self, orphans: Vec<Orphan>) -> Result<Vec<Orphan>, Refusal> {
        let cas: BTreeSet<(TenantId, i64)> = orphans.iter().map(|orphan| (orphan.tenant.clone(), orphan.generation)).collect();
        let mut waiting = BTreeSet::new();
        let mut looked = false;
        for (tenant, generation) in cas {
            let row = self.ca_row(&tenant, generation).await?;
            if row.custody == Custody::Software || row.certificate.is_none() || !row.state.signs_status() {
                continue;
            }
            looked = true;
            let key = self.vault_key(&row)?;
            if let Err(refusal) = self.look_in_mount(&tenant, generation, &key, &orphans).await {
                tracing::warn!(event = "custody.orphans-later", %tenant, generation, reason = refusal.reason.code, detail = refusal.detail);
                waiting.insert((tenant, generation));
            }
        }
        let mut settled: Vec<Orphan> =
            orphans.into_iter().filter(|orphan| !waiting.contains(&(orphan.tenant.clone(), orphan.generation))).collect();
        if looked {
            // Their numbers may be others now.
            for orphan in &mut settled {
                let again = sql::one(&self.db, vault::orphan_again(&orphan.tenant, &orphan.id), certificate::read_orphan).await?;
                if let Some(again) = again {
                    *orphan = again;
                }
            }
        }
        Ok(settled)
    }

    async fn look_in_mount(&self, tenant: &TenantId, generation: i64, key: &VaultKey, orphans: &[Orphan]) -> Result<(), Refusal> {
        let issuer = self.status_ca(tenant, generation).await?;
        let scope = self.own_scope("custody", tenant);
        for text in self.heard(key.vault.serials(&key.mount).await)? {
            let serial = Serial::parse_text(&format!("0x{}", text.replace(':', ""))).map_err(|error| internal(&error))?;
            let known = vault::known(issuer.issuer_name.as_str(), &serial.decimal());
            if sql::one(&self.db, known, |row| row.int(0)).await?.is_some() {
                continue;
            }
            let Some(der) = self.heard(key.vault.certificate(&key.mount, &text).await)? else { continue };
            let facts = CertificateFacts::read(&der).map_err(|error| internal(&error))?;
            // The mount also lists the CAs themselves, and what other generations signed.
            if facts.is_ca || facts.authority_key_identifier.as_deref() != Some(issuer.facts.key_identifier()) {
                continue;
            }
            self.adopt(&scope, generation, &facts, &der, orphans).await?;
        }
        Ok(())
    }

    /// Gives the number to the intent of its key, or records it as an orphan that nobody intended.
    async fn adopt(
        &self,
        scope: &Scope,
        generation: i64,
        facts: &CertificateFacts,
        der: &CertificateDer<'_>,
        orphans: &[Orphan],
    ) -> Result<(), Refusal> {
        let partition = self.place_of(facts, &scope.tenant, generation).unwrap_or(0);
        let validity = Validity { not_before: facts.not_before, not_after: facts.not_after };
        let leaf = Leaf { der: der.to_vec(), serial: facts.serial.clone(), validity, partition };
        let of_key = vault::intent_of_key(&scope.tenant, generation, &facts.spki_sha256);
        let intended = sql::all(&self.db, of_key, |row| sql::parsed::<CredentialId>(row, 0)).await?;
        let ours = intended.into_iter().find(|id| orphans.iter().any(|orphan| orphan.id == *id));
        let intent = Intent {
            tenant: scope.tenant.clone(),
            id: ours.clone().unwrap_or_else(|| CredentialId::generate(scope.now(), scope.entropy.as_ref())),
            generation,
            issuer: facts.issuer_name.clone(),
            serial: facts.serial.clone(),
            partition,
            profile: Profile::Device,
            subject: facts.subject.canonical().as_str().to_owned(),
            common_name: facts.subject.common_name().map(str::to_owned),
            spki_sha256: facts.spki_sha256,
            validity,
            at: scope.now(),
        };
        let record = intent.record(scope, "certificate.find");
        let write = if ours.is_some() { vault::drawn(&scope.tenant, &intent.id, &leaf) } else { certificate::intend_own(&intent) };
        match self.ledger.commit(Change::new(record).expecting(Expect::write(write, 1))).await {
            Ok(_) | Err(CommitError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        if ours.is_none() {
            self.give_up_own(scope, &intent, "signed in the mount, intended by nobody").await;
        }
        Ok(())
    }
}
