//! `Correlation-ID` (`kaa.md` 17.3): taken over into the answer and into the event that the call causes, else made.

use serde_json::{Value, json};

use super::{LIST, call, get, made, put};
use crate::house::House;
use crate::on_both;

on_both! {
    async fn the_event_carries_the_id_of_the_call_that_caused_it(kind) {
        let house = House::new(kind).await;
        let mut events = house.events().await;
        for (method, ending, state, correlation) in [("PUT", "/state", "Suspended", "c-1"), ("PATCH", "", "Revoked", "2f1c0f6e-7c1e-4f0e-9a53-6f1d6a1b2c3d")] {
            let id = made(&house, correlation).await;
            let path = format!("{LIST}/{id}{ending}");
            let reply = call(&house, method, &path, &[("correlation-id", correlation)], Some(&json!({"state": state}))).await.good(200);
            assert_eq!(reply.header("correlation-id"), correlation);
            let event = &events.next(1).await[0];
            assert_eq!((event.correlation.as_str(), event.credential.as_str()), (correlation, id.as_str()));
        }
        // Made where none was sent: an xid, told in the answer.
        let id = made(&house, "none").await;
        let reply = put(&house, &format!("{LIST}/{id}/state"), &json!({"state": "Suspended"})).await.good(200);
        let told = reply.header("correlation-id");
        assert!(told.len() == 20 && told.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'v').contains(&b)), "{told}");
        assert_eq!(events.next(1).await[0].correlation, told);
        house.end().await;
    }

    async fn events_of_our_own_surface_have_ids_of_their_own(kind) {
        let house = House::new(kind).await;
        let mut events = house.events().await;
        let ids = [house.credential("a", "pw").await, house.credential("b", "pw").await];
        let path = "/api/v1/tenants/acme/identities/dev-1/disable";
        let answer = house.send("POST", path, &house.token, &[("correlation-id", "c-1")], None).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let seen = events.next(2).await;
        assert!(seen.iter().all(|event| event.correlation.starts_with("evt_") && ids.contains(&event.credential)), "{seen:?}");
        house.end().await;
    }

    async fn every_answer_tells_it_and_a_malformed_one_is_400(kind) {
        let house = House::new(kind).await;
        let id = made(&house, "bob").await;
        for (method, path, body, status) in [
            ("GET", LIST.to_owned(), None, 200),
            ("GET", format!("{LIST}/0"), None, 404),
            ("DELETE", LIST.to_owned(), None, 405),
            ("GET", format!("{LIST}/a/b/c"), None, 404),
            ("POST", LIST.to_owned(), Some(json!({})), 400),
            ("PUT", format!("{LIST}/{id}/password"), Some(json!({"password": "x"})), 204),
        ] {
            let reply = call(&house, method, &path, &[("correlation-id", "c-7")], body.as_ref()).await;
            assert_eq!((reply.status, reply.header("correlation-id")), (status, "c-7"), "{method} {path}");
            let reply = call(&house, method, &path, &[], body.as_ref()).await;
            assert_eq!(reply.header("correlation-id").len(), 20, "{method} {path}");
        }
        for bad in [&[("correlation-id", "a\tb")][..], &[("correlation-id", &"x".repeat(256))], &[("correlation-id", "a"), ("correlation-id", "b")]] {
            let reply = call(&house, "PUT", &format!("{LIST}/{id}/state"), bad, Some(&json!({"state": "Revoked"}))).await;
            assert!(reply.message(400).contains("Correlation-ID"));
            assert_eq!(reply.header("correlation-id").len(), 20);
        }
        assert_eq!(get(&house, &format!("{LIST}/{id}")).await.json()["state"], "Inactive");
        let ours = house.send("GET", "/api/v1/tenants/acme", &house.token, &[("correlation-id", "x\ty")], None).await;
        assert_eq!((ours.status, &ours.body["id"]), (200, &Value::from("acme")), "elsewhere it is no header of ours");
        house.end().await;
    }
}
