//! The life of a tenant: enabled, disabled, deleted with a way back, unregistered without one, and gone.

use std::time::Duration;

use serde_json::json;

use crate::house::{House, eventually};
use crate::on_both;

const ACME: &str = "/api/v1/tenants/acme";

impl House {
    async fn tenant(&self) -> serde_json::Value {
        self.get(ACME).await.good()
    }

    async fn delete(&self, path: &str) -> crate::house::Answer {
        self.send("DELETE", path, &self.token, &[], None).await
    }
}

on_both! {
    async fn a_deleted_tenant_can_be_taken_back_as_it_was_while_its_grace_lasts(kind) {
        let house = House::new(kind).await;
        let (bob, eve) = (house.credential("bob", "pw").await, house.credential("eve", "pw").await);
        house.check("bob", "pw").await;
        house.act(&eve, "suspend").await.good();
        let deleted = house.delete(ACME).await.good();
        assert_eq!((&deleted["state"], &deleted["changed"]), (&json!("deleting"), &json!(true)));
        let day = signet_model::Clock::now(&house.clock).plus(Duration::from_secs(86_400));
        assert_eq!(deleted["purge_at"], json!(day));
        // A repetition changes nothing, and does not push the end out.
        house.pass(Duration::from_secs(60)).await;
        let again = house.delete(ACME).await.good();
        assert_eq!((&again["purge_at"], &again["changed"]), (&json!(day), &json!(false)));
        assert_eq!(house.post("/api/v1/tenants", &json!({"id": "acme"})).await.reason(409), "tenant.exists");
        assert_eq!(house.check("bob", "pw").await["reason"], "tenant.disabled");
        house.swept().await;
        let back = house.post(&format!("{ACME}/enable"), &json!({})).await.good();
        assert_eq!((&back["state"], &back["purge_at"]), (&json!("enabled"), &json!(null)));
        assert_eq!(house.check("bob", "pw").await["allowed"], json!(true));
        assert_eq!((house.state(&bob).await.as_str(), house.state(&eve).await.as_str()), ("Active", "Suspended"));
        house.pass(Duration::from_secs(2 * 86_400)).await;
        assert_eq!(house.tenant().await["state"], "enabled");
        house.end().await;
    }

    async fn a_deleted_tenant_is_gone_when_its_grace_has_passed_and_its_name_is_free(kind) {
        let house = House::new(kind).await;
        let tenant = "acme".parse().unwrap();
        let (token, _) = house.api_token(&tenant, "owner").await;
        house.fill("acme", None, 1, 1_203).await;
        let mut events = house.events().await;
        house.delete(&format!("{ACME}?grace=2h")).await.good();
        assert_eq!(events.next(1_203).await.len(), 1_203);
        house.swept().await;
        house.pass(Duration::from_secs(2 * 3_600)).await;
        eventually("the tenant is gone", || async { house.get(ACME).await.status == 404 }).await;
        for table in ["SELECT count(*) FROM credential", "SELECT count(*) FROM identity", "SELECT count(*) FROM api_token", "SELECT count(*) FROM sweep"] {
            assert_eq!(house.number(table).await, 0, "{table}");
        }
        house.view_is_current().await;
        assert_eq!(house.send("GET", ACME, &token, &[], None).await.reason(401), "auth.invalid");
        assert_eq!(house.actions("acme").await.last().map(String::as_str), Some("tenant.purged"));
        // The name is free, and the new tenant is another one.
        house.post("/api/v1/tenants", &json!({"id": "acme"})).await.good();
        house.view_is_current().await;
        assert_eq!(house.send("GET", ACME, &token, &[], None).await.reason(401), "auth.invalid");
        house.post(&format!("{ACME}/credentials"), &json!({"kind": "basic", "username": "m1", "password": "pw"})).await.good();
        assert_eq!(house.check("m1", "pw").await["allowed"], json!(true));
        house.end().await;
    }

    async fn an_unregistered_tenant_is_revoked_for_good_and_gone_a_day_later(kind) {
        let mut house = House::new(kind).await;
        house.stop_sweeping();
        let mut events = house.events().await;
        house.fill("acme", None, 1, 30).await;
        let (used, off) = (house.credential("used", "pw").await, house.credential("off", "pw").await);
        house.check("used", "pw").await;
        house.act(&off, "suspend").await.good();
        assert_eq!(events.next(1).await[0].credential, off);
        assert!(house.room.unregister_tenant(&house.scope("acme")).await.unwrap());
        assert!(!house.room.unregister_tenant(&house.scope("acme")).await.unwrap(), "a repetition changes nothing");
        assert!(!house.room.unregister_tenant(&house.scope("nobody")).await.unwrap(), "none of ours");
        assert_eq!(house.post(&format!("{ACME}/enable"), &json!({})).await.reason(409), "tenant.sweep-under-way");
        house.start_sweeping();
        let mut told: Vec<String> = events.next(31).await.into_iter().map(|event| event.credential).collect();
        told.sort();
        let mut wanted: Vec<String> = (1..=30).map(House::filled).chain([used.clone()]).collect();
        wanted.sort();
        assert_eq!(told, wanted);
        house.swept().await;
        assert_eq!(house.number("SELECT count(*) FROM credential WHERE state <> 'Revoked'").await, 0);
        // It may come back within the day, its credentials do not.
        assert!(house.room.set_tenant_enabled(&house.scope("acme"), true).await.unwrap());
        assert_eq!(house.check("used", "pw").await["reason"], "credential.revoked");
        assert!(house.room.unregister_tenant(&house.scope("acme")).await.unwrap());
        house.swept().await;
        house.pass(Duration::from_secs(86_400)).await;
        eventually("the tenant is gone", || async { house.get(ACME).await.status == 404 }).await;
        house.end().await;
    }

    async fn a_tenant_that_was_told_of_already_is_unregistered_without_a_second_word(kind) {
        let mut house = House::new(kind).await;
        let mut events = house.events().await;
        house.fill("acme", None, 1, 10).await;
        house.post(&format!("{ACME}/disable"), &json!({})).await.good();
        assert_eq!(events.next(10).await.len(), 10);
        house.swept().await;
        house.stop_sweeping();
        assert!(house.room.unregister_tenant(&house.scope("acme")).await.unwrap());
        house.start_sweeping();
        house.swept().await;
        assert_eq!(house.number("SELECT count(*) FROM credential WHERE state <> 'Revoked'").await, 0);
        let other = house.post("/api/v1/tenants/default/credentials", &json!({"kind": "basic", "username": "o", "password": "pw"})).await.good();
        let id = other["id"].as_str().unwrap();
        house.post(&format!("/api/v1/tenants/default/credentials/{id}/revoke"), &json!({})).await.good();
        assert_eq!(events.next(1).await[0].credential, id);
        house.end().await;
    }

    async fn what_must_not_be_deleted_is_not(kind) {
        let house = House::new(kind).await;
        assert_eq!(house.delete("/api/v1/tenants/default").await.reason(409), "tenant.protected");
        assert_eq!(house.delete("/api/v1/tenants/nobody").await.reason(404), "tenant.not-found");
        for bad in ["", "1w", "367d", "-1s"] {
            assert_eq!(house.delete(&format!("{ACME}?grace={bad}")).await.reason(400), "tenant.invalid-grace", "{bad}");
        }
        assert!(house.room.ensure_managed_tenant(&house.scope("acme")).await.unwrap());
        assert!(!house.room.ensure_managed_tenant(&house.scope("acme")).await.unwrap());
        assert_eq!(house.delete(ACME).await.reason(409), "tenant.managed");
        assert_eq!(house.tenant().await["managed"], json!(true));
        house.delete(&format!("{ACME}?force=true&grace=0s")).await.good();
        eventually("the tenant is gone", || async { house.get(ACME).await.status == 404 }).await;
        let mut tokens = Vec::new();
        for role in ["auditor", "operator", "owner"] {
            tokens.push(house.api_token(&"default".parse().unwrap(), role).await.0);
        }
        for token in tokens {
            for (method, path) in [("POST", "/disable"), ("POST", "/enable"), ("DELETE", "")] {
                let path = format!("/api/v1/tenants/default{path}");
                assert_eq!(house.send(method, &path, &token, &[], None).await.reason(403), "auth.role-missing");
            }
        }
        house.end().await;
    }

    async fn the_tokens_of_a_disabled_tenant_are_refused_until_it_is_enabled(kind) {
        let house = House::new(kind).await;
        let (token, _) = house.api_token(&"acme".parse().unwrap(), "owner").await;
        assert_eq!(house.send("GET", ACME, &token, &[], None).await.status, 200);
        house.post(&format!("{ACME}/disable"), &json!({})).await.good();
        house.view_is_current().await;
        assert_eq!(house.send("GET", ACME, &token, &[], None).await.reason(403), "tenant.disabled");
        assert_eq!(house.get(ACME).await.good()["state"], "disabled");
        house.post(&format!("{ACME}/enable"), &json!({})).await.good();
        house.view_is_current().await;
        assert_eq!(house.send("GET", ACME, &token, &[], None).await.status, 200);
        house.end().await;
    }
}
