//! The calls of `kaa.md` 15.2 that succeed, with their answers, and the ones that the state machine refuses.

use std::time::Duration;

use serde_json::{Value, json};
use signet_credentials::transition::{Outcome, Request, transition};
use signet_model::CredentialState;

use super::{LIST, call, get, made, put};
use crate::house::{House, Kind, Settings};
use crate::on_both;

/// A credential of `acme` in a state, by its legal moves.
async fn in_state(house: &House, name: &str, state: CredentialState) -> String {
    let id = made(house, name).await;
    if state != CredentialState::Inactive {
        assert_eq!(house.check(name, "pw").await["allowed"], json!(true));
    }
    if matches!(state, CredentialState::Suspended | CredentialState::Revoked) {
        put(house, &format!("{LIST}/{id}/state"), &json!({ "state": state.as_str() })).await.good(200);
    }
    id
}

/// Every cell of the table of 14.1 by both calls that set a state.
async fn every_cell(kind: Kind, strict_fsm: bool) {
    let house = House::with(kind, Settings { strict_fsm, ..Settings::default() }).await;
    let mut events = house.events().await;
    let mut expected = Vec::new();
    for (method, ending) in [("PUT", "/state"), ("PATCH", "")] {
        for from in CredentialState::ALL {
            for to in CredentialState::ALL {
                let id = in_state(&house, &format!("{method}-{from}-{to}"), *from).await;
                if matches!(from, CredentialState::Suspended | CredentialState::Revoked) {
                    expected.push(id.clone());
                }
                house.clock.advance(Duration::from_millis(1));
                let path = format!("{LIST}/{id}");
                let before = get(&house, &path).await.good(200);
                let records = house.actions(&id).await.len();
                let reply = call(&house, method, &format!("{path}{ending}"), &[], Some(&json!({ "state": to.as_str() }))).await;
                let after = get(&house, &path).await.good(200);
                let recorded = house.actions(&id).await.len() - records;
                match transition(*from, Request::SetState(*to), strict_fsm) {
                    Outcome::Transition { to } => {
                        let reply = reply.good(200);
                        assert_eq!((reply.json(), reply.header("etag")), (after.json(), after.header("etag")));
                        assert_eq!(after.json()["state"], to.as_str());
                        assert_ne!(after.json()["updatedDate"], before.json()["updatedDate"]);
                        assert_ne!(after.header("etag"), before.header("etag"));
                        assert_eq!(recorded, 1, "{method} {from} to {to}");
                        if from.usable() && !to.usable() {
                            expected.push(id.clone());
                        }
                    }
                    Outcome::NoChange => {
                        assert_eq!(reply.good(200).json(), before.json(), "{method} {from} to {to}");
                        assert_eq!((after.json(), recorded), (before.json(), 0));
                    }
                    Outcome::Illegal => {
                        assert!(reply.message(409).contains(from.as_str()), "{method} {from} to {to}: {}", reply.text);
                        assert_eq!((after.json(), recorded), (before.json(), 0));
                    }
                }
            }
        }
    }
    let seen = events.next(expected.len()).await;
    let seen: Vec<&str> = seen.iter().map(|event| event.credential.as_str()).collect();
    assert_eq!(seen, expected, "one event for each that was usable and is not any more, in their order");
    let fence = made(&house, "fence").await;
    put(&house, &format!("{LIST}/{fence}/state"), &json!({ "state": "Revoked" })).await;
    if !strict_fsm {
        assert_eq!(events.next(1).await[0].credential, fence, "and no other");
    }
    house.end().await;
}

