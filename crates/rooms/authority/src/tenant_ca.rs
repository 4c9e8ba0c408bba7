//! A tenant's CA: made once for each tenant, opened when it is needed.
//!
//! Of a tenant one CA is active, which an index of the table sees to; so of all processes that make one at once a single one
//! commits, and the others throw away what they made and take that. Opened CAs are kept in a bounded cache: a key is unsealed at
//! the first use, never at the start.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use rustls_pki_types::CertificateDer;
use signet_crypto::sign::{Signer as _, SigningKey};
use signet_ledger::{Change, Decided, Expect};
use signet_model::{AuditRecord, Refusal, Scope, TenantId};
use signet_pki::{CaCertificate, CertificateRequest, IssuerFacts, Profile, PublicKey, Serial};
use tokio::time::Instant;

use crate::ca::{Custody, Issuer, TenantCa};
use crate::config::{CaCustody, LeafProfile};
use crate::custody::CaKey;
use crate::platform::Platform;
use crate::reasons::{CA_NOT_FOUND, CA_UNAVAILABLE};
use crate::rotation::CaState;
use crate::sql::{platform_ca, tenant_ca};
use crate::{AuthorityRoom, internal, sql};

/// How long a tenant's CA lives, as far as the platform CA does (`kaa.md` 16.2).
const LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);
/// A platform CA that ends sooner makes no more CAs: nothing useful could be issued by them.
const LEAST_LEFT: Duration = Duration::from_secs(2 * 86_400);

/// How long a CA's key stays open in memory, and between two looks at that.
const OPEN_FOR: Duration = Duration::from_secs(3_600);
const CLOSE_EVERY: Duration = Duration::from_secs(300);

/// The opened CAs.
pub(crate) struct OpenCas {
    /// The one that issues, of each tenant.
    active: Cache<TenantId, Arc<Issuer>>,
    /// Any, for what is said about certificates.
    any: Cache<(TenantId, i64), Arc<Issuer>>,
}

impl OpenCas {
    pub(crate) fn new(most: usize) -> Self {
        Self { active: Cache::new(most), any: Cache::new(most) }
    }

    /// Forgets what the tenant's CAs were.
    pub(crate) fn forget(&self, tenant: &TenantId) {
        if let Some((_, issuer)) = self.active.remove(tenant) {
            self.any.remove(&(tenant.clone(), issuer.generation));
        }
    }

    /// Closes those that were opened before `before`. They are opened again when they are needed and still may sign.
    fn close_old(&self, before: Instant) {
        self.active.retain(|_, issuer| issuer.opened >= before);
        self.any.retain(|_, issuer| issuer.opened >= before);
    }

    /// Closes one.
    pub(crate) fn close(&self, tenant: &TenantId, generation: i64) {
        self.any.remove(&(tenant.clone(), generation));
        self.active.remove(tenant);
    }
}

/// What a sealed key is bound to.
fn purpose(tenant: &TenantId, generation: i64) -> String {
    format!("tenant-ca:{tenant}:{generation}")
}

/// A CA that was made and is not stored yet.
struct Made {
    row: TenantCa,
    sealed_key: Vec<u8>,
}

impl AuthorityRoom {
    /// Closes keys that have been open for long, again and again, on every replica: one that another replica has ended since does not
    /// stay in this one's memory.
    pub(crate) async fn close_again_and_again(&self) {
        loop {
            tokio::time::sleep(CLOSE_EVERY).await;
            if let Some(before) = Instant::now().checked_sub(OPEN_FOR) {
                self.open_cas.close_old(before);
            }
        }
    }

    /// The tenant's CA that issues, open; made where there is none yet. Whether the tenant may have one is asked before.
    ///
    /// # Errors
    /// The tenant does not work; the platform CA is not there; the database.
    pub(crate) async fn issuing_ca(&self, scope: &Scope) -> Result<Arc<Issuer>, Refusal> {
        // Of many that want it at once in this process one makes or opens it.
        self.open_cas
            .active
            .get_or_insert_async(&scope.tenant, async {
                let row = self.active_or_made(scope).await?;
                let issuer = Arc::new(self.opened(&row).await?);
                self.open_cas.any.insert((row.tenant.clone(), row.generation), Arc::clone(&issuer));
                Ok(issuer)
            })
            .await
    }

