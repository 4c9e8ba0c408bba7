//! Lists: newest first, page by page, filtered exactly.

use std::time::Duration;

use serde_json::{Value, json};

use crate::house::House;
use crate::on_both;

const CREDENTIALS: &str = "/api/v1/tenants/acme/credentials";

/// Every item of a list, page by page.
async fn walked(house: &House, path: &str, limit: usize) -> Vec<Value> {
    let mut items = Vec::new();
    let mut after = String::new();
    let joint = if path.contains('?') { '&' } else { '?' };
    loop {
        let page = house.get(&format!("{path}{joint}limit={limit}{after}")).await.good();
        let found = page["items"].as_array().unwrap();
        assert!(found.len() <= limit);
        items.extend(found.iter().cloned());
        match page["next"].as_str() {
            Some(next) => {
                assert_eq!(found.len(), limit, "only the last page is short");
                after = format!("&after={next}");
            }
            None => return items,
        }
    }
}

fn usernames(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["username"].as_str().unwrap()).collect()
}

on_both! {
    async fn pages_hold_each_credential_once_newest_first(kind) {
        let house = House::new(kind).await;
        let mut made = Vec::new();
        for n in 0..23 {
            // Several in one instant, so that the id decides between them.
            if n % 4 == 0 {
                house.clock.advance(Duration::from_millis(1));
            }
            made.push(house.credential(&format!("u{n}"), "pw").await);
        }
        for limit in [1, 5, 23, 24, 50] {
            let items = walked(&house, CREDENTIALS, limit).await;
            assert_eq!(items.len(), made.len(), "limit {limit}");
            let keys: Vec<_> = items.iter().map(|item| (item["created_at"].as_str().unwrap(), item["id"].as_str().unwrap())).collect();
            assert!(keys.is_sorted_by(|a, b| a > b), "{keys:?}");
        }
        let first = house.get(&format!("{CREDENTIALS}?limit=3")).await.good();
        // What comes new does not shift the next page.
        house.clock.advance(Duration::from_secs(1));
        house.credential("later", "pw").await;
        let next = house.get(&format!("{CREDENTIALS}?limit=3&after={}", first["next"].as_str().unwrap())).await.good();
        let (last, following) = (first["items"][2]["id"].as_str().unwrap(), next["items"][0]["id"].as_str().unwrap());
        let ids: Vec<_> = walked(&house, CREDENTIALS, 50).await.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
        let place = |id: &str| ids.iter().position(|known| known == id).unwrap();
        assert_eq!(place(following), place(last) + 1);
        for bad in ["after=x", "limit=0", "limit=1001", "limit=-1", "order=name"] {
            assert_eq!(house.get(&format!("{CREDENTIALS}?{bad}")).await.status, 400, "{bad}");
        }
        house.end().await;
    }

    async fn a_filter_finds_exactly_the_named_row(kind) {
        let house = House::new(kind).await;
        for name in ["a_b", "axb", "100%", "100x", "a\\b", "a%b", "A_B", "user@with@at"] {
            house.credential(name, "pw").await;
        }
        for (query, name) in [("a_b", "a_b"), ("100%25", "100%"), ("a%5Cb", "a\\b"), ("a%25b", "a%b"), ("A_B", "A_B"), ("user%40with%40at", "user@with@at")] {
            let found = house.get(&format!("{CREDENTIALS}?username={query}")).await.good();
            assert_eq!(usernames(found["items"].as_array().unwrap()), [name], "{query}");
        }
        for query in ["username=a", "username=%25", "username=a*b", "username=a%20b%20", "username=x%07", "identity=nobody", "identity=a%20b", "username=a_b&kind=x509"] {
            let found = house.get(&format!("{CREDENTIALS}?{query}")).await.good();
            assert_eq!((&found["items"], &found["next"]), (&json!([]), &Value::Null), "{query}");
        }
        house.end().await;
    }

    async fn filters_combine(kind) {
        let house = House::new(kind).await;
        let identity = house.post("/api/v1/tenants/acme/identities", &json!({"name": "dev-2", "kind": "device"})).await.good();
        for n in 0..6 {
            house.clock.advance(Duration::from_millis(1));
            let id = house.credential_of(if n % 2 == 0 { "dev-1" } else { "dev-2" }, &format!("u{n}"), "pw").await;
            if n < 3 {
                house.act(&id, "suspend").await.good();
            }
        }
        let by_id = identity["id"].as_str().unwrap();
        for (query, expected) in [
            ("", vec!["u5", "u4", "u3", "u2", "u1", "u0"]),
            ("kind=basic", vec!["u5", "u4", "u3", "u2", "u1", "u0"]),
            ("kind=x509", vec![]),
            ("state=Suspended", vec!["u2", "u1", "u0"]),
            ("state=Suspended&kind=basic", vec!["u2", "u1", "u0"]),
            ("state=Suspended&kind=public_key", vec![]),
            ("identity=dev-2", vec!["u5", "u3", "u1"]),
            ("identity=dev-2&state=Suspended", vec!["u1"]),
            (&format!("identity={by_id}&kind=basic&state=Inactive"), vec!["u5", "u3"]),
            ("username=u1", vec!["u1"]),
            ("username=u1&identity=dev-2&state=Suspended&kind=basic", vec!["u1"]),
            ("username=u1&identity=dev-1", vec![]),
            ("username=u1&state=Active", vec![]),
        ] {
            for limit in [1, 2, 50] {
                let path = if query.is_empty() { CREDENTIALS.to_owned() } else { format!("{CREDENTIALS}?{query}") };
                assert_eq!(usernames(&walked(&house, &path, limit).await), expected, "{query}, limit {limit}");
            }
        }
        for bad in ["state=active", "state=", "kind=Basic", "colour=red", "state=Active&state=Active"] {
            assert_eq!(house.get(&format!("{CREDENTIALS}?{bad}")).await.status, 400, "{bad}");
        }
        house.end().await;
    }

    async fn tenants_identities_and_tokens_have_pages_too(kind) {
        let house = House::new(kind).await;
        for n in 0..5 {
            house.clock.advance(Duration::from_millis(1));
            house.post("/api/v1/tenants", &json!({"id": format!("t{n}")})).await.good();
            house.post("/api/v1/tenants/acme/identities", &json!({"name": format!("i{n}"), "kind": "service"})).await.good();
            house.api_token(&"acme".parse().unwrap(), "auditor").await;
        }
        let names = |items: &[Value], member: &str| items.iter().map(|i| i[member].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        let tenants = walked(&house, "/api/v1/tenants", 2).await;
        assert_eq!(tenants.len(), 7);
        assert_eq!(names(&tenants, "id")[..5], ["t4", "t3", "t2", "t1", "t0"]);
        let identities = walked(&house, "/api/v1/tenants/acme/identities", 2).await;
        assert_eq!(names(&identities, "name"), ["i4", "i3", "i2", "i1", "i0", "dev-1"]);
        assert_eq!(identities[0]["labels"], json!({}));
        let tokens = walked(&house, "/api/v1/tenants/acme/api-tokens", 2).await;
        assert_eq!(tokens.len(), 5);
        assert!(tokens.iter().all(|token| token.get("token").is_none() && token.get("hash").is_none()));
        house.end().await;
    }

    async fn every_combination_of_filters_is_answered(kind) {
        let house = House::new(kind).await;
        house.credential("bob", "pw").await;
        for bits in 0_u32..16 {
            let all = [("kind", "basic"), ("state", "Inactive"), ("username", "bob"), ("identity", "dev-1")];
            let picked = all.iter().enumerate().filter(|(n, _)| bits & (1 << n) != 0).map(|(_, (name, value))| format!("{name}={value}"));
            let query = picked.collect::<Vec<_>>().join("&");
            let found = house.get(&format!("{CREDENTIALS}?{query}")).await.good();
            assert_eq!(found["items"].as_array().unwrap().len(), 1, "{query}");
            assert_eq!(found["next"], Value::Null);
        }
        house.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_do_not_depend_on_the_language_of_the_cluster() {
    let house = House::on_icu().await;
    // One instant, so that only the names decide; languages sort these otherwise than bytes do.
    let names = ["a", "B", "b", "A", "a-b", "ab", "aB", "a_c", "Z", "z9", "Z10"];
    for name in names {
        house.post("/api/v1/tenants", &json!({"id": name})).await.good();
    }
    let mut expected: Vec<&str> = names.into_iter().chain(["acme", "default"]).collect();
    expected.sort_unstable_by(|a, b| b.cmp(a));
    for limit in [1, 3, 50] {
        let listed = walked(&house, "/api/v1/tenants", limit).await;
        assert_eq!(listed.iter().map(|tenant| tenant["id"].as_str().unwrap()).collect::<Vec<_>>(), expected, "limit {limit}");
    }
    for name in ["straße", "strasse", "STRASSE", "ı", "i"] {
        house.credential(name, "pw").await;
    }
    assert_eq!(walked(&house, CREDENTIALS, 2).await.len(), 5);
    house.end().await;
}
