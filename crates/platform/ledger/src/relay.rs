//! The leader's second duty: take events from the outbox to the bus. A row is deleted only after the bus has echoed the batch it
//! went with; until then it is sent again, with the id that it has in its payload.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use signet_bus::{Bus, BusError, OutMessage, Subject};
use signet_db::{Db, Row, Sql, Statement, Value};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::LedgerError;
use crate::leader::Leadership;
use crate::stats::Stats;

/// Events sent before an echo is awaited.
const BATCH: usize = 512;
/// How long an echo may take.
const ECHO_DEADLINE: Duration = Duration::from_secs(3);
/// Between two looks when nothing rings.
const LOOK: Duration = Duration::from_millis(250);
/// Between two attempts on a bus that did not echo.
const AFTER_FAILURE: Duration = Duration::from_millis(500);
/// Relayed rows are deleted in batches, at most this late.
const DELETE_EVERY: Duration = Duration::from_millis(200);
/// Between two attempts with events that the bus will not take, such as those on a subject without permission.
const STUCK_AGAIN: Duration = Duration::from_secs(10);
/// Stuck events that others may pass; with more, all wait.
const MOST_STUCK: usize = 1_024;

/// What the relay needs; shared by all its terms.
pub(crate) struct RelayParts {
    pub(crate) db: Db,
    pub(crate) bus: Bus,
    pub(crate) stats: Arc<Stats>,
    pub(crate) wake: Arc<Notify>,
}

/// The place of an event: position of its Change, number within it.
type Place = (i64, i64);

struct Relay<'a> {
    parts: &'a RelayParts,
    leadership: &'a Leadership,
    /// Everything up to here is sent or stuck.
    passed: Place,
    /// Everything up to here is deleted or stuck.
    deleted: Place,
    /// Sent on their own between stuck ones, to be deleted one by one.
    singles: Vec<Place>,
    stuck: BTreeMap<Place, OutMessage>,
    last_delete: Instant,
    last_stuck: Instant,
}

impl RelayParts {
    /// Relays until the token is cancelled, and then once more what is there.
    pub(crate) async fn run(&self, leadership: &Leadership, closing: &CancellationToken) -> Result<(), LedgerError> {
        let start = (0, -1);
        let now = Instant::now();
        let mut relay = Relay {
            parts: self,
            leadership,
            passed: start,
            deleted: start,
            singles: Vec::new(),
            stuck: BTreeMap::new(),
            last_delete: now,
            last_stuck: now,
        };
        loop {
            let closed = closing.is_cancelled();
            let (sent, more) = relay.relay().await?;
            if closed || relay.last_delete.elapsed() >= DELETE_EVERY {
                relay.delete().await?;
            }
            if closed {
                return Ok(());
            }
            if sent && more {
                continue;
            }
            let pause = if !sent {
                AFTER_FAILURE
            } else if relay.is_clean() {
                LOOK
            } else {
                DELETE_EVERY
            };
            tokio::select! {
                () = closing.cancelled() => {}
                // Between failures a ring changes nothing.
                () = self.wake.notified(), if sent => {}
                () = sleep(pause) => {}
            }
        }
    }
}

