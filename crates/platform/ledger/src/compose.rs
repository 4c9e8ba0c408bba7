//! Writes one Change as one PostgreSQL statement: a data-modifying CTE in which everything hangs on the expectations, so that
//! a miss changes nothing and no savepoint is needed (design 6).
//!
//! ```sql
//! WITH g0 AS (guard), ok0 AS (SELECT 1 WHERE (SELECT count(*) FROM g0) = rows),
//!      w AS (UPDATE … WHERE … AND EXISTS (SELECT 1 FROM ok0) RETURNING 1),
//!      ok AS (SELECT 1 FROM ok0 WHERE (SELECT count(*) FROM w) = rows),
//!      e0 AS (effect), a AS (INSERT INTO audit … RETURNING position), o0 AS (outbox), s0 AS (standing)
//! SELECT …
//! ```
//!
//! The text depends on the Change's shape only and is prepared once per shape. Pure: no database here.

use std::fmt::Write as _;

use signet_db::{Statement, Value};

use crate::{Change, Expect};

/// Parts of one kind that fit into one statement; a Change with more is written statement by statement.
const MOST_PARTS: usize = 4;

/// All that the text depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    guards: Vec<(Fragment, u64)>,
    write: Option<(Fragment, u64)>,
    effects: Vec<Fragment>,
    events: usize,
    standings: usize,
}

/// A statement's text and the number of its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Fragment {
    text: &'static str,
    params: usize,
}

impl Fragment {
    fn of(statement: &Statement) -> Self {
        Self { text: statement.sql.postgres(), params: statement.params.len() }
    }
}

impl Shape {
    /// The shape of a settled Change, or none when it has to be written statement by statement.
    pub(crate) fn of(change: &Change) -> Option<Self> {
        let mut shape = Self {
            guards: Vec::new(),
            write: None,
            effects: change.effect.iter().map(Fragment::of).collect(),
            events: change.events.len(),
            standings: change.standing.len(),
        };
        for expect in &change.expect {
            match expect {
                Expect::Guard { statement, rows } => shape.guards.push((Fragment::of(statement), *rows)),
                Expect::Write { statement, rows } => {
                    if shape.write.replace((Fragment::of(statement), *rows)).is_some() {
                        return None;
                    }
                }
            }
        }
        let fits = [shape.guards.len(), shape.effects.len(), shape.events, shape.standings].iter().all(|n| *n <= MOST_PARTS);
        fits.then_some(shape)
    }

    /// The statement. It returns one row: the position, or null when an expectation failed; and it fails when the write
    /// touched rows but not the expected number, so that the batch is rolled back.
    pub(crate) fn text(&self) -> String {
        let mut text = Text::default();
        let mut holds = Vec::new();
        for (i, (guard, rows)) in self.guards.iter().enumerate() {
            text.part(&format!("g{i}"), guard, "");
            holds.push(format!("(SELECT count(*) FROM g{i}) = {rows}"));
        }
        let holds = if holds.is_empty() { "TRUE".to_owned() } else { holds.join(" AND ") };
        text.raw("ok0", &format!("SELECT 1 WHERE {holds}"));
        let touched = match &self.write {
            Some((write, rows)) => {
                text.writing("w", write, "EXISTS (SELECT 1 FROM ok0)");
                text.raw("ok", &format!("SELECT 1 FROM ok0 WHERE (SELECT count(*) FROM w) = {rows}"));
                format!("1 / CASE WHEN (SELECT count(*) FROM w) IN (0, {rows}) THEN 1 ELSE 0 END")
            }
            None => {
                text.raw("ok", "SELECT 1 FROM ok0");
                "1".to_owned()
            }
        };
        for (i, effect) in self.effects.iter().enumerate() {
            text.part(&format!("e{i}"), effect, "EXISTS (SELECT 1 FROM ok)");
        }
        let [tenant, object, suffix] = text.own();
        text.raw(
            "a",
            &format!(
                "INSERT INTO audit (position, tenant, object, record) \
                 SELECT h.p, {tenant}::text, {object}::text, '{{\"position\":' || h.p || {suffix}::text \
                 FROM (SELECT coalesce(max(position), 0) + 1 AS p FROM audit) h WHERE EXISTS (SELECT 1 FROM ok) RETURNING position"
            ),
        );
        for i in 0..self.events {
            let [id, subject, payload, created] = text.own();
            text.raw(
                &format!("o{i}"),
                &format!(
                    "INSERT INTO outbox (position, number, id, subject, payload, created_at) \
                     SELECT position, {i}, {id}::text, {subject}::text, {payload}::bytea, {created}::bigint FROM a"
                ),
            );
        }
        for i in 0..self.standings {
            let [subject, good, reason] = text.own();
            text.raw(
                &format!("s{i}"),
                &format!(
                    "INSERT INTO standing (subject, position, good, reason) \
                     SELECT {subject}::text, position, {good}::bigint, {reason}::text FROM a \
                     ON CONFLICT (subject) DO UPDATE SET position = excluded.position, good = excluded.good, reason = excluded.reason"
                ),
            );
        }
        format!("{} SELECT (SELECT position FROM a), {touched}", text.text)
    }
}

