//! Certificates as credentials: the table of `kaa.md` 14.1, what their register hears of each move and in which commit, and what
//! parallel callers can do to them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use signet_credentials::transition::{Outcome, Request, transition};
use signet_model::{CredentialId, CredentialKind, CredentialState};

use crate::certificate_house::Wanted;
use crate::house::{House, Kind, Settings};
use crate::on_both;

const VERBS: [(&str, Request); 3] = [("suspend", Request::Suspend), ("resume", Request::Resume), ("revoke", Request::Revoke)];

/// A certificate brought to a state, by its legal moves.
async fn in_state(house: &House, serial: &str, state: CredentialState) -> String {
    let id = house.certificate(serial).await;
    if state != CredentialState::Inactive {
        assert_eq!(house.check_certificate("acme", "CN=acme", serial).await["state"], "Active");
    }
    match state {
        CredentialState::Inactive | CredentialState::Active => {}
        CredentialState::Suspended => drop(house.act(&id, "suspend").await.good()),
        CredentialState::Revoked => drop(house.act(&id, "revoke").await.good()),
    }
    assert_eq!(house.state(&id).await, state.as_str());
    // The register tells moves apart by their time.
    house.clock.advance(Duration::from_millis(1));
    id
}

async fn every_cell(kind: Kind, strict_fsm: bool) {
    let house = House::with(kind, Settings { strict_fsm, ..Settings::default() }).await;
    let mut events = house.certificate_events().await;
    let mut expected = Vec::new();
    for (number, from) in CredentialState::ALL.iter().enumerate() {
        for (place, (verb, request)) in VERBS.into_iter().enumerate() {
            let id = in_state(&house, &format!("{number}{place}"), *from).await;
            if !from.usable() {
                expected.push(id.clone());
            }
            let (before, records, moves) = (house.show(&id).await, house.actions(&id).await.len(), house.told_moves(&id).await);
            let path = format!("/api/v1/tenants/acme/credentials/{id}/{verb}");
            let answer = house.post(&path, &json!({"reason": "keyCompromise"})).await;
            let after = house.show(&id).await;
            let (new_records, mut new_moves) = (house.actions(&id).await.len() - records, house.told_moves(&id).await);
            new_moves.drain(..moves.len());
            match transition(*from, request, strict_fsm) {
                Outcome::Transition { to } => {
                    let body = answer.good();
                    assert_eq!((&body["state"], &body["changed"]), (&json!(to.as_str()), &json!(true)), "{verb} of {from}");
                    assert_eq!((after["state"].as_str(), new_records), (Some(to.as_str()), 1));
                    let told = (from.to_string(), to.to_string(), Some("keyCompromise".to_owned()));
                    assert_eq!(new_moves, [told], "{verb} of {from}");
                    if from.usable() && !to.usable() {
                        expected.push(id.clone());
                    }
                }
                Outcome::NoChange => {
                    // That a key turned out to be compromised is news of what is revoked already, and of nothing else.
                    let news = usize::from(*from == CredentialState::Revoked);
                    assert_eq!(answer.good()["changed"], json!(false), "{verb} of {from}");
                    assert_eq!((&after, new_records, new_moves.len()), (&before, news, 0));
                    assert_eq!(house.told_reports(&id).await, if news == 1 { vec!["keyCompromise".to_owned()] } else { Vec::new() });
                    house.post(&path, &json!({"reason": "superseded"})).await.good();
                    assert_eq!(house.actions(&id).await.len() - records, news, "any other reason is none");
                }
                Outcome::Illegal => {
                    assert_eq!(answer.reason(409), "credential.illegal-transition", "{verb} of {from}");
                    assert_eq!((&after, new_records, new_moves.len()), (&before, 0, 0));
                }
            }
        }
    }
    let seen = events.next(expected.len()).await;
    let seen: Vec<&str> = seen.iter().map(|event| event.credential.as_str()).collect();
    assert_eq!(seen, expected, "one event for each that was usable and is not any more, in their order");
    let fence = in_state(&house, "99", CredentialState::Suspended).await;
    assert_eq!(events.next(1).await[0].credential, fence, "and no other");
    house.end().await;
}

