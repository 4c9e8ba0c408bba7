//! The OCSP responder's part against `openssl ocsp`.

use std::path::PathBuf;
use std::time::Duration;

use signet_crypto::sign::KeyType;
use signet_model::Timestamp;
use signet_pki::{
    CertId, CertIdHash, CertStatus, IssuerHashes, OcspError, OcspRequest, PkiError, Profile, PublicKey, ResponderId, RevocationReason,
    SingleResponse, ocsp_error, ocsp_response, pem,
};

use crate::house::{Authority, Leaf, NOW, NOW_SECONDS};
use crate::openssl::{Files, openssl};

struct House {
    root: Authority,
    ca: Authority,
    responder: Leaf,
    files: Files,
}

fn house() -> House {
    let root = Authority::root("Platform", KeyType::P256);
    let ca = root.below("acme", Profile::TenantCa, KeyType::P256);
    let responder = ca.leaf("OCSP responder", Profile::OcspResponder);
    let files = Files::new();
    files.write("root.pem", root.certificate.to_pem());
    files.write("ca.pem", ca.certificate.to_pem());
    House { root, ca, responder, files }
}

impl House {
    /// The request that `openssl` makes for certificates, with this digest of the issuer.
    fn asked(&self, leaves: &[&Leaf], options: &[&str]) -> Vec<u8> {
        let issuer = self.files.path("ca.pem");
        let mut arguments = vec!["ocsp"];
        arguments.extend(options);
        let paths: Vec<PathBuf> = (0..)
            .zip(leaves)
            .map(|(n, leaf): (u32, _)| self.files.write(&format!("leaf{n}.pem"), pem::write_certificate(&leaf.der)))
            .collect();
        let out = self.files.path("request.der");
        let mut files: Vec<(&str, &std::path::Path)> = vec![("-issuer", &issuer)];
        files.extend(paths.iter().map(|path| ("-cert", path.as_path())));
        files.push(("-reqout", &out));
        openssl(&arguments, &files);
        std::fs::read(out).unwrap()
    }

    fn answer(&self, request: &OcspRequest, status: CertStatus, next_update: Option<Timestamp>) -> Vec<u8> {
        let singles: Vec<_> = request.certs().iter().map(|id| SingleResponse { id, status, this_update: NOW, next_update }).collect();
        let key = PublicKey::from_spki_der(&signet_crypto::sign::Signer::public_key_spki_der(&self.responder.key)).unwrap();
        let id = ResponderId::by_key(key.bits());
        ocsp_response(&singles, &id, NOW, request.nonce(), &self.responder.key, Some(&self.responder.der)).unwrap()
    }

    /// What `openssl ocsp` makes of the answer.
    fn said(&self, answer: &[u8], nonce: bool) -> String {
        let path = self.files.write("answer.der", answer);
        let mut command = std::process::Command::new("openssl");
        // The status times are compared with the clock of the machine whatever -attime says.
        command.args(["ocsp", "-attime", NOW_SECONDS, "-validity_period", "2000000000", "-resp_text", "-respin"]).arg(path);
        command.arg("-CAfile").arg(self.files.path("root.pem"));
        if nonce {
            command.arg("-no_nonce").arg("-reqin").arg(self.files.path("request.der")).arg("-verify_other").arg(self.files.path("ca.pem"));
        } else {
            command.arg("-issuer").arg(self.files.path("ca.pem")).arg("-cert").arg(self.files.path("leaf0.pem"));
        }
        let output = command.output().unwrap_or_else(|e| panic!("openssl does not run ({e}): apt-get install openssl"));
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }
}

