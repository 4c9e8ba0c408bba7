//! Two replicas that move, publish and are asked at once: a list that is asked for after a move was answered tells of it, and no
//! list that is asked for later has a lower number.

use std::sync::atomic::{AtomicU64, Ordering};

use signet_model::CredentialState::{Active, Suspended};

use crate::house::House;
use crate::on_both;
use crate::watch::{Said, Watched, list, moved, ocsp};

/// Certificates of one partition that are moved at once.
const CERTIFICATES: usize = 6;
/// Times that each is suspended and resumed.
const TIMES: usize = 12;

on_both! {
    async fn whatever_is_asked_after_a_move_tells_of_it_and_numbers_rise_for_whoever_asks(kind) {
        let house = House::new(kind).await;
        let other = house.replica().await;
        let mut all = Vec::new();
        for n in 0..CERTIFICATES {
            all.push(Watched::of(&house.issue("acme", &format!("n{n}")).await.unwrap()));
        }
        assert!(all.iter().all(|one| one.crl == all[0].crl));
        let highest = AtomicU64::new(0);
        let moving = all.iter().enumerate().map(|(n, one)| {
            let (house, other, highest) = (&house, &other, &highest);
            async move {
                for time in 0..TIMES {
                    let (mover, asked) = if (n + time) % 2 == 0 { (house, other) } else { (other, house) };
                    for (to, entry, said) in [(Suspended, Some(Some(6)), Said::Revoked(Some(6))), (Active, None, Said::Good)] {
                        moved(mover, "acme", one, to, None).await;
                        let before = highest.load(Ordering::SeqCst);
                        let seen = list(&asked.room, "acme", 1, &one.crl).await;
                        assert_eq!(seen.entries.get(&one.serial).copied(), entry, "certificate {n}, time {time}");
                        assert!(seen.number >= before, "{} after {before}", seen.number);
                        highest.fetch_max(seen.number, Ordering::SeqCst);
                        assert_eq!(ocsp(&asked.room, "acme", 1, &one.serial).await, said);
                    }
                }
            }
        });
        let publishing = async {
            for _ in 0..TIMES * 4 {
                house.room.publish_round().await.unwrap();
                other.room.publish_round().await.unwrap();
            }
        };
        tokio::join!(futures_util::future::join_all(moving), publishing);
        let numbers: Vec<i64> = house.records("crl/acme/1/0").await.iter().filter(|entry| entry.action == "crl.publish")
            .map(|entry| entry.detail["number"].parse().unwrap()).collect();
        assert!(numbers.len() > TIMES && numbers.windows(2).all(|pair| pair[0] < pair[1]), "in the order of the log: {numbers:?}");
    }
}
