//! The pure middle of a view: what is withdrawn at which position, and what a batch or an answer makes of it.
//!
//! Only subjects whose standing is not good are kept. "Good" forgets the row: positions are applied in order, so no older
//! change can come after it and bring the row back.

use std::collections::HashMap;

use signet_model::{AfterAnswer, FeedBatch, Lineage, Position, StandingChange, StandingSubject};

/// Why a message that was signed correctly, or not, changed nothing. Counted by cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// No signed envelope, too long, or a payload of another form.
    Malformed,
    /// The signature is not the feed key's over this purpose and these bytes.
    Signature,
    /// Signed for another history.
    Lineage,
    /// Signed by a leader that has been replaced.
    Term,
    /// An answer to a question that is not open: replayed, late, or somebody else's.
    Nonce,
    /// Positions that contradict one another or the question.
    Range,
}

impl Cause {
    /// Every cause, in the order of the counters.
    pub const ALL: [Self; 6] = [Self::Malformed, Self::Signature, Self::Lineage, Self::Term, Self::Nonce, Self::Range];

    /// The word in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Signature => "signature",
            Self::Lineage => "lineage",
            Self::Term => "term",
            Self::Nonce => "nonce",
            Self::Range => "range",
        }
    }
}

/// What makes a view unusable until the process is restarted. Nothing that arrives later can mend it: the view can no
/// longer know what it has missed, and two workers on two databases would otherwise make it flicker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewFault {
    /// A fresh answer came from another history.
    #[error("the feed is of lineage {theirs}, this view follows {ours}")]
    OtherLineage {
        /// The history that this view follows.
        ours: Lineage,
        /// The history of the answer.
        theirs: Lineage,
    },
    /// A fresh answer's head lies before what this view has applied: the database lost changes.
    #[error("the feed's head is {theirs}, this view has applied {ours}")]
    LowerHead {
        /// What this view had applied when it asked.
        ours: Position,
        /// The head of the answer.
        theirs: Position,
    },
    /// No room for another withdrawn subject.
    #[error("more than {capacity} subjects are withdrawn")]
    Full {
        /// The room there is.
        capacity: usize,
    },
}

/// A subject that is not good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// Where that was committed.
    pub since: Position,
    /// The reason that was committed with it.
    pub reason: Option<String>,
}

/// What a message did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// These changes are new.
    Applied(Vec<StandingChange>),
    /// A batch that does not follow on what is known: something was lost.
    Gap,
    /// The message showed a fault; the view is out of use.
    Fault(ViewFault),
}

#[derive(Debug)]
pub(crate) struct History {
    pub(crate) lineage: Option<Lineage>,
    pub(crate) position: Position,
    pub(crate) fault: Option<ViewFault>,
    term: i64,
    capacity: usize,
    withdrawn: HashMap<StandingSubject, Withdrawn>,
}

/// Changes lie in `after < position <= to`, in order.
fn in_order(after: Position, to: Position, changes: &[StandingChange]) -> bool {
    after <= to
        && changes.iter().all(|change| after < change.position && change.position <= to)
        && changes.is_sorted_by_key(|change| change.position)
}

