//! The envelope of all that is signed in X.509 (RFC 5280 section 4.1.1): the part that was signed, as received, the algorithm,
//! the signature.

use signet_crypto::sign::{Algorithm, Signer, verify_signature};

use crate::tlv::{self, Element, Reader, Writer};
use crate::{PkiError, algorithm};

/// The three parts of a signed object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signed<'a> {
    /// What was signed: one SEQUENCE.
    pub(crate) tbs: Element<'a>,
    /// The algorithm's identifier.
    pub(crate) algorithm: Element<'a>,
    /// The signature without its unused-bits octet.
    pub(crate) signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Takes a signed object apart.
    ///
    /// # Errors
    /// [`PkiError::Malformed`] when it has not exactly these parts.
    pub(crate) fn read(der: &'a [u8], what: &'static str) -> Result<Self, PkiError> {
        let mut parts = Reader::only(der, tlv::SEQUENCE, what)?.inner();
        let tbs = parts.expect(tlv::SEQUENCE, what)?;
        let algorithm = parts.expect(tlv::SEQUENCE, what)?;
        let signature = bits(&parts.expect(tlv::BIT_STRING, what)?, what)?;
        parts.end(what)?;
        Ok(Self { tbs, algorithm, signature })
    }

    /// Checks the signature by the key in `spki_der` over the bytes as received.
    ///
    /// # Errors
    /// [`PkiError::Malformed`] naming an algorithm that is not accepted, [`PkiError::Sign`] for a signature of another key.
    pub(crate) fn verify(&self, spki_der: &[u8], what: &'static str) -> Result<(), PkiError> {
        let algorithm =
            algorithm::read(&self.algorithm).map_err(|fault| PkiError::malformed(what, format!("it is signed with {fault}")))?;
        Ok(verify_signature(spki_der, algorithm, self.tbs.raw, self.signature)?)
    }
}

/// The bytes of a bit string that has no unused bits.
///
/// # Errors
/// [`PkiError::Malformed`] when it has some.
pub(crate) fn bits<'a>(element: &Element<'a>, what: &'static str) -> Result<&'a [u8], PkiError> {
    match element.body {
        [0, bits @ ..] => Ok(bits),
        _ => Err(PkiError::malformed(what, "a bit string that does not end with a whole byte")),
    }
}

/// Signs `tbs` and puts the parts together; `after` follows the signature (in OCSP answers, the certificates).
///
/// # Errors
/// [`PkiError::Sign`] when the signer fails.
pub(crate) fn sign(tbs: &[u8], algorithm: Algorithm, signer: &dyn Signer, after: &[u8]) -> Result<Vec<u8>, PkiError> {
    let signature = signer.sign(tbs)?;
    let mut writer = Writer::with_capacity(tbs.len().saturating_add(signature.len()).saturating_add(after.len()).saturating_add(64));
    writer.nested(tlv::SEQUENCE, |object| {
        object.raw(tbs);
        object.raw(algorithm::identifier(algorithm));
        object.bit_string(&signature);
        object.raw(after);
    });
    Ok(writer.finish())
}
