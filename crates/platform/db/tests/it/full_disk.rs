//! SQLite on a disk that is really full: a small tmpfs in a mount namespace of this test's own.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use signet_db::{DatabaseConfig, Db, DbError, Statement, params, sqlite};

use crate::common::{ITEMS, texts};

/// Names the small disk, inside the namespace.
const SMALL_DISK: &str = "SIGNET_TEST_SMALL_DISK";
const ITSELF: &str = "full_disk::a_full_disk_refuses_writes_serves_reads_and_is_left_unaided";

/// Runs itself again where the disk is; works without root where user namespaces do.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_serves_reads_and_is_left_unaided() {
    if let Ok(disk) = std::env::var(SMALL_DISK) {
        return on_the_small_disk(PathBuf::from(disk)).await;
    }
    let disk = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    if !signet_testkit::debian::is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--mount", "--", "sh", "-c", "mount -t tmpfs -o size=2m signet-test \"$0\" && exec \"$@\""]);
    command.arg(disk.path()).arg(std::env::current_exe().unwrap()).args(["--exact", ITSELF, "--nocapture"]);
    let status = command.env(SMALL_DISK, disk.path()).stdout(Stdio::null()).stderr(Stdio::inherit()).status().unwrap();
    assert!(status.success());
}

async fn on_the_small_disk(disk: PathBuf) {
    let config = DatabaseConfig::new(format!("sqlite:{}", disk.join("signet.db").display()));
    let db = Db::open(&config).await.unwrap();
    db.migrate(&[ITEMS]).await.unwrap();
    let Db::Sqlite(sqlite) = &db else { panic!("not SQLite") };
    let writer = sqlite.writer();
    let insert = |key: String| {
        let statement = Statement::new("INSERT INTO item (key, number, body) VALUES ($1, 1, $2)", params![key, vec![7_u8; 20_000]]);
        writer.transaction(move |connection| sqlite::execute(connection, &statement))
    };
    let keys = async |db: &Db| texts(&db.query(Statement::new("SELECT key FROM item ORDER BY key", params![])).await.unwrap());
    insert("first".to_owned()).await.unwrap();
    // A file takes nearly all that is left, the database the rest.
    let ballast = disk.join("ballast");
    std::fs::write(&ballast, vec![0_u8; 1_000_000]).unwrap();
    let mut committed = vec!["first".to_owned()];
    let refused = loop {
        let key = format!("item {:03}", committed.len());
        match insert(key.clone()).await {
            Ok(_) => committed.push(key),
            Err(error) => break error,
        }
        assert!(committed.len() < 200, "the disk never filled up");
    };
    assert!(matches!(refused, DbError::Full(_)), "{refused:?}");
    // Every read goes on, again and again, and so do connections that are new.
    for _ in 0..20 {
        assert_eq!(keys(&db).await, committed);
        let again = insert("again".to_owned()).await;
        assert!(matches!(again, Err(DbError::Full(_))), "{again:?}");
    }
    // A start on the full disk changes nothing, and says what is wrong if it fails.
    match Db::open(&config).await {
        Ok(second) => {
            assert_eq!(keys(&second).await, committed);
            second.close().await;
        }
        Err(error) => assert!(matches!(error, DbError::Full(_)), "{error:?}"),
    }
    // Space comes back: nobody restarts anything.
    std::fs::remove_file(&ballast).unwrap();
    insert("last".to_owned()).await.unwrap();
    committed.push("last".to_owned());
    assert_eq!(keys(&db).await, committed);
    let sound = writer.run(|connection| connection.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)));
    assert_eq!(sound.await.unwrap().unwrap(), "ok");
    db.close().await;
    let again = Db::open(&config).await.unwrap();
    assert_eq!(keys(&again).await, committed);
}
