//! CAs: one platform CA, one for each tenant, whoever asks first and however often.

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use signet_authority::{AuthorityConfig, PlatformSource};
use signet_crypto::SystemEntropy;
use signet_pki::CertificateFacts;

use crate::house::{House, Kind, Site, eventually, usual};
use crate::on_both;

/// A file of the field cases as an operator has it: readable by its owner only.
fn case(site: &Site, name: &str) -> PathBuf {
    let (from, to) = (PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/ca").join(name), site.path().join(name));
    if from.exists() {
        std::fs::copy(from, &to).unwrap();
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    to
}

async fn opened(site: Arc<Site>, certificate: &str, key: &str) -> Result<House, (&'static str, String)> {
    let mut config = usual();
    config.platform = PlatformSource::Files { certificate: case(&site, certificate), key: case(&site, key), chain: None };
    let house = House::closed(site, config, Arc::new(SystemEntropy)).await;
    match house.room.open().await {
        Ok(()) => Ok(house),
        Err(refusal) => {
            assert_eq!(house.number("SELECT count(*) FROM platform_ca").await, 0, "nothing is made");
            house.end().await;
            Err((refusal.reason.code, refusal.detail))
        }
    }
}

on_both! {
    async fn a_hundred_first_requests_over_two_replicas_make_one_ca(kind) {
        let house = House::new(kind).await;
        let replica = house.replica().await;
        let rooms = [Arc::clone(&house.room), Arc::clone(&replica.room)];
        let asked: Vec<_> = (0..100)
            .map(|n| {
                let (room, scope) = (Arc::clone(&rooms[n % 2]), house.scope("acme"));
                tokio::spawn(async move { room.issue(&scope, crate::house::generated(&format!("d{n}")), &|_| Ok(None)).await })
            })
            .collect();
        let mut issuers = HashSet::new();
        for asked in asked {
            let issued = asked.await.unwrap().unwrap();
            issuers.insert(issued.chain[0].clone());
        }
        assert_eq!(issuers.len(), 1);
        assert_eq!(house.number("SELECT count(*) FROM tenant_ca").await, 1);
        assert_eq!(house.number("SELECT count(*) FROM platform_ca").await, 1);
        assert_eq!(house.number("SELECT count(*) FROM certificate WHERE state = 'Inactive'").await, 100);
        replica.end().await;
        house.end().await;
    }

    async fn platform_and_tenant_cas_survive_a_restart(kind) {
        let house = House::new(kind).await;
        let before = house.issue("acme", "a").await.unwrap();
        let site = house.end().await;
        let house = House::with(site, usual()).await;
        let after = house.issue("acme", "b").await.unwrap();
        assert_eq!(before.chain, after.chain);
        house.end().await;
    }

    async fn tenants_get_their_ca_without_asking(kind) {
        let house = House::new(kind).await;
        house.credentials.tenant("off", false);
        let tasks = house.room.start_tasks(|| true);
        eventually("both tenants have one", || async { house.number("SELECT count(*) FROM tenant_ca").await == 2 }).await;
        house.credentials.tenant("late", true);
        house.room.tenant_made(&"late".parse().unwrap());
        eventually("the third has one", || async { house.number("SELECT count(*) FROM tenant_ca").await == 3 }).await;
        drop(tasks);
        house.end().await;
    }

    async fn certificates_are_dated_back_as_the_settings_say_and_not_before_their_issuer(kind) {
        for (setting, seconds) in [(None, 3_600), (Some(60), 60), (Some(0), 0), (Some(43_200), 43_200)] {
            let config = AuthorityConfig { back_dating: setting.map(Duration::from_secs), ..usual() };
            let house = House::with(Site::new(kind).await, config).await;
            let now = signet_model::Clock::now(&house.clock).micros() / 1_000_000;
            let issued = house.issue("acme", "a").await.unwrap();
            let (leaf, ca) = (CertificateFacts::read(&issued.leaf).unwrap(), CertificateFacts::read(&issued.chain[0]).unwrap());
            assert_eq!(leaf.not_before.micros() / 1_000_000, now - seconds, "{setting:?}");
            assert!(leaf.not_before >= ca.not_before);
            house.end().await;
        }
    }

    async fn brought_files_that_cannot_be_used_make_nothing(kind) {
        let site = Site::new(kind).await;
        for (certificate, key, reason) in [
            ("pathlen0.crt", "pathlen0.key", "ca.pathlen-too-short"),
            ("pkcs1.crt", "wrong-pair.key", "certificate.key-mismatch"),
            ("missing.crt", "pkcs1.key", "ca.file-unreadable"),
            ("pkcs1.key", "pkcs1.key", "certificate.missing"),
            ("pkcs1.crt", "pkcs1.crt", "private-key.missing"),
        ] {
            let (found, detail) = opened(Arc::clone(&site), certificate, key).await.err().unwrap();
            assert_eq!(found, reason, "{detail}");
            if reason == "certificate.key-mismatch" {
                assert_eq!(detail.matches("sha256:").count(), 2, "both fingerprints: {detail}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_in_every_form_are_taken() {
    for (certificate, key) in [("ec-parameters.crt", "ec-parameters.key"), ("pkcs1.crt", "pkcs1.key")] {
        let house = opened(Site::new(Kind::Sqlite).await, certificate, key).await.unwrap_or_else(|refused| panic!("{refused:?}"));
        let issued = house.issue("acme", "a").await.unwrap();
        assert_eq!(issued.chain.len(), 1, "a self-signed platform CA is not sent");
        house.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_platform_ca_is_refused_once_tenants_have_cas_under_the_first() {
    let house = House::new(Kind::Sqlite).await;
    house.issue("acme", "a").await.unwrap();
    let site = house.end().await;
    let mut config = usual();
    config.platform =
        PlatformSource::Files { certificate: case(&site, "ec-parameters.crt"), key: case(&site, "ec-parameters.key"), chain: None };
    let house = House::closed(site, config, Arc::new(SystemEntropy)).await;
    assert_eq!(house.room.open().await.err().unwrap().reason.code, "ca.platform-changed");
    assert_eq!(house.issue("default", "a").await.err().unwrap().reason.code, "ca.unavailable");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_platform_ca_takes_the_place_of_one_that_issued_nothing() {
    let site = House::new(Kind::Sqlite).await.end().await;
    let house = opened(site, "ec-parameters.crt", "ec-parameters.key").await.unwrap_or_else(|refused| panic!("{refused:?}"));
    house.issue("acme", "a").await.unwrap();
    assert_eq!(house.number("SELECT count(*) FROM platform_ca WHERE key IS NULL").await, 1);
    house.end().await;
}
