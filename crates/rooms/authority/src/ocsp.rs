//! OCSP (RFC 6960, `enrolment.md` 14.2): answered from the certificate's row, signed on demand by a delegate of the CA that lives in
//! this process, and short-lived, so that it says what CRL and CAP say at the same moment.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use signet_crypto::sign::{KeyType, Signer as _, SigningKey};
use signet_model::{Refusal, TenantId, Timestamp};
use signet_pki::{CertId, CertStatus, OcspError, OcspRequest, PublicKey, ResponderId, Serial, SingleResponse, ocsp_error, ocsp_response};
use tokio::time::Instant;

use crate::keyed_locks::KeyedLocks;
use crate::ocsp_issuers::OcspIssuer;
use crate::reasons::CA_UNAVAILABLE;
use crate::status::Verdict;
use crate::{AuthorityRoom, internal, sql};

/// How long an answer holds.
const LIFETIME: Duration = Duration::from_secs(60);
/// How long a cache may hand out an answer to a GET.
const KEEP: Duration = Duration::from_secs(30);
/// Responders of this process: one per CA that is asked about. One more than these ends the one that was longest unasked, which
/// costs a certificate when it is asked again.
const MOST_RESPONDERS: usize = 20_000;
/// How long a responder's certificate lives, as far as its CA does; it is replaced after half of that.
const RESPONDER_LIFE: Duration = Duration::from_secs(7 * 86_400);

/// How long an answer waits for a new delegate: where the last one is still good, and where there is none.
const RENEWAL_WAIT: Duration = Duration::from_secs(2);
const FIRST_WAIT: Duration = Duration::from_secs(10);
/// After a delegate could not be made, before another one is tried; doubled with each further failure, and its bound. Each try may leave
/// a serial number on a list, and anybody may ask.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(320);

/// An answer of OCSP.
pub(crate) struct Answered {
    /// Its bytes.
    pub(crate) der: Vec<u8>,
    /// When it was made.
    pub(crate) at: Timestamp,
    /// How long a cache may hand it out; none: not at all.
    pub(crate) keep: Option<Duration>,
}

/// A delegate of one CA: signs what OCSP says of its certificates, nothing else.
struct Responder {
    key: SigningKey,
    id: ResponderId,
    certificate: Vec<u8>,
    renew_at: Timestamp,
    not_after: Timestamp,
}

/// Until when no delegate of a CA is made, and for how long that is.
#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Instant,
    length: Duration,
}

impl Pause {
    /// The one after this.
    fn next(former: Option<Self>, now: Instant) -> Self {
        let length = former.map_or(FIRST_PAUSE, |former| former.length.saturating_mul(2).min(LONGEST_PAUSE));
        Self { until: now.checked_add(length).unwrap_or(now), length }
    }
}

/// The delegates of this process.
pub(crate) struct Responders {
    kept: Cache<(TenantId, i64), Arc<Responder>>,
    making: KeyedLocks<(TenantId, i64)>,
    pauses: Cache<(TenantId, i64), Pause>,
}

impl Responders {
    pub(crate) fn new() -> Self {
        Self { kept: Cache::new(MOST_RESPONDERS), making: KeyedLocks::new(), pauses: Cache::new(MOST_RESPONDERS) }
    }
}

