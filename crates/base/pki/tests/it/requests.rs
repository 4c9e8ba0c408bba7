//! Certificate requests of people's tools (field cases A01, A05, A06, A12) and of attackers (checklist C5).

use std::path::Path;

use signet_crypto::SystemEntropy;
use signet_crypto::sign::{KeyType, Signer as _, SigningKey};
use signet_pki::{Csr, PkiError, SubjectName, Verified};

use crate::der::{element, integer, nested, oid};
use crate::openssl::{Files, openssl};

fn data(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/csr").join(name)).unwrap()
}

fn verified(bytes: &[u8]) -> Result<Verified<Csr>, PkiError> {
    Csr::parse(bytes)?.verify()
}

fn code(bytes: &[u8]) -> &'static str {
    verified(bytes).unwrap_err().reason().code
}

#[test]
fn every_form_of_the_same_request_is_read() {
    let der = signet_pki::pem::certificate_request(&data("pem-bom.pem")).unwrap();
    let crlf = String::from_utf8(data("pem-one-line.pem")).unwrap();
    let forms = ["pem-new-crlf.pem", "pem-bom.pem", "pem-no-final-newline.pem", "pem-one-line.pem"].map(data);
    let bare = crlf.lines().nth(1).unwrap().replace('A', "A\r\n");
    for bytes in forms.into_iter().chain([der, format!("some text\r\n{crlf}").into_bytes(), bare.into_bytes()]) {
        let csr = verified(&bytes).unwrap();
        assert_eq!(csr.common_name(), Some("dev-plain"));
        assert_eq!(csr.names(), [SubjectName::dns("dev-plain.example").unwrap()]);
        assert!(csr.ignored().is_empty(), "{:?}", csr.ignored());
    }
}

#[test]
fn what_windows_asks_for_beside_is_listed_and_nothing_of_it_kept() {
    let csr = verified(&data("windows-certreq.pem")).unwrap();
    assert_eq!(csr.subject().canonical().as_str(), "CN=pump-7,O=Acme,C=DE");
    assert_eq!(csr.public_key().key_type().to_string(), "rsa2048");
    let ignored = csr.ignored().join("; ");
    for wanted in [
        "Microsoft OS version",
        "Microsoft client information",
        "keyUsage",
        "extendedKeyUsage",
        "Microsoft application policies",
        "subjectKeyIdentifier",
    ] {
        assert!(ignored.contains(wanted), "{wanted}: {ignored}");
    }
}

#[test]
fn a_challenge_password_is_passed_over_and_shown_nowhere() {
    let csr = Csr::parse(&data("challenge-password-bmp.der")).unwrap();
    let before = format!("{csr:?}");
    let csr = csr.verify().unwrap();
    let utf16 = "canary-geheim".chars().map(|c| format!("0, {}", u32::from(c))).collect::<Vec<_>>().join(", ");
    for shown in [before, format!("{csr:?}"), csr.ignored().join(" ")] {
        assert!(!shown.contains("geheim") && !shown.contains(&utf16) && !shown.contains("g\\0e"), "{shown}");
    }
    assert!(csr.ignored().contains(&"challengePassword".to_owned()));
    assert_eq!(csr.common_name(), Some("dev-challenge"));
}

#[test]
fn points_are_normalised_and_explicit_curves_refused() {
    let csr = verified(&data("ec-compressed-point.der")).unwrap();
    assert_eq!(csr.spki().len(), 91);
    assert_eq!(csr.spki(), verified(&data("pem-bom.pem")).unwrap().spki(), "the same key, the same fingerprint");
    let error = Csr::parse(&data("ec-explicit-parameters.der")).unwrap_err();
    assert_eq!(error.reason().code, "key.unsupported");
    assert!(error.to_string().contains("explicit"), "{error}");
}

#[test]
fn requests_of_openssl_with_each_kind_of_key_verify() {
    let files = Files::new();
    for (n, (arguments, digest)) in [
        (&["-newkey", "rsa:2048"][..], "-sha256"),
        (&["-newkey", "rsa:2048"], "-sha512"),
        (&["-newkey", "rsa:2048", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"], "-sha256"),
        (&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "-sha256"),
        (&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "-sha512"),
        (&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"], "-sha384"),
        (&["-newkey", "ed25519"], "-sha256"),
    ]
    .into_iter()
    .enumerate()
    {
        let (request, key) = (files.path(&format!("{n}.csr")), files.path(&format!("{n}.key")));
        let all = [&["req", "-new", "-nodes", "-subj", "/C=DE/O=Acme/CN=dev-1", digest], arguments].concat();
        openssl(&all, &[("-keyout", &key), ("-out", &request)]);
        let csr = verified(&std::fs::read(request).unwrap()).unwrap_or_else(|e| panic!("{arguments:?}: {e}"));
        assert_eq!(csr.subject().go_text(), "CN=dev-1,O=Acme,C=DE");
    }
}

/// A request made byte by byte: attributes and all, signed by a fresh P-256 key over exactly these bytes.
struct Request {
    attributes: Option<Vec<u8>>,
    algorithm: Vec<u8>,
    spki: Option<Vec<u8>>,
}

impl Request {
    fn new() -> Self {
        Self { attributes: Some(Vec::new()), algorithm: [oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02])].concat(), spki: None }
    }

    fn extensions(extensions: &[Vec<u8>]) -> Self {
        let request = element(0x31, &element(0x30, &extensions.concat()));
        let attribute = element(0x30, &[oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e]), request].concat());
        Self { attributes: Some(attribute), ..Self::new() }
    }

    fn names(names: &[Vec<u8>]) -> Self {
        Self::extensions(&[extension(&[0x55, 0x1d, 17], &element(0x30, &names.concat()))])
    }

    fn sign(self) -> Vec<u8> {
        let key = SigningKey::generate(KeyType::P256, &SystemEntropy).unwrap();
        let name = element(0x30, &element(0x31, &element(0x30, &[oid(&[0x55, 4, 3]), element(0x0c, b"dev-1")].concat())));
        let attributes = self.attributes.map(|attributes| element(0xa0, &attributes)).unwrap_or_default();
        let info = element(0x30, &[integer(0), name, self.spki.unwrap_or_else(|| key.public_key_spki_der()), attributes].concat());
        let signature = key.sign(&info).unwrap();
        nested(0x30, &[info, element(0x30, &self.algorithm), element(0x03, &[&[0][..], &signature].concat())])
    }
}

