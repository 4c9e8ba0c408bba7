//! A disk that is full between the two commits of an issuance.

use std::time::Duration;

use signet_authority::Issued;
use signet_db::Db;
use signet_ledger::Change;
use signet_model::AuditRecord;

use crate::crash::nothing_is_unknown;
use crate::house::{House, Kind, generated};
use crate::watch::{Watched, get, list};

/// Lets the database have so many pages; SQLite takes the present size for less than that.
async fn limit(house: &House, pages: &'static str) {
    let Db::Sqlite(sqlite) = &house.db else { panic!("not SQLite") };
    sqlite.writer().run(move |connection| connection.query_row(pages, [], |row| row.get::<_, i64>(0))).await.unwrap().unwrap();
}

/// Takes what room there is, down to the last bytes of the log's pages.
async fn fill(house: &House) {
    limit(house, "PRAGMA max_page_count = 1").await;
    for length in [2_000, 200, 1] {
        let mut refused = false;
        for _ in 0..1_000 {
            let record = AuditRecord::new(&house.scope("acme"), "test.fill", "x".repeat(length));
            if house.ledger.commit(Change::new(record)).await.is_err() {
                refused = true;
                break;
            }
        }
        assert!(refused, "it never was full");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_in_the_middle_loses_no_serial_and_hands_out_nothing() {
    let house = House::new(Kind::Sqlite).await;
    let first = Watched::of(&house.issue("acme", "first").await.unwrap());
    let before = list(&house.room, "acme", 1, &first.crl).await;
    let fill_when_signed = |_: &Issued| {
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(fill(&house)));
        Ok(None)
    };
    let refused = house.room.issue(&house.scope("acme"), generated("half"), &fill_when_signed).await.err().unwrap();
    assert_eq!((refused.reason.code, refused.reason.status), ("storage.full", 503));
    assert_eq!(house.number("SELECT count(*) FROM certificate WHERE state = 'intended' AND der IS NULL").await, 1);
    assert_eq!(house.number("SELECT count(*) FROM double_credential").await, 1, "half a certificate is none");
    for _ in 0..3 {
        let refused = house.issue("acme", "none").await.err().unwrap();
        assert_eq!(refused.reason.code, "storage.full");
    }
    assert_eq!(house.number("SELECT count(*) FROM certificate WHERE profile = 'device'").await, 2, "nothing more was begun");
    // A list that says all goes on being served, though it cannot be renewed.
    house.clock.advance(Duration::from_secs(4 * 3_600));
    let seen = get(&house.room, &first.crl).await;
    assert_eq!((seen.status, seen.header("signet-crl")), (200, "not-renewed"));
    assert!(house.room.reconcile(&house.scope("acme")).await.is_err(), "what cannot be written is said");

    limit(&house, "PRAGMA max_page_count = 1000000").await;
    let after = Watched::of(&house.issue("acme", "after").await.unwrap());
    assert_eq!(nothing_is_unknown(&house).await, 1, "the number that was given is named");
    let now = list(&house.room, "acme", 1, &first.crl).await;
    assert!(now.number > before.number);
    assert_eq!((now.entries.len(), now.entries.contains_key(&after.serial)), (1, false), "and stands on the list");
    house.end().await;
}
