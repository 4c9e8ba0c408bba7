//! The log on disk, and the verifier over it: whole, tampered with, beside a running server.

use std::path::{Path, PathBuf};

use signet_crypto::sign::Ed25519Public;
use signet_ledger::verify::{Damage, LogSource, Verdict, VerifyOptions, verify};

use crate::house::{House, Kind, Site, creation, eventually};
use crate::on_both;

/// Verifies as `signet audit verify --data-dir` does.
pub(crate) async fn verified(dir: &Path, db: Option<signet_db::Db>, checkpoint: Option<PathBuf>) -> Verdict {
    let key = Ed25519Public::from_pem(&std::fs::read_to_string(dir.join("keys/log.pub")).unwrap()).unwrap();
    let log = db.map_or_else(|| LogSource::SqliteFile(dir.join("signet.db")), LogSource::Database);
    verify(VerifyOptions { log, key, checkpoints_log: Some(dir.join("checkpoints.log")), checkpoint }).await
}

pub(crate) async fn log_of(kind: Kind, records: usize) -> Site {
    let house = House::new(kind).await;
    let ids: Vec<String> = (0..records).map(|n| format!("t{n}")).collect();
    futures_util::future::join_all(ids.iter().map(|id| house.commit(creation(id)))).await;
    house.end().await
}

fn copied(site: &Site) -> tempfile::TempDir {
    let copy = signet_testkit::scratch_dir("copy").unwrap();
    std::fs::create_dir(copy.path().join("keys")).unwrap();
    for name in ["signet.db", "signet.db-wal", "keys/log.pub", "checkpoints.log"] {
        let from = site.data_dir().join(name);
        if from.exists() {
            std::fs::copy(from, copy.path().join(name)).unwrap();
        }
    }
    copy
}

/// Runs SQL on the file and closes it, which also takes its `-wal` away.
fn tamper(dir: &Path, sql: &str) {
    rusqlite::Connection::open(dir.join("signet.db")).unwrap().execute_batch(sql).unwrap();
}

on_both! {
    async fn a_log_verifies_after_its_server_ended(kind) {
        let site = log_of(kind, 700).await;
        let db = match kind { Kind::SqliteInProcess => None, Kind::PostgresNats => Some(site.db().await) };
        let verdict = verified(site.data_dir(), db, None).await;
        assert_eq!((verdict.ok, verdict.records, verdict.size), (true, 700, 700), "{verdict:?}");
    }

    async fn a_log_verifies_beside_its_running_server(kind) {
        let house = House::new(kind).await;
        for n in 0..40 {
            house.commit(creation(&format!("t{n}"))).await.unwrap();
        }
        eventually("a checkpoint", || async { house.ledger.stats().checkpointed() >= 40 }).await;
        house.commit(creation("later")).await.unwrap();
        let db = match kind { Kind::SqliteInProcess => None, Kind::PostgresNats => Some(house.site.db().await) };
        let verdict = verified(house.site.data_dir(), db, None).await;
        assert!(verdict.ok && verdict.records == 41 && verdict.size >= 40, "{verdict:?}");
        house.commit(creation("still works")).await.unwrap();
        house.end().await;
    }

    async fn a_log_goes_on_over_restarts_and_lost_tiles(kind) {
        let mut site = log_of(kind, 300).await;
        for round in 0..3 {
            let house = site.start().await;
            if round == 1 {
                eventually("sequenced", || async { house.ledger.stats().leader() }).await;
            }
            house.commit(creation(&format!("r{round}"))).await.unwrap();
            site = house.end().await;
        }
        // A tile was damaged: the sequencer folds anew, and stores it again.
        let db = site.db().await;
        db.query(crate::house::statement("SELECT 1", [])).await.unwrap();
        damage_tiles(&db).await;
        let house = site.start().await;
        house.commit(creation("after")).await.unwrap();
        let site = house.end().await;
        let db = match kind { Kind::SqliteInProcess => None, Kind::PostgresNats => Some(site.db().await) };
        let verdict = verified(site.data_dir(), db, None).await;
        assert_eq!((verdict.ok, verdict.size), (true, 304), "{verdict:?}");
    }
}

async fn damage_tiles(db: &signet_db::Db) {
    match db {
        signet_db::Db::Sqlite(sqlite) => {
            sqlite.writer().run(|connection| connection.execute_batch("UPDATE audit_tile SET hashes = x'00'")).await.unwrap().unwrap();
        }
        signet_db::Db::Postgres(postgres) => {
            let session = postgres.dedicated("test").await.unwrap();
            session.client().batch_execute("UPDATE audit_tile SET hashes = '\\x00'").await.unwrap();
        }
    }
}

