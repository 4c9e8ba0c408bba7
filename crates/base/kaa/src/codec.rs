//! Avro binary encoding (Avro 1.12 specification, "Binary Encoding"): one small type per schema construct.
//!
//! A type here is never made; it only says how a field travels. [`ValueFirst`] and [`NullFirst`] are the two orders in
//! which a nullable union can be declared, and both occur, even inside one record.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use crate::Sensitive;

/// Bytes that are no such record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The input ends inside the named field.
    Truncated {
        /// The field.
        field: &'static str,
    },
    /// The named field holds something that its type cannot be.
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        fault: &'static str,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { field } => write!(f, "the input ends inside {field}"),
            Self::Invalid { field, fault } => write!(f, "{field}: {fault}"),
        }
    }
}
impl std::error::Error for DecodeError {}

/// The bytes not read yet, and the field that is being read, for errors.
pub struct Reader<'a> {
    rest: &'a [u8],
    pub(crate) field: &'static str,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, field: "" }
    }

    /// Whether everything was read: at a field boundary this stands for the field's default.
    pub(crate) fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn invalid(&self, fault: &'static str) -> DecodeError {
        DecodeError::Invalid { field: self.field, fault }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Truncated { field: self.field })?;
        self.rest = rest;
        Ok(taken)
    }

    /// Zig-zag, then base-128 with the low group first; at most ten bytes and 64 bits.
    fn long(&mut self) -> Result<i64, DecodeError> {
        let mut unsigned = 0_u64;
        for shift in (0..64).step_by(7) {
            let &[byte] = self.take(1)? else { return Err(self.invalid("no byte")) };
            let group = u64::from(byte & 0x7f);
            let shifted = group << shift;
            if shifted >> shift != group {
                return Err(self.invalid("more than 64 bits"));
            }
            unsigned |= shifted;
            if byte & 0x80 == 0 {
                let magnitude = i64::try_from(unsigned >> 1).map_err(|_| self.invalid("more than 64 bits"))?;
                return Ok(if unsigned & 1 == 0 { magnitude } else { !magnitude });
            }
        }
        Err(self.invalid("a number longer than ten bytes"))
    }

    fn length(&mut self) -> Result<usize, DecodeError> {
        let length = self.long()?;
        usize::try_from(length).map_err(|_| self.invalid("a negative length"))
    }

    /// The number of items in the next block of an array or map, 0 at its end. A negative count is followed by the
    /// block's size in bytes, which readers may ignore.
    fn block(&mut self) -> Result<usize, DecodeError> {
        let count = self.long()?;
        if count < 0 {
            self.length()?;
        }
        let count = usize::try_from(count.unsigned_abs()).map_err(|_| self.invalid("too many items"))?;
        // Every item is at least one byte long, so a larger count is a lie that must not steer a loop or an allocation.
        if count > self.rest.len() { Err(self.invalid("more items than bytes")) } else { Ok(count) }
    }
}

fn write_long(value: i64, out: &mut Vec<u8>) {
    // The sign bit, spread over all bits, is what zig-zag exclusive-ors with.
    let sign = if value < 0 { u64::MAX } else { 0 };
    let mut unsigned = (u64::from_ne_bytes(value.to_ne_bytes()) << 1) ^ sign;
    while unsigned >= 0x80 {
        out.push(u8::try_from(unsigned & 0x7f).unwrap_or(0) | 0x80);
        unsigned >>= 7;
    }
    out.push(u8::try_from(unsigned).unwrap_or(0));
}

fn write_length(length: usize, out: &mut Vec<u8>) {
    write_long(i64::try_from(length).unwrap_or(i64::MAX), out);
}

/// How a field of one schema type travels.
pub trait Codec {
    /// The field's Rust type; borrows from the input where it can.
    type Value<'a>;
    /// Appends the value.
    fn write(value: &Self::Value<'_>, out: &mut Vec<u8>);
    /// Reads one value.
    ///
    /// # Errors
    /// [`DecodeError`] where the input ends or is no such value.
    fn read<'a>(reader: &mut Reader<'a>) -> Result<Self::Value<'a>, DecodeError>;
}

/// `string`.
pub struct Text;
/// `string` that must not show in a log.
pub struct SecretText;
/// `bytes`.
pub struct Bytes;
/// `int`.
pub struct Int;
/// `long`.
pub struct Long;
/// `[C, "null"]`.
pub struct ValueFirst<C>(PhantomData<C>);
/// `["null", C]`.
pub struct NullFirst<C>(PhantomData<C>);
/// `array` of C.
pub struct List<C>(PhantomData<C>);
/// `map` of C.
pub struct Map<C>(PhantomData<C>);

impl Codec for Text {
    type Value<'a> = Cow<'a, str>;

    fn write(value: &Cow<'_, str>, out: &mut Vec<u8>) {
        write_length(value.len(), out);
        out.extend_from_slice(value.as_bytes());
    }

    fn read<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, str>, DecodeError> {
        let length = reader.length()?;
        let bytes = reader.take(length)?;
        std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| reader.invalid("not UTF-8"))
    }
}

impl Codec for SecretText {
    type Value<'a> = Sensitive<'a>;

    fn write(value: &Sensitive<'_>, out: &mut Vec<u8>) {
        write_length(value.expose().len(), out);
        out.extend_from_slice(value.expose().as_bytes());
    }

