//! The rows of `kaa.md` 15.2 for certificates.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use signet_credentials::transition::{Outcome, Request, transition};
use signet_model::CredentialState;

use super::{Reply, bytes, call, get, put};
use crate::certificate_house::{TestIssuer, Wanted, YEAR};
use crate::house::{House, Kind, Settings};
use crate::on_both;

const LIST: &str = "/api/v1/x509-credentials";

/// A house that issues.
async fn issuing(kind: Kind) -> House {
    issuing_with(kind, Settings::default()).await
}

async fn issuing_with(kind: Kind, settings: Settings) -> House {
    let house = House::with(kind, settings).await;
    plug_in(&house);
    house
}

pub(super) fn plug_in(house: &House) {
    house.room.know_certificate_issuer(Arc::new(TestIssuer { room: Arc::clone(&house.room), ledger: house.ledger.clone() }));
}

async fn post(house: &House, body: &Value) -> Reply {
    call(house, "POST", LIST, &[], Some(body)).await
}

/// Every cell of the table of 14.1 by both calls that set a state.
async fn every_cell(kind: Kind, strict_fsm: bool) {
    let house = House::with(kind, Settings { strict_fsm, ..Settings::default() }).await;
    let mut events = house.certificate_events().await;
    let (mut expected, mut serial) = (Vec::new(), 0);
    for (method, ending) in [("PUT", "/state"), ("PATCH", "")] {
        for from in CredentialState::ALL {
            for to in CredentialState::ALL {
                serial += 1;
                let id = house.certificate(&serial.to_string()).await;
                let path = format!("{LIST}/{id}");
                if *from != CredentialState::Inactive {
                    assert_eq!(house.connects(&serial.to_string()).await, 200);
                }
                if !from.usable() {
                    put(&house, &format!("{path}/state"), &json!({ "state": from.as_str() })).await.good(200);
                    expected.push(id.clone());
                }
                house.clock.advance(Duration::from_millis(1));
                let before = get(&house, &path).await.good(200);
                let moves = house.told_moves(&id).await.len();
                let reply = call(&house, method, &format!("{path}{ending}"), &[], Some(&json!({ "state": to.as_str() }))).await;
                let after = get(&house, &path).await.good(200);
                let told = house.told_moves(&id).await.len() - moves;
                match transition(*from, Request::SetState(*to), strict_fsm) {
                    Outcome::Transition { to } => {
                        let reply = reply.good(200);
                        assert_eq!((reply.json(), reply.header("etag")), (after.json(), after.header("etag")));
                        assert_eq!((after.json()["state"].as_str(), told), (Some(to.as_str()), 1), "{method} {from} to {to}");
                        if from.usable() && !to.usable() {
                            expected.push(id.clone());
                        }
                    }
                    Outcome::NoChange => {
                        assert_eq!(reply.good(200).json(), before.json(), "{method} {from} to {to}");
                        assert_eq!((after.json(), told), (before.json(), 0));
                    }
                    Outcome::Illegal => {
                        assert!(reply.message(409).contains(from.as_str()), "{method} {from} to {to}: {}", reply.text);
                        assert_eq!((after.json(), told), (before.json(), 0));
                    }
                }
            }
        }
    }
    let seen = events.next(expected.len()).await;
    let seen: Vec<&str> = seen.iter().map(|event| event.credential.as_str()).collect();
    assert_eq!(seen, expected, "one event for each that was usable and is not any more, in their order");
    let fence = house.certificate("0xffff").await;
    assert_eq!(house.connects("0xffff").await, 200);
    put(&house, &format!("{LIST}/{fence}/state"), &json!({ "state": "Revoked" })).await.good(200);
    assert_eq!(events.next(1).await[0].credential, fence, "and no other");
    house.end().await;
}

