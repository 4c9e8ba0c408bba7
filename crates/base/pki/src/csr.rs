//! Certificate requests (PKCS#10, RFC 2986): read from any form that people send, checked cheaply first, then for possession of the
//! key over the bytes received. What a request asks for beyond subject, names and key is listed, never copied.

use std::fmt;

use signet_crypto::Secret;
use signet_crypto::sign::{SignatureAlgorithm, verify_signature};

use crate::algorithm::{self, AlgorithmFault};
use crate::tlv::{self, Element, Reader};
use crate::{MOST_SUBJECT_NAMES, Name, PkiError, PublicKey, SubjectName, csr_extensions, pem};

/// The longest request in bytes of DER: one with 10,000 names is still told why it is refused.
pub const LONGEST_CSR: usize = 768 * 1024;
/// The most attributes of a request.
const MOST_ATTRIBUTES: usize = 32;

/// pkcs-9-at-extensionRequest, and Microsoft's older szOID_CERT_EXTENSIONS.
pub(crate) const EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];
pub(crate) const MICROSOFT_EXTENSIONS: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x0e];

/// Names of attributes, so that a person reads what was passed over.
static ATTRIBUTES: &[(&[u8], &str)] = &[
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x07], "challengePassword"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x02], "unstructuredName"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x08], "unstructuredAddress"),
    (&[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x0d, 0x02, 0x03], "Microsoft OS version"),
    (&[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x15, 0x14], "Microsoft client information"),
    (&[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x0d, 0x02, 0x02], "Microsoft enrolment provider"),
    (&[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x0d, 0x02, 0x01], "Microsoft name and value pair"),
];

/// A value whose check stands: it exists only where the check was made.
#[derive(Clone, Debug)]
pub struct Verified<T>(T);

/// A certificate request that was read and judged, but whose signature was not verified yet.
pub struct Csr {
    asked: Asked,
    /// What is signed, as received, with every attribute: a challengePassword is in it.
    signed: Secret,
    algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
    /// The whole of it, for an authority elsewhere that wants the proof too.
    whole: Secret,
}

/// What a request asks for. No attribute's value is in it.
#[derive(Clone, Debug)]
pub struct Asked {
    subject: Name,
    public_key: PublicKey,
    names: Vec<SubjectName>,
    ignored: Vec<String>,
}

impl Csr {
    /// Reads a request: PEM with the label `CERTIFICATE REQUEST` or `NEW CERTIFICATE REQUEST` (with byte order mark, CRLF, on one
    /// line, without a last line end), base64 without its rulers as EST sends it (RFC 8951), or DER. Judges sizes, names, the key and the algorithm; verifies nothing yet.
    ///
    /// # Errors
    /// [`PkiError::Csr`] for damage and for extensions or attributes that stand twice, [`PkiError::CaRequested`],
    /// [`PkiError::TooManyNames`], [`PkiError::NameRefused`], [`PkiError::CsrAlgorithm`], and those of [`PublicKey`].
    pub fn parse(bytes: &[u8]) -> Result<Self, PkiError> {
        match bytes {
            [tlv::SEQUENCE, ..] => Self::from_der(bytes),
            _ => match pem::bare_base64(bytes) {
                Some(der) => Self::from_der(&der),
                None => Self::from_der(&pem::certificate_request(bytes)?),
            },
        }
    }

    /// The request as received, DER, and nothing that stood beside it in its file. It may hold a challengePassword.
    pub fn received(&self) -> &Secret {
        &self.whole
    }

    fn from_der(der: &[u8]) -> Result<Self, PkiError> {
        if der.len() > LONGEST_CSR {
            return Err(PkiError::Csr(format!("longer than {LONGEST_CSR} bytes")));
        }
        let request = read(der).map(|request| Self { whole: Secret::from(der), ..request });
        request.map_err(|error| match error {
            PkiError::Malformed { what, detail } => PkiError::Csr(format!("{what}: {detail}")),
            other => other,
        })
    }

    /// What it asks for; not verified.
    pub fn unverified(&self) -> &Asked {
        &self.asked
    }

    /// Checks that the request was signed by the key in it, over the bytes that were received. What is left of
    /// them is the request as a whole, which is wiped with the value.
    ///
    /// # Errors
    /// [`PkiError::CsrSignature`].
    pub fn verify(self) -> Result<Verified<Self>, PkiError> {
        let spki = self.asked.public_key.spki_der();
        verify_signature(spki, self.algorithm, self.signed.expose(), &self.signature).map_err(|_| PkiError::CsrSignature)?;
        Ok(Verified(Self { signed: Secret::from(Vec::new()), ..self }))
    }
}

impl fmt::Debug for Csr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Csr").field("asked", &self.asked).finish_non_exhaustive()
    }
}

impl Verified<Csr> {
    /// What it asks for.
    pub fn asked(&self) -> &Asked {
        &self.0.asked
    }

    /// The subject that it asks for.
    pub fn subject(&self) -> &Name {
        &self.0.asked.subject
    }

