//! Revocation lists whose content is ours and whose signature is the mount's (`sign-revocation-list`), so that suspension and
//! reasons, which the engine's own lists do not know, are on them.
//!
//! OpenBao takes at most 1,000 strings in one request by default, an entry with its reason needs nine: about 110 entries. Whoever
//! asks keeps the parts of its list below that (docs/decisions).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use signet_model::Timestamp;
use signet_pki::Serial;

use super::client::Repeat;
use super::engine::seconds;
use super::{Mount, VaultError, VaultPki, answer};

/// RFC 5280 5.3.1 and 5.2.5.
const REASON_CODE: &str = "2.5.29.21";
const ISSUING_DISTRIBUTION_POINT: &str = "2.5.29.28";

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListEntry {
    /// The serial number.
    pub serial: Serial,
    /// Since when.
    pub at: Timestamp,
    /// The code of the reason (RFC 5280 5.3.1), 6 for a hold; none for unspecified.
    pub reason: Option<u8>,
}

/// A list to be signed. thisUpdate is the server's now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList<'a> {
    /// Its number.
    pub number: u64,
    /// How long until the next.
    pub period: Duration,
    /// DER of the issuing distribution point, without the OCTET STRING around it; critical.
    pub distribution_point: Option<&'a [u8]>,
    /// What is revoked.
    pub entries: &'a [ListEntry],
}

impl VaultPki {
    /// The list, DER.
    ///
    /// # Errors
    /// [`VaultError`]; [`VaultError::Refused`] for more entries than the server takes at once.
    pub async fn sign_revocation_list(&self, mount: &Mount, issuer: &str, list: &RevocationList<'_>) -> Result<Vec<u8>, VaultError> {
        const CALL: &str = "signing a revocation list";
        let entries: Vec<Value> = list.entries.iter().map(entry).collect();
        let mut extensions = Vec::new();
        if let Some(point) = list.distribution_point {
            extensions.push(json!({"id": ISSUING_DISTRIBUTION_POINT, "critical": true, "value": STANDARD.encode(point)}));
        }
        let body = json!({
            "crl_number": list.number,
            "next_update": seconds(list.period),
            "revoked_certs": entries,
            "extensions": extensions,
            "format": "der",
        });
        let signed = self.write(CALL, &mount.issuer(issuer, "/sign-revocation-list")?, body, Repeat::Harmless).await?;
        answer::bytes(&signed, "/data/crl", CALL)
    }
}

fn entry(entry: &ListEntry) -> Value {
    let mut value = json!({"serial_number": entry.serial.colon_hex(), "revocation_time": entry.at.to_string()});
    if let (Some(reason), Some(object)) = (entry.reason, value.as_object_mut()) {
        // ENUMERATED of one byte.
        let code = STANDARD.encode([0x0a, 1, reason]);
        object.insert("extensions".to_owned(), json!([{"id": REASON_CODE, "value": code}]));
    }
    value
}
