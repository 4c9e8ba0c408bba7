//! Idempotency keys: the answer of a repeated request.

use std::time::Duration;

use signet_ledger::{CommitError, IdempotencyKey, IdempotencyState, StoredAnswer};
use signet_model::{Caller, Clock as _};

use crate::house::{House, creation};
use crate::on_both;

fn key(name: &str) -> IdempotencyKey {
    IdempotencyKey::new(&"acme".parse().unwrap(), &Caller::OperatorToken, "POST /things", name)
}

on_both! {
    async fn a_repeated_request_gets_the_first_answer_for_a_day(kind) {
        let house = House::new(kind).await;
        let (key, body) = (key("k"), [1; 32]);
        let IdempotencyState::Fresh(mark) = house.ledger.idempotency_begin(&key, body).await.unwrap() else { panic!("not fresh") };
        assert!(matches!(house.ledger.idempotency_begin(&key, body).await.unwrap(), IdempotencyState::InProgress));
        let entry = mark.entry(body, 201, StoredAnswer::Body("{\"id\":\"a\"}".to_owned()), house.clock.now());
        house.commit(creation("a").idempotent(Some(entry.clone()))).await.unwrap();
        drop(mark);
        let again = house.ledger.idempotency_begin(&key, body).await.unwrap();
        assert!(matches!(&again, IdempotencyState::Replay { status: 201, body } if body == "{\"id\":\"a\"}"), "{again:?}");
        assert!(matches!(house.ledger.idempotency_begin(&key, [2; 32]).await.unwrap(), IdempotencyState::KeyReused));
        // Another process that did not see the mark: the entry inside the Change decides.
        let other = house.commit(creation("b").idempotent(Some(entry.clone()))).await;
        assert!(matches!(other, Err(CommitError::Conflict)));
        assert!(house.thing("b").await.is_none());
        house.clock.advance(Duration::from_secs(24 * 60 * 60 + 1));
        assert!(matches!(house.ledger.idempotency_begin(&key, [2; 32]).await.unwrap(), IdempotencyState::Fresh(_)));
        let mut later = entry;
        later.time = house.clock.now();
        house.commit(creation("b").idempotent(Some(later))).await.unwrap();
        house.end().await;
    }

    async fn a_secret_is_not_kept_only_what_it_was_of(kind) {
        let house = House::new(kind).await;
        let (key, body) = (key("s"), [1; 32]);
        let IdempotencyState::Fresh(mark) = house.ledger.idempotency_begin(&key, body).await.unwrap() else { panic!("not fresh") };
        let entry = mark.entry(body, 201, StoredAnswer::SecretOf("atk_1".to_owned()), house.clock.now());
        house.commit(creation("a").idempotent(Some(entry))).await.unwrap();
        drop(mark);
        let again = house.ledger.idempotency_begin(&key, body).await.unwrap();
        assert!(matches!(&again, IdempotencyState::SecretNotReplayable { id } if id == "atk_1"), "{again:?}");
        house.end().await;
    }
}
