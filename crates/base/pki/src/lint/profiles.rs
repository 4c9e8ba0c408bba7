//! Rules of our profiles (enrolment.md 15, kaa.md 16.2.1): checked when the context names one.

use std::time::Duration;

use signet_crypto::sha1_identifier;

use super::view::View;
use super::{Blame, Rule, Severity};
use crate::tlv::Reader;
use crate::{Profile, Serial, SubjectName, oid, time, tlv};

/// The longest life of an OCSP responder (enrolment.md 14.2).
const RESPONDER_LIFE: Duration = Duration::from_secs(30 * 86_400);

/// The fewest bytes of a serial number.
const SHORTEST_SERIAL: usize = 16;

/// The extensions that certificates of a profile may have.
fn expected(profile: Profile, kind: &[u8]) -> bool {
    match kind {
        oid::KEY_USAGE | oid::SUBJECT_KEY_IDENTIFIER | oid::AUTHORITY_KEY_IDENTIFIER | oid::BASIC_CONSTRAINTS => true,
        oid::CRL_DISTRIBUTION_POINTS | oid::AUTHORITY_INFO_ACCESS => true,
        // Constraints are wrong in a leaf anyway, and policies harmless; rules of their own tell the first.
        oid::NAME_CONSTRAINTS | oid::FRESHEST_CRL | oid::OCSP_NO_CHECK | oid::NO_REV_AVAIL => true,
        oid::CERTIFICATE_POLICIES => true,
        oid::EXTENDED_KEY_USAGE | oid::SUBJECT_ALT_NAME => !profile.is_authority(),
        _ => false,
    }
}

