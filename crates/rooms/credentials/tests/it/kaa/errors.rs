//! The error columns of `kaa.md` 15.2, the status rules below them, and H11, H12 and H24 on these paths: each with its form.

use serde_json::{Value, json};
use signet_testkit::{FaultProxy, ProxyMode, TestPostgres};

use super::{LIST, Reply, bytes, call, get, made};
use crate::house::{House, eventually};
use crate::on_both;

async fn raw(house: &House, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let headers = [&[("signet-tenant", "acme")], headers].concat();
    bytes(house, method, path, &house.token, &headers, body.to_vec()).await
}

on_both! {
    async fn bodies_of_another_form_are_400_and_change_nothing(kind) {
        let house = House::new(kind).await;
        let id = made(&house, "bob").await;
        let head = house.ledger.head();
        let (state, one, password_path) = (format!("{LIST}/{id}/state"), format!("{LIST}/{id}"), format!("{LIST}/{id}/password"));
        let named = |username: &str| json!({"username": username, "password": "pw"});
        let with = |password: Value| json!({"username": "x", "password": password});
        let mut bad: Vec<(&str, &str, Value)> = vec![
            ("POST", LIST, json!({})),
            ("POST", LIST, json!({"username": "x"})),
            ("POST", LIST, json!({"password": "x"})),
            ("POST", LIST, json!({"username": "x", "password": "y", "state": "Active"})),
            ("POST", LIST, json!({"username": "x", "password": "y", "identity": "dev-1"})),
            ("POST", LIST, json!({"username": 7, "password": "y"})),
            ("POST", LIST, json!({"username": null, "password": "y"})),
            ("POST", LIST, json!([{"username": "x", "password": "y"}])),
            ("POST", LIST, json!("x")),
        ];
        for username in ["", " bob", "bob ", "\tbob", "a\nb", "a\u{7f}b", "a\u{85}b", "a\0b", &"u".repeat(256), "\u{a0}bob"] {
            bad.push(("POST", LIST, named(username)));
        }
        for password in [json!(""), json!("x".repeat(73)), json!("ä".repeat(37)), json!("a\0b"), json!(7), Value::Null] {
            bad.push(("POST", LIST, with(password.clone())));
            bad.push(("PUT", &password_path, json!({"password": password})));
        }
        for (method, path) in [("PUT", state.as_str()), ("PATCH", one.as_str())] {
            for state in ["active", "ACTIVE", "", "Deleted", "Active ", "Active\0"] {
                bad.push((method, path, json!({"state": state})));
            }
            for body in [json!({}), json!({"state": null}), json!({"state": 1}), json!({"state": "Active", "reason": "x"}), json!({"username": "y"})] {
                bad.push((method, path, body));
            }
        }
        for body in [json!({}), json!({"password": "x", "old": "y"})] {
            bad.push(("PUT", &password_path, body));
        }
        for (method, path, body) in bad {
            let reply = call(&house, method, path, &[], Some(&body)).await;
            assert!(!reply.message(400).is_empty(), "{method} {path} {body}");
        }
        for body in [&b""[..], b"{", b"nonsense", b"{\"username\":\"a\",\"username\":\"b\",\"password\":\"c\"}", b"{\"username\":\"\xff\",\"password\":\"c\"}", b"{\"username\":\"a\",\"password\":\"c\"} x"] {
            raw(&house, "POST", LIST, &[], body).await.message(400);
        }
        assert_eq!(house.ledger.head(), head);
        house.end().await;
    }

    async fn names_and_passwords_at_their_limits_are_taken_as_they_are(kind) {
        let house = House::new(kind).await;
        for (username, password) in [("u", "p"), (&"ä".repeat(255), &"x".repeat(72)), ("Bob", "ä€"), ("bob", " "), ("user@with@at", "a b")] {
            let reply = call(&house, "POST", LIST, &[], Some(&json!({"username": username, "password": password}))).await.good(201);
            assert_eq!(reply.json()["username"], json!(username));
            assert_eq!(house.ask(username, password).await.status, 200, "{username}");
        }
        let taken = call(&house, "POST", LIST, &[], Some(&json!({"username": "bob", "password": "other"}))).await;
        assert!(taken.message(409).contains("username"), "names differ by case only where they differ");
        house.end().await;
    }

    async fn a_revoked_credential_keeps_its_username(kind) {
        let house = House::new(kind).await;
        let id = made(&house, "bob").await;
        call(&house, "PUT", &format!("{LIST}/{id}/state"), &[], Some(&json!({"state": "Revoked"}))).await.good(200);
        call(&house, "POST", LIST, &[], Some(&json!({"username": "bob", "password": "pw"}))).await.message(409);
        house.end().await;
    }

    async fn what_is_not_there_is_404_in_the_same_words(kind) {
        let house = House::new(kind).await;
        house.post("/api/v1/tenants", &json!({"id": "other"})).await.good();
        let foreign = house.post("/api/v1/tenants/other/credentials", &json!({"kind": "basic", "username": "x", "password": "y"})).await.good();
        let foreign = foreign["id"].as_str().unwrap();
        let head = house.ledger.head();
        let calls = [("GET", "", None), ("PATCH", "", Some(json!({"state": "Revoked"}))), ("PUT", "/state", Some(json!({"state": "Revoked"}))), ("PUT", "/password", Some(json!({"password": "x"})))];
        for (method, ending, body) in &calls {
            let mut words = Vec::new();
            for id in [foreign, &"0".repeat(20), "0", "BR7SI8MG10L7AN82QUE0", "%2e%2e", "x509"] {
                words.push(call(&house, method, &format!("{LIST}/{id}{ending}"), &[], body.as_ref()).await.message(404));
            }
            assert!(words.iter().all(|word| *word == words[0]), "{words:?}");
        }
        assert_eq!(house.ledger.head(), head);
        house.end().await;
    }

    async fn unknown_paths_are_404_and_other_methods_405_with_what_is_allowed(kind) {
        let house = House::new(kind).await;
        let id = made(&house, "bob").await;
        for path in [format!("{LIST}/"), format!("{LIST}/{id}/"), format!("{LIST}/{id}/x"), format!("{LIST}/{id}/state/x"), format!("/api/v1/x509-credentials/{id}/password"), "/api/v1/x509-credentials/".to_owned()] {
            get(&house, &path).await.message(404);
        }
        for (path, allowed) in [
            (LIST.to_owned(), "GET,HEAD,POST"),
            (format!("{LIST}/{id}"), "GET,HEAD,PATCH"),
            (format!("{LIST}/{id}/state"), "PUT"),
            (format!("/ccm{LIST}/{id}/password"), "PUT"),
            ("/api/v1/x509-credentials".to_owned(), "GET,HEAD,POST"),
            ("/ccm/api/v1/x509-credentials/ca".to_owned(), "GET,HEAD"),
            (format!("/api/v1/x509-credentials/{id}"), "GET,HEAD,PATCH"),
            (format!("/api/v1/x509-credentials/{id}/state"), "PUT"),
        ] {
            for method in ["DELETE", "GET", "POST", "PUT", "PATCH", "BREW"].iter().filter(|method| !allowed.split(',').any(|known| known == **method)) {
                let reply = call(&house, method, &path, &[], Some(&json!({}))).await;
                reply.message(405);
                let mut told: Vec<&str> = reply.header("allow").split(',').map(str::trim).collect();
                told.sort_unstable();
                assert_eq!(told.join(","), allowed, "{method} {path}");
            }
        }
        house.end().await;
    }

    async fn media_types_are_read_liberally_and_others_are_415(kind) {
        let house = House::new(kind).await;
        let id = made(&house, "bob").await;
        let state = format!("{LIST}/{id}/state");
        let body = br#"{"state":"Suspended"}"#;
        for good in ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/json;charset=\"utf-8\""] {
            raw(&house, "PUT", &state, &[("content-type", good)], body).await.good(200);
        }
        raw(&house, "PUT", &state, &[], body).await.good(200);
        raw(&house, "PUT", &state, &[], b"\xef\xbb\xbf{\"state\":\"Suspended\"}").await.good(200);
        for bad in ["text/plain", "application/x-www-form-urlencoded", "application/xml", "application/jsonp", "multipart/form-data; boundary=x"] {
            for (method, path) in [("POST", LIST), ("PUT", &state), ("PATCH", &format!("{LIST}/{id}")), ("PUT", &format!("{LIST}/{id}/password"))] {
                raw(&house, method, path, &[("content-type", bad)], body).await.message(415);
            }
        }
        house.end().await;
    }

    async fn a_body_may_have_64_kib_and_no_more(kind) {
        let house = House::new(kind).await;
        let padded = |size: usize| {
            let body = r#"{"username":"bob","password":"pw"}"#;
            format!("{body}{}", " ".repeat(size - body.len())).into_bytes()
        };
        raw(&house, "POST", LIST, &[], &padded(64 * 1024 + 1)).await.message(413);
        raw(&house, "POST", LIST, &[], &padded(64 * 1024)).await.good(201);
        house.end().await;
    }

    async fn a_nul_anywhere_is_400(kind) {
        let house = House::new(kind).await;
        let id = made(&house, "bob").await;
        let head = house.ledger.head();
        for path in [format!("{LIST}?username=a%00b"), format!("{LIST}?state=%00"), format!("{LIST}?a%00=b"), format!("{LIST}/a%00b")] {
            assert!(get(&house, &path).await.message(400).contains("input.nul"), "{path}");
        }
        for (method, path, body) in [
            ("POST", LIST.to_owned(), json!({"username": "a\0", "password": "pw"})),
            ("POST", LIST.to_owned(), json!({"username": "a", "password": "\0"})),
            ("POST", LIST.to_owned(), json!({"username": "a", "password": "b", "\0": 1})),
            ("PUT", format!("{LIST}/{id}/state"), json!({"state": "\0"})),
            ("PUT", format!("{LIST}/{id}/password"), json!({"password": "a\0"})),
        ] {
            let message = call(&house, method, &path, &[], Some(&body)).await.message(400);
            assert!(message.starts_with("input.nul") || message.starts_with("password.nul"), "{method} {body}: {message}");
        }
        assert_eq!(house.ledger.head(), head);
        house.end().await;
    }

    async fn odd_queries_are_400(kind) {
        let house = House::new(kind).await;
        made(&house, "bob").await;
        for query in [
            "state=active", "state=", "state=Active&state=Active", "username=a&username=b", "offset=-1", "offset=x", "offset=", "offset=1.5",
            "limit=-1", "limit=x", "limit=0", "limit=", "limit=4294967296", "colour=red", "username=%zz", "username=%ff", "after=x",
        ] {
            get(&house, &format!("{LIST}?{query}")).await.message(400);
        }
        house.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_gone_is_503_and_says_nothing_of_itself() {
    let proxy = FaultProxy::to(TestPostgres::shared().address());
    let house = House::behind(&proxy).await;
    let id = made(&house, "bob").await;
    proxy.set(ProxyMode::Cut);
    for path in [LIST.to_owned(), format!("{LIST}/{id}")] {
        let reply = get(&house, &path).await;
        let message = reply.message(503);
        assert!(message.starts_with("storage.unavailable") || message.starts_with("standing.stale"), "{message}");
        assert!(!message.contains("SELECT") && !message.contains("127.0.0.1"), "{message}");
        assert_eq!(reply.header("retry-after"), "1");
    }
    proxy.set(ProxyMode::Forward);
    eventually("reads go on", || async { get(&house, LIST).await.status == 200 }).await;
    house.end().await;
}