on_both! {
    async fn what_is_issued_is_inactive_and_shown_with_its_key_and_its_place(kind) {
        let house = issuing(kind).await;
        let reply = post(&house, &json!({"commonName": "dev-1", "ttl": "1h30m"})).await.good(201);
        let body = reply.json();
        let id = body["id"].as_str().unwrap();
        assert_eq!(reply.header("location"), format!("{LIST}/{id}"));
        let mut members: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, [
            "certificate", "certificateChain", "commonName", "createdDate", "id", "issuer", "notAfter", "notBefore", "privateKey",
            "privateKeyType", "serialNumber", "state", "updatedDate",
        ]);
        assert_eq!((&body["commonName"], &body["state"], &body["issuer"]), (&json!("dev-1"), &json!("Inactive"), &json!("CN=acme")));
        let serial = body["serialNumber"].as_str().unwrap();
        assert!(serial.len() > 40 && serial.bytes().all(|byte| byte.is_ascii_digit()), "{serial}");
        assert!(body["privateKey"].as_str().unwrap().contains("canary-key"));
        assert!(body["certificateChain"].as_str().unwrap().starts_with(body["certificate"].as_str().unwrap()));
        let shown = get(&house, &format!("{LIST}/{id}")).await.good(200);
        assert!(!shown.text.contains("canary") && !shown.text.contains("BEGIN"), "{}", shown.text);
        assert_eq!(shown.header("etag"), reply.header("etag"));
        for member in ["id", "state", "commonName", "issuer", "serialNumber", "notBefore", "notAfter", "createdDate", "updatedDate"] {
            assert_eq!(shown.json()[member], body[member], "{member}");
        }
        assert_eq!(shown.json().as_object().unwrap().len(), 9, "no lastUseDate before the first use");
        // Ninety minutes, from now.
        house.pass(Duration::from_secs(5_399)).await;
        assert_eq!(house.connects(serial).await, 200);
        assert!(get(&house, &format!("{LIST}/{id}")).await.json()["lastUseDate"].is_string());
        house.pass(Duration::from_secs(1)).await;
        assert_eq!(house.connects(serial).await, 403);
        house.end().await;
    }

    async fn an_order_may_say_nothing_at_all_and_a_request_shows_no_key(kind) {
        let house = issuing(kind).await;
        for body in [None, Some(json!({})), Some(json!({"commonName": null, "ttl": null}))] {
            let made = call(&house, "POST", LIST, &[], body.as_ref()).await.good(201).json();
            assert_eq!(made["commonName"], made["id"], "without a name the id is the name");
        }
        let made = post(&house, &json!({"csr": "-----BEGIN CERTIFICATE REQUEST-----", "ttl": 3600})).await.good(201).json();
        assert!(made.get("privateKey").is_none() && made.get("privateKeyType").is_none() && made["certificate"].is_string(), "{made}");
        for (body, told) in [
            (json!({"csr": "-----BEGIN", "commonName": "x"}), "commonName"),
            (json!({"csr": "damaged"}), "csr.bad-signature"),
            (json!({"commonName": ""}), "commonName"),
            (json!({"ttl": "1d"}), "duration"),
            (json!({"ttl": 0}), "duration"),
            (json!({"ttl": -5}), "duration"),
            (json!({"ttl": 1.5}), "duration"),
            (json!({"ttl": "-1h"}), "duration"),
            (json!({"name": "x"}), "name"),
            (json!({"commonName": 7}), "string"),
            (json!([]), ""),
        ] {
            let message = post(&house, &body).await.message(400);
            assert!(message.contains(told), "{body}: {message}");
        }
        assert_eq!(house.number("SELECT count(*) FROM credential").await, 4);
        house.end().await;
    }

    async fn a_repetition_shows_a_key_never_again_and_a_request_as_the_first_time(kind) {
        let house = issuing(kind).await;
        let other = house.replica().await;
        plug_in(&other);
        let key = [("idempotency-key", "k-1")];
        let body = json!({"commonName": "dev-1"});
        let first = call(&house, "POST", LIST, &key, Some(&body)).await.good(201).json();
        for house in [&house, &other] {
            let message = call(house, "POST", LIST, &key, Some(&body)).await.message(409);
            assert!(message.contains("idempotency.secret-not-replayable") && message.contains(first["id"].as_str().unwrap()), "{message}");
        }
        let key = [("idempotency-key", "k-2")];
        let body = json!({"csr": "-----BEGIN CERTIFICATE REQUEST-----"});
        let first = call(&house, "POST", LIST, &key, Some(&body)).await.good(201);
        for house in [&house, &other] {
            let again = call(house, "POST", LIST, &key, Some(&body)).await.good(201);
            assert_eq!((again.text.as_str(), again.header("location")), (first.text.as_str(), first.header("location")));
            assert_eq!(again.header("idempotency-replayed"), "true");
        }
        assert_eq!(house.number("SELECT count(*) FROM credential").await, 2);
        assert_eq!(house.number("SELECT count(*) FROM idempotency WHERE answer LIKE '%canary%'").await, 0);
        other.end().await;
        house.end().await;
    }

    async fn without_an_authority_none_is_issued_and_those_that_are_there_are_shown_and_moved(kind) {
        let house = House::new(kind).await;
        let id = house.certificate("1").await;
        let message = post(&house, &json!({})).await.message(501);
        assert!(message.contains("certificates.off"), "{message}");
        assert!(get(&house, &format!("{LIST}/ca")).await.message(404).contains("certificates.no-ca"));
        assert_eq!(get(&house, LIST).await.good(200).json().as_array().unwrap().len(), 1);
        put(&house, &format!("{LIST}/{id}/state"), &json!({"state": "Suspended"})).await.good(200);
        house.end().await;
    }

    async fn the_tenants_ca_is_shown_in_json_and_in_pem(kind) {
        let house = issuing(kind).await;
        let path = format!("{LIST}/ca");
        let ca = get(&house, &path).await.good(200).json();
        assert_eq!(ca, json!({"certificate": "-----BEGIN CERTIFICATE-----\nca of acme\n", "caChain": ["-----BEGIN CERTIFICATE-----\nplatform\n"]}));
        for accept in ["application/x-pem-file", "text/html, Application/X-PEM-File;q=0.9"] {
            let pem = call(&house, "GET", &path, &[("accept", accept)], None).await;
            assert_eq!((pem.status, pem.header("content-type")), (200, "application/x-pem-file"));
            assert_eq!(pem.text, "-----BEGIN CERTIFICATE-----\nca of acme\n");
        }
        for accept in ["*/*", "application/json"] {
            assert_eq!(call(&house, "GET", &path, &[("accept", accept)], None).await.good(200).json(), ca);
        }
        let none = bytes(&house, "GET", &path, &house.token, &[("signet-tenant", "default")], Vec::new()).await;
        assert!(none.message(404).contains("no CA yet"));
        house.end().await;
    }

    async fn every_cell_of_the_state_machine_by_both_calls(kind) {
        every_cell(kind, false).await;
    }

    async fn every_cell_with_the_strict_switch(kind) {
        every_cell(kind, true).await;
    }

    async fn a_list_is_whole_filtered_counted_and_cut(kind) {
        let house = House::new(kind).await;
        house.credential("bob", "pw").await;
        let mut ids = Vec::new();
        for number in 1..=5_u32 {
            let serial = number.to_string();
            let name = if number.is_multiple_of(2) { "even" } else { "100%" };
            ids.push(house.certificate_as(&Wanted { common_name: Some(name), ..Wanted::own(&serial) }).await);
            house.clock.advance(Duration::from_millis(1));
        }
        house.certificate_as(&Wanted { tenant: "default", issuer: "CN=default", ..Wanted::own("1") }).await;
        assert_eq!(house.connects("2").await, 200);
        let newest = |numbers: &[usize]| numbers.iter().map(|n| ids[n - 1].clone()).collect::<Vec<_>>();
        for (query, wanted, total) in [
            ("", newest(&[5, 4, 3, 2, 1]), 5), ("?limit=2", newest(&[5, 4]), 5), ("?offset=1&limit=2", newest(&[4, 3]), 5),
            ("?offset=4", newest(&[1]), 5), ("?offset=9", vec![], 5), ("?state=Active", newest(&[2]), 1), ("?state=Inactive&limit=1", newest(&[5]), 4),
            ("?state=Inactive&offset=3", newest(&[1]), 4), ("?commonName=even", newest(&[4, 2]), 2), ("?commonName=even&state=Inactive", newest(&[4]), 1),
            ("?commonName=100%25&offset=1&limit=1", newest(&[3]), 3), ("?commonName=100_", vec![], 0), ("?commonName=EVEN", vec![], 0),
        ] {
            let reply = get(&house, &format!("{LIST}{query}")).await.good(200);
            let seen: Vec<String> = reply.json().as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
            assert_eq!((seen, reply.header("x-total-count")), (wanted, total.to_string().as_str()), "{query}");
        }
        for query in ["?state=active", "?limit=0", "?offset=-1", "?username=x", "?commonName=a%00b", "?state=Active&state=Active"] {
            get(&house, &format!("{LIST}{query}")).await.message(400);
        }
        house.end().await;
    }

    async fn a_list_longer_than_a_page_of_it_is_streamed_whole(kind) {
        let house = House::new(kind).await;
        // Straight into the table: two pages and a half.
        let record = signet_model::AuditRecord::new(&house.scope("acme"), "test.fill", "acme");
        let until = house.now().plus(YEAR);
        let text = match &house.db {
            signet_db::Db::Sqlite(_) => {
                "INSERT INTO credential (tenant, id, kind, state, issuer_dn, serial_decimal, spki_sha256, not_before, not_after, created_at, updated_at, version) \
                 SELECT 'acme', printf('%020d', n), 'x509', 'Active', 'CN=acme', n, zeroblob(32), 0, $1, n, n, 1 FROM \
                 (WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < 2500) SELECT n FROM series) WHERE {ok}"
            }
            signet_db::Db::Postgres(_) => {
                "INSERT INTO credential (tenant, id, kind, state, issuer_dn, serial_decimal, spki_sha256, not_before, not_after, created_at, updated_at, version) \
                 SELECT 'acme', lpad(n::text, 20, '0'), 'x509', 'Active', 'CN=acme', n::text, sha256(''::bytea), 0, $1, n, n, 1 \
                 FROM generate_series(1, 2500) AS n WHERE {ok}"
            }
        };
        let fill = signet_db::Statement::new(text, signet_db::params![until]);
        house.ledger.commit(signet_ledger::Change::new(record).expecting(signet_ledger::Expect::write(fill, 2_500))).await.unwrap();
        let reply = get(&house, LIST).await.good(200);
        let numbers: Vec<String> = reply.json().as_array().unwrap().iter().map(|row| row["serialNumber"].as_str().unwrap().to_owned()).collect();
        assert_eq!(reply.header("x-total-count"), "2500");
        assert_eq!(numbers, (1..=2_500).rev().map(|n: u32| n.to_string()).collect::<Vec<_>>());
        house.end().await;
    }

    async fn the_other_kinds_are_not_there_and_a_change_may_be_bound_to_what_was_seen(kind) {
        let house = House::new(kind).await;
        let (basic, certificate) = (house.credential("bob", "pw").await, house.certificate("1").await);
        for path in [format!("{LIST}/{basic}"), format!("/api/v1/basic-credentials/{certificate}"), format!("{LIST}/{}", "7".repeat(20))] {
            assert_eq!(get(&house, &path).await.message(404), "credential.not-found: tenant `acme` has no such credential");
            put(&house, &format!("{path}/state"), &json!({"state": "Suspended"})).await.message(404);
            call(&house, "PATCH", &path, &[], Some(&json!({"state": "Suspended"}))).await.message(404);
        }
        let path = format!("{LIST}/{certificate}");
        let seen = get(&house, &path).await.header("etag").to_owned();
        put(&house, &format!("{path}/state"), &json!({"state": "Suspended"})).await.good(200);
        let bound = call(&house, "PUT", &format!("{path}/state"), &[("if-match", seen.as_str())], Some(&json!({"state": "Revoked"}))).await;
        assert!(bound.message(412).contains("version"));
        for body in [json!({"state": "suspended"}), json!({"state": "Deleted"}), json!({}), json!({"state": "Active", "x": 1})] {
            put(&house, &format!("{path}/state"), &body).await.message(400);
        }
        call(&house, "DELETE", &path, &[], None).await.message(405);
        get(&house, &format!("{path}/password")).await.message(404);
        house.end().await;
    }

    async fn every_call_is_served_where_kaas_ingress_puts_its_services(kind) {
        let house = issuing(kind).await;
        for (number, prefix) in ["", "/ccm", "/kpc", "/cm"].into_iter().enumerate() {
            let list = format!("{prefix}{LIST}");
            let reply = call(&house, "POST", &list, &[], Some(&json!({"commonName": format!("d{number}")}))).await.good(201);
            let id = reply.json()["id"].as_str().unwrap().to_owned();
            assert_eq!(reply.header("location"), format!("{LIST}/{id}"), "the place is the same whatever the way");
            assert_eq!(get(&house, &list).await.good(200).json().as_array().unwrap().len(), number + 1);
            get(&house, &format!("{list}/ca")).await.good(200);
            assert_eq!(get(&house, &format!("{list}/{id}")).await.good(200).json()["id"], json!(id));
            put(&house, &format!("{list}/{id}/state"), &json!({"state": "Suspended"})).await.good(200);
            call(&house, "PATCH", &format!("{list}/{id}"), &[], Some(&json!({"state": "Active"}))).await.good(200);
        }
        house.end().await;
    }
}
