//! Whether extensions are what their standard says they are. One that cannot be read must not count as one that is absent: a keyUsage
//! that limits a key would limit nothing.

use crate::tlv::{self, Element, Reader};
use crate::{Name, PkiError, oid};

/// Whether the identifier is one, and, for the extensions that a verifier looks at, whether the value has its form.
pub(super) fn well_formed(id: &[u8], value: &[u8]) -> bool {
    is_oid(id) && read(id, value).is_ok()
}

/// DER of an object identifier: base 128 without leading zeros, complete.
fn is_oid(body: &[u8]) -> bool {
    let starts = std::iter::once(&0).chain(body).zip(body);
    let no_leading_zero = starts.into_iter().all(|(before, byte)| before & 0x80 != 0 || *byte != 0x80);
    no_leading_zero && body.last().is_some_and(|last| last & 0x80 == 0)
}

fn read(id: &[u8], value: &[u8]) -> Result<(), PkiError> {
    const WHAT: &str = "the extension";
    let refuse = || Err(PkiError::malformed(WHAT, "its form is not that of its standard"));
    let sequence = |value| Reader::only(value, tlv::SEQUENCE, WHAT).map(|sequence: Element<'_>| sequence.inner());
    match id {
        oid::KEY_USAGE => match Reader::only(value, tlv::BIT_STRING, WHAT)?.body {
            // Unused bits are zero: some readers mask them, and then read another usage.
            [unused @ 0..=7, .., last] if last & !(0xff << unused) == 0 => Ok(()),
            _ => refuse(),
        },
        oid::BASIC_CONSTRAINTS => {
            let mut fields = sequence(value)?;
            let authority = fields.optional(tlv::BOOLEAN)?;
            let length = fields.optional(tlv::INTEGER)?;
            fields.end(WHAT)?;
            let sound = authority.is_none_or(|flag| flag.body.len() == 1)
                && length.is_none_or(|length| length.body.first().is_some_and(|first| first & 0x80 == 0));
            if sound { Ok(()) } else { refuse() }
        }
        oid::EXTENDED_KEY_USAGE => {
            let mut purposes = sequence(value)?;
            if purposes.is_empty() {
                return refuse();
            }
            while !purposes.is_empty() {
                if !is_oid(purposes.expect(tlv::OID, WHAT)?.body) {
                    return refuse();
                }
            }
            Ok(())
        }
        oid::SUBJECT_ALT_NAME => {
            let mut names = sequence(value)?;
            if names.is_empty() {
                return refuse();
            }
            while !names.is_empty() {
                general_name(&names.any()?)?;
            }
            Ok(())
        }
        oid::NAME_CONSTRAINTS => {
            let mut fields = sequence(value)?;
            let subtrees = [fields.optional(tlv::context(0))?, fields.optional(tlv::context(1))?];
            fields.end(WHAT)?;
            for subtrees in subtrees.iter().flatten() {
                let mut list = subtrees.inner();
                while !list.is_empty() {
                    // The least and the greatest distance, which the standard does not use.
                    let mut subtree = list.expect(tlv::SEQUENCE, WHAT)?.inner();
                    subtree.any()?;
                    subtree.optional(tlv::context_primitive(0))?;
                    subtree.optional(tlv::context_primitive(1))?;
                    subtree.end(WHAT)?;
                }
            }
            // An empty one limits nothing (section 4.2.1.10).
            if subtrees.iter().any(Option::is_some) { Ok(()) } else { refuse() }
        }
        oid::SUBJECT_KEY_IDENTIFIER => Reader::only(value, tlv::OCTET_STRING, WHAT).map(drop),
        oid::AUTHORITY_KEY_IDENTIFIER => {
            let mut fields = sequence(value)?;
            fields.optional(tlv::context_primitive(0))?;
            let issuer = fields.optional(tlv::context(1))?;
            let serial = fields.optional(tlv::context_primitive(2))?;
            fields.end(WHAT)?;
            // Both or none (section 4.2.1.1).
            if issuer.is_some() == serial.is_some() { Ok(()) } else { refuse() }
        }
        oid::CRL_DISTRIBUTION_POINTS => {
            let mut points = sequence(value)?;
            if points.is_empty() {
                return refuse();
            }
            while !points.is_empty() {
                let mut point = points.expect(tlv::SEQUENCE, WHAT)?.inner();
                let name = point.optional(tlv::context(0))?;
                if let Some(name) = &name {
                    distribution_point_name(name)?;
                }
                point.optional(tlv::context_primitive(1))?;
                let issuer = point.optional(tlv::context(2))?;
                point.end(WHAT)?;
                // One of both must be there (section 4.2.1.13).
                if name.is_none() && issuer.is_none() {
                    return refuse();
                }
            }
            Ok(())
        }
        oid::AUTHORITY_INFO_ACCESS => {
            let mut list = sequence(value)?;
            while !list.is_empty() {
                let mut description = list.expect(tlv::SEQUENCE, WHAT)?.inner();
                description.expect(tlv::OID, WHAT)?;
                general_name(&description.any()?)?;
                description.end(WHAT)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The name of a distribution point: general names, or a part of a name relative to the issuer's.
fn distribution_point_name(name: &Element<'_>) -> Result<(), PkiError> {
    const WHAT: &str = "a distribution point";
    let mut inner = name.inner();
    let choice = inner.any()?;
    inner.end(WHAT)?;
    match choice.tag {
        0xa0 => {
            let mut names = choice.inner();
            while !names.is_empty() {
                general_name(&names.any()?)?;
            }
            Ok(())
        }
        0xa1 => Ok(()),
        _ => Err(PkiError::malformed(WHAT, "neither a full name nor a relative one")),
    }
}

/// A `GeneralName` of any kind (RFC 5280 section 4.2.1.6).
fn general_name(name: &Element<'_>) -> Result<(), PkiError> {
    const WHAT: &str = "a name";
    let sound = match name.tag {
        0x81 | 0x82 | 0x86 => name.body.is_ascii(),
        0x87 => matches!(name.body.len(), 4 | 16),
        0x88 => is_oid(name.body),
        0xa0 => {
            let mut fields = name.inner();
            let id = fields.expect(tlv::OID, WHAT)?;
            fields.expect(tlv::context(0), WHAT)?;
            fields.end(WHAT)?;
            is_oid(id.body)
        }
        0xa4 => return Name::from_der(name.body).map(drop),
        // ORAddress and ediPartyName, which nobody has.
        0xa3 | 0xa5 => true,
        _ => false,
    };
    if sound { Ok(()) } else { Err(PkiError::malformed(WHAT, "it is of no kind that exists")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_that_cannot_be_read_are_told_from_those_that_can() {
        /// Identifier and value.
        type Cases<'a> = &'a [(&'a [u8], &'a [u8])];
        let (good, bad): (Cases<'_>, Cases<'_>) = (
            &[
                (oid::KEY_USAGE, b"\x03\x02\x07\x80"),
                (oid::BASIC_CONSTRAINTS, b"\x30\x00"),
                (oid::BASIC_CONSTRAINTS, b"\x30\x06\x01\x01\xff\x02\x01\x00"),
                (oid::EXTENDED_KEY_USAGE, b"\x30\x04\x06\x02\x2a\x03"),
                (oid::SUBJECT_ALT_NAME, b"\x30\x03\x82\x01a"),
                (oid::AUTHORITY_KEY_IDENTIFIER, b"\x30\x00"),
                (oid::NAME_CONSTRAINTS, b"\x30\x07\xa0\x05\x30\x03\x82\x01a"),
                (&[0x2a, 0x03], b"anything"),
            ],
            &[
                (oid::KEY_USAGE, b"\x0c\x02\x07\x80"),
                (oid::KEY_USAGE, b"\x03\x01\x00"),
                (oid::KEY_USAGE, b"\x03\x02\x08\x80"),
                (oid::KEY_USAGE, b"\x03\x02\x05\x06"),
                (oid::BASIC_CONSTRAINTS, b"\x31\x00"),
                (oid::BASIC_CONSTRAINTS, b"\x30\x03\x02\x01\x80"),
                (oid::EXTENDED_KEY_USAGE, b"\x30\x00"),
                (oid::EXTENDED_KEY_USAGE, b"\x30\x04\x06\x02\x80\x03"),
                (oid::SUBJECT_ALT_NAME, b"\x30\x00"),
                (oid::SUBJECT_ALT_NAME, b"\x30\x04\xa0\x02ab"),
                (oid::SUBJECT_ALT_NAME, b"\x30\x04\xa4\x02ab"),
                (oid::SUBJECT_ALT_NAME, b"\x30\x03\x87\x01a"),
                (oid::SUBJECT_KEY_IDENTIFIER, b"\x05\x00"),
                (oid::AUTHORITY_KEY_IDENTIFIER, b"\x30\x03\x82\x01\x05"),
                (oid::NAME_CONSTRAINTS, b"\x30\x00"),
                (oid::NAME_CONSTRAINTS, b"\x30\x05\xa0\x03\x82\x01a"),
                (oid::CRL_DISTRIBUTION_POINTS, b"\x30\x02\x31\x00"),
                (oid::CRL_DISTRIBUTION_POINTS, b"\x30\x02\x30\x00"),
                (oid::AUTHORITY_INFO_ACCESS, b"\x30\x02\x30\x00"),
                (&[0x80, 0x2a], b""),
                (&[0x2a, 0x83], b""),
                (&[], b""),
            ],
        );
        for (id, value) in good {
            assert!(well_formed(id, value), "{id:?} {value:?}");
        }
        for (id, value) in bad {
            assert!(!well_formed(id, value), "{id:?} {value:?}");
        }
    }
}
