//! The request of an OCSP GET: base64 of the DER in the path, URL-escaped (RFC 6960 appendix A.1.1). Clients differ in what they
//! escape, and some use the URL-safe alphabet or leave the padding out; all of that is read.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Longest path that is decoded, in bytes; RFC 5019 section 5 asks for GET below 255 only, a request with a nonce needs about 200.
const LONGEST: usize = 2_048;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(false),
);

/// The request's DER, or none when the path holds none. `path` is as it came, behind `/ocsp/`.
pub(crate) fn request(path: &str) -> Option<Vec<u8>> {
    if path.is_empty() || path.len() > LONGEST {
        return None;
    }
    let plain = unescaped(path)?.into_iter().map(|byte| match byte {
        b'-' => b'+',
        b'_' => b'/',
        // A form's way to write a `+` that somebody unescaped once too often.
        b' ' => b'+',
        other => other,
    });
    LENIENT.decode(plain.collect::<Vec<u8>>()).ok()
}

/// Percent-escapes resolved; none when one is broken.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            plain.push(byte);
            continue;
        }
        let (high, low) = (bytes.next()?, bytes.next()?);
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        plain.push(digit(high)?.checked_shl(4)? | digit(low)?);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_the_same_request_is_read() {
        let wanted = [0xfb, 0xff, 0xfe, 0x3e];
        for path in ["+//+Pg==", "%2B%2F%2F%2BPg%3D%3D", "%2b//%2BPg%3d=", "-__-Pg==", "+//+Pg", "-__-Pg", " // Pg=="] {
            assert_eq!(request(path).as_deref(), Some(&wanted[..]), "{path}");
        }
    }

    #[test]
    fn what_is_no_request_is_none() {
        for path in ["", "%", "%2", "%zz", "a", "ü", "+//+Ph==", "=", "+//+Pg==x"] {
            assert_eq!(request(path), None, "{path}");
        }
        assert_eq!(request(&"A".repeat(LONGEST + 4)), None);
        assert_eq!(request(&"A".repeat(LONGEST)).map(|bytes| bytes.len()), Some(LONGEST / 4 * 3));
    }
}