fn extension(id: &[u8], value: &[u8]) -> Vec<u8> {
    element(0x30, &[oid(id), element(0x04, value)].concat())
}

#[test]
fn absent_and_empty_attributes_are_both_accepted() {
    let absent = Request { attributes: None, ..Request::new() }.sign();
    assert_eq!(verified(&absent).unwrap().common_name(), Some("dev-1"));
    assert_eq!(verified(&Request::new().sign()).unwrap().common_name(), Some("dev-1"));
}

#[test]
fn each_trick_has_its_reason() {
    let dns = |name: &str| element(0x82, name.as_bytes());
    let many: Vec<Vec<u8>> = (0..10_000).map(|n| dns(&format!("h{n}.example"))).collect();
    let hundred = &many[..100];
    let (constraints, usage) = (&[0x55, 0x1d, 19][..], &[0x55, 0x1d, 15][..]);
    let san = |name: Vec<u8>| extension(&[0x55, 0x1d, 17], &element(0x30, &name));
    let file = |name: &str| std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap();
    let weak = |name: &str| Request { spki: Some(file(name)), ..Request::new() };
    let mapped = [&[0; 10][..], &[0xff, 0xff, 10, 0, 0, 1]].concat();
    for (what, request, wanted) in [
        ("10,000 names", Request::names(&many), Some("csr.too-many-names")),
        ("100 names", Request::names(hundred), None),
        ("an extension twice", Request::extensions(&[san(dns("a.example")), san(dns("b.example"))]), Some("csr.malformed")),
        ("CA:TRUE", Request::extensions(&[extension(constraints, &[0x30, 3, 1, 1, 0xff])]), Some("csr.ca-requested")),
        ("CA:FALSE", Request::extensions(&[extension(constraints, &[0x30, 0])]), None),
        ("keyCertSign", Request::extensions(&[extension(usage, &[3, 2, 2, 0x84])]), Some("csr.ca-requested")),
        ("a wildcard", Request::names(&[dns("*.example")]), Some("csr.name-refused")),
        ("a name outside ASCII", Request::names(&[element(0x82, "b\u{fc}cher.example".as_bytes())]), Some("csr.name-refused")),
        ("its xn-- form", Request::names(&[dns("xn--bcher-kva.example")]), None),
        ("a NUL in a name", Request::names(&[dns("a\0.example")]), Some("csr.name-refused")),
        ("an IPv4 address as IPv6", Request::names(&[element(0x87, &mapped)]), Some("csr.name-refused")),
        ("an address of 5 bytes", Request::names(&[element(0x87, &[1; 5])]), Some("csr.name-refused")),
        ("no name at all", Request::names(&[]), Some("csr.malformed")),
        ("an other name", Request::names(&[element(0xa0, &oid(&[0x2a]))]), None),
        (
            "parameters of ECDSA",
            Request { algorithm: [&Request::new().algorithm[..], &[5, 0]].concat(), ..Request::new() },
            Some("csr.signature-unsupported"),
        ),
        (
            "SHA-1",
            Request { algorithm: oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01]), ..Request::new() },
            Some("csr.signature-unsupported"),
        ),
        ("another algorithm", Request { algorithm: oid(&[0x2b, 0x65, 0x70]), ..Request::new() }, Some("csr.bad-signature")),
        ("the key of another", Request { spki: Some(other_key()), ..Request::new() }, Some("csr.bad-signature")),
        ("RSA 512", weak("rsa-512.spki"), Some("key.weak")),
        ("exponent 3", weak("rsa-exponent-3.spki"), Some("key.weak")),
        ("ROCA", weak("rsa-roca.spki"), Some("key.weak")),
        ("close primes", weak("rsa-close-primes.spki"), Some("key.weak")),
        ("4,099 bits", weak("rsa-4099.spki"), Some("key.unsupported")),
    ] {
        let read = verified(&request.sign());
        assert_eq!(read.as_ref().err().map(|error| error.reason().code), wanted, "{what}: {read:?}");
    }
}

fn other_key() -> Vec<u8> {
    SigningKey::generate(KeyType::P256, &SystemEntropy).unwrap().public_key_spki_der()
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let good = Request::names(&[element(0x82, b"a.example")]).sign();
    verified(&good).unwrap();
    for at in 0..good.len() {
        assert!(verified(&good[..at]).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            assert!(verified(&bytes).is_err(), "bit {bit} of byte {at}");
        }
    }
    assert_eq!(code(&[&good[..], b"x"].concat()), "csr.malformed");
}

#[test]
fn what_is_no_request_is_said() {
    for bytes in [&b""[..], b"hello", &data("../ec-parameters.crt"), b"\xff\xfeM\0"] {
        let error = Csr::parse(bytes).unwrap_err();
        assert!(["csr.malformed", "text.not-utf8"].contains(&error.reason().code), "{error}");
    }
    let error = Csr::parse(&data("../ec-parameters.crt")).unwrap_err();
    assert!(error.to_string().contains("the file holds CERTIFICATE"), "{error}");
}