#[test]
fn openssl_verifies_good_revoked_and_unknown_by_the_delegate() {
    let house = house();
    let leaf = house.ca.leaf("dev-1", Profile::Device);
    let request = OcspRequest::parse(&house.asked(&[&leaf], &["-no_nonce"])).unwrap();
    assert_eq!(request.nonce(), None);
    assert_eq!(request.certs()[0].serial(), leaf.serial.to_der_bytes());
    let revoked = |reason| CertStatus::Revoked { at: NOW, reason };
    for (status, wanted) in [
        (CertStatus::Good, "leaf0.pem: good"),
        (revoked(Some(RevocationReason::CertificateHold)), "Reason: certificateHold"),
        (revoked(Some(RevocationReason::KeyCompromise)), "Reason: keyCompromise"),
        (revoked(None), "leaf0.pem: revoked"),
        (CertStatus::Unknown, "leaf0.pem: unknown"),
    ] {
        let said = house.said(&house.answer(&request, status, Some(NOW.plus(Duration::from_secs(60)))), false);
        assert!(said.contains("Response verify OK") && said.contains(wanted), "{status:?}: {said}");
        assert_eq!(said.contains("Reason:"), wanted.contains("Reason:"), "{said}");
        assert!(said.contains("Next Update: Jan  1 00:01:00 2026 GMT"), "{said}");
    }
    let without = house.said(&house.answer(&request, CertStatus::Good, None), false);
    assert!(without.contains("Response verify OK") && !without.contains("Next Update"), "{without}");
}

#[test]
fn the_nonce_is_repeated() {
    let house = house();
    let leaf = house.ca.leaf("dev-1", Profile::Device);
    let request = OcspRequest::parse(&house.asked(&[&leaf], &["-nonce"])).unwrap();
    assert!(request.nonce().is_some_and(|nonce| !nonce.is_empty()));
    let said = house.said(&house.answer(&request, CertStatus::Good, None), true);
    assert!(said.contains("OCSP Nonce") && !said.contains("no nonce in response"), "{said}");
    assert!(said.contains("Response verify OK"), "{said}");
    let other = OcspRequest::parse(&house.asked(&[&leaf], &["-nonce"])).unwrap();
    assert_ne!(other.nonce(), request.nonce());
    let said = house.said(&house.answer(&request, CertStatus::Good, None), true);
    assert!(said.contains("Nonce Verify error"), "{said}");
}