/// The parameters of a settled Change in the order of its shape's text.
pub(crate) fn params(change: &Change) -> Vec<Value> {
    let mut all = Vec::new();
    let guards = change.expect.iter().filter(|e| matches!(e, Expect::Guard { .. }));
    let writes = change.expect.iter().filter(|e| matches!(e, Expect::Write { .. }));
    for expect in guards.chain(writes) {
        match expect {
            Expect::Guard { statement, .. } | Expect::Write { statement, .. } => all.extend(statement.params.iter().cloned()),
        }
    }
    for effect in &change.effect {
        all.extend(effect.params.iter().cloned());
    }
    all.extend(audit_params(change));
    for event in &change.events {
        all.extend(outbox_params(change, event));
    }
    for entry in &change.standing {
        all.extend(standing_params(entry));
    }
    all
}

/// Tenant, object and the record behind its position.
pub(crate) fn audit_params(change: &Change) -> [Value; 3] {
    let record = &change.record;
    let tenant = record.tenant.as_ref().map_or(Value::Null, |t| Value::Text(t.as_str().to_owned()));
    [tenant, Value::Text(record.object.clone()), Value::Text(record.leaf_suffix())]
}

/// Id, subject, payload and time of an event.
pub(crate) fn outbox_params(change: &Change, event: &crate::OutboxRow) -> [Value; 4] {
    [
        Value::Text(event.id.as_str().to_owned()),
        Value::Text(event.subject.clone()),
        Value::Bytes(event.payload.clone()),
        Value::Int(change.record.time.micros()),
    ]
}

/// Subject, standing and reason.
pub(crate) fn standing_params(entry: &crate::StandingEntry) -> [Value; 3] {
    let reason = entry.reason.clone().map_or(Value::Null, Value::Text);
    [Value::Text(entry.subject.to_string()), Value::Int(i64::from(entry.good)), reason]
}

/// The growing text and the number of parameters so far.
#[derive(Default)]
struct Text {
    text: String,
    params: usize,
}