    /// One generation, open, for what is said about its certificates.
    ///
    /// # Errors
    /// There is none, or it can sign nothing (any more).
    pub(crate) async fn status_ca(&self, tenant: &TenantId, generation: i64) -> Result<Arc<Issuer>, Refusal> {
        let row = self.ca_row(tenant, generation).await?;
        if !row.state.signs_status() {
            let detail = format!("generation {generation} of the CA of tenant `{tenant}` is {}", row.state);
            return Err(Refusal::new(&CA_UNAVAILABLE, detail));
        }
        let key = (tenant.clone(), generation);
        self.open_cas.any.get_or_insert_async(&key, async { self.opened(&row).await.map(Arc::new) }).await
    }

    /// One generation as stored.
    pub(crate) async fn ca_row(&self, tenant: &TenantId, generation: i64) -> Result<TenantCa, Refusal> {
        let absent = || Refusal::new(&CA_NOT_FOUND, format!("tenant `{tenant}` has no CA of generation {generation}"));
        sql::one(&self.db, tenant_ca::find(tenant, generation), tenant_ca::read).await?.ok_or_else(absent)
    }

    /// Every generation as stored, newest first.
    pub(crate) async fn ca_rows(&self, tenant: &TenantId) -> Result<Vec<TenantCa>, Refusal> {
        sql::all(&self.db, tenant_ca::generations(tenant), tenant_ca::read).await
    }

    /// The row of the active one; of a tenant that works and has none, a new one.
    pub(crate) async fn active_or_made(&self, scope: &Scope) -> Result<TenantCa, Refusal> {
        let active = || sql::one(&self.db, tenant_ca::active(&scope.tenant), tenant_ca::read);
        if let Some(row) = active().await? {
            return Ok(row);
        }
        self.credentials.leaning(scope, None).await?;
        let rows = self.ca_rows(&scope.tenant).await?;
        if let Some(row) = rows.iter().find(|row| row.state == CaState::Active) {
            return Ok(row.clone());
        }
        // A former tenant of the name may have had some.
        let begun = rows.iter().find(|row| row.state == CaState::Pending).map(|row| row.generation);
        let last = rows.iter().map(|row| row.generation).max().unwrap_or_default();
        let number = begun.unwrap_or_else(|| last.saturating_add(1));
        let made = match &self.custody {
            CaCustody::Software => self.new_software_ca(&scope.tenant, number, CaState::Active).await?,
            CaCustody::Vault(vault) => return self.made_in_vault(scope, vault, number, CaState::Active).await,
        };
        let (row, mine) = self
            .ledger
            .decide(|| async {
                if let Some(theirs) = active().await? {
                    return Ok(Decided::Same((theirs, false)));
                }
                Ok(Decided::commit(self.birth_of_ca(scope, &made), (made.row.clone(), true)))
            })
            .await?;
        if mine {
            self.metrics.ca_made();
        }
        Ok(row)
    }

    /// Makes the next generation, which issues nothing yet.
    pub(crate) async fn prepared(&self, scope: &Scope, generation: i64) -> Result<TenantCa, Refusal> {
        let made = match &self.custody {
            CaCustody::Software => self.new_software_ca(&scope.tenant, generation, CaState::Prepared).await?,
            CaCustody::Vault(vault) => return self.made_in_vault(scope, vault, generation, CaState::Prepared).await,
        };
        let (row, mine) = self
            .ledger
            .decide(|| async {
                let there = sql::one(&self.db, tenant_ca::find(&scope.tenant, generation), tenant_ca::read).await?;
                match there {
                    Some(theirs) => Ok(Decided::Same((theirs, false))),
                    None => Ok(Decided::commit(self.birth_of_ca(scope, &made), (made.row.clone(), true))),
                }
            })
            .await?;
        if mine {
            self.metrics.ca_made();
        }
        Ok(row)
    }