fn names(view: &View<'_>) -> Vec<SubjectName> {
    view.names().iter().filter_map(|name| SubjectName::read(name).ok().flatten()).collect()
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        name: "profile.authority",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "profile",
        check: |view, context| {
            let profile = context.profile?;
            (view.is_authority() != profile.is_authority())
                .then(|| format!("CA is {} in a certificate of the profile {profile}", view.is_authority()))
        },
    },
    Rule {
        name: "profile.path-length",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "profile",
        check: |view, context| {
            let profile = context.profile.filter(|profile| profile.is_authority())?;
            let (authority, length) = view.constraints()?;
            let wanted = profile.path_len();
            let same = match (wanted, length) {
                (Some(wanted), Some([length])) => wanted == *length,
                (None, None) => true,
                _ => false,
            };
            (authority && !same).then(|| format!("another path length than the profile {profile} has"))
        },
    },
    Rule {
        name: "profile.serial-length",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "profile",
        check: |view, context| {
            context.profile?;
            let serial = Serial::from_der_bytes(view.serial).ok().filter(|serial| !serial.is_negative())?;
            // Other rules tell what is no serial number at all. Vault's numbers of 159 random bits may begin with zeros.
            let length = serial.magnitude().len();
            (1..SHORTEST_SERIAL)
                .contains(&length)
                .then(|| format!("the serial number has {length} bytes; {SHORTEST_SERIAL} to 20 cannot be guessed"))
        },
    },
    Rule {
        name: "profile.key-usage",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "profile",
        check: |view, context| {
            // Of an authority where there should be none, or the other way round, that is told.
            let profile = context.profile.filter(|profile| profile.is_authority() == view.is_authority())?;
            (view.key_usage()? != (profile.key_usage(), false)).then(|| format!("another keyUsage than the profile {profile} has"))
        },
    },
    Rule {
        name: "profile.purposes",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "profile",
        check: |view, context| {
            let profile = context.profile?;
            let (mut found, mut wanted) = (view.purposes().unwrap_or_default().to_vec(), profile.purposes().to_vec());
            found.sort_unstable();
            wanted.sort_unstable();
            // In an authority it is the extension that is unexpected.
            (found != wanted && !profile.is_authority()).then(|| format!("other purposes than the profile {profile} has"))
        },
    },
    Rule {
        name: "profile.names",
        severity: Severity::Error,
        blame: Blame::Request,
        source: "profile",
        check: |view, context| {
            let profile = context.profile.filter(|profile| !profile.is_authority())?;
            let refused = names(view).into_iter().find(|name| !profile.admits(name))?;
            Some(format!("{refused} may not stand in a certificate of the profile {profile}"))
        },
    },
    Rule {
        name: "profile.no-address",
        severity: Severity::Error,
        blame: Blame::Request,
        source: "profile",
        check: |view, context| {
            let profile = context.profile.filter(|profile| matches!(profile, Profile::Service | Profile::Server))?;
            let reachable = view.names().iter().any(|name| matches!(name.tag, 0x82 | 0x87));
            // An empty extension is a rule of its own.
            let lacks = !reachable && view.extension(oid::SUBJECT_ALT_NAME).is_none_or(|names| names.value != [0x30, 0]);
            lacks.then(|| format!("the profile {profile} needs a DNS name or an address that peers connect to"))
        },
    },
    Rule {
        name: "profile.kaa-name",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "profile",
        check: |view, context| {
            context.profile.filter(|profile| *profile == Profile::Kaa)?;
            let wanted = SubjectName::dns(view.subject.common_name()?).ok()?;
            (!names(view).contains(&wanted)).then(|| format!("the common name is not among its names as {wanted}"))
        },
    },
    Rule {
        name: "profile.subject",
        severity: Severity::Error,
        blame: Blame::Request,
        source: "profile",
        check: |view, context| {
            let profile = context.profile?;
            let count = view.subject.attributes().len();
            let tenant = matches!(profile, Profile::TenantCa | Profile::KaaTenantCa);
            if view.subject.is_empty() || view.subject.common_name().is_none() {
                // A subject that says nothing at all is a rule of its own.
                return (!view.subject.is_empty()).then(|| "the subject has no common name".to_owned());
            }
            (tenant && count != 1).then(|| "the subject of a tenant's CA is its common name and nothing else".to_owned())
        },
    },
    Rule {
        name: "profile.unexpected-extension",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "profile",
        check: |view, context| {
            let profile = context.profile?;
            let found = view.extensions.iter().find(|extension| !extension.critical && !expected(profile, extension.oid));
            found.map(|extension| format!("{} has no place in the profile {profile}", oid::name(extension.oid)))
        },
    },
    Rule {
        name: "profile.no-revocation",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "profile",
        check: |view, context| {
            context.profile.filter(|profile| matches!(profile, Profile::Device | Profile::Service))?;
            let told = view.extension(oid::CRL_DISTRIBUTION_POINTS).is_some() || view.extension(oid::NO_REV_AVAIL).is_some();
            (!told).then(|| "it names neither a CRL nor that there will be none".to_owned())
        },
    },
    Rule {
        name: "profile.no-check",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 6960 4.2.2.2.1",
        check: |view, context| {
            context.profile.filter(|profile| *profile == Profile::OcspResponder)?;
            view.extension(oid::OCSP_NO_CHECK).is_none().then(|| "an OCSP responder without ocspNoCheck".to_owned())
        },
    },
    Rule {
        name: "profile.responder-life",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "profile",
        check: |view, context| {
            context.profile.filter(|profile| *profile == Profile::OcspResponder)?;
            let life = time::read(&view.not_after).ok()?.since(time::read(&view.not_before).ok()?);
            (life > RESPONDER_LIFE).then(|| "an OCSP responder that lives for more than 30 days".to_owned())
        },
    },
    Rule {
        name: "profile.key-identifier",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 7093 2, RFC 5280 4.2.1.2",
        check: |view, context| {
            context.profile?;
            let named = Reader::only(view.extension(oid::SUBJECT_KEY_IDENTIFIER)?.value, tlv::OCTET_STRING, "").ok()?.body;
            let key = view.key.as_ref().ok()?;
            // Vault and most others take SHA-1 of the bits (RFC 5280 section 4.2.1.2, method 1).
            let of_key = named == key.key_identifier() || named == sha1_identifier(key.bits());
            (!of_key).then(|| "subjectKeyIdentifier is not that of the key".to_owned())
        },
    },
];
