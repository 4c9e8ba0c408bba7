//! What a tenant's CA signs with: a key in this process, or one inside Vault that is only asked. Everything above works with either.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use quick_cache::sync::Cache;
use signet_crypto::sign::Signer;
use signet_custody::vault::{CUSTODY_SEALED, Mount, VaultPki};
use signet_model::{Refusal, TenantId};

use crate::ca::TenantCa;
use crate::config::CaCustody;
use crate::reasons::CA_UNAVAILABLE;
use crate::{AuthorityRoom, internal};

/// CAs whose addresses and roles in the mount are remembered; of one that is forgotten they are set again.
const MOST_REMEMBERED: usize = 100_000;
/// Between two looks at whether Vault serves.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The key of a CA.
pub(crate) enum CaKey {
    /// Open in this process.
    Software(Arc<dyn Signer>),
    /// Inside Vault.
    Vault(VaultKey),
}

/// A key inside Vault: which mount, and which of its issuers.
#[derive(Clone)]
pub(crate) struct VaultKey {
    pub(crate) vault: Arc<VaultPki>,
    pub(crate) mount: Mount,
    /// The issuer's name in the mount, the same as its key's.
    pub(crate) issuer: String,
}

/// The name of a generation in its tenant's mount.
pub(crate) fn issuer_name(generation: i64) -> String {
    format!("generation-{generation}")
}

/// What is remembered of Vault.
pub(crate) struct VaultState {
    /// The CRL address that each CA's issuer was last told.
    pub(crate) addresses: Cache<(TenantId, i64), String>,
    /// The tenants in whose mounts this process has written the roles: settings may have changed since the CA was made.
    pub(crate) roles: Cache<TenantId, ()>,
    /// Why Vault cannot be used, by the last look or call.
    fault: ArcSwapOption<Refusal>,
}

impl VaultState {
    pub(crate) fn new() -> Self {
        Self { addresses: Cache::new(MOST_REMEMBERED), roles: Cache::new(MOST_REMEMBERED), fault: ArcSwapOption::empty() }
    }

    /// What health says: nothing when all is well.
    pub(crate) fn unwell(&self) -> Option<String> {
        self.fault.load().as_ref().map(|refusal| format!("{}: {}", refusal.reason.code, refusal.detail))
    }

    /// Nothing is begun while Vault is known to be sealed: each serial number that comes to nothing stands on a list for a
    /// certificate's life.
    ///
    /// # Errors
    /// `custody.sealed`.
    pub(crate) fn refuse_while_sealed(&self) -> Result<(), Refusal> {
        match &*self.fault.load() {
            Some(refusal) if refusal.reason.code == CUSTODY_SEALED.code => Err(Refusal::clone(refusal)),
            Some(_) | None => Ok(()),
        }
    }

    pub(crate) fn failed(&self, refusal: &Refusal) {
        self.fault.store(Some(Arc::new(refusal.clone())));
    }
}

impl AuthorityRoom {
    /// The key of a CA that lives in Vault.
    pub(crate) fn vault_key(&self, row: &TenantCa) -> Result<VaultKey, Refusal> {
        let CaCustody::Vault(vault) = &self.custody else {
            let detail = format!(
                "the key of generation {} of the CA of tenant `{}` is in Vault, which is not configured",
                row.generation, row.tenant
            );
            return Err(Refusal::new(&CA_UNAVAILABLE, detail).with_fix("Set `custody.kind = \"vault\"` and where it is."));
        };
        let mount = row.mount.as_deref().ok_or_else(|| internal(&format!("the CA {} of {} has no mount", row.generation, row.tenant)))?;
        Ok(VaultKey { vault: Arc::clone(vault), mount: Mount::parse(mount)?, issuer: issuer_name(row.generation) })
    }

    /// Looks again and again whether Vault serves; nothing else waits for it.
    pub(crate) async fn watch_custody(&self) {
        let CaCustody::Vault(vault) = &self.custody else { return };
        loop {
            match vault.check().await {
                Ok(()) => self.vault.fault.store(None),
                Err(error) => self.vault.failed(&error.into()),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
