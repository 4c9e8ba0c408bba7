//! A process that ends between any two steps of issuing leaves no certificate that nobody knows: each serial number that was given
//! belongs to a stored certificate with its credential, or is an orphan that `reconcile` names and the CRL lists.

use std::collections::BTreeSet;
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::process::Stdio;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use signet_db::Statement;
use signet_testkit::process;

use crate::house::{House, Site, generated, usual};
use crate::on_both;

/// What a child works on: database,  directory, where it ends.
const SITE: &str = "SIGNET_AUTHORITY_CRASH_SITE";
/// Where a child can be told to end: before anything is recorded, when it is signed, when it is stored.
const PLACES: [&str; 3] = ["birth", "signed", "stored"];
/// More awaits than issuing has.
const MOST_AWAITS: usize = 200;

async fn texts(house: &House, sql: &'static str) -> BTreeSet<String> {
    house.db.query(Statement::new(sql, Vec::new())).await.unwrap().iter().map(|row| row.text(0).unwrap().to_owned()).collect()
}

/// What must hold after a restart, a minute later.
pub(crate) async fn nothing_is_unknown(house: &House) -> usize {
    house.clock.advance(Duration::from_secs(61));
    let found = house.room.reconcile(&house.scope("acme")).await.unwrap();
    let named: BTreeSet<String> = found.now.iter().chain(&found.before).map(|orphan| orphan.id.as_str().to_owned()).collect();
    let orphans = texts(house, "SELECT id FROM certificate WHERE state = 'orphaned'").await;
    assert_eq!(named, orphans, "each orphan is named");
    assert_eq!(house.number("SELECT count(*) FROM certificate WHERE state = 'intended'").await, 0);
    let stored = texts(house, "SELECT id FROM certificate WHERE state = 'Inactive' AND der IS NOT NULL AND profile <> 'ocsp'").await;
    assert_eq!(stored, house.credentials.in_state(&house.db, "Inactive").await, "certificates and credentials are the same");
    let on_crl = "SELECT count(*) FROM certificate c JOIN crl_partition p ON p.tenant = c.tenant AND p.generation = c.generation \
                  AND p.number = c.partition AND p.changed > 0 WHERE c.state = 'orphaned'";
    assert_eq!(usize::try_from(house.number(on_crl).await).unwrap(), orphans.len(), "each stands on a CRL");
    orphans.len()
}

/// Begins to issue, and gives up after so many answers that were waited for; whether it was issued before.
async fn given_up_after(house: &House, mut left: usize) -> bool {
    let (scope, remember) = (house.scope("acme"), |_: &signet_authority::Issued| Ok(None));
    let mut issuing = pin!(house.room.issue(&scope, generated("a"), &remember));
    let issued = poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        issuing.as_mut().poll(context).map(Some)
    })
    .await;
    issued.is_some_and(|issued| issued.is_ok())
}

on_both! {
    async fn given_up_at_each_of_its_awaits_it_leaves_nothing_unknown(kind) {
        let mut site = Site::new(kind).await;
        let mut seen = BTreeSet::new();
        // How often a task is woken for one await is the runtime's matter, so one round may pass over the place after the intent.
        for _ in 0..5 {
            let mut ended = false;
            for awaits in 0..MOST_AWAITS {
                let house = House::with(site, usual()).await;
                ended = given_up_after(&house, awaits).await;
                // What was handed to the ledger is committed all the same.
                site = house.end().await;
                let house = House::with(site, usual()).await;
                seen.insert(nothing_is_unknown(&house).await);
                site = house.end().await;
                if ended {
                    break;
                }
            }
            assert!(ended, "issuing has more than {MOST_AWAITS} awaits");
            if seen.len() > 1 {
                break;
            }
        }
        assert!(seen.len() > 1, "no intent was ever left behind: {seen:?}");
    }

    async fn killed_at_each_place_it_leaves_nothing_unknown(kind) {
        let site = Site::new(kind).await;
        // The CA and a first partition are there, so that a place is a place of issuing.
        let house = House::with(site, usual()).await;
        house.issue("acme", "first").await.unwrap();
        let mut site = house.end().await;
        for (place, orphans) in PLACES.into_iter().zip([0, 1, 1]) {
            let mut command = process::bound_to_us("KILL", std::env::current_exe().unwrap());
            command.args(["--exact", "crash::the_process_that_ends", "--nocapture"]).stdout(Stdio::null()).stderr(Stdio::null());
            command.env(SITE, format!("{}\n{}\n{place}", site.url(), site.path().display()));
            assert!(!process::spawn(command).unwrap().wait().unwrap().success(), "{place}");
            let house = House::with(site, usual()).await;
            assert_eq!(nothing_is_unknown(&house).await, orphans, "{place}");
            let stored = if place == "stored" { 2 } else { 1 };
            assert_eq!(house.number("SELECT count(*) FROM certificate WHERE state = 'Inactive'").await, stored, "{place}");
            site = house.end().await;
        }
    }

    async fn what_cannot_be_stored_is_an_orphan_at_once(kind) {
        let house = House::new(kind).await;
        house.issue("acme", "first").await.unwrap();
        let scope = house.scope("acme");
        let refuse = |_: &signet_authority::Issued| Err(signet_model::Refusal::new(&signet_model::kinds::INTERNAL, "no"));
        assert!(house.room.issue(&scope, generated("a"), &refuse).await.is_err());
        assert_eq!(house.number("SELECT count(*) FROM certificate WHERE state = 'orphaned'").await, 1);
        assert_eq!(nothing_is_unknown(&house).await, 1);
        house.end().await;
    }
}

/// Not a test of its own: the process that the test above starts. It ends at the place that it is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_ends() {
    let Ok(told) = std::env::var(SITE) else { return };
    let [url, directory, place] = told.split('\n').collect::<Vec<_>>().try_into().unwrap();
    let house = House::with(Arc::new(Site::at(url, directory)), usual()).await;
    if place == "birth" {
        house.credentials.die_at_next_birth();
    }
    let die_when_signed = |_: &signet_authority::Issued| if place == "signed" { die() } else { Ok(None) };
    house.room.issue(&house.scope("acme"), generated("a"), &die_when_signed).await.unwrap();
    die();
}

/// Ends the process as a kill does: nothing is tidied up.
#[expect(clippy::disallowed_methods, reason = "that nothing is tidied up is what is tested")]
pub(crate) fn die() -> ! {
    std::process::abort()
}
