//! A tenant's CA whose key is made inside Vault. That takes several calls, so a row `pending` is written first: of all processes
//! that want the CA one has the lease and makes it, the others wait for it; a lease that ran out is taken over. Every call may be
//! repeated and finds what was there, so there is one key and one certificate whoever finishes.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use signet_custody::vault::{CaRequest, IssuerUrls, Mount, RoleSpec, VaultError, VaultPki};
use signet_ledger::{Change, CommitError, Decided, Expect};
use signet_model::{AuditRecord, Refusal, Scope, TenantId, Timestamp};
use signet_pki::{CertificateFacts, Csr, PublicKey};
use tokio::time::Instant;

use crate::ca::{Custody, TenantCa};
use crate::config::LeafProfile;
use crate::custody::issuer_name;
use crate::platform::Platform;
use crate::reasons::CA_BEING_MADE;
use crate::rotation::CaState;
use crate::sql::{tenant_ca, vault};
use crate::{AuthorityRoom, addresses, intent, internal, sql};

/// How long one process may take to make a CA before another one tries.
const LEASE: Duration = Duration::from_secs(60);
/// How long a request waits for a CA that another process makes.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two looks at its row.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Where a CA in the making stands.
enum Lease {
    /// It is there.
    There(TenantCa),
    /// This process makes it.
    Mine(TenantCa),
    /// Another one does.
    Theirs,
}

impl AuthorityRoom {
    /// The CA of this generation, made inside Vault where there is none yet.
    ///
    /// # Errors
    /// What Vault says (`custody.sealed` …); `ca.being-made`; the platform CA; the database.
    pub(crate) async fn made_in_vault(
        &self,
        scope: &Scope,
        vault: &Arc<VaultPki>,
        generation: i64,
        state: CaState,
    ) -> Result<TenantCa, Refusal> {
        let begun = Instant::now();
        loop {
            match self.lease(scope, vault, generation).await? {
                Lease::There(row) => return Ok(row),
                Lease::Mine(row) => {
                    let made = self.make_in_vault(scope, vault, &row, state).await;
                    if let Err(refusal) = &made {
                        self.vault.failed(refusal);
                        self.end_lease(scope, &row).await;
                    }
                    return made;
                }
                Lease::Theirs if begun.elapsed() < PATIENCE => tokio::time::sleep(LOOK_EVERY).await,
                Lease::Theirs => {
                    return Err(Refusal::new(&CA_BEING_MADE, format!("another process makes the CA of tenant `{}`", scope.tenant)));
                }
            }
        }
    }

    async fn lease(&self, scope: &Scope, vault: &VaultPki, generation: i64) -> Result<Lease, Refusal> {
        let tenant = &scope.tenant;
        let mount = vault.mount(tenant)?;
        self.ledger
            .decide(|| async {
                let now = self.clock.now();
                let record =
                    |what: &str| AuditRecord::new(scope, "ca.begin", format!("{tenant}/{generation}")).with("lease", what.to_owned());
                match sql::one(&self.db, tenant_ca::find(tenant, generation), tenant_ca::read).await? {
                    None => {
                        let row = self.pending_row(tenant, generation, &mount, now)?;
                        let change = Change::new(record("new")).expecting(Expect::write(tenant_ca::insert(&row, None), 1));
                        Ok(Decided::commit(change, Lease::Mine(row)))
                    }
                    Some(row) if row.state != CaState::Pending => Ok(Decided::Same(Lease::There(row))),
                    Some(row) if row.updated_at > intent::back(now, LEASE) => Ok(Decided::Same(Lease::Theirs)),
                    Some(row) => {
                        let change = Change::new(record("taken over")).expecting(Expect::write(vault::renew_lease(&row, now), 1));
                        let row = TenantCa { updated_at: now, version: row.version.saturating_add(1), ..row };
                        Ok(Decided::commit(change, Lease::Mine(row)))
                    }
                }
            })
            .await
    }

    fn pending_row(&self, tenant: &TenantId, generation: i64, mount: &Mount, now: Timestamp) -> Result<TenantCa, Refusal> {
        let subject = self.tenant_ca_profile().subject(tenant.as_str())?;
        Ok(TenantCa {
            tenant: tenant.clone(),
            generation,
            state: CaState::Pending,
            subject: subject.canonical().as_str().to_owned(),
            certificate: None,
            ski: None,
            serial_decimal: None,
            custody: Custody::Vault,
            mount: Some(mount.path().to_owned()),
            platform_generation: self.platform()?.generation,
            not_before: None,
            not_after: None,
            created_at: now,
            updated_at: now,
            version: 1,
        })
    }

    /// Lets the next one try at once. What cannot be written runs out by itself.
    async fn end_lease(&self, scope: &Scope, row: &TenantCa) {
        let record = AuditRecord::new(scope, "ca.begin", format!("{}/{}", row.tenant, row.generation)).with("lease", "given up");
        let change = Change::new(record).expecting(Expect::write(vault::renew_lease(row, Timestamp::EPOCH), 1));
        if let Err(error) = self.ledger.commit(change).await {
            tracing::warn!(event = "ca.lease-kept", tenant = %row.tenant, generation = row.generation, %error);
        }
    }