    /// The common name of that subject.
    pub fn common_name(&self) -> Option<&str> {
        self.0.asked.subject.common_name()
    }

    /// The key, which signed the request.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.asked.public_key
    }

    /// The key's SubjectPublicKeyInfo in DER.
    pub fn spki(&self) -> &[u8] {
        self.0.asked.public_key.spki_der()
    }

    /// The alternative names that it asks for, each once.
    pub fn names(&self) -> &[SubjectName] {
        &self.0.asked.names
    }

    /// The request as received, DER: only for an authority elsewhere that verifies it too. It may hold a challengePassword.
    pub fn request(&self) -> &Secret {
        &self.0.whole
    }

    /// The attributes and extensions that are not used, by name.
    pub fn ignored(&self) -> &[String] {
        &self.0.asked.ignored
    }
}

impl Asked {
    /// The subject.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// The key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The alternative names, each once.
    pub fn names(&self) -> &[SubjectName] {
        &self.names
    }

    /// The attributes and extensions that are not used, by name.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }
}

fn read(der: &[u8]) -> Result<Csr, PkiError> {
    let mut outer = Reader::only(der, tlv::SEQUENCE, "the request")?.inner();
    let info = outer.expect(tlv::SEQUENCE, "the request's content")?;
    let identifier = outer.expect(tlv::SEQUENCE, "the request's algorithm")?;
    let signature = outer.expect(tlv::BIT_STRING, "the request's signature")?;
    outer.end("the request")?;
    let signature = match signature.body {
        [0, signature @ ..] => signature.to_vec(),
        _ => return Err(PkiError::Csr("its signature does not end with a whole byte".to_owned())),
    };
    let algorithm = algorithm::read(&identifier).map_err(|fault| match fault {
        AlgorithmFault::Weak(name) => PkiError::CsrAlgorithm(name.to_owned()),
        AlgorithmFault::Unknown(oid) => PkiError::CsrAlgorithm(format!("the algorithm {oid}")),
        AlgorithmFault::Parameters(why) => PkiError::CsrAlgorithm(format!("wrong parameters of the algorithm: {why}")),
        AlgorithmFault::Damaged => PkiError::Csr("its algorithm is damaged".to_owned()),
    })?;
    let mut inner = info.inner();
    match inner.expect(tlv::INTEGER, "the request's version")?.body {
        [0] => {}
        _ => return Err(PkiError::Csr("its version is not 0".to_owned())),
    }
    let subject = Name::from_der(inner.expect(tlv::SEQUENCE, "the request's subject")?.raw)?;
    let spki = inner.expect(tlv::SEQUENCE, "the request's key")?;
    // RFC 2986 wants the attributes, if only an empty set; old devices leave them out.
    let attributes = inner.optional(tlv::context(0))?;
    inner.end("the request's content")?;
    let (mut names, mut ignored) = (Vec::new(), Vec::new());
    if let Some(attributes) = attributes {
        read_attributes(&attributes, &mut names, &mut ignored)?;
    }
    let public_key = PublicKey::screened(spki.raw)?;
    let asked = Asked { subject, public_key, names, ignored };
    Ok(Csr { asked, signed: Secret::from(info.raw), algorithm, signature, whole: Secret::from(Vec::new()) })
}

fn read_attributes(attributes: &Element<'_>, names: &mut Vec<SubjectName>, ignored: &mut Vec<String>) -> Result<(), PkiError> {
    const WHAT: &str = "an attribute of the request";
    let mut seen: Vec<&[u8]> = Vec::new();
    let mut extensions: Option<Element<'_>> = None;
    let mut inner = attributes.inner();
    while !inner.is_empty() {
        let mut attribute = inner.expect(tlv::SEQUENCE, WHAT)?.inner();
        let oid = attribute.expect(tlv::OID, WHAT)?.body;
        let values = attribute.expect(tlv::SET, WHAT)?;
        attribute.end(WHAT)?;
        if seen.contains(&oid) {
            return Err(PkiError::Csr(format!("the attribute {} stands in it twice", attribute_name(oid))));
        }
        if seen.len() == MOST_ATTRIBUTES {
            return Err(PkiError::Csr(format!("it has more than {MOST_ATTRIBUTES} attributes")));
        }
        seen.push(oid);
        if oid == EXTENSION_REQUEST || oid == MICROSOFT_EXTENSIONS {
            if extensions.replace(Reader::only(values.body, tlv::SEQUENCE, "the requested extensions")?).is_some() {
                return Err(PkiError::Csr("it asks for extensions in two attributes".to_owned()));
            }
        } else {
            ignored.push(attribute_name(oid));
        }
    }
    match extensions {
        Some(extensions) => csr_extensions::read(&extensions, MOST_SUBJECT_NAMES, names, ignored),
        None => Ok(()),
    }
}

pub(crate) fn attribute_name(oid: &[u8]) -> String {
    let known = ATTRIBUTES.iter().find(|(known, _)| *known == oid);
    known.map_or_else(|| tlv::oid_text(oid), |(_, name)| (*name).to_owned())
}
