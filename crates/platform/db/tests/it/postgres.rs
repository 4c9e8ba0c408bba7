//! What PostgreSQL must do by itself: deadlines when packets vanish, restarts, sessions, refusals in words.

use std::time::{Duration, Instant};

use signet_db::{DatabaseConfig, Db, DbError, PgSession, Postgres, Statement, params};
use signet_testkit::{FaultProxy, PostgresOptions, ProxyMode, TestPostgres, psql};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{ITEMS, texts};

/// Short, so that the tests are; far above what a slow machine needs for one answer.
const DEADLINE: Duration = Duration::from_secs(2);
/// A request's own deadline, the repetition's end, and a slow machine.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

fn config(url: &str) -> DatabaseConfig {
    DatabaseConfig { deadline: DEADLINE, ..DatabaseConfig::new(url) }
}

async fn one(postgres: &Postgres) -> Result<i64, DbError> {
    postgres.query(Statement::new("SELECT CAST(1 AS bigint)", params![])).await?[0].int(0)
}

/// Until the database answers again, without anybody helping it.
async fn recovered(postgres: &Postgres) {
    let started = Instant::now();
    while let Err(error) = one(postgres).await {
        assert!(started.elapsed() < Duration::from_secs(60), "still: {error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn secretless(error: &DbError) {
    assert!(!error.to_string().contains("scram-of") && !format!("{error:?}").contains("scram-of"), "{error}");
}

async fn application_names(url: &str) -> Vec<String> {
    let sql = "SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY 1";
    psql(url, sql).unwrap().lines().map(str::to_owned).collect()
}

/// The server needs a moment to see a connection end.
async fn until_the_server_lists(url: &str, expected: &[&str]) {
    let started = Instant::now();
    while application_names(url).await != expected {
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", application_names(url).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_needs_no_server_and_an_absent_one_is_told_quickly() {
    let port = signet_testkit::free_port().unwrap();
    let postgres = Postgres::open(&config(&format!("postgres://signet:scram-of-x@127.0.0.1:{port}/d"))).unwrap();
    let started = Instant::now();
    for _ in 0..50 {
        let error = one(&postgres).await.unwrap_err();
        assert!(matches!(error, DbError::Unavailable(_)), "{error:?}");
        assert!(error.to_string().starts_with(&format!("PostgreSQL at 127.0.0.1:{port}, database d, user signet: ")), "{error}");
        secretless(&error);
    }
    assert!(started.elapsed() < ENDS_WITHIN);
    assert!(postgres.dedicated("test").await.is_err());
}

/// Field case H09: packets vanish while connections are idle, and in the middle of requests.
#[tokio::test(flavor = "multi_thread")]
async fn when_packets_vanish_every_request_ends_by_its_deadline_and_all_recovers() {
    let url = TestPostgres::shared().fresh_database().await;
    let proxy = FaultProxy::to(TestPostgres::shared().address());
    let postgres = Postgres::open(&config(&proxy.url_through(&url))).unwrap();
    one(&postgres).await.unwrap();
    let session = postgres.dedicated("test").await.unwrap();
    for round in 0..2 {
        proxy.set(ProxyMode::Blackhole);
        let started = Instant::now();
        let reads: Vec<_> = (0..50)
            .map(|_| {
                let postgres = postgres.clone();
                tokio::spawn(async move { one(&postgres).await })
            })
            .collect();
        let ping = postgres.ping().await;
        assert!(matches!(ping, Err(DbError::Unavailable(_))), "{ping:?}");
        for read in reads {
            let error = read.await.unwrap().unwrap_err();
            assert!(matches!(error, DbError::Unavailable(_)), "{error:?}");
        }
        if round == 0 {
            let silent = session.ping().await.unwrap_err();
            assert!(silent.to_string().contains("no answer within 2s"), "{silent}");
            assert!(session.is_closed(), "a session that hangs is given up, visibly");
        }
        assert!(started.elapsed() < ENDS_WITHIN, "{:?}", started.elapsed());
        proxy.set(ProxyMode::Forward);
        recovered(&postgres).await;
    }
    drop(session);
    postgres.dedicated("test again").await.unwrap().ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_connection_is_left_behind_on_the_server() {
    let url = TestPostgres::shared().fresh_database().await;
    let postgres = Postgres::open(&DatabaseConfig { max_connections: 6, ..config(&url) }).unwrap();
    one(&postgres).await.unwrap();
    for _ in 0..10 {
        let session = postgres.dedicated("passing").await.unwrap();
        session.ping().await.unwrap();
    }
    until_the_server_lists(&url, &["signet"]).await;
    let held: Vec<PgSession> = futures_util::future::try_join_all((0..5).map(|_| postgres.dedicated("held"))).await.unwrap();
    let error = postgres.dedicated("one too many").await.err().unwrap();
    assert!(error.to_string().contains("all dedicated connections are in use"), "{error}");
    one(&postgres).await.unwrap();
    drop(held);
    postgres.dedicated("after").await.unwrap();
    postgres.close();
    until_the_server_lists(&url, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_survive_a_restart_of_the_server_unaided() {
    let cluster = TestPostgres::private();
    let url = cluster.fresh_database().await;
    let postgres = Postgres::open(&config(&url)).unwrap();
    let session = postgres.dedicated("test").await.unwrap();
    one(&postgres).await.unwrap();
    // Gone and back between two requests: the next one does not even notice.
    cluster.stop().unwrap();
    cluster.resume().unwrap();
    assert_eq!(one(&postgres).await, Ok(1));
    assert!(session.ping().await.is_err() && session.is_closed());
    cluster.kill().unwrap();
    let error = one(&postgres).await.unwrap_err();
    assert!(matches!(error, DbError::Unavailable(_)), "{error:?}");
    secretless(&error);
    cluster.resume().unwrap();
    recovered(&postgres).await;
    postgres.dedicated("test").await.unwrap().ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_statement_is_told_as_slow_and_costs_no_connection() {
    let url = TestPostgres::shared().fresh_database().await;
    let postgres = Postgres::open(&config(&url)).unwrap();
    let pid = || async { postgres.query(Statement::new("SELECT CAST(pg_backend_pid() AS bigint)", params![])).await.unwrap()[0].int(0) };
    let before = pid().await;
    let slow = postgres.query(Statement::new("SELECT pg_sleep(30)", params![])).await;
    assert_eq!(slow, Err(DbError::Timeout));
    assert_eq!(pid().await, before);
    let session = postgres.dedicated("test").await.unwrap();
    assert_eq!(session.query(&Statement::new("SELECT pg_sleep(30)", params![])).await, Err(DbError::Timeout));
    session.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_another_holds_is_busy_and_a_dead_transaction_is_ended_by_the_server() {
    let url = TestPostgres::shared().fresh_database().await;
    let db = Db::open(&config(&url)).await.unwrap();
    db.migrate(&[ITEMS]).await.unwrap();
    let Db::Postgres(postgres) = &db else { panic!("not PostgreSQL") };
    let (holder, other) = (postgres.dedicated("holder").await.unwrap(), postgres.dedicated("other").await.unwrap());
    holder.batch("INSERT INTO item (key, number) VALUES ('a', 1)").await.unwrap();
    holder.batch("BEGIN; UPDATE item SET number = 2").await.unwrap();
    let update = Statement::new("UPDATE item SET number = 3", params![]);
    assert_eq!(other.execute(&update).await, Err(DbError::Busy));
    // The holder does nothing more; the server ends its transaction within the deadline.
    let started = Instant::now();
    while other.execute(&update).await != Ok(1) {
        assert!(started.elapsed() < Duration::from_secs(30));
    }
    assert!(matches!(holder.ping().await, Err(DbError::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advisory_lock_goes_with_its_session() {
    let url = TestPostgres::shared().fresh_database().await;
    let postgres = Postgres::open(&config(&url)).unwrap();
    let lock = Statement::new("SELECT pg_try_advisory_lock($1)", params![42]);
    let (first, second) = (postgres.dedicated("one").await.unwrap(), postgres.dedicated("two").await.unwrap());
    assert_ne!(first.backend(), second.backend());
    assert_eq!(first.query(&lock).await.unwrap()[0].int(0), Ok(1));
    assert_eq!(second.query(&lock).await.unwrap()[0].int(0), Ok(0));
    first.cut();
    let started = Instant::now();
    while second.query(&lock).await.unwrap()[0].int(0) != Ok(1) {
        assert!(started.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_is_told_in_words_without_the_password() {
    let url = TestPostgres::shared().fresh_database().await;
    let (server, _) = url.rsplit_once('/').unwrap();
    let password = url.split([':', '@']).nth(2).unwrap();
    let rows = [
        (url.replace(password, "scram-of-wrong"), "refuses the login"),
        (format!("{server}/nowhere"), "there is no such database"),
        (url.replace("signet:", "nobody:"), "refuses the login"),
        (format!("{url}?sslmode=require"), "TLS"),
    ];
    for (url, words) in rows {
        let postgres = Postgres::open(&config(&url)).unwrap();
        for error in [one(&postgres).await.unwrap_err(), postgres.dedicated("test").await.err().unwrap()] {
            assert!(error.to_string().contains(words) && error.to_string().contains("PostgreSQL at 127.0.0.1:"), "{error}");
            assert_eq!(error.reason().code, "storage.unavailable");
            secretless(&error);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_work_is_refused_with_the_way_out() {
    let cluster = TestPostgres::shared();
    let url = cluster.fresh_database().await;
    let (server, name) = url.rsplit_once('/').unwrap();
    psql(cluster.admin_url(), &format!("CREATE DATABASE {name}_latin ENCODING 'SQL_ASCII' TEMPLATE template0")).unwrap();
    let latin = Postgres::open(&config(&format!("{server}/{name}_latin"))).unwrap();
    let error = one(&latin).await.unwrap_err();
    assert!(error.reason().code == "storage.unsupported" && error.to_string().contains("ENCODING 'UTF8'"), "{error}");
    psql(cluster.admin_url(), &format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).unwrap();
    let read_only = Postgres::open(&config(&url)).unwrap();
    let error = read_only.dedicated("test").await.err().unwrap();
    assert!(error.reason().code == "storage.unavailable" && error.to_string().contains("read-only"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_is_as_good_as_an_address() {
    let cluster = TestPostgres::start(PostgresOptions::default()).unwrap();
    let directory = cluster.data_directory().unwrap().parent().unwrap().to_owned();
    let port = cluster.address().rsplit_once(':').unwrap().1.to_owned();
    let url = format!("postgres:///postgres?host={}&port={port}&user=signet", directory.display());
    let postgres = Postgres::open(&config(&url)).unwrap();
    assert_eq!(one(&postgres).await, Ok(1));
    assert_eq!(postgres.place(), format!("PostgreSQL at {}/.s.PGSQL.{port}, database postgres, user signet", directory.display()));
    postgres.dedicated("test").await.unwrap().ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_statements_than_are_kept_prepared_still_work() {
    let url = TestPostgres::shared().fresh_database().await;
    let postgres = Postgres::open(&config(&url)).unwrap();
    // A text with one, two, three … parameters is another statement each time.
    let mut text = String::from("SELECT CAST(0 AS bigint)");
    for number in 1..=300_i64 {
        text.push_str(&format!(" + CAST(${number} AS bigint)"));
        let leaked: &'static str = text.clone().leak();
        let params = (1..=number).map(Into::into).collect();
        let row = postgres.query(Statement::new(leaked, params)).await.unwrap();
        assert_eq!(row[0].int(0).unwrap(), number * (number + 1) / 2);
    }
    let kept = postgres.query(Statement::new("SELECT count(*) FROM pg_prepared_statements", params![])).await.unwrap();
    assert!(kept[0].int(0).unwrap() <= 256, "{kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_caller_costs_nobody_else_an_answer() {
    let url = TestPostgres::shared().fresh_database().await;
    let db = Db::open(&config(&url)).await.unwrap();
    db.migrate(&[ITEMS]).await.unwrap();
    for _ in 0..20 {
        let read = db.query(Statement::new("SELECT key, CAST(pg_sleep(0.02) AS text) FROM item UNION ALL SELECT 'x', ''", params![]));
        let impatient = tokio::time::timeout(Duration::from_millis(1), read).await;
        let answer = db.query(Statement::new("SELECT 'mine'", params![])).await.unwrap();
        assert_eq!(texts(&answer), ["mine"]);
        drop(impatient);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_refused_until_it_is_promoted() {
    let cluster = TestPostgres::private();
    let url = cluster.fresh_database().await;
    cluster.stop().unwrap();
    std::fs::write(cluster.data_directory().unwrap().join("standby.signal"), "").unwrap();
    cluster.resume().unwrap();
    let postgres = Postgres::open(&config(&url)).unwrap();
    for error in [one(&postgres).await.unwrap_err(), postgres.dedicated("test").await.err().unwrap()] {
        assert!(error.reason().code == "storage.unavailable" && error.to_string().contains("read-only standby"), "{error}");
    }
    assert_eq!(psql(&url, "SELECT pg_promote()").unwrap().trim(), "t");
    recovered(&postgres).await;
    postgres.dedicated("test").await.unwrap();
}

/// PgBouncer's answer to a session with settings. Its mode is told apart later, so this comes first in every mode.
#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_drops_the_session_s_settings_is_refused_with_the_way_out() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut startup = vec![0; 4096];
            let read = client.read(&mut startup).await.unwrap();
            assert!(startup[..read].windows(8).any(|bytes| bytes == b"options\0"));
            let fields = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0";
            let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
            client.write_all(&[&b"E"[..], &length, fields].concat()).await.unwrap();
        }
    });
    let postgres = Postgres::open(&config(&format!("postgres://signet@{address}/d?sslmode=disable"))).unwrap();
    for error in [one(&postgres).await.unwrap_err(), postgres.dedicated("test").await.err().unwrap()] {
        assert_eq!(error.reason().code, "storage.unsupported", "{error}");
        assert!(error.to_string().contains("name the server itself in database.url"), "{error}");
    }
}
