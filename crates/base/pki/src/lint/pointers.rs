//! Rules of where revocation is told: CRL, OCSP, or that it is told nowhere (RFC 9608).

use super::view::View;
use super::{Blame, Rule, Severity};
use crate::tlv::{self, Reader};
use crate::{oid, subject_name::fault_of_uri};

/// `05 00`.
const NULL: [u8; 2] = [tlv::NULL, 0];

/// The addresses of cRLDistributionPoints; none where a point has none.
pub(super) fn crl_addresses(value: &[u8]) -> Option<Vec<&[u8]>> {
    let mut points = Reader::only(value, tlv::SEQUENCE, "").ok()?.inner();
    let mut addresses = Vec::new();
    while !points.is_empty() {
        let mut point = points.expect(tlv::SEQUENCE, "").ok()?.inner();
        let mut name = point.expect(tlv::context(0), "").ok()?.inner();
        let mut full = name.expect(tlv::context(0), "").ok()?.inner();
        addresses.push(full.expect(tlv::context_primitive(6), "").ok()?.body);
    }
    (!addresses.is_empty()).then_some(addresses)
}

/// The methods and addresses of authorityInfoAccess.
fn access_addresses(value: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut descriptions = Reader::only(value, tlv::SEQUENCE, "").ok()?.inner();
    let mut addresses = Vec::new();
    while !descriptions.is_empty() {
        let mut description = descriptions.expect(tlv::SEQUENCE, "").ok()?.inner();
        let method = description.expect(tlv::OID, "").ok()?.body;
        addresses.push((method, description.expect(tlv::context_primitive(6), "").ok()?.body));
    }
    (!addresses.is_empty()).then_some(addresses)
}

/// Revocation is fetched over plain HTTP, since TLS would need it first; LDAP is known to old directories.
fn fetchable(address: &[u8]) -> bool {
    let text = std::str::from_utf8(address).unwrap_or_default();
    fault_of_uri(text).is_none() && (text.starts_with("http://") || text.starts_with("ldap://"))
}

/// Whether the extension is there although nothing will ever be published.
fn contradicts(view: &View<'_>) -> bool {
    let ocsp = view.extension(oid::AUTHORITY_INFO_ACCESS).and_then(|access| access_addresses(access.value));
    view.extension(oid::CRL_DISTRIBUTION_POINTS).is_some()
        || ocsp.is_some_and(|all| all.iter().any(|(method, _)| *method == oid::ACCESS_OCSP))
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        name: "crl-pointer.critical",
        severity: Severity::Warning,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.13",
        check: |view, _| {
            (view.critical(oid::CRL_DISTRIBUTION_POINTS) == Some(true)).then(|| "cRLDistributionPoints are critical".to_owned())
        },
    },
    Rule {
        name: "crl-pointer.address",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.1.13",
        check: |view, _| {
            let addresses = crl_addresses(view.extension(oid::CRL_DISTRIBUTION_POINTS)?.value);
            let good = addresses.is_some_and(|all| all.iter().all(|address| fetchable(address)));
            (!good).then(|| "cRLDistributionPoints without an address of plain HTTP or LDAP".to_owned())
        },
    },
    Rule {
        name: "authority-access.critical",
        severity: Severity::Warning,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.2.1",
        check: |view, _| (view.critical(oid::AUTHORITY_INFO_ACCESS) == Some(true)).then(|| "authorityInfoAccess is critical".to_owned()),
    },
    Rule {
        name: "authority-access.address",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 5280 4.2.2.1",
        check: |view, _| {
            let addresses = access_addresses(view.extension(oid::AUTHORITY_INFO_ACCESS)?.value);
            let good = addresses.is_some_and(|all| all.iter().all(|(_, address)| fetchable(address)));
            (!good).then(|| "authorityInfoAccess without an address of plain HTTP or LDAP".to_owned())
        },
    },
    Rule {
        name: "freshest-crl.present",
        severity: Severity::Warning,
        blame: Blame::Issuer,
        source: "profile",
        check: |view, _| view.extension(oid::FRESHEST_CRL).is_some().then(|| "freshestCRL: delta CRLs are not published".to_owned()),
    },
    Rule {
        name: "no-rev-avail.contradicted",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 9608 3",
        check: |view, _| {
            view.extension(oid::NO_REV_AVAIL)?;
            contradicts(view).then(|| "noRevAvail beside an address of revocation".to_owned())
        },
    },
    Rule {
        name: "no-rev-avail.in-authority",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 9608 2",
        check: |view, _| {
            view.extension(oid::NO_REV_AVAIL)?;
            view.is_authority().then(|| "noRevAvail in an authority's certificate".to_owned())
        },
    },
    Rule {
        name: "no-rev-avail.critical",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 9608 2",
        check: |view, _| (view.critical(oid::NO_REV_AVAIL) == Some(true)).then(|| "noRevAvail is critical".to_owned()),
    },
    Rule {
        name: "no-rev-avail.value",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 9608 2",
        check: |view, _| (view.extension(oid::NO_REV_AVAIL)?.value != NULL).then(|| "noRevAvail is not NULL".to_owned()),
    },
    Rule {
        name: "ocsp-no-check.value",
        severity: Severity::Error,
        blame: Blame::Issuer,
        source: "RFC 6960 4.2.2.2.1",
        check: |view, _| (view.extension(oid::OCSP_NO_CHECK)?.value != NULL).then(|| "ocspNoCheck is not NULL".to_owned()),
    },
    Rule {
        name: "ocsp-no-check.in-other",
        severity: Severity::Warning,
        blame: Blame::Issuer,
        source: "RFC 6960 4.2.2.2.1",
        check: |view, _| {
            view.extension(oid::OCSP_NO_CHECK)?;
            let responder = view.purposes().is_some_and(|purposes| purposes.contains(&oid::OCSP_SIGNING));
            (!responder).then(|| "ocspNoCheck in a certificate that is no OCSP responder's".to_owned())
        },
    },
];
