//! What may be forgotten: certificates long after their end. What was revoked stays until it has expired and stood on a list that
//! was dated after that (checklist V6; CVE-2021-29653 is what happens otherwise), so a list never loses what it must say.

use std::time::Duration;

use signet_ledger::{Change, CommitError, Expect, Upkeep};
use signet_model::{AuditRecord, Caller, Refusal, TraceId};

use crate::crl::PERIOD;
use crate::sql::{expiry, partition};
use crate::{AuthorityRoom, sql};

/// Certificates stay in the inventory for so long after their end.
pub(crate) const KEPT: Duration = Duration::from_secs(90 * 86_400);
/// A partition whose members ended so long ago gets no more lists of its own accord: more than the day for which an ended
/// certificate still stands on them.
const RESTS_AFTER: Duration = Duration::from_secs(2 * 86_400);
/// Between two looks.
const EVERY: Duration = Duration::from_secs(3_600);
/// Certificates that one commit removes.
const PAGE: u32 = 500;

impl AuthorityRoom {
    /// Cleans up again and again, wherever this replica leads.
    pub(crate) async fn clean_again_and_again(&self, leads: &(impl Fn() -> bool + Sync)) {
        loop {
            tokio::time::sleep(EVERY).await;
            if leads()
                && let Err(refusal) = self.clean().await
            {
                tracing::warn!(event = "cleanup.failed", reason = refusal.reason.code, detail = %refusal.detail);
            }
        }
    }

    /// Forgets what may be forgotten now; how many certificates that were.
    ///
    /// # Errors
    /// The database.
    pub async fn clean(&self) -> Result<usize, Refusal> {
        let now = self.clock.now();
        let ago = |time: Duration| {
            let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
            signet_model::Timestamp::from_micros(now.micros().saturating_sub(micros))
        };
        self.ledger.upkeep(Upkeep { statement: partition::rest(ago(RESTS_AFTER.saturating_add(PERIOD))) });
        let before = ago(KEPT);
        let mut forgotten = 0_usize;
        for which in [expiry::forgettable, expiry::forgettable_orphans] {
            loop {
                let ids = sql::all(&self.db, which(before, PAGE), |row| Ok(format!("\"{}\"", row.text(0)?))).await?;
                if ids.is_empty() {
                    break;
                }
                let number = ids.len();
                let ids = format!("[{}]", ids.join(","));
                let record = AuditRecord {
                    tenant: None,
                    time: now,
                    actor: Caller::System("cleanup").to_string(),
                    action: "certificate.forget",
                    object: "certificates".to_owned(),
                    reason: None,
                    trace_id: TraceId::generate(self.entropy.as_ref()),
                    detail: [("certificates", number.to_string()), ("ended_before", before.to_string())].into(),
                };
                let rows = u64::try_from(number).unwrap_or(u64::MAX);
                let change =
                    Change::new(record).expecting(Expect::write(expiry::forget(&ids, before), rows)).effecting(expiry::forget_names(&ids));
                match self.ledger.commit(change).await {
                    Ok(_) => forgotten = forgotten.saturating_add(number),
                    // Another replica cleans.
                    Err(CommitError::Conflict) => return Ok(forgotten),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(forgotten)
    }
}
