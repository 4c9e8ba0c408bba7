//! Path verification: chains that hold, and the true fault of those that do not (field case A21).

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use signet_crypto::sign::KeyType;
use signet_model::Timestamp;
use signet_pki::{
    Anchor, CaCertificate, PathError, PathFault, PathVerifier, Place, Profile, Purpose, SubjectName, check_responder, pem, v1_leaf_of,
};

use crate::house::{Authority, NOW};
use crate::openssl::{Files, openssl};

const DAY: Duration = Duration::from_secs(86_400);

fn data(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cert").join(name)).unwrap()
}

fn verifier(anchors: &[&CaCertificate]) -> PathVerifier {
    PathVerifier::new(anchors.iter().map(|anchor| Anchor::new((*anchor).clone())).collect()).unwrap()
}

fn refused(verifier: &PathVerifier, leaf: &CertificateDer<'_>, between: &[CertificateDer<'_>], at: Timestamp) -> PathError {
    verifier.verify(leaf, between, at, Purpose::Client).unwrap_err()
}

/// Certificates made by `openssl`, with the extensions and options of each test.
struct Shop(Files);

impl Shop {
    fn new() -> Self {
        Self(Files::new())
    }

    fn key(&self, name: &str, options: &[&str]) -> PathBuf {
        let path = self.0.path(&format!("{name}.key"));
        let mut arguments = vec!["genpkey"];
        arguments.extend(options);
        openssl(&arguments, &[("-out", &path)]);
        path
    }

    /// A certificate for the key of `name`, issued by `issuer` (itself, if that is its own name).
    fn certificate(&self, name: &str, subject: &str, issuer: &str, extensions: &str, options: &[&str]) -> CertificateDer<'static> {
        let (request, out) = (self.0.path(&format!("{name}.csr")), self.0.path(&format!("{name}.pem")));
        let key = self.0.path(&format!("{name}.key"));
        openssl(&["req", "-new", "-subj", subject], &[("-key", &key), ("-out", &request)]);
        let mut arguments = vec!["x509", "-req", "-days", "3650", "-set_serial", "77"];
        arguments.extend(options);
        let extension_file = self.0.write("extensions", extensions);
        let (issuer_certificate, issuer_key) = (self.0.path(&format!("{issuer}.pem")), self.0.path(&format!("{issuer}.key")));
        let mut files: Vec<(&str, &Path)> = vec![("-in", &request), ("-out", &out)];
        if issuer == name {
            files.push(("-signkey", &key));
        } else {
            files.extend([("-CA", issuer_certificate.as_path()), ("-CAkey", issuer_key.as_path())]);
        }
        if !extensions.is_empty() {
            files.push(("-extfile", &extension_file));
        }
        openssl(&arguments, &files);
        pem::certificates(&std::fs::read(out).unwrap()).unwrap().remove(0)
    }
}

const P256: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
const CA: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n";
const CLIENT: &str = "extendedKeyUsage=clientAuth\n";

/// Now, as certificates that `openssl` makes begin now.
fn today() -> Timestamp {
    let seconds = String::from_utf8(std::process::Command::new("date").arg("+%s").output().unwrap().stdout).unwrap();
    Timestamp::from_millis(seconds.trim().parse::<i64>().unwrap() * 1000).plus(DAY)
}

#[test]
fn a_chain_of_ours_holds_with_each_anchor_above_it() {
    let root = Authority::root("Root", KeyType::P384);
    let platform = root.below("Platform", Profile::PlatformCa, KeyType::P256);
    let tenant = platform.below("acme", Profile::TenantCa, KeyType::Ed25519);
    let leaf = tenant.leaf("dev-1", Profile::Device);
    let sent = [tenant.certificate.der().clone(), platform.certificate.der().clone()];
    for (anchor, between) in [(&root, 2), (&platform, 1), (&tenant, 0)] {
        let verifier = verifier(&[&anchor.certificate]);
        let chain = verifier.verify(&leaf.der, &sent, NOW, Purpose::Client).unwrap();
        assert_eq!((chain.anchor().der(), chain.intermediates(), chain.is_v1_leaf()), (anchor.certificate.der(), between, false));
    }
    let generations = verifier(&[&root.below("acme", Profile::PlatformCa, KeyType::P256).certificate, &tenant.certificate]);
    assert_eq!(generations.verify(&leaf.der, &[], NOW, Purpose::Client).unwrap().anchor().der(), tenant.certificate.der());
}

