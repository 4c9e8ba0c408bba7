//! What is answered from memory, what equal requests share, and that neither lets in what was taken back or tells who exists.

use std::time::{Duration, Instant};

use serde_json::json;
use signet_credentials::{LimitConfig, Quota, VerdictConfig};
use signet_model::CredentialKind::Basic;

use crate::house::{House, Settings};
use crate::on_both;

on_both! {
    async fn a_right_password_is_hashed_once_and_its_credential_read_each_time(kind) {
        let house = House::new(kind).await;
        let other = house.replica().await;
        let bob = house.credential("bob", "pw").await;
        let identity = "/api/v1/tenants/acme/identities/dev-1";
        let from_memory = || (house.metrics.verifications("memory"), house.metrics.verifications("bcrypt"));
        assert!(house.check("bob", "pw").await["allowed"].as_bool().unwrap());
        assert_eq!(from_memory(), (0, 1));
        // What the other replica takes away is away here, and what it gives back is back; the memory is asked each time.
        for (number, (method, path, reason)) in [
            ("suspend", None, Some("credential.suspended")),
            ("resume", None, None),
            ("disable", Some(identity), Some("identity.disabled")),
            ("enable", Some(identity), None),
            ("revoke", None, Some("credential.revoked")),
        ].into_iter().enumerate() {
            let path = path.map_or_else(|| format!("/api/v1/tenants/acme/credentials/{bob}"), str::to_owned);
            other.post(&format!("{path}/{method}"), &json!({})).await.good();
            let checked = house.check("bob", "pw").await;
            assert_eq!(checked["reason"].as_str(), reason, "{method}");
            assert_eq!(checked["allowed"].as_bool(), Some(reason.is_none()), "{method}");
            assert_eq!(from_memory(), (u64::try_from(number).unwrap() + 1, 1), "{method}");
        }
        assert_eq!(house.check("bob", "no").await["reason"], "credential.wrong-password");
        assert_eq!(house.check("bob", "no").await["reason"], "credential.wrong-password");
        assert_eq!(from_memory(), (5, 3), "a wrong one is never remembered");
        other.end().await;
        house.end().await;
    }

    async fn another_stored_hash_is_not_met_by_the_memory_of_the_old_one(kind) {
        let house = House::new(kind).await;
        house.credential("bob", "pw").await;
        house.credential("eve", "other").await;
        assert!(house.check("bob", "pw").await["allowed"].as_bool().unwrap());
        let record = signet_model::AuditRecord::new(&house.scope("acme"), "test.swap", "bob");
        let swap = "UPDATE credential SET password_hash = (SELECT password_hash FROM credential WHERE username = 'eve') \
                    WHERE tenant = 'acme' AND username = 'bob' AND {ok}";
        let swap = signet_ledger::Expect::write(signet_db::Statement::new(swap, Vec::new()), 1);
        house.ledger.commit(signet_ledger::Change::new(record).expecting(swap)).await.unwrap();
        assert_eq!(house.check("bob", "pw").await["reason"], "credential.wrong-password");
        assert!(house.check("bob", "other").await["allowed"].as_bool().unwrap());
        house.end().await;
    }

    async fn without_a_memory_every_check_is_hashed(kind) {
        let off = VerdictConfig { lifetime: Duration::ZERO, ..VerdictConfig::default() };
        let house = House::with(kind, Settings { verdicts: off, ..Settings::default() }).await;
        house.credential("bob", "pw").await;
        for number in 1..=3 {
            assert!(house.check("bob", "pw").await["allowed"].as_bool().unwrap());
            assert_eq!(house.metrics.verifications("bcrypt"), number);
        }
        house.end().await;
    }

    async fn equal_requests_at_once_share_one_hash_and_each_reads_the_state_itself(kind) {
        let house = House::with(kind, Settings { cost: 10, concurrency: 1, queue: 1, ..Settings::default() }).await;
        let bob = house.credential("bob", "pw").await;
        for (username, password, status) in [("bob", "no", 401), ("nobody", "pw", 404), ("bob", "pw", 200)] {
            let before = house.room.password_operations();
            let answers = futures_util::future::join_all((0..64).map(|_| house.ask(username, password))).await;
            let hashed = house.room.password_operations() - before;
            // One that came after the first had ended began anew; there is room for one more, so nobody was told to wait.
            assert!(hashed <= 4, "{username} {password}: {hashed}");
            assert!(answers.iter().all(|answer| answer.status == status), "{username} {password}");
        }
        assert!(house.metrics.verifications("joined") > 100);
        assert_eq!(house.actions(&bob).await, ["credential.create", "credential.activate"]);
        assert_eq!(house.metrics.decisions(Basic, "queue_full"), 0);
        house.end().await;
    }

    async fn an_unknown_user_takes_as_long_as_a_wrong_password(kind) {
        let enough = Quota { burst: 10_000, refill: Duration::from_secs(1) };
        let limits = LimitConfig { credential: enough, ..LimitConfig::default() };
        let house = House::with(kind, Settings { cost: 8, limits, ..Settings::default() }).await;
        house.credential("bob", "pw").await;
        assert!(house.check("bob", "pw").await["allowed"].as_bool().unwrap(), "the memory is warm");
        let mut ratios = Vec::new();
        // A machine that stands still for a moment may spoil one round; what tells who exists spoils all.
        for round in 0..3 {
            let (mut unknown, mut wrong) = (Vec::new(), Vec::new());
            // In turns, so that whatever else runs meets both.
            for number in 0..200 {
                for (username, reason, times) in
                    [("nobody", "credential.unknown", &mut unknown), ("bob", "credential.wrong-password", &mut wrong)]
                {
                    let username = if username == "bob" { username.to_owned() } else { format!("{username}-{round}-{number}") };
                    let started = Instant::now();
                    let checked = house.check(&username, &format!("no-{number}")).await;
                    times.push(started.elapsed());
                    assert_eq!(checked["reason"], reason);
                }
            }
            let median = |times: &mut Vec<Duration>| {
                times.sort_unstable();
                times[times.len() / 2].as_secs_f64()
            };
            let ratio = median(&mut unknown) / median(&mut wrong);
            if (0.9..1.1).contains(&ratio) {
                return house.end().await;
            }
            ratios.push(ratio);
        }
        panic!("the median of unknown users by that of wrong passwords: {ratios:?}");
    }
}
