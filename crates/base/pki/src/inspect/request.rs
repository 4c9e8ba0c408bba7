//! A certificate request as people read it: what it asks for, and what would be said to it. The values of its attributes are secrets
//! (challengePassword) or somebody's data; only their names are shown.

use serde::Serialize;

use super::certificate::{self, ExtensionShown, KeyShown};
use super::{PkiError, Shown};
use crate::certificate_facts::{FoundName, name};
use crate::csr::{EXTENSION_REQUEST, LONGEST_CSR, MICROSOFT_EXTENSIONS, attribute_name};
use crate::signed::Signed;
use crate::tlv::{self, Element, Reader};
use crate::{Csr, Name, PublicKey, algorithm, oid};

/// The most attributes, extensions and names that are shown.
const MOST_SHOWN: usize = 128;

/// What a request's own signature is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureShown {
    /// It was made by the key in the request.
    Valid,
    /// It was not.
    Invalid,
    /// Algorithm or key are not accepted, so it was not looked at.
    NotVerified,
}

/// A certificate request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestShown {
    /// The subject that it asks for.
    pub subject: String,
    /// Its key.
    pub key: KeyShown,
    /// What it is signed with.
    pub signature_algorithm: String,
    /// Whether that holds.
    pub signature: SignatureShown,
    /// The names that it asks for beside the subject.
    pub names: Vec<FoundName>,
    /// The extensions that it asks for, in their order.
    pub extensions: Vec<ExtensionShown>,
    /// Its other attributes, by name only.
    pub attributes: Vec<String>,
    /// The stable reason for which no certificate is issued for it.
    pub refused: Option<&'static str>,
    /// The same in words, and what else is wrong.
    pub faults: Vec<String>,
}

/// Explains a request in DER.
pub(super) fn show(der: &[u8]) -> Result<Shown, PkiError> {
    const WHAT: &str = "the certificate request";
    if der.len() > LONGEST_CSR {
        return Err(PkiError::malformed(WHAT, format!("it is longer than {LONGEST_CSR} bytes")));
    }
    let signed = Signed::read(der, WHAT)?;
    let mut fields = signed.tbs.inner();
    fields.expect(tlv::INTEGER, WHAT)?;
    let subject = Name::from_der(fields.expect(tlv::SEQUENCE, WHAT)?.raw)?;
    let spki = fields.expect(tlv::SEQUENCE, WHAT)?;
    let judged = PublicKey::judge(spki.raw);
    let signature = match (&judged, algorithm::read(&signed.algorithm)) {
        (Ok(key), Ok(_)) if signed.verify(key.spki_der(), WHAT).is_ok() => SignatureShown::Valid,
        (Ok(_), Ok(_)) => SignatureShown::Invalid,
        (Err(_), _) | (_, Err(_)) => SignatureShown::NotVerified,
    };
    let refusal = Csr::parse(der).and_then(Csr::verify).err();
    let mut shown = RequestShown {
        subject: certificate::name(&subject),
        key: certificate::key(spki.raw, &judged),
        signature_algorithm: algorithm::name(&signed.algorithm),
        signature,
        names: Vec::new(),
        extensions: Vec::new(),
        attributes: Vec::new(),
        refused: refusal.as_ref().map(|error| error.reason().code),
        faults: refusal.iter().map(ToString::to_string).collect(),
    };
    if let Some(attributes) = fields.optional(tlv::context(0))? {
        shown.attributes(&attributes)?;
    }
    Ok(Shown::CertificateRequest(Box::new(shown)))
}

impl RequestShown {
    fn attributes(&mut self, attributes: &Element<'_>) -> Result<(), PkiError> {
        const WHAT: &str = "an attribute of the request";
        let mut list = attributes.inner();
        while !list.is_empty() {
            let mut attribute = list.expect(tlv::SEQUENCE, WHAT)?.inner();
            let id = attribute.expect(tlv::OID, WHAT)?.body;
            if id == EXTENSION_REQUEST || id == MICROSOFT_EXTENSIONS {
                let mut values = attribute.expect(tlv::SET, WHAT)?.inner();
                self.extensions(&values.expect(tlv::SEQUENCE, WHAT)?)?;
            } else if self.attributes.len() < MOST_SHOWN {
                self.attributes.push(attribute_name(id));
            }
        }
        Ok(())
    }

    fn extensions(&mut self, extensions: &Element<'_>) -> Result<(), PkiError> {
        const WHAT: &str = "an extension that is asked for";
        let mut list = extensions.inner();
        while !list.is_empty() && self.extensions.len() < MOST_SHOWN {
            let mut extension = list.expect(tlv::SEQUENCE, WHAT)?.inner();
            let id = extension.expect(tlv::OID, WHAT)?.body;
            let critical = extension.optional(tlv::BOOLEAN)?.is_some_and(|flag| flag.body != [0]);
            self.extensions.push(ExtensionShown { name: oid::name(id), critical });
            if id == oid::SUBJECT_ALT_NAME {
                let value = extension.expect(tlv::OCTET_STRING, WHAT)?.body;
                let mut names = Reader::only(value, tlv::SEQUENCE, WHAT)?.inner();
                while !names.is_empty() && self.names.len() < MOST_SHOWN {
                    self.names.push(name(&names.any()?));
                }
            }
        }
        Ok(())
    }
}
