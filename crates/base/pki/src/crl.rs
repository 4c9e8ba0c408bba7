//! Revocation lists of our authorities (RFC 5280 section 5): encoded once, read back and checked, and only then signed over exactly these bytes. Never a delta list.

use std::collections::HashSet;

use signet_crypto::sha256;
use signet_crypto::sign::{Algorithm, Signer};
use signet_model::Timestamp;

use crate::crl_read::Content;
use crate::issuer::write_extension;
use crate::subject_name::fault_of_uri;
use crate::tlv::{self, Reader, Writer};
use crate::{IssuerFacts, LONGEST_SERIAL, PkiError, RevocationReason, algorithm, oid, pem, signed, time};

/// The extensions of an entry with a reason, up to the code: reasonCode (2.5.29.21), not critical, an ENUMERATED of one byte.
const REASON_HEAD: [u8; 13] = [0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01];

/// One revoked certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlEntry {
    /// The value of its serial number's INTEGER ([`Serial::to_der_bytes`](crate::Serial::to_der_bytes)).
    pub serial: Vec<u8>,
    /// When it was revoked.
    pub at: Timestamp,
    /// Why; `unspecified` is said by none, as the RFC wants it.
    pub reason: Option<RevocationReason>,
}

impl CrlEntry {
    fn write(&self, writer: &mut Writer) -> Result<(), PkiError> {
        let mut body = Writer::with_capacity(64);
        body.element(tlv::INTEGER, &self.serial);
        time::write(&mut body, self.at)?;
        if let Some(reason) = self.reason {
            body.raw(&REASON_HEAD);
            body.raw(&[reason.code()]);
        }
        writer.element(tlv::SEQUENCE, &body.finish());
        Ok(())
    }
}

/// Everything that a list says.
#[derive(Clone, Debug)]
pub struct CrlRequest<'a, E> {
    /// Whose list it is.
    pub issuer: &'a IssuerFacts,
    /// Its number, higher than that of every list before it.
    pub number: u64,
    /// When it was made.
    pub this_update: Timestamp,
    /// By when the next one will be there.
    pub next_update: Timestamp,
    /// For a part of the whole list: its address, byte for byte as the certificates of that part name it.
    pub idp_url: Option<&'a str>,
    /// Whether it is about end-entity certificates only.
    pub only_user_certs: bool,
    /// The revoked certificates. They are encoded one after another; there is no bound on their number.
    pub entries: E,
}

impl<E: IntoIterator<Item = CrlEntry>> CrlRequest<'_, E> {
    /// Encodes the list, reads it back and checks what it says.
    ///
    /// # Errors
    /// [`PkiError::CrlRule`] with the first rule that it breaks, [`PkiError::Malformed`] when an entry is no entry,
    /// [`PkiError::Encode`] for a time that no list can hold.
    pub fn lint(self) -> Result<LintedCrl, PkiError> {
        let Self { issuer, number, this_update, next_update, idp_url, only_user_certs, entries } = self;
        let mut encoded = Writer::default();
        let mut count = 0_usize;
        for entry in entries {
            entry.write(&mut encoded)?;
            count = count.saturating_add(1);
        }
        let frame = Frame { issuer, number, this_update, next_update, idp_url, only_user_certs };
        let tbs = frame.encode(&encoded.finish())?;
        frame.check(&Content::read(&Reader::only(&tbs, tlv::SEQUENCE, "the revocation list")?)?, count)?;
        Ok(LintedCrl { tbs, algorithm: issuer.algorithm(), issuer_spki_sha256: issuer.spki_sha256() })
    }
}

/// The value of the issuing distribution point (RFC 5280 section 5.2.5), DER: for lists that are signed elsewhere.
pub fn issuing_distribution_point(url: Option<&str>, only_user_certs: bool) -> Vec<u8> {
    tlv::nested(tlv::SEQUENCE, |point| {
        if let Some(url) = url {
            point.nested(tlv::context(0), |name| {
                name.nested(tlv::context(0), |full| full.element(tlv::context_primitive(6), url.as_bytes()));
            });
        }
        if only_user_certs {
            point.element(tlv::context_primitive(1), &[0xff]);
        }
    })
}

/// All but the entries.
struct Frame<'a> {
    issuer: &'a IssuerFacts,
    number: u64,
    this_update: Timestamp,
    next_update: Timestamp,
    idp_url: Option<&'a str>,
    only_user_certs: bool,
}

