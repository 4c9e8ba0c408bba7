//! PEM files as people have them (RFC 7468): a byte order mark, CRLF, text around the blocks, `EC PARAMETERS` before the key, all
//! three forms of private keys, one-line bodies. What cannot be used is named: encrypted, UTF-16, DER, the wrong pair.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use signet_crypto::sign::{P256Key, SigningKey, public_key_of};
use signet_crypto::{Secret, sha256};
use signet_model::log_text;
use zeroize::Zeroizing;

use crate::PkiError;
use crate::certificate::parse;
use crate::tlv::hex;

/// The longest PEM text that is looked at, in bytes.
pub const LONGEST_TEXT: usize = 1024 * 1024;
/// The most blocks in one text.
pub const MOST_BLOCKS: usize = 256;

const CERTIFICATE: &str = "CERTIFICATE";
const PKCS8: &str = "PRIVATE KEY";
const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// How a private key is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// `PRIVATE KEY`: PKCS#8 (RFC 5208).
    Pkcs8,
    /// `EC PRIVATE KEY`: SEC 1 (RFC 5915).
    Sec1,
    /// `RSA PRIVATE KEY`: PKCS#1 (RFC 8017).
    Pkcs1,
}

/// A private key as it stood in the file.
#[derive(Debug)]
pub struct PrivateKey {
    form: KeyForm,
    der: Secret,
}

impl PrivateKey {
    /// A PKCS#8 key that was not read from a file.
    pub fn from_pkcs8(der: Secret) -> Self {
        Self { form: KeyForm::Pkcs8, der }
    }

    /// How it is wrapped.
    pub fn form(&self) -> KeyForm {
        self.form
    }

    /// DER SubjectPublicKeyInfo of its public half.
    ///
    /// # Errors
    /// [`PkiError::UnsupportedKey`] for a kind that is not used here, or damage.
    pub fn public_key_spki(&self) -> Result<Vec<u8>, PkiError> {
        public_key_of(&self.der).map_err(|e| PkiError::UnsupportedKey(e.to_string()))
    }

    /// A copy in the type that rustls takes. That copy is not wiped when dropped.
    pub fn to_rustls(&self) -> PrivateKeyDer<'static> {
        let der = self.der.expose().to_vec();
        match self.form {
            KeyForm::Pkcs8 => PrivatePkcs8KeyDer::from(der).into(),
            KeyForm::Sec1 => PrivateSec1KeyDer::from(der).into(),
            KeyForm::Pkcs1 => PrivatePkcs1KeyDer::from(der).into(),
        }
    }

    /// The key as a signer, when it is on P-256.
    ///
    /// # Errors
    /// [`PkiError::UnsupportedKey`] when it is not.
    pub fn to_p256(&self) -> Result<P256Key, PkiError> {
        P256Key::from_der(&self.der).map_err(|e| PkiError::UnsupportedKey(e.to_string()))
    }

    /// The key as a signer, when it is on P-256 or P-384, Ed25519, or RSA of 2048 to 4096 bits.
    ///
    /// # Errors
    /// [`PkiError::UnsupportedKey`] when it is not.
    pub fn to_signing_key(&self) -> Result<SigningKey, PkiError> {
        SigningKey::from_private_der(&self.der).map_err(|e| PkiError::UnsupportedKey(e.to_string()))
    }

    /// Checks that the key belongs to `certificate`.
    ///
    /// # Errors
    /// [`PkiError::KeyMismatch`] with both fingerprints; [`PkiError::Malformed`] or [`PkiError::UnsupportedKey`] when one of them
    /// cannot be read.
    pub fn check_pair(&self, certificate: &CertificateDer<'_>) -> Result<(), PkiError> {
        let certificate = parse(certificate)?;
        let spki = der::Encode::to_der(certificate.tbs_certificate().subject_public_key_info()).map_err(PkiError::encode)?;
        same_key(&spki, &self.public_key_spki()?)
    }
}

/// Every certificate of a PEM text, in its order; other blocks are passed over.
///
/// # Errors
/// [`PkiError::NoCertificate`] when there is none, [`PkiError::Malformed`] for a damaged block, [`PkiError::Encoding`] for UTF-16.
pub fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, PkiError> {
    let blocks = blocks(text)?;
    let mut certificates = Vec::new();
    for block in blocks.iter().filter(|block| block.label == CERTIFICATE) {
        certificates.push(CertificateDer::from(block.decode("the certificate")?.to_vec()));
    }
    if certificates.is_empty() { Err(PkiError::NoCertificate { found: labels(&blocks, text) }) } else { Ok(certificates) }
}

