//! A certificate as the rules see it: every part as it stands in the bytes, with the readings that several rules need.

use crate::public_key::KeyFault;
use crate::tlv::{self, Element, Reader};
use crate::{Name, PkiError, PublicKey, oid};

/// The most extensions that are looked at.
const MOST_EXTENSIONS: usize = 64;

/// One extension.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExtensionView<'a> {
    pub(crate) oid: &'a [u8],
    pub(crate) critical: bool,
    /// `critical` is encoded although it is false.
    pub(crate) default_encoded: bool,
    /// The bytes inside the OCTET STRING.
    pub(crate) value: &'a [u8],
}

/// The parts of a certificate.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) version: &'a [u8],
    pub(crate) serial: &'a [u8],
    pub(crate) inner_algorithm: Element<'a>,
    pub(crate) outer_algorithm: Element<'a>,
    pub(crate) issuer: Name,
    pub(crate) not_before: Element<'a>,
    pub(crate) not_after: Element<'a>,
    pub(crate) subject: Name,
    pub(crate) spki: Element<'a>,
    pub(crate) key: Result<PublicKey, KeyFault>,
    pub(crate) unique_identifiers: bool,
    pub(crate) has_extensions: bool,
    pub(crate) extensions: Vec<ExtensionView<'a>>,
    names: Vec<Element<'a>>,
    purposes: Option<Vec<&'a [u8]>>,
    constraints: Option<(bool, Option<&'a [u8]>)>,
    /// The signature's BIT STRING, with the count of unused bits.
    pub(crate) signature: &'a [u8],
}

impl<'a> View<'a> {
    pub(crate) fn read(der: &'a [u8], judged: Option<&PublicKey>) -> Result<Self, PkiError> {
        const WHAT: &str = "the certificate";
        let mut outer = Reader::only(der, tlv::SEQUENCE, WHAT)?.inner();
        let mut tbs = outer.expect(tlv::SEQUENCE, WHAT)?.inner();
        let outer_algorithm = outer.expect(tlv::SEQUENCE, "the signature's algorithm")?;
        let signature = outer.expect(tlv::BIT_STRING, "the signature")?.body;
        outer.end(WHAT)?;
        // Version 1 is the default and absent.
        let version = match tbs.optional(tlv::context(0))? {
            Some(version) => Reader::only(version.body, tlv::INTEGER, "the version")?.body,
            None => &[0],
        };
        let serial = tbs.expect(tlv::INTEGER, "the serial number")?.body;
        let inner_algorithm = tbs.expect(tlv::SEQUENCE, "the algorithm")?;
        let issuer = Name::from_der(tbs.expect(tlv::SEQUENCE, "the issuer")?.raw)?;
        let mut validity = tbs.expect(tlv::SEQUENCE, "the validity")?.inner();
        let (not_before, not_after) = (validity.any()?, validity.any()?);
        validity.end("the validity")?;
        let subject = Name::from_der(tbs.expect(tlv::SEQUENCE, "the subject")?.raw)?;
        let spki = tbs.expect(tlv::SEQUENCE, "the public key")?;
        let unique = [tbs.optional(tlv::context_primitive(1))?, tbs.optional(tlv::context_primitive(2))?];
        let field = tbs.optional(tlv::context(3))?;
        tbs.end(WHAT)?;
        let extensions = match field {
            Some(field) => read_extensions(&Reader::only(field.body, tlv::SEQUENCE, "the extensions")?)?,
            None => Vec::new(),
        };
        let key = match judged {
            Some(key) if key.spki_der() == spki.raw => Ok(key.clone()),
            Some(_) | None => PublicKey::judge(spki.raw),
        };
        let find = |oid: &[u8]| extensions.iter().find(|extension| extension.oid == oid).map(|extension| extension.value);
        let names = find(oid::SUBJECT_ALT_NAME).and_then(read_names).unwrap_or_default();
        let purposes = find(oid::EXTENDED_KEY_USAGE).and_then(read_purposes);
        let constraints = find(oid::BASIC_CONSTRAINTS).and_then(read_constraints);
        Ok(Self {
            names,
            purposes,
            constraints,
            version,
            serial,
            inner_algorithm,
            outer_algorithm,
            issuer,
            not_before,
            not_after,
            subject,
            spki,
            key,
            unique_identifiers: unique.iter().any(Option::is_some),
            has_extensions: field.is_some(),
            extensions,
            signature,
        })
    }

