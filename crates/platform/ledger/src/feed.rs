//! What the feed says: the standings behind a position, read in one snapshot, so that everything up to `to` is in it.

use signet_db::{Db, Row, Sql, Statement, Value};
use signet_model::{AfterAnswer, Position, StandingChange};

use crate::LedgerError;

/// The standings behind a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Behind {
    /// The last committed position.
    pub(crate) head: Position,
    /// Everything up to here is in `changes`.
    pub(crate) to: Position,
    /// In the order of positions.
    pub(crate) changes: Vec<StandingChange>,
}

/// One statement, hence one snapshot: a subject that changes again meanwhile is seen with its last standing or not yet changed,
/// and the head belongs to what is seen. The head is the row without a subject.
const BEHIND: Sql = Sql::Same(
    "SELECT '' AS subject, (SELECT coalesce(max(position), 0) FROM audit) AS position, 1 AS good, '' AS reason \
     UNION ALL SELECT subject, position, good, reason FROM \
     (SELECT subject, position, good, reason FROM standing WHERE position > $1 ORDER BY position LIMIT $2) newer",
);

/// Reads what is behind `after`, at most [`AfterAnswer::MOST_CHANGES`].
pub(crate) async fn behind(db: &Db, after: Position) -> Result<Behind, LedgerError> {
    let one_more = i64::try_from(AfterAnswer::MOST_CHANGES).unwrap_or(i64::MAX).saturating_add(1);
    let rows = db.query(Statement { sql: BEHIND, params: vec![Value::Int(after.value()), Value::Int(one_more)] }).await?;
    let mut head = Position::ZERO;
    let mut changes = Vec::with_capacity(rows.len());
    for row in &rows {
        match row.text(0)? {
            "" => head = Position::new(row.int(1)?),
            subject => changes.push(change(subject, row)?),
        }
    }
    Ok(cut(head, changes, AfterAnswer::MOST_CHANGES))
}

fn change(subject: &str, row: &Row) -> Result<StandingChange, LedgerError> {
    Ok(StandingChange {
        position: Position::new(row.int(1)?),
        subject: subject.parse().map_err(LedgerError::Damaged)?,
        good: row.int(2)? != 0,
        reason: row.opt_text(3)?.map(str::to_owned),
    })
}

/// Cuts at a boundary between positions when there are more than `most`.
fn cut(head: Position, mut changes: Vec<StandingChange>, most: usize) -> Behind {
    changes.sort_by_key(|change| change.position);
    let mut to = head;
    if let Some(boundary) = changes.get(most).map(|change| change.position) {
        changes.retain(|change| change.position < boundary);
        to = Position::new(boundary.value().saturating_sub(1));
    }
    Behind { head, to, changes }
}

#[cfg(test)]
mod tests {
    use signet_model::StandingSubject;

    use super::*;

    fn at(position: i64) -> StandingChange {
        StandingChange { position: Position::new(position), subject: StandingSubject::OperatorToken, good: true, reason: None }
    }

    #[test]
    fn what_fits_reaches_to_the_head() {
        let behind = cut(Position::new(9), vec![at(7), at(3)], 2);
        assert_eq!((behind.to, behind.changes), (Position::new(9), vec![at(3), at(7)]));
    }

    #[test]
    fn what_does_not_fit_is_cut_between_two_positions() {
        let behind = cut(Position::new(9), vec![at(3), at(5), at(5), at(8)], 2);
        assert_eq!((behind.to, behind.changes), (Position::new(4), vec![at(3)]));
        let behind = cut(Position::new(9), vec![at(3), at(5), at(5), at(8)], 3);
        assert_eq!((behind.to, behind.changes), (Position::new(7), vec![at(3), at(5), at(5)]));
    }
}
