//! The feed and the answers to "what came after".

use std::time::Duration;

use signet_bus::{Message, Pattern, Subject};
use signet_crypto::sign::Ed25519Public;
use signet_model::{AfterAnswer, AfterRequest, FEED_AFTER_SUBJECT, FEED_SUBJECT, FeedBatch, Position, SignedMessage};

use signet_testkit::TestPostgres;

use crate::house::{House, Kind, Site, TestSealer, creation, eventually, standing};
use crate::on_both;

const ONE: &str = "br7si8mg10l7an82que0";
const TWO: &str = "br7si8mg10l7an82que1";

fn opened<T: serde::de::DeserializeOwned>(message: &Message, purpose: &str, key: &Ed25519Public) -> T {
    let signed = SignedMessage::decode(&message.payload).unwrap();
    assert!(key.verify(&SignedMessage::signing_input(purpose, &signed.payload), &signed.signature), "signature");
    serde_json::from_str(&signed.payload).unwrap()
}

async fn ask(house: &House, after: i64, nonce: &str) -> AfterAnswer {
    let request = serde_json::to_vec(&AfterRequest { nonce: nonce.to_owned(), after: Position::new(after), feed: None }).unwrap();
    let subject = Subject::new(FEED_AFTER_SUBJECT).unwrap();
    for _ in 0..50 {
        // The source subscribes while the house starts.
        if let Ok(answer) = house.bus.request(&subject, request.clone(), Duration::from_secs(5)).await {
            return opened(&answer, AfterAnswer::PURPOSE, &house.ledger.public_keys().feed);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no answer");
}

on_both! {
    async fn committed_standings_are_published_signed_and_contiguous(kind) {
        let house = House::new(kind).await;
        let mut feed = house.bus.subscribe(&Pattern::new(FEED_SUBJECT).unwrap(), None, 256).await.unwrap();
        for n in 0..30 {
            house.commit(creation(&format!("t{n}")).standing(standing(ONE, n % 2 == 1))).await.unwrap();
        }
        let (mut position, mut last) = (Position::ZERO, None);
        while position < Position::new(30) {
            let batch: FeedBatch = opened(&feed.next().await.unwrap(), FeedBatch::PURPOSE, &house.ledger.public_keys().feed);
            assert_eq!((batch.from, &batch.lineage, batch.term), (position, house.ledger.lineage(), 1));
            assert!(batch.changes.iter().all(|change| change.position > batch.from && change.position <= batch.to));
            last = batch.changes.last().cloned().or(last);
            position = batch.to;
        }
        let last = last.unwrap();
        assert_eq!((last.position, last.good), (Position::new(30), true));
        house.end().await;
    }

    async fn an_answer_is_compacted_and_signs_the_nonce(kind) {
        let house = House::new(kind).await;
        house.commit(creation("a").standing(standing(ONE, true))).await.unwrap();
        house.commit(creation("b").standing(standing(TWO, true))).await.unwrap();
        house.commit(creation("c").standing(standing(ONE, false))).await.unwrap();
        house.commit(creation("d")).await.unwrap();
        let nonce = "00112233445566778899aabbccddeeff";
        let answer = ask(&house, 0, nonce).await;
        assert_eq!((answer.nonce.as_str(), answer.after, answer.to, answer.head), (nonce, Position::ZERO, Position::new(4), Position::new(4)));
        let seen: Vec<_> = answer.changes.iter().map(|c| (c.position.value(), c.good, c.reason.as_deref())).collect();
        assert_eq!(seen, [(2, true, None), (3, false, Some("credential.suspended"))]);
        assert!(ask(&house, 4, nonce).await.changes.is_empty());
        house.end().await;
    }

    async fn an_answer_that_does_not_fit_is_cut_and_asked_for_again(kind) {
        let house = House::new(kind).await;
        let count = AfterAnswer::MOST_CHANGES + 500;
        let ids: Vec<String> = (0..count).map(|n| format!("{n:020}")).collect();
        let all = futures_util::future::join_all(ids.iter().map(|id| house.commit(creation(id).standing(standing(id, true))))).await;
        assert!(all.iter().all(Result::is_ok));
        let (mut position, mut seen) = (0, 0);
        loop {
            let answer = ask(&house, position, "00112233445566778899aabbccddeeff").await;
            assert!(answer.changes.len() <= AfterAnswer::MOST_CHANGES && answer.head.value() == count as i64);
            seen += answer.changes.len();
            position = answer.to.value();
            if answer.to == answer.head {
                break;
            }
        }
        assert_eq!(seen, count);
        house.end().await;
    }

    async fn keys_and_lineage_outlive_a_restart(kind) {
        let house = House::new(kind).await;
        let (lineage, keys) = (house.ledger.lineage().clone(), house.ledger.public_keys().clone());
        let pem = std::fs::read_to_string(house.site.data_dir().join("keys/feed.pub")).unwrap();
        assert_eq!(pem, keys.feed.to_pem());
        let house = house.end().await.start().await;
        assert_eq!((house.ledger.lineage(), house.ledger.public_keys().log.raw()), (&lineage, keys.log.raw()));
        house.end().await;
    }

    async fn with_another_seal_key_the_ledger_commits_and_says_why_it_is_no_worker(kind) {
        let site = House::new(kind).await.end().await;
        let (db, bus) = (site.db().await, site.bus().await);
        let house = site.start_on(db, bus, TestSealer::of(2)).await;
        house.commit(creation("a")).await.unwrap();
        let line = house.ledger.health().into_iter().find(|line| !line.ok).unwrap();
        assert_eq!((line.name, line.reason.map(|r| r.code)), ("ledger.seal", Some("seal.wrong-key")));
        assert!(!house.ledger.stats().leader());
        // The right key comes back: what was committed meanwhile is sequenced.
        let house = house.end().await.start().await;
        eventually("the worker sequences", || async { house.ledger.stats().sequenced() == 1 }).await;
        house.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_another_locale_gives_the_same_feed() {
    let mut site = Site::of(Kind::PostgresNats).await;
    site.url = TestPostgres::shared_icu().fresh_database().await;
    let house = site.start().await;
    house.commit(creation("Ä").standing(standing(ONE, true))).await.unwrap();
    house.commit(creation("a").standing(standing(TWO, false))).await.unwrap();
    let answer = ask(&house, 0, "00112233445566778899aabbccddeeff").await;
    assert_eq!((answer.head, answer.changes.len()), (Position::new(2), 2));
    assert_eq!(house.positions().await, [1, 2]);
    house.end().await;
}
