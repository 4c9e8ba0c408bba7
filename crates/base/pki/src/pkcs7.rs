//! PKCS#7 with certificates only (RFC 5652 section 5, the degenerate form that EST and Windows use): made in DER; read in DER, or
//! with the indefinite lengths that streaming writers leave around the certificates.

use rustls_pki_types::CertificateDer;

use crate::PkiError;
use crate::tlv::{self, Reader};

/// The longest input in bytes.
pub const LONGEST_PKCS7: usize = 1024 * 1024;
/// The most certificates that are read.
pub const MOST_PKCS7_CERTIFICATES: usize = 256;

/// How deep indefinite lengths may be nested.
const DEEPEST: usize = 8;

/// id-signedData, 1.2.840.113549.1.7.2.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// id-data, 1.2.840.113549.1.7.1.
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
const WHAT: &str = "the PKCS#7 file";

/// The certificates of a PKCS#7 file. They are taken as they are; nothing is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pkcs7 {
    certificates: Vec<CertificateDer<'static>>,
    signers: usize,
}

/// Certificates as PKCS#7 in DER, in their order.
pub fn pkcs7_certs_only(certificates: &[CertificateDer<'_>]) -> Vec<u8> {
    tlv::nested(tlv::SEQUENCE, |content| {
        content.element(tlv::OID, SIGNED_DATA);
        content.nested(tlv::context(0), |explicit| {
            explicit.nested(tlv::SEQUENCE, |data| {
                data.element(tlv::INTEGER, &[1]);
                data.element(tlv::SET, &[]);
                data.nested(tlv::SEQUENCE, |inner| inner.element(tlv::OID, DATA));
                data.nested(tlv::context(0), |set| certificates.iter().for_each(|certificate| set.raw(certificate)));
                data.element(tlv::SET, &[]);
            });
        });
    })
}

impl Pkcs7 {
    /// Reads a PKCS#7 file of at most 1 MiB and 256 certificates. Content, signers and revocation lists are passed over.
    ///
    /// # Errors
    /// [`PkiError::Malformed`] for what is none.
    pub fn parse(der: &[u8]) -> Result<Self, PkiError> {
        if der.len() > LONGEST_PKCS7 {
            return Err(PkiError::malformed(WHAT, format!("it is longer than {LONGEST_PKCS7} bytes")));
        }
        let (converted, rest) = definite(der, DEEPEST)?;
        if !rest.is_empty() {
            return Err(PkiError::malformed(WHAT, "something follows it"));
        }
        let mut content = Reader::only(&converted, tlv::SEQUENCE, WHAT)?.inner();
        if content.expect(tlv::OID, WHAT)?.body != SIGNED_DATA {
            return Err(PkiError::malformed(WHAT, "it holds no signed data"));
        }
        let explicit = content.expect(tlv::context(0), WHAT)?;
        content.end(WHAT)?;
        let mut data = Reader::only(explicit.body, tlv::SEQUENCE, WHAT)?.inner();
        data.expect(tlv::INTEGER, WHAT)?;
        data.expect(tlv::SET, WHAT)?;
        data.expect(tlv::SEQUENCE, WHAT)?;
        let mut certificates = Vec::new();
        if let Some(set) = data.optional(tlv::context(0))? {
            let mut set = set.inner();
            while !set.is_empty() {
                if certificates.len() == MOST_PKCS7_CERTIFICATES {
                    return Err(PkiError::malformed(WHAT, format!("it has more than {MOST_PKCS7_CERTIFICATES} certificates")));
                }
                let certificate = set.any()?;
                // Attribute certificates and their kin have tags of their own.
                if certificate.tag == tlv::SEQUENCE {
                    certificates.push(CertificateDer::from(certificate.raw.to_vec()));
                }
            }
        }
        data.optional(tlv::context(1))?;
        let mut infos = data.expect(tlv::SET, WHAT)?.inner();
        data.end(WHAT)?;
        let mut signers = 0_usize;
        while !infos.is_empty() {
            infos.expect(tlv::SEQUENCE, WHAT)?;
            signers = signers.saturating_add(1);
        }
        Ok(Self { certificates, signers })
    }

    /// The certificates, in the order of the file, which says nothing about their chain.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// How many have signed its content; none in the degenerate form.
    pub fn signers(&self) -> usize {
        self.signers
    }
}

/// The first element of `bytes` with a definite length wherever the length was indefinite (X.690 section 8.1.3.6), and what follows
/// it. Elements with a definite length are taken over as they are, certificates byte for byte.
fn definite(bytes: &[u8], depth: usize) -> Result<(Vec<u8>, &[u8]), PkiError> {
    let mut rest = match bytes {
        [tag, 0x80, rest @ ..] if tag & 0x20 != 0 => rest,
        _ => {
            let element = Reader::new(bytes).any()?;
            return Ok((element.raw.to_vec(), bytes.get(element.raw.len()..).unwrap_or_default()));
        }
    };
    let depth = depth.checked_sub(1).ok_or_else(|| PkiError::malformed(WHAT, "it is nested too deeply"))?;
    let mut body = Vec::new();
    loop {
        if let [0, 0, after @ ..] = rest {
            let tag = bytes.first().copied().unwrap_or_default();
            return Ok((tlv::element(tag, &body), after));
        }
        let (inner, after) = definite(rest, depth)?;
        body.extend_from_slice(&inner);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_skeleton_is_that_of_the_reference() {
        // A certificate of 456 bytes: the sum of enrolment.md 17, vector 2.
        let certificate = CertificateDer::from([&[0x30, 0x82, 0x01, 0xc4][..], &[0; 452]].concat());
        let der = pkcs7_certs_only(std::slice::from_ref(&certificate));
        assert_eq!(der.len(), 503);
        let head = "308201f306092a864886f70d010702a08201e4308201e00201013100300b06092a864886f70d010701a08201c8";
        assert!(tlv::hex(&der).starts_with(head), "{}", tlv::hex(&der));
        assert!(der.ends_with(&[0x31, 0x00]));
        let read = Pkcs7::parse(&der).unwrap();
        assert_eq!((read.certificates(), read.signers()), (&[certificate][..], 0));
    }

    #[test]
    fn indefinite_lengths_around_the_certificate_are_read() {
        let certificate = CertificateDer::from([&[0x30, 0x82, 0x01, 0xc4][..], &[0; 452]].concat());
        let head = b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x80";
        let tail = b"\x00\x00\x31\x00\x00\x00\x00\x00\x00\x00";
        let ber = [&head[..], &certificate, tail].concat();
        assert_eq!(Pkcs7::parse(&ber).unwrap().certificates(), [certificate]);
        for cut in 0..ber.len() {
            assert!(Pkcs7::parse(&ber[..cut]).is_err(), "{cut}");
        }
        assert!(Pkcs7::parse(&[ber, vec![0]].concat()).is_err());
        let deep = [[0x30, 0x80].repeat(1000), vec![0; 2000]].concat();
        assert!(Pkcs7::parse(&deep).unwrap_err().to_string().contains("too deeply"));
    }

    #[test]
    fn what_is_none_is_refused() {
        for bytes in [&b""[..], b"\x30\x00", b"\x30\x03\x06\x01\x2a", &pkcs7_certs_only(&[])[1..]] {
            assert!(Pkcs7::parse(bytes).is_err());
        }
        assert!(Pkcs7::parse(&vec![0x30; LONGEST_PKCS7 + 1]).is_err());
        assert_eq!(Pkcs7::parse(&pkcs7_certs_only(&[])).unwrap().certificates().len(), 0);
        let many = vec![CertificateDer::from(vec![0x30, 0]); MOST_PKCS7_CERTIFICATES + 1];
        assert!(Pkcs7::parse(&pkcs7_certs_only(&many)).is_err());
        assert!(Pkcs7::parse(&pkcs7_certs_only(&many[1..])).is_ok());
    }
}
