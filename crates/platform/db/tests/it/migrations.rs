//! Migrations: before, during, after, and from several processes at once.

use std::process::{Command, Stdio};

use signet_db::{DatabaseConfig, Db, DbError, Migration, Migrations, Statement, params};

use crate::common::{Fresh, texts};

const FIRST: Migration = Migration {
    version: 1,
    name: "parts",
    sql: "CREATE TABLE part (id {text_c} PRIMARY KEY, weight {int8} NOT NULL) {strict}; INSERT INTO part (id, weight) VALUES ('first', 1)",
};
const SECOND: Migration = Migration { version: 2, name: "colours", sql: "ALTER TABLE part ADD COLUMN colour {text_c}" };
const THIRD: Migration = Migration {
    version: 4,
    name: "an index",
    sql: "CREATE INDEX part_by_colour ON part (colour, id); INSERT INTO part (id, weight, colour) VALUES ('last', 2, 'red')",
};
const BROKEN: Migration =
    Migration { version: 5, name: "broken", sql: "INSERT INTO part (id, weight) VALUES ('half', 3); INSERT INTO nowhere VALUES (1)" };

const HALF: Migrations = Migrations { owner: "parts", steps: &[FIRST, SECOND] };
const WHOLE: Migrations = Migrations { owner: "parts", steps: &[FIRST, SECOND, THIRD] };
const WRONG: Migrations = Migrations { owner: "parts", steps: &[FIRST, SECOND, THIRD, BROKEN] };
const OTHER: Migrations = Migrations {
    owner: "other",
    steps: &[Migration { version: 1, name: "other", sql: "CREATE TABLE other (id {int8} PRIMARY KEY, body {bytes}) {strict}" }],
};

/// Names the database that a process started by [`Migrator`] migrates.
const URL: &str = "SIGNET_TEST_MIGRATE";

async fn versions(db: &Db) -> Vec<String> {
    let sql = "SELECT owner || ' ' || CAST(version AS text) || ' ' || name FROM schema_version ORDER BY owner, version LIMIT 100";
    texts(&db.query(Statement::new(sql, params![])).await.unwrap())
}

async fn parts(db: &Db) -> Vec<String> {
    texts(&db.query(Statement::new("SELECT id FROM part ORDER BY id", params![])).await.unwrap())
}

const DONE: [&str; 4] = ["other 1 other", "parts 1 parts", "parts 2 colours", "parts 4 an index"];

on_every_database! {
    async fn a_fresh_a_half_migrated_and_a_finished_database_end_alike(fresh: Fresh) {
        fresh.db.migrate(&[HALF]).await.unwrap();
        assert_eq!(versions(&fresh.db).await, ["parts 1 parts", "parts 2 colours"]);
        // What runs meanwhile reads on.
        assert_eq!(parts(&fresh.db).await, ["first"]);
        fresh.db.migrate(&[WHOLE, OTHER]).await.unwrap();
        assert_eq!(versions(&fresh.db).await, DONE);
        fresh.db.migrate(&[WHOLE, OTHER]).await.unwrap();
        assert_eq!((versions(&fresh.db).await.len(), parts(&fresh.db).await), (4, vec!["first".to_owned(), "last".to_owned()]));
        let applied = fresh.db.query_optional(Statement::new("SELECT min(applied_at) FROM schema_version", params![])).await.unwrap();
        assert!(applied.unwrap().int(0).unwrap() > 1_700_000_000_000_000, "microseconds since the epoch");
    }
}

on_every_database! {
    async fn a_newer_schema_is_refused_with_both_versions(fresh: Fresh) {
        fresh.db.migrate(&[WHOLE]).await.unwrap();
        let error = fresh.db.migrate(&[HALF]).await.unwrap_err();
        assert_eq!(error, DbError::SchemaTooNew { owner: "parts".into(), found: 4, known: 2 });
        assert_eq!(error.reason().code, "storage.schema-too-new");
        assert_eq!(versions(&fresh.db).await.len(), 3);
    }
}

on_every_database! {
    async fn a_step_that_fails_leaves_nothing_and_can_be_repeated(fresh: Fresh) {
        assert!(matches!(fresh.db.migrate(&[WRONG]).await, Err(DbError::Internal(_))));
        assert_eq!(versions(&fresh.db).await, ["parts 1 parts", "parts 2 colours", "parts 4 an index"]);
        assert_eq!(parts(&fresh.db).await, ["first", "last"]);
        fresh.db.migrate(&[WHOLE]).await.unwrap();
    }
}

on_every_database! {
    async fn a_statement_prepared_before_a_migration_works_after_it(fresh: Fresh) {
        fresh.db.migrate(&[HALF]).await.unwrap();
        let all = || Statement::new("SELECT * FROM part ORDER BY id", params![]);
        assert_eq!(fresh.db.query(all()).await.unwrap()[0].width(), 3);
        const WIDER: Migrations = Migrations {
            owner: "parts",
            steps: &[FIRST, SECOND, Migration { version: 3, name: "sizes", sql: "ALTER TABLE part ADD COLUMN size {int8}" }],
        };
        fresh.db.migrate(&[WIDER]).await.unwrap();
        assert_eq!(fresh.db.query(all()).await.unwrap()[0].width(), 4);
    }
}

on_every_database! {
    async fn several_processes_at_once_run_each_step_once(fresh: Fresh) {
        let program = std::env::current_exe().unwrap();
        let start = || {
            let mut command = Command::new(&program);
            command.args(["--exact", "migrations::a_process_migrates_the_database_that_it_is_told", "--nocapture"]);
            command.env(URL, &fresh.url).stdout(Stdio::null()).stderr(Stdio::inherit());
            command.spawn().unwrap()
        };
        let mut processes: Vec<_> = (0..4).map(|_| start()).collect();
        for process in &mut processes {
            assert!(process.wait().unwrap().success());
        }
        assert_eq!(versions(&fresh.db).await, DONE);
        assert_eq!(parts(&fresh.db).await, ["first", "last"]);
    }
}

/// The other side of the test above; by itself, with a database of its own.
#[tokio::test]
async fn a_process_migrates_the_database_that_it_is_told() {
    let own = Fresh::sqlite().await;
    let url = std::env::var(URL).unwrap_or_else(|_| own.url.clone());
    let db = Db::open(&DatabaseConfig::new(url)).await.unwrap();
    db.migrate(&[WHOLE, OTHER]).await.unwrap();
    assert_eq!(versions(&db).await, DONE);
}