impl Relay<'_> {
    fn is_clean(&self) -> bool {
        self.deleted == self.passed && self.singles.is_empty()
    }

    /// Sends the next batch: whether the bus took it, and whether there may be more.
    async fn relay(&mut self) -> Result<(bool, bool), LedgerError> {
        if self.singles.len() > MOST_STUCK {
            // They cannot be deleted: storage is full. What they hold would be sent again after a restart, so no more of them.
            return Ok((false, true));
        }
        if !self.stuck.is_empty() && self.last_stuck.elapsed() >= STUCK_AGAIN {
            self.again().await;
        }
        let rows = self
            .parts
            .db
            .query(Statement { sql: NEXT, params: vec![Value::Int(self.passed.0), Value::Int(self.passed.1), most()] })
            .await?;
        let waiting = self.stuck.len().saturating_add(rows.len());
        self.parts.stats.outbox.store(i64::try_from(waiting).unwrap_or(i64::MAX), Relaxed);
        let Some(last) = rows.last().map(place).transpose()? else { return Ok((true, false)) };
        let more = rows.len() >= BATCH;
        let mut batch = Vec::with_capacity(rows.len());
        for row in &rows {
            batch.push((place(row)?, message(row)?));
        }
        match self.send(batch.iter().filter_map(|(_, message)| message.clone().ok()).collect()).await {
            Ok(()) if batch.iter().all(|(_, message)| message.is_ok()) => {}
            Ok(()) => {
                for (place, message) in batch {
                    match message {
                        Ok(_) => self.singles.push(place),
                        Err(fault) => tracing::error!(position = place.0, fault, "outbox.no-subject"), // stays for the operator to see
                    }
                }
                self.delete_range().await?;
                self.deleted = last;
            }
            // One event that the bus will not take must not hold up the others.
            Err(BusError::Denied(_) | BusError::TooLarge { .. } | BusError::Subject(_)) if self.stuck.len() < MOST_STUCK => {
                self.delete_range().await?;
                for (place, message) in batch {
                    let Ok(message) = message else { continue };
                    match self.send(vec![message.clone()]).await {
                        Ok(()) => self.singles.push(place),
                        Err(error @ (BusError::Denied(_) | BusError::TooLarge { .. } | BusError::Subject(_))) => {
                            tracing::error!(position = place.0, subject = %message.subject, %error, "outbox.stuck");
                            self.stuck.insert(place, message);
                        }
                        Err(_) => {
                            // The bus went away: what is left of this batch is read again.
                            return Ok((false, true));
                        }
                    }
                    (self.passed, self.deleted) = (place, place);
                }
                return Ok((true, more));
            }
            Err(error) => {
                tracing::debug!(%error, "outbox.not-relayed");
                self.parts.stats.relay_failures.fetch_add(1, Relaxed);
                return Ok((false, true));
            }
        }
        self.passed = last;
        self.parts.stats.outbox.store(i64::try_from(self.stuck.len()).unwrap_or(i64::MAX), Relaxed);
        Ok((true, more))
    }

    async fn send(&self, batch: Vec<OutMessage>) -> Result<(), BusError> {
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        // The bus keeps its own deadline; this one is for a bus that does not.
        let sent = timeout(ECHO_DEADLINE.saturating_mul(2), self.parts.bus.publish_confirmed(batch, ECHO_DEADLINE)).await;
        sent.unwrap_or(Err(BusError::Timeout))?;
        self.parts.stats.relayed.fetch_add(count, Relaxed);
        Ok(())
    }

    /// Tries the stuck ones again.
    async fn again(&mut self) {
        self.last_stuck = Instant::now();
        for (place, message) in self.stuck.clone() {
            if self.send(vec![message]).await.is_ok() {
                self.stuck.remove(&place);
                self.singles.push(place);
            }
        }
    }

    /// Deletes what was relayed. Out of space is no reason to stop relaying: the rows are deleted later.
    async fn delete(&mut self) -> Result<(), LedgerError> {
        self.last_delete = Instant::now();
        let result = match self.delete_range().await {
            Ok(()) => self.delete_singles().await,
            Err(error) => Err(error),
        };
        match result {
            Err(LedgerError::Db(error)) => {
                tracing::warn!(%error, "outbox.not-deleted");
                Ok(())
            }
            other => other,
        }
    }

    async fn delete_range(&mut self) -> Result<(), LedgerError> {
        if self.deleted == self.passed {
            return Ok(());
        }
        let ((from, from_number), (to, to_number)) = (self.deleted, self.passed);
        let params = [from, from_number, to, to_number].map(Value::Int).to_vec();
        self.leadership.write(vec![Statement { sql: DELETE_RANGE, params }], None).await?;
        self.deleted = self.passed;
        Ok(())
    }

    async fn delete_singles(&mut self) -> Result<(), LedgerError> {
        if self.singles.is_empty() {
            return Ok(());
        }
        let one = |(position, number): &Place| Statement {
            sql: Sql::Same("DELETE FROM outbox WHERE position = $1 AND number = $2"),
            params: vec![Value::Int(*position), Value::Int(*number)],
        };
        self.leadership.write(self.singles.iter().map(one).collect(), None).await?;
        self.singles.clear();
        Ok(())
    }
}

const NEXT: Sql = Sql::Same(
    "SELECT position, number, subject, payload FROM outbox WHERE (position, number) > ($1, $2) ORDER BY position, number LIMIT $3",
);
const DELETE_RANGE: Sql = Sql::Same("DELETE FROM outbox WHERE (position, number) > ($1, $2) AND (position, number) <= ($3, $4)");

fn most() -> Value {
    Value::Int(i64::try_from(BATCH).unwrap_or(i64::MAX))
}

fn place(row: &Row) -> Result<Place, LedgerError> {
    Ok((row.int(0)?, row.int(1)?))
}

/// The message of a row; a row whose subject is none cannot be sent by anybody.
fn message(row: &Row) -> Result<Result<OutMessage, String>, LedgerError> {
    let (subject, payload) = (row.text(2)?, row.bytes(3)?.to_vec());
    Ok(Subject::new(subject).map(|subject| OutMessage::new(subject, payload)).map_err(|e| format!("{subject:?}: {e}")))
}