impl Frame<'_> {
    /// The to-be-signed part (RFC 5280 section 5.1.2).
    fn encode(&self, entries: &[u8]) -> Result<Vec<u8>, PkiError> {
        let mut times = Writer::with_capacity(36);
        time::write(&mut times, self.this_update)?;
        time::write(&mut times, self.next_update)?;
        // Names and extensions are far below that.
        let mut writer = Writer::with_capacity(entries.len().saturating_add(1024));
        writer.nested(tlv::SEQUENCE, |list| {
            list.element(tlv::INTEGER, &[1]);
            list.raw(algorithm::identifier(self.issuer.algorithm()));
            list.raw(self.issuer.name().der());
            list.raw(&times.finish());
            // An empty list of entries must be absent (section 5.1.2.6).
            if !entries.is_empty() {
                list.element(tlv::SEQUENCE, entries);
            }
            list.nested(tlv::context(0), |field| field.nested(tlv::SEQUENCE, |extensions| self.write_extensions(extensions)));
        });
        Ok(writer.finish())
    }

    fn write_extensions(&self, extensions: &mut Writer) {
        extensions.raw(self.issuer.authority_key_identifier());
        write_extension(extensions, oid::CRL_NUMBER, false, |value| {
            let number = self.number.to_be_bytes();
            // One leading zero byte keeps a number with the top bit set positive.
            let padded: Vec<u8> = std::iter::once(0).chain(number).collect();
            let redundant = padded.windows(2).take_while(|pair| matches!(pair, [0, next] if next & 0x80 == 0)).count();
            value.element(tlv::INTEGER, padded.get(redundant..).unwrap_or_default());
        });
        if self.idp_url.is_some() || self.only_user_certs {
            let point = issuing_distribution_point(self.idp_url, self.only_user_certs);
            write_extension(extensions, oid::ISSUING_DISTRIBUTION_POINT, true, |value| value.raw(&point));
        }
    }

    fn check(&self, content: &Content<'_>, given: usize) -> Result<(), PkiError> {
        let broken = |rule, what: String| Err(PkiError::CrlRule { rule, what });
        if self.issuer.name().is_empty() {
            return broken("crl.issuer-empty", "an issuer without a name".to_owned());
        }
        if self.next_update <= self.this_update {
            return broken(
                "crl.dates",
                format!("the next update at {} does not follow this one at {}", self.next_update, self.this_update),
            );
        }
        if let Some(fault) = self.idp_url.and_then(fault_of_uri) {
            return broken("crl.address", format!("the distribution point is {fault}"));
        }
        if content.entries.len() != given {
            return broken("crl.entries", format!("{given} entries were given, {} can be read", content.entries.len()));
        }
        let mut seen = HashSet::with_capacity(content.entries.len());
        for entry in &content.entries {
            let serial = entry.serial;
            let minimal = !matches!(serial, [0, next, ..] if next & 0x80 == 0);
            let positive = serial.first().is_some_and(|first| first & 0x80 == 0) && serial != [0];
            if !minimal || !positive || serial.len() > LONGEST_SERIAL {
                return broken("crl.serial", format!("the serial number with the bytes {}", tlv::hex(serial)));
            }
            if !seen.insert(serial) {
                return broken("crl.duplicate", format!("the serial number {} twice", tlv::hex(serial)));
            }
        }
        Ok(())
    }
}

/// A to-be-signed list that was read back and checked.
#[derive(Clone, Debug)]
pub struct LintedCrl {
    tbs: Vec<u8>,
    algorithm: Algorithm,
    issuer_spki_sha256: [u8; 32],
}

impl LintedCrl {
    /// The bytes that were checked and are signed.
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// Signs exactly these bytes, with the key of the issuer that they name. DER of the whole list.
    ///
    /// # Errors
    /// [`PkiError::KeyMismatch`] when the signer holds another key, [`PkiError::Sign`] when it fails.
    pub fn sign(&self, signer: &dyn Signer) -> Result<Vec<u8>, PkiError> {
        pem::same_digest(self.issuer_spki_sha256, sha256(&signer.public_key_spki_der()))?;
        signed::sign(&self.tbs, self.algorithm, signer, &[])
    }
}
