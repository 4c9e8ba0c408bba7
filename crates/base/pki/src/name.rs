//! Distinguished names (RFC 5280 section 4.1.2.4): kept as the bytes of the certificate, with the two text forms of kaa.md 16.4:
//! the one that Kaa's Go programs send, and the canonical one by which certificates are looked up ([`IssuerName`]).

use std::fmt;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519::COMMON_NAME;
use signet_model::log_text;

use crate::attribute::{self, go_place, printable};
use crate::tlv::{self, Element, Reader, Writer};
use crate::{IssuerName, PkiError};

/// The most attributes in one name.
pub(crate) const MOST_ATTRIBUTES: usize = 64;
/// The longest name in bytes of DER.
const LONGEST_NAME: usize = 8192;
/// Upper bound of a common name in characters (RFC 5280 appendix A.1, ub-common-name).
pub const LONGEST_COMMON_NAME: usize = 64;

/// A distinguished name: its DER, and what it says.
#[derive(Clone, PartialEq, Eq)]
pub struct Name {
    der: Vec<u8>,
    attributes: Vec<Attribute>,
}

/// One attribute of a name, in the order of the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    pub(crate) oid: ObjectIdentifier,
    pub(crate) tag: u8,
    pub(crate) value: Vec<u8>,
    /// The value as text, when it is a string.
    pub(crate) text: Option<String>,
}

impl Attribute {
    /// What kind of attribute it is.
    pub fn oid(&self) -> ObjectIdentifier {
        self.oid
    }

    /// The name that texts use for the kind, else its dotted identifier.
    pub fn label(&self) -> String {
        attribute::label(self.oid).1
    }

    /// The value, when it is a string.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }
}

impl Name {
    /// Reads a DER `Name`.
    ///
    /// # Errors
    /// [`PkiError::Malformed`] when it is none, or has more than 64 attributes or 8,192 bytes.
    pub fn from_der(der: &[u8]) -> Result<Self, PkiError> {
        const WHAT: &str = "a distinguished name";
        if der.len() > LONGEST_NAME {
            return Err(PkiError::malformed(WHAT, format!("it is longer than {LONGEST_NAME} bytes")));
        }
        let mut attributes = Vec::new();
        let mut sets = Reader::only(der, tlv::SEQUENCE, WHAT)?.inner();
        while !sets.is_empty() {
            let mut set = sets.expect(tlv::SET, WHAT)?.inner();
            if set.is_empty() {
                return Err(PkiError::malformed(WHAT, "an empty set of attributes"));
            }
            while !set.is_empty() {
                if attributes.len() == MOST_ATTRIBUTES {
                    return Err(PkiError::malformed(WHAT, format!("it has more than {MOST_ATTRIBUTES} attributes")));
                }
                let mut pair = set.expect(tlv::SEQUENCE, WHAT)?.inner();
                let oid = pair.expect(tlv::OID, WHAT)?;
                let Element { tag, body, .. } = pair.any()?;
                pair.end(WHAT)?;
                let oid = ObjectIdentifier::from_bytes(oid.body).map_err(|e| PkiError::malformed(WHAT, e))?;
                attributes.push(Attribute { oid, tag, value: body.to_vec(), text: attribute::text(tag, body) });
            }
        }
        Ok(Self { der: der.to_vec(), attributes })
    }

    /// A name with nothing but `CN`, as UTF8String.
    ///
    /// # Errors
    /// [`PkiError::Name`] when it is empty, has control characters or more than 64 characters.
    pub fn common(text: &str) -> Result<Self, PkiError> {
        Self::of(&[(COMMON_NAME, text)], |_| tlv::UTF8_STRING)
    }

    /// The same as Vault writes it, and so Kaa: PrintableString where the characters allow (kaa.md 16.2.1).
    ///
    /// # Errors
    /// As [`Name::common`].
    pub fn common_printable(text: &str) -> Result<Self, PkiError> {
        Self::of(&[(COMMON_NAME, text)], |text| if printable(text) { tlv::PRINTABLE_STRING } else { tlv::UTF8_STRING })
    }

