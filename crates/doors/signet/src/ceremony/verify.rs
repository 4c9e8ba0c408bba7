//! Verifying what a ceremony left: the root signed exactly this transcript, its lines follow each other, the files are those that
//! it names, and the certificates are what it says.

use std::collections::BTreeMap;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use serde::Serialize;
use signet_crypto::sha256;
use signet_crypto::sign::verify_signature;
use signet_model::Refusal;
use signet_pki::{CaCertificate, IssuerFacts, LintContext, Profile, lint_certificate, pem};

use super::files::CEREMONY_UNREADABLE;
use super::transcript::{Step, hex, read as read_steps, signed};
use super::{PLATFORM, PLATFORM_CERTIFICATE, PLATFORM_KEY, ROOT, ROOT_CERTIFICATE, ROOT_KEY, SIGNATURE, TRANSCRIPT, WROTE};

/// No file of a ceremony is longer.
const LONGEST_FILE: u64 = 1024 * 1024;

/// What is wrong, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A file is not there.
    Missing,
    /// The root did not sign this transcript.
    Signature,
    /// The lines of the transcript, or a file that it names, are others.
    Altered,
    /// A certificate is not what the transcript says, or not sound.
    Certificate,
    /// It is another root than the one that was expected.
    Root,
}

/// The verdict.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verdict {
    /// Whether all is as it was.
    pub(crate) ok: bool,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<Kind>,
    /// In words.
    pub(crate) detail: String,
    /// Steps of the transcript.
    pub(crate) steps: usize,
    /// SHA-256 of the root's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) root_fingerprint: Option<String>,
}

/// Looks at everything in `directory`. The root is the one that lies there, unless its fingerprint is given.
///
/// # Errors
/// `ceremony.unreadable` when there is nothing to look at.
pub(crate) fn verify(directory: &Path, expected_root: Option<&str>) -> Result<Verdict, Refusal> {
    if !directory.is_dir() {
        return Err(Refusal::new(&CEREMONY_UNREADABLE, format!("{} is no directory", directory.display())));
    }
    let mut seen = Seen::default();
    Ok(match seen.look(directory, expected_root) {
        Ok(()) => Verdict { ok: true, kind: None, detail: "every step, file and certificate is as it was".to_owned(), ..seen.verdict() },
        Err((kind, detail)) => Verdict { ok: false, kind: Some(kind), detail, ..seen.verdict() },
    })
}

type Fault = (Kind, String);

/// What was read before the verdict.
#[derive(Default)]
struct Seen {
    steps: Vec<Step>,
    root_fingerprint: Option<String>,
}

impl Seen {
    fn verdict(&self) -> Verdict {
        Verdict { ok: false, kind: None, detail: String::new(), steps: self.steps.len(), root_fingerprint: self.root_fingerprint.clone() }
    }

    fn look(&mut self, directory: &Path, expected_root: Option<&str>) -> Result<(), Fault> {
        let root = authority(directory, ROOT_CERTIFICATE)?;
        let fingerprint = hex(&sha256(root.der()));
        self.root_fingerprint = Some(fingerprint.clone());
        if let Some(expected) = expected_root
            && plain_hex(expected) != fingerprint
        {
            return Err((Kind::Root, format!("{ROOT_CERTIFICATE} has SHA-256 {fingerprint}")));
        }
        let text = wanted(directory, TRANSCRIPT)?;
        check_signature(directory, &root, &text)?;
        let text = String::from_utf8(text).map_err(|_| (Kind::Altered, format!("{TRANSCRIPT} is not UTF-8")))?;
        self.steps = read_steps(&text).map_err(|why| (Kind::Altered, format!("{TRANSCRIPT}: {why}")))?;
        self.check_files(directory)?;
        let platform = authority(directory, PLATFORM_CERTIFICATE)?;
        self.check_certificates(&root, &platform)
    }

