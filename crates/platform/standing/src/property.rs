//! Whatever is lost, doubled or reordered on the way, and wherever questions fall in between, a view that is answered once
//! more ends with exactly the store's compacted rows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use proptest::prelude::*;
use signet_crypto::sign::Ed25519Public;
use signet_model::{AfterAnswer, AfterRequest, FeedBatch, Lineage, Position, SignedMessage, StandingChange, StandingSubject, Timestamp};
use signet_testkit::{FakeClock, SeededEntropy};

use crate::view::Progress;
use crate::{View, ViewConfig};

/// The database's side: one row per subject with its last position.
struct Store {
    key: Ed25519KeyPair,
    head: i64,
    rows: BTreeMap<StandingSubject, (i64, bool)>,
    /// Every change with the position before its commit.
    log: Vec<(i64, StandingChange)>,
    batches: Vec<Vec<u8>>,
}

fn subject(number: u8) -> StandingSubject {
    StandingSubject::Tenant(format!("t{number}").parse().unwrap())
}

fn change(position: i64, subject: StandingSubject, good: bool) -> StandingChange {
    StandingChange { position: Position::new(position), subject, good, reason: None }
}

impl Store {
    fn signed(&self, purpose: &str, payload: String) -> Vec<u8> {
        let signature = self.key.sign(&SignedMessage::signing_input(purpose, &payload)).as_ref().to_vec();
        SignedMessage { payload, signature }.encode()
    }

    /// Commits some changes and makes the batch of the last `span` commits, as a new leader would cut it elsewhere.
    fn commit(&mut self, changes: &[(u8, bool)], span: usize) {
        let from = self.head;
        for (number, good) in changes {
            self.head += 1;
            self.rows.insert(subject(*number), (self.head, *good));
            self.log.push((from, change(self.head, subject(*number), *good)));
        }
        let mut starts: Vec<i64> = self.log.iter().map(|(from, _)| *from).collect();
        starts.dedup();
        let from = starts[starts.len().saturating_sub(span)];
        let batch = FeedBatch {
            lineage: Lineage("l".to_owned()),
            term: 1,
            from: Position::new(from),
            to: Position::new(self.head),
            time: Timestamp::EPOCH,
            changes: self.log.iter().filter(|(start, _)| *start >= from).map(|(_, change)| change.clone()).collect(),
        };
        self.batches.push(self.signed(FeedBatch::PURPOSE, serde_json::to_string(&batch).unwrap()));
    }

    fn answer(&self, request: &AfterRequest, page: usize) -> Vec<u8> {
        let mut rows: Vec<_> = self.rows.iter().filter(|(_, (position, _))| *position > request.after.value()).collect();
        rows.sort_by_key(|(_, (position, _))| *position);
        let cut = rows.len() > page;
        rows.truncate(page);
        let to = if cut { rows.last().unwrap().1.0 } else { self.head };
        let answer = AfterAnswer {
            lineage: Lineage("l".to_owned()),
            nonce: request.nonce.clone(),
            after: request.after,
            to: Position::new(to),
            head: Position::new(self.head),
            time: Timestamp::EPOCH,
            changes: rows.into_iter().map(|(subject, (position, good))| change(*position, subject.clone(), *good)).collect(),
        };
        self.signed(AfterAnswer::PURPOSE, serde_json::to_string(&answer).unwrap())
    }
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<(u8, bool)>, usize),
    /// Delivers some batch of the past or present: lost ones are never drawn, doubled and reordered ones are.
    Deliver(prop::sample::Index),
    Ask,
    Answer {
        page: usize,
    },
    /// The answer to the question before the present one.
    StaleAnswer,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (prop::collection::vec((0_u8..6, any::<bool>()), 1..4), 1_usize..4).prop_map(|(changes, span)| Step::Commit(changes, span)),
        4 => any::<prop::sample::Index>().prop_map(Step::Deliver),
        1 => Just(Step::Ask),
        1 => (1_usize..5).prop_map(|page| Step::Answer { page }),
        1 => Just(Step::StaleAnswer),
    ]
}

fn world() -> (Store, View) {
    let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let public = Ed25519Public::from_raw(key.public_key().as_ref().try_into().unwrap()).unwrap();
    let (clock, entropy) = (Arc::new(FakeClock::new()), Arc::new(SeededEntropy::new(1)));
    let view = View::new(ViewConfig::new(public, Duration::from_secs(3_600), clock, entropy));
    (Store { key, head: 0, rows: BTreeMap::new(), log: Vec::new(), batches: Vec::new() }, view)
}

#[test]
fn a_question_is_answered_once_and_only_the_latest_is_open() {
    let (mut store, view) = world();
    store.commit(&[(1, false)], 1);
    let earlier = store.answer(&view.question(), 9);
    let answer = store.answer(&view.question(), 9);
    assert_eq!(view.take_answer(&earlier), None);
    assert_eq!(view.take_answer(&answer), Some(Progress::Complete));
    assert_eq!(view.take_answer(&answer), None);
    assert_eq!(view.refused().iter().map(|(_, count)| count).sum::<u64>(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_ends_with_the_stores_compacted_rows(steps in prop::collection::vec(step(), 0..60)) {
        let (mut store, view) = world();
        let mut open: Option<AfterRequest> = None;
        let mut stale: Option<Vec<u8>> = None;
        for step in steps {
            match step {
                Step::Commit(changes, span) => store.commit(&changes, span),
                Step::Deliver(index) if !store.batches.is_empty() => view.take_batch(index.get::<Vec<u8>>(&store.batches)),
                Step::Deliver(_) => {}
                Step::Ask => {
                    stale = open.as_ref().map(|request| store.answer(request, 1));
                    open = Some(view.question());
                }
                Step::Answer { page } => {
                    if let Some(request) = open.take() {
                        prop_assert!(view.take_answer(&store.answer(&request, page)).is_some());
                    }
                }
                Step::StaleAnswer => {
                    if let Some(answer) = stale.take() {
                        let (position, age) = (view.position(), view.age().is_some());
                        prop_assert_eq!(view.take_answer(&answer), None);
                        prop_assert_eq!((view.position(), view.age().is_some()), (position, age));
                    }
                }
            }
            prop_assert!(view.position() <= Position::new(store.head));
            prop_assert_eq!(view.fault(), None);
        }
        while view.take_answer(&store.answer(&view.question(), 3)) != Some(Progress::Complete) {}
        prop_assert_eq!(view.position(), Position::new(store.head));
        for number in 0..6 {
            let row = store.rows.get(&subject(number)).filter(|(_, good)| !good).map(|(position, _)| Position::new(*position));
            prop_assert_eq!(view.withdrawn(&subject(number)).map(|row| row.since), row);
        }
    }
}
