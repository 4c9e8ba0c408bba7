//! What is answered (RFC 6960 section 4.2): signed answers by the CA's key or its delegate's, and the unsigned refusals.

use signet_crypto::sha1_identifier;
use signet_crypto::sign::Signer;
use signet_model::Timestamp;

use super::{CertId, NONCE};
use crate::issuer::write_extension;
use crate::tlv::{self, Writer};
use crate::{Name, PkiError, RevocationReason, signed, time};

/// id-pkix-ocsp-basic, 1.3.6.1.5.5.7.48.1.1.
const BASIC: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];
const ENUMERATED: u8 = 0x0a;

/// A refusal, which nobody signs (section 4.2.1, OCSPResponseStatus).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OcspError {
    /// The request is damaged.
    MalformedRequest = 1,
    /// The responder is in no state to answer.
    InternalError = 2,
    /// It will be soon.
    TryLater = 3,
    /// Only signed requests are answered.
    SigRequired = 5,
    /// The responder does not answer for that issuer.
    Unauthorized = 6,
}

/// The state of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertStatus {
    /// Issued, and not revoked.
    Good,
    /// Revoked or suspended.
    Revoked {
        /// Since when.
        at: Timestamp,
        /// Why; `unspecified` is said by none.
        reason: Option<RevocationReason>,
    },
    /// Never issued, as far as is known.
    Unknown,
}

/// The answer about one certificate.
#[derive(Clone, Debug)]
pub struct SingleResponse<'a> {
    /// Which, as it was asked.
    pub id: &'a CertId,
    /// Its state.
    pub status: CertStatus,
    /// When that was known to be so.
    pub this_update: Timestamp,
    /// By when there will be news.
    pub next_update: Option<Timestamp>,
}

/// Who signs, as answers name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponderId(Vec<u8>);

impl ResponderId {
    /// By SHA-1 of the bits of the responder's public key (without tag, length and the octet of unused bits).
    pub fn by_key(key_bits: &[u8]) -> Self {
        Self(tlv::nested(tlv::context(2), |id| id.element(tlv::OCTET_STRING, &sha1_identifier(key_bits))))
    }

    /// By the subject of the responder's certificate.
    pub fn by_name(name: &Name) -> Self {
        Self(tlv::element(tlv::context(1), name.der()))
    }
}

/// A signed answer in DER. `responder_certificate` goes with it when the signer is a delegate of the CA; `nonce` repeats that of the
/// request.
///
/// # Errors
/// [`PkiError::Encode`] for a time that no answer can hold, [`PkiError::Sign`] when the signer fails.
pub fn ocsp_response(
    responses: &[SingleResponse<'_>],
    responder: &ResponderId,
    produced_at: Timestamp,
    nonce: Option<&[u8]>,
    signer: &dyn Signer,
    responder_certificate: Option<&[u8]>,
) -> Result<Vec<u8>, PkiError> {
    let mut list = Writer::with_capacity(responses.len().saturating_mul(160));
    for response in responses {
        list.element(tlv::SEQUENCE, &single(response)?);
    }
    let mut produced = Writer::with_capacity(17);
    time::write_generalized(&mut produced, produced_at)?;
    let data = tlv::nested(tlv::SEQUENCE, |data| {
        data.raw(&responder.0);
        data.raw(&produced.finish());
        data.element(tlv::SEQUENCE, &list.finish());
        if let Some(nonce) = nonce {
            data.nested(tlv::context(1), |field| {
                field.nested(tlv::SEQUENCE, |extensions| {
                    write_extension(extensions, NONCE, false, |value| value.element(tlv::OCTET_STRING, nonce));
                });
            });
        }
    });
    let certificates = match responder_certificate {
        Some(certificate) => tlv::nested(tlv::context(0), |field| field.element(tlv::SEQUENCE, certificate)),
        None => Vec::new(),
    };
    let basic = signed::sign(&data, signer.algorithm(), signer, &certificates)?;
    Ok(tlv::nested(tlv::SEQUENCE, |response| {
        response.element(ENUMERATED, &[0]);
        response.nested(tlv::context(0), |bytes| {
            bytes.nested(tlv::SEQUENCE, |bytes| {
                bytes.element(tlv::OID, BASIC);
                bytes.element(tlv::OCTET_STRING, &basic);
            });
        });
    }))
}

/// A refusal in DER.
pub fn ocsp_error(error: OcspError) -> Vec<u8> {
    tlv::nested(tlv::SEQUENCE, |response| response.element(ENUMERATED, &[error as u8]))
}

fn single(response: &SingleResponse<'_>) -> Result<Vec<u8>, PkiError> {
    let mut writer = Writer::with_capacity(160);
    writer.raw(response.id.der());
    match response.status {
        CertStatus::Good => writer.element(tlv::context_primitive(0), &[]),
        CertStatus::Revoked { at, reason } => {
            let mut revoked = Writer::with_capacity(24);
            time::write_generalized(&mut revoked, at)?;
            if let Some(reason) = reason {
                revoked.nested(tlv::context(0), |field| field.element(ENUMERATED, &[reason.code()]));
            }
            writer.element(tlv::context(1), &revoked.finish());
        }
        CertStatus::Unknown => writer.element(tlv::context_primitive(2), &[]),
    }
    time::write_generalized(&mut writer, response.this_update)?;
    if let Some(next_update) = response.next_update {
        let mut next = Writer::with_capacity(17);
        time::write_generalized(&mut next, next_update)?;
        writer.element(tlv::context(0), &next.finish());
    }
    Ok(writer.finish())
}
