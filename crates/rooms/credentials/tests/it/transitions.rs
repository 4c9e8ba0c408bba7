//! The table of `kaa.md` 14.1 over REST, and what parallel callers can do to it.

use serde_json::{Value, json};
use signet_credentials::transition::{Outcome, Request, transition};
use signet_model::CredentialState;

use crate::house::{House, Kind, Settings};
use crate::on_both;

const VERBS: [(&str, Request); 3] = [("suspend", Request::Suspend), ("resume", Request::Resume), ("revoke", Request::Revoke)];

/// A credential brought to a state, by its legal moves.
async fn in_state(house: &House, name: &str, state: CredentialState) -> String {
    let id = house.credential(name, "pw").await;
    let way: &[&str] = match state {
        CredentialState::Inactive => return id,
        CredentialState::Active => &[],
        CredentialState::Suspended => &["suspend"],
        CredentialState::Revoked => &["revoke"],
    };
    assert_eq!(house.check(name, "pw").await["state"], "Active");
    for verb in way {
        house.act(&id, verb).await.good();
    }
    assert_eq!(house.state(&id).await, state.as_str());
    id
}

async fn every_cell(kind: Kind, strict_fsm: bool) {
    let house = House::with(kind, Settings { strict_fsm, ..Settings::default() }).await;
    let mut events = house.events().await;
    for (number, from) in CredentialState::ALL.iter().enumerate() {
        for (verb, request) in VERBS {
            let id = in_state(&house, &format!("{verb}-{number}"), *from).await;
            let (before, records) = (house.show(&id).await, house.actions(&id).await.len());
            let answer = house.act(&id, verb).await;
            let after = house.show(&id).await;
            let new_records = house.actions(&id).await.len() - records;
            match transition(*from, request, strict_fsm) {
                Outcome::Transition { to } => {
                    let body = answer.good();
                    assert_eq!((&body["state"], &body["changed"]), (&json!(to.as_str()), &json!(true)), "{verb} of {from}");
                    assert_eq!(after["state"], to.as_str());
                    assert_eq!(after["version"], before["version"].as_i64().unwrap() + 1);
                    assert_eq!(new_records, 1);
                }
                Outcome::NoChange => {
                    let body = answer.good();
                    assert_eq!((&body["state"], &body["changed"]), (&json!(from.as_str()), &json!(false)), "{verb} of {from}");
                    assert_eq!((&after, new_records), (&before, 0));
                }
                Outcome::Illegal => {
                    assert_eq!(answer.reason(409), "credential.illegal-transition", "{verb} of {from}");
                    assert_eq!((&after, new_records), (&before, 0));
                }
            }
        }
    }
    // Events: exactly one for each credential that was usable and is so no more, however it came there. Records tell which.
    let expected = usize::try_from(house.number(TAKEN_AWAY).await).unwrap();
    let seen = events.next(expected).await;
    let fence = house.credential("fence", "pw").await;
    house.check("fence", "pw").await;
    house.act(&fence, "suspend").await.good();
    let last = events.next(1).await;
    assert_eq!(last[0].credential, fence, "no event beyond those: {last:?} after {seen:?}");
    house.end().await;
}

/// Records of moves from a usable state to one that is not.
const TAKEN_AWAY: &str = "SELECT count(*) FROM audit WHERE (record LIKE '%\"action\":\"credential.suspend\"%' \
                          OR record LIKE '%\"action\":\"credential.revoke\"%') AND record NOT LIKE '%\"from\":\"Suspended\"%'";

