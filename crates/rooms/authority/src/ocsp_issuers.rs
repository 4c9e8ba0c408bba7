//! Which CA an OCSP request means: it names the issuer by hashes of its name and its key (RFC 6960 section 4.1.1). The hashes of all
//! CAs are in memory. A hash that is not there may be of a CA that another replica has just made: whoever asks for it waits for a
//! new look at the table, and looks are seldom enough that asking for nonsense costs little.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use signet_model::{Refusal, TenantId, Timestamp};
use signet_pki::{CaCertificate, CertId, IssuerHashes, PublicKey};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::sql::ocsp;
use crate::{AuthorityRoom, sql};

/// Shortest time between two looks at the table.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A look may take this part of the time, so that 100,000 CAs are read more seldom than ten.
const LOOK_SHARE: u32 = 50;
/// CAs that are read at once.
const PAGE: u32 = 1_000;

/// A CA as OCSP knows it.
#[derive(Debug)]
pub(crate) struct OcspIssuer {
    pub(crate) tenant: TenantId,
    pub(crate) generation: i64,
    /// The canonical text of its name.
    pub(crate) name: String,
    hashes: IssuerHashes,
}

impl OcspIssuer {
    /// Whether the certificate that is asked about names this CA as its issuer.
    pub(crate) fn issued(&self, id: &CertId) -> bool {
        self.hashes.matches(id)
    }
}

/// By the hash of the key: SHA-1 and SHA-256 differ in length, so one table holds both.
type ByKeyHash = HashMap<Vec<u8>, Vec<Arc<OcspIssuer>>>;

/// The last look at the table.
#[derive(Clone, Copy)]
struct Look {
    began: Instant,
    /// When the next one may begin.
    next: Instant,
}

/// What is known of all CAs.
pub(crate) struct OcspIssuers {
    known: ArcSwap<ByKeyHash>,
    look: Mutex<Option<Look>>,
}

impl OcspIssuers {
    pub(crate) fn new() -> Self {
        Self { known: ArcSwap::default(), look: Mutex::new(None) }
    }

    fn find(&self, id: &CertId) -> Option<Arc<OcspIssuer>> {
        self.known.load().get(id.issuer_key_hash())?.iter().find(|issuer| issuer.hashes.matches(id)).cloned()
    }
}

impl AuthorityRoom {
    /// The certificate of a CA and when it was made, for whoever builds a chain; none where there is none to show.
    ///
    /// # Errors
    /// The database.
    pub(crate) async fn published_ca(&self, tenant: &TenantId, generation: i64) -> Result<Option<(Vec<u8>, Timestamp)>, Refusal> {
        sql::one(&self.db, ocsp::published(tenant, generation), ocsp::read_published).await
    }

    /// The CA that issued what is asked for; none when it is none of ours.
    ///
    /// # Errors
    /// The database.
    pub(crate) async fn ocsp_issuer(&self, id: &CertId) -> Result<Option<Arc<OcspIssuer>>, Refusal> {
        let issuers = &self.revocation.issuers;
        if let Some(found) = issuers.find(id) {
            return Ok(Some(found));
        }
        let came = Instant::now();
        let mut look = issuers.look.lock().await;
        // One look serves all who waited for it: it must only have begun after they came.
        if let Some(last) = *look {
            if last.began >= came {
                return Ok(issuers.find(id));
            }
            tokio::time::sleep_until(last.next).await;
        }
        let began = Instant::now();
        let known = self.read_ocsp_issuers().await;
        let rest = began.elapsed().saturating_mul(LOOK_SHARE).max(LOOK_EVERY);
        *look = Some(Look { began, next: Instant::now().checked_add(rest).unwrap_or(began) });
        issuers.known.store(Arc::new(known?));
        Ok(issuers.find(id))
    }

    async fn read_ocsp_issuers(&self) -> Result<ByKeyHash, Refusal> {
        let mut known = ByKeyHash::new();
        let mut after: Option<(TenantId, i64)> = None;
        loop {
            let place = after.as_ref().map(|(tenant, generation)| (tenant, *generation));
            let page = sql::all(&self.db, ocsp::cas(place, PAGE), ocsp::read_ca).await?;
            let Some(last) = page.last() else { return Ok(known) };
            after = Some((last.tenant.clone(), last.generation));
            for ca in page {
                let read = CaCertificate::from_der(ca.certificate.into())
                    .and_then(|certificate| Ok((PublicKey::from_spki_der(certificate.spki())?, certificate)));
                let (key, certificate) = match read {
                    Ok(read) => read,
                    Err(error) => {
                        tracing::error!(event = "ocsp.ca-unreadable", tenant = %ca.tenant, generation = ca.generation, %error);
                        continue;
                    }
                };
                let hashes = IssuerHashes::of(certificate.subject().der(), key.bits());
                let keys = [hashes.key_sha1().to_vec(), hashes.key_sha256().to_vec()];
                let name = certificate.subject().canonical().as_str().to_owned();
                let issuer = Arc::new(OcspIssuer { tenant: ca.tenant, generation: ca.generation, name, hashes });
                for key in keys {
                    known.entry(key).or_default().push(Arc::clone(&issuer));
                }
            }
        }
    }
}
