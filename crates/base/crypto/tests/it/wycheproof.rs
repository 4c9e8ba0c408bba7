//! The vectors of Project Wycheproof against our own interface: signatures of others, and sealing.

use signet_crypto::aead;
use signet_crypto::sign::{SignatureAlgorithm, verify_signature};
use wycheproof::TestResult;

/// Holds our verdict against the vector's. What is merely acceptable may go either way.
fn judge(what: &str, expected: TestResult, ours: bool, counted: &mut [usize; 2]) {
    match expected {
        TestResult::Valid => {
            assert!(ours, "{what} is valid, and refused");
            counted[0] += 1;
        }
        TestResult::Invalid => {
            assert!(!ours, "{what} is invalid, and accepted");
            counted[1] += 1;
        }
        TestResult::Acceptable => {}
    }
}

#[test]
fn ecdsa_signatures_are_judged_as_wycheproof_wants() {
    use wycheproof::ecdsa::{TestName as Name, TestSet};
    for (name, algorithm) in [
        (Name::EcdsaSecp256r1Sha256, SignatureAlgorithm::EcdsaSha256),
        (Name::EcdsaSecp256r1Sha512, SignatureAlgorithm::EcdsaSha512),
        (Name::EcdsaSecp384r1Sha256, SignatureAlgorithm::EcdsaSha256),
        (Name::EcdsaSecp384r1Sha384, SignatureAlgorithm::EcdsaSha384),
        (Name::EcdsaSecp384r1Sha512, SignatureAlgorithm::EcdsaSha512),
    ] {
        let mut counted = [0; 2];
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let ours = verify_signature(&group.der, algorithm, &test.msg, &test.sig).is_ok();
                judge(&format!("{name:?} {}: {}", test.tc_id, test.comment), test.result, ours, &mut counted);
            }
        }
        assert!(counted[0] > 100 && counted[1] > 100, "{name:?}: {counted:?}");
    }
}

#[test]
fn ed25519_signatures_are_judged_as_wycheproof_wants() {
    use wycheproof::eddsa::{TestName as Name, TestSet};
    let mut counted = [0; 2];
    for group in TestSet::load(Name::Ed25519).unwrap().test_groups {
        for test in group.tests {
            let ours = verify_signature(&group.der, SignatureAlgorithm::Ed25519, &test.msg, &test.sig).is_ok();
            judge(&format!("{}: {}", test.tc_id, test.comment), test.result, ours, &mut counted);
        }
    }
    assert!(counted[0] > 50 && counted[1] > 50, "{counted:?}");
}

#[test]
fn rsa_signatures_are_judged_as_wycheproof_wants() {
    use wycheproof::rsa_pkcs1_verify::{TestName as Name, TestSet};
    for (name, algorithm) in [
        (Name::Rsa2048Sha256, SignatureAlgorithm::RsaPkcs1Sha256),
        (Name::Rsa2048Sha384, SignatureAlgorithm::RsaPkcs1Sha384),
        (Name::Rsa2048Sha512, SignatureAlgorithm::RsaPkcs1Sha512),
        (Name::Rsa3072Sha256, SignatureAlgorithm::RsaPkcs1Sha256),
        (Name::Rsa3072Sha384, SignatureAlgorithm::RsaPkcs1Sha384),
        (Name::Rsa3072Sha512, SignatureAlgorithm::RsaPkcs1Sha512),
        (Name::Rsa4096Sha256, SignatureAlgorithm::RsaPkcs1Sha256),
        (Name::Rsa4096Sha384, SignatureAlgorithm::RsaPkcs1Sha384),
        (Name::Rsa4096Sha512, SignatureAlgorithm::RsaPkcs1Sha512),
    ] {
        let mut counted = [0; 2];
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let ours = verify_signature(&group.der, algorithm, &test.msg, &test.sig).is_ok();
                judge(&format!("{name:?} {}: {}", test.tc_id, test.comment), test.result, ours, &mut counted);
            }
        }
        assert!(counted[0] > 5 && counted[1] > 100, "{name:?}: {counted:?}");
    }
}

#[test]
fn rsa_pss_signatures_are_judged_as_wycheproof_wants() {
    use wycheproof::rsa_pss_verify::{TestName as Name, TestSet};
    for (name, algorithm) in [
        (Name::RsaPss2048Sha256Mgf1SaltLen32, SignatureAlgorithm::RsaPssSha256),
        (Name::RsaPss3072Sha256Mgf1SaltLen32, SignatureAlgorithm::RsaPssSha256),
        (Name::RsaPss4096Sha256Mgf1SaltLen32, SignatureAlgorithm::RsaPssSha256),
        (Name::RsaPss2048Sha384Mgf1SaltLen48, SignatureAlgorithm::RsaPssSha384),
        (Name::RsaPss4096Sha512Mgf1SaltLen64, SignatureAlgorithm::RsaPssSha512),
    ] {
        let mut counted = [0; 2];
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let ours = verify_signature(&group.der, algorithm, &test.msg, &test.sig).is_ok();
                judge(&format!("{name:?} {}: {}", test.tc_id, test.comment), test.result, ours, &mut counted);
            }
        }
        assert!(counted[0] > 30 && counted[1] > 30, "{name:?}: {counted:?}");
    }
}

#[test]
fn aes_256_gcm_opens_what_wycheproof_sealed_and_nothing_else() {
    use wycheproof::aead::{TestName as Name, TestSet};
    let mut counted = [0; 2];
    for group in TestSet::load(Name::AesGcm).unwrap().test_groups {
        // Other keys and nonces cannot be said in our interface.
        if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
            continue;
        }
        for test in group.tests {
            let key = aead::Key::from_bytes(test.key[..].try_into().unwrap()).unwrap();
            let sealed = [&test.nonce[..], &test.ct, &test.tag].concat();
            let opened = key.open(&test.aad, &sealed);
            if let Ok(plain) = &opened {
                assert_eq!(plain.expose(), &test.pt[..], "{}: {}", test.tc_id, test.comment);
            }
            judge(&format!("{}: {}", test.tc_id, test.comment), test.result, opened.is_ok(), &mut counted);
        }
    }
    assert!(counted[0] > 30 && counted[1] > 20, "{counted:?}");
}
