//! Every row of `kaa.md` 14.4, as a gateway on the bus sees it, and the same decision over REST.

use std::time::Duration;

use serde_json::{Value, json};
use signet_bus::Subject;
use signet_model::CredentialKind::X509;

use crate::certificate_house::{CERTIFICATE_REQUEST, Wanted, certificate_answer, known, unknown};
use crate::house::{House, PATIENCE, eventually};
use crate::on_both;

/// A serial number of 160 bits.
const LONG: &str = "481322841591230125307308739340986366174349561025";

on_both! {
    async fn each_row_of_the_table(kind) {
        let house = House::new(kind).await;
        let id = house.certificate_as(&Wanted { identity: Some("dev-1"), ..Wanted::own(LONG) }).await;
        let updated = house.show(&id).await["updated_at"].clone();
        assert_eq!(house.ask_certificate("CN=acme", LONG).await, known(200, "acme", &id));
        let shown = house.show(&id).await;
        assert_eq!((shown["state"].as_str(), &shown["updated_at"]), (Some("Active"), &updated), "the first use is no update");
        assert!(shown["last_used_at"].is_string());
        assert_eq!(house.ask_certificate("CN=acme", LONG).await, known(200, "acme", &id));
        assert_eq!(house.actions(&id).await, ["credential.create", "credential.activate"]);
        assert_eq!(house.records(&id).await.pop().unwrap().actor, "bus");

        for (issuer, serial) in [
            ("", LONG), (" ", LONG), ("CN=acme", ""), ("CN=acme", " "), ("CN=acme", "abc"), ("CN=acme", "12ab"), ("CN=acme", "1.5"),
            ("CN=acme", "-"), ("CN=acme", "0x"), ("CN=acme", "1\0"), ("CN=acme", &"9".repeat(200)), ("", ""),
        ] {
            assert_eq!(house.ask_certificate(issuer, serial).await, unknown(400), "{issuer:.20?} {serial:.20?}");
        }
        let long_name = format!("CN={}", "x".repeat(100_000));
        for (issuer, serial) in [
            ("CN=acme", "1"), ("CN=default", LONG), ("CN=Acme", LONG), ("CN=acme,O=x", LONG), ("CN=acme\0", LONG), ("O=acme", LONG),
            ("acme", LONG), ("CN=acme", &format!("-{LONG}")), (&long_name, LONG), ("CN=ac\\,me", LONG), ("CN=acm\u{435}", LONG),
        ] {
            assert_eq!(house.ask_certificate(issuer, serial).await, unknown(404), "{issuer:.20?} {serial:.20?}");
        }

        house.act(&id, "suspend").await.good();
        assert_eq!(house.ask_certificate("CN=acme", LONG).await, known(403, "acme", &id));
        house.act(&id, "resume").await.good();
        assert_eq!(house.ask_certificate("CN=acme", LONG).await, known(200, "acme", &id));
        house.post("/api/v1/tenants/acme/identities/dev-1/disable", &json!({})).await.good();
        assert_eq!(house.ask_certificate("CN=acme", LONG).await, known(403, "acme", &id));
        house.post("/api/v1/tenants/acme/identities/dev-1/enable", &json!({})).await.good();
        house.post("/api/v1/tenants/acme/disable", &json!({})).await.good();
        assert_eq!(house.ask_certificate("CN=acme", LONG).await, known(403, "acme", &id));
        house.post("/api/v1/tenants/acme/enable", &json!({})).await.good();
        house.act(&id, "revoke").await.good();
        assert_eq!(house.ask_certificate("CN=acme", LONG).await, known(403, "acme", &id));
        let count = |result| house.metrics.decisions(X509, result);
        assert_eq!((count("allowed"), count("invalid"), count("unknown")), (3, 12, 11));
        assert_eq!((count("suspended"), count("revoked"), count("disabled")), (1, 1, 2));
        house.end().await;
    }

    async fn every_form_of_an_issuer_finds_it_and_no_other_name_does(kind) {
        let house = House::new(kind).await;
        let wanted = Wanted { issuer: "CN=tenant-x,O=Acme,C=US", anchor: Some("plant"), ..Wanted::own("4660") };
        let id = house.certificate_as(&wanted).await;
        for (issuer, serial) in [
            ("CN=tenant-x,O=Acme,C=US", "4660"), ("C=US,O=Acme,CN=tenant-x", "0004660"), ("C = US, O = Acme, CN = tenant-x", "0x1234"),
            ("/C=US/O=Acme/CN=tenant-x", "12:34"), ("CN=tenant-x, O=Acme, C=US", "0X1234"), ("cn=tenant-x,o=Acme,c=US", " 4660 "),
            ("2.5.4.3=tenant-x,O=Acme,C=US", "4660"), ("CN=tenant\\2dx;O=\"Acme\";C=US", "4660"), ("CN=tenant-x+O=Acme+C=US", "4660"),
        ] {
            assert_eq!(house.ask_certificate(issuer, serial).await, known(200, "acme", &id), "{issuer}");
        }
        for issuer in [
            "CN=tenant-x", "CN=tenant-x,O=Acme", "CN=tenant-x,O=Acme,C=US,C=US", "CN=tenant-x,O=acme,C=US", "CN=tenant-x,O=Acme,C=us",
            "CN=tenant-x,OU=Acme,C=US", "CN=tenant-x,O=Acme,C=US,OU=x", "CN=tenant-x\\,O=Acme,C=US", "CN=tenant\u{2010}x,O=Acme,C=US",
            "CN=tenant-x,O=\u{410}cme,C=US", "O=tenant-x,CN=Acme,C=US", "CN=US,O=Acme,C=tenant-x",
        ] {
            assert_eq!(house.ask_certificate(issuer, "4660").await, unknown(404), "{issuer}");
        }
        // Plain digits are decimal, always.
        let other = house.certificate("1234").await;
        assert_eq!(house.ask_certificate("CN=acme", "1234").await, known(200, "acme", &other));
        assert_eq!(house.ask_certificate("CN=acme", "4660").await, unknown(404));
        let negative = house.certificate("-5").await;
        assert_eq!(house.ask_certificate("CN=acme", "-5").await, known(200, "acme", &negative));
        assert_eq!(house.ask_certificate("CN=acme", "5").await, unknown(404));
        house.end().await;
    }

    async fn two_hundred_names_that_look_alike_stay_apart(kind) {
        let house = House::new(kind).await;
        let mut made = Vec::new();
        for name in confusable() {
            let issuer = format!("CN={name}");
            let id = house.certificate_as(&Wanted { issuer: &issuer, ..Wanted::own("1") }).await;
            made.push((issuer, id));
        }
        assert!(made.len() >= 200, "{}", made.len());
        for (issuer, id) in &made {
            assert_eq!(house.ask_certificate(issuer, "1").await, known(200, "acme", id), "{issuer}");
        }
        house.end().await;
    }

    async fn past_its_end_it_is_refused_and_a_first_use_activates_nothing(kind) {
        let house = House::new(kind).await;
        let lifetime = Duration::from_secs(10 * 86_400);
        let short = |serial| Wanted { lifetime, ..Wanted::own(serial) };
        let (used, fresh) = (house.certificate_as(&short("1")).await, house.certificate_as(&short("2")).await);
        assert_eq!(house.connects("1").await, 200);
        house.pass(lifetime - Duration::from_secs(1)).await;
        assert_eq!(house.connects("1").await, 200);
        house.pass(Duration::from_secs(1)).await;
        assert_eq!(house.ask_certificate("CN=acme", "1").await, known(403, "acme", &used));
        assert_eq!(house.ask_certificate("CN=acme", "2").await, known(403, "acme", &fresh));
        assert_eq!(house.state(&fresh).await, "Inactive");
        let decided = house.check_certificate("acme", "CN=acme", "2").await;
        assert_eq!((&decided["allowed"], &decided["reason"]), (&json!(false), &json!("credential.expired")));
        // What is taken back besides is called so.
        house.act(&used, "suspend").await.good();
        assert_eq!(house.check_certificate("acme", "CN=acme", "1").await["reason"], "credential.suspended");
        house.end().await;
    }

    async fn over_rest_it_is_the_same_decision_with_its_evidence(kind) {
        let house = House::new(kind).await;
        let id = house.certificate("4660").await;
        let evidence = |decided: &Value| ["credential", "state", "issuer", "serial", "tenant"].map(|member| decided[member].clone());
        let decided = house.check_certificate_anywhere("/CN=acme", "0x1234").await;
        assert_eq!(decided["allowed"], json!(true));
        assert_eq!(evidence(&decided), [json!(id), json!("Active"), json!("CN=acme"), json!("4660"), json!("acme")]);
        assert_eq!(house.actions(&id).await, ["credential.create", "credential.activate"]);
        assert_eq!(house.records(&id).await.pop().unwrap().actor, "operator-token");
        assert_eq!(house.check_certificate("acme", "CN=acme", "12:34").await, decided);
        for serial in ["12 34", "4660 (0x1234)", "serial=1234"] {
            assert_eq!(house.check_certificate("acme", "CN=acme", serial).await["allowed"], json!(true), "{serial}");
        }
        let absent = house.check_certificate("default", "CN=acme", "4660").await;
        assert_eq!((&absent["allowed"], &absent["reason"]), (&json!(false), &json!("credential.unknown")));
        assert_eq!(evidence(&absent), [Value::Null, Value::Null, json!("CN=acme"), json!("4660"), Value::Null]);
        house.act(&id, "suspend").await.good();
        let decided = house.check_certificate_anywhere("CN=acme", "4660").await;
        assert_eq!((&decided["allowed"], &decided["reason"], &decided["state"]), (&json!(false), &json!("credential.suspended"), &json!("Suspended")));
        // A number that was copied in hexadecimal without a mark is told of, where it may be seen.
        let hint = |decided: &Value| decided["fix"].as_str().unwrap().contains("`0x1234`");
        assert!(hint(&house.check_certificate_anywhere("CN=acme", "1234").await));
        assert!(hint(&house.check_certificate("acme", "CN=acme", "1234").await));
        assert!(!hint(&house.check_certificate("default", "CN=acme", "1234").await));
        assert!(!hint(&house.check_certificate_anywhere("CN=other", "1234").await));
        for (issuer, serial, reason) in [
            ("acme", "1", "certificate.issuer-invalid"), ("CN=acme", "xyz", "serial.malformed"), ("CN=acme", "", "serial.malformed"),
            ("CN=acme", &"9".repeat(60), "serial.malformed"),
        ] {
            for path in ["/api/v1/certificates/check", "/api/v1/tenants/acme/certificates/check"] {
                assert_eq!(house.post(path, &json!({"issuer": issuer, "serial": serial})).await.reason(400), reason, "{issuer} {serial}");
            }
        }
        house.end().await;
    }

    async fn what_has_come_too_late_or_cannot_be_understood_or_answered_is_counted_and_not_answered(kind) {
        let house = House::new(kind).await;
        let id = house.certificate("1").await;
        let subject = Subject::new(CERTIFICATE_REQUEST).unwrap();
        let reply = Subject::new("kaa.v1.replica.test.cap.certificate-response").unwrap();
        let mut answers = house.listen(reply.as_str()).await;
        let late = house.certificate_request("late", "CN=acme", "1", 1_000);
        house.pass(Duration::from_millis(6_001)).await;
        house.bus.publish(&subject, Some(&reply), late).await.unwrap();
        let whole = house.certificate_request("silent", "CN=acme", "1", 0);
        house.bus.publish(&subject, None, whole.clone()).await.unwrap();
        for bytes in [vec![0], vec![0xff; 40], whole[..whole.len() / 2].to_vec(), vec![]] {
            house.bus.publish(&subject, Some(&reply), bytes).await.unwrap();
        }
        let count = |result| house.metrics.decisions(X509, result);
        eventually("all are counted", || async { (count("expired"), count("no_reply"), count("malformed")) == (1, 1, 4) }).await;
        assert_eq!(house.state(&id).await, "Inactive");
        let near = house.certificate_request("near", "CN=acme", "1", 1_000);
        house.pass(Duration::from_millis(5_999)).await;
        house.bus.publish(&subject, Some(&reply), near).await.unwrap();
        let answer = certificate_answer(&tokio::time::timeout(PATIENCE, answers.next()).await.unwrap().unwrap());
        assert_eq!((answer.correlation.as_str(), answer.status), ("near", 200));
        assert!(answers.try_next().is_none());
        house.end().await;
    }

    async fn two_replicas_answer_each_request_once_and_activate_once(kind) {
        let house = House::new(kind).await;
        let other = house.replica().await;
        let id = house.certificate("1").await;
        let subject = Subject::new(CERTIFICATE_REQUEST).unwrap();
        let reply = Subject::new("kaa.v1.replica.pair.cap.certificate-response").unwrap();
        let mut answers = house.listen(reply.as_str()).await;
        for n in 0..200 {
            let payload = house.certificate_request(&n.to_string(), "CN=acme", "1", 0);
            house.bus.publish(&subject, Some(&reply), payload).await.unwrap();
        }
        for _ in 0..200 {
            let answer = certificate_answer(&tokio::time::timeout(PATIENCE, answers.next()).await.unwrap().unwrap());
            assert_eq!(answer.of, Some(("acme".to_owned(), id.clone())));
        }
        assert!(answers.try_next().is_none());
        assert_eq!(house.metrics.decisions(X509, "allowed") + other.metrics.decisions(X509, "allowed"), 200);
        assert_eq!(house.actions(&id).await, ["credential.create", "credential.activate"]);
        assert_eq!(house.told_moves(&id).await.len(), 1);
        other.end().await;
        house.end().await;
    }

    async fn the_last_use_is_written_at_most_once_a_minute(kind) {
        let house = House::new(kind).await;
        let id = house.certificate("1").await;
        assert_eq!(house.connects("1").await, 200);
        let first = house.show(&id).await["last_used_at"].clone();
        house.pass(Duration::from_secs(59)).await;
        assert_eq!(house.connects("1").await, 200);
        assert_eq!(house.show(&id).await["last_used_at"], first);
        house.pass(Duration::from_secs(1)).await;
        assert_eq!(house.connects("1").await, 200);
        eventually("it is written", || async { house.show(&id).await["last_used_at"] != first }).await;
        house.end().await;
    }
}

/// Names that look alike and are not: other scripts, other spaces and hyphens, other cases, combining marks, escapes.
fn confusable() -> Vec<String> {
    let mut names = Vec::new();
    let alike = ["a\u{430}\u{251}\u{3b1}\u{ff41}", "c\u{441}\u{3f2}\u{ff43}", "m\u{43c}\u{217f}\u{ff4d}", "e\u{435}\u{212e}\u{ff45}"];
    let letters: Vec<Vec<char>> = alike.iter().map(|letters| letters.chars().collect()).collect();
    for a in &letters[0] {
        for c in &letters[1] {
            for m in &letters[2] {
                for e in &letters[3] {
                    names.push(format!("{a}{c}{m}{e}"));
                }
            }
        }
    }
    names.extend(
        ["Acme", "ACME", "acme\u{301}", "acm\u{e9}", "ac me", "ac\u{a0}me", "ac\u{2009}me", "ac-me", "ac\u{2010}me", "ac\u{200b}me"]
            .map(str::to_owned),
    );
    names.extend(["acme\\,", "acme\\+", "acme\\\"", "\\#acme", "acme\\\\", "acme\\=x", "acme.", "acme/x"].map(str::to_owned));
    names
}
