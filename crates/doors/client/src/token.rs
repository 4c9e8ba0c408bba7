//! The bearer token and the file it comes from. Its text never reaches an error, a log or `Debug`.

use std::fmt;
use std::io::Read as _;
use std::path::Path;

use http::HeaderValue;
use signet_model::Refusal;

use crate::ClientError;
use crate::error::{TOKEN_EMPTY, TOKEN_MALFORMED, TOKEN_UNREADABLE};
use crate::text_file::{TextFault, decode_text};

/// No token is longer than this; a bigger file was named by mistake.
const LONGEST_FILE: u64 = 4096;

/// A token ready to be sent.
#[derive(Clone)]
pub struct Token(HeaderValue);

impl Token {
    /// Takes the text of a token; white space at its edges is dropped. `whence` names the source in an error.
    pub fn parse(text: &str, whence: &str) -> Result<Self, ClientError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ClientError::local(&TOKEN_EMPTY, format!("{whence} is empty")));
        }
        if let Some(place) = text.bytes().position(|b| !b.is_ascii_graphic()) {
            let detail = format!("{whence} holds a character inside the token that no token has, at place {}", place.saturating_add(1));
            return Err(ClientError::local(&TOKEN_MALFORMED, detail));
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {text}"))
            .map_err(|_| ClientError::local(&TOKEN_MALFORMED, format!("{whence} cannot be sent as a header")))?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Reads a token file: UTF-8, a byte order mark and white space around the token allowed.
pub fn read_token(path: &Path) -> Result<Token, ClientError> {
    let whence = format!("the token file {}", path.display());
    let unreadable = |e: std::io::Error| ClientError::local(&TOKEN_UNREADABLE, format!("{whence} cannot be read: {e}"));
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(LONGEST_FILE.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|n| n > LONGEST_FILE) {
        return Err(ClientError::local(&TOKEN_MALFORMED, format!("{whence} is longer than {LONGEST_FILE} bytes")));
    }
    let text = decode_text(&bytes).map_err(|fault| {
        let refusal = Refusal::new(&TOKEN_MALFORMED, format!("{whence}: {fault}"));
        match fault {
            TextFault::Utf16(_) => refusal.with_fix(format!("Save it as UTF-8: `iconv -f UTF-16 -t UTF-8 {0} > {0}.new`.", path.display())),
            TextFault::NotUtf8(_) => refusal,
        }
    })?;
    Token::parse(text, &whence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Token, ClientError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("operator.token");
        std::fs::write(&path, bytes).unwrap();
        read_token(&path)
    }

    fn reason(bytes: &[u8]) -> (String, String) {
        let problem = read(bytes).unwrap_err().problem();
        (problem.reason, problem.detail)
    }

    #[test]
    fn edges_are_trimmed() {
        for bytes in [&b"sgo_abc"[..], b"sgo_abc\n", b"sgo_abc\r\n", b"sgo_abc\n\n", b"  sgo_abc\t", b"\xef\xbb\xbfsgo_abc\r\n"] {
            assert_eq!(read(bytes).unwrap().header(), HeaderValue::from_static("Bearer sgo_abc"), "{bytes:?}");
        }
    }

    #[test]
    fn an_empty_file_has_its_own_reason() {
        for bytes in [&b""[..], b"\n", b" \r\n \n", b"\xef\xbb\xbf"] {
            assert_eq!(reason(bytes).0, "token.empty");
        }
    }

    #[test]
    fn no_error_shows_the_token() {
        for bytes in [&b"sgo_sec ret"[..], b"sgo_sec\0ret", b"sgo_sec\xc3\xa4ret", b"sgo_sec\xffret", b"\xff\xfes\0e\0c\0"] {
            let (code, detail) = reason(bytes);
            assert_eq!(code, "token.malformed", "{bytes:?}");
            assert!(!detail.contains("sec") && !detail.contains("ret"), "{detail}");
        }
        assert_eq!(reason(&[b'x'; 5000]).0, "token.malformed");
        assert!(!format!("{:?}", read(b"sgo_abc").unwrap()).contains("abc"));
    }

    #[test]
    fn a_file_of_another_encoding_is_refused_with_the_conversion() {
        let wide: Vec<u8> = "\u{feff}sgo_abc\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let problem = read(&wide).unwrap_err().problem();
        assert_eq!(problem.reason, "token.malformed");
        assert!(problem.fix.as_deref().unwrap_or_default().contains("iconv -f UTF-16 -t UTF-8"), "{:?}", problem.fix);
    }

    #[test]
    fn a_missing_file_is_named() {
        let problem = read_token(Path::new("/nonexistent/operator.token")).unwrap_err().problem();
        assert_eq!((problem.reason.as_str(), problem.status), ("token.unreadable", 400));
        assert!(problem.detail.contains("/nonexistent/operator.token"));
    }
}
