//! Rules of what a certificate may do: basicConstraints, keyUsage, extendedKeyUsage, nameConstraints.

use super::{Blame, Rule, Severity};
use crate::profile::{CRL_SIGN, DATA_ENCIPHERMENT, KEY_AGREEMENT, KEY_CERT_SIGN, KEY_ENCIPHERMENT};
use crate::tlv::{self, Reader};
use crate::{KeyKind, oid};

const ENCIPHER_ONLY: u8 = 0x01;

pub(super) static RULES: &[Rule] = &[
    Rule {
        name: "basic-constraints.not-critical",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.9",
        check: |view, _| {
            let soft = view.is_authority() && view.critical(oid::BASIC_CONSTRAINTS) == Some(false);
            soft.then(|| "basicConstraints of an authority are not critical".to_owned())
        },
    },
    Rule {
        name: "basic-constraints.default-encoded",
        severity: Severity::Warning,
        blame: Blame::Issuer,
        source: "X.690 11.5",
        check: |view, _| {
            let mut inner = Reader::only(view.extension(oid::BASIC_CONSTRAINTS)?.value, tlv::SEQUENCE, "").ok()?.inner();
            let flag = inner.optional(tlv::BOOLEAN).ok()??;
            (flag.body == [0]).then(|| "CA:FALSE is encoded although it is the default".to_owned())
        },
    },
    Rule {
        name: "basic-constraints.path-length",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.9",
        check: |view, _| {
            let (authority, length) = view.constraints()?;
            (!authority && length.is_some()).then(|| "a path length without CA:TRUE".to_owned())
        },
    },
    Rule {
        name: "key-usage.missing",
        severity: Severity::Warning,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.3",
        check: |view, _| (view.extension(oid::KEY_USAGE).is_none() && !view.has_empty_list()).then(|| "there is no keyUsage".to_owned()),
    },
    Rule {
        name: "key-usage.not-critical",
        severity: Severity::Warning,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.3",
        check: |view, _| (view.critical(oid::KEY_USAGE) == Some(false)).then(|| "keyUsage is not critical".to_owned()),
    },
    Rule {
        name: "key-usage.empty",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.3",
        check: |view, _| (view.key_usage()? == (0, false)).then(|| "no bit of keyUsage is set".to_owned()),
    },
    Rule {
        name: "key-usage.encoding",
        severity: Severity::Warning,
        blame: Blame::Issuer,
        source: "X.690 11.2.2",
        check: |view, _| {
            let bits = Reader::only(view.extension(oid::KEY_USAGE)?.value, tlv::BIT_STRING, "").ok()?.body;
            let exact = match bits {
                [0] => true,
                [unused, .., last] => *last != 0 && u32::from(*unused) == last.trailing_zeros(),
                _ => false,
            };
            // All bits clear is a rule of its own.
            (!exact && view.key_usage()? != (0, false)).then(|| "keyUsage does not end with its last bit".to_owned())
        },
    },
    Rule {
        name: "key-usage.cert-sign-without-authority",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.3",
        check: |view, _| {
            let (bits, _) = view.key_usage()?;
            (bits & KEY_CERT_SIGN != 0 && !view.is_authority()).then(|| "keyCertSign without CA:TRUE".to_owned())
        },
    },
    Rule {
        name: "key-usage.authority-without-cert-sign",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.3",
        check: |view, _| {
            let (bits, decipher_only) = view.key_usage()?;
            let lacks = view.is_authority() && bits & KEY_CERT_SIGN == 0 && (bits, decipher_only) != (0, false);
            lacks.then(|| "CA:TRUE without keyCertSign".to_owned())
        },
    },
    Rule {
        name: "key-usage.authority-without-crl-sign",
        severity: Severity::Warning,
        blame: Blame::Issuer,
        source: "profile",
        check: |view, _| {
            let (bits, _) = view.key_usage()?;
            let lacks = view.is_authority() && bits & KEY_CERT_SIGN != 0 && bits & CRL_SIGN == 0;
            lacks.then(|| "an authority that cannot sign its own CRLs".to_owned())
        },
    },
    Rule {
        name: "key-usage.not-for-key",
        severity: Severity::Warning,
        blame: Blame::Issuer,
        source: "RFC 5480 3, RFC 8410 5, RFC 3279 2.3.1",
        check: |view, context| {
            let (bits, _) = view.key_usage()?;
            let impossible = match view.key.as_ref().ok()?.key_type() {
                KeyKind::P256 | KeyKind::P384 => KEY_ENCIPHERMENT | DATA_ENCIPHERMENT,
                KeyKind::Ed25519 => KEY_ENCIPHERMENT | DATA_ENCIPHERMENT | KEY_AGREEMENT,
                KeyKind::Rsa { .. } => KEY_AGREEMENT,
            };
            // Kaa's own certificates set the same three bits whatever the key is.
            let kaa = context.profile.is_some_and(crate::Profile::is_kaa);
            (!kaa && bits & impossible != 0).then(|| "keyUsage names what a key of this kind cannot do".to_owned())
        },
    },
    Rule {
        name: "key-usage.only-without-agreement",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.3",
        check: |view, _| {
            let (bits, decipher_only) = view.key_usage()?;
            let only = bits & ENCIPHER_ONLY != 0 || decipher_only;
            (only && bits & KEY_AGREEMENT == 0).then(|| "encipherOnly or decipherOnly without keyAgreement".to_owned())
        },
    },
    Rule {
        name: "extended-key-usage.empty",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.12",
        check: |view, _| view.purposes()?.is_empty().then(|| "extendedKeyUsage names no purpose".to_owned()),
    },
    Rule {
        name: "extended-key-usage.duplicate",
        severity: Severity::Warning,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.12",
        check: |view, _| {
            let purposes = view.purposes()?;
            let twice = purposes.iter().enumerate().any(|(at, purpose)| purposes.iter().take(at).any(|other| other == purpose));
            twice.then(|| "extendedKeyUsage names a purpose twice".to_owned())
        },
    },
    Rule {
        name: "extended-key-usage.any",
        severity: Severity::Warning,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.12",
        check: |view, _| view.purposes()?.contains(&oid::ANY_PURPOSE).then(|| "extendedKeyUsage allows any purpose".to_owned()),
    },
    Rule {
        name: "extended-key-usage.ocsp-signing-mixed",
        severity: Severity::Warning,
        blame: Blame::Issuer,
        source: "RFC 6960 4.2.2.2",
        check: |view, _| {
            let purposes = view.purposes()?;
            let mixed = purposes.contains(&oid::OCSP_SIGNING) && purposes.iter().any(|purpose| *purpose != oid::OCSP_SIGNING);
            mixed.then(|| "OCSPSigning beside other purposes".to_owned())
        },
    },
    Rule {
        name: "name-constraints.in-leaf",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.10",
        check: |view, _| {
            let wrong = view.extension(oid::NAME_CONSTRAINTS).is_some() && !view.is_authority();
            wrong.then(|| "nameConstraints in a certificate that is no authority's".to_owned())
        },
    },
    Rule {
        name: "name-constraints.not-critical",
        severity: Severity::Warning,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.10",
        check: |view, _| {
            let soft = view.critical(oid::NAME_CONSTRAINTS) == Some(false) && view.is_authority();
            soft.then(|| "nameConstraints are not critical".to_owned())
        },
    },
];
