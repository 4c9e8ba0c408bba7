//! A revocation list as people read it.

use serde::Serialize;
use signet_crypto::sha256;

use super::certificate;
use crate::tlv::hex;
use crate::{Crl, RevokedEntry, Serial, time};

/// The most entries that are shown; how many there are is always said.
const MOST_ENTRIES: usize = 1_000;

/// The part of all certificates that a list is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PointShown {
    /// The addresses of the list.
    pub urls: Vec<String>,
    /// `user`, `ca`, `attribute`, or none for all.
    pub only: Option<&'static str>,
    /// Whether it holds revocations for some reasons only.
    pub some_reasons: bool,
    /// Whether it holds certificates of other issuers.
    pub indirect: bool,
}

/// A revoked certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RevokedShown {
    /// Its serial number, decimal; hexadecimal when it is longer than any may be.
    pub serial: String,
    /// When it was revoked.
    pub at: String,
    /// Why.
    pub reason: Option<String>,
}

/// A revocation list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListShown {
    /// 1 or 2.
    pub version: u8,
    /// Whose it is.
    pub issuer: String,
    /// Its number.
    pub number: Option<String>,
    /// When it was made.
    pub this_update: String,
    /// By when the next one will be there.
    pub next_update: Option<String>,
    /// Which certificates it is about.
    pub distribution_point: Option<PointShown>,
    /// The identifier of the key that signed it, hexadecimal.
    pub authority_key_identifier: Option<String>,
    /// What it is signed with.
    pub signature_algorithm: String,
    /// SHA-256 of the whole list, hexadecimal.
    pub sha256: String,
    /// How many certificates are on it.
    pub revoked: usize,
    /// The first 1,000 of them.
    pub entries: Vec<RevokedShown>,
    /// What keeps it from being relied on.
    pub faults: Vec<String>,
}

pub(super) fn show(list: &Crl<'_>, der: &[u8]) -> ListShown {
    let point = list.distribution_point().map(|point| PointShown {
        urls: point.urls.iter().map(|url| signet_model::log_text(url, 1024)).collect(),
        only: match (point.only_user_certs, point.only_ca_certs, point.only_attribute_certs) {
            (true, ..) => Some("user"),
            (_, true, _) => Some("ca"),
            (.., true) => Some("attribute"),
            (false, false, false) => None,
        },
        some_reasons: point.some_reasons,
        indirect: point.indirect,
    });
    let fault = |name: &String| format!("{name} is not understood, so the list must not be relied on");
    ListShown {
        version: list.version(),
        issuer: certificate::name(list.issuer()),
        number: list.number().map(Serial::decimal),
        this_update: time::rfc3339(list.this_update()),
        next_update: list.next_update().map(time::rfc3339),
        distribution_point: point,
        authority_key_identifier: list.authority_key_identifier().map(hex),
        signature_algorithm: list.signature_algorithm(),
        sha256: hex(&sha256(der)),
        revoked: list.entries().len(),
        entries: list.entries().iter().take(MOST_ENTRIES).map(entry).collect(),
        faults: list.not_understood().iter().map(fault).collect(),
    }
}

fn entry(entry: &RevokedEntry<'_>) -> RevokedShown {
    let reason = entry.reason().map(|reason| reason.name().to_owned());
    RevokedShown {
        serial: Serial::from_der_bytes(entry.serial).map_or_else(|_| hex(entry.serial), |serial| serial.decimal()),
        at: time::rfc3339(entry.at),
        reason: reason.or_else(|| entry.reason_code.map(|code| format!("code {code}"))),
    }
}
