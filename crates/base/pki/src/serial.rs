//! Serial numbers (RFC 5280 section 4.1.2.2): drawn, read from certificates, and understood in each spelling that people use.

use std::fmt;

use signet_model::{Entropy, log_text};

use crate::tlv::{self, Writer};
use crate::{PkiError, tlv::hex};

/// The most bytes of a serial number (RFC 5280 section 4.1.2.2).
pub const LONGEST_SERIAL: usize = 20;
/// The longest text that is looked at: 20 bytes in the widest spelling, with room for spaces.
const LONGEST_TEXT: usize = 256;

/// A serial number of at most 20 bytes. Ours are positive; others' may be zero or negative and keep their sign.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial {
    negative: bool,
    /// Big endian without leading zeros; zero is empty.
    magnitude: Vec<u8>,
}

impl Serial {
    /// A new number of exactly `length` bytes, 16 or (profile `kaa`) 20: the top bit clear, so that it is positive, the next one
    /// set, so that it is never shorter; all others random.
    pub fn random(entropy: &dyn Entropy, length: SerialLength) -> Self {
        let mut magnitude = vec![0; length.bytes()];
        entropy.fill(&mut magnitude);
        if let Some(first) = magnitude.first_mut() {
            *first = (*first & 0x3f) | 0x40;
        }
        Self { negative: false, magnitude }
    }

    /// The number of a DER INTEGER's value, two's complement.
    ///
    /// # Errors
    /// [`PkiError::Serial`] when it is empty or longer than 20 bytes without its sign byte.
    pub fn from_der_bytes(value: &[u8]) -> Result<Self, PkiError> {
        let Some(first) = value.first() else { return Err(PkiError::Serial("it has no bytes".to_owned())) };
        let negative = first & 0x80 != 0;
        let mut magnitude = value.to_vec();
        if negative {
            // Two's complement: invert and add one.
            let mut carry = true;
            for byte in magnitude.iter_mut().rev() {
                let (sum, overflow) = (!*byte).overflowing_add(u8::from(carry));
                (*byte, carry) = (sum, overflow);
            }
        }
        Self::of(negative, &magnitude)
    }

    /// A positive number, big endian.
    ///
    /// # Errors
    /// [`PkiError::Serial`] when it is longer than 20 bytes.
    pub fn from_bytes(magnitude: &[u8]) -> Result<Self, PkiError> {
        Self::of(false, magnitude)
    }

    fn of(negative: bool, magnitude: &[u8]) -> Result<Self, PkiError> {
        let significant = magnitude.iter().position(|byte| *byte != 0).and_then(|at| magnitude.get(at..)).unwrap_or_default();
        if significant.len() > LONGEST_SERIAL {
            return Err(PkiError::Serial(format!("it has {} bytes; {LONGEST_SERIAL} are allowed", significant.len())));
        }
        Ok(Self { negative: negative && !significant.is_empty(), magnitude: significant.to_vec() })
    }