#[test]
fn the_authority_itself_may_sign_without_a_certificate() {
    let house = house();
    let leaf = house.ca.leaf("dev-1", Profile::Device);
    let request = OcspRequest::parse(&house.asked(&[&leaf], &["-no_nonce"])).unwrap();
    let single = SingleResponse { id: &request.certs()[0], status: CertStatus::Good, this_update: NOW, next_update: None };
    let id = ResponderId::by_name(house.ca.certificate.subject());
    let answer = ocsp_response(&[single], &id, NOW, None, &house.ca.key, None).unwrap();
    let path = house.files.write("answer.der", answer);
    house.files.write("chain.pem", format!("{}{}", house.root.certificate.to_pem(), house.ca.certificate.to_pem()));
    let output = std::process::Command::new("openssl")
        .args(["ocsp", "-attime", NOW_SECONDS, "-respin"])
        .arg(path)
        .arg("-issuer")
        .arg(house.files.path("ca.pem"))
        .arg("-cert")
        .arg(house.files.path("leaf0.pem"))
        .arg("-CAfile")
        .arg(house.files.path("chain.pem"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("Response verify OK"), "{said}");
}

#[test]
fn the_issuer_is_known_by_both_digests_and_no_other_is_taken_for_it() {
    let house = house();
    let other = house.root.below("acme", Profile::TenantCa, KeyType::P256);
    let leaf = house.ca.leaf("dev-1", Profile::Device);
    let hashes = |ca: &Authority| IssuerHashes::of(ca.certificate.subject().der(), ca.certificate.key_bits());
    let ids = |options: &[&str]| OcspRequest::parse(&house.asked(&[&leaf], options)).unwrap().certs().to_vec();
    for (options, hash) in [
        (&["-sha1", "-no_nonce"][..], CertIdHash::Sha1),
        (&["-sha256", "-no_nonce"], CertIdHash::Sha256),
        (&["-sha384", "-no_nonce"], CertIdHash::Other),
    ] {
        let id: &CertId = &ids(options)[0];
        assert_eq!(id.hash(), hash);
        assert_eq!(hashes(&house.ca).matches(id), hash != CertIdHash::Other);
        assert!(!hashes(&other).matches(id), "the same name with another key is another issuer");
        assert!(!hashes(&house.root).matches(id));
    }
    assert_eq!(ids(&["-sha1", "-no_nonce"])[0].issuer_key_hash(), hashes(&house.ca).key_sha1());
    assert_eq!(ids(&["-sha256", "-no_nonce"])[0].issuer_key_hash(), hashes(&house.ca).key_sha256());
}

#[test]
fn refusals_say_their_status() {
    let house = house();
    house.asked(&[&house.ca.leaf("dev-1", Profile::Device)], &["-no_nonce"]);
    for (error, wanted) in [
        (OcspError::MalformedRequest, "malformedrequest (1)"),
        (OcspError::InternalError, "internalerror (2)"),
        (OcspError::TryLater, "trylater (3)"),
        (OcspError::SigRequired, "sigrequired (5)"),
        (OcspError::Unauthorized, "unauthorized (6)"),
    ] {
        let said = house.said(&ocsp_error(error), false);
        assert!(said.contains(wanted), "{said}");
    }
}

#[test]
fn requests_are_bounded() {
    let house = house();
    let leaf = house.ca.leaf("dev-1", Profile::Device);
    let many = vec![&leaf; 20];
    assert_eq!(OcspRequest::parse(&house.asked(&many, &["-no_nonce"])).unwrap().certs().len(), 20);
    let refused = |der: &[u8]| match OcspRequest::parse(der) {
        Err(PkiError::Malformed { detail, .. }) => detail,
        other => panic!("{other:?}"),
    };
    let too_many = vec![&leaf; 21];
    assert!(refused(&house.asked(&too_many, &["-no_nonce"])).contains("more than 20"));
    assert!(refused(&vec![0x30; 10_001]).contains("longer"));
    for bytes in [&b""[..], b"\x30\x00", b"\x30\x04\x30\x02\x30\x00", &house.ca.certificate.der()[..]] {
        refused(bytes);
    }
}

#[test]
fn a_nonce_has_1_to_128_bytes() {
    let house = house();
    let plain = house.asked(&[&house.ca.leaf("dev-1", Profile::Device)], &["-no_nonce"]);
    let with_nonce = |nonce: &[u8], critical: bool| {
        let sequence = |tag: u8, parts: &[&[u8]]| {
            let body = parts.concat();
            let length = u16::try_from(body.len()).unwrap().to_be_bytes();
            let head: &[u8] = if body.len() < 128 {
                &[length[1]]
            } else if body.len() < 256 {
                &[0x81, length[1]]
            } else {
                &[0x82, length[0], length[1]]
            };
            [&[tag], head, &body].concat()
        };
        let oid = b"\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x02";
        let flag: &[u8] = if critical { b"\x01\x01\xff" } else { b"" };
        let extension = sequence(0x30, &[oid, flag, &sequence(0x04, &[&sequence(0x04, &[nonce])])]);
        // Outer header and header of the request's content: both are long enough for two bytes each here.
        let list = &plain[4..];
        sequence(0x30, &[&sequence(0x30, &[list, &sequence(0xa2, &[&sequence(0x30, &[&extension])])])])
    };
    for length in [1, 16, 32, 128] {
        let nonce = vec![7; length];
        assert_eq!(OcspRequest::parse(&with_nonce(&nonce, length == 16)).unwrap().nonce(), Some(&nonce[..]), "{length}");
    }
    for length in [0, 129] {
        assert!(OcspRequest::parse(&with_nonce(&vec![7; length], false)).is_err(), "{length}");
    }
}