on_both! {
    async fn every_cell_of_the_table_over_rest(kind) {
        every_cell(kind, false).await;
    }

    async fn every_cell_of_the_table_with_the_strict_switch(kind) {
        every_cell(kind, true).await;
    }

    async fn one_is_born_inactive_with_what_it_is_known_by(kind) {
        let house = House::new(kind).await;
        let wanted = Wanted { identity: Some("dev-1"), common_name: Some("größe 1"), ..Wanted::own("0x544f433f07d26aaeb4e9b1a59598a55865410cc1") };
        let id = house.certificate_as(&wanted).await;
        let shown = house.show(&id).await;
        let identity = house.get("/api/v1/tenants/acme/identities/dev-1").await.good()["id"].clone();
        for (member, value) in [
            ("kind", json!("x509")), ("state", json!("Inactive")), ("issuer", json!("CN=acme")), ("common_name", json!("größe 1")),
            ("serial", json!("481322841591230125307308739340986366174349561025")), ("identity", identity.clone()), ("anchor", Value::Null),
            ("username", Value::Null), ("endpoint", Value::Null), ("last_used_at", Value::Null), ("version", json!(1)),
        ] {
            assert_eq!(shown[member], value, "{member}");
        }
        assert!(shown["not_before"].as_str().unwrap() < shown["not_after"].as_str().unwrap());
        let record = house.records(&id).await.pop().unwrap();
        let detail = |name: &str| record.detail.get(name).map(String::as_str);
        assert_eq!((record.action.as_str(), detail("kind"), detail("issuer")), ("credential.create", Some("x509"), Some("CN=acme")));
        assert_eq!((detail("serial"), detail("identity")), (shown["serial"].as_str(), identity.as_str()));
        assert_eq!(house.metrics.credentials(CredentialKind::X509, CredentialState::Inactive), 1);
        // A foreign one names who vouches for it, and its issuer's name is kept in one form.
        let foreign = Wanted { issuer: "C = DE, O = Plant, CN = Plant CA", anchor: Some("plant"), common_name: None, ..Wanted::own("5") };
        let shown = house.show(&house.certificate_as(&foreign).await).await;
        assert_eq!((shown["anchor"].as_str(), &shown["common_name"]), (Some("plant"), &Value::Null));
        assert_eq!(house.check_certificate("acme", "CN=Plant CA,O=Plant,C=DE", "5").await["issuer"], shown["issuer"]);
        house.end().await;
    }

    async fn two_certificates_of_one_issuer_never_have_one_number(kind) {
        let house = House::new(kind).await;
        house.certificate("4660").await;
        for again in ["4660", "0x1234", "12:34"] {
            assert_eq!(house.try_certificate(&Wanted::own(again)).await.unwrap_err().reason.code, "certificate.taken", "{again}");
        }
        // Whoever's it is, and whatever way its issuer is written.
        let elsewhere = Wanted { tenant: "default", issuer: "/CN=acme", ..Wanted::own("4660") };
        assert_eq!(house.try_certificate(&elsewhere).await.unwrap_err().reason.code, "certificate.taken");
        house.certificate_as(&Wanted { issuer: "CN=other", ..elsewhere }).await;
        let at_once = (0..20).map(|_| async { house.try_certificate(&Wanted::own("77")).await });
        let made = futures_util::future::join_all(at_once).await;
        assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
        assert!(made.iter().filter_map(|made| made.as_ref().err()).all(|refusal| refusal.reason.code == "certificate.taken"));
        let long = format!("CN={}", "x".repeat(2_001));
        assert_eq!(house.try_certificate(&Wanted { issuer: &long, ..Wanted::own("1") }).await.unwrap_err().reason.code, "input.invalid");
        house.end().await;
    }

    async fn one_is_made_only_where_tenant_and_identity_stand(kind) {
        let house = House::new(kind).await;
        let refused = async |wanted: &Wanted<'_>| {
            let leaning = house.room.certificate_leaning(&house.scope(wanted.tenant), wanted.identity).await.unwrap_err();
            let birth = house.try_certificate(wanted).await.unwrap_err();
            assert_eq!(leaning.reason, birth.reason);
            birth.reason.code
        };
        let nobody = Wanted { identity: Some("nobody"), ..Wanted::own("1") };
        assert_eq!(refused(&nobody).await, "identity.not-found");
        let elsewhere = Wanted { tenant: "default", identity: Some("dev-1"), ..Wanted::own("1") };
        assert_eq!(refused(&elsewhere).await, "identity.not-found");
        assert_eq!(refused(&Wanted { tenant: "nowhere", ..Wanted::own("1") }).await, "tenant.not-found");
        house.post("/api/v1/tenants/acme/disable", &json!({})).await.good();
        assert_eq!(refused(&Wanted::own("1")).await, "tenant.disabled");
        assert_eq!(house.number("SELECT count(*) FROM credential").await, 0);
        house.end().await;
    }

    async fn a_room_without_a_register_makes_none_and_still_keeps_states_right(kind) {
        let house = House::new(kind).await;
        let id = house.certificate("1").await;
        let house = house.restarted(Settings { certificates: false, ..Settings::default() }).await;
        let mut events = house.certificate_events().await;
        let refusal = house.try_certificate(&Wanted::own("2")).await.unwrap_err();
        assert_eq!((refusal.reason.code, refusal.reason.status), ("certificates.off", 501));
        let leaning = house.room.certificate_leaning(&house.scope("acme"), None).await.unwrap_err();
        assert_eq!(leaning.reason.code, "certificates.off");
        assert_eq!(house.connects("1").await, 200);
        assert_eq!(house.state(&id).await, "Active");
        house.act(&id, "suspend").await.good();
        assert_eq!(house.connects("1").await, 403);
        assert_eq!(events.next(1).await[0].credential, id);
        assert_eq!(house.told_moves(&id).await, []);
        house.end().await;
    }

    async fn what_the_register_writes_and_the_move_are_one_commit(kind) {
        let house = House::new(kind).await;
        let mut events = house.certificate_events().await;
        let (fresh, used) = (house.certificate("1").await, house.certificate("2").await);
        assert_eq!(house.connects("2").await, 200);
        house.register.broken.store(true, Ordering::SeqCst);
        // What cannot be written beside keeps the move from being made, whichever it is.
        let answer = house.act(&used, "suspend").await;
        assert!(answer.status >= 500, "{}", answer.body);
        assert!(house.act(&fresh, "revoke").await.status >= 500);
        assert_eq!(house.connects("1").await, 500);
        let refused = house.post("/api/v1/certificates/check", &json!({"issuer": "CN=acme", "serial": "1"})).await;
        assert!(refused.status >= 500, "{}", refused.body);
        assert_eq!((house.state(&fresh).await, house.state(&used).await), ("Inactive".to_owned(), "Active".to_owned()));
        assert_eq!(house.actions(&fresh).await, ["credential.create"]);
        assert_eq!(house.actions(&used).await, ["credential.create", "credential.activate"]);
        // What moves nothing needs no register.
        assert_eq!(house.connects("2").await, 200);
        house.register.broken.store(false, Ordering::SeqCst);
        assert_eq!(house.connects("1").await, 200);
        house.act(&used, "suspend").await.good();
        let told = |from: &str, to: &str| (from.to_owned(), to.to_owned(), None);
        assert_eq!(house.told_moves(&fresh).await, [told("Inactive", "Active")]);
        assert_eq!(house.told_moves(&used).await, [told("Inactive", "Active"), told("Active", "Suspended")]);
        assert_eq!(events.next(1).await[0].credential, used, "no event of what was not committed");
        house.end().await;
    }

    async fn of_a_hundred_parallel_suspensions_one_changes_and_tells_something(kind) {
        let house = House::new(kind).await;
        let other = house.replica().await;
        let mut events = house.certificate_events().await;
        let id = house.certificate("1").await;
        assert_eq!(house.connects("1").await, 200);
        let calls = (0..100_u32).map(|n| {
            let (house, id) = (if n.is_multiple_of(2) { &house } else { &other }, &id);
            async move { house.act(id, "suspend").await.good()["changed"].as_bool().unwrap() }
        });
        let changed = futures_util::future::join_all(calls).await;
        assert_eq!(changed.iter().filter(|changed| **changed).count(), 1);
        assert_eq!(house.told_moves(&id).await.len(), 2);
        let seen = events.next(1).await;
        assert_eq!((seen[0].credential.as_str(), seen[0].tenant.as_str()), (id.as_str(), "acme"));
        house.act(&id, "resume").await.good();
        house.act(&id, "revoke").await.good();
        assert_ne!(events.next(1).await[0].correlation, seen[0].correlation);
        other.end().await;
        house.end().await;
    }

    async fn a_suspension_in_the_middle_of_first_uses_is_never_overwritten(kind) {
        let house = House::new(kind).await;
        let other = house.replica().await;
        for round in 1..=12 {
            let serial = round.to_string();
            let id = house.certificate(&serial).await;
            let (checks, suspended) = tokio::join!(
                futures_util::future::join_all((0..6).map(|_| house.connects(&serial))),
                async { other.act(&id, "suspend").await.good() },
            );
            assert_eq!((&suspended["state"], &suspended["changed"]), (&json!("Suspended"), &json!(true)));
            assert_eq!(house.state(&id).await, "Suspended");
            assert!(checks.iter().all(|status| matches!(status, 200 | 403)), "{checks:?}");
            assert_eq!(house.connects(&serial).await, 403);
            let moves = house.told_moves(&id).await;
            // The fake clock stands still, so that two moves of one instant have no order of their own.
            assert!(moves.iter().any(|(_, to, _)| to == "Suspended") && moves.len() <= 2, "{moves:?}");
            assert_eq!(house.actions(&id).await.pop().as_deref(), Some("credential.suspend"));
        }
        other.end().await;
        house.end().await;
    }

    async fn a_compromised_key_takes_all_certificates_over_it_along(kind) {
        let house = House::new(kind).await;
        let mut events = house.certificate_events().await;
        let [one, two, three, other] = [house.certificate("1").await, house.certificate("2").await, house.certificate("3").await, house.certificate("4").await];
        house.act(&three, "suspend").await.good();
        assert_eq!(events.next(1).await[0].credential, three);
        *house.register.same_key.lock() = [&two, &three].map(|id| id.parse().unwrap()).to_vec();
        house.post(&format!("/api/v1/tenants/acme/credentials/{one}/revoke"), &json!({"reason": "superseded"})).await.good();
        assert_eq!((house.state(&two).await, house.state(&three).await), ("Inactive".to_owned(), "Suspended".to_owned()));
        house.post(&format!("/api/v1/tenants/acme/credentials/{one}/revoke"), &json!({"reason": "keyCompromise"})).await.good();
        for id in [&one, &two, &three] {
            assert_eq!(house.state(id).await, "Revoked");
        }
        assert_eq!(house.state(&other).await, "Inactive");
        let told = |from: &str| vec![(from.to_owned(), "Revoked".to_owned(), Some("keyCompromise".to_owned()))];
        assert_eq!(house.told_moves(&two).await, told("Inactive"));
        let seen: Vec<String> = events.next(2).await.into_iter().map(|event| event.credential).collect();
        assert_eq!(seen, [one, two], "one event for each that was usable");
        house.end().await;
    }

    async fn the_certificates_of_a_ca_that_ends_are_revoked_whatever_their_state_and_each_told_once(kind) {
        let house = House::with(kind, Settings { strict_fsm: true, ..Settings::default() }).await;
        let mut events = house.certificate_events().await;
        let mut ids = Vec::new();
        for (place, state) in CredentialState::ALL.iter().enumerate() {
            ids.push(in_state(&house, &format!("{}", place + 1), *state).await);
        }
        let early: Vec<String> = events.next(2).await.into_iter().map(|event| event.credential).collect();
        assert_eq!(early, ids[2..]);
        for serial in 100..170 {
            ids.push(house.certificate(&serial.to_string()).await);
        }
        let foreign = house.certificate_as(&Wanted { tenant: "default", issuer: "CN=default", ..Wanted::own("1") }).await;
        let mut named: Vec<CredentialId> = ids.iter().chain([&foreign]).map(|id| id.parse().unwrap()).collect();
        named.push("7".repeat(20).parse().unwrap());
        for _ in 0..2 {
            house.room.revoke_certificates(&house.scope("acme"), &named, "caCompromise").await.unwrap();
        }
        for id in &ids {
            assert_eq!(house.state(id).await, "Revoked");
        }
        let mut told: Vec<String> = events.next(ids.len() - 2).await.into_iter().map(|event| event.credential).collect();
        told.sort_unstable();
        let mut wanted: Vec<String> = ids[..2].iter().chain(&ids[4..]).cloned().collect();
        wanted.sort_unstable();
        assert_eq!(told, wanted);
        assert_eq!(house.told_moves(&ids[0]).await, [("Inactive".to_owned(), "Revoked".to_owned(), Some("caCompromise".to_owned()))]);
        assert_eq!(house.told_moves(&ids[3]).await.len(), 2, "one that was revoked before is passed over");
        assert_eq!(house.connects("100").await, 403);
        let elsewhere = house.get(&format!("/api/v1/tenants/default/credentials/{foreign}")).await.good();
        assert_eq!(elsewhere["state"], "Inactive", "another tenant's is none of theirs");
        house.end().await;
    }

    async fn a_list_finds_certificates_by_each_spelling_of_their_names(kind) {
        let house = House::new(kind).await;
        house.credential("bob", "pw").await;
        let one = house.certificate_as(&Wanted { identity: Some("dev-1"), ..Wanted::own("0x0f12") }).await;
        let two = house.certificate_as(&Wanted { common_name: Some("100%"), ..Wanted::own("0x3858") }).await;
        let foreign = house.certificate_as(&Wanted { issuer: "CN=x,O=Acme,C=US", common_name: Some("dev"), ..Wanted::own("3858") }).await;
        house.certificate_as(&Wanted { tenant: "default", issuer: "CN=default", ..Wanted::own("3858") }).await;
        let found = async |query: &str| {
            let page = house.get(&format!("/api/v1/tenants/acme/credentials?{query}")).await.good();
            page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let (both, none) = (vec![foreign.clone(), one.clone()], Vec::<String>::new());
        for (query, wanted) in [
            ("serial=3858", &both), ("serial=0x0f12", &both), ("serial=0F:12", &both), ("serial=0f%2012", &both), ("serial=f12", &both),
            ("serial=0x3858", &vec![two.clone()]), ("serial=14424", &vec![two.clone()]), ("serial=38:58", &vec![two.clone()]),
            ("serial=3858&issuer=CN%3Dacme", &vec![one.clone()]), ("serial=3858&issuer=%2FC%3DUS%2FO%3DAcme%2FCN%3Dx", &vec![foreign.clone()]),
            ("serial=3858&issuer=CN%3Ddefault", &none), ("serial=3858&common_name=dev&kind=x509&state=Inactive", &both),
            ("serial=3858&identity=dev-1", &vec![one.clone()]), ("serial=3858&kind=basic", &none), ("serial=1", &none), ("serial=zz", &none),
            ("common_name=dev", &both), ("common_name=100%25", &vec![two.clone()]), ("common_name=DEV", &none), ("common_name=de_", &none),
            ("common_name=dev&username=bob", &none), ("serial=3858&endpoint=ep-1", &none), ("kind=x509&state=Active", &none),
        ] {
            let mut seen = found(query).await;
            seen.sort_unstable();
            let mut wanted = wanted.clone();
            wanted.sort_unstable();
            assert_eq!(seen, wanted, "{query}");
        }
        assert_eq!(house.get("/api/v1/tenants/acme/credentials?issuer=CN%3Dacme").await.reason(400), "input.invalid");
        house.end().await;
    }

    async fn the_page_of_truth_counts_certificates(kind) {
        let house = House::new(kind).await;
        for serial in 1..=3 {
            house.certificate(&serial.to_string()).await;
        }
        assert_eq!(house.connects("1").await, 200);
        let summary = house.get("/api/v1/tenants/acme/summary").await.good().to_string();
        assert!(summary.contains("x509"), "{summary}");
        house.end().await;
    }

    async fn a_tenant_that_works_is_told_of(kind) {
        let house = House::new(kind).await;
        assert_eq!(*house.register.tenants.lock(), ["acme", "default"]);
        house.post("/api/v1/tenants/acme/disable", &json!({})).await.good();
        house.post("/api/v1/tenants/acme/disable", &json!({})).await.good();
        for _ in 0..2 {
            house.post("/api/v1/tenants/acme/enable", &json!({})).await.good();
            assert!(house.room.ensure_managed_tenant(&house.scope("managed")).await.is_ok());
        }
        assert_eq!(*house.register.tenants.lock(), ["acme", "default", "acme", "managed"]);
        house.post("/api/v1/tenants/default/disable", &json!({})).await.good();
        let names = |tenants: Vec<signet_model::TenantId>| tenants.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(house.room.working_tenants(None, 10).await.unwrap()), ["acme", "managed"]);
        assert_eq!(names(house.room.working_tenants(Some(&"acme".parse().unwrap()), 10).await.unwrap()), ["managed"]);
        assert_eq!(names(house.room.working_tenants(None, 1).await.unwrap()), ["acme"]);
        house.end().await;
    }
}
