//! Every row of `kaa.md` 14.3, as a gateway on the bus sees it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use signet_bus::Subject;
use signet_model::CredentialKind::Basic;

use crate::house::{BASIC_REQUEST, CapAnswer, House, PATIENCE, Settings, cap_answer, eventually};
use crate::on_both;

fn answered(status: i32, credential: Option<&str>) -> CapAnswer {
    CapAnswer { correlation: "c-1".to_owned(), status, credential: credential.map(str::to_owned) }
}

on_both! {
    async fn each_row_of_the_table(kind) {
        let house = House::new(kind).await;
        let bob = house.credential("bob", "pw").await;
        assert_eq!(house.ask("bob", "no").await, answered(401, None));
        assert_eq!(house.state(&bob).await, "Inactive", "a wrong password changes nothing");
        assert_eq!(house.ask("bob", "pw").await, answered(200, Some(&bob)));
        assert_eq!(house.state(&bob).await, "Active");
        assert_eq!(house.ask("bob", "pw").await, answered(200, Some(&bob)));
        let record = house.records(&bob).await.pop().unwrap();
        assert_eq!((record.action.as_str(), record.actor.as_str()), ("credential.activate", "bus"));

        assert_eq!(house.ask_as("nowhere", "bob", "pw").await, answered(404, None));
        assert_eq!(house.ask_as("no such name/", "bob", "pw").await, answered(404, None));
        assert_eq!(house.ask_as("default", "bob", "pw").await, answered(404, None));
        assert_eq!(house.ask("nobody", "pw").await, answered(404, None));
        assert_eq!(house.ask("BOB", "pw").await, answered(404, None));
        for (tenant, username, password) in [("", "bob", "pw"), ("acme", "", "pw"), ("acme", "bob", "")] {
            assert_eq!(house.ask_as(tenant, username, password).await, answered(400, None));
        }
        assert_eq!(house.ask("bob", &"x".repeat(100)).await, answered(401, None));
        assert_eq!(house.ask("bob", "pw\0").await, answered(401, None));
        assert_eq!(house.ask("bob\0", "pw").await, answered(404, None));
        assert_eq!(house.ask(&"u".repeat(100_000), "pw").await, answered(404, None));

        house.act(&bob, "suspend").await.good();
        assert_eq!(house.ask("bob", "pw").await, answered(403, Some(&bob)));
        assert_eq!(house.ask("bob", "no").await, answered(401, None));
        house.act(&bob, "resume").await.good();
        assert_eq!(house.ask("bob", "pw").await, answered(200, Some(&bob)));
        house.post("/api/v1/tenants/acme/identities/dev-1/disable", &json!({})).await.good();
        assert_eq!(house.ask("bob", "pw").await, answered(403, Some(&bob)));
        assert_eq!(house.ask("bob", "no").await, answered(401, None));
        house.post("/api/v1/tenants/acme/identities/dev-1/enable", &json!({})).await.good();
        house.act(&bob, "revoke").await.good();
        assert_eq!(house.ask("bob", "pw").await, answered(403, Some(&bob)));
        assert_eq!(house.ask("bob", "no").await, answered(401, None));
        house.end().await;
    }

    async fn a_disabled_tenant_lets_nobody_in(kind) {
        let house = House::new(kind).await;
        let bob = house.credential("bob", "pw").await;
        house.post("/api/v1/tenants/acme/disable", &json!({})).await.good();
        assert_eq!(house.ask("bob", "pw").await, answered(403, Some(&bob)));
        assert_eq!(house.ask("bob", "no").await, answered(401, None));
        assert_eq!(house.check("bob", "pw").await["reason"], "tenant.disabled");
        assert_eq!(house.state(&bob).await, "Inactive");
        house.end().await;
    }

    async fn what_has_come_too_late_or_cannot_be_understood_or_answered_is_counted_and_not_answered(kind) {
        let house = House::new(kind).await;
        let bob = house.credential("bob", "pw").await;
        let subject = Subject::new(BASIC_REQUEST).unwrap();
        let reply = Subject::new("kaa.v1.replica.test.cap.basic-response").unwrap();
        let mut answers = house.listen(reply.as_str()).await;
        let late = house.request("late", "acme", "bob", "pw", 1_000);
        house.pass(Duration::from_millis(6_001)).await;
        house.bus.publish(&subject, Some(&reply), late).await.unwrap();
        let whole = house.request("silent", "acme", "bob", "pw", 0);
        house.bus.publish(&subject, None, whole.clone()).await.unwrap();
        let garbage = [vec![0], vec![0xff; 40], whole[..whole.len() / 2].to_vec(), [b"Obj\x01".as_slice(), &whole].concat(), vec![]];
        for bytes in garbage.clone() {
            house.bus.publish(&subject, Some(&reply), bytes).await.unwrap();
        }
        let count = |result| house.metrics.decisions(Basic, result);
        eventually("all are counted", || async {
            (count("expired"), count("no_reply"), count("malformed")) == (1, 1, u64::try_from(garbage.len()).unwrap())
        })
        .await;
        assert_eq!(house.state(&bob).await, "Inactive");
        // Within the skew, never expiring, and with bytes behind the record: answered. These come after the others.
        let near = house.request("near", "acme", "bob", "pw", 1_000);
        house.pass(Duration::from_millis(5_999)).await;
        let mut surplus = house.request("surplus", "acme", "bob", "pw", 0);
        surplus.extend([1, 2, 3]);
        for bytes in [near, surplus] {
            house.bus.publish(&subject, Some(&reply), bytes).await.unwrap();
        }
        let mut seen = Vec::new();
        for _ in 0..2 {
            let message = tokio::time::timeout(PATIENCE, answers.next()).await.unwrap().unwrap();
            assert_eq!(message.subject, reply);
            seen.push(cap_answer(&message));
        }
        seen.sort_by(|a, b| a.correlation.cmp(&b.correlation));
        assert_eq!(seen.iter().map(|a| (a.correlation.as_str(), a.status)).collect::<Vec<_>>(), [("near", 200), ("surplus", 200)]);
        assert!(answers.try_next().is_none());
        house.end().await;
    }

    async fn a_flood_is_answered_whole_what_does_not_fit_at_once_and_what_needs_no_hash_in_between(kind) {
        let house = House::with(kind, Settings { concurrency: 1, queue: 4, cost: 8, ..Settings::default() }).await;
        let bob = house.credential("bob", "pw").await;
        assert_eq!(house.ask("bob", "pw").await.status, 200);
        let subject = Subject::new(BASIC_REQUEST).unwrap();
        let reply = Subject::new("kaa.v1.replica.flood.cap.basic-response").unwrap();
        let mut answers = house.listen(reply.as_str()).await;
        let total = 80;
        for n in 0..total {
            // Every eighth is known.
            let password = if n % 8 == 7 { "pw".to_owned() } else { format!("no-{n}") };
            let payload = house.request(&n.to_string(), "acme", "bob", &password, 0);
            house.bus.publish(&subject, Some(&reply), payload).await.unwrap();
        }
        let mut seen: BTreeMap<String, CapAnswer> = BTreeMap::new();
        for _ in 0..total {
            let answer = cap_answer(&tokio::time::timeout(PATIENCE, answers.next()).await.unwrap().unwrap());
            assert!(seen.insert(answer.correlation.clone(), answer).is_none(), "answered once");
        }
        let with = |status: i32| seen.values().filter(|answer| answer.status == status).count();
        assert_eq!(with(200) + with(401) + with(503), total);
        assert_eq!(with(200), total / 8);
        assert!(with(401) >= 5 && with(503) > 0, "{} and {}", with(401), with(503));
        assert_eq!(u64::try_from(with(503)).unwrap(), house.metrics.decisions(Basic, "queue_full"));
        assert!(seen.values().all(|answer| answer.credential.as_deref() == (answer.status == 200).then_some(bob.as_str())));
        assert_eq!(house.ask("bob", "still no").await.status, 401, "and it goes on");
        house.end().await;
    }

    async fn every_attempt_costs_one_hash_operation_whether_the_user_exists_or_not(kind) {
        let house = House::new(kind).await;
        house.credential("bob", "pw").await;
        for (tenant, username, password) in [
            ("acme", "bob", "no"),
            ("acme", "bob", "pw"),
            ("acme", "nobody", "pw"),
            ("acme", "bo\u{7}b", "pw"),
            ("nowhere", "bob", "pw"),
            ("not a name/", "bob", "pw"),
            ("acme", "bob", &"x".repeat(100)),
            ("acme", "nobody", &"x".repeat(100)),
        ] {
            let before = house.room.password_operations();
            house.ask_as(tenant, username, password).await;
            assert_eq!(house.room.password_operations() - before, 1, "{tenant} {username}");
        }
        assert_eq!(house.metrics.verifications("bcrypt"), 8);
        let before = house.room.password_operations();
        house.ask_as("acme", "", "pw").await;
        assert_eq!(house.room.password_operations(), before, "what is empty costs nothing");
        house.end().await;
    }

    async fn a_provider_that_stops_answers_what_it_took(kind) {
        let mut house = House::with(kind, Settings { concurrency: 2, cost: 8, ..Settings::default() }).await;
        house.credential("bob", "pw").await;
        let subject = Subject::new(BASIC_REQUEST).unwrap();
        let reply = Subject::new("kaa.v1.replica.stop.cap.basic-response").unwrap();
        let mut answers = house.listen(reply.as_str()).await;
        for n in 0..20 {
            let payload = house.request(&n.to_string(), "acme", "bob", "pw", 0);
            house.bus.publish(&subject, Some(&reply), payload).await.unwrap();
        }
        // The first answer proves that all are there: they were sent before it was worked on.
        let first = tokio::time::timeout(PATIENCE, answers.next()).await.unwrap().unwrap();
        assert_eq!(cap_answer(&first).status, 200);
        house.stop_cap().await;
        for _ in 1..20 {
            let message = tokio::time::timeout(PATIENCE, answers.next()).await.unwrap().unwrap();
            assert_eq!(cap_answer(&message).status, 200);
        }
        let payload = house.request("late", "acme", "bob", "pw", 0);
        let late = house.bus.request(&subject, payload, Duration::from_millis(200)).await;
        assert!(late.is_err(), "nobody serves any more: {late:?}");
        house.end().await;
    }

    async fn two_replicas_answer_each_request_once(kind) {
        let house = House::new(kind).await;
        let other = house.replica().await;
        house.credential("bob", "pw").await;
        let subject = Subject::new(BASIC_REQUEST).unwrap();
        let reply = Subject::new("kaa.v1.replica.pair.cap.basic-response").unwrap();
        let mut answers = house.listen(reply.as_str()).await;
        for n in 0..40 {
            let payload = house.request(&n.to_string(), "acme", "bob", "pw", 0);
            house.bus.publish(&subject, Some(&reply), payload).await.unwrap();
        }
        for _ in 0..40 {
            let message = tokio::time::timeout(PATIENCE, answers.next()).await.unwrap().unwrap();
            assert_eq!(cap_answer(&message).status, 200);
        }
        assert!(answers.try_next().is_none());
        let total = house.metrics.decisions(Basic, "allowed") + other.metrics.decisions(Basic, "allowed");
        assert_eq!(total, 40);
        assert_eq!(house.number("SELECT count(*) FROM audit WHERE record LIKE '%credential.activate%'").await, 1);
        other.end().await;
        house.end().await;
    }
}

pub(crate) async fn disable_tenant(house: &House) {
    house.post("/api/v1/tenants/acme/disable", &json!({})).await.good();
}
