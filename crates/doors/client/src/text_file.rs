//! Text files written by people's tools: UTF-8, with or without a byte order mark. UTF-16 is recognised so that its refusal
//! can name it.

use std::fmt;

/// Why bytes are no text of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFault {
    /// The bytes are UTF-16, as some Windows tools write it; the string names the byte order.
    Utf16(&'static str),
    /// Not UTF-8; the offset of the first offending byte.
    NotUtf8(usize),
}

impl fmt::Display for TextFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utf16(order) => write!(f, "the file is encoded in {order}, wanted UTF-8"),
            Self::NotUtf8(offset) => write!(f, "the file is not UTF-8: bad byte at offset {offset}"),
        }
    }
}
impl std::error::Error for TextFault {}

/// The text in `bytes` without its byte order mark.
pub fn decode_text(bytes: &[u8]) -> Result<&str, TextFault> {
    match bytes {
        [0xff, 0xfe, ..] => return Err(TextFault::Utf16("UTF-16 (little-endian)")),
        [0xfe, 0xff, ..] => return Err(TextFault::Utf16("UTF-16 (big-endian)")),
        // Without a mark: the first character of every file of ours is ASCII, so one of its two bytes is zero.
        [low, 0, ..] if *low != 0 => return Err(TextFault::Utf16("UTF-16 (little-endian)")),
        [0, low, ..] if *low != 0 => return Err(TextFault::Utf16("UTF-16 (big-endian)")),
        _ => {}
    }
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(body).map_err(|e| TextFault::NotUtf8(e.valid_up_to()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_dropped_and_other_encodings_are_named() {
        assert_eq!(decode_text(b"\xef\xbb\xbfabc\r\n"), Ok("abc\r\n"));
        assert_eq!(decode_text(b""), Ok(""));
        assert_eq!(decode_text(b"\xff\xfea\0"), Err(TextFault::Utf16("UTF-16 (little-endian)")));
        assert_eq!(decode_text(b"\xfe\xff\0a"), Err(TextFault::Utf16("UTF-16 (big-endian)")));
        assert_eq!(decode_text(b"a\0b\0"), Err(TextFault::Utf16("UTF-16 (little-endian)")));
        assert_eq!(decode_text(b"\0a\0b"), Err(TextFault::Utf16("UTF-16 (big-endian)")));
        assert_eq!(decode_text(b"ab\xff"), Err(TextFault::NotUtf8(2)));
    }
}
