//! `Idempotency-Key` on the creating calls.

use serde_json::{Value, json};

use crate::house::{Answer, House};
use crate::on_both;

async fn keyed(house: &House, path: &str, key: &str, body: &Value) -> Answer {
    house.send("POST", path, &house.token, &[("idempotency-key", key)], Some(body.to_string().as_bytes())).await
}

on_both! {
    async fn a_repetition_answers_as_the_first_time_and_makes_nothing(kind) {
        let house = House::new(kind).await;
        let other = house.replica().await;
        for (path, body, table) in [
            ("/api/v1/tenants", json!({"id": "twice"}), "SELECT count(*) FROM tenant WHERE id = 'twice'"),
            ("/api/v1/tenants/acme/identities", json!({"name": "twice", "kind": "service"}), "SELECT count(*) FROM identity WHERE name = 'twice'"),
            (
                "/api/v1/tenants/acme/credentials",
                json!({"kind": "basic", "username": "twice", "password": "secret-pw"}),
                "SELECT count(*) FROM credential WHERE username = 'twice'",
            ),
        ] {
            let first = keyed(&house, path, "k-1", &body).await;
            assert_eq!((first.status, first.replayed), (201, false), "{}", first.body);
            for replica in [&house, &other] {
                let again = keyed(replica, path, "k-1", &body).await;
                assert_eq!((again.status, again.replayed), (201, true), "{}", again.body);
                assert_eq!(again.body, first.body);
            }
            assert_eq!(house.number(table).await, 1);
            let mut another = body.clone();
            another["kind"] = json!("operator");
            assert_eq!(keyed(&house, path, "k-1", &another).await.reason(409), "idempotency.key-reused");
            let fresh = keyed(&house, path, "k-2", &body).await;
            assert_eq!(fresh.status, 409, "another key is another request: {}", fresh.body);
            assert!(!fresh.text("reason").starts_with("idempotency."));
        }
        other.end().await;
        house.end().await;
    }

    async fn a_token_is_not_shown_again(kind) {
        let house = House::new(kind).await;
        let path = "/api/v1/tenants/acme/api-tokens";
        let body = json!({"role": "auditor", "expires_at": "2026-06-01T00:00:00Z"});
        let first = keyed(&house, path, "k", &body).await.good();
        let again = keyed(&house, path, "k", &body).await;
        assert_eq!(again.reason(409), "idempotency.secret-not-replayable");
        assert!(again.text("detail").contains(first["id"].as_str().unwrap()));
        assert!(!again.body.to_string().contains("sgt_"));
        assert_eq!(house.number("SELECT count(*) FROM api_token").await, 1);
        house.end().await;
    }

    async fn a_refused_request_leaves_its_key_free(kind) {
        let house = House::new(kind).await;
        let path = "/api/v1/tenants/acme/identities";
        assert_eq!(keyed(&house, path, "k", &json!({"name": "#", "kind": "device"})).await.status, 400);
        assert_eq!(keyed(&house, path, "k", &json!({"name": "ok", "kind": "device"})).await.status, 201);
        house.end().await;
    }

    async fn equal_requests_at_once_make_one_thing(kind) {
        let house = House::new(kind).await;
        let other = house.replica().await;
        let path = "/api/v1/tenants/acme/api-tokens";
        let body = json!({"role": "auditor", "expires_at": "2026-06-01T00:00:00Z"});
        let calls = (0..20_u32).map(|n| keyed(if n.is_multiple_of(2) { &house } else { &other }, path, "k", &body));
        let answers = futures_util::future::join_all(calls).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
        assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 409)));
        assert_eq!(house.number("SELECT count(*) FROM api_token").await, 1);
        other.end().await;
        house.end().await;
    }
}

/// What is kept of a body is no plain hash of it: with a password inside, that could be tried against.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kept_hash_of_a_body_cannot_be_tried_without_the_key() {
    let house = House::new(crate::house::Kind::SqliteInProcess).await;
    let body = json!({"kind": "basic", "username": "bob", "password": "hunter2"});
    keyed(&house, "/api/v1/tenants/acme/credentials", "a key of the client's".replace(' ', "-").as_str(), &body).await.good();
    let statement = signet_db::Statement::new("SELECT body_hash FROM idempotency", Vec::new());
    let row = house.db.query_optional(statement).await.unwrap().unwrap();
    assert_ne!(row.bytes(0).unwrap(), signet_crypto::sha256(body.to_string().as_bytes()));
    house.end().await;
}