impl Text {
    fn raw(&mut self, name: &str, body: &str) {
        let lead = if self.text.is_empty() { "WITH" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{lead} {name} AS ({body})");
    }

    fn part(&mut self, name: &str, fragment: &Fragment, ok: &str) {
        let body = filled(fragment.text, ok, '$', self.params);
        self.params = self.params.saturating_add(fragment.params);
        self.raw(name, &body);
    }

    /// A part whose rows are counted, so it must return them.
    fn writing(&mut self, name: &str, fragment: &Fragment, ok: &str) {
        let body = filled(fragment.text, ok, '$', self.params);
        self.params = self.params.saturating_add(fragment.params);
        self.raw(name, &format!("{body} RETURNING 1"));
    }

    /// The next parameters, for the ledger's own parts.
    fn own<const N: usize>(&mut self) -> [String; N] {
        std::array::from_fn(|_| {
            self.params = self.params.saturating_add(1);
            format!("${}", self.params)
        })
    }
}

/// The text with `{ok}` filled in and `$n` written with `marker` and moved up by `offset`, both outside of quotes only. The marker
/// is `$` for PostgreSQL and `?` for SQLite, where `$n` is a name and would be counted by its first appearance.
pub(crate) fn filled(text: &str, ok: &str, marker: char, offset: usize) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(64));
    let mut rest = text;
    let mut quote: Option<char> = None;
    while let Some(c) = rest.chars().next() {
        let tail = rest.get(c.len_utf8()..).unwrap_or_default();
        match (quote, c) {
            (Some(open), c) => {
                quote = if c == open { None } else { Some(open) };
                out.push(c);
                rest = tail;
            }
            (None, '\'' | '"') => {
                quote = Some(c);
                out.push(c);
                rest = tail;
            }
            (None, '{') if tail.starts_with("ok}") => {
                out.push_str(ok);
                rest = tail.get(3..).unwrap_or_default();
            }
            (None, '$') if tail.starts_with(|c: char| c.is_ascii_digit()) => {
                let digits = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
                let (number, behind) = tail.split_at_checked(digits).unwrap_or((tail, ""));
                let number: usize = number.parse().unwrap_or(0);
                let _ = write!(out, "{marker}{}", number.saturating_add(offset));
                rest = behind;
            }
            (None, c) => {
                out.push(c);
                rest = tail;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use signet_db::Sql;

    use super::*;
    use crate::change::tests::record;
    use crate::{OutboxRow, StandingEntry};

    #[test]
    fn placeholders_are_filled_outside_of_quotes_only() {
        let text = "UPDATE t SET a = $1, b = '$2 {ok}', \"$3\" = $12 WHERE {ok} AND c = '{ok}' || $2";
        assert_eq!(filled(text, "TRUE", '$', 10), "UPDATE t SET a = $11, b = '$2 {ok}', \"$3\" = $22 WHERE TRUE AND c = '{ok}' || $12");
        assert_eq!(filled("a $ {o} $x ü", "X", '?', 1), "a $ {o} $x ü");
    }

    fn write(params: usize) -> Expect {
        let sql = Sql::Same("UPDATE t SET a = $1 WHERE id = $2 AND {ok}");
        Expect::write(Statement { sql, params: vec![Value::Null; params] }, 1)
    }

    #[test]
    fn parameters_stand_in_the_order_of_the_text() {
        let guard = Expect::guard(Statement { sql: Sql::Same("SELECT 1 FROM g WHERE x = $1"), params: vec![Value::Int(7)] }, 0);
        let effect = Statement { sql: Sql::Same("DELETE FROM e WHERE y = $1 AND {ok}"), params: vec![Value::Int(8)] };
        // The write stands before the guard here, behind it in the text.
        let change = Change::new(record("x")).expecting(write(2)).expecting(guard).effecting(effect).settled();
        let text = Shape::of(&change).unwrap().text();
        for part in [
            "x = $1",
            "a = $2 WHERE id = $3 AND EXISTS (SELECT 1 FROM ok0) RETURNING 1",
            "y = $4 AND EXISTS (SELECT 1 FROM ok)",
            "$5::text, $6::text",
            "$7::text",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let params = params(&change);
        assert_eq!(params.len(), 7);
        assert!(matches!((&params[0], &params[3]), (Value::Int(7), Value::Int(8))), "{params:?}");
    }

    #[test]
    fn what_is_too_much_for_one_statement_is_told_apart() {
        let plain = Change::new(record("x")).expecting(write(2));
        assert!(Shape::of(&plain).is_some());
        assert!(Shape::of(&plain.clone().expecting(write(2))).is_none(), "two writes");
        let event = OutboxRow { id: "evt_00000000000000000000000000000000".parse().unwrap(), subject: "a".to_owned(), payload: vec![] };
        let many = (0..=MOST_PARTS).fold(plain, |change, _| change.announcing(event.clone()));
        assert!(Shape::of(&many).is_none(), "five events");
    }

    #[test]
    fn the_same_shape_gives_the_same_key_whatever_the_values() {
        let entry = |good| StandingEntry { subject: signet_model::StandingSubject::OperatorToken, good, reason: None };
        let one = Change::new(record("x")).expecting(write(2)).standing(entry(true));
        let two = Change::new(record("y")).expecting(write(2)).standing(entry(false));
        assert_eq!(Shape::of(&one), Shape::of(&two));
        assert_ne!(Shape::of(&one), Shape::of(&Change::new(record("x")).expecting(write(2))));
    }
}
