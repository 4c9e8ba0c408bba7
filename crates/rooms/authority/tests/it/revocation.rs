//! CRL and OCSP beside each other: what they say after each move, and what they are served with.

use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use signet_model::CredentialState::{Active, Revoked, Suspended};
use signet_pki::Crl;

use crate::house::{House, generated};
use crate::on_both;
use crate::watch::{Said, Watched, ask, ca, der, get, list, moved, moved_together, ocsp, ocsp_request, reported, said};

const HOLD: Option<u8> = Some(6);

async fn issued(house: &House, name: &str) -> Watched {
    Watched::of(&house.issue("acme", name).await.unwrap())
}

on_both! {
    async fn every_move_is_on_the_crl_and_in_ocsp_at_once(kind) {
        let house = House::new(kind).await;
        let one = issued(&house, "one").await;
        let see = async || (list(&house.room, "acme", 1, &one.crl).await.entries.get(&one.serial).copied(), ocsp(&house.room, "acme", 1, &one.serial).await);
        assert_eq!(see().await, (None, Said::Good), "Inactive");
        moved(&house, "acme", &one, Active, None).await;
        assert_eq!(see().await, (None, Said::Good));
        moved(&house, "acme", &one, Suspended, Some("lost on the way")).await;
        assert_eq!(see().await, (Some(HOLD), Said::Revoked(HOLD)));
        moved(&house, "acme", &one, Active, None).await;
        assert_eq!(see().await, (None, Said::Good));
        moved(&house, "acme", &one, Revoked, Some("keyCompromise")).await;
        assert_eq!(see().await, (Some(Some(1)), Said::Revoked(Some(1))));
        moved(&house, "acme", &one, Active, None).await;
        assert_eq!(see().await, (Some(Some(1)), Said::Revoked(Some(1))), "nothing comes back from revocation");
        assert_eq!(house.number("SELECT count(*) FROM compromised_key").await, 1);
    }

    async fn a_list_is_signed_again_only_when_its_content_changes_or_half_of_its_period_has_passed(kind) {
        let house = House::new(kind).await;
        let one = issued(&house, "one").await;
        let number = async || list(&house.room, "acme", 1, &one.crl).await.number;
        let first = number().await;
        moved(&house, "acme", &one, Active, None).await;
        house.clock.advance(Duration::from_secs(3 * 3_600 - 1));
        assert_eq!(number().await, first, "the first use changes nothing that a list says");
        house.clock.advance(Duration::from_secs(1));
        let second = number().await;
        assert!(second > first);
        moved(&house, "acme", &one, Suspended, None).await;
        let third = number().await;
        assert!(third > second, "also within the same second");
        house.clock.set(signet_model::Timestamp::EPOCH);
        assert!(number().await > third, "also when the clock went back");
        let records: Vec<_> = house.records("crl/acme/1/0").await.into_iter().filter(|entry| entry.action == "crl.publish").collect();
        assert_eq!(records.len(), 4);
    }

    async fn the_publisher_brings_changed_and_old_lists_up_to_date_by_itself(kind) {
        let house = House::new(kind).await;
        let one = issued(&house, "one").await;
        assert_eq!(house.room.publish_round().await.unwrap().published, 0, "nobody asked for that list yet");
        moved(&house, "acme", &one, Suspended, None).await;
        assert_eq!(house.room.publish_round().await.unwrap().published, 1);
        assert_eq!(house.room.publish_round().await.unwrap().published, 0);
        house.clock.advance(Duration::from_secs(3 * 3_600 + 1));
        assert_eq!(house.room.publish_round().await.unwrap().published, 1);
        assert_eq!(house.room.publish_round().await.unwrap(), signet_authority::Round::default());
        assert!(house.room.health().iter().all(|line| line.ok));
    }

    async fn many_that_move_together_move_on_their_lists_together(kind) {
        let house = House::new(kind).await;
        let mut all = Vec::new();
        for n in 0..7 {
            all.push(issued(&house, &format!("n{n}")).await);
        }
        moved(&house, "acme", &all[0], Revoked, Some("superseded")).await;
        let together: Vec<_> = all.iter().collect();
        moved_together(&house, "acme", &together, Revoked, Some("keyCompromise")).await;
        let entries = list(&house.room, "acme", 1, &all[0].crl).await.entries;
        let codes: Vec<_> = all.iter().map(|one| entries.get(&one.serial).copied().flatten()).collect();
        assert_eq!(codes, [Some(4), Some(1), Some(1), Some(1), Some(1), Some(1), Some(1)], "what was revoked keeps its reason");
        assert_eq!(house.number("SELECT count(*) FROM compromised_key").await, 7);
    }

    async fn a_key_found_compromised_after_its_certificate_was_revoked_is_refused_and_given_as_the_reason(kind) {
        let house = House::new(kind).await;
        let one = issued(&house, "one").await;
        moved(&house, "acme", &one, Revoked, Some("superseded")).await;
        let before = list(&house.room, "acme", 1, &one.crl).await;
        assert_eq!(before.entries.get(&one.serial), Some(&Some(4)));
        for reason in ["cessationOfOperation", "a free text", "certificateHold"] {
            assert!(!reported(&house, "acme", &one, reason).await, "{reason}");
        }
        assert_eq!(list(&house.room, "acme", 1, &one.crl).await, before);
        reported(&house, "acme", &one, "keyCompromise").await;
        let after = list(&house.room, "acme", 1, &one.crl).await;
        assert!(after.number > before.number && after.entries.get(&one.serial) == Some(&Some(1)));
        assert_eq!(ocsp(&house.room, "acme", 1, &one.serial).await, Said::Revoked(Some(1)));
        assert_eq!(house.number("SELECT count(*) FROM compromised_key").await, 1);
        reported(&house, "acme", &one, "keyCompromise").await;
        assert_eq!(list(&house.room, "acme", 1, &one.crl).await, after, "said once more it is no news");
    }

    async fn removed_credentials_leave_their_certificates_revoked_on_the_list(kind) {
        let house = House::new(kind).await;
        let (one, two) = (issued(&house, "one").await, issued(&house, "two").await);
        let scope = house.scope("acme");
        let mut change = signet_ledger::Change::new(signet_model::AuditRecord::new(&scope, "tenant.purge-page", "acme"));
        change.effect = signet_authority::register::on_removal(&scope.tenant, &[one.id.clone(), two.id.clone()], scope.now());
        house.ledger.commit(change).await.unwrap();
        let entries = list(&house.room, "acme", 1, &one.crl).await.entries;
        assert_eq!((entries.get(&one.serial), entries.get(&two.serial)), (Some(&Some(5)), Some(&Some(5))));
    }

    async fn what_was_never_issued_is_never_good(kind) {
        let house = House::new(kind).await;
        let one = issued(&house, "one").await;
        let other = Watched::of(&house.issue("default", "one").await.unwrap());
        assert_eq!(ocsp(&house.room, "acme", 1, &[0x17, 0x2a]).await, Said::Unknown);
        assert_eq!(ocsp(&house.room, "acme", 1, &other.serial).await, Said::Unknown, "another tenant's serial number");
        assert_eq!(ocsp(&house.room, "acme", 1, &[0x11; 64]).await, Said::Unknown, "a serial number that nobody could give");
        // An issuer of nobody's: unsigned, and told so.
        let stranger = ca(&house.room, "acme", 1).await;
        let mut request = ocsp_request(&stranger, &one.serial, &[]);
        let at = request.windows(2).position(|pair| pair == [4, 32]).unwrap() + 2;
        request[at] ^= 1;
        let seen = ask(&house.room, "POST", "/ocsp", &[], &request).await;
        assert_eq!(said(&seen.body, &one.serial), Said::Refused(6));
        assert_eq!(said(&ask(&house.room, "POST", "/ocsp", &[], b"\x30\x00").await.body, &[]), Said::Refused(1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_reads_the_list_and_asks_the_responder() {
    let house = House::new(crate::house::Kind::Sqlite).await;
    // OpenSSL judges the times of answers by the real clock.
    #[expect(clippy::disallowed_methods, reason = "a foreign reader lives in real time")]
    let real = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    house.clock.set(signet_model::Timestamp::EPOCH.plus(real));
    let made = house.issue("acme", "one").await.unwrap();
    let one = Watched::of(&made);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/ocsp", listener.local_addr().unwrap());
    let serving = tokio::spawn(axum::serve(listener, house.room.revocation_router()).into_future());
    let directory = house.site.path();
    // The test's own thread waits for it; the runtime's threads serve.
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).current_dir(directory).output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    let issuer = ca(&house.room, "acme", 1).await;
    std::fs::write(directory.join("ca.pem"), issuer.to_pem()).unwrap();
    let pem = signet_pki::pem::write_certificate(&rustls_pki_types::CertificateDer::from(made.leaf.clone()));
    std::fs::write(directory.join("leaf.pem"), pem).unwrap();
    // With a nonce, which has to come back; the answer is signed by a delegate whose certificate is in it.
    let question = ["ocsp", "-issuer", "ca.pem", "-cert", "leaf.pem", "-url", &url, "-CAfile", "ca.pem", "-partial_chain"];
    let shown = openssl(&question);
    assert!(shown.contains("Response verify OK") && shown.contains("leaf.pem: good") && !shown.to_lowercase().contains("nonce"), "{shown}");
    moved(&house, "acme", &one, Suspended, None).await;
    let shown = openssl(&question);
    assert!(shown.contains("Response verify OK") && shown.contains("leaf.pem: revoked") && shown.contains("certificateHold"), "{shown}");
    std::fs::write(directory.join("c.crl"), get(&house.room, &one.crl).await.body).unwrap();
    let shown = openssl(&["crl", "-inform", "DER", "-in", "c.crl", "-noout", "-text", "-CAfile", "ca.pem"]);
    assert!(shown.contains("verify OK") && shown.contains("Certificate Hold"), "{shown}");
    serving.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plain_listener_serves_what_caches_and_probes_ask_for() {
    let house = House::new(crate::house::Kind::Sqlite).await;
    let one = issued(&house, "one").await;
    let room = &house.room;
    let first = get(room, &one.crl).await;
    assert_eq!(first.header("cache-control"), "max-age=60, public, no-transform, must-revalidate");
    assert!(first.header("last-modified").ends_with("GMT") && first.header("x-content-type-options") == "nosniff");
    let tag = first.header("etag").to_owned();
    let again = ask(room, "GET", &one.crl, &[("if-none-match", &tag)], &[]).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let dated = ask(room, "GET", &one.crl, &[("if-modified-since", "Sun, 06 Nov 2094 08:49:37 GMT")], &[]).await;
    assert_eq!(dated.status, 200, "a date tells nothing of what a client holds");
    let head = ask(room, "HEAD", &one.crl, &[], &[]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!((head.header("content-length"), head.header("etag")), (first.body.len().to_string().as_str(), tag.as_str()));
    moved(&house, "acme", &one, Suspended, None).await;
    let changed = ask(room, "GET", &one.crl, &[("if-none-match", &tag)], &[]).await;
    assert_eq!(changed.status, 200);
    assert_eq!(Crl::parse(&changed.body).unwrap().entries().len(), 1);
    let absent = [
        "/crl/acme/1/1.crl",
        "/crl/acme/2/0.crl",
        "/crl/nobody/1/0.crl",
        "/crl/acme/1/00.crl",
        "/crl/acme/1/0",
        "/crl/acme/1/-1.crl",
        "/crl/a%20b/1/0.crl",
        "/crl/acme/99999999999999999999/0.crl",
        "/ca/acme/2.cer",
        "/ca/nobody/1.cer",
        "/ca/acme/1",
        "/",
        "/health",
    ];
    let words: Vec<_> = {
        let mut words = Vec::new();
        for path in absent {
            let seen = get(room, path).await;
            assert_eq!((seen.status, seen.header("cache-control")), (404, "no-store"), "{path}");
            words.push(seen.body);
        }
        words
    };
    assert!(words.windows(2).all(|pair| pair[0] == pair[1]), "the same words for whatever is not there");
    assert_eq!(ask(room, "DELETE", &one.crl, &[], &[]).await.status, 405);
    // OCSP by GET, escaped or not, may be cached; with a nonce it may not.
    let authority = ca(room, "acme", 1).await;
    let path = |request: &[u8]| base64::engine::general_purpose::STANDARD.encode(request);
    let request = ocsp_request(&authority, &one.serial, &[]);
    for path in [path(&request), path(&request).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")] {
        let seen = get(room, &format!("/ocsp/{path}")).await;
        assert_eq!((seen.status, said(&seen.body, &one.serial)), (200, Said::Revoked(HOLD)));
        assert_eq!(seen.header("cache-control"), "max-age=30, public, no-transform, must-revalidate");
    }
    const NONCE: &[u8] = &[0x06, 0x09, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02];
    let nonce = der(4, &[7; 16]);
    let extensions = der(0xa2, &der(0x30, &der(0x30, &[NONCE, &der(4, &nonce)].concat())));
    let seen = get(room, &format!("/ocsp/{}", path(&ocsp_request(&authority, &one.serial, &extensions)))).await;
    assert_eq!(seen.header("cache-control"), "no-store");
    assert!(seen.body.windows(nonce.len()).any(|window| window == nonce), "the nonce comes back");
    assert_eq!(get(room, "/ocsp/!!").await.status, 400);
    assert_eq!(ask(room, "POST", "/ocsp", &[], &vec![0x30; 10_001]).await.status, 413);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delegate_is_replaced_after_half_of_its_life_and_issues_nothing() {
    let house = House::new(crate::house::Kind::Sqlite).await;
    let one = issued(&house, "one").await;
    let delegates = async || house.number("SELECT count(*) FROM certificate WHERE profile = 'ocsp'").await;
    for _ in 0..3 {
        assert_eq!(ocsp(&house.room, "acme", 1, &one.serial).await, Said::Good);
    }
    assert_eq!(delegates().await, 1);
    house.clock.advance(Duration::from_secs(86_400 * 4));
    assert_eq!(ocsp(&house.room, "acme", 1, &one.serial).await, Said::Good);
    assert_eq!(delegates().await, 2);
    assert_eq!(house.room.forecast(&house.scope("acme"), Some(60)).await.unwrap().iter().map(|week| week.certificates).sum::<u64>(), 1);
    let order = signet_authority::IssueOrder { ttl: Some(Duration::from_secs(3 * 86_400)), ..generated("short") };
    house.order("acme", order).await.unwrap();
    let weeks = house.room.forecast(&house.scope("acme"), None).await.unwrap();
    assert_eq!((weeks.len(), weeks[0].certificates), (13, 1));
    for weeks in [0, 521] {
        assert_eq!(house.room.forecast(&house.scope("acme"), Some(weeks)).await.unwrap_err().reason.code, "input.invalid");
    }
}