impl History {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { lineage: None, position: Position::ZERO, fault: None, term: 0, capacity, withdrawn: HashMap::new() }
    }

    pub(crate) fn withdrawn(&self, subject: &StandingSubject) -> Option<&Withdrawn> {
        self.withdrawn.get(subject)
    }

    pub(crate) fn count(&self) -> usize {
        self.withdrawn.len()
    }

    /// A live batch whose signature was verified. It may be a replay, so it is never a reason to put the view out of use:
    /// a batch of another history is only a gap, and the answer to a fresh question tells the truth about it.
    pub(crate) fn apply_batch(&mut self, batch: FeedBatch) -> Result<Outcome, Cause> {
        if !in_order(batch.from, batch.to, &batch.changes) {
            return Err(Cause::Range);
        }
        match &self.lineage {
            // Before the first answer nothing is known to follow on.
            None => return Ok(Outcome::Gap),
            Some(ours) if *ours != batch.lineage => return Err(Cause::Lineage),
            Some(_) => {}
        }
        if batch.term < self.term {
            return Err(Cause::Term);
        }
        if batch.to <= self.position {
            return Ok(Outcome::Applied(Vec::new()));
        }
        if batch.from > self.position {
            return Ok(Outcome::Gap);
        }
        self.term = batch.term;
        Ok(self.apply(batch.to, batch.changes))
    }

    /// An answer whose signature and nonce were verified, to a question asked at `after`.
    pub(crate) fn apply_answer(&mut self, after: Position, answer: AfterAnswer) -> Result<Outcome, Cause> {
        if let Some(ours) = self.lineage.as_ref().filter(|ours| **ours != answer.lineage) {
            let fault = ViewFault::OtherLineage { ours: ours.clone(), theirs: answer.lineage };
            return Ok(self.fail(fault));
        }
        // Against the position at the time of the question: live batches may have overtaken the answer since.
        if answer.head < after {
            return Ok(self.fail(ViewFault::LowerHead { ours: after, theirs: answer.head }));
        }
        let stands_still = answer.to == after && answer.to != answer.head;
        if answer.after != after || answer.to > answer.head || stands_still || !in_order(after, answer.to, &answer.changes) {
            return Err(Cause::Range);
        }
        self.lineage = Some(answer.lineage);
        Ok(self.apply(answer.to, answer.changes))
    }

    fn apply(&mut self, to: Position, changes: Vec<StandingChange>) -> Outcome {
        let known = self.position;
        let new: Vec<StandingChange> = changes.into_iter().filter(|change| change.position > known).collect();
        for change in &new {
            if change.good {
                self.withdrawn.remove(&change.subject);
                continue;
            }
            if self.withdrawn.len() >= self.capacity && !self.withdrawn.contains_key(&change.subject) {
                return self.fail(ViewFault::Full { capacity: self.capacity });
            }
            self.withdrawn.insert(change.subject.clone(), Withdrawn { since: change.position, reason: change.reason.clone() });
        }
        self.position = known.max(to);
        Outcome::Applied(new)
    }

    fn fail(&mut self, fault: ViewFault) -> Outcome {
        self.fault = Some(fault.clone());
        Outcome::Fault(fault)
    }
}

#[cfg(test)]
mod tests {
    use signet_model::Timestamp;

    use super::*;

    fn tenant(name: &str) -> StandingSubject {
        StandingSubject::Tenant(name.parse().unwrap())
    }

    fn change(position: i64, name: &str, good: bool) -> StandingChange {
        StandingChange { position: Position::new(position), subject: tenant(name), good, reason: None }
    }

    fn batch(term: i64, from: i64, to: i64, changes: Vec<StandingChange>) -> FeedBatch {
        let lineage = Lineage("ours".to_owned());
        FeedBatch { lineage, term, from: Position::new(from), to: Position::new(to), time: Timestamp::EPOCH, changes }
    }

    fn answer(after: i64, to: i64, head: i64, changes: Vec<StandingChange>) -> AfterAnswer {
        AfterAnswer {
            lineage: Lineage("ours".to_owned()),
            nonce: String::new(),
            after: Position::new(after),
            to: Position::new(to),
            head: Position::new(head),
            time: Timestamp::EPOCH,
            changes,
        }
    }

    fn at(position: i64) -> History {
        let mut history = History::new(3);
        history.apply_answer(Position::ZERO, answer(0, position, position, vec![])).unwrap();
        history
    }

    #[test]
    fn a_batch_before_the_first_answer_is_a_gap() {
        let mut history = History::new(3);
        assert_eq!(history.apply_batch(batch(1, 0, 1, vec![change(1, "a", false)])), Ok(Outcome::Gap));
        assert_eq!(history.count(), 0);
    }

    #[test]
    fn only_what_follows_on_is_applied() {
        let mut history = at(5);
        assert_eq!(history.apply_batch(batch(1, 6, 7, vec![change(7, "a", false)])), Ok(Outcome::Gap));
        assert_eq!(history.apply_batch(batch(1, 3, 5, vec![change(4, "a", false)])), Ok(Outcome::Applied(vec![])));
        assert_eq!((history.count(), history.position), (0, Position::new(5)));
        let new = vec![change(6, "a", false)];
        assert_eq!(history.apply_batch(batch(1, 5, 6, new.clone())), Ok(Outcome::Applied(new)));
        // A new leader cuts its batches elsewhere: the known part is passed over.
        let overlapping = vec![change(5, "a", true), change(6, "a", false), change(7, "b", false)];
        let applied = history.apply_batch(batch(2, 4, 7, overlapping));
        assert_eq!(applied, Ok(Outcome::Applied(vec![change(7, "b", false)])));
        assert_eq!((history.count(), history.position), (2, Position::new(7)));
    }