    fn birth_of_ca(&self, scope: &Scope, made: &Made) -> Change {
        let row = &made.row;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let record = AuditRecord::new(scope, "ca.create", format!("{}/{}", row.tenant, row.generation))
            .with("state", row.state.as_str())
            .with("subject", row.subject.as_str())
            .with("serial", text(row.serial_decimal.as_deref()))
            .with("custody", row.custody.as_str())
            .with("platform_generation", row.platform_generation.to_string());
        Change::new(record).expecting(Expect::write(tenant_ca::insert(row, Some(&made.sealed_key)), 1))
    }

    async fn new_software_ca(&self, tenant: &TenantId, generation: i64, state: CaState) -> Result<Made, Refusal> {
        let platform = self.platform_with_time_left()?;
        let key = self.keys.generate(self.config.tenant_ca_key).await?;
        let public = PublicKey::from_spki_der(&key.public_key_spki_der())?;
        let (row, _) = self.signed_ca(tenant, generation, state, &public, &platform)?;
        let sealed_key = self.sealer.seal(&purpose(tenant, generation), key.to_pkcs8().expose())?;
        Ok(Made { row, sealed_key })
    }

    /// The platform CA, as long as it is worth making CAs under it.
    pub(crate) fn platform_with_time_left(&self) -> Result<Arc<Platform>, Refusal> {
        let platform = self.platform()?;
        if platform.facts.not_after() < self.clock.now().plus(LEAST_LEFT) {
            let detail = format!("the platform CA ends at {}: no CA is made under it any more", platform.facts.not_after());
            return Err(Refusal::new(&CA_UNAVAILABLE, detail));
        }
        Ok(platform)
    }

    pub(crate) fn tenant_ca_profile(&self) -> Profile {
        match self.config.profile {
            LeafProfile::Kaa => Profile::KaaTenantCa,
            LeafProfile::Device | LeafProfile::Service => Profile::TenantCa,
        }
    }

    /// The certificate of a tenant's CA over this key, signed by the platform CA, as a row.
    pub(crate) fn signed_ca(
        &self,
        tenant: &TenantId,
        generation: i64,
        state: CaState,
        public: &PublicKey,
        platform: &Platform,
    ) -> Result<(TenantCa, CertificateDer<'static>), Refusal> {
        let profile = self.tenant_ca_profile();
        let now = self.clock.now();
        let subject = profile.subject(tenant.as_str())?;
        let serial = Serial::random(self.entropy.as_ref(), profile.serial_length());
        let validity = profile.validity(now, LIFE, &platform.facts);
        let request = CertificateRequest {
            profile,
            serial: serial.clone(),
            subject: subject.clone(),
            names: Vec::new(),
            public_key: public.clone(),
            validity,
            issuer: Arc::clone(&platform.facts),
            crl_url: None,
            ocsp_url: None,
            ca_issuers_url: None,
            no_rev_avail: false,
        };
        let certificate = request.lint(&self.throwaway)?.sign(platform.signer.as_ref())?;
        let row = TenantCa {
            tenant: tenant.clone(),
            generation,
            state,
            subject: subject.canonical().as_str().to_owned(),
            certificate: Some(certificate.to_vec()),
            ski: Some(public.key_identifier().to_vec()),
            serial_decimal: Some(serial.decimal()),
            custody: Custody::Software,
            mount: None,
            platform_generation: platform.generation,
            not_before: Some(validity.not_before),
            not_after: Some(validity.not_after),
            created_at: now,
            updated_at: now,
            version: 1,
        };
        Ok((row, certificate))
    }

