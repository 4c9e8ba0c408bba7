//! Keeps published lists true by itself: on the leading replica, each second, the lists whose members changed and those past half
//! of their period. Whoever asks for a list gets a true one in any case; this is for those who hold an old copy, and so that a
//! CA that cannot sign is noticed before its lists end.

use std::time::Duration;

use futures_util::StreamExt as _;
use signet_model::{Refusal, Scope, Timestamp, kinds};

use crate::crl::{LIFETIME, Purpose, half_of_period};
use crate::sql::partition::{self, PartitionKey};
use crate::{AuthorityRoom, sql};

/// Between two rounds.
const EVERY: Duration = Duration::from_secs(1);
/// Lists that are signed at once; the ledger commits them together.
const AT_ONCE: usize = 16;
/// Partitions that are read at once.
const PAGE: u32 = 500;

/// What came of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Lists that are true now.
    pub published: usize,
    /// Lists that could not be signed or stored.
    pub failed: usize,
}

impl AuthorityRoom {
    /// Publishes again and again, wherever this replica leads.
    pub(crate) async fn publish_again_and_again(&self, leads: &(impl Fn() -> bool + Sync)) {
        loop {
            if leads() {
                match self.publish_round().await {
                    Ok(round) => self.revocation.metrics.round(round),
                    Err(refusal) => self.revocation.metrics.crl_failed(&refusal),
                }
            } else {
                // What it saw while it led says nothing any more.
                self.revocation.metrics.oldest(None);
                self.revocation.metrics.round(Round::default());
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Signs every list that needs it; one that cannot be signed does not keep the others back.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn publish_round(&self) -> Result<Round, Refusal> {
        let mut round = Round::default();
        let mut after: Option<PartitionKey> = None;
        loop {
            let page = sql::all(&self.db, partition::changed(after.as_ref(), PAGE), partition::read_key).await?;
            if page.is_empty() {
                break;
            }
            after = page.last().cloned();
            self.publish_all(page, &mut round).await;
        }
        // A list whose end is nearer than this is past half of its period.
        let due = self.clock.now().plus(LIFETIME.saturating_sub(half_of_period()));
        let mut after: Option<(Timestamp, PartitionKey)> = None;
        loop {
            let page = sql::all(&self.db, partition::due(due, after.as_ref(), PAGE), partition::read_due).await?;
            if page.is_empty() {
                break;
            }
            after = page.last().cloned();
            self.publish_all(page.into_iter().map(|(_, key)| key).collect(), &mut round).await;
        }
        let first_end = sql::one(&self.db, partition::first_end(), |row| row.opt_time(0)).await?.flatten();
        self.revocation.metrics.oldest(first_end.map(|end| LIFETIME.saturating_sub(end.since(self.clock.now()))));
        Ok(round)
    }

    async fn publish_all(&self, keys: Vec<PartitionKey>, round: &mut Round) {
        let publishing =
            keys.into_iter().map(|key| async move { self.publish_crl(&key, Purpose::Regular).await.map_err(|refusal| (key, refusal)) });
        let mut publishing = futures_util::stream::iter(publishing).buffer_unordered(AT_ONCE);
        while let Some(published) = publishing.next().await {
            let count = match published {
                Ok(_) => &mut round.published,
                Err((key, refusal)) => {
                    self.revocation.metrics.crl_failed(&refusal);
                    // What keeps one list from being signed keeps thousands, each second: the log hears of the first one.
                    if round.failed == 0 {
                        tracing::warn!(event = "crl.failed", tenant = %key.tenant, generation = key.generation, partition = key.number,
                            reason = refusal.reason.code, detail = %refusal.detail);
                    }
                    &mut round.failed
                }
            };
            *count = count.saturating_add(1);
        }
    }

    /// Signs the last lists of a CA of the tenant that ends: each reaches beyond the end of its last certificate and leaves none that
    /// could still be used. May be repeated.
    ///
    /// # Errors
    /// A certificate of the CA can still be used, or is not settled; or the database, or the key.
    pub(crate) async fn publish_final(&self, scope: &Scope, generation: i64) -> Result<(), Refusal> {
        let tenant = &scope.tenant;
        let mut after = -1;
        loop {
            let page = partition::of_generation(tenant, generation, after, PAGE);
            let page = sql::all(&self.db, page, partition::read_key).await?;
            let Some(last) = page.last().map(|key| key.number) else { return Ok(()) };
            for key in page {
                let unrevoked = partition::unrevoked(&key, self.clock.now());
                if let Some(usable) = sql::one(&self.db, unrevoked, |row| Ok(row.text(0)?.to_owned())).await? {
                    let what = format!("certificate {usable} of generation {generation} of the CA is not revoked yet");
                    return Err(Refusal::new(&kinds::STORAGE_CONTENTION, what));
                }
                self.publish_crl(&key, Purpose::Final).await?;
            }
            after = last;
        }
    }
}
