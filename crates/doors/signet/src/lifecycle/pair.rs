//! A certificate and its private key in PEM files: what a listener shows, and what is shown to Vault. One loader, so that the forms
//! that are taken and the words of a refusal are the same everywhere.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use signet_custody::secret_file::{self, Links};
use signet_model::{Reason, Refusal};
use signet_pki::{PkiError, PrivateKey, pem};

/// A chain is a few kilobytes.
const LONGEST_FILE: u64 = 1024 * 1024;
/// A key is at most a few.
pub(super) const LONGEST_KEY: usize = 64 * 1024;

/// Two files that belong together.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    /// The chain, the leaf first.
    pub(super) certificate: &'a Path,
    /// The leaf's key, which nobody else may read.
    pub(super) key: &'a Path,
    /// Whether the key may be a link, as certbot and Kubernetes make them.
    pub(super) links: Links,
    /// Why what uses them cannot.
    pub(super) reason: &'static Reason,
}

impl Pair<'_> {
    /// The chain, at least one certificate, and the key of its leaf.
    pub(super) fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKey), Refusal> {
        let chain = pem::certificates(&read(self.certificate, self.reason)?).map_err(|e| at(self.certificate, e, self.reason))?;
        let private = read_key(self.key, self.links, self.reason)?;
        if let Some(leaf) = chain.first() {
            private.check_pair(leaf).map_err(|e| at(self.certificate, e, self.reason))?;
        }
        Ok((chain, private))
    }
}

/// The bytes of a file of certificates.
pub(super) fn read(path: &Path, reason: &'static Reason) -> Result<Vec<u8>, Refusal> {
    use std::io::Read as _;
    let fault = |e: std::io::Error| Refusal::new(reason, format!("{} cannot be read: {e}", path.display()));
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(fault)?.take(LONGEST_FILE).read_to_end(&mut bytes).map_err(fault)?;
    Ok(bytes)
}

/// A private key, which nobody else may read.
pub(super) fn read_key(path: &Path, links: Links, reason: &'static Reason) -> Result<PrivateKey, Refusal> {
    let secret = secret_file::read(path, LONGEST_KEY, links)?;
    pem::private_key(secret.expose()).map_err(|e| at(path, e, reason))
}

/// The fault of a file: one reason for all of them, with the fix that fits.
pub(super) fn at(path: &Path, error: PkiError, reason: &'static Reason) -> Refusal {
    let fix = error.reason().fix;
    Refusal::new(reason, format!("{}: {error}", path.display())).with_fix(fix)
}
