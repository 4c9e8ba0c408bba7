//! The table: rule, certificate to begin with, what is known beside it, and the change that breaks the rule.

use super::parts::{Base, Bases, Parts, data};
use crate::oid;
use crate::tlv::{self, element, nested};

/// What the lint is told.
pub(super) enum Known {
    /// Profile and issuer.
    Everything,
    /// What was asked for.
    Request,
    /// Nothing, as for a stranger's certificate.
    Nothing,
}

pub(super) struct Case {
    pub(super) rule: &'static str,
    pub(super) base: fn(&Bases) -> &Base,
    pub(super) known: Known,
    pub(super) change: fn(&mut Parts, &Bases),
}

macro_rules! cases {
    ($($rule:literal, $base:ident, $known:ident, $change:expr;)+) => {
        pub(super) static CASES: &[Case] =
            &[$(Case { rule: $rule, base: |bases| &bases.$base, known: Known::$known, change: $change }),+];
    };
}

const TRUE: Option<u8> = Some(0xff);
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const COUNTRY: &[u8] = &[0x55, 4, 6];
const ORGANISATION: &[u8] = &[0x55, 4, 10];
const ECDSA_SHA384: &[u8] = &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
const ECDSA_SHA1: &[u8] = &[0x30, 9, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1];
const ECDSA_WITH_NULL: &[u8] = &[0x30, 12, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2, 5, 0];
const FOREIGN_ALGORITHM: &[u8] = &[0x30, 5, 6, 3, 0x2a, 3, 4];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const P256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const NULL: &[u8] = &[5, 0];
const EMPTY: &[u8] = &[0x30, 0];

/// A name of these attributes: kind, kind of string, value.
fn name(attributes: &[(&[u8], u8, &[u8])]) -> Vec<u8> {
    nested(tlv::SEQUENCE, |name| {
        for (kind, tag, value) in attributes {
            name.nested(tlv::SET, |set| {
                set.nested(tlv::SEQUENCE, |pair| {
                    pair.element(tlv::OID, kind);
                    pair.element(*tag, value);
                });
            });
        }
    })
}

fn common(tag: u8, value: &[u8]) -> Vec<u8> {
    name(&[(COMMON_NAME, tag, value)])
}

fn key(kind: &[u8], parameters: &[u8], bits: &[u8]) -> Vec<u8> {
    nested(tlv::SEQUENCE, |key| {
        key.nested(tlv::SEQUENCE, |algorithm| {
            algorithm.element(tlv::OID, kind);
            algorithm.raw(parameters);
        });
        key.bit_string(bits);
    })
}

/// The point of a P-256 key.
fn point(spki: &[u8]) -> &[u8] {
    &spki[26..]
}

fn names(names: &[(u8, &[u8])]) -> Vec<u8> {
    nested(tlv::SEQUENCE, |list| names.iter().for_each(|(tag, value)| list.element(*tag, value)))
}

fn purposes(purposes: &[&[u8]]) -> Vec<u8> {
    nested(tlv::SEQUENCE, |list| purposes.iter().for_each(|purpose| list.element(tlv::OID, purpose)))
}

fn utc(text: &str) -> Vec<u8> {
    element(tlv::UTC_TIME, text.as_bytes())
}

fn alternative(parts: &mut Parts, list: &[(u8, &[u8])]) {
    parts.set(oid::SUBJECT_ALT_NAME, &names(list));
}

fn generator() -> Vec<u8> {
    use signet_crypto::Secret;
    use signet_crypto::sign::{P256Key, Signer as _};
    let scalar = [&[0x30, 0x31, 2, 1, 1, 4, 0x20][..], &[0; 31], &[1], &[0xa0, 10], P256].concat();
    P256Key::from_der(&Secret::from(scalar)).unwrap().public_key_spki_der()
}

