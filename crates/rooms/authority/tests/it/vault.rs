//! The CAs of tenants in a real OpenBao: made once, issuing, listed, answered for; sealed, gone, of another mind.

use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use signet_authority::rotation::Step;
use signet_authority::{AuthorityConfig, CaCustody, IssuanceRule, IssueOrder, Issued, LeafProfile};
use signet_crypto::{Secret, SystemEntropy};
use signet_custody::vault::{SecretSource, VaultAuth, VaultConfig, VaultPki};
use signet_model::{CredentialState, Timestamp};
use signet_outbound::AddressPolicy;
use signet_pki::{CertificateFacts, Crl, Csr, SubjectName};
use signet_testkit::{BaoKind, FaultProxy, ProxyMode, TestBao};
use tower::ServiceExt as _;

use crate::house::{House, Kind, Site, generated, usual};
use crate::on_both;
use crate::watch::Said;

/// A server for the tests that do it no harm.
fn shared() -> &'static TestBao {
    static SHARED: OnceLock<TestBao> = OnceLock::new();
    SHARED.get_or_init(|| TestBao::private(BaoKind::Dev))
}

/// A login as root whose mounts lie below a prefix of their own.
fn vault(bao: &TestBao, url: &str, prefix: &str) -> Arc<VaultPki> {
    let token = SecretSource::Given(Arc::new(Secret::from(bao.root_token())));
    let config = VaultConfig { policy: AddressPolicy::permissive(), ..VaultConfig::new(url, VaultAuth::Token { token }, prefix) };
    VaultPki::start(config, Arc::new(SystemEntropy)).unwrap()
}

/// A site whose clock is the server's.
async fn site(kind: Kind, vault: &Arc<VaultPki>) -> Arc<Site> {
    let site = Site::new(kind).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    site.clock.set(Timestamp::from_micros(i64::try_from(now.as_micros()).unwrap()));
    *site.custody.lock().unwrap() = CaCustody::Vault(Arc::clone(vault));
    site
}

fn prefix(test: &str, kind: Kind) -> String {
    format!("{test}/{kind:?}")
}

async fn house(test: &str, kind: Kind, config: AuthorityConfig) -> (House, Arc<VaultPki>) {
    let vault = vault(shared(), &shared().url(), &prefix(test, kind));
    (House::with(site(kind, &vault).await, config).await, vault)
}

/// The CRL that a certificate names, asked at the listener.
async fn crl_of(house: &House, leaf: &[u8]) -> Vec<u8> {
    let facts = CertificateFacts::read(leaf).unwrap();
    let path = facts.crl_urls[0].strip_prefix("http://127.0.0.1:7480").unwrap().to_owned();
    let request = Request::get(path).header("host", "localhost").body(Body::empty()).unwrap();
    let response = house.room.revocation_router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body().collect().await.unwrap().to_bytes().to_vec()
}

/// The reason code under which the CRL lists the certificate; none when it does not.
async fn listed(house: &House, issued: &Issued) -> Option<u8> {
    let crl = crl_of(house, &issued.leaf).await;
    let crl = Crl::parse(&crl).unwrap();
    crl.entry(&issued.serial.to_der_bytes()).map(|entry| entry.reason_code.unwrap_or(0))
}