    /// A name from a text such as `CN=Plant root,O=Acme,C=DE` (RFC 4514: the last attribute of the text comes first in the
    /// certificate).
    ///
    /// # Errors
    /// [`PkiError::Name`] for a text that is no name, or a value that no certificate may have.
    pub fn parse(text: &str) -> Result<Self, PkiError> {
        let mut attributes = crate::name_text::parse(text)?;
        attributes.reverse();
        let mut texts = Vec::with_capacity(attributes.len());
        for (oid, value) in &attributes {
            match value {
                crate::name_text::Value::Text(value) => texts.push((*oid, value.as_str())),
                crate::name_text::Value::Der(_) => return Err(PkiError::Name("a value in hexadecimal".to_owned())),
            }
        }
        let country = |oid: ObjectIdentifier| oid == const_oid::db::rfc4519::COUNTRY_NAME;
        if texts.iter().any(|(oid, value)| country(*oid) && (value.len() != 2 || !printable(value))) {
            return Err(PkiError::Name("a country is two letters".to_owned()));
        }
        Self::build(&texts, |oid, _| if country(oid) { tlv::PRINTABLE_STRING } else { tlv::UTF8_STRING })
    }

    fn of(texts: &[(ObjectIdentifier, &str)], tag: impl Fn(&str) -> u8) -> Result<Self, PkiError> {
        Self::build(texts, |_, text| tag(text))
    }

    fn build(texts: &[(ObjectIdentifier, &str)], tag: impl Fn(ObjectIdentifier, &str) -> u8) -> Result<Self, PkiError> {
        let mut attributes = Vec::with_capacity(texts.len());
        for (oid, text) in texts {
            if text.is_empty() || text.chars().count() > LONGEST_COMMON_NAME || text.chars().any(char::is_control) {
                let what = if *oid == COMMON_NAME { "a common name" } else { "a part of a name" };
                let seen = log_text(text, 80);
                return Err(PkiError::Name(format!("{seen}: {what} is 1 to {LONGEST_COMMON_NAME} characters without control characters")));
            }
            attributes.push(Attribute { oid: *oid, tag: tag(*oid, text), value: text.as_bytes().to_vec(), text: Some((*text).to_owned()) });
        }
        let mut writer = Writer::with_capacity(96);
        writer.nested(tlv::SEQUENCE, |name| {
            for attribute in &attributes {
                name.nested(tlv::SET, |set| {
                    set.nested(tlv::SEQUENCE, |pair| {
                        pair.element(tlv::OID, attribute.oid.as_bytes());
                        pair.element(attribute.tag, &attribute.value);
                    });
                });
            }
        });
        Ok(Self { der: writer.finish(), attributes })
    }

    /// The DER, as it stands in the certificate.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// The attributes in the order of the certificate.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// The common name; of several the last one counts, as for Go.
    pub fn common_name(&self) -> Option<&str> {
        self.attributes.iter().rev().find(|attribute| attribute.oid == COMMON_NAME).and_then(Attribute::text)
    }

    /// The text that Go's `pkix.Name.String()` gives, and so the one that Kaa's programs send: fixed order, several values of a
    /// kind joined by `+`, other kinds last as `OID=#hex` (kaa.md 16.4).
    pub fn go_text(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        for (place, kind) in attribute::KINDS.iter().enumerate() {
            if go_place(kind.oid) != Some(place) {
                break;
            }
            let mut values: Vec<&str> =
                self.attributes.iter().filter(|attribute| attribute.oid == kind.oid).filter_map(Attribute::text).collect();
            // Go keeps one SERIALNUMBER and one CN, the last; an empty one is left out.
            if place < 2 {
                values = values.pop().filter(|value| !value.is_empty()).into_iter().collect();
            }
            if values.is_empty() {
                continue;
            }
            let label = kind.names.first().copied().unwrap_or_default();
            let mut part = String::new();
            for (at, value) in values.iter().enumerate() {
                part.push_str(if at == 0 { "" } else { "+" });
                part.push_str(label);
                part.push('=');
                attribute::escape(&mut part, value, false);
            }
            parts.push(part);
        }
        for attribute in self.attributes.iter().rev().filter(|attribute| go_place(attribute.oid).is_none()) {
            let der = match &attribute.text {
                Some(text) if printable(text) => tlv::element(tlv::PRINTABLE_STRING, text.as_bytes()),
                Some(text) => tlv::element(tlv::UTF8_STRING, text.as_bytes()),
                None => tlv::element(attribute.tag, &attribute.value),
            };
            parts.push(format!("{}=#{}", attribute.oid, tlv::hex(&der)));
        }
        parts.join(",")
    }

    /// The form in which names are stored and compared.
    pub fn canonical(&self) -> IssuerName {
        IssuerName::of(self.attributes.iter().map(|attribute| (attribute.oid, crate::name_text::Value::of(attribute))))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.canonical().as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({})", self.canonical().as_str())
    }
}
