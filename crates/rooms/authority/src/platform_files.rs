//! The platform CA's files, read and judged before anything is made of them (field cases A10, A11).

use std::path::Path;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use signet_crypto::sign::SigningKey;
use signet_custody::secret_file::{self, Links};
use signet_model::{Refusal, Timestamp};
use signet_pki::{CaCertificate, PrivateKey, check_link, pem};

use crate::reasons::{CA_CHAIN_BROKEN, CA_EXPIRES_TOO_SOON, CA_FILE_UNREADABLE, CA_PATHLEN_TOO_SHORT};
use crate::sql::platform_ca::StoredPlatform;

/// Longest file that is read.
const LONGEST_FILE: usize = 64 * 1024;
/// Certificates above the platform CA, at most.
const LONGEST_CHAIN: usize = 8;
/// What a platform CA must have left to live: below that there is no time to put another in its place.
const LEAST_LEFT: Duration = Duration::from_secs(30 * 86_400);

/// A platform CA that can be used.
pub(crate) struct Brought {
    certificate: CaCertificate,
    above: Vec<CaCertificate>,
    pub(crate) key: SigningKey,
}

impl Brought {
    /// The row of it, without a key: that stays in its file.
    pub(crate) fn stored(&self, generation: i64, now: Timestamp) -> StoredPlatform {
        StoredPlatform {
            generation,
            certificate: self.certificate.der().to_vec(),
            chain: self.above.iter().map(|certificate| certificate.der().to_vec()).collect(),
            key: None,
            subject: self.certificate.subject().canonical().as_str().to_owned(),
            ski: self.certificate.key_identifier().to_vec(),
            not_before: self.certificate.not_before(),
            not_after: self.certificate.not_after(),
            created_at: now,
        }
    }
}

/// Reads the files.
pub(crate) fn read(certificate: &Path, key: &Path, chain: Option<&Path>, now: Timestamp) -> Result<Brought, Refusal> {
    let mut certificates = authorities(certificate)?.into_iter();
    let of = |path: &Path, refusal: Refusal| Refusal { detail: format!("{}: {}", path.display(), refusal.detail), ..refusal };
    let own = certificates.next().ok_or_else(|| Refusal::new(&CA_FILE_UNREADABLE, format!("{}: no certificate", certificate.display())))?;
    let mut above: Vec<CaCertificate> = certificates.collect();
    if let Some(chain) = chain {
        above.extend(authorities(chain)?);
    }
    let private = private_key(key)?;
    private.check_pair(own.der()).map_err(|error| of(key, error.into()))?;
    judge(&own, now).map_err(|refusal| of(certificate, refusal))?;
    let above = ordered(&own, above).map_err(|refusal| of(chain.unwrap_or(certificate), refusal))?;
    let key = private.to_signing_key().map_err(|error| of(key, error.into()))?;
    Ok(Brought { certificate: own, above, key })
}

/// Whether it can be the CA above the tenants' CAs.
fn judge(ca: &CaCertificate, now: Timestamp) -> Result<(), Refusal> {
    if ca.path_len() == Some(0) {
        return Err(Refusal::new(&CA_PATHLEN_TOO_SHORT, "its basicConstraints say pathlen 0: no CA may stand below it"));
    }
    if now < ca.not_before() {
        return Err(Refusal::new(&CA_EXPIRES_TOO_SOON, format!("it is not valid before {}", ca.not_before())));
    }
    if ca.not_after() < now.plus(LEAST_LEFT) {
        let detail = format!("it ends at {}, less than {} days from now", ca.not_after(), LEAST_LEFT.as_secs() / 86_400);
        return Err(Refusal::new(&CA_EXPIRES_TOO_SOON, detail));
    }
    Ok(())
}

/// The certificates above `own`, the nearest first; what does not belong to its chain is refused, and what stands twice is once.
fn ordered(own: &CaCertificate, mut above: Vec<CaCertificate>) -> Result<Vec<CaCertificate>, Refusal> {
    let mut chain: Vec<CaCertificate> = Vec::new();
    above.retain(|certificate| certificate.der() != own.der());
    while !above.is_empty() {
        let below = chain.last().unwrap_or(own);
        let next = above.iter().position(|certificate| check_link(below, certificate).is_ok());
        let Some(next) = next else {
            let detail = format!("no certificate in it issued `{}`", below.subject().canonical().as_str());
            return Err(Refusal::new(&CA_CHAIN_BROKEN, detail));
        };
        let next = above.swap_remove(next);
        above.retain(|certificate| certificate.der() != next.der());
        chain.push(next);
        if chain.len() > LONGEST_CHAIN {
            return Err(Refusal::new(&CA_CHAIN_BROKEN, format!("more than {LONGEST_CHAIN} certificates")));
        }
    }
    Ok(chain)
}

fn unreadable(path: &Path, why: impl std::fmt::Display) -> Refusal {
    Refusal::new(&CA_FILE_UNREADABLE, format!("{}: {why}", path.display()))
}

fn authorities(path: &Path) -> Result<Vec<CaCertificate>, Refusal> {
    let length = std::fs::metadata(path).map_err(|error| unreadable(path, error))?.len();
    if usize::try_from(length).map_or(true, |length| length > LONGEST_FILE) {
        return Err(unreadable(path, format!("longer than {LONGEST_FILE} bytes")));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, error))?;
    let of = |refusal: Refusal| Refusal { detail: format!("{}: {}", path.display(), refusal.detail), ..refusal };
    let certificates = match bytes.as_slice() {
        // A DER SEQUENCE; PEM never begins so.
        [0x30, ..] => vec![CertificateDer::from(bytes)],
        _ => pem::certificates(&bytes).map_err(|error| of(error.into()))?,
    };
    certificates.into_iter().map(|der| CaCertificate::from_der(der).map_err(|error| of(error.into()))).collect()
}

fn private_key(path: &Path) -> Result<PrivateKey, Refusal> {
    let text = secret_file::read(path, LONGEST_FILE, Links::Follow).map_err(|error| Refusal::new(error.reason(), error.to_string()))?;
    pem::private_key(text.expose()).map_err(|error| {
        let refusal = Refusal::from(error);
        Refusal { detail: format!("{}: {}", path.display(), refusal.detail), ..refusal }
    })
}
