//! The list: its order, its filters, its parts, and that it is whole or breaks off audibly.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use signet_testkit::{FaultProxy, ProxyMode, TestPostgres};

use super::{LIST, Reply, call, get, made, put};
use crate::house::{House, Kind};
use crate::on_both;

fn names(reply: &Reply) -> Vec<String> {
    reply.json().as_array().unwrap().iter().map(|item| item["username"].as_str().unwrap().to_owned()).collect()
}

/// So many rows of `acme` by hand: `n-0` is the oldest, three share an instant, every second one is Suspended.
async fn fill(house: &House, rows: u32) {
    let last = rows - 1;
    let sql = format!(
        "INSERT INTO credential (tenant, id, kind, state, username, password_hash, created_at, updated_at, version) \
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {last}) \
         SELECT 'acme', 'm' || substr('0000000000000000000' || i, 1 + length('' || i)), 'basic', \
         CASE WHEN i % 2 = 0 THEN 'Active' ELSE 'Suspended' END, 'n-' || i, '', i / 3, i / 3, 1 FROM n"
    );
    house.by_hand(sql).await;
}

fn newest_first(rows: u32) -> Vec<String> {
    (0..rows).rev().map(|n| format!("n-{n}")).collect()
}

on_both! {
    async fn rows_are_whole_and_the_newest_comes_first(kind) {
        let house = House::new(kind).await;
        assert_eq!((get(&house, LIST).await.good(200).text.as_str(), get(&house, LIST).await.header("x-total-count")), ("[]\n", "0"));
        let mut all = Vec::new();
        for n in 0..5 {
            house.clock.advance(Duration::from_millis(1));
            all.insert(0, get(&house, &format!("{LIST}/{}", made(&house, &format!("u{n}")).await)).await.json());
        }
        let listed = get(&house, LIST).await.good(200);
        assert_eq!((listed.json(), listed.header("x-total-count")), (json!(all), "5"));
        let head = call(&house, "HEAD", LIST, &[], None).await;
        assert_eq!((head.status, head.header("x-total-count"), head.text.as_str()), (200, "5", ""));
        house.end().await;
    }

    async fn a_filter_finds_exactly_the_named_row(kind) {
        let house = House::new(kind).await;
        for name in ["a_b", "axb", "100%", "100x", "a\\b", "a%b", "A_B", "user@with@at", "a b", "a+b"] {
            made(&house, name).await;
        }
        for (query, name) in [
            ("a_b", "a_b"), ("100%25", "100%"), ("a%5Cb", "a\\b"), ("a%25b", "a%b"), ("A_B", "A_B"), ("user%40with%40at", "user@with@at"), ("a+b", "a b"), ("a%2Bb", "a+b"),
        ] {
            let found = get(&house, &format!("{LIST}?username={query}")).await.good(200);
            assert_eq!((names(&found), found.header("x-total-count")), (vec![name.to_owned()], "1"), "{query}");
        }
        for query in ["username=a", "username=%25", "username=_", "username=a*b", "username=%20a", "username=x%07", "username=", "username=a_b&state=Active", "username=a_b&offset=1"] {
            let found = get(&house, &format!("{LIST}?{query}")).await.good(200);
            let total = if query.contains("offset") { "1" } else { "0" };
            assert_eq!((found.text.as_str(), found.header("x-total-count")), ("[]\n", total), "{query}");
        }
        house.end().await;
    }

    async fn every_part_of_a_long_list_is_what_it_would_be_of_a_vector(kind) {
        let house = House::new(kind).await;
        let rows = 2_500;
        fill(&house, rows).await;
        let all = newest_first(rows);
        for offset in [0, 1, 7, 999, 1_000, 1_001, 2_000, 2_499, 2_500, 2_501, u32::MAX] {
            for limit in [None, Some(1), Some(999), Some(1_000), Some(1_001), Some(2_000), Some(2_500), Some(u32::MAX)] {
                let query = limit.map_or_else(|| format!("offset={offset}"), |limit| format!("offset={offset}&limit={limit}"));
                let part = get(&house, &format!("{LIST}?{query}")).await.good(200);
                let wanted: Vec<&String> = all.iter().skip(offset as usize).take(limit.map_or(usize::MAX, |limit| limit as usize)).collect();
                assert_eq!(names(&part).iter().collect::<Vec<_>>(), wanted, "{query}");
                assert_eq!(part.header("x-total-count"), "2500", "{query}");
            }
        }
        let whole = get(&house, LIST).await.good(200);
        assert_eq!((names(&whole), whole.header("x-total-count")), (all, "2500"));
        assert!(whole.text.starts_with("[{") && whole.text.ends_with("}]\n"));
        house.end().await;
    }

    async fn a_state_picks_its_own_and_counts_them(kind) {
        let house = House::new(kind).await;
        fill(&house, 2_300).await;
        for (state, odd) in [("Active", 0), ("Suspended", 1)] {
            let wanted: Vec<String> = (0..2_300_u32).rev().filter(|n| n % 2 == odd).map(|n| format!("n-{n}")).collect();
            let found = get(&house, &format!("{LIST}?state={state}")).await.good(200);
            assert_eq!((names(&found), found.header("x-total-count")), (wanted.clone(), "1150"), "{state}");
            let part = get(&house, &format!("{LIST}?state={state}&offset=1100&limit=20")).await.good(200);
            assert_eq!((&names(&part)[..], part.header("x-total-count")), (&wanted[1_100..1_120], "1150"));
        }
        for state in ["Inactive", "Revoked"] {
            let none = get(&house, &format!("{LIST}?state={state}&offset=3")).await.good(200);
            assert_eq!((none.text.as_str(), none.header("x-total-count")), ("[]\n", "0"));
        }
        house.end().await;
    }

    async fn other_kinds_and_other_tenants_are_not_there(kind) {
        let house = House::new(kind).await;
        house.by_hand("INSERT INTO credential (tenant, id, kind, state, issuer_dn, serial_decimal, created_at, updated_at, version) \
            VALUES ('acme', 'x0000000000000000000', 'x509', 'Active', 'CN=a', '1', 1, 1, 1), \
            ('acme', 'p0000000000000000000', 'public_key', 'Active', NULL, NULL, 2, 2, 1); \
            INSERT INTO credential (tenant, id, kind, state, username, password_hash, created_at, updated_at, version) \
            VALUES ('default', 'd0000000000000000000', 'basic', 'Active', 'theirs', '', 3, 3, 1)".to_owned()).await;
        made(&house, "bob").await;
        let listed = get(&house, LIST).await.good(200);
        assert_eq!((names(&listed), listed.header("x-total-count")), (vec!["bob".to_owned()], "1"));
        assert_eq!(get(&house, &format!("{LIST}?state=Active")).await.text, "[]\n");
        for id in ["p0000000000000000000", "d0000000000000000000"] {
            get(&house, &format!("{LIST}/{id}")).await.message(404);
            put(&house, &format!("{LIST}/{id}/state"), &json!({"state": "Revoked"})).await.message(404);
            put(&house, &format!("{LIST}/{id}/password"), &json!({"password": "x"})).await.message(404);
        }
        assert_eq!(house.number("SELECT count(*) FROM credential WHERE state = 'Active'").await, 3);
        house.end().await;
    }

    async fn what_is_made_while_a_list_is_read_is_neither_counted_nor_listed(kind) {
        let house = House::new(kind).await;
        fill(&house, 2_500).await;
        let mut body = streamed(&house).await;
        let mut text = body.frame().await.unwrap().unwrap().into_data().unwrap().to_vec();
        made(&house, "later").await;
        while let Some(frame) = body.frame().await {
            text.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
        let listed: Vec<Value> = serde_json::from_slice(&text).unwrap();
        assert_eq!(listed.len(), 2_500);
        assert!(listed.iter().all(|row| row["username"] != "later"));
        house.end().await;
    }
}

/// Takes the first page, breaks the database, and takes the rest.
async fn breaks_off(house: &House, break_it: impl AsyncFnOnce()) {
    fill(house, 2_500).await;
    let mut body = streamed(house).await;
    let mut text = body.frame().await.unwrap().unwrap().into_data().unwrap().to_vec();
    break_it().await;
    let error = loop {
        match body.frame().await.expect("no good end") {
            Ok(frame) => text.extend_from_slice(&frame.into_data().unwrap()),
            Err(error) => break error.to_string(),
        }
    };
    assert!(serde_json::from_slice::<Value>(&text).is_err(), "what came is no whole array");
    assert!(error.contains("storage.unavailable"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_breaks_off_audibly_when_sqlite_goes_away() {
    let house = House::new(Kind::SqliteInProcess).await;
    breaks_off(&house, async || house.db.close().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_breaks_off_audibly_when_postgresql_goes_away() {
    let proxy = FaultProxy::to(TestPostgres::shared().address());
    let house = House::behind(&proxy).await;
    breaks_off(&house, async || proxy.set(ProxyMode::Cut)).await;
    proxy.set(ProxyMode::Forward);
    house.end().await;
}

/// The body of the whole list, to be taken piece by piece.
async fn streamed(house: &House) -> Body {
    let request = Request::builder().uri(LIST).header("host", "localhost").header("signet-tenant", "acme");
    let request = request.header("authorization", format!("Bearer {}", house.token)).body(Body::empty()).unwrap();
    let response = house.raw(request).await;
    assert_eq!((response.status().as_u16(), response.headers()["x-total-count"].to_str().unwrap()), (200, "2500"));
    response.into_body()
}
