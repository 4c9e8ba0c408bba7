//! A history of two replicas on one database: what starts after the answer to a revocation never says yes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::house::House;
use crate::on_both;

/// Checks under way at once.
const CALLERS: usize = 64;

/// Rounds on each of the two databases; `--deep` makes ten thousand in all.
fn rounds() -> usize {
    if std::env::var_os("SIGNET_DEEP").is_some() { 5_000 } else { 100 }
}

on_both! {
    async fn no_check_that_starts_after_the_answer_to_a_revocation_says_yes(kind) {
        let house = House::new(kind).await;
        let other = house.replica().await;
        let (before, after) = (AtomicUsize::new(0), AtomicUsize::new(0));
        for round in 0..rounds() {
            let username = format!("user-{round}");
            let id = house.credential(&username, "pw").await;
            // Every other one is known to both by heart, the rest meets its first use and the revocation together.
            if round % 2 == 0 {
                for replica in [&house, &other] {
                    assert_eq!(replica.check(&username, "pw").await["allowed"], true);
                }
            }
            let told = AtomicBool::new(false);
            let callers = (0..CALLERS).map(|caller| {
                let (house, other, username, told, before, after) = (&house, &other, &username, &told, &before, &after);
                async move {
                    loop {
                        let late = told.load(Ordering::SeqCst);
                        let allowed = match caller % 4 {
                            0 => house.check(username, "pw").await["allowed"] == true,
                            1 => other.check(username, "pw").await["allowed"] == true,
                            // Either of them answers.
                            _ => house.ask(username, "pw").await.status == 200,
                        };
                        assert!(!(late && allowed), "round {round}, caller {caller}: allowed after the revocation was answered");
                        if allowed {
                            before.fetch_add(1, Ordering::Relaxed);
                        }
                        if late {
                            after.fetch_add(1, Ordering::Relaxed);
                            return;
                        }
                    }
                }
            });
            let revoke = async {
                // Sooner or later in the middle.
                for _ in 0..round % 7 {
                    tokio::task::yield_now().await;
                }
                let by = if round % 3 == 0 { &other } else { &house };
                by.act(&id, "revoke").await.good();
                told.store(true, Ordering::SeqCst);
            };
            tokio::join!(futures_util::future::join_all(callers), revoke);
        }
        assert_eq!(after.into_inner(), rounds() * CALLERS);
        assert!(before.into_inner() > rounds(), "the revocations were in the middle of checks that said yes");
        other.end().await;
        house.end().await;
    }
}