    /// The extension of this kind; the first, if there are several.
    pub(crate) fn extension(&self, oid: &[u8]) -> Option<&ExtensionView<'a>> {
        self.extensions.iter().find(|extension| extension.oid == oid)
    }

    /// Whether basicConstraints say CA:TRUE.
    pub(crate) fn is_authority(&self) -> bool {
        self.constraints().is_some_and(|(authority, _)| authority)
    }

    /// CA flag and path length of basicConstraints.
    pub(crate) fn constraints(&self) -> Option<(bool, Option<&'a [u8]>)> {
        self.constraints
    }

    /// The bits of keyUsage: the first byte, and whether decipherOnly in the second one is set.
    pub(crate) fn key_usage(&self) -> Option<(u8, bool)> {
        let bits = Reader::only(self.extension(oid::KEY_USAGE)?.value, tlv::BIT_STRING, "").ok()?.body;
        let first = bits.get(1).copied().unwrap_or(0);
        Some((first, bits.get(2).is_some_and(|second| second & 0x80 != 0)))
    }

    /// The purposes of extendedKeyUsage.
    pub(crate) fn purposes(&self) -> Option<&[&'a [u8]]> {
        self.purposes.as_deref()
    }

    /// The alternative names.
    pub(crate) fn names(&self) -> &[Element<'a>] {
        &self.names
    }

    /// Whether there is a list of extensions with nothing in it, which is a rule of its own.
    pub(crate) fn has_empty_list(&self) -> bool {
        self.has_extensions && self.extensions.is_empty()
    }

    /// Whether it names itself as its issuer.
    pub(crate) fn is_self_issued(&self) -> bool {
        self.issuer.der() == self.subject.der()
    }
}

fn read_extensions<'a>(extensions: &Element<'a>) -> Result<Vec<ExtensionView<'a>>, PkiError> {
    const WHAT: &str = "an extension";
    let mut views = Vec::new();
    let mut inner = extensions.inner();
    while !inner.is_empty() {
        if views.len() == MOST_EXTENSIONS {
            return Err(PkiError::malformed("the certificate", format!("it has more than {MOST_EXTENSIONS} extensions")));
        }
        let mut extension = inner.expect(tlv::SEQUENCE, WHAT)?.inner();
        let oid = extension.expect(tlv::OID, WHAT)?.body;
        let critical = extension.optional(tlv::BOOLEAN)?.map(|flag| flag.body);
        let value = extension.expect(tlv::OCTET_STRING, WHAT)?.body;
        extension.end(WHAT)?;
        let (critical, default_encoded) = match critical {
            None => (false, false),
            Some([0]) => (false, true),
            Some([0xff]) => (true, false),
            Some(_) => return Err(PkiError::malformed(WHAT, "its critical mark is neither true nor false")),
        };
        views.push(ExtensionView { oid, critical, default_encoded, value });
    }
    Ok(views)
}

fn read_constraints(value: &[u8]) -> Option<(bool, Option<&[u8]>)> {
    let mut inner = Reader::only(value, tlv::SEQUENCE, "").ok()?.inner();
    let authority = inner.optional(tlv::BOOLEAN).ok()?.is_some_and(|flag| flag.body != [0]);
    let path_len = inner.optional(tlv::INTEGER).ok()?.map(|length| length.body);
    Some((authority, path_len))
}

fn read_purposes(value: &[u8]) -> Option<Vec<&[u8]>> {
    let mut inner = Reader::only(value, tlv::SEQUENCE, "").ok()?.inner();
    let mut purposes = Vec::new();
    while !inner.is_empty() {
        purposes.push(inner.expect(tlv::OID, "").ok()?.body);
    }
    Some(purposes)
}

fn read_names(value: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut inner = Reader::only(value, tlv::SEQUENCE, "").ok()?.inner();
    let mut names = Vec::new();
    while !inner.is_empty() {
        names.push(inner.any().ok()?);
    }
    Some(names)
}
