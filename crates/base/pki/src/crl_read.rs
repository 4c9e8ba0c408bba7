//! Revocation lists as they come (RFC 5280 section 5), from whoever: taken apart strictly and within bounds, verified against the
//! authority that they name.

use signet_model::{Timestamp, log_text};

use crate::signed::Signed;
use crate::tlv::{self, Element, Reader};
use crate::{CaCertificate, LONGEST_SERIAL, Name, PkiError, RevocationReason, Serial, algorithm, oid, time};

/// The longest list of others in bytes: more than a million entries.
pub const LONGEST_CRL: usize = 64 * 1024 * 1024;
/// The most extensions of a list or an entry.
const MOST_EXTENSIONS: usize = 32;
/// The most addresses in an issuing distribution point.
const MOST_ADDRESSES: usize = 32;

/// Characters of a name in an error; a stranger's list may have any name.
const LONGEST_NAME: usize = 256;

const WHAT: &str = "the revocation list";

/// One revoked certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedEntry<'a> {
    /// The value of the serial number's INTEGER.
    pub serial: &'a [u8],
    /// When it was revoked.
    pub at: Timestamp,
    /// The code of its reason, also one that has no name.
    pub reason_code: Option<u8>,
}

impl RevokedEntry<'_> {
    /// Why it was revoked; none for `unspecified` and for codes without a name.
    pub fn reason(&self) -> Option<RevocationReason> {
        self.reason_code.and_then(RevocationReason::from_code)
    }
}

/// Which certificates a list is about (RFC 5280 section 5.2.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssuingDistributionPoint {
    /// The addresses of the list.
    pub urls: Vec<String>,
    /// End-entity certificates only.
    pub only_user_certs: bool,
    /// Certificates of authorities only.
    pub only_ca_certs: bool,
    /// Attribute certificates only.
    pub only_attribute_certs: bool,
    /// Only revocations for some reasons.
    pub some_reasons: bool,
    /// Also certificates of other issuers.
    pub indirect: bool,
}

/// What a list says, before anybody's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content<'a> {
    pub(crate) version: u8,
    pub(crate) algorithm: Element<'a>,
    pub(crate) issuer: Name,
    pub(crate) this_update: Timestamp,
    pub(crate) next_update: Option<Timestamp>,
    pub(crate) entries: Vec<RevokedEntry<'a>>,
    pub(crate) number: Option<Serial>,
    pub(crate) authority_key_identifier: Option<&'a [u8]>,
    pub(crate) distribution_point: Option<IssuingDistributionPoint>,
    pub(crate) not_understood: Vec<String>,
}

/// A revocation list. It is read, not verified, until [`Crl::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crl<'a> {
    signed: Signed<'a>,
    content: Content<'a>,
}

impl<'a> Crl<'a> {
    /// Reads a list in DER of at most [`LONGEST_CRL`] bytes.
    ///
    /// # Errors
    /// [`PkiError::Malformed`] for what is none, or is longer.
    pub fn parse(der: &'a [u8]) -> Result<Self, PkiError> {
        if der.len() > LONGEST_CRL {
            return Err(PkiError::malformed(WHAT, format!("it is longer than {LONGEST_CRL} bytes")));
        }
        let signed = Signed::read(der, WHAT)?;
        let content = Content::read(&signed.tbs)?;
        if content.algorithm.raw != signed.algorithm.raw {
            return Err(PkiError::malformed(WHAT, "the algorithm inside differs from the one outside"));
        }
        Ok(Self { signed, content })
    }

    /// Whose list it is.
    pub fn issuer(&self) -> &Name {
        &self.content.issuer
    }

    /// 2 for all but the oldest lists.
    pub fn version(&self) -> u8 {
        self.content.version
    }

    /// Its number.
    pub fn number(&self) -> Option<&Serial> {
        self.content.number.as_ref()
    }

    /// When it was made.
    pub fn this_update(&self) -> Timestamp {
        self.content.this_update
    }

    /// By when the next one will be there.
    pub fn next_update(&self) -> Option<Timestamp> {
        self.content.next_update
    }

