//! A credential from birth to revocation over REST, and what the log tells of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::house::House;
use crate::on_both;

const CREDENTIALS: &str = "/api/v1/tenants/acme/credentials";

on_both! {
    async fn a_credential_lives_from_birth_to_revocation(kind) {
        let house = House::new(kind).await;
        let again = house.post("/api/v1/tenants", &json!({"id": "acme"})).await;
        assert_eq!(again.reason(409), "tenant.exists");

        let identity = house.get("/api/v1/tenants/acme/identities/dev-1").await.good();
        let body = json!({"kind": "basic", "username": "bob", "password": "pw", "identity": "dev-1"});
        let made = house.post(CREDENTIALS, &body).await;
        assert_eq!(made.status, 201);
        let made = made.good();
        let id = made["id"].as_str().unwrap();
        assert_eq!(id.len(), 20);
        assert_eq!(made["identity"], identity["id"]);
        assert_eq!((&made["state"], &made["last_used_at"], &made["version"]), (&json!("Inactive"), &Value::Null, &json!(1)));
        assert!(made.get("password").is_none() && made.get("password_hash").is_none());
        assert_eq!(house.post(CREDENTIALS, &body).await.reason(409), "credential.username-taken");

        let wrong = house.check("bob", "no").await;
        assert_eq!((&wrong["allowed"], &wrong["reason"]), (&json!(false), &json!("credential.wrong-password")));
        assert_eq!(house.check("nobody", "pw").await["reason"], "credential.unknown");
        let shown = house.show(id).await;
        assert_eq!((&shown["state"], &shown["last_used_at"], &shown["version"]), (&json!("Inactive"), &Value::Null, &json!(1)));

        house.pass(Duration::from_secs(1)).await;
        let right = house.check("bob", "pw").await;
        assert_eq!((&right["allowed"], &right["state"], &right["credential"]), (&json!(true), &json!("Active"), &json!(id)));
        let shown = house.show(id).await;
        assert_eq!(shown["updated_at"], made["updated_at"], "the first use is no update");
        assert_ne!(shown["last_used_at"], Value::Null);
        assert_ne!(shown["last_used_at"], shown["created_at"]);

        let suspended = house.act(id, "suspend").await.good();
        assert_eq!((&suspended["state"], &suspended["changed"]), (&json!("Suspended"), &json!(true)));
        assert_eq!(house.act(id, "suspend").await.good()["changed"], json!(false));
        let refused = house.check("bob", "pw").await;
        assert_eq!(refused["reason"], "credential.suspended");
        assert!(refused["fix"].as_str().unwrap().contains(&format!("signet credential resume {id} --tenant acme")), "{refused}");
        assert_eq!(house.act(id, "resume").await.good()["state"], "Active");
        let why = json!({"reason": "seen elsewhere"});
        assert_eq!(house.post(&format!("{CREDENTIALS}/{id}/revoke"), &why).await.good()["state"], "Revoked");
        assert_eq!(house.act(id, "resume").await.reason(409), "credential.illegal-transition");
        assert_eq!(house.check("bob", "pw").await["reason"], "credential.revoked");
        assert_eq!(house.post(CREDENTIALS, &body).await.reason(409), "credential.username-taken", "a revoked one keeps its name");

        let records = house.records(id).await;
        let actions: Vec<_> = records.iter().map(|r| r.action.as_str()).collect();
        let expected = ["credential.create", "credential.activate", "credential.suspend", "credential.resume", "credential.revoke"];
        assert_eq!(actions, expected);
        assert!(records.iter().all(|r| r.actor == "operator-token" && r.tenant.as_ref().unwrap().as_str() == "acme"));
        assert_eq!(records[4].reason.as_deref(), Some("seen elsewhere"));
        assert!(records.is_sorted_by_key(|r| r.position));
        house.end().await;
    }

    async fn the_last_use_is_written_once_a_minute_and_moves_neither_update_nor_version(kind) {
        let house = House::new(kind).await;
        let id = house.credential("bob", "pw").await;
        house.check("bob", "pw").await;
        let first = house.show(&id).await;
        house.pass(Duration::from_secs(30)).await;
        house.check("bob", "pw").await;
        house.pass(Duration::from_secs(40)).await;
        crate::house::eventually("the later use is written", || async {
            assert!(house.check("bob", "pw").await["allowed"].as_bool().unwrap());
            house.show(&id).await["last_used_at"] != first["last_used_at"]
        })
        .await;
        let later = house.show(&id).await;
        assert_eq!((&later["updated_at"], &later["version"]), (&first["updated_at"], &first["version"]));
        let spaced: signet_model::Timestamp = later["last_used_at"].as_str().unwrap().parse().unwrap();
        let before: signet_model::Timestamp = first["last_used_at"].as_str().unwrap().parse().unwrap();
        assert_eq!(spaced.since(before), Duration::from_secs(70), "nothing was written after 30 seconds");
        assert_eq!(house.actions(&id).await, ["credential.create", "credential.activate"], "upkeep leaves no record");
        house.end().await;
    }

    async fn a_disabled_identity_lets_nobody_in_until_it_is_enabled(kind) {
        let house = House::new(kind).await;
        house.credential("bob", "pw").await;
        let path = "/api/v1/tenants/acme/identities/dev-1";
        assert!(house.check("bob", "pw").await["allowed"].as_bool().unwrap());
        let off = house.post(&format!("{path}/disable"), &json!({"reason": "stolen"})).await.good();
        assert_eq!((&off["state"], &off["changed"]), (&json!("disabled"), &json!(true)));
        assert_eq!(house.post(&format!("{path}/disable"), &json!({})).await.good()["changed"], json!(false));
        let refused = house.check("bob", "pw").await;
        assert_eq!(refused["reason"], "identity.disabled");
        assert!(refused["fix"].as_str().unwrap().contains(off["id"].as_str().unwrap()), "{refused}");
        assert_eq!(house.check("bob", "no").await["reason"], "credential.wrong-password");
        let by_id = format!("/api/v1/tenants/acme/identities/{}/enable", off["id"].as_str().unwrap());
        assert_eq!(house.post(&by_id, &json!({})).await.good()["state"], "enabled");
        assert!(house.check("bob", "pw").await["allowed"].as_bool().unwrap());
        let actions = house.actions(off["id"].as_str().unwrap()).await;
        assert_eq!(actions, ["identity.create", "identity.disable", "identity.enable"]);
        house.end().await;
    }

    async fn a_raised_cost_strengthens_the_stored_hash_at_the_next_login(kind) {
        let house = House::new(kind).await;
        house.credential("bob", "pw").await;
        let weak = "SELECT count(*) FROM credential WHERE password_hash LIKE '$2a$04$%'";
        let strong = "SELECT count(*) FROM credential WHERE password_hash LIKE '$2a$05$%'";
        assert_eq!(house.number(weak).await, 1);
        let house = house.restarted(crate::house::Settings { cost: 5, ..Default::default() }).await;
        assert_eq!(house.check("bob", "no").await["reason"], "credential.wrong-password");
        assert_eq!(house.number(strong).await, 0);
        crate::house::eventually("the hash is strengthened", || async {
            assert!(house.check("bob", "pw").await["allowed"].as_bool().unwrap());
            house.number(strong).await == 1
        })
        .await;
        assert!(house.check("bob", "pw").await["allowed"].as_bool().unwrap());
        house.end().await;
    }

    async fn metrics_follow_the_credentials(kind) {
        use signet_model::{CredentialKind::Basic, CredentialState::{Active, Inactive, Revoked}};
        let house = House::new(kind).await;
        let id = house.credential("bob", "pw").await;
        house.credential("eve", "pw").await;
        house.check("bob", "pw").await;
        house.check("bob", "no").await;
        let seen = || [Inactive, Active, Revoked].map(|state| house.metrics.credentials(Basic, state));
        assert_eq!(seen(), [1, 1, 0]);
        house.act(&id, "revoke").await.good();
        assert_eq!(seen(), [1, 0, 1]);
        assert_eq!((house.metrics.decisions(Basic, "allowed"), house.metrics.decisions(Basic, "wrong_password")), (1, 1));
        // Another process has counted nothing of it, until it reads the database.
        let other = house.replica().await;
        let _counting = other.room.start_counting();
        crate::house::eventually("the other process counts", || async {
            [Inactive, Active, Revoked].map(|state| other.metrics.credentials(Basic, state)) == [1, 0, 1]
        })
        .await;
        other.end().await;
        house.end().await;
    }
}