    fn read<'a>(reader: &mut Reader<'a>) -> Result<Sensitive<'a>, DecodeError> {
        Text::read(reader).map(Sensitive::new)
    }
}

impl Codec for Bytes {
    type Value<'a> = Cow<'a, [u8]>;

    fn write(value: &Cow<'_, [u8]>, out: &mut Vec<u8>) {
        write_length(value.len(), out);
        out.extend_from_slice(value);
    }

    fn read<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, [u8]>, DecodeError> {
        let length = reader.length()?;
        reader.take(length).map(Cow::Borrowed)
    }
}

impl Codec for Int {
    type Value<'a> = i32;

    fn write(value: &i32, out: &mut Vec<u8>) {
        write_long(i64::from(*value), out);
    }

    fn read(reader: &mut Reader<'_>) -> Result<i32, DecodeError> {
        let value = reader.long()?;
        i32::try_from(value).map_err(|_| reader.invalid("more than 32 bits"))
    }
}

impl Codec for Long {
    type Value<'a> = i64;

    fn write(value: &i64, out: &mut Vec<u8>) {
        write_long(*value, out);
    }

    fn read(reader: &mut Reader<'_>) -> Result<i64, DecodeError> {
        reader.long()
    }
}

fn write_union<C: Codec>(value: Option<&C::Value<'_>>, branches: (i64, i64), out: &mut Vec<u8>) {
    let (some, none) = branches;
    match value {
        Some(value) => {
            write_long(some, out);
            C::write(value, out);
        }
        None => write_long(none, out),
    }
}

fn read_union<'a, C: Codec>(branches: (i64, i64), reader: &mut Reader<'a>) -> Result<Option<C::Value<'a>>, DecodeError> {
    let (some, none) = branches;
    match reader.long()? {
        branch if branch == some => C::read(reader).map(Some),
        branch if branch == none => Ok(None),
        _ => Err(reader.invalid("no such union branch")),
    }
}

impl<C: Codec> Codec for ValueFirst<C> {
    type Value<'a> = Option<C::Value<'a>>;

    fn write(value: &Self::Value<'_>, out: &mut Vec<u8>) {
        write_union::<C>(value.as_ref(), (0, 1), out);
    }

    fn read<'a>(reader: &mut Reader<'a>) -> Result<Self::Value<'a>, DecodeError> {
        read_union::<C>((0, 1), reader)
    }
}

impl<C: Codec> Codec for NullFirst<C> {
    type Value<'a> = Option<C::Value<'a>>;

    fn write(value: &Self::Value<'_>, out: &mut Vec<u8>) {
        write_union::<C>(value.as_ref(), (1, 0), out);
    }

    fn read<'a>(reader: &mut Reader<'a>) -> Result<Self::Value<'a>, DecodeError> {
        read_union::<C>((1, 0), reader)
    }
}

impl<C: Codec> Codec for List<C> {
    type Value<'a> = Vec<C::Value<'a>>;

    fn write(value: &Self::Value<'_>, out: &mut Vec<u8>) {
        if !value.is_empty() {
            write_length(value.len(), out);
            value.iter().for_each(|item| C::write(item, out));
        }
        write_long(0, out);
    }

    fn read<'a>(reader: &mut Reader<'a>) -> Result<Self::Value<'a>, DecodeError> {
        let mut items = Vec::new();
        loop {
            match reader.block()? {
                0 => return Ok(items),
                count => {
                    for _ in 0..count {
                        items.push(C::read(reader)?);
                    }
                }
            }
        }
    }
}

impl<C: Codec> Codec for Map<C> {
    type Value<'a> = BTreeMap<Cow<'a, str>, C::Value<'a>>;

    fn write(value: &Self::Value<'_>, out: &mut Vec<u8>) {
        if !value.is_empty() {
            write_length(value.len(), out);
            for (key, item) in value {
                Text::write(key, out);
                C::write(item, out);
            }
        }
        write_long(0, out);
    }

    fn read<'a>(reader: &mut Reader<'a>) -> Result<Self::Value<'a>, DecodeError> {
        let mut items = BTreeMap::new();
        loop {
            match reader.block()? {
                0 => return Ok(items),
                count => {
                    for _ in 0..count {
                        let key = Text::read(reader)?;
                        items.insert(key, C::read(reader)?);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn numbers_follow_the_samples_and_read_back() {
        let samples = [
            (0, "00"),
            (-1, "01"),
            (1, "02"),
            (42, "54"),
            (64, "8001"),
            (200, "9003"),
            (2_147_483_647, "feffffff0f"),
            (1_490_262_793_349, "8af2aca9df56"),
        ];
        for (value, wanted) in samples {
            let mut out = Vec::new();
            write_long(value, &mut out);
            assert_eq!(hex(&out), wanted);
        }
        for value in [i64::MIN, i64::MAX, -2, 63, -64] {
            let mut out = Vec::new();
            write_long(value, &mut out);
            assert_eq!(Reader::new(&out).long(), Ok(value));
        }
    }

    #[test]
    fn lies_about_size_are_refused_before_anything_is_reserved() {
        let huge = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert!(Text::read(&mut Reader::new(&huge)).is_err());
        assert!(List::<Text>::read(&mut Reader::new(&huge)).is_err());
        assert!(Reader::new(&[0xff; 11]).long().is_err());
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]).long().is_err());
        assert!(Int::read(&mut Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x10])).is_err());
        assert!(ValueFirst::<Text>::read(&mut Reader::new(&[4])).is_err());
    }
}