    /// The identifier of the key that signed it.
    pub fn authority_key_identifier(&self) -> Option<&'a [u8]> {
        self.content.authority_key_identifier
    }

    /// Which part of all certificates it is about.
    pub fn distribution_point(&self) -> Option<&IssuingDistributionPoint> {
        self.content.distribution_point.as_ref()
    }

    /// The revoked certificates, in the list's order.
    pub fn entries(&self) -> &[RevokedEntry<'a>] {
        &self.content.entries
    }

    /// The entry of a serial number, by the value of its INTEGER.
    pub fn entry(&self, serial: &[u8]) -> Option<&RevokedEntry<'a>> {
        self.content.entries.iter().find(|entry| entry.serial == serial)
    }

    /// The critical extensions that are not understood here, delta lists and lists of other issuers' certificates among them. A
    /// list that has one must not be relied on (RFC 5280 section 5.2).
    pub fn not_understood(&self) -> &[String] {
        &self.content.not_understood
    }

    /// The name of the algorithm that it is signed with.
    pub fn signature_algorithm(&self) -> String {
        algorithm::name(&self.signed.algorithm)
    }

    /// Checks that `issuer` made it: its name, the identifier of its key, its signature.
    ///
    /// # Errors
    /// [`PkiError::NotIssuer`] saying what differs, [`PkiError::Malformed`] for an algorithm that is not accepted,
    /// [`PkiError::Sign`] when the key did not make the signature.
    pub fn verify(&self, issuer: &CaCertificate) -> Result<(), PkiError> {
        if self.content.issuer.canonical() != issuer.subject().canonical() {
            return Err(PkiError::NotIssuer(format!(
                "the revocation list is of {}, the authority is {}",
                log_text(&self.content.issuer.go_text(), LONGEST_NAME),
                log_text(&issuer.subject().go_text(), LONGEST_NAME)
            )));
        }
        match self.content.authority_key_identifier {
            Some(named) if named != issuer.key_identifier() => Err(PkiError::NotIssuer(format!(
                "the revocation list is of the key {}, the authority's is {}",
                tlv::hex(named),
                tlv::hex(issuer.key_identifier())
            ))),
            Some(_) | None => self.signed.verify(issuer.spki(), WHAT),
        }
    }
}

impl<'a> Content<'a> {
    /// Reads the part that is signed (RFC 5280 section 5.1.2).
    pub(crate) fn read(tbs: &Element<'a>) -> Result<Self, PkiError> {
        let mut fields = tbs.inner();
        let version = match fields.optional(tlv::INTEGER)? {
            None => 1,
            Some(Element { body: [1], .. }) => 2,
            Some(_) => return Err(PkiError::malformed(WHAT, "a version that does not exist")),
        };
        let algorithm = fields.expect(tlv::SEQUENCE, WHAT)?;
        let issuer = Name::from_der(fields.expect(tlv::SEQUENCE, WHAT)?.raw)?;
        let this_update = read_time(&fields.any()?)?;
        let next_update = match fields.peek() {
            Some(tlv::UTC_TIME | tlv::GENERALIZED_TIME) => Some(read_time(&fields.any()?)?),
            _ => None,
        };
        let mut content = Self {
            version,
            algorithm,
            issuer,
            this_update,
            next_update,
            entries: Vec::new(),
            number: None,
            authority_key_identifier: None,
            distribution_point: None,
            not_understood: Vec::new(),
        };
        if let Some(revoked) = fields.optional(tlv::SEQUENCE)? {
            let mut revoked = revoked.inner();
            while !revoked.is_empty() {
                let entry = content.entry(&revoked.expect(tlv::SEQUENCE, "an entry of the revocation list")?)?;
                content.entries.push(entry);
            }
        }
        if let Some(field) = fields.optional(tlv::context(0))? {
            for extension in extensions(&Reader::only(field.body, tlv::SEQUENCE, WHAT)?)? {
                content.extension(&extension)?;
            }
        }
        fields.end(WHAT)?;
        Ok(content)
    }

