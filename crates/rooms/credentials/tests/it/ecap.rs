//! Every row of 16/ECAP (`kaa.md` 15.3), as a gateway on the bus sees it.

use std::time::Duration;

use serde_json::json;
use signet_bus::Subject;
use signet_model::CredentialKind::EndpointToken;

use crate::house::{House, PATIENCE, Settings, eventually};
use crate::on_both;
use crate::token_house::{TRANSITION, VALIDATION, Validation, validation};

fn found(id: &str, endpoint: &str) -> Validation {
    Validation { correlation: "c-1".to_owned(), status: 200, token: Some((id.to_owned(), endpoint.to_owned())) }
}

fn refused(status: i32) -> Validation {
    Validation { correlation: "c-1".to_owned(), status, token: None }
}

on_both! {
    async fn each_row_of_validation(kind) {
        let house = House::new(kind).await;
        let made = house.make_token("acme", "demo", "ep-1", &json!({"token": "tok1", "identity": "dev-1"})).await.good();
        let id = made["id"].as_str().unwrap();
        let updated = house.show(id).await["updated_at"].clone();
        assert_eq!(house.validate("demo", "tok1").await, found(id, "ep-1"));
        let shown = house.show(id).await;
        assert_eq!((shown["state"].as_str(), &shown["updated_at"]), (Some("Active"), &updated));
        assert!(shown["last_used_at"].is_string());
        assert_eq!(house.validate("demo", "tok1").await, found(id, "ep-1"));
        assert_eq!(house.actions(id).await, ["credential.create", "credential.activate"]);
        assert_eq!(house.records(id).await.pop().unwrap().actor, "bus");

        for (application, token) in [("", "tok1"), ("demo", ""), ("", "")] {
            assert_eq!(house.validate(application, token).await, refused(400));
        }
        let long = "x".repeat(100_000);
        for (application, token) in [
            ("demo", "tok2"), ("demo", "TOK1"), ("demo", "tok1 "), ("demo2", "tok1"), ("Demo", "tok1"), ("demo-v1", "tok1"),
            ("demo", "tok1\0"), ("demo\0", "tok1"), ("demo", "a/b"), ("demo", "#"), ("demo", &long), (&long, "tok1"), ("acme", "tok1"),
        ] {
            assert_eq!(house.validate(application, token).await, refused(404), "{application:.20?} {token:.20?}");
        }

        house.act(id, "suspend").await.good();
        assert_eq!(house.validate("demo", "tok1").await, refused(403));
        house.act(id, "resume").await.good();
        assert_eq!(house.validate("demo", "tok1").await, found(id, "ep-1"));
        house.post("/api/v1/tenants/acme/identities/dev-1/disable", &json!({})).await.good();
        assert_eq!(house.validate("demo", "tok1").await, refused(403));
        house.post("/api/v1/tenants/acme/identities/dev-1/enable", &json!({})).await.good();
        assert_eq!(house.validate("demo", "tok1").await, found(id, "ep-1"));
        house.act(id, "revoke").await.good();
        assert_eq!(house.validate("demo", "tok1").await, refused(403));
        let count = |result| house.metrics.decisions(EndpointToken, result);
        assert_eq!((count("allowed"), count("invalid"), count("unknown"), count("suspended"), count("revoked"), count("disabled")), (4, 3, 13, 1, 1, 1));
        house.end().await;
    }

    async fn a_disabled_tenant_lets_none_of_its_endpoints_in(kind) {
        let house = House::new(kind).await;
        let id = house.endpoint_token("demo", "ep-1", "tok1").await;
        crate::cap::disable_tenant(&house).await;
        assert_eq!(house.validate("demo", "tok1").await, refused(403));
        assert_eq!(house.state(&id).await, "Inactive");
        house.end().await;
    }

    async fn each_row_of_transition_with_both_switches(kind) {
        let mut house = House::new(kind).await;
        for strict in [false, true] {
            house = house.restarted(Settings { strict_fsm: strict, ..Settings::default() }).await;
            let unless_strict = if strict { 409 } else { 200 };
            let table = [
                ("Inactive", [200, 409, unless_strict, unless_strict]),
                ("Active", [409, 200, 200, 200]),
                ("Suspended", [409, 200, 200, unless_strict]),
                ("Revoked", [409, 409, 409, 200]),
            ];
            for (from, statuses) in table {
                for (to, status) in ["Inactive", "Active", "Suspended", "Revoked"].into_iter().zip(statuses) {
                    let token = format!("{from}-{to}-{strict}");
                    let id = house.endpoint_token("demo", "ep-1", &token).await;
                    if from != "Inactive" {
                        assert_eq!(house.validates("demo", &token).await, 200);
                    }
                    if from == "Suspended" || from == "Revoked" {
                        assert_eq!(house.transit("demo", &token, from).await, 200);
                    }
                    assert_eq!(house.transit("demo", &token, to).await, status, "{from} to {to}, strict {strict}");
                    assert_eq!(house.state(&id).await, if status == 200 { to } else { from });
                }
            }
        }
        let id = house.endpoint_token("demo", "ep-1", "tok1").await;
        for (application, token, state) in [
            ("", "tok1", "Suspended"), ("demo", "", "Suspended"), ("demo", "tok1", ""), ("demo", "tok1", "suspended"),
            ("demo", "tok1", "SUSPENDED"), ("demo", "tok1", "Deleted"), ("demo", "tok1", "Suspended\0"),
        ] {
            assert_eq!(house.transit(application, token, state).await, 400, "{application} {token} {state}");
        }
        for (application, token) in [("demo", "tok2"), ("other", "tok1"), ("demo", "a/b"), ("demo", "\0"), ("a.b", "tok1")] {
            assert_eq!(house.transit(application, token, "Revoked").await, 404, "{application} {token}");
        }
        assert_eq!(house.validates("demo", "tok1").await, 200);
        let mut events = house.token_events().await;
        assert_eq!(house.transit("demo", "tok1", "Suspended").await, 200);
        // What is told of the tokens above may still be on its way.
        let mut told = events.next_named().await;
        while !told.2.contains(&id) {
            told = events.next_named().await;
        }
        assert_eq!(told, crate::token_house::named("demo", "ep-1", &[&id]));
        assert_eq!(house.records(&id).await.pop().unwrap().actor, "bus");
        house.end().await;
    }

    async fn what_has_come_too_late_or_cannot_be_understood_or_answered_is_counted_and_not_answered(kind) {
        let house = House::new(kind).await;
        let id = house.endpoint_token("demo", "ep-1", "tok1").await;
        let subject = Subject::new(VALIDATION).unwrap();
        let reply = Subject::new("kaa.v1.replica.test.ecap.ep-token-response").unwrap();
        let mut answers = house.listen(reply.as_str()).await;
        let late = house.validation_request("late", "demo", "tok1", 1_000);
        house.pass(Duration::from_millis(6_001)).await;
        house.bus.publish(&subject, Some(&reply), late.clone()).await.unwrap();
        house.bus.publish(&Subject::new(TRANSITION).unwrap(), Some(&reply), late).await.unwrap();
        let whole = house.validation_request("silent", "demo", "tok1", 0);
        house.bus.publish(&subject, None, whole.clone()).await.unwrap();
        for bytes in [vec![0], vec![0xff; 40], whole[..whole.len() / 2].to_vec(), vec![]] {
            house.bus.publish(&subject, Some(&reply), bytes).await.unwrap();
        }
        let count = |result| house.metrics.decisions(EndpointToken, result);
        // A validation is no transition: that record ends too early there.
        eventually("all are counted", || async { (count("expired"), count("no_reply"), count("malformed")) == (1, 1, 5) }).await;
        assert_eq!(house.state(&id).await, "Inactive");
        let near = house.validation_request("near", "demo", "tok1", 1_000);
        house.pass(Duration::from_millis(5_999)).await;
        house.bus.publish(&subject, Some(&reply), near).await.unwrap();
        let answer = validation(&tokio::time::timeout(PATIENCE, answers.next()).await.unwrap().unwrap());
        assert_eq!((answer.correlation.as_str(), answer.status), ("near", 200));
        assert!(answers.try_next().is_none());
        house.end().await;
    }

    async fn two_replicas_answer_each_request_once_and_activate_once(kind) {
        let house = House::new(kind).await;
        let other = house.replica().await;
        let id = house.endpoint_token("demo", "ep-1", "tok1").await;
        let subject = Subject::new(VALIDATION).unwrap();
        let reply = Subject::new("kaa.v1.replica.pair.ecap.ep-token-response").unwrap();
        let mut answers = house.listen(reply.as_str()).await;
        for n in 0..200 {
            let payload = house.validation_request(&n.to_string(), "demo", "tok1", 0);
            house.bus.publish(&subject, Some(&reply), payload).await.unwrap();
        }
        for _ in 0..200 {
            let answer = validation(&tokio::time::timeout(PATIENCE, answers.next()).await.unwrap().unwrap());
            assert_eq!(answer.token, Some((id.clone(), "ep-1".to_owned())));
        }
        assert!(answers.try_next().is_none());
        assert_eq!(house.metrics.decisions(EndpointToken, "allowed") + other.metrics.decisions(EndpointToken, "allowed"), 200);
        assert_eq!(house.actions(&id).await, ["credential.create", "credential.activate"]);
        other.end().await;
        house.end().await;
    }

    async fn the_last_use_is_written_at_most_once_a_minute(kind) {
        let house = House::new(kind).await;
        let id = house.endpoint_token("demo", "ep-1", "tok1").await;
        assert_eq!(house.validates("demo", "tok1").await, 200);
        let first = house.show(&id).await["last_used_at"].clone();
        house.pass(Duration::from_secs(59)).await;
        assert_eq!(house.validates("demo", "tok1").await, 200);
        assert_eq!(house.show(&id).await["last_used_at"], first);
        house.pass(Duration::from_secs(1)).await;
        assert_eq!(house.validates("demo", "tok1").await, 200);
        eventually("it is written", || async { house.show(&id).await["last_used_at"] != first }).await;
        house.end().await;
    }

    async fn a_provider_that_is_not_enabled_leaves_the_bus_to_kaas_own(kind) {
        let house = House::with(kind, Settings { endpoint_tokens: false, ..Settings::default() }).await;
        let id = house.endpoint_token("demo", "ep-1", "tok1").await;
        let asked = house.bus.request(&Subject::new(VALIDATION).unwrap(), house.validation_request("c", "demo", "tok1", 0), Duration::from_millis(200)).await;
        assert!(asked.is_err(), "{asked:?}");
        let mut events = house.token_events().await;
        house.unregister("ep-1").await;
        house.act(&id, "revoke").await.good();
        assert_eq!(events.next_named().await, crate::token_house::named("demo", "ep-1", &[&id]), "it was still there");
        house.end().await;
    }
}