    /// The files that the transcript names; keys may have been carried away, as they should be.
    fn check_files(&self, directory: &Path) -> Result<(), Fault> {
        let Some(hashes) = self.facts(WROTE) else { return Err((Kind::Altered, format!("{TRANSCRIPT} names no files"))) };
        for (name, hash) in hashes {
            let content = match (read(directory, name)?, name.as_str()) {
                (Some(content), _) => content,
                (None, ROOT_KEY | PLATFORM_KEY) => continue,
                (None, name) => return Err((Kind::Missing, format!("{name} is not there"))),
            };
            if hex(&sha256(&content)) != *hash {
                return Err((Kind::Altered, format!("{name} is not the file that was written")));
            }
        }
        Ok(())
    }

    fn check_certificates(&self, root: &CaCertificate, platform: &CaCertificate) -> Result<(), Fault> {
        let fault = |whose: &str, why: String| (Kind::Certificate, format!("the certificate of the {whose}: {why}"));
        for (whose, profile, certificate, issuer) in [(ROOT, Profile::Root, root, root), (PLATFORM, Profile::PlatformCa, platform, root)] {
            let told = self.facts(&format!("{whose}-certificate")).and_then(|facts| facts.get("sha256"));
            if told != Some(&hex(&sha256(certificate.der()))) {
                return Err(fault(whose, "it is not the one of the transcript".to_owned()));
            }
            certificate.check_signed_by(issuer).map_err(|error| fault(whose, error.to_string()))?;
            let facts = IssuerFacts::of(issuer).map_err(|error| fault(whose, error.to_string()))?;
            let context = LintContext { profile: Some(profile), issuer: (whose == PLATFORM).then_some(&facts), ..LintContext::default() };
            if let Some(finding) = lint_certificate(certificate.der(), &context).first() {
                return Err(fault(whose, finding.to_string()));
            }
        }
        Ok(())
    }

    fn facts(&self, did: &str) -> Option<&BTreeMap<String, String>> {
        self.steps.iter().find(|step| step.did == did).map(|step| &step.facts)
    }
}

fn check_signature(directory: &Path, root: &CaCertificate, transcript: &[u8]) -> Result<(), Fault> {
    let fault = |why: &str| (Kind::Signature, format!("{SIGNATURE}: {why}"));
    let text = wanted(directory, SIGNATURE)?;
    let signature = std::str::from_utf8(&text).ok().and_then(|text| unhex(text.trim())).ok_or_else(|| fault("it is not hexadecimal"))?;
    let facts = IssuerFacts::of(root).map_err(|error| fault(&error.to_string()))?;
    verify_signature(root.spki(), facts.algorithm().into(), &signed(transcript), &signature)
        .map_err(|_| fault("the root did not sign this transcript: one of the two was changed"))
}

fn authority(directory: &Path, name: &str) -> Result<CaCertificate, Fault> {
    let text = wanted(directory, name)?;
    let fault = |error: &dyn std::fmt::Display| (Kind::Certificate, format!("{name}: {error}"));
    let first: Option<CertificateDer<'static>> = pem::certificates(&text).map_err(|error| fault(&error))?.into_iter().next();
    let der = first.ok_or_else(|| fault(&"no certificate in it"))?;
    CaCertificate::from_der(der).map_err(|error| fault(&error))
}

fn wanted(directory: &Path, name: &str) -> Result<Vec<u8>, Fault> {
    read(directory, name)?.ok_or_else(|| (Kind::Missing, format!("{name} is not there")))
}

/// The content of a file; none when it is not there. Names come from a transcript that anyone may have written before its signature
/// was checked, and by then from the root.
fn read(directory: &Path, name: &str) -> Result<Option<Vec<u8>>, Fault> {
    use std::io::Read as _;
    if name.contains('/') || name.starts_with('.') {
        return Err((Kind::Altered, format!("{TRANSCRIPT} names `{}`, which is no file of a ceremony", signet_model::log_text(name, 80))));
    }
    let mut content = Vec::new();
    match std::fs::File::open(directory.join(name)).and_then(|file| file.take(LONGEST_FILE).read_to_end(&mut content)) {
        Ok(_) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err((Kind::Missing, format!("{name} cannot be read: {error}"))),
    }
}

/// A fingerprint as people write it: with colons or without, in either case.
fn plain_hex(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, ':' | ' ')).map(|c| c.to_ascii_lowercase()).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then_some(())?;
    pairs.iter().map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