impl AuthorityRoom {
    /// The answer to a request, whatever is wrong with it.
    pub(crate) async fn ocsp(&self, request: &[u8]) -> Answered {
        let at = self.clock.now();
        let refused = |error: OcspError, status: &'static str| {
            self.revocation.metrics.answered(status);
            Answered { der: ocsp_error(error), at, keep: None }
        };
        let Ok(request) = OcspRequest::parse(request) else { return refused(OcspError::MalformedRequest, "malformed") };
        match self.ocsp_answer(&request, at).await {
            Ok(Some(answered)) => answered,
            Ok(None) => refused(OcspError::Unauthorized, "unauthorized"),
            Err(refusal) => {
                tracing::warn!(event = "ocsp.failed", reason = refusal.reason.code, detail = %refusal.detail);
                refused(OcspError::TryLater, "failed")
            }
        }
    }

    /// None when nothing that is asked about is of a CA of ours that still says anything.
    async fn ocsp_answer(&self, request: &OcspRequest, at: Timestamp) -> Result<Option<Answered>, Refusal> {
        // One signature is of one CA's delegate: the first certificate decides whose, and of those of other CAs nothing is known.
        let Some(first) = request.certs().first() else { return Ok(None) };
        let Some(issuer) = self.ocsp_issuer(first).await? else { return Ok(None) };
        let Some(responder) = self.responder(&issuer).await? else { return Ok(None) };
        let next_update = at.plus(LIFETIME).min(responder.not_after);
        let mut singles = Vec::with_capacity(request.certs().len());
        for id in request.certs() {
            let verdict = if issuer.issued(id) { self.verdict(&issuer, id).await? } else { Verdict::Unknown };
            let (status, word) = match verdict {
                Verdict::Good => (CertStatus::Good, "good"),
                Verdict::Revoked { at, reason } => (CertStatus::Revoked { at, reason }, "revoked"),
                Verdict::Unknown => (CertStatus::Unknown, "unknown"),
            };
            self.revocation.metrics.answered(word);
            singles.push(SingleResponse { id, status, this_update: at, next_update: Some(next_update) });
        }
        let signed = ocsp_response(&singles, &responder.id, at, request.nonce(), &responder.key, Some(&responder.certificate));
        let der = signed.map_err(|error| internal(&error))?;
        Ok(Some(Answered { der, at, keep: request.nonce().is_none().then_some(KEEP.min(next_update.since(at))) }))
    }

    async fn verdict(&self, issuer: &OcspIssuer, id: &CertId) -> Result<Verdict, Refusal> {
        let Ok(serial) = Serial::from_der_bytes(id.serial()) else { return Ok(Verdict::Unknown) };
        let found = sql::one(&self.db, sql::status::of_serial(&issuer.name, &serial.decimal()), sql::status::read_of_serial).await?;
        Ok(match found {
            // Every generation of a tenant's CA has the same name.
            Some((tenant, generation, status)) if tenant == issuer.tenant && generation == issuer.generation => status.verdict(),
            Some(_) | None => Verdict::Unknown,
        })
    }

    /// The delegate of a CA; none where the CA gives none any more and the last one has ended.
    async fn responder(&self, issuer: &OcspIssuer) -> Result<Option<Arc<Responder>>, Refusal> {
        let key = (issuer.tenant.clone(), issuer.generation);
        let kept = |room: &Self| room.revocation.responders.kept.get(&key);
        if let Some(found) = kept(self).filter(|found| found.renew_at > self.clock.now()) {
            return Ok(Some(found));
        }
        let _one_at_a_time = self.revocation.responders.making.lock(key.clone()).await;
        let former = kept(self).filter(|former| former.not_after > self.clock.now());
        if let Some(found) = former.as_ref().filter(|found| found.renew_at > self.clock.now()) {
            return Ok(Some(Arc::clone(found)));
        }
        let pauses = &self.revocation.responders.pauses;
        let pause = pauses.get(&key);
        if pause.is_some_and(|pause| pause.until > Instant::now()) {
            let resting = || Refusal::new(&CA_UNAVAILABLE, "a delegate of the CA could not be made a moment ago; it is tried again soon");
            return former.map(Some).ok_or_else(resting);
        }
        let wait = if former.is_some() { RENEWAL_WAIT } else { FIRST_WAIT };
        let made = match tokio::time::timeout(wait, self.new_responder(issuer)).await {
            Ok(made) => made,
            Err(_) => Err(Refusal::new(&CA_UNAVAILABLE, "the key of the CA does not sign in time")),
        };
        match made {
            Ok(Some(made)) => {
                let made = Arc::new(made);
                pauses.remove(&key);
                self.revocation.responders.kept.insert(key.clone(), Arc::clone(&made));
                Ok(Some(made))
            }
            Ok(None) => Ok(former),
            Err(refusal) => {
                pauses.insert(key.clone(), Pause::next(pause, Instant::now()));
                match former {
                    Some(former) => {
                        tracing::warn!(event = "ocsp.responder-not-renewed", tenant = %issuer.tenant, reason = refusal.reason.code);
                        Ok(Some(former))
                    }
                    None => Err(refusal),
                }
            }
        }
    }

    async fn new_responder(&self, issuer: &OcspIssuer) -> Result<Option<Responder>, Refusal> {
        if !self.ca_row(&issuer.tenant, issuer.generation).await?.state.signs_status() {
            return Ok(None);
        }
        let ca = self.status_ca(&issuer.tenant, issuer.generation).await?;
        let key = self.keys.generate(KeyType::P256).await?;
        let scope = self.own_scope("ocsp", &issuer.tenant);
        let begun = self.clock.now();
        let certificate = self.issue_responder(&scope, &ca, &key, RESPONDER_LIFE).await?;
        let not_after = begun.plus(RESPONDER_LIFE).min(ca.facts.not_after());
        let half = not_after.since(begun).checked_div(2).unwrap_or_default();
        let public = PublicKey::from_spki_der(&key.public_key_spki_der())?;
        let id = ResponderId::by_key(public.bits());
        Ok(Some(Responder { key, id, certificate, renew_at: begun.plus(half), not_after }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound() {
        let now = Instant::now();
        let mut pause = None;
        let lengths: Vec<u64> = (0..9)
            .map(|_| {
                let next = Pause::next(pause, now);
                assert_eq!(next.until, now + next.length);
                pause = Some(next);
                next.length.as_secs()
            })
            .collect();
        assert_eq!(lengths, [5, 10, 20, 40, 80, 160, 320, 320, 320]);
    }
}
