//! A certificate request of our own (RFC 2986), for an authority elsewhere that certifies a key that was made here.

use signet_crypto::sign::Signer;

use crate::issuer::write_extension;
use crate::tlv::{self, Writer};
use crate::{Name, PkiError, Profile, algorithm, oid};

/// extensionRequest (RFC 2985 section 5.4.2), 1.2.840.113549.1.9.14.
const EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];

/// A request for a certificate of the signer's key with this subject, DER. It asks for the usages of the profile, and for a
/// responder's certificate that nobody looks for its revocation.
///
/// # Errors
/// [`PkiError::Sign`] when the signer fails.
pub fn write_request(subject: &Name, profile: Profile, signer: &dyn Signer) -> Result<Vec<u8>, PkiError> {
    let mut writer = Writer::with_capacity(512);
    writer.nested(tlv::SEQUENCE, |info| {
        info.element(tlv::INTEGER, &[0]);
        info.raw(subject.der());
        info.raw(&signer.public_key_spki_der());
        info.nested(tlv::context(0), |attributes| {
            attributes.nested(tlv::SEQUENCE, |attribute| {
                attribute.element(tlv::OID, EXTENSION_REQUEST);
                attribute.nested(tlv::SET, |values| values.nested(tlv::SEQUENCE, |extensions| write_usages(extensions, profile)));
            });
        });
    });
    let info = writer.finish();
    let signature = signer.sign(&info)?;
    let mut request = Writer::with_capacity(info.len().saturating_add(signature.len()).saturating_add(32));
    request.nested(tlv::SEQUENCE, |request| {
        request.raw(&info);
        request.raw(algorithm::identifier(signer.algorithm()));
        request.bit_string(&signature);
    });
    Ok(request.finish())
}

fn write_usages(extensions: &mut Writer, profile: Profile) {
    let usage = profile.key_usage();
    let unused = u8::try_from(usage.trailing_zeros()).unwrap_or(0);
    write_extension(extensions, oid::KEY_USAGE, true, |value| value.element(tlv::BIT_STRING, &[unused, usage]));
    if !profile.purposes().is_empty() {
        write_extension(extensions, oid::EXTENDED_KEY_USAGE, false, |value| {
            value.nested(tlv::SEQUENCE, |purposes| profile.purposes().iter().for_each(|purpose| purposes.element(tlv::OID, purpose)));
        });
    }
    if profile == Profile::OcspResponder {
        write_extension(extensions, oid::OCSP_NO_CHECK, false, |value| value.element(tlv::NULL, &[]));
    }
}

#[cfg(test)]
mod tests {
    use signet_crypto::SystemEntropy;
    use signet_crypto::sign::{KeyType, SigningKey};

    use super::*;
    use crate::Csr;

    #[test]
    fn a_request_of_ours_proves_its_key_and_names_its_subject() {
        for kind in KeyType::ALL {
            let key = SigningKey::generate(kind, &SystemEntropy).unwrap();
            let subject = Profile::OcspResponder.subject("OCSP responder").unwrap();
            let request = write_request(&subject, Profile::OcspResponder, &key).unwrap();
            let read = Csr::parse(&request).unwrap().verify().unwrap();
            assert_eq!(read.spki(), key.public_key_spki_der());
            assert_eq!(read.common_name(), Some("OCSP responder"));
        }
    }
}
