//! Certificates that end: told of once at each level over all replicas, and forgotten long after.

use std::time::Duration;

use signet_authority::rotation::Step;
use signet_authority::{EXPIRING_SUBJECT, IssueOrder};
use signet_db::{Statement, params};
use signet_model::CredentialState::Revoked;

use crate::house::{House, eventually, generated};
use crate::on_both;
use crate::watch::{Said, Watched, get, list, moved, ocsp};

const DAY: Duration = Duration::from_secs(86_400);

async fn living(house: &House, name: &str, days: u32) -> Watched {
    let order = IssueOrder { ttl: Some(DAY * days), ..generated(name) };
    Watched::of(&house.order("acme", order).await.unwrap())
}

/// Everything that is told by now; which days of which certificate, from the outbox before it is relayed or from what was relayed.
async fn told(house: &House) -> usize {
    house.room.tell_of_ends().await.unwrap()
}

on_both! {
    async fn each_level_is_told_of_once_over_two_replicas(kind) {
        let house = House::new(kind).await;
        let other = house.replica().await;
        living(&house, "year", 365).await;
        living(&house, "month", 30).await;
        living(&house, "week", 7).await;
        let revoked = living(&house, "revoked", 365).await;
        moved(&house, "acme", &revoked, Revoked, None).await;
        // Passed, and who is told of then: the month and the week at less than their own lives only, the revoked one never.
        let rows = [(0, 0), (5, 0), (1, 1), (16, 0), (2, 1), (4, 0), (1, 1), (306, 1), (10, 0), (13, 1), (6, 1), (2, 0), (400, 0)];
        for (days, number) in rows {
            house.clock.advance(DAY * days);
            let seen = tokio::join!(told(&house), told(&other));
            assert_eq!(seen.0 + seen.1, number, "after {days} more days");
            assert_eq!(told(&house).await, 0);
        }
        let told: i64 = house.room_told().await;
        assert_eq!(told, 6);
    }

    async fn an_outage_is_told_of_by_the_narrowest_level(kind) {
        let house = House::new(kind).await;
        living(&house, "year", 365).await;
        assert_eq!(told(&house).await, 0);
        house.clock.advance(DAY * 360);
        assert_eq!(told(&house).await, 1, "5 days before the end, by the level of 7");
        house.clock.advance(DAY * 5);
        assert_eq!(told(&house).await, 0, "it has ended");
    }

    async fn a_clock_that_was_ahead_passes_nothing_over(kind) {
        let house = House::new(kind).await;
        assert_eq!(told(&house).await, 0);
        living(&house, "early", 1).await;
        let begun = house.scope("acme").now();
        house.clock.advance(DAY * 400);
        living(&house, "ahead", 1_000).await;
        assert_eq!(told(&house).await, 0);
        house.clock.set(begun);
        living(&house, "year", 365).await;
        assert_eq!(told(&house).await, 0);
        house.clock.advance(DAY * 336);
        assert_eq!(told(&house).await, 1);
    }

    async fn the_ends_of_cas_are_counted_and_that_of_the_platforms_is_told_by_health(kind) {
        let house = House::new(kind).await;
        living(&house, "one", 10).await;
        let counted = async || {
            house.room.count_ends().await.unwrap();
            [30, 7, 1].map(|days| house.metrics.revocation().cas_ending(days))
        };
        let platform = || house.room.health().into_iter().find(|line| line.name == "authority.platform-ca").unwrap();
        assert_eq!((counted().await, platform().ok, platform().detail.as_str()), ([0, 0, 0], true, ""));
        // A tenant's CA lives for ten years, the platform's for twenty.
        house.clock.advance(DAY * (3_650 - 5));
        assert_eq!(counted().await, [1, 1, 0]);
        for turn in [Step::Prepare, Step::Activate] {
            house.room.rotate(&house.scope("acme"), turn).await.unwrap();
        }
        assert_eq!(counted().await, [0, 0, 0], "it was replaced in time");
        house.clock.advance(DAY * (3_650 - 60));
        assert!(platform().ok && platform().detail.contains("ends at"), "{:?}", platform());
        house.clock.advance(DAY * 90);
        assert!(!platform().ok);
    }

    async fn what_was_revoked_is_forgotten_only_after_its_end_and_a_later_list(kind) {
        let house = House::new(kind).await;
        let (good, revoked) = (living(&house, "good", 10).await, living(&house, "revoked", 10).await);
        let kept = living(&house, "kept", 300).await;
        moved(&house, "acme", &revoked, Revoked, None).await;
        list(&house.room, "acme", 1, &revoked.crl).await;
        house.clock.advance(DAY * 101);
        assert_eq!(house.room.clean().await.unwrap(), 1, "the good one; no list is dated behind the end of the other");
        let late = list(&house.room, "acme", 1, &revoked.crl).await;
        assert!(late.entries.contains_key(&revoked.serial), "it stands on one list more");
        assert_eq!(house.room.clean().await.unwrap(), 1);
        assert_eq!(house.room.clean().await.unwrap(), 0);
        assert_eq!(house.number("SELECT count(*) FROM certificate WHERE issued_at IS NOT NULL").await, 1);
        assert_eq!(ocsp(&house.room, "acme", 1, &good.serial).await, Said::Unknown);
        assert_eq!(ocsp(&house.room, "acme", 1, &kept.serial).await, Said::Good);
    }

    async fn what_a_retired_ca_issued_is_forgotten_though_its_last_list_is_never_signed_again(kind) {
        let house = House::new(kind).await;
        let one = living(&house, "one", 10).await;
        for turn in [Step::Prepare, Step::Activate, Step::Taint, Step::Retire] {
            house.room.rotate(&house.scope("acme"), turn).await.unwrap();
        }
        let last = list(&house.room, "acme", 1, &one.crl).await;
        assert!(last.entries.contains_key(&one.serial) && last.next_update > one.not_after);
        house.clock.advance(DAY * 101);
        assert_eq!(house.room.publish_round().await.unwrap(), signet_authority::Round::default());
        assert_eq!(house.room.clean().await.unwrap(), 1);
        eventually("it rests", || async { house.number("SELECT count(*) FROM crl_partition WHERE next_update IS NOT NULL").await == 0 }).await;
        let still = list(&house.room, "acme", 1, &one.crl).await;
        assert_eq!(still, last, "whoever asks gets the last list for ever");
        house.room.publish_round().await.unwrap();
        assert!(house.room.health().iter().all(|line| line.ok));
    }

    async fn a_partition_whose_members_have_all_ended_comes_to_rest_and_is_still_signed_when_asked_for(kind) {
        let house = House::new(kind).await;
        let one = living(&house, "one", 10).await;
        moved(&house, "acme", &one, Revoked, None).await;
        house.clock.advance(DAY * 20);
        assert_eq!(house.room.publish_round().await.unwrap().published, 1);
        house.room.clean().await.unwrap();
        eventually("it rests", || async { house.number("SELECT count(*) FROM crl_partition WHERE next_update IS NULL").await == 1 }).await;
        house.clock.advance(DAY * 20);
        assert_eq!(house.room.publish_round().await.unwrap().published, 0);
        let seen = list(&house.room, "acme", 1, &one.crl).await;
        assert!(seen.entries.is_empty() && seen.next_update > house.scope("acme").now());
        assert_eq!(get(&house.room, &one.crl).await.status, 200);
    }
}

impl House {
    /// How many certificates were told of, by the records.
    async fn room_told(&self) -> i64 {
        let mut sum = 0;
        for level in ["30d", "7d", "1d"] {
            let records = self.records(level).await;
            sum += records
                .iter()
                .filter(|entry| entry.action == "certificate.expiring")
                .map(|entry| entry.detail["told"].parse::<i64>().unwrap())
                .sum::<i64>();
        }
        let unsent = Statement::new("SELECT count(*) FROM outbox WHERE subject <> $1", params![EXPIRING_SUBJECT]);
        assert_eq!(self.db.query_optional(unsent).await.unwrap().unwrap().int(0).unwrap(), 0);
        sum
    }
}
