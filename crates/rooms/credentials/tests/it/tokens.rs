//! Bearer tokens: who they stand for, that they end when they end, and that every replica hears of it.

use std::time::Duration;

use serde_json::json;
use signet_credentials::{first_operator_token, rotate_operator_token};
use signet_model::{Caller, TenantId};

use crate::house::{House, eventually};
use crate::on_both;

const LIST: &str = "/api/v1/tenants/acme/credentials";

fn acme() -> TenantId {
    "acme".parse().unwrap()
}

async fn with(house: &House, token: &str) -> crate::house::Answer {
    house.send("GET", LIST, token, &[], None).await
}

on_both! {
    async fn a_role_reaches_as_far_as_it_says(kind) {
        let house = House::new(kind).await;
        let id = house.credential("bob", "pw").await;
        let (auditor, _) = house.api_token(&acme(), "auditor").await;
        let (operator, _) = house.api_token(&acme(), "operator").await;
        let (owner, _) = house.api_token(&acme(), "owner").await;
        let token_body = json!({"role": "auditor", "expires_at": "2026-06-01T00:00:00Z"});
        let cases = [
            ("GET", LIST.to_owned(), None, [200, 200, 200]),
            ("GET", "/api/v1/tenants/acme".to_owned(), None, [200, 200, 200]),
            ("GET", "/api/v1/tenants/acme/api-tokens".to_owned(), None, [200, 200, 200]),
            ("POST", format!("{LIST}/{id}/suspend"), Some(json!({})), [403, 200, 200]),
            ("POST", format!("{LIST}/check"), Some(json!({"username": "bob", "password": "no"})), [403, 200, 200]),
            ("POST", "/api/v1/tenants/acme/identities/dev-1/disable".to_owned(), Some(json!({})), [403, 200, 200]),
            ("POST", "/api/v1/tenants/acme/api-tokens".to_owned(), Some(token_body), [403, 403, 201]),
            ("POST", "/api/v1/tenants".to_owned(), Some(json!({"id": "mine"})), [403, 403, 403]),
        ];
        for (method, path, body, expected) in cases {
            let body = body.map(|body| body.to_string());
            for (token, status) in [&auditor, &operator, &owner].into_iter().zip(expected) {
                let answer = house.send(method, &path, token, &[], body.as_deref().map(str::as_bytes)).await;
                assert_eq!(answer.status, status, "{method} {path} {}", answer.body);
                if status == 403 {
                    assert_eq!(answer.text("reason"), "auth.role-missing");
                }
            }
        }
        let record = house.records(&id).await.pop().unwrap();
        assert!(record.actor.starts_with("api-token:atk_"), "{record:?}");
        house.end().await;
    }

    async fn what_is_no_token_of_ours_is_refused(kind) {
        let house = House::new(kind).await;
        let strange = [
            "x".to_owned(),
            format!("sgo_{}", "A".repeat(43)),
            format!("sgt_{}", "A".repeat(43)),
            format!("{}x", house.token),
            house.token.replacen("sgo_", "sgt_", 1),
        ];
        for token in strange {
            let answer = with(&house, &token).await;
            assert_eq!(answer.reason(401), "auth.invalid");
            assert!(!answer.body.to_string().contains(&token[4.min(token.len())..]) || token.len() < 5);
        }
        house.end().await;
    }

    async fn a_revoked_token_is_refused_by_every_replica(kind) {
        let house = House::new(kind).await;
        let other = house.replica().await;
        let (token, id) = house.api_token(&acme(), "operator").await;
        let (kept, _) = house.api_token(&acme(), "operator").await;
        for replica in [&house, &other] {
            assert_eq!(with(replica, &token).await.status, 200);
            assert_eq!(with(replica, &kept).await.status, 200);
        }
        let path = format!("/api/v1/tenants/acme/api-tokens/{id}/revoke");
        let revoked = house.post(&path, &json!({"reason": "leaked"})).await.good();
        assert_eq!(revoked["changed"], json!(true));
        assert!(revoked["revoked_at"].is_string() && revoked.get("token").is_none(), "{revoked}");
        assert_eq!(house.post(&path, &json!({})).await.good()["changed"], json!(false));
        for replica in [&house, &other] {
            eventually("the revocation is heard of", || async { with(replica, &token).await.status == 401 }).await;
            assert_eq!(with(replica, &token).await.reason(401), "api-token.revoked");
            assert_eq!(with(replica, &kept).await.status, 200);
        }
        let absent = format!("/api/v1/tenants/acme/api-tokens/atk_{}/revoke", "0".repeat(32));
        assert_eq!(house.post(&absent, &json!({})).await.reason(404), "api-token.not-found");
        assert_eq!(house.actions(&id).await, ["api-token.create", "api-token.revoke"]);
        // A process that starts afterwards has never known it otherwise.
        let late = house.replica().await;
        assert_eq!(with(&late, &token).await.reason(401), "api-token.revoked");
        late.end().await;
        other.end().await;
        house.end().await;
    }

    async fn a_token_ends_at_its_end(kind) {
        let house = House::new(kind).await;
        let (token, _) = house.api_token(&acme(), "operator").await;
        assert_eq!(with(&house, &token).await.status, 200);
        house.clock.advance(Duration::from_secs(86_400));
        let answer = with(&house, &token).await;
        assert_eq!(answer.reason(401), "auth.expired");
        assert!(answer.text("fix").contains("signet api-token create"));
        house.clock.advance(Duration::from_secs(90 * 86_400));
        let answer = with(&house, &house.token).await;
        assert_eq!(answer.reason(401), "auth.expired");
        assert!(answer.text("fix").contains("signet operator rotate"));
        house.end().await;
    }

    async fn a_rotated_operator_token_is_out_everywhere(kind) {
        let house = House::new(kind).await;
        let other = house.replica().await;
        let caller = Caller::System("operator-rotate");
        assert!(first_operator_token(house.operator_token_parts(&caller)).await.unwrap().is_none(), "there is one already");
        for replica in [&house, &other] {
            assert_eq!(with(replica, &house.token).await.status, 200);
        }
        let rotated = rotate_operator_token(house.operator_token_parts(&caller)).await.unwrap();
        assert_eq!(rotated.generation, 2);
        let new = rotated.token.expose().to_owned();
        for replica in [&house, &other] {
            eventually("the rotation is heard of", || async { with(replica, &house.token).await.status == 401 }).await;
            assert_eq!(with(replica, &house.token).await.reason(401), "auth.invalid");
            assert_eq!(with(replica, &new).await.status, 200);
        }
        let records = house.records("operator-token").await;
        assert_eq!(records.iter().map(|r| r.action.as_str()).collect::<Vec<_>>(), ["operator-token.rotate"; 2]);
        assert_eq!((records[1].tenant.as_ref(), records[1].actor.as_str()), (None, "system:operator-rotate"));
        other.end().await;
        house.end().await;
    }

    async fn rotations_at_once_leave_exactly_one_token(kind) {
        let house = House::new(kind).await;
        let caller = Caller::System("operator-rotate");
        let rotations = futures_util::future::join_all((0..4).map(|_| rotate_operator_token(house.operator_token_parts(&caller)))).await;
        house.view_is_current().await;
        let mut working = 0;
        for rotated in rotations.into_iter().flatten() {
            working += u32::from(with(&house, rotated.token.expose()).await.status == 200);
        }
        assert_eq!(working, 1);
        house.end().await;
    }

    async fn without_a_fresh_view_nothing_is_read(kind) {
        let mut house = House::new(kind).await;
        let (token, _) = house.api_token(&acme(), "auditor").await;
        assert_eq!(with(&house, &token).await.status, 200);
        house.stop_worker().await;
        house.clock.advance(Duration::from_secs(60));
        for token in [&token, &house.token] {
            assert_eq!(with(&house, token).await.reason(503), "standing.stale");
        }
        // Gateways are answered all the same: they have their own view, and the database was asked.
        assert_eq!(house.ask("nobody", "pw").await.status, 404);
        house.end().await;
    }
}