    /// The number in any spelling: decimal digits, which are never taken for hexadecimal; `0x…`; pairs of hexadecimal digits
    /// with colons or spaces between; hexadecimal digits with at least one letter; `serial=…` and `4660 (0x1234)` as OpenSSL
    /// prints them. Upper and lower case, without leading zeros, with white space around, with a leading `-`.
    ///
    /// # Errors
    /// [`PkiError::Serial`] for anything else and for more than 20 bytes.
    pub fn parse_text(text: &str) -> Result<Self, PkiError> {
        let refused = |why: &str| PkiError::Serial(format!("{}: {why}", log_text(text, 64)));
        if text.len() > LONGEST_TEXT {
            return Err(PkiError::Serial(format!("longer than {LONGEST_TEXT} characters")));
        }
        let trimmed = text.trim();
        // `4660 (0x1234)`: both must say the same.
        if let Some((decimal, hexadecimal)) = trimmed.strip_suffix(')').and_then(|text| text.split_once(" (")) {
            let (one, other) = (Self::parse_text(decimal)?, Self::parse_text(hexadecimal)?);
            return if one == other { Ok(one) } else { Err(refused("its two forms differ")) };
        }
        let (labelled, rest) = match trimmed.get(..7) {
            Some(label) if label.eq_ignore_ascii_case("serial=") => (true, trimmed.get(7..).unwrap_or_default()),
            _ => (false, trimmed),
        };
        let (negative, rest) = match rest.strip_prefix('-').or_else(|| rest.strip_prefix("(Negative)")) {
            Some(rest) => (true, rest.trim_start()),
            None => (false, rest),
        };
        let prefixed = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X"));
        let digits = prefixed.unwrap_or(rest);
        if !labelled && prefixed.is_none() && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            return Self::of(negative, &from_decimal(digits).ok_or_else(|| refused("more than 20 bytes"))?);
        }
        let bytes = from_hex(digits).ok_or_else(|| refused("neither decimal nor hexadecimal digits"))?;
        Self::of(negative, &bytes).map_err(|_| refused("more than 20 bytes"))
    }

    /// What the same text would be in hexadecimal, when it is plain digits: for the hint after "not found".
    pub fn hexadecimal_reading(text: &str) -> Option<Self> {
        let text = text.trim();
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if plain { Self::of(false, &from_hex(text)?).ok() } else { None }
    }

    /// Decimal digits, as Kaa and dashboards use them (at most 49); a `-` before a negative one.
    pub fn decimal(&self) -> String {
        // Long division by 10^9, nine digits at a time.
        let mut rest = self.magnitude.clone();
        let mut groups = Vec::new();
        while rest.iter().any(|byte| *byte != 0) {
            let mut remainder = 0_u64;
            for byte in &mut rest {
                let value = (remainder << 8) | u64::from(*byte);
                // The remainder is below 10^9, so the quotient is below 256.
                *byte = u8::try_from(value.wrapping_div(GROUP)).unwrap_or(u8::MAX);
                remainder = value.wrapping_rem(GROUP);
            }
            groups.push(remainder);
        }
        let mut text = String::from(if self.negative { "-" } else { "" });
        let mut highest_first = groups.iter().rev();
        text.push_str(&highest_first.next().unwrap_or(&0).to_string());
        highest_first.for_each(|group| text.push_str(&format!("{group:09}")));
        text
    }

    /// Lower-case hexadecimal, two digits for each byte, without prefix.
    pub fn hex(&self) -> String {
        let digits = if self.magnitude.is_empty() { "00".to_owned() } else { hex(&self.magnitude) };
        if self.negative { format!("-{digits}") } else { digits }
    }

    /// Lower-case hexadecimal with colons between the bytes.
    pub fn colon_hex(&self) -> String {
        let (sign, digits) = (if self.negative { "-" } else { "" }, if self.magnitude.is_empty() { &[0][..] } else { &self.magnitude });
        let pairs: Vec<_> = digits.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{sign}{}", pairs.join(":"))
    }

    /// Big endian without leading zeros and without the sign; zero is empty.
    pub fn magnitude(&self) -> &[u8] {
        &self.magnitude
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// The value of its DER INTEGER, two's complement.
    pub fn to_der_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.magnitude.len().saturating_add(1));
        bytes.push(0);
        bytes.extend_from_slice(&self.magnitude);
        if self.negative {
            let mut carry = true;
            for byte in bytes.iter_mut().rev() {
                let (sum, overflow) = (!*byte).overflowing_add(u8::from(carry));
                (*byte, carry) = (sum, overflow);
            }
        }
        // The sign byte stays only where the next bit says otherwise.
        let redundant = matches!(bytes.as_slice(), [0, next, ..] if next & 0x80 == 0)
            || matches!(bytes.as_slice(), [0xff, next, ..] if next & 0x80 != 0);
        if redundant {
            bytes.remove(0);
        }
        bytes
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.element(tlv::INTEGER, &self.to_der_bytes());
    }
}