on_both! {
    async fn every_cell_of_the_table_over_rest(kind) {
        every_cell(kind, false).await;
    }

    async fn every_cell_of_the_table_with_the_strict_switch(kind) {
        every_cell(kind, true).await;
    }

    async fn of_a_hundred_parallel_suspensions_one_changes_something(kind) {
        let house = House::new(kind).await;
        let other = house.replica().await;
        let mut events = house.events().await;
        let id = house.credential("bob", "pw").await;
        house.check("bob", "pw").await;
        let calls = (0..100_u32).map(|n| {
            let (house, id) = (if n.is_multiple_of(2) { &house } else { &other }, &id);
            async move { house.act(id, "suspend").await.good()["changed"].as_bool().unwrap() }
        });
        let changed = futures_util::future::join_all(calls).await;
        assert_eq!(changed.iter().filter(|changed| **changed).count(), 1);
        assert_eq!(house.actions(&id).await, ["credential.create", "credential.activate", "credential.suspend"]);
        let seen = events.next(1).await;
        assert_eq!(seen[0].credential, id);
        house.act(&id, "resume").await.good();
        house.act(&id, "revoke").await.good();
        let next = events.next(1).await;
        assert_ne!(next[0].correlation, seen[0].correlation);
        assert_eq!(house.number("SELECT count(*) FROM audit WHERE record LIKE '%\"action\":\"credential.suspend\"%'").await, 1);
        other.end().await;
        house.end().await;
    }

    async fn mixed_parallel_moves_make_a_legal_path_that_ends_revoked(kind) {
        let house = House::new(kind).await;
        let other = house.replica().await;
        let id = house.credential("bob", "pw").await;
        let calls = (0..60).map(|n: usize| {
            let (house, id) = (if n.is_multiple_of(2) { &house } else { &other }, &id);
            async move {
                match n % 4 {
                    3 => drop(house.check("bob", "pw").await),
                    2 if n < 40 => drop(house.act(id, "resume").await),
                    _ if n < 40 => drop(house.act(id, "suspend").await),
                    _ => drop(house.act(id, "revoke").await),
                }
            }
        });
        futures_util::future::join_all(calls).await;
        house.act(&id, "revoke").await.good();
        assert_eq!(house.state(&id).await, "Revoked");
        let mut state = CredentialState::Inactive;
        let records = house.records(&id).await;
        for record in records.iter().skip(1) {
            let request = match record.action.as_str() {
                "credential.activate" => Request::FirstUse,
                "credential.suspend" => Request::Suspend,
                "credential.resume" => Request::Resume,
                "credential.revoke" => Request::Revoke,
                other => panic!("{other}"),
            };
            assert_eq!(record.detail.get("from").map(String::as_str), Some(state.as_str()), "{record:?}");
            match transition(state, request, false) {
                Outcome::Transition { to } => state = to,
                other => panic!("{other:?} for {record:?}"),
            }
        }
        assert_eq!(state, CredentialState::Revoked);
        let version = house.show(&id).await["version"].as_u64().unwrap();
        assert_eq!(version, u64::try_from(records.len()).unwrap(), "each record is one version");
        other.end().await;
        house.end().await;
    }

    async fn a_suspension_in_the_middle_of_first_uses_is_never_overwritten(kind) {
        let house = House::new(kind).await;
        for round in 0..8 {
            let name = format!("u{round}");
            let id = house.credential(&name, "pw").await;
            let (checks, suspended) = tokio::join!(
                futures_util::future::join_all((0..6).map(|_| house.ask(&name, "pw"))),
                async { house.act(&id, "suspend").await.good() },
            );
            assert_eq!((&suspended["state"], &suspended["changed"]), (&json!("Suspended"), &json!(true)));
            assert_eq!(house.state(&id).await, "Suspended");
            assert!(checks.iter().all(|answer| matches!(answer.status, 200 | 403)), "{checks:?}");
            assert_eq!(house.check(&name, "pw").await["reason"], "credential.suspended");
            let last = house.actions(&id).await.pop();
            assert_eq!(last.as_deref(), Some("credential.suspend"));
        }
        house.end().await;
    }

    async fn parallel_creations_of_one_username_make_one_credential(kind) {
        let house = House::new(kind).await;
        let body = json!({"kind": "basic", "username": "bob", "password": "pw"});
        let calls = (0..20).map(|_| house.post("/api/v1/tenants/acme/credentials", &body));
        let answers = futures_util::future::join_all(calls).await;
        let made: Vec<&Value> = answers.iter().filter(|answer| answer.status == 201).map(|answer| &answer.body).collect();
        assert_eq!(made.len(), 1);
        assert_eq!(made[0]["identity"], Value::Null);
        assert!(answers.iter().filter(|a| a.status != 201).all(|a| a.reason(409) == "credential.username-taken"));
        house.end().await;
    }
}