#[tokio::test]
async fn each_kind_of_tampering_is_named() {
    let site = log_of(Kind::SqliteInProcess, 20).await;
    let swap = "CREATE TEMP TABLE x AS SELECT record FROM audit WHERE position = 9;
                UPDATE audit SET record = (SELECT record FROM audit WHERE position = 14) WHERE position = 9;
                UPDATE audit SET record = (SELECT record FROM x) WHERE position = 14;";
    let cases: &[(&str, &str, Damage, Option<u64>)] = &[
        (
            "a byte made zero",
            "UPDATE audit SET record = substr(record, 1, length(record) - 1) || x'00' WHERE position = 9",
            Damage::Altered,
            Some(9),
        ),
        (
            "a word changed",
            "UPDATE audit SET record = replace(record, 'thing.create', 'thing.delete') WHERE position = 9",
            Damage::Altered,
            Some(9),
        ),
        ("a column changed", "UPDATE audit SET object = 'x' WHERE position = 9", Damage::Altered, Some(9)),
        ("the tenant taken away", "UPDATE audit SET tenant = NULL WHERE position = 9", Damage::Altered, Some(9)),
        ("one deleted", "DELETE FROM audit WHERE position = 9", Damage::Missing, Some(9)),
        ("the first deleted", "DELETE FROM audit WHERE position = 1", Damage::Missing, Some(1)),
        (
            "one deleted, the rest moved up",
            "DELETE FROM audit WHERE position = 9; UPDATE audit SET position = position - 1 WHERE position > 9",
            Damage::Missing,
            Some(9),
        ),
        ("two swapped", swap, Damage::Reordered, Some(9)),
        ("the end cut off", "DELETE FROM audit WHERE position > 17", Damage::Truncated, Some(18)),
        ("all deleted", "DELETE FROM audit", Damage::Truncated, Some(1)),
        ("one put in front", "INSERT INTO audit SELECT 0, tenant, object, record FROM audit WHERE position = 1", Damage::Altered, None),
        (
            "the end cut off with its checkpoint",
            "DELETE FROM audit WHERE position > 17; DELETE FROM audit_checkpoint; DELETE FROM audit_tile",
            Damage::Truncated,
            Some(18),
        ),
        ("a forged checkpoint", "UPDATE audit_checkpoint SET note = replace(note, '20', '19')", Damage::Altered, None),
        ("no table", "DROP TABLE audit", Damage::Unreadable, None),
    ];
    for (name, sql, kind, first_bad) in cases {
        let copy = copied(&site);
        tamper(copy.path(), sql);
        let verdict = verified(copy.path(), None, None).await;
        assert_eq!((verdict.ok, verdict.kind, verdict.first_bad), (false, Some(*kind), *first_bad), "{name}: {verdict:?}");
    }
    let verdict = verified(copied(&site).path(), None, None).await;
    assert!(verdict.ok, "an untouched copy: {verdict:?}");
}

#[tokio::test]
async fn a_checkpoint_kept_elsewhere_shows_what_the_directory_cannot() {
    let site = log_of(Kind::SqliteInProcess, 20).await;
    let kept = site.data_dir().join("kept");
    std::fs::copy(site.data_dir().join("checkpoints.log"), &kept).unwrap();
    let copy = copied(&site);
    tamper(copy.path(), "DELETE FROM audit WHERE position > 17; DELETE FROM audit_checkpoint; DELETE FROM audit_tile");
    std::fs::remove_file(copy.path().join("checkpoints.log")).unwrap();
    assert!(verified(copy.path(), None, None).await.ok, "nothing left to compare with");
    let verdict = verified(copy.path(), None, Some(kept)).await;
    assert_eq!((verdict.kind, verdict.first_bad), (Some(Damage::Truncated), Some(18)), "{verdict:?}");
}

#[tokio::test]
async fn what_cannot_be_read_is_said() {
    let site = log_of(Kind::SqliteInProcess, 3).await;
    let absent = verified(site.data_dir(), None, Some(site.data_dir().join("absent"))).await;
    assert!(absent.checkpoint_unusable && absent.kind == Some(Damage::Unreadable), "{absent:?}");
    std::fs::write(site.data_dir().join("empty"), "").unwrap();
    assert!(verified(site.data_dir(), None, Some(site.data_dir().join("empty"))).await.checkpoint_unusable);
    let foreign = log_of(Kind::SqliteInProcess, 3).await;
    let other = verified(site.data_dir(), None, Some(foreign.data_dir().join("checkpoints.log"))).await;
    assert!(other.checkpoint_unusable && other.detail.contains("another log"), "{other:?}");
    let copy = copied(&site);
    tamper(copy.path(), "SELECT 1 FROM audit"); // takes the -wal away, which holds whole pages
    std::fs::write(copy.path().join("signet.db"), b"not a database").unwrap();
    let garbage = verified(copy.path(), None, None).await;
    assert!(!garbage.checkpoint_unusable && garbage.kind == Some(Damage::Unreadable), "{garbage:?}");
    std::fs::remove_file(copy.path().join("signet.db")).unwrap();
    let gone = verified(copy.path(), None, None).await;
    assert_eq!(gone.kind, Some(Damage::Unreadable), "{gone:?}");
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_to_is_read() {
    let site = log_of(Kind::SqliteInProcess, 5).await;
    let copy = copied(&site);
    tamper(copy.path(), "SELECT 1 FROM audit");
    assert!(!copy.path().join("signet.db-wal").exists());
    let mut read_only = std::fs::metadata(copy.path()).unwrap().permissions();
    let before = read_only.clone();
    read_only.set_readonly(true);
    std::fs::set_permissions(copy.path(), read_only).unwrap();
    let verdict = verified(copy.path(), None, None).await;
    std::fs::set_permissions(copy.path(), before).unwrap();
    assert!(verdict.ok, "{verdict:?}");
}