    async fn opened(&self, row: &TenantCa) -> Result<Issuer, Refusal> {
        let damaged = || internal(&format!("the CA {} of tenant {} has no certificate", row.generation, row.tenant));
        let der = row.certificate.clone().ok_or_else(damaged)?;
        let certificate = CaCertificate::from_der(CertificateDer::from(der.clone())).map_err(|error| internal(&error))?;
        let key = match row.custody {
            Custody::Software => {
                let key = self.unsealed_key(row).await?;
                certificate.check_signer(&key).map_err(|error| internal(&error))?;
                CaKey::Software(Arc::new(key))
            }
            Custody::Vault => CaKey::Vault(self.vault_key(row)?),
        };
        let facts = IssuerFacts::of(&certificate).map_err(|error| internal(&error))?;
        let mut chain = vec![der];
        chain.extend(self.above(row.platform_generation).await?);
        Ok(Issuer {
            tenant: row.tenant.clone(),
            generation: row.generation,
            issuer_name: facts.name().canonical(),
            facts: Arc::new(facts),
            chain,
            key,
            opened: Instant::now(),
        })
    }

    async fn unsealed_key(&self, row: &TenantCa) -> Result<SigningKey, Refusal> {
        let sealed =
            sql::one(&self.db, tenant_ca::key(&row.tenant, row.generation), |row| Ok(row.opt_bytes(0)?.map(<[u8]>::to_vec))).await?;
        let Some(sealed) = sealed.flatten() else {
            let detail = format!("generation {} of the CA of tenant `{}` has no key here any more", row.generation, row.tenant);
            return Err(Refusal::new(&CA_UNAVAILABLE, detail));
        };
        let key = self.sealer.open(&purpose(&row.tenant, row.generation), &sealed)?;
        SigningKey::from_private_der(&key).map_err(|error| internal(&error))
    }

    /// What stands above a tenant's CA in the chain that clients send: the platform CA where a root is above that. A root is never
    /// sent.
    async fn above(&self, platform_generation: i64) -> Result<Vec<Vec<u8>>, Refusal> {
        let stored = sql::one(&self.db, platform_ca::find(platform_generation), platform_ca::read)
            .await?
            .ok_or_else(|| internal(&format!("there is no platform CA {platform_generation}")))?;
        let mut all = vec![stored.certificate];
        all.extend(stored.chain);
        all.pop();
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use signet_crypto::SystemEntropy;
    use signet_crypto::sign::KeyType;
    use signet_model::Timestamp;
    use signet_pki::{Name, Validity};

    use super::*;

    #[test]
    fn keys_that_have_been_open_for_long_are_closed_and_the_others_stay() {
        let opened = Instant::now();
        let issuer = |tenant: &str, opened| {
            let key = SigningKey::generate(KeyType::P256, &SystemEntropy).unwrap();
            let public = PublicKey::from_spki_der(&key.public_key_spki_der()).unwrap();
            let validity = Validity { not_before: Timestamp::EPOCH, not_after: Timestamp::EPOCH.plus(LIFE) };
            let facts = IssuerFacts::self_signed(Name::common(tenant).unwrap(), &public, validity);
            Arc::new(Issuer {
                tenant: tenant.parse().unwrap(),
                generation: 1,
                issuer_name: facts.name().canonical(),
                facts: Arc::new(facts),
                chain: Vec::new(),
                key: CaKey::Software(Arc::new(key)),
                opened,
            })
        };
        let cas = OpenCas::new(10);
        let later = opened + Duration::from_secs(60);
        for (tenant, opened) in [("old", opened), ("new", later)] {
            let issuer = issuer(tenant, opened);
            cas.any.insert((issuer.tenant.clone(), 1), Arc::clone(&issuer));
            cas.active.insert(issuer.tenant.clone(), issuer);
        }
        let (old, new): (TenantId, TenantId) = ("old".parse().unwrap(), "new".parse().unwrap());
        let key = cas.any.get(&(old.clone(), 1)).map(|issuer| Arc::downgrade(&issuer)).unwrap();
        cas.close_old(later);
        assert!(cas.active.get(&old).is_none() && cas.any.get(&(old, 1)).is_none());
        assert!(key.upgrade().is_none(), "nobody holds it any more");
        assert!(cas.active.get(&new).is_some() && cas.any.get(&(new, 1)).is_some());
    }
}