    #[test]
    fn good_forgets_and_an_older_change_does_not_come_back() {
        let mut history = at(0);
        history.apply_batch(batch(1, 0, 1, vec![change(1, "a", false)])).unwrap();
        assert_eq!(history.withdrawn(&tenant("a")).unwrap().since, Position::new(1));
        history.apply_batch(batch(1, 1, 2, vec![change(2, "a", true)])).unwrap();
        assert_eq!(history.withdrawn(&tenant("a")), None);
        history.apply_batch(batch(1, 0, 1, vec![change(1, "a", false)])).unwrap();
        assert_eq!(history.withdrawn(&tenant("a")), None);
    }

    #[test]
    fn a_replaced_leader_and_another_history_are_refused_without_a_fault() {
        let mut history = at(0);
        history.apply_batch(batch(3, 0, 1, vec![])).unwrap();
        assert_eq!(history.apply_batch(batch(2, 1, 2, vec![])), Err(Cause::Term));
        let mut foreign = batch(9, 1, 2, vec![]);
        foreign.lineage = Lineage("theirs".to_owned());
        assert_eq!(history.apply_batch(foreign), Err(Cause::Lineage));
        assert_eq!((history.position, history.fault.clone()), (Position::new(1), None));
        // The foreign term was not learned.
        assert_eq!(history.apply_batch(batch(3, 1, 2, vec![])), Ok(Outcome::Applied(vec![])));
    }

    #[test]
    fn positions_that_contradict_one_another_are_refused() {
        let mut history = at(5);
        for bad in [
            batch(1, 7, 6, vec![]),
            batch(1, 5, 6, vec![change(5, "a", true)]),
            batch(1, 5, 6, vec![change(7, "a", true)]),
            batch(1, 5, 8, vec![change(7, "a", true), change(6, "a", false)]),
        ] {
            assert_eq!(history.apply_batch(bad), Err(Cause::Range));
        }
        for bad in [answer(4, 6, 6, vec![]), answer(5, 7, 6, vec![]), answer(5, 5, 6, vec![]), answer(5, 6, 6, vec![change(5, "a", true)])]
        {
            assert_eq!(history.apply_answer(Position::new(5), bad), Err(Cause::Range));
        }
        assert_eq!(history.position, Position::new(5));
    }

    #[test]
    fn a_fresh_answer_from_another_history_or_from_the_past_is_a_fault() {
        let mut history = at(5);
        let mut foreign = answer(5, 9, 9, vec![]);
        foreign.lineage = Lineage("theirs".to_owned());
        assert!(matches!(history.apply_answer(Position::new(5), foreign), Ok(Outcome::Fault(ViewFault::OtherLineage { .. }))));
        let mut history = at(5);
        let lower = history.apply_answer(Position::new(5), answer(5, 4, 4, vec![]));
        let fault = ViewFault::LowerHead { ours: Position::new(5), theirs: Position::new(4) };
        assert_eq!(lower, Ok(Outcome::Fault(fault.clone())));
        assert_eq!(history.fault, Some(fault));
    }

    #[test]
    fn an_answer_that_live_batches_overtook_is_no_fault() {
        let mut history = at(5);
        history.apply_batch(batch(1, 5, 8, vec![change(6, "a", true), change(8, "b", false)])).unwrap();
        let late = answer(5, 7, 7, vec![change(6, "a", false), change(7, "b", true)]);
        assert_eq!(history.apply_answer(Position::new(5), late), Ok(Outcome::Applied(vec![])));
        assert_eq!((history.position, history.count()), (Position::new(8), 1));
    }

    #[test]
    fn no_room_is_a_fault_but_a_known_subject_needs_none() {
        let mut history = at(0);
        let three = vec![change(1, "a", false), change(2, "b", false), change(3, "c", false)];
        history.apply_batch(batch(1, 0, 3, three)).unwrap();
        history.apply_batch(batch(1, 3, 4, vec![change(4, "c", false)])).unwrap();
        assert_eq!(history.fault, None);
        let full = history.apply_batch(batch(1, 4, 5, vec![change(5, "d", false)]));
        assert_eq!(full, Ok(Outcome::Fault(ViewFault::Full { capacity: 3 })));
        assert_eq!(history.fault, Some(ViewFault::Full { capacity: 3 }));
    }
}