/// The first private key of a PEM text; other blocks are passed over.
///
/// # Errors
/// [`PkiError::NoKey`] when there is none, [`PkiError::EncryptedKey`] when it needs a passphrase, [`PkiError::Malformed`] for a
/// damaged block, [`PkiError::Encoding`] for UTF-16.
pub fn private_key(text: &[u8]) -> Result<PrivateKey, PkiError> {
    let blocks = blocks(text)?;
    for block in &blocks {
        let form = match block.label {
            PKCS8 => KeyForm::Pkcs8,
            "EC PRIVATE KEY" => KeyForm::Sec1,
            "RSA PRIVATE KEY" => KeyForm::Pkcs1,
            "ENCRYPTED PRIVATE KEY" => return Err(PkiError::EncryptedKey("PKCS#8")),
            other if other.ends_with(PKCS8) => return Err(PkiError::UnsupportedKey(log_text(other, 64))),
            _ => continue,
        };
        // OpenSSL's older form says so in a header inside the block (RFC 1421 section 4.6.1.1).
        if block.body.contains("4,ENCRYPTED") {
            return Err(PkiError::EncryptedKey("Proc-Type: 4,ENCRYPTED"));
        }
        let mut der = block.decode("the private key")?;
        return Ok(PrivateKey { form, der: Secret::from(std::mem::take(&mut *der)) });
    }
    Err(PkiError::NoKey { found: labels(&blocks, text) })
}

/// The first certificate request of a PEM text; other blocks are passed over. `keytool`, `certreq` and WebSphere write `NEW
/// CERTIFICATE REQUEST`.
///
/// # Errors
/// [`PkiError::Csr`] when there is none or its block is damaged, [`PkiError::Encoding`] for UTF-16.
pub fn certificate_request(text: &[u8]) -> Result<Vec<u8>, PkiError> {
    let damaged = |error| match error {
        PkiError::Malformed { what, detail } => PkiError::Csr(format!("{what}: {detail}")),
        other => other,
    };
    let blocks = blocks(text).map_err(damaged)?;
    let request = blocks.iter().find(|block| matches!(block.label, "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST"));
    match request {
        Some(block) => Ok(std::mem::take(&mut *block.decode("the block").map_err(damaged)?)),
        None => Err(PkiError::Csr(format!("the file holds {}", labels(&blocks, text)))),
    }
}

/// The bytes of a text that is nothing but base64 of DER, in any lines.
pub(crate) fn bare_base64(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() > LONGEST_TEXT {
        return None;
    }
    let compact: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    STANDARD.decode(compact).ok().filter(|der| der.first() == Some(&0x30))
}

/// A block of a text, whatever it holds.
pub(crate) struct Object {
    pub(crate) label: String,
    /// Its bytes; wiped when dropped, as it may be a key.
    pub(crate) der: Result<Zeroizing<Vec<u8>>, PkiError>,
    /// Whether it needs a passphrase.
    pub(crate) encrypted: bool,
}

/// Every block of a text.
///
/// # Errors
/// [`PkiError::Malformed`] for a text that is longer or has more blocks than is looked at, [`PkiError::Encoding`] for UTF-16.
pub(crate) fn objects(text: &[u8]) -> Result<Vec<Object>, PkiError> {
    let object = |block: &Block<'_>| Object {
        label: log_text(block.label, 64),
        der: block.decode("the block"),
        encrypted: block.label.starts_with("ENCRYPTED") || block.body.contains("4,ENCRYPTED"),
    };
    Ok(blocks(text)?.iter().map(object).collect())
}

/// A certificate as PEM with lines of 64 characters.
pub fn write_certificate(der: &CertificateDer<'_>) -> String {
    let mut text = write(CERTIFICATE, der);
    std::mem::take(&mut *text)
}

/// A certificate request (PKCS#10) as PEM with lines of 64 characters.
pub fn write_request(der: &[u8]) -> String {
    let mut text = write("CERTIFICATE REQUEST", der);
    std::mem::take(&mut *text)
}

/// An EncryptedPrivateKeyInfo (RFC 5958) as PEM with lines of 64 characters.
pub fn write_encrypted_key(der: &[u8]) -> String {
    let mut text = write("ENCRYPTED PRIVATE KEY", der);
    std::mem::take(&mut *text)
}

