//! Another password for a credential: who gets one, what stays, and what is seen of it.

use serde_json::{Value, json};

use crate::house::{Answer, House};
use crate::on_both;

async fn set(house: &House, id: &str, body: &Value) -> Answer {
    let path = format!("/api/v1/tenants/acme/credentials/{id}/password");
    house.send("PUT", &path, &house.token, &[], Some(body.to_string().as_bytes())).await
}

on_both! {
    async fn the_new_password_counts_and_the_old_one_does_not_whatever_the_state(kind) {
        let house = House::new(kind).await;
        let mut events = house.events().await;
        for (name, verbs, state) in [
            ("inactive", &[][..], "Inactive"),
            ("active", &["check"][..], "Active"),
            ("suspended", &["check", "suspend"][..], "Suspended"),
        ] {
            let id = house.credential(name, "old").await;
            for verb in verbs {
                if *verb == "check" { drop(house.check(name, "old").await) } else { drop(house.act(&id, verb).await.good()) }
            }
            house.clock.advance(std::time::Duration::from_secs(1));
            let before = house.show(&id).await;
            let after = set(&house, &id, &json!({"password": "new"})).await.good();
            assert_eq!((after["state"].as_str(), after["id"].as_str()), (Some(state), Some(id.as_str())));
            assert_eq!(after["version"], before["version"].as_i64().unwrap() + 1);
            assert_ne!(after["updated_at"], before["updated_at"]);
            assert_eq!((&after["created_at"], &after["last_used_at"]), (&before["created_at"], &before["last_used_at"]));
            assert_eq!(after, house.show(&id).await);
            assert_eq!(house.check(name, "old").await["reason"], "credential.wrong-password");
            let wanted = if state == "Suspended" { json!("credential.suspended") } else { Value::Null };
            assert_eq!(house.check(name, "new").await["reason"], wanted);
            assert!(house.actions(&id).await.contains(&"credential.set-password".to_owned()));
        }
        // No event: sessions stay. The suspension above sent the only one, the revocation sends the next.
        let id = house.credential("fence", "pw").await;
        set(&house, &id, &json!({"password": "pw2"})).await.good();
        house.act(&id, "revoke").await.good();
        assert_eq!(events.next(2).await[1].credential, id);
        house.end().await;
    }

    async fn a_revoked_one_gets_none_and_bad_ones_are_refused_by_name(kind) {
        let house = House::new(kind).await;
        let id = house.credential("bob", "old").await;
        for (body, reason) in [
            (json!({"password": ""}), "password.empty"),
            (json!({"password": "x".repeat(73)}), "password.too-long"),
            (json!({"password": "ä".repeat(37)}), "password.too-long"),
            (json!({"password": "a\0b"}), "password.nul"),
            (json!({}), "input.invalid"),
            (json!({"password": 7}), "input.invalid"),
            (json!({"password": "new", "username": "bob"}), "input.unknown-member"),
        ] {
            assert_eq!(set(&house, &id, &body).await.reason(400), reason, "{body}");
        }
        for absent in ["0", &"0".repeat(20)] {
            assert_eq!(set(&house, absent, &json!({"password": "new"})).await.reason(404), "credential.not-found");
        }
        assert_eq!(set(&house, &id, &json!({"password": "x".repeat(72)})).await.status, 200);
        house.act(&id, "revoke").await.good();
        let (before, operations) = (house.show(&id).await, house.room.password_operations());
        let refused = set(&house, &id, &json!({"password": "new"})).await;
        assert_eq!(refused.reason(409), "credential.illegal-transition");
        assert_eq!((house.show(&id).await, house.room.password_operations()), (before, operations), "and nothing was hashed");
        house.end().await;
    }

    async fn the_password_stands_in_no_record_and_no_answer(kind) {
        let house = House::new(kind).await;
        let id = house.credential("bob", "old").await;
        let answer = set(&house, &id, &json!({"password": "canary-7f3a"})).await.good();
        let records = serde_json::to_string(&house.records(&id).await).unwrap();
        for text in [answer.to_string(), records] {
            assert!(!text.contains("canary-7f3a") && !text.contains("$2"), "{text}");
        }
        let stored = house.number("SELECT count(*) FROM credential WHERE password_hash LIKE '$2_$04$%' AND username = 'bob'").await;
        assert_eq!(stored, 1, "as a hash only");
        house.end().await;
    }

    async fn of_many_at_once_each_is_either_stored_or_told_that_it_lost(kind) {
        let house = House::new(kind).await;
        let id = house.credential("bob", "old").await;
        let calls = (0..20).map(|n| {
            let (house, id) = (&house, &id);
            async move { (n, set(house, id, &json!({"password": format!("pw-{n}")})).await) }
        });
        let answers = futures_util::future::join_all(calls).await;
        let stored = answers.iter().filter(|(_, answer)| answer.status == 200).count();
        assert!(stored >= 1);
        assert!(answers.iter().filter(|(_, a)| a.status != 200).all(|(_, a)| a.reason(409) == "storage.contention"));
        let mut right = 0;
        for (n, answer) in &answers {
            let allowed = house.check("bob", &format!("pw-{n}")).await["allowed"] == json!(true);
            assert!(!allowed || answer.status == 200, "a password that was refused counts");
            right += usize::from(allowed);
        }
        assert_eq!(right, 1, "one of them is the last");
        let records = house.actions(&id).await.iter().filter(|action| *action == "credential.set-password").count();
        assert_eq!(records, stored);
        house.end().await;
    }
}
