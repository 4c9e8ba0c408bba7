//! The feed's source as a test double: a store of compacted rows, a signing key, and an answering worker that can be
//! told to be silent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use parking_lot::Mutex;
use serde::Serialize;
use signet_bus::{Bus, OutMessage, Pattern, Subject};
use signet_crypto::sign::Ed25519Public;
use signet_model::{
    AfterAnswer, AfterRequest, FEED_AFTER_SUBJECT, FEED_SUBJECT, FeedBatch, Lineage, Position, SignedMessage, StandingChange,
    StandingSubject, Timestamp,
};

use crate::PATIENCE;

/// A key that signs messages of the feed's form.
pub(crate) struct Signer(Ed25519KeyPair);

impl Signer {
    pub(crate) fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    pub(crate) fn public(&self) -> Ed25519Public {
        Ed25519Public::from_raw(self.0.public_key().as_ref().try_into().unwrap()).unwrap()
    }

    pub(crate) fn sign(&self, purpose: &str, payload: &impl Serialize) -> Vec<u8> {
        let payload = serde_json::to_string(payload).unwrap();
        let signature = self.0.sign(&SignedMessage::signing_input(purpose, &payload)).as_ref().to_vec();
        SignedMessage { payload, signature }.encode()
    }
}

pub(crate) fn tenant(name: &str) -> StandingSubject {
    StandingSubject::Tenant(name.parse().unwrap())
}

#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) lineage: Lineage,
    pub(crate) head: i64,
    rows: BTreeMap<StandingSubject, StandingChange>,
}

pub(crate) struct Source {
    pub(crate) signer: Signer,
    pub(crate) store: Mutex<Store>,
    pub(crate) answering: AtomicBool,
    pub(crate) page: AtomicUsize,
    /// Milliseconds before an answer.
    pub(crate) slowness: AtomicU64,
    pub(crate) questions: AtomicUsize,
    pub(crate) most_open: AtomicUsize,
    open: AtomicUsize,
    bus: Bus,
}

impl Source {
    pub(crate) fn new(bus: Bus) -> Arc<Self> {
        Arc::new(Self {
            signer: Signer::new(1),
            store: Mutex::new(Store { lineage: Lineage("ours".to_owned()), head: 0, rows: BTreeMap::new() }),
            answering: AtomicBool::new(true),
            page: AtomicUsize::new(AfterAnswer::MOST_CHANGES),
            slowness: AtomicU64::new(0),
            questions: AtomicUsize::new(0),
            most_open: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            bus,
        })
    }

    /// Answers questions as a worker does, until the test ends.
    pub(crate) async fn serve(self: &Arc<Self>) {
        let pattern = Pattern::new(FEED_AFTER_SUBJECT).unwrap();
        let mut questions = self.bus.subscribe(&pattern, Some("signet-feed"), 64).await.unwrap();
        self.bus.publish_confirmed(Vec::new(), PATIENCE).await.unwrap();
        let source = Arc::clone(self);
        tokio::spawn(async move {
            while let Some(question) = questions.next().await {
                source.questions.fetch_add(1, Ordering::SeqCst);
                if !source.answering.load(Ordering::SeqCst) {
                    continue;
                }
                let open = source.open.fetch_add(1, Ordering::SeqCst) + 1;
                source.most_open.fetch_max(open, Ordering::SeqCst);
                let request: AfterRequest = serde_json::from_slice(&question.payload).unwrap();
                let source = Arc::clone(&source);
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(source.slowness.load(Ordering::SeqCst))).await;
                    let answer = source.answer(&request);
                    source.open.fetch_sub(1, Ordering::SeqCst);
                    source.bus.publish(&question.reply.unwrap(), None, answer).await.unwrap();
                });
            }
        });
    }

    pub(crate) fn answer(&self, request: &AfterRequest) -> Vec<u8> {
        self.signer.sign(AfterAnswer::PURPOSE, &self.plain_answer(request))
    }

    pub(crate) fn plain_answer(&self, request: &AfterRequest) -> AfterAnswer {
        let store = self.store.lock();
        let mut changes: Vec<_> = store.rows.values().filter(|row| row.position > request.after).cloned().collect();
        changes.sort_by_key(|change| change.position);
        let page = self.page.load(Ordering::SeqCst);
        let to = if changes.len() > page { changes[page - 1].position } else { Position::new(store.head) };
        changes.truncate(page);
        AfterAnswer {
            lineage: store.lineage.clone(),
            nonce: request.nonce.clone(),
            after: request.after,
            to,
            head: Position::new(store.head),
            time: Timestamp::EPOCH,
            changes,
        }
    }

    /// Commits one change per subject and returns the batch without publishing it.
    pub(crate) fn commit(&self, changes: &[(StandingSubject, bool, Option<&str>)]) -> FeedBatch {
        let mut store = self.store.lock();
        let from = Position::new(store.head);
        let mut told = Vec::new();
        for (subject, good, reason) in changes {
            store.head += 1;
            let position = Position::new(store.head);
            let change = StandingChange { position, subject: subject.clone(), good: *good, reason: reason.map(str::to_owned) };
            store.rows.insert(subject.clone(), change.clone());
            told.push(change);
        }
        let (lineage, to) = (store.lineage.clone(), Position::new(store.head));
        FeedBatch { lineage, term: 1, from, to, time: Timestamp::EPOCH, changes: told }
    }

    pub(crate) fn signed(&self, batch: &FeedBatch) -> Vec<u8> {
        self.signer.sign(FeedBatch::PURPOSE, batch)
    }

    pub(crate) async fn publish(&self, batch: &FeedBatch) {
        let message = OutMessage::new(Subject::new(FEED_SUBJECT).unwrap(), self.signed(batch));
        self.bus.publish_confirmed(vec![message], PATIENCE).await.unwrap();
    }

    pub(crate) async fn withdraw(&self, name: &str) {
        self.publish(&self.commit(&[(tenant(name), false, None)])).await;
    }

    pub(crate) async fn restore(&self, name: &str) {
        self.publish(&self.commit(&[(tenant(name), true, None)])).await;
    }

    pub(crate) fn answering(&self, answering: bool) {
        self.answering.store(answering, Ordering::SeqCst);
    }

    pub(crate) fn asked(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }
}