#[test]
fn dates_are_kept_at_every_certificate_of_the_chain() {
    let root = Authority::root("Root", KeyType::P256);
    let tenant = root.below("acme", Profile::PlatformCa, KeyType::P256);
    let leaf = tenant.leaf("dev-1", Profile::Device);
    let between = [tenant.certificate.der().clone()];
    let verifier = verifier(&[&root.certificate]);
    let error = refused(&verifier, &leaf.der, &between, NOW.plus(91 * DAY));
    assert_eq!((error.fault(), error.place()), (PathFault::Expired, Place::Leaf));
    assert!(error.to_string().contains("CN=dev-1") && error.to_string().contains("2026-04-01T00:00:00Z"), "{error}");
    let error = refused(&verifier, &leaf.der, &between, Timestamp::from_micros(NOW.micros() - 86_400_000_000));
    assert_eq!((error.fault(), error.place()), (PathFault::NotYetValid, Place::Leaf));
}

#[test]
fn the_fault_of_each_broken_chain_is_named_with_its_certificate() {
    let shop = Shop::new();
    for name in ["root", "twin", "middle", "leaf", "stranger"] {
        shop.key(name, P256);
    }
    shop.key("p521", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"]);
    let now = today();
    let root = CaCertificate::from_der(shop.certificate("root", "/CN=Root", "root", CA, &[])).unwrap();
    let twin = CaCertificate::from_der(shop.certificate("twin", "/CN=Root", "twin", CA, &[])).unwrap();
    let trusted = verifier(&[&root]);
    let check = |leaf: &CertificateDer<'_>, between: &[CertificateDer<'_>], wanted: (PathFault, Place), said: &str| {
        let error = refused(&trusted, leaf, between, now);
        assert_eq!((error.fault(), error.place()), wanted, "{error}");
        assert!(error.to_string().contains(said), "{said:?} is not in: {error}");
        assert!(error.reason().code.starts_with("chain."));
    };

    // An authority of another curve: not "unknown issuer".
    let odd = shop.certificate("p521", "/CN=Odd", "root", CA, &[]);
    let below_odd = shop.certificate("leaf", "/CN=leaf", "p521", CLIENT, &["-sha512"]);
    check(&below_odd, &[odd], (PathFault::Key, Place::Intermediate(0)), "P-521");

    // A middle that has expired.
    let old = shop.certificate("middle", "/CN=Middle", "root", CA, &["-days", "0"]);
    let leaf = shop.certificate("leaf", "/CN=leaf", "middle", CLIENT, &[]);
    check(&leaf, std::slice::from_ref(&old), (PathFault::Expired, Place::Intermediate(0)), "CN=Middle");

    // The same name with another key.
    let of_twin = shop.certificate("leaf", "/CN=leaf", "twin", CLIENT, &[]);
    check(&of_twin, &[], (PathFault::OtherKey, Place::Leaf), "CN=Root");
    let both = verifier(&[&root, &twin]);
    assert_eq!(both.verify(&of_twin, &[], now, Purpose::Client).unwrap().anchor().der(), twin.der());

    // Nobody of that name.
    shop.certificate("stranger", "/CN=Stranger", "stranger", CA, &[]);
    let foreign = shop.certificate("leaf", "/CN=leaf", "stranger", CLIENT, &[]);
    check(&foreign, &[], (PathFault::UnknownIssuer, Place::Leaf), "CN=Stranger");
    let own = shop.certificate("leaf", "/CN=leaf", "leaf", CLIENT, &[]);
    check(&own, &[], (PathFault::UnknownIssuer, Place::Leaf), "its own issuer");

    // Authorities that are none.
    for (extensions, said) in [("basicConstraints=CA:FALSE\n", "CA:TRUE"), ("basicConstraints=CA:TRUE\nkeyUsage=cRLSign\n", "keyCertSign")]
    {
        let none = shop.certificate("middle", "/CN=Middle", "root", extensions, &[]);
        let leaf = shop.certificate("leaf", "/CN=leaf", "middle", CLIENT, &[]);
        check(&leaf, &[none], (PathFault::NotAnAuthority, Place::Intermediate(0)), said);
    }
    let first = shop.certificate("middle", "/CN=Middle", "root", "basicConstraints=CA:TRUE,pathlen:0\n", &[]);
    let second = shop.certificate("stranger", "/CN=Second", "middle", CA, &[]);
    let leaf = shop.certificate("leaf", "/CN=leaf", "stranger", CLIENT, &[]);
    check(&leaf, &[first, second], (PathFault::PathLength, Place::Intermediate(0)), "path length");

    // What the leaf itself may not be.
    for (extensions, fault, said) in [
        ("extendedKeyUsage=serverAuth\n", PathFault::Purpose, "clientAuth"),
        ("keyUsage=keyEncipherment\n", PathFault::Purpose, "digitalSignature"),
        (CA, PathFault::Purpose, "CA:TRUE"),
        ("1.2.3.4=critical,DER:0500\n", PathFault::CriticalExtension, "1.2.3.4"),
    ] {
        let leaf = shop.certificate("leaf", "/CN=leaf", "root", extensions, &[]);
        check(&leaf, &[], (fault, Place::Leaf), said);
    }
    let servers = format!("{CA}extendedKeyUsage=serverAuth\n");
    let middle = shop.certificate("middle", "/CN=Middle", "root", &servers, &[]);
    let leaf = shop.certificate("leaf", "/CN=leaf", "middle", CLIENT, &[]);
    check(&leaf, &[middle], (PathFault::Purpose, Place::Intermediate(0)), "clientAuth");
    let constrained = format!("{CA}nameConstraints=critical,permitted;DNS:example.org\n");
    let middle = shop.certificate("middle", "/CN=Middle", "root", &constrained, &[]);
    let leaf = shop.certificate("leaf", "/CN=leaf", "middle", "subjectAltName=DNS:example.net\n", &[]);
    check(&leaf, &[middle], (PathFault::Names, Place::Leaf), "name constraint");
    let many = vec![own; 10];
    check(&many[0], &many, (PathFault::TooLong, Place::Leaf), "longer than 10");
}

