//! Certificates that end soon are told of 30, 7 and 1 days before: as an event of the outbox each, once over all replicas.
//!
//! Each level remembers up to which end it has told. Time moves that on, so a certificate crosses each level once; one that was
//! made for less time than the level never does. A step and its events are one commit.

use std::time::Duration;

use serde::Serialize;
use signet_ledger::{Change, CommitError, Expect, OutboxRow};
use signet_model::{AuditRecord, Caller, EventId, Refusal, TenantId, Timestamp, TraceId};
use tokio::time::Instant;

use crate::sql::expiry::{self, Ending};
use crate::{AuthorityRoom, internal, sql};

/// The subject of the events.
pub const EXPIRING_SUBJECT: &str = "signet.v1.certificate.expiring";
/// Days before the end, the widest first.
pub(crate) const LEVELS: [u32; 3] = [30, 7, 1];
/// The kind of what is told of, as stored.
const KIND: &str = "certificate";
/// Between two looks.
const EVERY: Duration = Duration::from_secs(60);
/// Counting may take this part of the time.
const COUNT_SHARE: u32 = 200;
/// Certificates that one step tells of.
const PAGE: u32 = 100;
/// With nothing to tell, a level moves on by so much at once: what is passed over is not looked at each time, and few records tell
/// of nothing.
const STEP: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// What an event says.
#[derive(Serialize)]
struct Expiring<'a> {
    id: &'a EventId,
    time: Timestamp,
    tenant: &'a TenantId,
    certificate: &'a str,
    issuer: &'a str,
    serial: &'a str,
    subject: &'a str,
    identity: Option<&'a str>,
    not_after: Timestamp,
    days: u32,
}

impl AuthorityRoom {
    /// Tells and counts again and again, wherever this replica leads.
    pub(crate) async fn tell_again_and_again(&self, leads: &(impl Fn() -> bool + Sync)) {
        let mut count_at = Instant::now();
        loop {
            if leads() {
                if let Err(refusal) = self.tell_of_ends().await {
                    tracing::warn!(event = "alarm.failed", reason = refusal.reason.code, detail = %refusal.detail);
                }
                if Instant::now() >= count_at {
                    let started = Instant::now();
                    if let Err(refusal) = self.count_ends().await {
                        tracing::warn!(event = "alarm.count-failed", reason = refusal.reason.code, detail = %refusal.detail);
                    }
                    let rest = started.elapsed().saturating_mul(COUNT_SHARE).max(EVERY);
                    count_at = Instant::now().checked_add(rest).unwrap_or(count_at);
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Tells of everything that has come within a level since the last time; how many certificates that were.
    ///
    /// # Errors
    /// The database.
    pub async fn tell_of_ends(&self) -> Result<usize, Refusal> {
        let mut told = 0_usize;
        let narrower = LEVELS.iter().skip(1).copied().chain([0]);
        for (days, narrower) in LEVELS.into_iter().zip(narrower) {
            while let Some(number) = self.tell_step(days, narrower).await? {
                told = told.saturating_add(number);
            }
        }
        Ok(told)
    }

    /// The next step of a level: how many were told of; none when the level is up to date.
    async fn tell_step(&self, days: u32, narrower: u32) -> Result<Option<usize>, Refusal> {
        let now = self.clock.now();
        let (level, horizon) = (DAY.saturating_mul(days), now.plus(DAY.saturating_mul(days)));
        let former = sql::one(&self.db, expiry::told(KIND, days.into()), expiry::read_told).await?;
        let Some(former) = former else {
            let begin = Change::new(self.alarm_record(days, 0)).expecting(Expect::write(expiry::begin(KIND, days.into(), now), 1));
            return self.commit_alarm(begin, 0).await;
        };
        if former.to > horizon {
            // The clock was ahead. What it told of then may be told of once more; nothing is passed over.
            let back = expiry::tell(KIND, days.into(), &former, horizon, "");
            return self.commit_alarm(Change::new(self.alarm_record(days, 0)).expecting(Expect::write(back, 1)), 0).await;
        }
        // What is within a narrower level already is told of by that.
        let narrow = now.plus(DAY.saturating_mul(narrower));
        let after = if former.to < narrow { (narrow, "\u{7f}") } else { (former.to, former.id.as_str()) };
        let ending = sql::all(&self.db, expiry::certificates(after, horizon, level, PAGE), expiry::read_certificate).await?;
        if ending.is_empty() && horizon.since(former.to) < STEP {
            return Ok(None);
        }
        let whole = ending.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
        let (to, id) = match ending.last() {
            Some(last) if !whole => (last.not_after, last.id.as_str()),
            // Nothing else ends by then, and what is made later and ends by then is made for less than the level.
            Some(_) | None => (horizon, "\u{7f}"),
        };
        let number = ending.len();
        let change =
            Change::new(self.alarm_record(days, number)).expecting(Expect::write(expiry::tell(KIND, days.into(), &former, to, id), 1));
        let change = ending.iter().try_fold(change, |change, one| Ok::<_, Refusal>(change.announcing(self.expiring(one, days)?)))?;
        self.commit_alarm(change, number).await
    }

    async fn commit_alarm(&self, change: Change, number: usize) -> Result<Option<usize>, Refusal> {
        match self.ledger.commit(change).await {
            Ok(_) => {
                self.revocation.metrics.told(number);
                Ok(Some(number))
            }
            // Another replica tells.
            Err(CommitError::Conflict) => Ok(Some(0)),
            Err(error) => Err(error.into()),
        }
    }

    fn alarm_record(&self, days: u32, told: usize) -> AuditRecord {
        AuditRecord {
            tenant: None,
            time: self.clock.now(),
            actor: Caller::System("alarms").to_string(),
            action: "certificate.expiring",
            object: format!("{days}d"),
            reason: None,
            trace_id: TraceId::generate(self.entropy.as_ref()),
            detail: [("told", told.to_string())].into(),
        }
    }

    fn expiring(&self, ending: &Ending, days: u32) -> Result<OutboxRow, Refusal> {
        let now = self.clock.now();
        let id = EventId::generate(now, self.entropy.as_ref());
        let event = Expiring {
            id: &id,
            time: now,
            tenant: &ending.tenant,
            certificate: &ending.id,
            issuer: &ending.issuer_dn,
            serial: &ending.serial_decimal,
            subject: &ending.subject,
            identity: ending.identity.as_deref(),
            not_after: ending.not_after,
            days,
        };
        let payload = serde_json::to_vec(&event).map_err(|error| internal(&error))?;
        Ok(OutboxRow { id, subject: EXPIRING_SUBJECT.to_owned(), payload })
    }

    /// Counts what ends soon, for the metrics.
    ///
    /// # Errors
    /// The database.
    pub async fn count_ends(&self) -> Result<(), Refusal> {
        let now = self.clock.now();
        for days in LEVELS {
            let until = now.plus(DAY.saturating_mul(days));
            let number = sql::one(&self.db, expiry::number(now, until), |row| row.int(0)).await?.unwrap_or(0);
            let cas = sql::one(&self.db, expiry::number_of_cas(now, until), |row| row.int(0)).await?.unwrap_or(0);
            self.revocation.metrics.ending(days, number, cas);
        }
        Ok(())
    }
}
