//! DER as tag, length and value (X.690 section 8 and 10): a reader that borrows and keeps the bytes as received, and a writer
//! that encodes once. For what is verified or judged byte by byte; `x509-cert` reads the rest.

use crate::PkiError;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// A constructed context-specific tag.
pub(crate) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// A primitive context-specific tag.
pub(crate) const fn context_primitive(number: u8) -> u8 {
    0x80 | number
}

/// One element, as it stands in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    /// Tag, length and value.
    pub(crate) raw: &'a [u8],
    /// The value.
    pub(crate) body: &'a [u8],
}

impl<'a> Element<'a> {
    /// The elements inside.
    pub(crate) fn inner(&self) -> Reader<'a> {
        Reader(self.body)
    }
}

/// Reads elements one after another. Lengths must be definite and as short as they can be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

fn bad(detail: &'static str) -> PkiError {
    PkiError::malformed("the DER", detail)
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag of the next element.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element, whatever it is.
    pub(crate) fn any(&mut self) -> Result<Element<'a>, PkiError> {
        let all = self.0;
        let (tag, rest) = all.split_first().ok_or(bad("it ends too soon"))?;
        if tag & 0x1f == 0x1f {
            return Err(bad("a tag of more than one byte"));
        }
        let (first, rest) = rest.split_first().ok_or(bad("it ends too soon"))?;
        let (length, rest) = match *first {
            short @ 0..=0x7f => (usize::from(short), rest),
            0x81 => match rest.split_first() {
                Some((length @ 0x80.., rest)) => (usize::from(*length), rest),
                _ => return Err(bad("a length that is not as short as it can be")),
            },
            0x82..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(*first & 0x7f)).ok_or(bad("it ends too soon"))?;
                if bytes.first() == Some(&0) {
                    return Err(bad("a length that is not as short as it can be"));
                }
                (bytes.iter().fold(0_usize, |length, byte| (length << 8) | usize::from(*byte)), rest)
            }
            0x80 => return Err(bad("an indefinite length")),
            _ => return Err(bad("a length of more than 4 bytes")),
        };
        let (body, rest) = rest.split_at_checked(length).ok_or(bad("it ends too soon"))?;
        self.0 = rest;
        let raw = all.get(..all.len().saturating_sub(rest.len())).unwrap_or_default();
        Ok(Element { tag: *tag, raw, body })
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8, what: &'static str) -> Result<Element<'a>, PkiError> {
        match self.peek() {
            Some(found) if found == tag => self.any(),
            Some(found) => Err(PkiError::malformed(what, format!("it has the tag {found:#04x} instead of {tag:#04x}"))),
            None => Err(PkiError::malformed(what, "it is missing")),
        }
    }

    /// The next element, if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, PkiError> {
        if self.peek() == Some(tag) { self.any().map(Some) } else { Ok(None) }
    }

    /// Checks that nothing is left.
    pub(crate) fn end(self, what: &'static str) -> Result<(), PkiError> {
        if self.0.is_empty() { Ok(()) } else { Err(PkiError::malformed(what, "something follows it")) }
    }

    /// The only element of `bytes`, which must have this tag.
    pub(crate) fn only(bytes: &'a [u8], tag: u8, what: &'static str) -> Result<Element<'a>, PkiError> {
        let mut reader = Self(bytes);
        let element = reader.expect(tag, what)?;
        reader.end(what)?;
        Ok(element)
    }
}

/// Writes elements one after another into one buffer.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Adds what is encoded already.
    pub(crate) fn raw(&mut self, encoded: &[u8]) {
        self.0.extend_from_slice(encoded);
    }

    /// Adds an element with this value.
    pub(crate) fn element(&mut self, tag: u8, body: &[u8]) {
        self.0.push(tag);
        self.length(body.len());
        self.0.extend_from_slice(body);
    }

    /// Adds an element whose value `fill` writes.
    pub(crate) fn nested(&mut self, tag: u8, fill: impl FnOnce(&mut Self)) {
        self.0.push(tag);
        let at = self.0.len();
        fill(self);
        let end = self.0.len();
        let length = end.saturating_sub(at);
        if let Ok(short @ 0..=0x7f) = u8::try_from(length) {
            self.0.insert(at, short);
        } else {
            // The length is written behind the value and turned before it, so that nothing is copied to another buffer.
            self.length(length);
            let count = self.0.len().saturating_sub(end);
            if let Some(value_and_length) = self.0.get_mut(at..) {
                value_and_length.rotate_right(count);
            }
        }
    }

    /// Adds a bit string without unused bits.
    pub(crate) fn bit_string(&mut self, bytes: &[u8]) {
        self.nested(BIT_STRING, |inner| {
            inner.raw(&[0]);
            inner.raw(bytes);
        });
    }

    fn length(&mut self, length: usize) {
        if length < 0x80 {
            self.0.extend(u8::try_from(length));
        } else {
            let bytes = length.to_be_bytes();
            let bytes = bytes.get(bytes.iter().take_while(|byte| **byte == 0).count()..).unwrap_or_default();
            // A length of usize has at most 8 bytes.
            self.0.extend(u8::try_from(bytes.len()).map(|count| 0x80 | count));
            self.0.extend_from_slice(bytes);
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// One element by itself.
pub(crate) fn element(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(body.len().saturating_add(6));
    writer.element(tag, body);
    writer.finish()
}

/// One element by itself, whose value `fill` writes.
pub(crate) fn nested(tag: u8, fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.nested(tag, fill);
    writer.finish()
}

/// The dotted text of an object identifier's value; a damaged one is shown in hexadecimal.
pub(crate) fn oid_text(body: &[u8]) -> String {
    const_oid::ObjectIdentifier::from_bytes(body).map_or_else(|_| format!("#{}", hex(body)), |oid| oid.to_string())
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len().saturating_mul(2)), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_at_each_form_of_length() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000] {
            let body = vec![7; length];
            let one = element(OCTET_STRING, &body);
            assert_eq!(one, nested(OCTET_STRING, |writer| writer.raw(&body)), "{length}");
            let read = Reader::only(&one, OCTET_STRING, "x").unwrap();
            assert_eq!((read.body, read.raw), (&body[..], &one[..]), "{length}");
        }
    }

    #[test]
    fn what_is_not_der_is_refused() {
        for bytes in [
            &[][..],
            &[0x30],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x81, 0x7f],
            &[0x30, 0x81],
            &[0x30, 0x82, 0, 0x80],
            &[0x30, 0x85, 1, 1, 1, 1, 1],
            &[0x30, 2, 0],
            &[0x1f, 0x20, 0],
        ] {
            assert!(Reader::new(bytes).any().is_err(), "{bytes:?}");
        }
        assert!(Reader::only(&[0x30, 0, 0], SEQUENCE, "x").is_err());
    }
}