#[test]
fn a_signature_with_sha1_is_named_as_such() {
    let root = CaCertificate::from_pem(&data("root.pem")).unwrap();
    let leaf = pem::certificates(&data("signed-with-sha1.pem")).unwrap().remove(0);
    let error = refused(&verifier(&[&root]), &leaf, &[], NOW.plus(DAY));
    assert_eq!((error.fault(), error.place()), (PathFault::Signature, Place::Leaf));
    assert!(error.to_string().contains("SHA-1") && error.to_string().contains("CN=sha1"), "{error}");
    assert_eq!(error.reason().code, "chain.signature-unsupported");
}

#[test]
fn dates_that_are_none_are_named() {
    let root = CaCertificate::from_pem(&data("root.pem")).unwrap();
    for (name, said) in [("time-with-fraction", "fraction"), ("time-without-seconds", "no seconds"), ("time-with-offset", "offset")] {
        let leaf = CertificateDer::from(data(&format!("{name}.der")));
        let error = refused(&verifier(&[&root]), &leaf, &[], NOW.plus(DAY));
        assert_eq!(error.fault(), PathFault::Malformed);
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn leaves_of_version_1_pass_by_the_anchor_that_allows_them_and_by_no_other() {
    let shop = Shop::new();
    for name in ["root", "other", "leaf", "middle"] {
        shop.key(name, P256);
    }
    let now = today();
    let root = CaCertificate::from_der(shop.certificate("root", "/CN=Root", "root", CA, &[])).unwrap();
    let other = CaCertificate::from_der(shop.certificate("other", "/CN=Root", "other", CA, &[])).unwrap();
    let leaf = shop.certificate("leaf", "/CN=old", "root", "", &[]);
    let error = refused(&verifier(&[&root]), &leaf, &[], now);
    assert_eq!((error.fault(), error.place()), (PathFault::Version, Place::Leaf));
    assert!(error.to_string().contains("version 1"), "{error}");
    let allowed = |anchor: &CaCertificate| PathVerifier::new(vec![Anchor::new(anchor.clone()).with_v1_leaves()]).unwrap();
    let verifier = allowed(&root);
    let chain = verifier.verify(&leaf, &[], now, Purpose::Client).unwrap();
    assert!(chain.is_v1_leaf() && chain.anchor().der() == root.der());
    assert_eq!(refused(&allowed(&other), &leaf, &[], now).fault(), PathFault::OtherKey);
    v1_leaf_of(&root, &leaf, now).unwrap();
    assert_eq!(v1_leaf_of(&other, &leaf, now).unwrap_err().fault(), PathFault::OtherKey);
    assert_eq!(v1_leaf_of(&root, &leaf, now.plus(4000 * DAY)).unwrap_err().fault(), PathFault::Expired);
    // Never an authority of version 1, never a leaf below one that the anchor issued.
    let old_middle = shop.certificate("middle", "/CN=Middle", "root", "", &[]);
    let below = shop.certificate("leaf", "/CN=below", "middle", CLIENT, &[]);
    let error = refused(&verifier, &below, std::slice::from_ref(&old_middle), now);
    assert_eq!((error.fault(), error.place()), (PathFault::Version, Place::Intermediate(0)));
    let old_below = shop.certificate("leaf", "/CN=below", "middle", "", &[]);
    assert_eq!(refused(&verifier, &old_below, &[old_middle], now).fault(), PathFault::Version);
    let modern = shop.certificate("leaf", "/CN=leaf", "root", CLIENT, &[]);
    assert_eq!(v1_leaf_of(&root, &modern, now).unwrap_err().fault(), PathFault::Version);
}

#[test]
fn a_responder_is_checked_as_a_delegate_of_its_own_authority() {
    let root = Authority::root("Root", KeyType::P256);
    let (ca, other) = (root.below("acme", Profile::TenantCa, KeyType::P256), root.below("acme", Profile::TenantCa, KeyType::P256));
    let responder = ca.leaf("OCSP", Profile::OcspResponder);
    check_responder(&responder.der, &ca.certificate, NOW).unwrap();
    assert_eq!(check_responder(&responder.der, &other.certificate, NOW).unwrap_err().fault(), PathFault::OtherKey);
    assert_eq!(check_responder(&responder.der, &root.certificate, NOW).unwrap_err().fault(), PathFault::UnknownIssuer);
    assert_eq!(check_responder(&responder.der, &ca.certificate, NOW.plus(8 * DAY)).unwrap_err().fault(), PathFault::Expired);
    let device = ca.leaf("dev-1", Profile::Device);
    assert_eq!(check_responder(&device.der, &ca.certificate, NOW).unwrap_err().fault(), PathFault::Purpose);
    let service = ca.leaf_with("svc", Profile::Service, |request| request.names = vec![SubjectName::dns("svc.example").unwrap()]);
    assert_eq!(check_responder(&service.der, &ca.certificate, NOW).unwrap_err().fault(), PathFault::Purpose);
}

#[test]
fn a_chain_that_is_garbage_is_refused_in_words() {
    let root = Authority::root("Root", KeyType::P256);
    let verifier = verifier(&[&root.certificate]);
    for bytes in [&b""[..], b"\x30\x00", &[0xff; 100]] {
        let error = refused(&verifier, &CertificateDer::from(bytes.to_vec()), &[], NOW);
        assert_eq!(error.fault(), PathFault::Malformed);
    }
    let leaf = root.below("a", Profile::PlatformCa, KeyType::P256).leaf("dev-1", Profile::Device);
    let error = refused(&verifier, &leaf.der, &[CertificateDer::from(vec![0x30, 0])], NOW);
    assert_eq!((error.fault(), error.place()), (PathFault::Malformed, Place::Intermediate(0)));
}
