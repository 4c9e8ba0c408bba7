//! Rules of extensions as such: once each, known where critical, readable.

use super::view::View;
use super::{Blame, Rule, Severity};
use crate::tlv::{self, Reader};
use crate::{PkiError, oid};

/// What a verifier of this house understands, and so may be critical.
static UNDERSTOOD: &[&[u8]] = &[
    oid::KEY_USAGE,
    oid::SUBJECT_ALT_NAME,
    oid::BASIC_CONSTRAINTS,
    oid::NAME_CONSTRAINTS,
    oid::CERTIFICATE_POLICIES,
    oid::POLICY_MAPPINGS,
    oid::POLICY_CONSTRAINTS,
    oid::EXTENDED_KEY_USAGE,
    oid::INHIBIT_ANY_POLICY,
    // Wrong to be critical, and told by rules of their own.
    oid::SUBJECT_KEY_IDENTIFIER,
    oid::AUTHORITY_KEY_IDENTIFIER,
    oid::CRL_DISTRIBUTION_POINTS,
    oid::AUTHORITY_INFO_ACCESS,
    oid::NO_REV_AVAIL,
    oid::FRESHEST_CRL,
];

pub(super) static RULES: &[Rule] = &[
    Rule {
        name: "extensions.empty",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.1.2.9",
        check: |view, _| view.has_empty_list().then(|| "the list of extensions is empty".to_owned()),
    },
    Rule {
        name: "extension.duplicate",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2",
        check: |view, _| {
            let twice = |(at, extension): &(usize, &super::view::ExtensionView<'_>)| {
                view.extensions.iter().take(*at).any(|other| other.oid == extension.oid)
            };
            view.extensions.iter().enumerate().find(twice).map(|(_, extension)| format!("{} stands in it twice", oid::name(extension.oid)))
        },
    },
    Rule {
        name: "extension.unknown-critical",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2",
        check: |view, _| {
            let unknown = view.extensions.iter().find(|extension| extension.critical && !UNDERSTOOD.contains(&extension.oid));
            unknown.map(|extension| format!("{} is critical", oid::name(extension.oid)))
        },
    },
    Rule {
        name: "extension.default-encoded",
        severity: Severity::Warning,
        blame: Blame::Issuer,
        source: "X.690 11.5",
        check: |view, _| {
            let found = view.extensions.iter().find(|extension| extension.default_encoded);
            found.map(|extension| format!("the critical mark of {} is encoded although it is false", oid::name(extension.oid)))
        },
    },
    Rule {
        name: "extension.malformed",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1",
        check: |view, _| {
            let broken = view.extensions.iter().find(|extension| readable(extension.oid, extension.value).is_err());
            broken.map(|extension| format!("{} cannot be read", oid::name(extension.oid)))
        },
    },
];

/// Whether a known extension has the form that its kind has.
fn readable(kind: &[u8], value: &[u8]) -> Result<(), PkiError> {
    const WHAT: &str = "an extension";
    let sequence_of = |each: &dyn Fn(&mut Reader<'_>) -> Result<(), PkiError>| {
        let mut inner = Reader::only(value, tlv::SEQUENCE, WHAT)?.inner();
        while !inner.is_empty() {
            each(&mut inner)?;
        }
        Ok(())
    };
    match kind {
        oid::BASIC_CONSTRAINTS => {
            let mut inner = Reader::only(value, tlv::SEQUENCE, WHAT)?.inner();
            let flag = inner.optional(tlv::BOOLEAN)?;
            if flag.is_some_and(|flag| !matches!(flag.body, [0 | 0xff])) {
                return Err(PkiError::malformed(WHAT, "a flag"));
            }
            let length = inner.optional(tlv::INTEGER)?;
            if length.is_some_and(|length| length.body.first().is_none_or(|first| first & 0x80 != 0)) {
                return Err(PkiError::malformed(WHAT, "a length"));
            }
            inner.end(WHAT)
        }
        oid::KEY_USAGE => match Reader::only(value, tlv::BIT_STRING, WHAT)?.body {
            [0..=7] | [0..=7, _] | [0..=7, _, _] => Ok(()),
            _ => Err(PkiError::malformed(WHAT, "bits")),
        },
        oid::EXTENDED_KEY_USAGE => sequence_of(&|inner| inner.expect(tlv::OID, WHAT).map(|_| ())),
        oid::SUBJECT_KEY_IDENTIFIER => Reader::only(value, tlv::OCTET_STRING, WHAT).map(|_| ()),
        oid::SUBJECT_ALT_NAME | oid::ISSUER_ALT_NAME => sequence_of(&|inner| match inner.any()?.tag {
            0x81 | 0x82 | 0x86 | 0x87 | 0x88 | 0xa0 | 0xa3 | 0xa4 | 0xa5 => Ok(()),
            _ => Err(PkiError::malformed(WHAT, "a name of no kind")),
        }),
        oid::AUTHORITY_KEY_IDENTIFIER => sequence_of(&|inner| match inner.any()?.tag {
            0x80 | 0xa1 | 0x82 => Ok(()),
            _ => Err(PkiError::malformed(WHAT, "a field")),
        }),
        oid::CRL_DISTRIBUTION_POINTS | oid::FRESHEST_CRL | oid::CERTIFICATE_POLICIES | oid::POLICY_MAPPINGS => {
            sequence_of(&|inner| inner.expect(tlv::SEQUENCE, WHAT).map(|_| ()))
        }
        oid::AUTHORITY_INFO_ACCESS => sequence_of(&|inner| {
            let mut description = inner.expect(tlv::SEQUENCE, WHAT)?.inner();
            description.expect(tlv::OID, WHAT)?;
            description.any()?;
            description.end(WHAT)
        }),
        oid::NAME_CONSTRAINTS | oid::POLICY_CONSTRAINTS => sequence_of(&|inner| inner.any().map(|_| ())),
        oid::INHIBIT_ANY_POLICY => Reader::only(value, tlv::INTEGER, WHAT).map(|_| ()),
        // Their own rules look at noRevAvail and ocspNoCheck; others are not known.
        _ => Ok(()),
    }
}

impl View<'_> {
    /// Whether an extension is there and critical.
    pub(super) fn critical(&self, kind: &[u8]) -> Option<bool> {
        self.extension(kind).map(|extension| extension.critical)
    }
}