/// A PKCS#8 private key as PEM with lines of 64 characters.
pub fn write_private_key(pkcs8: &Secret) -> Secret {
    let mut text = write(PKCS8, pkcs8.expose());
    Secret::from(std::mem::take(&mut *text))
}

/// Says whether both public keys are the same, with fingerprints if not.
pub(crate) fn same_key(certificate: &[u8], key: &[u8]) -> Result<(), PkiError> {
    if certificate == key { Ok(()) } else { same_digest(sha256(certificate), sha256(key)) }
}

/// The same of the SHA-256 of both keys.
pub(crate) fn same_digest(certificate: [u8; 32], key: [u8; 32]) -> Result<(), PkiError> {
    if certificate == key { Ok(()) } else { Err(PkiError::KeyMismatch { certificate: hex(&certificate), key: hex(&key) }) }
}

struct Block<'a> {
    label: &'a str,
    body: &'a str,
}

impl Block<'_> {
    fn decode(&self, what: &'static str) -> Result<Zeroizing<Vec<u8>>, PkiError> {
        let compact: Zeroizing<Vec<u8>> = Zeroizing::new(self.body.bytes().filter(|b| !b.is_ascii_whitespace()).collect());
        let mut der = Zeroizing::new(vec![0; compact.len()]);
        let length = STANDARD.decode_slice(&*compact, &mut der).map_err(|_| PkiError::malformed(what, "its base64 is damaged"))?;
        der.truncate(length);
        Ok(der)
    }
}

/// The blocks of a text. What stands around them (`Bag Attributes`, `openssl -text`) is passed over.
fn blocks(text: &[u8]) -> Result<Vec<Block<'_>>, PkiError> {
    if text.len() > LONGEST_TEXT {
        return Err(PkiError::malformed("the file", format!("it is longer than {LONGEST_TEXT} bytes")));
    }
    let mut rest = match text {
        [0xff, 0xfe, ..] => return Err(PkiError::Encoding("UTF-16 (little endian)")),
        [0xfe, 0xff, ..] => return Err(PkiError::Encoding("UTF-16 (big endian)")),
        // Comments in another encoding do no harm: the blocks themselves are ASCII.
        _ => text,
    };
    let mut blocks = Vec::new();
    while let Some(at) = find(rest, BEGIN.as_bytes()) {
        let unfinished = || PkiError::malformed("the PEM text", "a block begins and does not end");
        let after = rest.get(at.saturating_add(BEGIN.len())..).unwrap_or_default();
        let label_end = find(after, DASHES.as_bytes()).ok_or_else(unfinished)?;
        let (label, after) = after.split_at_checked(label_end).ok_or_else(unfinished)?;
        let label = std::str::from_utf8(label).map_err(|_| PkiError::malformed("the PEM text", "a label is not ASCII"))?;
        let body_and_rest = after.get(DASHES.len()..).unwrap_or_default();
        let end = format!("-----END {label}-----");
        let body_end = find(body_and_rest, end.as_bytes()).ok_or_else(unfinished)?;
        let (body, after) = body_and_rest.split_at_checked(body_end).ok_or_else(unfinished)?;
        let body = std::str::from_utf8(body).map_err(|_| PkiError::malformed("the PEM text", "a block is not ASCII"))?;
        if blocks.len() == MOST_BLOCKS {
            return Err(PkiError::malformed("the PEM text", format!("it has more than {MOST_BLOCKS} blocks")));
        }
        blocks.push(Block { label, body });
        rest = after.get(end.len()..).unwrap_or_default();
    }
    Ok(blocks)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// What a file holds, for the message that says what it lacks.
fn labels(blocks: &[Block<'_>], text: &[u8]) -> String {
    match (blocks, text) {
        ([], []) => "nothing".to_owned(),
        ([], [0x30, 0x82 | 0x81, ..]) => "no PEM block; it looks like DER".to_owned(),
        ([], _) => "no PEM block".to_owned(),
        (blocks, _) => blocks.iter().take(8).map(|block| log_text(block.label, 32)).collect::<Vec<_>>().join(", "),
    }
}

fn write(label: &str, der: &[u8]) -> Zeroizing<String> {
    let encoded = Zeroizing::new(STANDARD.encode(der));
    // Room for the line ends and both rulers, so that nothing moves and leaves a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(encoded.len().saturating_add(encoded.len().div_ceil(64)).saturating_add(128)));
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    for line in encoded.as_bytes().chunks(64) {
        text.extend(line.iter().map(|b| char::from(*b)));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}
