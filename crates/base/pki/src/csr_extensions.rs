//! The extensions that a request asks for: alternative names are taken, everything else is listed or refused.

use crate::tlv::{self, Element, Reader};
use crate::{PkiError, SubjectName, oid};

/// The most extensions of a request.
const MOST_EXTENSIONS: usize = 64;
/// keyCertSign in the first byte of keyUsage's bits (RFC 5280 section 4.2.1.3).
const KEY_CERT_SIGN: u8 = 0x04;

/// Reads the requested extensions into names and the list of what is not used.
pub(crate) fn read(
    extensions: &Element<'_>,
    most_names: usize,
    names: &mut Vec<SubjectName>,
    ignored: &mut Vec<String>,
) -> Result<(), PkiError> {
    const WHAT: &str = "a requested extension";
    let mut seen: Vec<&[u8]> = Vec::new();
    let mut inner = extensions.inner();
    while !inner.is_empty() {
        let mut extension = inner.expect(tlv::SEQUENCE, WHAT)?.inner();
        let oid = extension.expect(tlv::OID, WHAT)?.body;
        // Encoded FALSE is no DER, and common.
        match extension.optional(tlv::BOOLEAN)? {
            None | Some(Element { body: [0 | 0xff], .. }) => {}
            Some(_) => return Err(PkiError::Csr("the critical mark of an extension is damaged".to_owned())),
        }
        let value = extension.expect(tlv::OCTET_STRING, WHAT)?.body;
        extension.end(WHAT)?;
        if seen.contains(&oid) {
            return Err(PkiError::Csr(format!("the extension {} stands in it twice", oid::name(oid))));
        }
        if seen.len() == MOST_EXTENSIONS {
            return Err(PkiError::Csr(format!("it asks for more than {MOST_EXTENSIONS} extensions")));
        }
        seen.push(oid);
        match oid {
            oid::SUBJECT_ALT_NAME => {
                read_names(value, most_names, names, ignored)?;
                continue;
            }
            oid::BASIC_CONSTRAINTS => refuse_authority(value)?,
            oid::KEY_USAGE => refuse_certificate_signing(value)?,
            _ => {}
        }
        ignored.push(oid::name(oid));
    }
    Ok(())
}

fn read_names(value: &[u8], most: usize, names: &mut Vec<SubjectName>, ignored: &mut Vec<String>) -> Result<(), PkiError> {
    const WHAT: &str = "the requested subjectAltName";
    let mut inner = Reader::only(value, tlv::SEQUENCE, WHAT)?.inner();
    if inner.is_empty() {
        return Err(PkiError::Csr("its subjectAltName has no name".to_owned()));
    }
    let mut asked = 0_usize;
    while !inner.is_empty() {
        if asked == most {
            return Err(PkiError::TooManyNames(most));
        }
        asked = asked.saturating_add(1);
        let name = inner.any()?;
        match SubjectName::read(&name)? {
            Some(name) if !names.contains(&name) => names.push(name),
            Some(_) => {}
            None => {
                let kind = match name.tag {
                    0xa0 => "otherName",
                    0xa4 => "directoryName",
                    0x88 => "registeredID",
                    _ => "a name of another kind",
                };
                ignored.push(format!("subjectAltName: {kind}"));
            }
        }
    }
    Ok(())
}

fn refuse_authority(value: &[u8]) -> Result<(), PkiError> {
    let mut inner = Reader::only(value, tlv::SEQUENCE, "the requested basicConstraints")?.inner();
    match inner.optional(tlv::BOOLEAN)? {
        None | Some(Element { body: [0], .. }) => Ok(()),
        Some(_) => Err(PkiError::CaRequested("CA:TRUE")),
    }
}

fn refuse_certificate_signing(value: &[u8]) -> Result<(), PkiError> {
    match Reader::only(value, tlv::BIT_STRING, "the requested keyUsage")?.body {
        [_, bits, ..] if bits & KEY_CERT_SIGN != 0 => Err(PkiError::CaRequested("keyCertSign")),
        _ => Ok(()),
    }
}