    fn entry(&mut self, entry: &Element<'a>) -> Result<RevokedEntry<'a>, PkiError> {
        const WHAT: &str = "an entry of the revocation list";
        let mut fields = entry.inner();
        let serial = fields.expect(tlv::INTEGER, WHAT)?.body;
        // One more for the sign of 20 bytes with the top bit set, which others have issued.
        if serial.is_empty() || serial.len() > LONGEST_SERIAL.saturating_add(1) {
            return Err(PkiError::malformed(WHAT, format!("a serial number of {} bytes", serial.len())));
        }
        let at = read_time(&fields.any()?)?;
        let mut reason_code = None;
        if let Some(list) = fields.optional(tlv::SEQUENCE)? {
            for extension in extensions(&list)? {
                if extension.oid == oid::REASON_CODE {
                    match Reader::only(extension.value, 0x0a, "the reason of a revocation")?.body {
                        [code @ 0..=0x7f] => reason_code = Some(*code),
                        _ => return Err(PkiError::malformed(WHAT, "a reason that does not exist")),
                    }
                } else if extension.critical {
                    self.not_understood(extension.oid);
                }
            }
        }
        fields.end(WHAT)?;
        Ok(RevokedEntry { serial, at, reason_code })
    }

    fn extension(&mut self, extension: &Extension<'a>) -> Result<(), PkiError> {
        let value = extension.value;
        match extension.oid {
            oid::CRL_NUMBER => {
                let number = Serial::from_der_bytes(Reader::only(value, tlv::INTEGER, "the number of the list")?.body)?;
                if number.is_negative() {
                    return Err(PkiError::malformed("the number of the list", "it is negative"));
                }
                self.number = Some(number);
            }
            oid::AUTHORITY_KEY_IDENTIFIER => {
                let mut fields = Reader::only(value, tlv::SEQUENCE, "the authority key identifier")?.inner();
                self.authority_key_identifier = fields.optional(tlv::context_primitive(0))?.map(|identifier| identifier.body);
            }
            oid::ISSUING_DISTRIBUTION_POINT => {
                let point = distribution_point(value)?;
                // Both change what the absence of a certificate means.
                if point.indirect || point.some_reasons {
                    self.not_understood(extension.oid);
                }
                self.distribution_point = Some(point);
            }
            other if extension.critical || other == oid::DELTA_CRL_INDICATOR => self.not_understood(other),
            _ => {}
        }
        Ok(())
    }

    fn not_understood(&mut self, oid: &[u8]) {
        let name = oid::name(oid);
        if !self.not_understood.contains(&name) && self.not_understood.len() < MOST_EXTENSIONS {
            self.not_understood.push(name);
        }
    }
}

struct Extension<'a> {
    oid: &'a [u8],
    critical: bool,
    value: &'a [u8],
}

fn extensions<'a>(list: &Element<'a>) -> Result<Vec<Extension<'a>>, PkiError> {
    const WHAT: &str = "an extension of the revocation list";
    let mut found: Vec<Extension<'a>> = Vec::new();
    let mut inner = list.inner();
    while !inner.is_empty() {
        let mut fields = inner.expect(tlv::SEQUENCE, WHAT)?.inner();
        let oid = fields.expect(tlv::OID, WHAT)?.body;
        let critical = fields.optional(tlv::BOOLEAN)?.is_some_and(|flag| flag.body != [0]);
        let value = fields.expect(tlv::OCTET_STRING, WHAT)?.body;
        fields.end(WHAT)?;
        if found.iter().any(|other| other.oid == oid) {
            return Err(PkiError::malformed(WHAT, format!("{} stands in it twice", oid::name(oid))));
        }
        if found.len() == MOST_EXTENSIONS {
            return Err(PkiError::malformed(WHAT, format!("there are more than {MOST_EXTENSIONS}")));
        }
        found.push(Extension { oid, critical, value });
    }
    Ok(found)
}

fn distribution_point(value: &[u8]) -> Result<IssuingDistributionPoint, PkiError> {
    const WHAT: &str = "the issuing distribution point";
    let mut fields = Reader::only(value, tlv::SEQUENCE, WHAT)?.inner();
    let mut point = IssuingDistributionPoint::default();
    if let Some(name) = fields.optional(tlv::context(0))? {
        let mut name = name.inner();
        // The other form, relative to the issuer's name, has no address.
        if let Some(full) = name.optional(tlv::context(0))? {
            let mut names = full.inner();
            while !names.is_empty() {
                let name = names.any()?;
                if name.tag == tlv::context_primitive(6) && point.urls.len() < MOST_ADDRESSES {
                    point.urls.push(String::from_utf8_lossy(name.body).into_owned());
                }
            }
        }
    }
    let mut flag =
        |number| -> Result<bool, PkiError> { Ok(fields.optional(tlv::context_primitive(number))?.is_some_and(|flag| flag.body != [0])) };
    point.only_user_certs = flag(1)?;
    point.only_ca_certs = flag(2)?;
    point.some_reasons = flag(3)?;
    point.indirect = flag(4)?;
    point.only_attribute_certs = flag(5)?;
    fields.end(WHAT)?;
    Ok(point)
}

fn read_time(element: &Element<'_>) -> Result<Timestamp, PkiError> {
    time::read(element).map_err(|fault| PkiError::malformed("a time of the revocation list", fault))
}
