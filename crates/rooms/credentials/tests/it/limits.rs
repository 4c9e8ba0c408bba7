//! Bounded guessing: nobody is shut out by others' guesses, no spelling gives more of them, and Kaa's promises hold.

use std::time::Duration;

use serde_json::json;
use signet_credentials::{LimitConfig, Quota};
use signet_model::CredentialKind::Basic;

use crate::house::{Answer, House, Settings};
use crate::on_both;

const CHECK: &str = "/api/v1/tenants/acme/credentials/check";
/// A refill that no test lives to see.
const NEVER: Duration = Duration::from_secs(100_000);

/// Five wrong passwords for one username; as many as one likes in all.
fn five() -> Settings {
    let wide = LimitConfig::default();
    Settings { limits: LimitConfig { credential: Quota { burst: 5, refill: NEVER }, ..wide }, ..Settings::default() }
}

async fn check(house: &House, username: &str, password: &str) -> Answer {
    house.post(CHECK, &json!({"username": username, "password": password})).await
}

/// What a caller is told: the reason of a refusal by either way, or nothing.
fn told(answer: &Answer) -> Option<&str> {
    answer.body["reason"].as_str()
}

on_both! {
    async fn what_kaa_promises_is_kept_by_the_defaults(kind) {
        let house = House::new(kind).await;
        let bob = house.credential("bob", "pw").await;
        for number in 0..75 {
            assert_eq!(house.ask("bob", &format!("no-{number}")).await.status, 401, "{number}");
        }
        let at_once = (0..100).map(|number| {
            let (house, password) = (&house, format!("again-{number}"));
            async move { house.ask("bob", &password).await.status }
        });
        assert!(futures_util::future::join_all(at_once).await.iter().all(|status| *status == 401));
        let at_once = futures_util::future::join_all((0..100).map(|_| house.ask("bob", "pw"))).await;
        let others: Vec<_> = at_once.iter().filter(|answer| answer.status != 200 || answer.credential.as_ref() != Some(&bob)).collect();
        assert!(others.is_empty(), "{others:?}");
        house.end().await;
    }

    async fn after_too_many_wrong_passwords_none_is_looked_at_and_the_known_right_one_passes(kind) {
        let house = House::with(kind, five()).await;
        house.credential("bob", "pw").await;
        house.credential("eve", "pw").await;
        assert_eq!(house.ask("bob", "pw").await.status, 200);
        for number in 0..5 {
            assert_eq!(house.ask("bob", &format!("no-{number}")).await.status, 401);
        }
        let hashed = house.room.password_operations();
        assert_eq!(house.ask("bob", "no-5").await.status, 503, "the bus says that it is not now, not that it is wrong");
        let refused = check(&house, "bob", "no-6").await;
        assert_eq!(refused.reason(429), "check.rate-limited");
        assert!(refused.retry_after.unwrap().parse::<u64>().unwrap() >= 1);
        for _ in 0..20 {
            assert_eq!(house.ask("bob", "pw").await.status, 200, "who was in a moment ago is not shut out");
        }
        assert_eq!(house.room.password_operations(), hashed, "none of it was worth a hash");
        // On another process, and for everybody else, nothing has happened.
        let mut other = house.replica().await;
        assert_eq!(told(&check(&other, "bob", "no-7").await), Some("credential.wrong-password"));
        other.stop_cap().await;
        other.end().await;
        assert_eq!(house.ask("eve", "pw").await.status, 200);
        // A name that is nobody's is limited in the same way, so the limit says nothing of who exists.
        for number in 0..5 {
            assert_eq!(house.ask("nobody", &format!("no-{number}")).await.status, 404);
        }
        assert_eq!(house.ask("nobody", "no-5").await.status, 503);
        assert_eq!(house.metrics.refused_by_limit("credential"), 3);
        assert_eq!(house.metrics.decisions(Basic, "limited"), 3);
        house.end().await;
    }

    async fn even_the_memory_is_asked_a_bounded_number_of_times_when_passwords_are_guessed(kind) {
        let house = House::with(kind, five()).await;
        house.credential("bob", "pw").await;
        assert_eq!(house.ask("bob", "pw").await.status, 200);
        // Five are hashed, ten times as many meet the memory, and then nothing is looked at until one more is due.
        let mut right = 0;
        for number in 0..200 {
            let status = house.ask("bob", &format!("no-{number}")).await.status;
            assert_eq!(status, if number < 5 { 401 } else { 503 });
        }
        for _ in 0..50 {
            right += usize::from(house.ask("bob", "pw").await.status == 200);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(right > 5, "the guesses over, the right one comes in again: {right}");
        house.end().await;
    }

    async fn right_passwords_count_nowhere(kind) {
        let forgetful = signet_credentials::VerdictConfig { most: 0, ..Default::default() };
        let narrow = Quota { burst: 1, refill: NEVER };
        let limits = LimitConfig { credential: narrow, tenant: narrow, source: narrow };
        let house = House::with(kind, Settings { limits, verdicts: forgetful, ..Settings::default() }).await;
        house.credential("bob", "pw").await;
        for _ in 0..10 {
            assert_eq!(house.ask("bob", "pw").await.status, 200);
        }
        assert_eq!(house.ask("bob", "no").await.status, 401);
        assert_eq!(house.ask("bob", "pw").await.status, 503, "without a memory nothing tells who was in a moment ago");
        house.end().await;
    }

    async fn a_tenant_that_is_sprayed_leaves_the_others_alone(kind) {
        let wide = LimitConfig::default();
        let limits = LimitConfig { tenant: Quota { burst: 5, refill: NEVER }, ..wide };
        let house = House::with(kind, Settings { limits, ..Settings::default() }).await;
        house.credential("bob", "pw").await;
        assert_eq!(house.ask("bob", "pw").await.status, 200);
        for number in 0..5 {
            assert_eq!(house.ask(&format!("nobody-{number}"), "no").await.status, 404);
        }
        assert_eq!(house.ask("nobody-5", "no").await.status, 503);
        assert_eq!(house.ask("bob", "no").await.status, 503);
        assert_eq!(house.ask("bob", "pw").await.status, 200);
        assert_eq!(house.ask_as("default", "nobody-5", "no").await.status, 404);
        assert_eq!(house.metrics.refused_by_limit("tenant"), 2);
        house.end().await;
    }

    async fn ten_spellings_of_a_name_give_no_more_guesses(kind) {
        let house = House::with(kind, five()).await;
        house.credential("b\u{fc}b", "pw").await;
        for number in 0..5 {
            assert_eq!(house.ask("b\u{fc}b", &format!("no-{number}")).await.status, 401);
        }
        assert_eq!(house.ask("b\u{fc}b", "pw").await.status, 503, "it was never in, so nothing of it is remembered");
        // With the right password even: what is not the very name is nobody's, so it cannot be used for guessing.
        for (tenant, username) in [
            ("acme", "B\u{dc}B"),
            ("acme", "bu\u{308}b"),
            ("acme", "b\u{fc}b."),
            ("acme", "b\u{fc}b "),
            ("acme", " b\u{fc}b"),
            ("acme", "b\u{fc}b\u{200b}"),
            ("acme", "b\u{fc}b\0"),
            ("acme", "b\u{fc}b@acme"),
            ("ACME", "b\u{fc}b"),
            ("acme.", "b\u{fc}b"),
            ("acme ", "b\u{fc}b"),
        ] {
            assert_eq!(house.ask_as(tenant, username, "pw").await.status, 404, "{username:?} of {tenant:?}");
        }
        assert_eq!(house.ask("b\u{fc}b", "no-6").await.status, 503);
        house.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_is_limited_and_another_is_not() {
    let wide = LimitConfig::default();
    let limits = LimitConfig { source: Quota { burst: 5, refill: NEVER }, ..wide };
    let house = House::with(crate::house::Kind::SqliteInProcess, Settings { limits, ..Settings::default() }).await;
    house.credential("bob", "pw").await;
    let from = |address: &'static str, username: String| {
        let house = &house;
        async move { house.check_from(address, &username, "no").await }
    };
    for number in 0..5 {
        assert_eq!(told(&from("192.0.2.1", format!("nobody-{number}")).await), Some("credential.unknown"));
    }
    assert_eq!(from("192.0.2.1", "nobody-5".to_owned()).await.reason(429), "check.rate-limited");
    assert_eq!(told(&from("192.0.2.2", "nobody-5".to_owned()).await), Some("credential.unknown"));
    assert_eq!(house.metrics.refused_by_limit("source"), 1);
    house.end().await;
}