on_both! {
    async fn what_is_made_is_inactive_shown_with_its_place_and_without_its_password(kind) {
        let house = House::new(kind).await;
        let reply = call(&house, "POST", LIST, &[], Some(&json!({"username": "bob", "password": "canary-31"}))).await.good(201);
        let body = reply.json();
        let id = body["id"].as_str().unwrap();
        assert_eq!(reply.header("location"), format!("/api/v1/basic-credentials/{id}"));
        assert!(id.len() == 20 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'v').contains(&b)), "{id}");
        assert!(!reply.text.contains("canary") && !reply.text.contains("$2"));
        let mut members: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["createdDate", "id", "state", "updatedDate", "username"], "no lastUseDate before the first use");
        assert_eq!((body["username"].as_str(), body["state"].as_str()), (Some("bob"), Some("Inactive")));
        assert_eq!(body["createdDate"], body["updatedDate"]);
        let date = body["createdDate"].as_str().unwrap();
        assert!(date.len() == "2020-03-01T12:47:02.247462Z".len() && date.ends_with('Z') && date.as_bytes()[19] == b'.', "{date}");
        let shown = get(&house, &format!("{LIST}/{id}")).await.good(200);
        assert_eq!((shown.json(), shown.header("etag")), (body.clone(), reply.header("etag")));
        // It authenticates, and belongs to no identity.
        assert_eq!(house.ask("bob", "canary-31").await.status, 200);
        assert_eq!(house.show(id).await["identity"], Value::Null);
        house.end().await;
    }

    async fn the_first_use_shows_and_leaves_the_date_of_the_update(kind) {
        let house = House::new(kind).await;
        let id = made(&house, "bob").await;
        house.pass(Duration::from_secs(1)).await;
        house.check("bob", "pw").await;
        let body = get(&house, &format!("{LIST}/{id}")).await.good(200).json();
        assert_eq!((&body["state"], &body["updatedDate"]), (&json!("Active"), &body["createdDate"]));
        assert!(body["lastUseDate"].as_str().unwrap() > body["createdDate"].as_str().unwrap());
        house.end().await;
    }

    async fn every_cell_of_the_state_machine_by_both_calls(kind) {
        every_cell(kind, false).await;
    }

    async fn every_cell_with_the_strict_switch(kind) {
        every_cell(kind, true).await;
    }

    async fn a_password_is_replaced_and_says_nothing(kind) {
        let house = House::new(kind).await;
        let id = made(&house, "bob").await;
        let path = format!("{LIST}/{id}/password");
        house.check("bob", "pw").await;
        let reply = put(&house, &path, &json!({"password": "other"})).await;
        assert_eq!((reply.status, reply.text.as_str(), reply.header("content-type")), (204, "", ""));
        assert_eq!((house.ask("bob", "pw").await.status, house.ask("bob", "other").await.status), (401, 200));
        assert_eq!(house.actions(&id).await.last().map(String::as_str), Some("credential.set-password"));
        put(&house, &format!("{LIST}/{id}/state"), &json!({"state": "Suspended"})).await.good(200);
        assert_eq!(put(&house, &path, &json!({"password": "third"})).await.status, 204);
        put(&house, &format!("{LIST}/{id}/state"), &json!({"state": "Revoked"})).await.good(200);
        assert!(put(&house, &path, &json!({"password": "fourth"})).await.message(409).contains("Revoked"));
        house.end().await;
    }

    async fn every_call_is_served_where_kaas_ingress_puts_its_services(kind) {
        let house = House::new(kind).await;
        for (number, prefix) in ["", "/ccm", "/kpc", "/cm"].into_iter().enumerate() {
            let list = format!("{prefix}{LIST}");
            let body = json!({"username": format!("u{number}"), "password": "pw"});
            let reply = call(&house, "POST", &list, &[], Some(&body)).await.good(201);
            let id = reply.json()["id"].as_str().unwrap().to_owned();
            assert_eq!(reply.header("location"), format!("{LIST}/{id}"), "the place is the same whatever the way");
            assert_eq!(get(&house, &list).await.good(200).json().as_array().unwrap().len(), number + 1);
            assert_eq!(get(&house, &format!("{list}/{id}")).await.good(200).json()["id"], json!(id));
            put(&house, &format!("{list}/{id}/state"), &json!({"state": "Suspended"})).await.good(200);
            call(&house, "PATCH", &format!("{list}/{id}"), &[], Some(&json!({"state": "Active"}))).await.good(200);
            put(&house, &format!("{list}/{id}/password"), &json!({"password": "x"})).await.good(204);
            get(&house, &format!("{list}/{id}/nothing")).await.message(404);
        }
        for absent in ["/kes/api/v1/basic-credentials", "/ccm/ccm/api/v1/basic-credentials", "/ccm/api/v1/tenants", "/ccm"] {
            assert_eq!(get(&house, absent).await.status, 404, "{absent}");
        }
        house.end().await;
    }

    async fn a_change_may_be_bound_to_what_was_seen(kind) {
        let house = House::new(kind).await;
        let id = made(&house, "bob").await;
        let path = format!("{LIST}/{id}");
        let seen = get(&house, &path).await.header("etag").to_owned();
        let bound = async |tag: &str, ending: &str, body: Value| call(&house, "PUT", &format!("{path}{ending}"), &[("if-match", tag)], Some(&body)).await;
        let suspended = bound(&seen, "/state", json!({"state": "Suspended"})).await.good(200);
        assert_ne!(suspended.header("etag"), seen);
        for stale in [seen.as_str(), "\"x\"", "W/\"2\"", "\"7\", \"8\""] {
            let refused = bound(stale, "/state", json!({"state": "Revoked"})).await;
            assert!(refused.message(412).contains("version"), "{stale}");
            bound(stale, "/password", json!({"password": "x"})).await.message(412);
        }
        assert_eq!(get(&house, &path).await.json()["state"], "Suspended");
        for fits in ["*", &format!("\"7\", {}", suspended.header("etag"))] {
            bound(fits, "/state", json!({"state": "Suspended"})).await.good(200);
        }
        let patched = call(&house, "PATCH", &path, &[("if-match", suspended.header("etag"))], Some(&json!({"state": "Active"}))).await;
        assert_eq!(patched.good(200).json()["state"], "Active");
        bound("nonsense", "/state", json!({"state": "Revoked"})).await.message(400);
        // A use takes nothing away from what was seen.
        let seen = get(&house, &path).await.header("etag").to_owned();
        house.pass(Duration::from_secs(120)).await;
        house.check("bob", "pw").await;
        bound(&seen, "/state", json!({"state": "Revoked"})).await.good(200);
        house.end().await;
    }

    async fn a_repeated_creation_answers_as_the_first_time_whatever_the_way(kind) {
        let house = House::new(kind).await;
        let other = house.replica().await;
        let body = json!({"username": "bob", "password": "pw"});
        let key = [("idempotency-key", "k-1")];
        let first = call(&house, "POST", LIST, &key, Some(&body)).await.good(201);
        for (house, path) in [(&house, LIST), (&other, "/ccm/api/v1/basic-credentials")] {
            let again = call(house, "POST", path, &key, Some(&body)).await.good(201);
            assert_eq!((again.text.as_str(), again.header("location")), (first.text.as_str(), first.header("location")));
            assert_eq!((again.header("idempotency-replayed"), first.header("idempotency-replayed")), ("true", ""));
        }
        assert_eq!(house.number("SELECT count(*) FROM credential").await, 1);
        let another = json!({"username": "bob", "password": "other"});
        assert!(call(&house, "POST", LIST, &key, Some(&another)).await.message(409).contains("idempotency.key-reused"));
        assert!(call(&house, "POST", LIST, &[("idempotency-key", "k-2")], Some(&body)).await.message(409).contains("username"));
        call(&house, "POST", LIST, &[("idempotency-key", "a b")], Some(&another)).await.message(400);
        other.end().await;
        house.end().await;
    }

    async fn of_many_at_once_one_moves_it_and_the_others_are_told(kind) {
        let house = House::new(kind).await;
        let other = house.replica().await;
        let mut events = house.events().await;
        let id = made(&house, "bob").await;
        let path = format!("{LIST}/{id}/state");
        let suspended = json!({"state": "Suspended"});
        let calls = (0..60_u32).map(|n| put(if n.is_multiple_of(2) { &house } else { &other }, &path, &suspended));
        let replies = futures_util::future::join_all(calls).await;
        assert!(replies.iter().all(|reply| reply.status == 200), "a lost race is read again, and finds it done");
        assert_eq!(house.actions(&id).await, ["credential.create", "credential.suspend"]);
        assert_eq!(events.next(1).await[0].credential, id);
        // Opposite wishes: each is obeyed, or told so.
        let calls = (0..60_u32).map(|n| {
            let body = json!({"state": if n.is_multiple_of(2) { "Active" } else { "Suspended" }});
            let (house, path) = (if n.is_multiple_of(3) { &house } else { &other }, &path);
            async move { put(house, path, &body).await }
        });
        for reply in futures_util::future::join_all(calls).await {
            if reply.status == 409 {
                assert!(reply.message(409).contains("storage.contention"));
            } else {
                reply.good(200);
            }
        }
        other.end().await;
        house.end().await;
    }
}