/// What OpenSSL reads in the answer of OCSP about the certificate.
async fn ocsp(house: &House, issued: &Issued) -> String {
    let directory = house.site.path();
    let pem = |der: &[u8]| signet_pki::pem::write_certificate(&der.to_vec().into());
    std::fs::write(directory.join("leaf.pem"), pem(&issued.leaf)).unwrap();
    std::fs::write(directory.join("issuer.pem"), pem(&issued.chain[0])).unwrap();
    let openssl = |arguments: &[&str]| {
        let out = Command::new("openssl").args(arguments).current_dir(directory).output().unwrap();
        assert!(out.status.success(), "{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
    };
    openssl(&["ocsp", "-issuer", "issuer.pem", "-cert", "leaf.pem", "-no_nonce", "-reqout", "request.der"]);
    let body = std::fs::read(directory.join("request.der")).unwrap();
    let request = Request::post("/ocsp").header("host", "localhost").header("content-type", "application/ocsp-request");
    let response = house.room.revocation_router().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    std::fs::write(directory.join("answer.der"), response.into_body().collect().await.unwrap().to_bytes()).unwrap();
    let bundle = house.get("/api/v1/tenants/acme/ca/bundle").await.good();
    std::fs::write(directory.join("all.pem"), format!("{}{}", pem(&issued.chain[0]), bundle["bundle"].as_str().unwrap())).unwrap();
    openssl(&["ocsp", "-issuer", "issuer.pem", "-cert", "leaf.pem", "-respin", "answer.der", "-CAfile", "all.pem"])
}

fn request(directory: &std::path::Path) -> String {
    let run = |arguments: &[&str]| {
        let out = Command::new("openssl").args(arguments).current_dir(directory).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    run(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "c.key"]);
    run(&["req", "-new", "-key", "c.key", "-subj", "/CN=dev-1", "-addext", "subjectAltName=URI:urn:device:1"])
}

on_both! {
    async fn a_ca_in_vault_issues_and_its_lists_and_answers_follow_each_state(kind) {
        let (house, vault) = house("issues", kind, usual()).await;
        let body = json!({"csr": request(house.site.path()), "identity": "dev-1"});
        let made = house.post("/api/v1/tenants/acme/certificates", &body).await.good();
        assert_eq!((made["issuer"].as_str(), made["state"].as_str(), made["subject"].as_str()), (Some("CN=acme"), Some("Inactive"), Some("CN=dev-1")));
        let ca = house.get("/api/v1/tenants/acme/ca").await.good();
        assert_eq!((ca["custody"].as_str(), ca["generation"].as_i64()), (Some("vault"), Some(1)));
        assert_eq!(house.number("SELECT count(*) FROM tenant_ca WHERE key IS NOT NULL").await, 0);
        let chain: String = made["chain"].as_array().unwrap().iter().map(|pem| pem.as_str().unwrap()).collect();
        let directory = house.site.path();
        let bundle = house.get("/api/v1/tenants/acme/ca/bundle").await.good();
        std::fs::write(directory.join("a.pem"), bundle["bundle"].as_str().unwrap()).unwrap();
        std::fs::write(directory.join("c.pem"), format!("{}{chain}", made["certificate"].as_str().unwrap())).unwrap();
        let verify = ["verify", "-purpose", "sslclient", "-x509_strict", "-CAfile", "a.pem", "-untrusted", "c.pem", "c.pem"];
        let out = Command::new("openssl").args(verify).current_dir(directory).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));

        let issued = house.issue("acme", "d2").await.unwrap();
        let scope = house.scope("acme");
        assert!(issued.private_key.is_some());
        assert!(ocsp(&house, &issued).await.contains("leaf.pem: good"));
        let mount = vault.mount(&scope.tenant).unwrap();
        assert!(vault.serials(&mount).await.unwrap().contains(&issued.serial.colon_hex()), "the stored number is the one in the certificate");
        let id = &issued.id;
        house.credentials.move_to(&scope, id, CredentialState::Suspended, None).await.unwrap();
        assert_eq!(listed(&house, &issued).await, Some(6));
        assert!(ocsp(&house, &issued).await.contains("revoked"));
        house.credentials.move_to(&scope, id, CredentialState::Active, None).await.unwrap();
        assert_eq!(listed(&house, &issued).await, None);
        assert_eq!(house.room.tell_mounts().await.unwrap(), 0, "a hold is not told");
        house.credentials.move_to(&scope, id, CredentialState::Revoked, Some("superseded")).await.unwrap();
        assert_eq!(listed(&house, &issued).await, Some(4));
        assert_eq!(house.room.tell_mounts().await.unwrap(), 1);
        let path = format!("{mount}/cert/{}", issued.serial.colon_hex());
        let there = shared().must("GET", &path, &Value::Null);
        assert!(there.pointer("/data/revocation_time").and_then(Value::as_i64).unwrap() > 0, "{there}");
        house.end().await;
    }

    async fn every_profile_comes_back_as_it_was_asked_for(kind) {
        for profile in LeafProfile::ALL {
            let (house, _) = house(&format!("profile-{profile}"), kind, AuthorityConfig { profile, ..usual() }).await;
            let rule = IssuanceRule { dns: vec!["*.example".to_owned()], uri: vec!["urn:".to_owned()], ..IssuanceRule::default() };
            house.room.set_rule(&house.scope("acme"), rule).await.unwrap();
            let names: &[&str] = match profile {
                LeafProfile::Device => &["urn:device:7"],
                LeafProfile::Kaa => &[],
                LeafProfile::Service => &["pump-7.example", "urn:service:7,8"],
            };
            let names = names.iter().map(|name| SubjectName::parse(name).unwrap()).collect();
            let issued = house.order("acme", IssueOrder { names, ..generated("pump-7.example") }).await.unwrap();
            assert_eq!(issued.profile, profile);
            house.end().await;
        }
    }

    async fn many_first_requests_at_two_replicas_make_one_ca(kind) {
        let (house, vault) = house("single", kind, usual()).await;
        let other = house.replica().await;
        let orders = (0..20).map(|number| {
            let house = if number % 2 == 0 { &house } else { &other };
            async move { house.issue("acme", &format!("d{number}")).await.unwrap() }
        });
        let issued = futures_util::future::join_all(orders).await;
        assert!(issued.iter().all(|one| one.generation == 1 && one.chain == issued[0].chain));
        assert_eq!(house.number("SELECT count(*) FROM tenant_ca WHERE tenant = 'acme'").await, 1);
        let keys = shared().must("LIST", &format!("{}/keys", vault.mount(&house.scope("acme").tenant).unwrap()), &Value::Null);
        assert_eq!(keys.pointer("/data/keys").and_then(Value::as_array).unwrap().len(), 1, "{keys}");
        for one in &issued {
            let facts = CertificateFacts::read(&one.leaf).unwrap();
            assert_eq!(facts.serial, one.serial);
        }
        other.end().await;
        house.end().await;
    }

    async fn a_list_stays_within_what_openbao_signs(kind) {
        let config = AuthorityConfig { partition_size: 3, ..usual() };
        let (house, _) = house("parts", kind, config).await;
        let mut parts = std::collections::BTreeMap::<String, usize>::new();
        for number in 0..7 {
            let issued = house.issue("acme", &format!("d{number}")).await.unwrap();
            *parts.entry(CertificateFacts::read(&issued.leaf).unwrap().crl_urls[0].clone()).or_default() += 1;
            assert_eq!(listed(&house, &issued).await, None);
        }
        assert!(parts.values().all(|members| *members <= 3) && parts.len() == 3, "{parts:?}");
        house.end().await;
    }

    async fn sealed_is_said_and_what_was_missed_is_made_up_when_it_is_open(kind) {
        let bao = TestBao::private(BaoKind::Dev);
        let vault = vault(&bao, &bao.url(), "pki");
        let house = House::with(site(kind, &vault).await, usual()).await;
        let _tasks = house.room.start_tasks(|| true);
        let issued = house.issue("acme", "d1").await.unwrap();
        assert_eq!(listed(&house, &issued).await, None);
        bao.seal();
        let refused = house.issue("acme", "d2").await.err().unwrap();
        assert_eq!((refused.reason.code, refused.reason.status), ("custody.sealed", 503));
        let custody = || house.room.health().into_iter().find(|line| line.name == "authority.custody").unwrap();
        assert!(!custody().ok && custody().detail.contains("custody.sealed"), "{}", custody().detail);
        house.credentials.move_to(&house.scope("acme"), &issued.id, CredentialState::Revoked, None).await.unwrap();
        assert_eq!(house.number("SELECT count(*) FROM certificate WHERE state = 'intended'").await, 0, "what surely was not signed is given up");
        let numbers = house.number("SELECT count(*) FROM certificate").await;
        for _ in 0..5 {
            assert_eq!(house.issue("acme", "d2").await.err().unwrap().reason.code, "custody.sealed");
        }
        assert_eq!(house.number("SELECT count(*) FROM certificate").await, numbers, "no serial number is spent while it is known to be sealed");
        bao.unseal();
        crate::house::eventually("the mount knows, the list says it, health is well", || async {
            let path = format!("{}/cert/{}", vault.mount(&house.scope("acme").tenant).unwrap(), issued.serial.colon_hex());
            let there = bao.must("GET", &path, &Value::Null);
            there.pointer("/data/revocation_time").and_then(Value::as_i64).unwrap() > 0 && listed(&house, &issued).await == Some(0) && custody().ok
        })
        .await;
        house.issue("acme", "d3").await.unwrap();
        drop(_tasks);
        house.end().await;
    }

    async fn while_vault_is_sealed_the_last_delegate_answers_and_questions_fill_no_list(kind) {
        let bao = TestBao::private(BaoKind::Dev);
        let vault = vault(&bao, &bao.url(), "pki");
        let house = House::with(site(kind, &vault).await, usual()).await;
        let issued = house.issue("acme", "d1").await.unwrap();
        let serial = issued.serial.to_der_bytes();
        let said = async || crate::watch::ocsp(&house.room, "acme", 1, &serial).await;
        assert_eq!(said().await, Said::Good);
        bao.seal();
        house.clock.advance(std::time::Duration::from_secs(4 * 86_400));
        for _ in 0..6 {
            assert_eq!(said().await, Said::Good, "the last one is good for some days more");
        }
        house.credentials.move_to(&house.scope("acme"), &issued.id, CredentialState::Revoked, None).await.unwrap();
        assert_eq!(said().await, Said::Revoked(None), "and tells the truth");
        assert_eq!(house.number("SELECT count(*) FROM certificate WHERE profile = 'ocsp'").await, 2, "one try, whoever asks how often");
        let path = CertificateFacts::read(&issued.leaf).unwrap().crl_urls[0].strip_prefix("http://127.0.0.1:7480").unwrap().to_owned();
        assert_eq!(crate::watch::get(&house.room, &path).await.status, 503, "no list is better than one that lacks the revocation");
        house.end().await;
    }

    async fn what_is_not_as_asked_is_revoked_at_once_and_refused(kind) {
        let (house, vault) = house("asked", kind, usual()).await;
        house.issue("acme", "d1").await.unwrap();
        let mount = vault.mount(&house.scope("acme").tenant).unwrap();
        let before = vault.serials(&mount).await.unwrap();
        // Somebody has changed the role by hand.
        shared().must("POST", &format!("{mount}/roles/device"), &json!({"allow_any_name": true, "enforce_hostnames": false, "server_flag": true, "key_type": "any"}));
        let refused = house.issue("acme", "d2").await.err().unwrap();
        assert_eq!(refused.reason.code, "certificate.lint-ours", "{}", refused.detail);
        let drawn: Vec<String> = vault.serials(&mount).await.unwrap().into_iter().filter(|serial| !before.contains(serial)).collect();
        let there = shared().must("GET", &format!("{mount}/cert/{}", drawn[0]), &Value::Null);
        assert!(there.pointer("/data/revocation_time").and_then(Value::as_i64).unwrap() > 0, "{there}");
        let orphans = house.room.reconcile(&house.scope("acme")).await.unwrap().before;
        assert_eq!(orphans.len(), 1);
        let serial = signet_pki::Serial::parse_text(&format!("0x{}", drawn[0].replace(':', ""))).unwrap();
        assert_eq!(orphans[0].serial, serial.decimal(), "it stands on the CRL under the number that it has");
        house.end().await;
    }

    async fn another_back_dating_in_the_settings_reaches_the_roles_that_are_there(kind) {
        let (house, _vault) = house("back-dating", kind, usual()).await;
        let first = house.issue("acme", "d1").await.unwrap();
        let further = AuthorityConfig { back_dating: Some(Duration::from_secs(6 * 3_600)), ..usual() };
        let house = House::with(house.end().await, further).await;
        let second = house.issue("acme", "d2").await.unwrap();
        assert!(second.validity.not_before.plus(Duration::from_secs(4 * 3_600)) < first.validity.not_before);
        house.end().await;
    }

    async fn what_was_signed_and_never_stored_is_found_in_the_mount(kind) {
        let proxy = FaultProxy::to(&shared().address());
        let through = vault(shared(), &proxy.url_through(&shared().url()), &prefix("lost", kind));
        let house = House::with(site(kind, &through).await, usual()).await;
        let first = house.issue("acme", "d1").await.unwrap();
        // The process ends while it waits for the answer.
        proxy.set(ProxyMode::Blackhole);
        let cut_off = tokio::time::timeout(Duration::from_millis(500), house.issue("acme", "d2")).await;
        assert!(cut_off.is_err());
        proxy.set(ProxyMode::Forward);
        // Somebody signs beside us.
        let mount = through.mount(&house.scope("acme").tenant).unwrap();
        let csr = Csr::parse(request(house.site.path()).as_bytes()).unwrap().verify().unwrap();
        let order = signet_custody::vault::SignOrder {
            role: "device",
            csr: csr.request().expose(),
            common_name: Some("nobody"),
            names: &[],
            not_after: CertificateFacts::read(&first.leaf).unwrap().not_after,
        };
        let beside = through.sign_csr(&mount, "generation-1", order).await.unwrap();
        house.clock.advance(Duration::from_secs(61));
        let found = house.room.reconcile(&house.scope("acme")).await.unwrap();
        assert!(found.now.len() + found.before.len() >= 2, "{found:?}");
        let beside = CertificateFacts::read(&beside.certificate).unwrap().serial;
        assert!(found.now.iter().chain(&found.before).any(|orphan| orphan.serial == beside.decimal()), "{found:?}");
        let crl = crl_of(&house, &first.leaf).await;
        assert!(Crl::parse(&crl).unwrap().entry(&beside.to_der_bytes()).is_some());
        for text in through.serials(&mount).await.unwrap() {
            let serial = signet_pki::Serial::parse_text(&format!("0x{}", text.replace(':', ""))).unwrap().decimal();
            let der = through.certificate(&mount, &text).await.unwrap().unwrap();
            if !CertificateFacts::read(&der).unwrap().is_ca {
                let list = house.get(&format!("/api/v1/tenants/acme/certificates?serial={serial}")).await.good();
                let known = !list["items"].as_array().unwrap().is_empty() || found.now.iter().chain(&found.before).any(|orphan| orphan.serial == serial);
                assert!(known, "{serial} is known to nobody");
            }
        }
        house.end().await;
    }

    async fn a_clock_an_hour_off_gives_no_certificate_outside_of_its_issuer_s_life(kind) {
        const HOUR: i64 = 3_600;
        for (name, seconds, issues) in [("behind", -HOUR, true), ("ahead", HOUR, true), ("two-days-ahead", 48 * HOUR, false)] {
            let vault = vault(shared(), &shared().url(), &prefix(&format!("clock-{name}"), kind));
            let site = site(kind, &vault).await;
            let now = signet_model::Clock::now(&site.clock).micros();
            site.clock.set(Timestamp::from_micros(now + seconds * 1_000_000));
            let house = House::with(site, usual()).await;
            let outcome = house.issue("acme", "d1").await;
            if issues {
                let issued = outcome.unwrap_or_else(|refused| panic!("{name}: {}", refused.detail));
                let (leaf, ca) = (CertificateFacts::read(&issued.leaf).unwrap(), CertificateFacts::read(&issued.chain[0]).unwrap());
                assert!(leaf.not_before >= ca.not_before && leaf.not_after <= ca.not_after, "{name}");
                assert!(leaf.not_before.micros() <= now + 1_000_000, "{name}: usable at once for whoever has the right time");
            } else {
                let refused = outcome.err().unwrap();
                assert_eq!(refused.reason.code, "certificate.lint-ours");
                assert!(refused.detail.contains("before its issuer") && refused.fix().contains("clock"), "{} {}", refused.detail, refused.fix());
                assert_eq!(house.number("SELECT count(*) FROM certificate WHERE state = 'Inactive'").await, 0);
            }
            house.end().await;
        }
    }

    async fn a_ca_in_vault_is_rotated_and_its_key_deleted_at_the_end(kind) {
        let (house, vault) = house("rotated", kind, usual()).await;
        let scope = house.scope("acme");
        let old = house.issue("acme", "d1").await.unwrap();
        for step in [Step::Prepare, Step::Activate] {
            house.room.rotate(&scope, step).await.unwrap();
        }
        let new = house.issue("acme", "d2").await.unwrap();
        assert_eq!((old.generation, new.generation), (1, 2));
        assert_ne!(old.chain, new.chain);
        for step in [Step::Taint, Step::Retire] {
            house.room.rotate(&scope, step).await.unwrap();
        }
        assert!(listed(&house, &old).await.is_some());
        crate::house::eventually("the key is gone from the mount", || async {
            house.room.tell_mounts().await.unwrap();
            vault.issuer_certificate(&vault.mount(&scope.tenant).unwrap(), "generation-1").await.unwrap().is_none()
        })
        .await;
        house.issue("acme", "d3").await.unwrap();
        house.end().await;
    }
}
