//! Lists that cannot be signed at the moment, and lists whose address has changed.

use std::sync::Arc;
use std::time::Duration;

use signet_authority::AuthorityConfig;
use signet_db::{Statement, params};
use signet_ledger::Change;
use signet_model::AuditRecord;
use signet_model::CredentialState::{Active, Suspended};
use signet_pki::{CertificateFacts, Crl};

use crate::house::{House, Site};
use crate::on_both;
use crate::watch::{Watched, get, list, moved};

const HOUR: Duration = Duration::from_secs(3_600);

on_both! {
    async fn the_last_list_is_served_while_it_holds_and_lacks_no_change(kind) {
        let house = House::new(kind).await;
        let one = Watched::of(&house.issue("acme", "one").await.unwrap());
        let first = list(&house.room, "acme", 1, &one.crl).await;
        // This replica has the key open; one that starts now cannot open it.
        let wiped = Statement::new("UPDATE tenant_ca SET key = NULL WHERE tenant = $1 AND {ok}", params!["acme"]);
        let record = AuditRecord::new(&house.scope("acme"), "test.wipe", "key");
        house.ledger.commit(Change::new(record).effecting(wiped)).await.unwrap();
        let other = house.replica().await;
        let counted = || other.metrics.revocation().crls_not_renewed();
        let seen = get(&other.room, &one.crl).await;
        assert_eq!((seen.status, seen.header("signet-crl"), counted()), (200, "", 0), "it is not due");

        house.clock.advance(HOUR * 4);
        let due = get(&other.room, &one.crl).await;
        assert_eq!((due.status, due.header("signet-crl"), counted()), (200, "not-renewed", 1));
        assert_eq!(list(&other.room, "acme", 1, &one.crl).await, first);
        assert!(!other.room.health()[0].ok && other.room.health()[0].detail.contains("ca.unavailable"), "{:?}", other.room.health());

        moved(&other, "acme", &one, Suspended, None).await;
        let lacking = get(&other.room, &one.crl).await;
        assert_eq!((lacking.status, lacking.header("retry-after"), lacking.header("cache-control")), (503, "5", "no-store"));
        let suspended = list(&house.room, "acme", 1, &one.crl).await;
        assert!(suspended.number > first.number && suspended.entries.contains_key(&one.serial));
        assert_eq!(list(&other.room, "acme", 1, &one.crl).await, suspended, "signed by whoever can, served by all");

        house.clock.advance(HOUR * 24 - Duration::from_secs(20));
        let last = get(&other.room, &one.crl).await;
        let kept: u64 = last.header("cache-control").strip_prefix("max-age=").unwrap().split(',').next().unwrap().parse().unwrap();
        assert!(last.status == 200 && kept <= 21, "no cache keeps it beyond its end: {kept}");
        house.clock.advance(Duration::from_secs(30));
        assert_eq!(get(&other.room, &one.crl).await.status, 503, "its end has come");
        house.end().await;
        other.end().await;
    }

    async fn a_list_says_the_address_that_its_certificates_name_whoever_signs_it(kind) {
        let site = Site::new(kind).await;
        let at = |host: &str| AuthorityConfig { partition_size: 2, ..AuthorityConfig::new(format!("http://{host}:7480")) };
        let one = House::with(Arc::clone(&site), at("one.example")).await;
        let two = House::with(Arc::clone(&site), at("two.example")).await;
        let mut all = Vec::new();
        for house in [&one, &two, &one, &one, &two] {
            all.push(house.issue("acme", "d").await.unwrap());
        }
        for (house, to) in [(&one, Suspended), (&two, Active)] {
            for issued in &all {
                let watched = Watched::of(issued);
                moved(house, "acme", &watched, to, None).await;
                let seen = get(&house.room, &watched.crl).await;
                let said = Crl::parse(&seen.body).unwrap().distribution_point().unwrap().urls.clone();
                assert_eq!(said, CertificateFacts::read(&issued.leaf).unwrap().crl_urls);
            }
        }
        one.end().await;
        two.end().await;
    }
}
