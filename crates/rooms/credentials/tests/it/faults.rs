//! What is broken underneath: the database gone, the database full.

use std::time::Duration;

use serde_json::json;
use signet_db::Db;
use signet_testkit::{FaultProxy, ProxyMode, TestPostgres};

use crate::house::{CapAnswer, House, Kind, eventually};
use crate::token_house::named;

fn with_status(status: i32) -> CapAnswer {
    CapAnswer { correlation: "c-1".to_owned(), status, credential: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_the_bus_is_answered_500_and_rest_503_until_it_is_back() {
    let proxy = FaultProxy::to(TestPostgres::shared().address());
    let house = House::behind(&proxy).await;
    let bob = house.credential("bob", "pw").await;
    assert_eq!(house.ask("bob", "pw").await.status, 200);
    for mode in [ProxyMode::Cut, ProxyMode::Blackhole] {
        proxy.set(mode);
        assert_eq!(house.ask("bob", "pw").await, with_status(500));
        let refused = house.get(&format!("/api/v1/tenants/acme/credentials/{bob}")).await;
        assert_eq!(refused.status, 503, "{}", refused.body);
        assert!(["storage.unavailable", "standing.stale"].contains(&refused.text("reason")), "{}", refused.body);
        let told = refused.body.to_string();
        assert!(!told.contains("127.0.0.1") && !told.contains("postgres"), "the database's address is told: {told}");
        proxy.set(ProxyMode::Forward);
        eventually("logins go on", || async { house.ask("bob", "pw").await.status == 200 }).await;
        eventually("REST goes on", || async { house.get("/api/v1/tenants/acme").await.status == 200 }).await;
    }
    house.act(&bob, "suspend").await.good();
    assert_eq!(house.ask("bob", "pw").await.status, 403);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_tokens_are_answered_500_and_an_unregistered_endpoint_is_not_forgotten() {
    let proxy = FaultProxy::to(TestPostgres::shared().address());
    let house = House::behind(&proxy).await;
    let mut events = house.token_events().await;
    let id = house.endpoint_token("demo", "ep-1", "tok1").await;
    assert_eq!(house.validates("demo", "tok1").await, 200);
    proxy.set(ProxyMode::Cut);
    assert_eq!(house.validates("demo", "tok1").await, 500);
    assert_eq!(house.transit("demo", "tok1", "Suspended").await, 500);
    house.unregister("ep-1").await;
    // The event was taken while nothing could be done about it.
    assert_eq!(house.validates("demo", "tok1").await, 500);
    proxy.set(ProxyMode::Forward);
    assert_eq!(events.next_named().await, named("demo", "ep-1", &[&id]));
    assert_eq!(house.validates("demo", "tok1").await, 404);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_full_database_active_credentials_log_in_and_first_uses_wait() {
    let house = House::new(Kind::SqliteInProcess).await;
    let active = house.credential("active", "pw").await;
    assert_eq!(house.ask("active", "pw").await.status, 200);
    let mut fresh = Vec::new();
    for n in 0..60 {
        fresh.push((format!("u{n}"), house.credential(&format!("u{n}"), "pw").await));
    }
    let Db::Sqlite(sqlite) = &house.db else { panic!("SQLite") };
    let limit = |pages: &'static str| {
        let writer = sqlite.writer();
        async move { writer.run(move |connection| connection.query_row(pages, [], |row| row.get::<_, i64>(0))).await.unwrap().unwrap() }
    };
    // As many pages as there are: what fits into half-empty ones still does, then nothing.
    limit("PRAGMA max_page_count = 1").await;
    let mut full = None;
    for (name, id) in &fresh {
        match house.ask(name, "pw").await.status {
            200 => assert_eq!(house.state(id).await, "Active"),
            500 => {
                full = Some((name, id));
                break;
            }
            other => panic!("{other}"),
        }
    }
    let (name, id) = full.expect("sixty records do not fit into the gaps");
    assert_eq!(house.state(id).await, "Inactive", "half an activation");
    assert_eq!(house.actions(id).await, ["credential.create"]);
    let body = json!({"username": name, "password": "pw"});
    let refused = house.post("/api/v1/tenants/acme/credentials/check", &body).await;
    assert_eq!(refused.reason(503), "storage.full");
    assert_eq!(house.act(id, "suspend").await.reason(503), "storage.full");
    // Reads and logins of what is active go on; the last use is dropped.
    house.pass(Duration::from_secs(120)).await;
    let before = house.show(&active).await;
    let answer = house.ask("active", "pw").await;
    assert_eq!((answer.status, answer.credential.as_deref()), (200, Some(active.as_str())));
    assert_eq!(house.show(&active).await["version"], before["version"]);
    assert_eq!(house.check("active", "no").await["reason"], "credential.wrong-password");
    // Space comes back, and it goes on unaided.
    limit("PRAGMA max_page_count = 1000000").await;
    eventually("first uses go on", || async { house.ask(name, "pw").await.status == 200 }).await;
    assert_eq!(house.state(id).await, "Active");
    house.act(id, "suspend").await.good();
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_passwords_over_rest_is_refused_and_not_queued_for_ever() {
    let house = House::with(Kind::SqliteInProcess, crate::house::Settings { cost: 9, ..Default::default() }).await;
    let bodies: Vec<_> = (0..400).map(|number| json!({"username": format!("nobody-{number}"), "password": "no"})).collect();
    let calls = bodies.iter().map(|body| house.post("/api/v1/tenants/acme/credentials/check", body));
    let answers = futures_util::future::join_all(calls).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(!refused.is_empty());
    assert!(refused.iter().all(|answer| answer.reason(503) == "password.queue-full"));
    assert!(answers.iter().filter(|a| a.status != 503).all(|a| a.body["reason"] == "credential.unknown"));
    house.end().await;
}
