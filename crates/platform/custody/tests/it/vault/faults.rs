//! A real server that is sealed, killed, restarted, slow, or does not allow a call; and what comes back by itself.

use std::time::Duration;

use signet_custody::vault::{VaultConfig, VaultHealth};
use signet_testkit::{FaultProxy, ProxyMode};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn sealed_is_named_and_unsealed_or_restarted_goes_on_by_itself() {
    let bao = TestBao::private(BaoKind::Real);
    let vault = as_root(&bao);
    let (mount, _) = ready(&vault, "acme", &Platform::new()).await;
    sign(&vault, &mount).await.unwrap();
    vault.check().await.unwrap();

    bao.seal();
    assert_eq!(vault.health().await.unwrap(), VaultHealth::Sealed);
    assert_eq!(sign(&vault, &mount).await.unwrap_err().reason().code, "custody.sealed");
    assert_eq!(vault.check().await.unwrap_err().reason().code, "custody.sealed");
    // One that starts against a sealed server starts, and works later.
    let late = as_root(&bao);
    assert_eq!(sign(&late, &mount).await.unwrap_err().reason().code, "custody.sealed");
    bao.unseal();
    sign(&vault, &mount).await.unwrap();
    sign(&late, &mount).await.unwrap();

    bao.kill();
    assert_eq!(sign(&vault, &mount).await.unwrap_err().reason().code, "custody.unreachable");
    bao.resume().unwrap();
    assert_eq!(sign(&vault, &mount).await.unwrap_err().reason().code, "custody.sealed");
    bao.unseal();
    sign(&vault, &mount).await.unwrap();
}

#[tokio::test]
async fn what_the_policy_does_not_allow_is_denied_with_its_path_and_without_a_new_login() {
    let bao = shared();
    let (mount, _) = ready(&as_root(bao), "denied", &Platform::new()).await;
    policy(bao, "only-signing", "pki/denied/issuer/g1/sign/*");
    let narrow = start(config(&bao.url(), given(&token(bao, &["only-signing"], 3600))));
    sign(&narrow, &mount).await.unwrap();
    let error = narrow.ensure_mount(&mount).await.unwrap_err();
    assert_eq!(error.reason().code, "custody.denied");
    assert!(error.to_string().contains("sys/mounts/pki/denied"), "{error}");
    sign(&narrow, &mount).await.unwrap();
}

#[tokio::test]
async fn a_slow_server_is_given_up_in_time_and_used_again_when_it_is_well() {
    let bao = shared();
    let (mount, _) = ready(&as_root(bao), "slow", &Platform::new()).await;
    let proxy = FaultProxy::to(&bao.address());
    let hasty =
        VaultConfig { exchange_timeout: Duration::from_millis(700), ..config(&proxy.url_through(&bao.url()), given(bao.root_token())) };
    let vault = start(hasty);
    sign(&vault, &mount).await.unwrap();
    proxy.set(ProxyMode::Blackhole);
    assert_eq!(sign(&vault, &mount).await.unwrap_err().reason().code, "custody.timeout");
    proxy.set(ProxyMode::Forward);
    sign(&vault, &mount).await.unwrap();
    proxy.set(ProxyMode::Cut);
    assert_eq!(sign(&vault, &mount).await.unwrap_err().reason().code, "custody.unreachable");
    proxy.set(ProxyMode::Forward);
    sign(&vault, &mount).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_wait_for_their_turn_and_all_get_their_own() {
    let vault = as_root(shared());
    let (mount, _) = ready(&vault, "many", &Platform::new()).await;
    let before = vault.serials(&mount).await.unwrap().len();
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let (vault, mount) = (Arc::clone(&vault), mount.clone());
            tokio::spawn(async move { sign(&vault, &mount).await.unwrap().certificate })
        })
        .collect();
    let mut certificates = std::collections::BTreeSet::new();
    for call in calls {
        certificates.insert(call.await.unwrap().to_vec());
    }
    assert_eq!(certificates.len(), 100);
    assert_eq!(vault.serials(&mount).await.unwrap().len(), before + 100);
}

#[tokio::test]
async fn https_is_believed_with_the_authority_that_is_named_and_no_other() {
    let bao = TestBao::private(BaoKind::DevTls);
    let trusting = VaultConfig { ca_file: Some(bao.ca_file()), ..config(&bao.url(), given(bao.root_token())) };
    let vault = start(trusting);
    vault.check().await.unwrap();
    let (mount, _) = ready(&vault, "tls", &Platform::new()).await;
    sign(&vault, &mount).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let other = file(dir.path(), "other.pem", Platform::new().certificate.to_pem());
    let doubting = VaultConfig { ca_file: Some(other), ..config(&bao.url(), given(bao.root_token())) };
    assert_eq!(start(doubting).health().await.unwrap_err().reason().code, "custody.unreachable");
}
