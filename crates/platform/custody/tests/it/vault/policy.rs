//! The policy that we hand out allows every call that Signet makes, and nothing beside.

use std::time::Duration;

use signet_custody::vault::{ListEntry, RevocationList};
use signet_pki::Serial;

use super::*;

const POLICY: &str = include_str!("../../../../../../deploy/vault-policy.hcl");

#[tokio::test]
async fn the_policy_we_hand_out_allows_every_call_and_no_other() {
    let bao = TestBao::private(BaoKind::Dev);
    bao.must("PUT", "sys/policies/acl/signet", &json!({"policy": POLICY}));
    let login = given(&token(&bao, &["signet"], 600));
    let vault = start(signet_custody::vault::VaultConfig { mount_prefix: "pki/signet".to_owned(), ..config(&bao.url(), login) });
    vault.check().await.unwrap();
    let platform = Platform::new();
    let mount = vault.mount(&"acme".parse().unwrap()).unwrap();
    for _ in 0..2 {
        vault.ensure_mount(&mount).await.unwrap();
    }
    let wanted = CaRequest { issuer: "g1", common_name: "acme", key_type: KeyType::P256 };
    vault.generate_ca_csr(&mount, wanted).await.unwrap();
    let again = vault.generate_ca_csr(&mount, wanted).await.unwrap();
    let chain = [platform.certify(&again), platform.certificate.der().clone()];
    vault.set_signed(&mount, "g1", &chain, &urls()).await.unwrap();
    assert!(vault.issuer_certificate(&mount, "g1").await.unwrap().is_some());
    vault.set_urls(&mount, "g1", &urls()).await.unwrap();
    vault.ensure_role(&mount, &role()).await.unwrap();
    let signed = sign(&vault, &mount).await.unwrap();
    let serial = signet_pki::CertificateFacts::read(&signed.certificate).unwrap().serial;
    let request = csr("/CN=OCSP responder", &["extendedKeyUsage=OCSPSigning"]);
    let end = now().plus(Duration::from_secs(86_400));
    vault.sign_verbatim(&mount, "g1", &request, &["DigitalSignature"], &["OCSPSigning"], end).await.unwrap();
    let entries = [ListEntry { serial: Serial::parse_text("0x1234").unwrap(), at: now(), reason: Some(6) }];
    let list = RevocationList { number: 1, period: Duration::from_secs(3600), distribution_point: None, entries: &entries };
    vault.sign_revocation_list(&mount, "g1", &list).await.unwrap();
    assert!(vault.serials(&mount).await.unwrap().contains(&serial.colon_hex()));
    assert!(vault.certificate(&mount, &serial.colon_hex()).await.unwrap().is_some());
    assert!(vault.revoke(&mount, &serial.colon_hex()).await.unwrap());
    vault.delete_ca(&mount, "g1").await.unwrap();

    let elsewhere = Mount::parse("pki/other").unwrap();
    assert_eq!(vault.ensure_mount(&elsewhere).await.unwrap_err().reason().code, "custody.denied");
    let imported = vault.import_ca(&mount, "g2", &signet_crypto::Secret::from("-"), &chain, &urls()).await.unwrap_err();
    assert_eq!(imported.reason().code, "custody.denied", "keys come from outside only where the policy says so");
}