const GROUP: u64 = 1_000_000_000;

/// How long the numbers of a profile are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SerialLength {
    /// 16 bytes: the default.
    Sixteen,
    /// 20 bytes: profile `kaa`.
    Twenty,
}

impl SerialLength {
    /// The number of bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Sixteen => 16,
            Self::Twenty => 20,
        }
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.decimal())
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({})", self.colon_hex())
    }
}

/// The bytes of a decimal number; none for what does not fit into 20.
fn from_decimal(digits: &str) -> Option<Vec<u8>> {
    let mut bytes = [0_u8; LONGEST_SERIAL];
    for digit in digits.bytes() {
        let mut carry = u32::from(digit.wrapping_sub(b'0'));
        for byte in bytes.iter_mut().rev() {
            let value = u32::from(*byte).wrapping_mul(10).wrapping_add(carry);
            *byte = u8::try_from(value & 0xff).unwrap_or(u8::MAX);
            carry = value >> 8;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(bytes.to_vec())
}

/// The bytes of hexadecimal digits: all in a row, or in groups of one or two between colons or white space.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let groups: Vec<&str> = text.split(|c: char| c == ':' || c.is_ascii_whitespace()).filter(|group| !group.is_empty()).collect();
    let nibbles = |text: &str| text.chars().map(|c| c.to_digit(16).and_then(|n| u8::try_from(n).ok())).collect::<Option<Vec<u8>>>();
    match groups.as_slice() {
        [] => None,
        [one] => {
            let mut digits = nibbles(one)?;
            if digits.len() & 1 == 1 {
                digits.insert(0, 0);
            }
            Some(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, nibble| (byte << 4) | nibble)).collect())
        }
        several => {
            several
                .iter()
                .map(|group| {
                    if group.len() <= 2 {
                        nibbles(group).map(|pair| pair.iter().fold(0, |byte, nibble| (byte << 4) | nibble))
                    } else {
                        None
                    }
                })
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Constant(u8);

    impl Entropy for Constant {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn drawn_numbers_are_positive_and_of_full_length_whatever_is_drawn() {
        for drawn in [0, 1, 0x7f, 0x80, 0xff] {
            for length in [SerialLength::Sixteen, SerialLength::Twenty] {
                let serial = Serial::random(&Constant(drawn), length);
                let der = serial.to_der_bytes();
                assert_eq!(der.len(), length.bytes(), "{drawn}");
                assert_eq!(der[0] & 0xc0, 0x40, "{drawn}");
            }
        }
    }

    #[test]
    fn every_spelling_is_understood_and_plain_digits_are_decimal() {
        let kaa = "481322841591230125307308739340986366174349561025";
        for (text, decimal) in [
            (kaa, kaa),
            ("54:4f:43:3f:07:d2:6a:ae:b4:e9:b1:a5:95:98:a5:58:65:41:0c:c1", kaa),
            ("54:4F:43:3F:07:D2:6A:AE:B4:E9:B1:A5:95:98:A5:58:65:41:0C:C1", kaa),
            ("544f433f07d26aaeb4e9b1a59598a55865410cc1", kaa),
            ("0x544F433F07D26AAEB4E9B1A59598A55865410CC1", kaa),
            ("   54 4f 43 3f 07 d2 6a ae b4 e9 b1 a5 95 98 a5 58 65 41 0c c1\n", kaa),
            ("54:4f:43:3f:7:d2:6a:ae:b4:e9:b1:a5:95:98:a5:58:65:41:c:c1", kaa),
            ("4a:1f:0b", "4857611"),
            ("4A1F0B", "4857611"),
            ("0x4a1f0b", "4857611"),
            ("0x04a1f0b", "4857611"),
            ("0f:12", "3858"),
            ("f12", "3858"),
            ("0f12", "3858"),
            ("12", "12"),
            ("0012", "12"),
            ("0x12", "18"),
            ("1234", "1234"),
            ("serial=1234", "4660"),
            ("serial=0F12", "3858"),
            ("4660 (0x1234)", "4660"),
            ("12:34", "4660"),
            ("12 34", "4660"),
            ("0", "0"),
            ("00", "0"),
            ("-5", "-5"),
            ("-0", "0"),
            ("-0x05", "-5"),
            ("(Negative)05:00", "-1280"),
        ] {
            assert_eq!(Serial::parse_text(text).unwrap_or_else(|e| panic!("{text:?}: {e}")).decimal(), decimal, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let too_long = "9".repeat(60);
        for text in [
            "",
            " ",
            "-",
            "0x",
            "xyz",
            "0xg",
            "12:345",
            "12:",
            "4660 (0x1235)",
            "1.5",
            "--5",
            "+5",
            &too_long,
            &"f".repeat(41),
            "ä",
            "serial=",
        ] {
            let read = Serial::parse_text(text);
            if text == "12:" {
                assert_eq!(read.unwrap().hex(), "12", "a trailing colon does no harm");
            } else {
                assert_eq!(read.unwrap_err().reason().code, "serial.malformed", "{text:?}");
            }
        }
    }

    #[test]
    fn the_hint_is_given_for_plain_digits_only() {
        assert_eq!(Serial::hexadecimal_reading("1234").unwrap().decimal(), "4660");
        assert_eq!(Serial::hexadecimal_reading("12f"), None);
        assert_eq!(Serial::hexadecimal_reading(""), None);
    }

    #[test]
    fn negative_and_padded_integers_keep_their_value() {
        for (der, decimal, hex) in [
            (&[0x00, 0x87, 0x65, 0x43, 0x21][..], "2271560481", "87654321"),
            (&[0xff], "-1", "-01"),
            (&[0x80], "-128", "-80"),
            (&[0xff, 0x7f], "-129", "-81"),
            (&[0x00], "0", "00"),
            (&[0x7f], "127", "7f"),
        ] {
            let serial = Serial::from_der_bytes(der).unwrap();
            assert_eq!((serial.decimal().as_str(), serial.hex().as_str()), (decimal, hex));
            assert_eq!(serial.to_der_bytes(), der, "{decimal}");
        }
        assert!(Serial::from_der_bytes(&[]).is_err());
        assert!(Serial::from_der_bytes(&[0x7f; 21]).is_err());
        assert!(Serial::from_der_bytes(&[&[0][..], &[0xff; 20]].concat()).is_ok());
    }

    proptest! {
        #[test]
        fn every_spelling_of_a_number_reads_back(bytes in prop::collection::vec(any::<u8>(), 1..=20)) {
            let serial = Serial::from_bytes(&bytes).unwrap();
            for text in [serial.decimal(), serial.colon_hex(), format!("0x{}", serial.hex()), serial.colon_hex().to_uppercase(), serial.colon_hex().replace(':', " ")] {
                // One pair without a letter and without a colon is plain digits, and so decimal.
                if text.len() > 2 || text == serial.decimal() {
                    prop_assert_eq!(Serial::parse_text(&text).unwrap(), serial.clone(), "{}", text);
                }
            }
            prop_assert_eq!(Serial::from_der_bytes(&serial.to_der_bytes()).unwrap(), serial);
        }

        #[test]
        fn any_integer_survives(der in prop::collection::vec(any::<u8>(), 1..=20)) {
            let serial = Serial::from_der_bytes(&der).unwrap();
            prop_assert_eq!(Serial::from_der_bytes(&serial.to_der_bytes()).unwrap(), serial.clone());
            prop_assert_eq!(Serial::parse_text(&serial.decimal()).unwrap(), serial);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[ 0-9a-fA-F:x()=-]{0,60}") {
            let _ = Serial::parse_text(&text).map_err(|e| e.to_string());
        }
    }
}
