//! The page of truth of a tenant says what is so.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use signet_credentials::ports::Callers;
use signet_model::TenantId;

use crate::house::{House, eventually};
use crate::on_both;

const SUMMARY: &str = "/api/v1/tenants/acme/summary";

fn count(summary: &Value, kind: &str, state: &str) -> i64 {
    let counts = summary["credentials"]["counts"].as_array().unwrap();
    let one = counts.iter().find(|count| count["kind"] == kind && count["state"] == state);
    one.map_or(0, |count| count["number"].as_i64().unwrap())
}

fn warnings(summary: &Value) -> Vec<&str> {
    summary["warnings"].as_array().unwrap().iter().map(|warning| warning["code"].as_str().unwrap()).collect()
}

struct Asked;

impl Callers for Asked {
    fn issuer_of(&self, tenant: &TenantId) -> Option<String> {
        (tenant.as_str() == "acme").then(|| "https://id.example/realms/acme".to_owned())
    }

    fn security_off(&self) -> bool {
        true
    }
}

on_both! {
    async fn the_page_counts_by_kind_and_state_and_says_what_is_required(kind) {
        let house = House::new(kind).await;
        let empty = house.get(SUMMARY).await.good();
        assert_eq!((&empty["id"], &empty["credentials"]["counts"], &empty["last_used_at"]), (&json!("acme"), &json!([]), &json!(null)));
        assert_eq!(empty["required"], json!({"strict_fsm": false, "bcrypt_cost": 4, "issuer": null, "managed_by": "signet"}));
        assert_eq!((warnings(&empty), &empty["sweep"]), (Vec::new(), &json!(null)));
        let ids = [house.credential("a", "pw").await, house.credential("b", "pw").await, house.credential("c", "pw").await];
        house.check("a", "pw").await;
        house.act(&ids[1], "suspend").await.good();
        let token = json!({"kind": "endpoint_token", "application": "demo", "endpoint": "ep-1"});
        house.post("/api/v1/tenants/acme/credentials", &token).await.good();
        house.post("/api/v1/tenants/default/credentials", &json!({"kind": "basic", "username": "d", "password": "pw"})).await.good();
        eventually("counted anew", || async {
            let summary = house.get(SUMMARY).await.good();
            count(&summary, "endpoint_token", "Inactive") == 1 && summary["last_used_at"] != json!(null)
        })
        .await;
        let summary = house.get(SUMMARY).await.good();
        let of = |state| count(&summary, "basic", state);
        assert_eq!((of("Active"), of("Inactive"), of("Suspended"), of("Revoked")), (1, 1, 1, 0));
        assert_eq!(summary["credentials"]["complete"], json!(true));
        house.end().await;
    }

    async fn the_page_warns_of_what_somebody_should_look_after(kind) {
        let mut house = House::new(kind).await;
        house.room.know_callers(Arc::new(Asked));
        house.stop_sweeping();
        house.credential("unused", "pw").await;
        let lasting = json!({"role": "owner", "expires_at": "2027-01-01T00:00:00Z"});
        house.post("/api/v1/tenants/acme/api-tokens", &lasting).await.good();
        let (_, ending) = house.api_token(&"acme".parse().unwrap(), "auditor").await;
        let summary = house.get(SUMMARY).await.good();
        assert_eq!(warnings(&summary), ["security-off", "token-ends"]);
        assert!(summary["warnings"][1]["detail"].as_str().unwrap().contains(&ending), "{summary}");
        assert_eq!(summary["required"]["issuer"], "https://id.example/realms/acme");
        house.pass(Duration::from_secs(31 * 86_400)).await;
        assert_eq!(warnings(&house.get(SUMMARY).await.good()), ["security-off", "never-used"]);
        house.post("/api/v1/tenants/acme/disable", &json!({})).await.good();
        let summary = house.get(SUMMARY).await.good();
        assert_eq!(warnings(&summary), ["disabled", "being-told", "security-off", "never-used"]);
        assert_eq!((&summary["sweep"]["work"], &summary["sweep"]["done"]), (&json!("being-told"), &json!(0)));
        house.start_sweeping();
        house.swept().await;
        house.stop_sweeping();
        assert!(house.room.ensure_managed_tenant(&house.scope("acme")).await.unwrap());
        assert!(house.room.unregister_tenant(&house.scope("acme")).await.unwrap());
        let summary = house.get(SUMMARY).await.good();
        assert_eq!(warnings(&summary), ["deleting", "unregistered", "being-revoked", "security-off", "never-used"]);
        assert_eq!(summary["required"]["managed_by"], "tenant-manager");
        house.end().await;
    }
}