cases! {
    "certificate.malformed", device, Everything, |parts, _| parts.after = vec![0];
    "version.not-3", device, Everything, |parts, _| parts.version = vec![0xa0, 3, 2, 1, 1];
    "serial.not-positive", device, Everything, |parts, _| parts.serial[0] |= 0x80;
    "serial.too-long", device, Everything, |parts, _| parts.serial = vec![0x40; 21];
    "serial.not-minimal", device, Everything, |parts, _| parts.serial.insert(0, 0);
    "signature.algorithms-differ", device, Everything, |parts, _| parts.inner_algorithm = ECDSA_SHA384.to_vec();
    "signature.weak", device, Everything, |parts, _| parts.algorithms(ECDSA_SHA1);
    "signature.unknown-algorithm", device, Everything, |parts, _| parts.algorithms(FOREIGN_ALGORITHM);
    "signature.parameters", device, Everything, |parts, _| parts.algorithms(ECDSA_WITH_NULL);
    "signature.form", device, Everything, |parts, _| parts.signature[0] = 1;
    "unique-identifier.present", device, Everything, |parts, _| parts.unique_identifiers = element(0x82, &[0, 1]);

    "issuer.empty", device, Nothing, |parts, _| parts.issuer = EMPTY.to_vec();
    "subject.empty", device, Everything, |parts, _| {
        parts.subject = EMPTY.to_vec();
        parts.remove(oid::SUBJECT_ALT_NAME);
    };
    "name.string-kind", device, Everything, |parts, _| parts.subject = common(0x1e, &[0, b'x']);
    "name.characters", device, Everything, |parts, _| parts.subject = common(tlv::PRINTABLE_STRING, b"a@b");
    "name.control-character", device, Everything, |parts, _| parts.subject = common(tlv::UTF8_STRING, b"a\nb");
    "name.too-long", device, Everything, |parts, _| parts.subject = common(tlv::UTF8_STRING, &[b'x'; 65]);
    "name.empty-value", device, Everything, |parts, _| parts.subject = common(tlv::UTF8_STRING, b"");
    "name.white-space", device, Everything, |parts, _| parts.subject = common(tlv::UTF8_STRING, b"pump ");
    "name.country", device, Everything, |parts, _| {
        parts.subject = name(&[(COUNTRY, tlv::UTF8_STRING, b"DE"), (COMMON_NAME, tlv::UTF8_STRING, b"pump-7")]);
    };
    "subject.several-common-names", device, Everything, |parts, _| {
        parts.subject = name(&[(COMMON_NAME, tlv::UTF8_STRING, b"a"), (COMMON_NAME, tlv::UTF8_STRING, b"b")]);
    };

    "validity.fraction", device, Everything, |parts, _| parts.not_before = element(tlv::GENERALIZED_TIME, b"20260101000000.5Z");
    "validity.no-seconds", device, Everything, |parts, _| parts.not_before = utc("2601010000Z");
    "validity.offset", device, Everything, |parts, _| parts.not_after = utc("261231000000+0100");
    "validity.damaged", device, Everything, |parts, _| parts.not_after = utc("261332000000Z");
    "validity.form", device, Everything, |parts, _| parts.not_after = element(tlv::GENERALIZED_TIME, b"20270101000000Z");
    "validity.reversed", device, Everything, |parts, _| parts.not_after = utc("251231000000Z");
    "validity.beyond-issuer", device, Everything, |parts, _| parts.not_after = utc("490101000000Z");
    "validity.before-issuer", device, Everything, |parts, _| parts.not_before = utc("200101000000Z");

    "key.damaged", device, Everything, |parts, _| parts.spki = EMPTY.to_vec();
    "key.kind", device, Everything, |parts, _| parts.spki = key(&[0x2b, 0x65, 0x6e], &[], &[7; 32]);
    "key.parameters", device, Everything, |parts, _| parts.spki = key(ED25519, NULL, &[7; 32]);
    "key.explicit-curve", device, Everything, |parts, _| parts.spki = key(EC, &[0x30, 3, 2, 1, 1], &[4; 65]);
    "key.curve", device, Everything, |parts, _| parts.spki = key(EC, &[6, 5, 0x2b, 0x81, 4, 0, 10], &[4; 65]);
    "key.point-form", device, Everything, |parts, _| {
        let whole = point(&parts.spki);
        let compressed = [&[2 + (whole[64] & 1)], &whole[1..33]].concat();
        parts.spki = key(EC, P256, &compressed);
    };
    "key.point", device, Everything, |parts, _| parts.spki[90] ^= 1;
    "key.small-order", device, Everything, |parts, _| parts.spki = key(ED25519, &[], &[0; 32]);
    "key.published", device, Everything, |parts, _| parts.spki = generator();
    "key.issuers-own", device, Everything, |parts, bases| {
        parts.spki = bases.tenant_spki.clone();
        let identifier = crate::public_key::key_identifier(point(&parts.spki));
        parts.set(oid::SUBJECT_KEY_IDENTIFIER, &element(tlv::OCTET_STRING, &identifier));
    };
    "key.rsa-too-short", device, Everything, |parts, _| parts.spki = data("rsa-512.spki");
    "key.rsa-too-long", device, Everything, |parts, _| parts.spki = data("rsa-4099.spki");
    "key.rsa-exponent", device, Everything, |parts, _| parts.spki = data("rsa-exponent-3.spki");
    "key.rsa-modulus", device, Everything, |parts, _| parts.spki = data("rsa-small-factor.spki");
    "key.roca", device, Everything, |parts, _| parts.spki = data("rsa-roca.spki");
    "key.close-primes", device, Everything, |parts, _| parts.spki = data("rsa-close-primes.spki");

    "extensions.empty", device, Nothing, |parts, _| parts.extensions.clear();
    "extension.duplicate", device, Everything, |parts, _| parts.add(oid::KEY_USAGE, TRUE, &[3, 2, 7, 0x80]);
    "extension.unknown-critical", device, Everything, |parts, _| parts.add(&[0x2a, 3, 4], TRUE, NULL);
    "extension.default-encoded", device, Everything, |parts, _| parts.mark(oid::SUBJECT_KEY_IDENTIFIER, Some(0));
    "extension.malformed", device, Everything, |parts, _| parts.set(oid::SUBJECT_KEY_IDENTIFIER, &[2, 1, 0]);

    "basic-constraints.not-critical", tenant, Everything, |parts, _| parts.mark(oid::BASIC_CONSTRAINTS, None);
    "basic-constraints.default-encoded", device, Everything, |parts, _| parts.set(oid::BASIC_CONSTRAINTS, &[0x30, 3, 1, 1, 0]);
    "basic-constraints.path-length", device, Everything, |parts, _| parts.set(oid::BASIC_CONSTRAINTS, &[0x30, 3, 2, 1, 0]);
    "key-usage.missing", device, Everything, |parts, _| parts.remove(oid::KEY_USAGE);
    "key-usage.not-critical", device, Everything, |parts, _| parts.mark(oid::KEY_USAGE, None);
    "key-usage.empty", device, Nothing, |parts, _| parts.set(oid::KEY_USAGE, &[3, 1, 0]);
    "key-usage.encoding", device, Everything, |parts, _| parts.set(oid::KEY_USAGE, &[3, 2, 0, 0x80]);
    "key-usage.cert-sign-without-authority", device, Nothing, |parts, _| parts.set(oid::KEY_USAGE, &[3, 2, 2, 0x84]);
    "key-usage.authority-without-cert-sign", tenant, Nothing, |parts, _| parts.set(oid::KEY_USAGE, &[3, 2, 1, 0x02]);
    "key-usage.authority-without-crl-sign", tenant, Nothing, |parts, _| parts.set(oid::KEY_USAGE, &[3, 2, 2, 0x04]);
    "key-usage.not-for-key", device, Nothing, |parts, _| parts.set(oid::KEY_USAGE, &[3, 2, 5, 0xa0]);
    "key-usage.only-without-agreement", device, Nothing, |parts, _| parts.set(oid::KEY_USAGE, &[3, 2, 0, 0x81]);
    "extended-key-usage.empty", device, Nothing, |parts, _| parts.set(oid::EXTENDED_KEY_USAGE, EMPTY);
    "extended-key-usage.duplicate", device, Nothing, |parts, _| {
        parts.set(oid::EXTENDED_KEY_USAGE, &purposes(&[oid::CLIENT_AUTH, oid::CLIENT_AUTH]));
    };
    "extended-key-usage.any", device, Nothing, |parts, _| parts.set(oid::EXTENDED_KEY_USAGE, &purposes(&[oid::ANY_PURPOSE]));
    "extended-key-usage.ocsp-signing-mixed", device, Nothing, |parts, _| {
        parts.set(oid::EXTENDED_KEY_USAGE, &purposes(&[oid::OCSP_SIGNING, oid::CLIENT_AUTH]));
    };
    "name-constraints.in-leaf", device, Everything, |parts, _| parts.add(oid::NAME_CONSTRAINTS, TRUE, EMPTY);
    "name-constraints.not-critical", tenant, Everything, |parts, _| parts.add(oid::NAME_CONSTRAINTS, None, EMPTY);

    "subject-key-identifier.missing", tenant, Everything, |parts, _| parts.remove(oid::SUBJECT_KEY_IDENTIFIER);
    "subject-key-identifier.critical", device, Everything, |parts, _| parts.mark(oid::SUBJECT_KEY_IDENTIFIER, TRUE);
    "authority-key-identifier.missing", device, Everything, |parts, _| parts.remove(oid::AUTHORITY_KEY_IDENTIFIER);
    "authority-key-identifier.critical", device, Everything, |parts, _| parts.mark(oid::AUTHORITY_KEY_IDENTIFIER, TRUE);
    "authority-key-identifier.not-issuers", device, Everything, |parts, _| {
        parts.set(oid::AUTHORITY_KEY_IDENTIFIER, &element(tlv::SEQUENCE, &element(0x80, &[7; 20])));
    };

    "alternative-names.empty", device, Everything, |parts, _| parts.set(oid::SUBJECT_ALT_NAME, EMPTY);
    "alternative-names.not-critical", device, Everything, |parts, _| parts.subject = EMPTY.to_vec();
    "alternative-names.critical", device, Everything, |parts, _| parts.mark(oid::SUBJECT_ALT_NAME, TRUE);
    "alternative-names.too-many", device, Everything, |parts, _| {
        let uris: Vec<_> = (0..101).map(|n| format!("urn:x:{n}")).collect();
        alternative(parts, &uris.iter().map(|uri| (0x86, uri.as_bytes())).collect::<Vec<_>>());
    };
    "alternative-names.duplicate", device, Everything, |parts, _| alternative(parts, &[(0x86, b"urn:x:1"), (0x86, b"urn:x:1")]);
    "alternative-names.characters", device, Nothing, |parts, _| alternative(parts, &[(0x82, "b\u{fc}cher.example".as_bytes())]);
    "alternative-names.wildcard", device, Nothing, |parts, _| alternative(parts, &[(0x82, b"*.example")]);
    "alternative-names.dns", device, Nothing, |parts, _| alternative(parts, &[(0x82, b"a..example")]);
    "alternative-names.address", device, Nothing, |parts, _| alternative(parts, &[(0x87, &[10, 0, 0])]);
    "alternative-names.mapped-address", device, Nothing, |parts, _| {
        alternative(parts, &[(0x87, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1])]);
    };
    "alternative-names.uri", device, Everything, |parts, _| alternative(parts, &[(0x86, b"pump-7")]);
    "alternative-names.email", device, Everything, |parts, _| alternative(parts, &[(0x81, b"pump-7")]);

    "crl-pointer.critical", device, Everything, |parts, _| parts.mark(oid::CRL_DISTRIBUTION_POINTS, TRUE);
    "crl-pointer.address", device, Everything, |parts, _| parts.set(oid::CRL_DISTRIBUTION_POINTS, EMPTY);
    "authority-access.critical", device, Everything, |parts, _| parts.mark(oid::AUTHORITY_INFO_ACCESS, TRUE);
    "authority-access.address", device, Everything, |parts, _| parts.set(oid::AUTHORITY_INFO_ACCESS, EMPTY);
    "freshest-crl.present", device, Everything, |parts, _| parts.add(oid::FRESHEST_CRL, None, EMPTY);
    "no-rev-avail.contradicted", device, Everything, |parts, _| parts.add(oid::NO_REV_AVAIL, None, NULL);
    "no-rev-avail.in-authority", tenant, Everything, |parts, _| parts.add(oid::NO_REV_AVAIL, None, NULL);
    "no-rev-avail.critical", device, Everything, |parts, _| {
        parts.remove(oid::CRL_DISTRIBUTION_POINTS);
        parts.add(oid::NO_REV_AVAIL, TRUE, NULL);
    };
    "no-rev-avail.value", device, Everything, |parts, _| {
        parts.remove(oid::CRL_DISTRIBUTION_POINTS);
        parts.add(oid::NO_REV_AVAIL, None, EMPTY);
    };
    "ocsp-no-check.value", ocsp, Everything, |parts, _| parts.set(oid::OCSP_NO_CHECK, EMPTY);
    "ocsp-no-check.in-other", device, Everything, |parts, _| parts.add(oid::OCSP_NO_CHECK, None, NULL);

    "path.issuer-name", device, Everything, |parts, _| parts.issuer = common(tlv::PRINTABLE_STRING, b"acme");
    "path.too-long", below_tenant, Everything, |_, _| {};

    "profile.authority", device_of_platform, Everything, |parts, _| {
        parts.set(oid::BASIC_CONSTRAINTS, &[0x30, 6, 1, 1, 0xff, 2, 1, 0]);
        parts.set(oid::KEY_USAGE, &[3, 2, 1, 0x06]);
    };
    "profile.path-length", platform, Everything, |parts, _| parts.set(oid::BASIC_CONSTRAINTS, &[0x30, 6, 1, 1, 0xff, 2, 1, 0]);
    "profile.serial-length", device, Everything, |parts, _| parts.serial = vec![0x40; 15];
    "profile.key-usage", device, Everything, |parts, _| parts.set(oid::KEY_USAGE, &[3, 2, 6, 0xc0]);
    "profile.purposes", device, Everything, |parts, _| parts.set(oid::EXTENDED_KEY_USAGE, &purposes(&[oid::SERVER_AUTH]));
    "profile.names", device, Everything, |parts, _| alternative(parts, &[(0x82, b"pump-7.example")]);
    "profile.no-address", service, Everything, |parts, _| alternative(parts, &[(0x86, b"urn:x:1")]);
    "profile.kaa-name", kaa, Everything, |parts, _| alternative(parts, &[(0x82, b"other.example")]);
    "profile.subject", device, Everything, |parts, _| parts.subject = name(&[(ORGANISATION, tlv::UTF8_STRING, b"Acme")]);
    "profile.unexpected-extension", device, Everything, |parts, _| {
        parts.add(oid::ISSUER_ALT_NAME, None, &names(&[(0x86, b"urn:x:1")]));
    };
    "profile.no-revocation", device, Everything, |parts, _| parts.remove(oid::CRL_DISTRIBUTION_POINTS);
    "profile.no-check", ocsp, Everything, |parts, _| parts.remove(oid::OCSP_NO_CHECK);
    "profile.responder-life", ocsp, Everything, |parts, _| parts.not_after = utc("260301000000Z");
    "profile.key-identifier", device, Everything, |parts, _| {
        parts.set(oid::SUBJECT_KEY_IDENTIFIER, &element(tlv::OCTET_STRING, &[7; 20]));
    };

    "request.subject", device, Request, |parts, _| parts.subject = common(tlv::UTF8_STRING, b"pump-8");
    "request.key", device, Request, |parts, bases| parts.spki = bases.tenant_spki.clone();
    "request.names", device, Request, |parts, _| alternative(parts, &[(0x86, b"urn:x:1"), (0xa0, &[6, 1, 0x2a])]);
    "request.lifetime", device, Request, |parts, _| parts.not_after = utc("480101000000Z");
    "request.crl-pointer", device, Request, |parts, _| parts.remove(oid::CRL_DISTRIBUTION_POINTS);
}
