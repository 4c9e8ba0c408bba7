//! Telling mounts of revocations. The state that counts is ours, and so is the CRL; a mount is told so that whoever looks there sees
//! the same. What could not be told, because Vault was sealed or gone, waits in a table and is told within a minute of its return.

use std::time::Duration;

use signet_ledger::Upkeep;
use signet_model::Refusal;

use crate::ca::Custody;
use crate::config::CaCustody;
use crate::rotation::CaState;
use crate::sql::vault::{self, Due};
use crate::{AuthorityRoom, sql};

/// Between two rounds.
const EVERY: Duration = Duration::from_secs(1);
/// Revocations of one round.
const PAGE: u32 = 200;
/// The pause after the first failure, doubled with each further one, and its bound.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl AuthorityRoom {
    /// Tells mounts again and again, wherever this replica leads.
    pub(crate) async fn tell_mounts_again_and_again(&self, leads: &(impl Fn() -> bool + Sync)) {
        if matches!(self.custody, CaCustody::Software) {
            return;
        }
        loop {
            tokio::time::sleep(EVERY).await;
            if leads()
                && let Err(refusal) = self.tell_mounts().await
            {
                tracing::warn!(event = "custody.revocations-unread", reason = refusal.reason.code, detail = refusal.detail);
            }
        }
    }

    /// Tells the mounts what is due; how many revocations they know now. The first failure of a mount ends the round: the others
    /// would fail alike.
    ///
    /// # Errors
    /// The database.
    pub async fn tell_mounts(&self) -> Result<usize, Refusal> {
        let now = self.clock.now();
        let mut told = 0_usize;
        for due in sql::all(&self.db, vault::due(now, PAGE), vault::read_due).await? {
            match self.tell_mount(&due).await {
                Ok(()) => {
                    told = told.saturating_add(1);
                    self.ledger.upkeep(Upkeep { statement: vault::attempted(&due, None) });
                }
                Err(refusal) => {
                    tracing::warn!(event = "custody.revocation-later", tenant = %due.tenant, serial = due.serial, reason = refusal.reason.code);
                    self.ledger.upkeep(Upkeep { statement: vault::attempted(&due, Some(now.plus(pause(due.attempts)))) });
                    if refusal.reason.status == 503 {
                        break;
                    }
                }
            }
        }
        Ok(told)
    }

    async fn tell_mount(&self, due: &Due) -> Result<(), Refusal> {
        let row = self.ca_row(&due.tenant, due.generation).await?;
        if row.custody == Custody::Software {
            return Ok(());
        }
        let key = self.vault_key(&row)?;
        if due.serial == vault::THE_CA {
            self.heard(key.vault.delete_ca(&key.mount, &key.issuer).await)?;
            tracing::info!(event = "custody.ca-deleted", tenant = %due.tenant, generation = due.generation);
            return Ok(());
        }
        if row.state == CaState::Retired {
            // Nothing looks at a CA that the mount no longer has.
            return Ok(());
        }
        let known = self.heard(key.vault.revoke(&key.mount, &due.serial).await)?;
        if !known {
            tracing::debug!(event = "custody.serial-unknown", tenant = %due.tenant, serial = due.serial);
        }
        Ok(())
    }
}

fn pause(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.clamp(0, 5)).unwrap_or(5);
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_PAUSE)
}
