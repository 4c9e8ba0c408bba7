//! A log that was altered while no server ran: the next leader must not sign over it, and must say so, while revocations go on.

use signet_db::Db;
use signet_ledger::{LedgerError, LedgerRuntime};
use signet_model::Position;
use signet_testkit::FakeClock;

use crate::house::{House, Kind, Site, TestSealer, creation, eventually, standing};
use crate::on_both;
use crate::verifying::{log_of, verified};

/// Runs SQL as an intruder with the database's password would.
async fn tampered(site: &Site, statements: &str) {
    let db = site.db().await;
    match &db {
        Db::Sqlite(sqlite) => {
            let statements = statements.to_owned();
            sqlite.writer().run(move |connection| connection.execute_batch(&statements)).await.unwrap().unwrap();
        }
        Db::Postgres(postgres) => postgres.dedicated("intruder").await.unwrap().client().batch_execute(statements).await.unwrap(),
    }
    db.close().await;
}

/// The detail of the health line of the log, once it is not well.
async fn complaint(house: &House) -> String {
    let line = || house.ledger.health().into_iter().find(|line| line.name == "ledger.log" && !line.ok);
    eventually("the health line complains", || async { line().is_some() }).await;
    let line = line().unwrap();
    assert_eq!(line.reason.map(|reason| reason.code), Some("audit.contradicted"));
    line.detail
}

/// Starts, finds the complaint, sees that the feed goes on and that nothing more was signed, and that the verifier agrees.
async fn refused_to_sign(kind: Kind, site: Site, what: &str) -> String {
    let kept = std::fs::read_to_string(site.data_dir().join("checkpoints.log")).unwrap_or_default();
    let house = site.start().await;
    let detail = complaint(&house).await;
    let done = house.commit(creation("after").standing(standing("br7si8mg10l7an82que0", false))).await.unwrap();
    eventually("the feed goes on", || async { Position::new(house.ledger.stats().published()) >= done.position }).await;
    let site = house.end().await;
    assert_eq!(std::fs::read_to_string(site.data_dir().join("checkpoints.log")).unwrap_or_default(), kept, "{what}: signed on");
    let db = match kind {
        Kind::SqliteInProcess => None,
        Kind::PostgresNats => Some(site.db().await),
    };
    let verdict = verified(site.data_dir(), db, None).await;
    assert!(!verdict.ok, "{what}: {verdict:?}");
    detail
}

async fn refused_to_start(site: &Site) -> LedgerError {
    let parts = site.parts(site.db().await, site.bus().await, TestSealer::of(1), &FakeClock::new());
    LedgerRuntime::start(parts).await.err().unwrap()
}

const ALTER: &str = "UPDATE audit SET record = replace(record, 'create', 'delete') WHERE position = 4;";

on_both! {
    async fn an_altered_record_whose_tiles_are_gone_is_not_signed_anew(kind) {
        let site = log_of(kind, 10).await;
        tampered(&site, &format!("{ALTER} DELETE FROM audit_tile;")).await;
        let detail = refused_to_sign(kind, site, "altered").await;
        assert!(detail.contains("first 10 records"), "{detail}");
    }

    async fn a_log_without_its_stored_checkpoint_is_not_signed_anew(kind) {
        let site = log_of(kind, 10).await;
        tampered(&site, &format!("{ALTER} DELETE FROM audit_tile; DELETE FROM audit_checkpoint;")).await;
        let detail = refused_to_sign(kind, site, "checkpoint gone").await;
        assert!(detail.contains("no checkpoint of that size"), "{detail}");
    }

    async fn a_log_that_claims_to_be_unsigned_is_held_against_the_file_of_checkpoints(kind) {
        let site = log_of(kind, 10).await;
        let claim = "DELETE FROM audit_tile; DELETE FROM audit_checkpoint; UPDATE ledger_sequencer SET sequenced = 0;";
        tampered(&site, &format!("{ALTER} {claim}")).await;
        let detail = refused_to_sign(kind, site, "claims to be unsigned").await;
        assert!(detail.contains("checkpoints.log"), "{detail}");
    }

    async fn a_cut_log_is_not_continued(kind) {
        let site = log_of(kind, 10).await;
        tampered(&site, "DELETE FROM audit WHERE position > 7;").await;
        let detail = refused_to_sign(kind, site, "cut").await;
        assert!(detail.contains("holds 7 records, and 10 were signed"), "{detail}");
    }

    async fn a_log_without_its_key_gets_no_new_one(kind) {
        let site = log_of(kind, 3).await;
        tampered(&site, "DELETE FROM ledger_key; DELETE FROM audit_checkpoint; DELETE FROM audit_tile;").await;
        let refused = refused_to_start(&site).await;
        assert_eq!(refused.reason().code, "audit.contradicted", "{refused}");
    }

    async fn an_emptied_database_does_not_replace_the_public_key_of_the_log(kind) {
        let site = log_of(kind, 3).await;
        tampered(&site, "DELETE FROM audit; DELETE FROM ledger_key; DELETE FROM audit_checkpoint; DELETE FROM audit_tile; \
                         UPDATE ledger_sequencer SET sequenced = 0;").await;
        let key = std::fs::read_to_string(site.data_dir().join("keys/log.pub")).unwrap();
        let refused = refused_to_start(&site).await;
        assert_eq!(refused.reason().code, "audit.contradicted", "{refused}");
        assert_eq!(std::fs::read_to_string(site.data_dir().join("keys/log.pub")).unwrap(), key);
    }
}
