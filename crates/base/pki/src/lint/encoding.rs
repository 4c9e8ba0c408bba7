//! Rules of the frame: version, serial number, algorithm and form of the signature.

use super::{Blame, Rule, Severity};
use crate::algorithm::{self, AlgorithmFault};
use crate::tlv::{self, Element, Reader};

use signet_crypto::sign::SignatureAlgorithm;

pub(super) static RULES: &[Rule] = &[
    Rule {
        name: "version.not-3",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.1.2.1",
        check: |view, _| (view.version != [2]).then(|| format!("the version is {}", number(view.version))),
    },
    Rule {
        name: "serial.not-positive",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.1.2.2",
        check: |view, _| {
            let negative = view.serial.first().is_none_or(|first| first & 0x80 != 0);
            (negative || view.serial.iter().all(|byte| *byte == 0)).then(|| "the serial number is zero or negative".to_owned())
        },
    },
    Rule {
        name: "serial.too-long",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.1.2.2",
        check: |view, _| (view.serial.len() > 20).then(|| format!("the serial number has {} bytes; 20 are allowed", view.serial.len())),
    },
    Rule {
        name: "serial.not-minimal",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "X.690 8.3.2",
        check: |view, _| match view.serial {
            [0, next, ..] if next & 0x80 == 0 => Some("the serial number begins with a needless byte".to_owned()),
            [0xff, next, ..] if next & 0x80 != 0 => Some("the serial number begins with a needless byte".to_owned()),
            _ => None,
        },
    },
    Rule {
        name: "signature.algorithms-differ",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.1.1.2",
        check: |view, _| (view.inner_algorithm.raw != view.outer_algorithm.raw).then(|| "the two algorithm fields differ".to_owned()),
    },
    Rule {
        name: "signature.weak",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 9155",
        check: |view, _| match algorithm::read(&view.outer_algorithm) {
            Err(AlgorithmFault::Weak(name)) => Some(format!("it is signed by {name}")),
            _ => None,
        },
    },
    Rule {
        name: "signature.unknown-algorithm",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.1.1.2",
        check: |view, _| match algorithm::read(&view.outer_algorithm) {
            Err(AlgorithmFault::Unknown(oid)) => Some(format!("it is signed by the algorithm {oid}")),
            Err(AlgorithmFault::Damaged) => Some("its algorithm is damaged".to_owned()),
            _ => None,
        },
    },
    Rule {
        name: "signature.parameters",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5758 3.2, RFC 8410 3, RFC 4055 5",
        check: |view, _| match algorithm::read(&view.outer_algorithm) {
            Err(AlgorithmFault::Parameters(why)) => Some(format!("wrong parameters of the signature's algorithm: {why}")),
            _ => None,
        },
    },
    Rule {
        name: "signature.form",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 3279 2.2.3, RFC 8410 6",
        check: |view, _| signature_fault(view.signature, algorithm::read(&view.outer_algorithm).ok()).map(str::to_owned),
    },
    Rule {
        name: "unique-identifier.present",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.1.2.8",
        check: |view, _| view.unique_identifiers.then(|| "it has a unique identifier of issuer or subject".to_owned()),
    },
];

fn number(version: &[u8]) -> String {
    match version {
        [small] => small.saturating_add(1).to_string(),
        _ => "no small number".to_owned(),
    }
}

fn signature_fault(bits: &[u8], signed_with: Option<SignatureAlgorithm>) -> Option<&'static str> {
    use SignatureAlgorithm as S;
    let [0, signature @ ..] = bits else { return Some("the signature does not end with a whole byte") };
    match signed_with? {
        S::Ed25519 => (signature.len() != 64).then_some("a signature of Ed25519 is 64 bytes"),
        S::EcdsaSha256 | S::EcdsaSha384 | S::EcdsaSha512 => {
            let positive = |number: Element<'_>| number.body.first().is_some_and(|first| first & 0x80 == 0);
            let two_numbers = || {
                let mut numbers = Reader::only(signature, tlv::SEQUENCE, "").ok()?.inner();
                let (r, s) = (numbers.expect(tlv::INTEGER, "").ok()?, numbers.expect(tlv::INTEGER, "").ok()?);
                (numbers.is_empty() && positive(r) && positive(s)).then_some(())
            };
            two_numbers().is_none().then_some("a signature of ECDSA is two positive numbers")
        }
        S::RsaPkcs1Sha256 | S::RsaPkcs1Sha384 | S::RsaPkcs1Sha512 | S::RsaPssSha256 | S::RsaPssSha384 | S::RsaPssSha512 => {
            (signature.len() < 256).then_some("a signature of RSA is as long as its modulus, 256 bytes or more")
        }
    }
}
