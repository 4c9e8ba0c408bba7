//! What a room submits: a [`Change`] is wholly committed, with its audit record, events and standings, or not at all.

use signet_db::{Statement, Value};
use signet_model::{AuditRecord, EventId, Position, StandingSubject};

use crate::IdempotencyEntry;

/// A state change as a value.
///
/// Every writing statement holds the placeholder `{ok}` once in its `WHERE`; the ledger puts there what makes the statement
/// touch nothing when an expectation failed. An insert is written `INSERT INTO t (…) SELECT $1, $2 WHERE {ok} ON CONFLICT DO
/// NOTHING`. No two statements of one Change may touch the same row.
#[derive(Clone, Debug)]
pub struct Change {
    /// What must hold; a failed expectation is a [`CommitError::Conflict`](crate::CommitError::Conflict) and changes nothing.
    pub expect: Vec<Expect>,
    /// What is written beside; row counts do not matter.
    pub effect: Vec<Statement>,
    /// What the log tells of it.
    pub record: AuditRecord,
    /// Events that go out on the bus after the commit, at least once, in this order.
    pub events: Vec<OutboxRow>,
    /// Standings that change with it, for the feed.
    pub standing: Vec<StandingEntry>,
    /// The answer to repeat when the same request comes again.
    pub idempotency: Option<IdempotencyEntry>,
}

/// Something that must hold at the moment of the commit.
#[derive(Clone, Debug)]
pub enum Expect {
    /// A `SELECT` that must find exactly so many rows.
    Guard {
        /// The statement.
        statement: Statement,
        /// Rows that it must find.
        rows: u64,
    },
    /// An `INSERT`, `UPDATE` or `DELETE` that must touch exactly so many rows: the compare-and-set.
    Write {
        /// The statement, with `{ok}`.
        statement: Statement,
        /// Rows that it must touch.
        rows: u64,
    },
}

impl Expect {
    /// The `SELECT` must find exactly `rows` rows.
    pub fn guard(statement: Statement, rows: u64) -> Self {
        Self::Guard { statement, rows }
    }

    /// The writing statement must touch exactly `rows` rows.
    pub fn write(statement: Statement, rows: u64) -> Self {
        Self::Write { statement, rows }
    }
}

/// An event on its way to the bus.
#[derive(Clone, Debug)]
pub struct OutboxRow {
    /// Stable over repeats; rooms put it where the protocol has a correlation id.
    pub id: EventId,
    /// Subject to publish on.
    pub subject: String,
    /// The message's bytes.
    pub payload: Vec<u8>,
}

/// A subject's new standing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingEntry {
    /// Whose.
    pub subject: StandingSubject,
    /// Whether serving it may go on.
    pub good: bool,
    /// The reason code of a bad one.
    pub reason: Option<String>,
}

/// A write that is no state change: last use, rows that expired. Lowest priority, no record, no position; dropped when the
/// storage or the queue is full. Its statement holds no `{ok}`.
#[derive(Clone, Debug)]
pub struct Upkeep {
    /// The statement.
    pub statement: Statement,
}

/// Where a Change was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its place in the one order; also its audit record's.
    pub position: Position,
}

impl Change {
    /// A change that so far only leaves its record.
    pub fn new(record: AuditRecord) -> Self {
        Self { expect: Vec::new(), effect: Vec::new(), record, events: Vec::new(), standing: Vec::new(), idempotency: None }
    }

    /// The same with a further expectation.
    #[must_use]
    pub fn expecting(mut self, expect: Expect) -> Self {
        self.expect.push(expect);
        self
    }

    /// The same with a further effect.
    #[must_use]
    pub fn effecting(mut self, statement: Statement) -> Self {
        self.effect.push(statement);
        self
    }

    /// The same with a further event.
    #[must_use]
    pub fn announcing(mut self, event: OutboxRow) -> Self {
        self.events.push(event);
        self
    }

    /// The same with a further standing; of one subject the last one counts.
    #[must_use]
    pub fn standing(mut self, entry: StandingEntry) -> Self {
        self.standing.retain(|kept| kept.subject != entry.subject);
        self.standing.push(entry);
        self
    }

    /// The same with the answer to repeat.
    #[must_use]
    pub fn idempotent(mut self, entry: Option<IdempotencyEntry>) -> Self {
        self.idempotency = entry;
        self
    }

    /// Both changes as one, each part made by the room that owns its tables: all or nothing, one position, the record of
    /// `self`, which names what was joined under `joined`.
    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        let mut named = format!("{} {}", other.record.action, other.record.object);
        if let Some(earlier) = self.record.detail.get("joined") {
            named = format!("{earlier}; {named}");
        }
        self.record.detail.insert("joined", named);
        for (name, value) in other.record.detail {
            self.record.detail.entry(name).or_insert(value);
        }
        self.expect.extend(other.expect);
        self.effect.extend(other.effect);
        self.events.extend(other.events);
        for entry in other.standing {
            self = self.standing(entry);
        }
        self.idempotency = self.idempotency.or(other.idempotency);
        self
    }

    /// Whether a text in it holds a NUL, which no database of ours takes. Rooms refuse it with their own words before.
    pub(crate) fn holds_nul(&self) -> bool {
        let in_statement =
            |statement: &Statement| statement.params.iter().any(|value| matches!(value, Value::Text(text) if text.contains('\0')));
        let in_expectation = |expect: &Expect| match expect {
            Expect::Guard { statement, .. } | Expect::Write { statement, .. } => in_statement(statement),
        };
        self.expect.iter().any(in_expectation)
            || self.effect.iter().any(in_statement)
            || self.record.object.contains('\0')
            || self.events.iter().any(|event| event.subject.contains('\0'))
            || self.standing.iter().any(|entry| entry.reason.as_deref().is_some_and(|reason| reason.contains('\0')))
    }

    /// The change with its idempotency entry as plain statements, and one standing per subject: what the writers see.
    pub(crate) fn settled(mut self) -> Self {
        if let Some(entry) = self.idempotency.take() {
            let (guard, write) = entry.statements();
            self.expect.insert(0, Expect::guard(guard, 0));
            self.effect.push(write);
        }
        for entry in std::mem::take(&mut self.standing) {
            self = self.standing(entry);
        }
        self
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use signet_model::Timestamp;

    use super::*;

    pub(crate) fn record(object: &str) -> AuditRecord {
        AuditRecord {
            tenant: None,
            time: Timestamp::EPOCH,
            actor: "system:test".to_owned(),
            action: "test.change",
            object: object.to_owned(),
            reason: None,
            trace_id: "00000000000000000000000000000001".parse().unwrap(),
            detail: BTreeMap::new(),
        }
    }

    #[test]
    fn a_joined_change_keeps_every_part_and_names_it() {
        let entry = |good| StandingEntry { subject: StandingSubject::OperatorToken, good, reason: None };
        let one = Change::new(record("a").with("x", "1")).standing(entry(true));
        let two = Change::new(record("b").with("x", "2").with("y", "3")).standing(entry(false));
        let joined = one.join(two).join(Change::new(record("c")));
        assert_eq!(joined.standing, [entry(false)]);
        let detail: Vec<_> = joined.record.detail.iter().map(|(k, v)| (*k, v.as_str())).collect();
        assert_eq!(detail, [("joined", "test.change b; test.change c"), ("x", "1"), ("y", "3")]);
    }
}
