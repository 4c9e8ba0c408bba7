//! What SQLite must do by itself: the file and its rights, faults of the disk, the one writer.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signet_db::{DatabaseConfig, Db, DbError, Sqlite, SqliteWriter, Statement, params, sqlite};
use tempfile::TempDir;

use crate::common::{Fresh, ITEMS, texts};

fn file() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("signet.db");
    (directory, path)
}

async fn open(path: &Path) -> Result<Sqlite, DbError> {
    Sqlite::open(path, Duration::from_secs(5)).await
}

async fn refused(path: &Path) -> DbError {
    let error = open(path).await.err().unwrap();
    let text = error.to_string();
    assert!(text.starts_with(&path.display().to_string()), "{text}");
    // SQLite's own words would help nobody.
    for raw in ["file is not a database", "disk I/O error", "malformed", "locking protocol", "unable to open database file"] {
        assert!(!text.contains(raw), "{text}");
    }
    error
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn of(fresh: &Fresh) -> &Sqlite {
    match &fresh.db {
        Db::Sqlite(sqlite) => sqlite,
        Db::Postgres(_) => panic!("not SQLite"),
    }
}

async fn insert(writer: &SqliteWriter, key: &str) -> Result<u64, DbError> {
    let statement = Statement::new("INSERT INTO item (key, number) VALUES ($1, 1)", params![key]);
    writer.transaction(move |connection| sqlite::execute(connection, &statement)).await
}

async fn keys(sqlite: &Sqlite) -> Vec<String> {
    texts(&sqlite.query(Statement::new("SELECT key FROM item ORDER BY key", params![])).await.unwrap())
}

#[tokio::test]
async fn the_file_and_its_companions_are_for_their_owner_alone() {
    let (_directory, path) = file();
    let sqlite = open(&path).await.unwrap();
    Db::Sqlite(sqlite.clone()).migrate(&[ITEMS]).await.unwrap();
    for end in ["", "-wal", "-shm"] {
        assert_eq!(mode(&PathBuf::from(format!("{}{end}", path.display()))), 0o600, "{end}");
    }
    sqlite.close().await;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let _again = open(&path).await.unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[tokio::test]
async fn the_settings_are_those_of_a_store_that_must_not_lose_a_commit() {
    let fresh = Fresh::sqlite().await;
    let writer = of(&fresh).writer();
    let settings = writer.run(|connection| {
        ["journal_mode", "synchronous", "foreign_keys", "busy_timeout", "cache_size", "application_id"].map(|name| {
            connection.query_row(&format!("PRAGMA {name}"), [], |row| {
                row.get_ref(0).map(|value| format!("{:?}", value.data_type()) + " " + &text(value))
            })
        })
    });
    let settings = settings.await.unwrap().map(Result::unwrap);
    let expected = ["Text wal", "Integer 2", "Integer 1", "Integer 5000", "Integer -65536", "Integer 1397311310"];
    assert_eq!(settings, expected);
}

fn text(value: rusqlite::types::ValueRef<'_>) -> String {
    match value {
        rusqlite::types::ValueRef::Integer(number) => number.to_string(),
        other => other.as_str().unwrap().to_owned(),
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_of_ours_is_refused_in_words_and_left_alone() {
    for (content, size) in [("encrypted", 8192), ("short", 7), ("text", 200)] {
        let (_directory, path) = file();
        let bytes: Vec<u8> = content.bytes().cycle().take(size).collect();
        std::fs::write(&path, &bytes).unwrap();
        let error = refused(&path).await;
        assert_eq!(error.reason().code, "storage.corrupt", "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{content}");
    }
}

#[tokio::test]
async fn the_database_of_another_program_is_refused_and_left_alone() {
    let (_directory, path) = file();
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = refused(&path).await;
    assert!(error.to_string().contains("another program") && error.reason().code == "storage.corrupt", "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_path_that_cannot_hold_a_file_is_refused_in_words() {
    let (directory, path) = file();
    assert_eq!(refused(&directory.path().join("none/signet.db")).await.reason().code, "storage.unavailable");
    std::fs::create_dir(&path).unwrap();
    let error = open(&path).await.err().unwrap();
    assert!(error.to_string().ends_with("is not a file"), "{error}");
}

#[tokio::test]
async fn a_damaged_page_is_told_as_damage() {
    let fresh = Fresh::sqlite().await.with_items().await;
    for number in 0..200 {
        insert(&of(&fresh).writer(), &format!("{number:0>200}")).await.unwrap();
    }
    let path = of(&fresh).path().to_owned();
    fresh.db.close().await;
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096..].fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();
    let answer = match open(&path).await {
        Ok(sqlite) => sqlite.query(Statement::new("SELECT key FROM item", params![])).await.map(|rows| rows.len()),
        Err(error) => Err(error),
    };
    let error = answer.unwrap_err();
    assert_eq!(error.reason().code, "storage.corrupt", "{error}");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
}

#[tokio::test]
async fn failed_work_is_rolled_back_and_the_writer_goes_on() {
    let fresh = Fresh::sqlite().await.with_items().await;
    let writer = of(&fresh).writer();
    let failed: Result<(), DbError> = writer
        .transaction(|connection| {
            connection.execute_batch("INSERT INTO item (key, number) VALUES ('a', 1)")?;
            Err(DbError::Internal("no".into()))
        })
        .await;
    assert_eq!(failed, Err(DbError::Internal("no".into())));
    let left_open = writer.run(|connection| connection.execute_batch("BEGIN; INSERT INTO item (key, number) VALUES ('b', 1)")).await;
    left_open.unwrap().unwrap();
    let panicked = writer
        .run(|connection| {
            connection.execute_batch("BEGIN; INSERT INTO item (key, number) VALUES ('c', 1)").unwrap();
            panic!("a fault of the work");
        })
        .await;
    assert!(matches!(panicked, Err(DbError::Internal(_))), "{panicked:?}");
    insert(&writer, "d").await.unwrap();
    assert_eq!(keys(of(&fresh)).await, ["d"]);
}

#[tokio::test]
async fn work_whose_caller_has_gone_is_not_begun() {
    let fresh = Fresh::sqlite().await.with_items().await;
    let writer = of(&fresh).writer();
    let (release, held) = std::sync::mpsc::sync_channel::<()>(0);
    let holding = tokio::spawn({
        let writer = writer.clone();
        async move { writer.run(move |_| held.recv()).await }
    });
    let begun = Arc::new(AtomicBool::new(false));
    let waiting = tokio::spawn({
        let (writer, begun) = (writer.clone(), Arc::clone(&begun));
        async move { writer.run(move |_| begun.store(true, Ordering::SeqCst)).await }
    });
    tokio::task::yield_now().await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    release.send(()).unwrap();
    holding.await.unwrap().unwrap().unwrap();
    // Whatever was queued before this has had its turn.
    insert(&writer, "a").await.unwrap();
    assert!(!begun.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_read_that_takes_too_long_ends_at_its_deadline_and_the_reader_goes_on() {
    let (_directory, path) = file();
    let sqlite = Sqlite::open(&path, Duration::from_millis(300)).await.unwrap();
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    for _ in 0..6 {
        let answer = sqlite.query(Statement::new(endless, params![])).await;
        assert_eq!(answer, Err(DbError::Timeout));
    }
    let patient = || async { sqlite.query(Statement::new("SELECT 1", params![])).await };
    let mut answer = patient().await;
    // A slow machine may need more than the short deadline once.
    for _ in 0..50 {
        if answer.is_ok() {
            break;
        }
        answer = patient().await;
    }
    assert_eq!(answer.unwrap()[0].int(0), Ok(1));
}

#[tokio::test]
async fn another_process_that_writes_makes_the_database_busy_and_nothing_worse() {
    let (_directory, path) = file();
    let sqlite = Sqlite::open(&path, Duration::from_millis(200)).await.unwrap();
    Db::Sqlite(sqlite.clone()).migrate(&[ITEMS]).await.unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; INSERT INTO item (key, number) VALUES ('other', 1)").unwrap();
    assert_eq!(insert(&sqlite.writer(), "ours").await, Err(DbError::Busy));
    assert_eq!(keys(&sqlite).await, [""; 0]);
    other.execute_batch("COMMIT").unwrap();
    insert(&sqlite.writer(), "ours").await.unwrap();
    assert_eq!(keys(&sqlite).await, ["other", "ours"]);
}

#[tokio::test]
async fn a_full_database_refuses_writes_and_serves_reads_until_there_is_space() {
    let fresh = Fresh::sqlite().await.with_items().await;
    let writer = of(&fresh).writer();
    insert(&writer, "before").await.unwrap();
    let limit = |pages: &'static str| {
        let writer = writer.clone();
        async move { writer.run(move |connection| connection.execute_batch(&format!("PRAGMA max_page_count = {pages}"))).await }
    };
    limit("1").await.unwrap().unwrap();
    let big = || Statement::new("INSERT INTO item (key, number, body) VALUES ('big', 1, $1)", params![vec![7_u8; 100_000]]);
    let refused = writer.transaction(move |connection| sqlite::execute(connection, &big())).await;
    assert!(matches!(refused, Err(DbError::Full(_))), "{refused:?}");
    assert_eq!(refused.unwrap_err().reason().code, "storage.full");
    assert_eq!(keys(of(&fresh)).await, ["before"]);
    limit("1000000").await.unwrap().unwrap();
    assert_eq!(writer.transaction(move |connection| sqlite::execute(connection, &big())).await, Ok(1));
    assert_eq!(keys(of(&fresh)).await, ["before", "big"]);
}

#[tokio::test]
async fn a_closed_database_says_so_and_leaves_one_file() {
    let (directory, path) = file();
    let sqlite = open(&path).await.unwrap();
    Db::Sqlite(sqlite.clone()).migrate(&[ITEMS]).await.unwrap();
    insert(&sqlite.writer(), "a").await.unwrap();
    assert_eq!(keys(&sqlite).await, ["a"]);
    sqlite.close().await;
    assert!(matches!(insert(&sqlite.writer(), "b").await, Err(DbError::Unavailable(_))));
    assert!(matches!(sqlite.query(Statement::new("SELECT 1", params![])).await, Err(DbError::Unavailable(_))));
    let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["signet.db"]);
    assert_eq!(keys(&open(&path).await.unwrap()).await, ["a"]);
}

#[tokio::test]
async fn a_relative_path_is_opened_where_the_process_runs() {
    let (directory, _) = file();
    let name = format!("signet-relative-{}.db", std::process::id());
    let here = std::env::current_dir().unwrap().join(&name);
    let db = Db::open(&DatabaseConfig::new(format!("sqlite:{name}"))).await.unwrap();
    assert_eq!(db.place(), format!("SQLite at {name}"));
    db.ping().await.unwrap();
    db.close().await;
    std::fs::rename(here, directory.path().join("moved.db")).unwrap();
}
