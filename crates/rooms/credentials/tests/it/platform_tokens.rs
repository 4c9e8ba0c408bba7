//! API tokens above all tenants: as mighty as the operator token, and ended one by one.

use std::time::Duration;

use serde_json::json;
use signet_model::Clock as _;

use crate::house::{Answer, House, eventually};
use crate::on_both;

const TOKENS: &str = "/api/v1/api-tokens";

impl House {
    /// A platform token of a day, made by whoever holds `by`; its text and its id.
    async fn platform_token(&self, by: &str) -> (String, String) {
        let expires_at = self.clock.now().plus(Duration::from_secs(86_400));
        let body = json!({"expires_at": expires_at, "name": "dashboard"}).to_string();
        let made = self.send("POST", TOKENS, by, &[], Some(body.as_bytes())).await.good();
        assert_eq!((&made["role"], &made["name"]), (&json!("platform"), &json!("dashboard")));
        (made["token"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
    }

    async fn read(&self, path: &str, token: &str) -> Answer {
        self.send("GET", path, token, &[], None).await
    }
}

on_both! {
    async fn a_platform_token_does_what_the_operator_token_does(kind) {
        let house = House::new(kind).await;
        let (token, id) = house.platform_token(&house.token).await;
        let do_it = async |method: &str, path: &str, body: serde_json::Value| {
            house.send(method, path, &token, &[], Some(body.to_string().as_bytes())).await.good()
        };
        do_it("POST", "/api/v1/tenants", json!({"id": "mine"})).await;
        do_it("POST", "/api/v1/tenants/mine/credentials", json!({"kind": "basic", "username": "bob", "password": "pw"})).await;
        do_it("POST", "/api/v1/tenants/mine/disable", json!({})).await;
        do_it("POST", "/api/v1/tenants/mine/enable", json!({})).await;
        assert_eq!(house.read("/api/v1/tenants", &token).await.good()["items"].as_array().unwrap().len(), 3);
        let record = house.records("mine").await.remove(0);
        assert_eq!((record.action.as_str(), record.actor.as_str()), ("tenant.create", format!("api-token:{id}").as_str()));
        // It makes others of its kind, and its own record stands above the tenants.
        house.pass(Duration::from_secs(1)).await;
        let (other, other_id) = house.platform_token(&token).await;
        assert_eq!(house.read("/api/v1/tenants", &other).await.status, 200);
        let made = house.records(&other_id).await.remove(0);
        assert_eq!((made.tenant, made.action.as_str(), made.actor), (None, "api-token.create", format!("api-token:{id}")));
        let listed = house.read(TOKENS, &token).await.good();
        let ids: Vec<&str> = listed["items"].as_array().unwrap().iter().map(|token| token["id"].as_str().unwrap()).collect();
        assert_eq!(ids, [other_id.as_str(), id.as_str()]);
        assert!(!listed.to_string().contains("sgt_"), "a list shows no text");
        house.end().await;
    }

    async fn nobody_below_the_platform_makes_sees_or_ends_one(kind) {
        let house = House::new(kind).await;
        let (_, id) = house.platform_token(&house.token).await;
        let (owner, owner_id) = house.api_token(&"acme".parse().unwrap(), "owner").await;
        let body = json!({"expires_at": "2026-06-01T00:00:00Z"}).to_string();
        for (method, path) in [("POST", TOKENS.to_owned()), ("GET", TOKENS.to_owned()), ("POST", format!("{TOKENS}/{id}/revoke"))] {
            let answer = house.send(method, &path, &owner, &[], (method == "POST").then_some(body.as_bytes())).await;
            assert_eq!(answer.reason(403), "auth.role-missing", "{method} {path}");
        }
        // Neither kind is found among the other.
        let tenants = house.post(&format!("/api/v1/tenants/acme/api-tokens/{id}/revoke"), &json!({})).await;
        assert_eq!(tenants.reason(404), "api-token.not-found");
        assert_eq!(house.post(&format!("{TOKENS}/{owner_id}/revoke"), &json!({})).await.reason(404), "api-token.not-found");
        let platform_in_a_tenant = json!({"role": "platform", "expires_at": "2026-06-01T00:00:00Z"});
        let answer = house.post("/api/v1/tenants/acme/api-tokens", &platform_in_a_tenant).await;
        assert_eq!(answer.reason(400), "input.invalid");
        for bad in [json!({"expires_at": "2025-01-01T00:00:00Z"}), json!({"expires_at": "2099-01-01T00:00:00Z"})] {
            assert_eq!(house.post(TOKENS, &bad).await.reason(400), "api-token.invalid-expiry");
        }
        house.end().await;
    }

    async fn a_platform_token_ends_on_every_replica_by_revocation_and_by_itself(kind) {
        let house = House::new(kind).await;
        let other = house.replica().await;
        let (token, id) = house.platform_token(&house.token).await;
        let (lasting, _) = house.platform_token(&house.token).await;
        for replica in [&house, &other] {
            assert_eq!(replica.read(TOKENS, &token).await.status, 200);
        }
        let revoked = house.post(&format!("{TOKENS}/{id}/revoke"), &json!({"reason": "lost"})).await.good();
        assert_eq!(revoked["changed"], json!(true));
        assert_eq!(house.post(&format!("{TOKENS}/{id}/revoke"), &json!({})).await.good()["changed"], json!(false));
        for replica in [&house, &other] {
            eventually("every replica refuses it", || async { replica.read(TOKENS, &token).await.status == 401 }).await;
            assert_eq!(replica.read(TOKENS, &token).await.reason(401), "api-token.revoked");
        }
        // A disabled tenant is no matter of theirs.
        house.post("/api/v1/tenants/acme/disable", &json!({})).await.good();
        house.view_is_current().await;
        assert_eq!(house.read("/api/v1/tenants/acme", &lasting).await.status, 200);
        house.pass(Duration::from_secs(86_400)).await;
        assert_eq!(house.read(TOKENS, &lasting).await.reason(401), "auth.expired");
        other.end().await;
        house.end().await;
    }

    async fn a_repeated_creation_does_not_show_the_text_again(kind) {
        let house = House::new(kind).await;
        let body = json!({"expires_at": "2026-06-01T00:00:00Z"}).to_string();
        let send = async || house.send("POST", TOKENS, &house.token, &[("idempotency-key", "k1")], Some(body.as_bytes())).await;
        send().await.good();
        assert_eq!(send().await.reason(409), "idempotency.secret-not-replayable");
        assert_eq!(house.number("SELECT count(*) FROM api_token WHERE tenant = '*'").await, 1);
        house.end().await;
    }
}