    async fn make_in_vault(&self, scope: &Scope, vault: &Arc<VaultPki>, lease: &TenantCa, state: CaState) -> Result<TenantCa, Refusal> {
        let platform = self.platform_with_time_left()?;
        let (tenant, generation) = (&lease.tenant, lease.generation);
        let (mount, issuer) = (vault.mount(tenant)?, issuer_name(generation));
        vault.ensure_mount(&mount).await?;
        let urls = self.issuer_urls(tenant, generation, None);
        let found = vault.issuer_certificate(&mount, &issuer).await?.and_then(|der| usable(&der, lease, &platform, self.clock.now()));
        let mut made = match found {
            Some((facts, public, der)) => TenantCa {
                certificate: Some(der.to_vec()),
                ski: Some(public.key_identifier().to_vec()),
                serial_decimal: Some(facts.serial.decimal()),
                not_before: Some(facts.not_before),
                not_after: Some(facts.not_after),
                ..lease.clone()
            },
            None => {
                let wanted = CaRequest { issuer: &issuer, common_name: tenant.as_str(), key_type: self.config.tenant_ca_key };
                let csr = vault.generate_ca_csr(&mount, wanted).await?;
                let csr = Csr::parse(&csr)?.verify()?;
                let (row, certificate) = self.signed_ca(tenant, generation, state, csr.public_key(), &platform)?;
                let mut chain = vec![certificate, CertificateDer::from(platform.certificate.clone())];
                chain.extend(platform.above.iter().cloned().map(CertificateDer::from));
                vault.set_signed(&mount, &issuer, &chain, &urls).await?;
                row
            }
        };
        self.write_roles(vault, tenant, &mount).await?;
        made = TenantCa {
            state,
            custody: Custody::Vault,
            mount: Some(mount.path().to_owned()),
            platform_generation: platform.generation,
            created_at: lease.created_at,
            updated_at: self.clock.now(),
            version: lease.version.saturating_add(1),
            ..made
        };
        let record = AuditRecord::new(scope, "ca.create", format!("{tenant}/{generation}"))
            .with("state", state.as_str())
            .with("subject", made.subject.as_str())
            .with("serial", made.serial_decimal.clone().unwrap_or_default())
            .with("custody", made.custody.as_str())
            .with("platform_generation", made.platform_generation.to_string());
        let change = Change::new(record).expecting(Expect::write(vault::finish(&made, lease.version), 1));
        match self.ledger.commit(change).await {
            Ok(_) => {
                self.metrics.ca_made();
                Ok(made)
            }
            Err(CommitError::Conflict) => {
                let there = sql::one(&self.db, tenant_ca::find(tenant, generation), tenant_ca::read).await?;
                let there = there.filter(|row| row.state != CaState::Pending);
                there.ok_or_else(|| Refusal::new(&CA_BEING_MADE, format!("another process makes the CA of tenant `{tenant}`")))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the roles of the profiles as the settings have them now, once in each process: a role keeps the back-dating that it
    /// was written with.
    pub(crate) async fn write_roles(&self, vault: &VaultPki, tenant: &TenantId, mount: &Mount) -> Result<(), VaultError> {
        for profile in LeafProfile::ALL {
            vault.ensure_role(mount, &self.role(profile)).await?;
        }
        self.vault.roles.insert(tenant.clone(), ());
        Ok(())
    }

    /// What an issuer writes into certificates.
    pub(crate) fn issuer_urls(&self, tenant: &TenantId, generation: i64, crl: Option<String>) -> IssuerUrls {
        let base = self.config.revocation_url.as_str();
        IssuerUrls { crl, ocsp: Some(addresses::ocsp(base)), ca_issuers: Some(addresses::ca_certificate(base, tenant, generation)) }
    }

    /// The role of a profile: the same certificate as ours.
    fn role(&self, profile: LeafProfile) -> RoleSpec {
        let usages: &[&str] = match profile {
            LeafProfile::Kaa => &["DigitalSignature", "KeyEncipherment", "KeyAgreement"],
            LeafProfile::Device | LeafProfile::Service => &["DigitalSignature"],
        };
        RoleSpec {
            name: profile.as_str().to_owned(),
            key_usage: usages.iter().map(|usage| (*usage).to_owned()).collect(),
            server: profile != LeafProfile::Device,
            client: true,
            backdate: self.config.dated_back(profile.of_pki()),
            max_ttl: self.config.max_ttl,
        }
    }
}

/// A certificate that an earlier attempt set: of this name, by this platform CA, and not ended.
fn usable(
    der: &CertificateDer<'static>,
    lease: &TenantCa,
    platform: &Platform,
    now: Timestamp,
) -> Option<(CertificateFacts, PublicKey, CertificateDer<'static>)> {
    let facts = match CertificateFacts::read(der) {
        Ok(facts) => facts,
        Err(error) => {
            internal(&error);
            return None;
        }
    };
    let ours = facts.subject.canonical().as_str() == lease.subject
        && facts.authority_key_identifier.as_deref() == Some(platform.facts.key_identifier())
        && facts.is_ca
        && facts.not_after > now;
    let key = facts.key.clone().ok()?;
    ours.then(|| (facts, key, der.clone()))
}
