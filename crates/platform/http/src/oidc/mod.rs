//! Callers whom a tenant's own OAuth issuer vouches for (`kaa.md` 17.1): whose issuer it is, its keys, the token, and what the
//! token lets its holder do.
//!
//! An issuer is asked for anything only when the [`IssuerDirectory`] names it. What is asked for is kept, and renewed at a pace
//! that nobody outside can quicken: an unknown key or a signature that does not verify causes at most one fetch per
//! [`OidcConfig::fetch_interval`], whoever sends it.

mod decision;
mod directory;
mod fetch;
mod issuer;
mod memory;
mod metrics;
pub mod reasons;

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use signet_jose::{Claims, Expectation, JoseError, Unverified, Verified};
use signet_model::{Caller, Clock, Entropy, PersonSubject, Refusal, Rights, Timestamp, log_text};
use signet_outbound::Outbound;

pub use self::directory::{IssuerDirectory, IssuerList, TenantIssuer, trimmed};
pub use self::metrics::OidcMetrics;

use self::decision::{Decisions, Question};
use self::fetch::Published;
use self::issuer::{Issuer, Means, Pace};
use self::memory::{Hash, Known, Memory};
use self::reasons::BEARER_ISSUER_UNKNOWN;
use crate::BearerToken;

/// Issuers whose keys are kept; those of a directory that has more are fetched again now and then.
const MOST_ISSUERS: usize = 10_000;

/// How tokens are judged and issuers asked.
#[derive(Clone, Debug)]
pub struct OidcConfig {
    /// How far the clocks of issuers and this machine may differ.
    pub leeway: Duration,
    /// What `aud` must name; none accepts any audience.
    pub audience: Option<String>,
    /// Whether the issuer is asked when a token does not say that something is allowed.
    pub uma: bool,
    /// Shortest time between two fetches of one issuer's keys: as long as a changed key under an old id may stay unknown while
    /// somebody sends forged tokens.
    pub fetch_interval: Duration,
    /// Age from which keys are renewed beside the work; also how long a withdrawn key may still be believed.
    pub refresh_after: Duration,
    /// Age from which keys that could not be renewed are used no more.
    pub keep_for: Duration,
}

impl Default for OidcConfig {
    /// 60 s of leeway, any audience, no questions; keys renewed after 10 minutes, at most every 10 s, kept for a day.
    fn default() -> Self {
        Self {
            leeway: Duration::from_secs(60),
            audience: None,
            uma: false,
            fetch_interval: Duration::from_secs(10),
            refresh_after: Duration::from_secs(600),
            keep_for: Duration::from_secs(86_400),
        }
    }
}

/// What it is made of.
pub struct OidcParts {
    /// Whose issuers are believed.
    pub directory: Arc<dyn IssuerDirectory>,
    /// How they are asked.
    pub outbound: Outbound,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// How it works.
    pub config: OidcConfig,
    /// What it counts.
    pub metrics: OidcMetrics,
}

/// Turns tokens of foreign issuers into callers.
pub struct Oidc {
    directory: Arc<dyn IssuerDirectory>,
    clock: Arc<dyn Clock>,
    config: OidcConfig,
    means: Arc<Means>,
    issuers: Cache<String, Arc<Issuer>>,
    memory: Memory,
    decisions: Decisions,
}

impl Oidc {
    /// Nothing is fetched before the first token comes.
    pub fn new(parts: OidcParts) -> Arc<Self> {
        let OidcParts { directory, outbound, clock, entropy, config, metrics } = parts;
        let pace = Pace { interval: config.fetch_interval, refresh_after: config.refresh_after, keep_for: config.keep_for };
        let means = Arc::new(Means { outbound, clock: Arc::clone(&clock), metrics, pace });
        let memory = Memory::new(entropy.as_ref());
        Arc::new(Self { directory, clock, config, means, issuers: Cache::new(MOST_ISSUERS), memory, decisions: Decisions::new() })
    }

    /// The caller that `token` names. Whether the tenant exists and is enabled is for whoever knows the tenants.
    ///
    /// # Errors
    /// The reasons of `signet_jose` and of [`reasons`].
    pub async fn verify(&self, token: &BearerToken) -> Result<Caller, Refusal> {
        self.known(token).await.map(|(_, known)| known.caller)
    }

    /// Whether the issuer of `token`, asked now or less than 30 s ago, lets its holder do `scope` on `resource`. No, when it is
    /// not to be asked, or when the token is a requesting party token, which says all that it allows.
    ///
    /// # Errors
    /// As [`Oidc::verify`]; the issuer gives no decision.
    pub async fn permits(&self, token: &BearerToken, resource: &str, scope: &str) -> Result<bool, Refusal> {
        if !self.config.uma || !decision::can_be_asked(resource) || !decision::can_be_asked(scope) {
            return Ok(false);
        }
        let (hash, known) = self.known(token).await?;
        let client = self.directory.by_issuer(known.issuer.name()).and_then(|entry| entry.client_id.clone());
        let (Some(audience), false) = (client, known.complete) else { return Ok(false) };
        let length = resource.len().to_be_bytes();
        let asked = self.memory.hash(&[&hash, &length, resource.as_bytes(), scope.as_bytes()]);
        if let Some(granted) = self.decisions.recall(&asked, self.clock.now()) {
            self.means.metrics.decision("remembered");
            return Ok(granted);
        }
        let Some(endpoint) = known.issuer.published().await?.token_endpoint.clone() else { return Ok(false) };
        let question = Question { token: token.expose(), audience: &audience, resource, scope };
        let decided = decision::ask(&self.means.outbound, &endpoint, &question).await;
        self.means.metrics.decision(match decided {
            Ok(true) => "granted",
            Ok(false) => "denied",
            Err(_) => "failed",
        });
        let granted = decided?;
        self.decisions.remember(asked, granted, self.clock.now(), known.expires_at.plus(self.config.leeway));
        Ok(granted)
    }

    /// How many issuers' keys are in use although they should have been renewed by now, and the greatest age among them.
    pub fn overdue(&self) -> (usize, Duration) {
        let ages: Vec<Duration> = self.issuers.iter().filter_map(|(_, issuer)| issuer.overdue()).collect();
        (ages.len(), ages.into_iter().max().unwrap_or_default())
    }

    async fn known(&self, token: &BearerToken) -> Result<(Hash, Known), Refusal> {
        let hash = self.memory.hash(&[token.expose().as_bytes()]);
        if let Some(known) = self.memory.recall(&hash) {
            if self.still_good(&known) {
                self.means.metrics.token("remembered");
                return Ok((hash, known));
            }
            self.memory.forget(&hash);
        }
        let verified = self.verified(token.expose()).await;
        self.means.metrics.token(if verified.is_ok() { "verified" } else { "refused" });
        let known = verified.inspect_err(|refusal| {
            tracing::info!(event = "oidc.token-refused", reason = refusal.reason.code, detail = %refusal.detail);
        })?;
        self.memory.remember(hash, known.clone());
        Ok((hash, known))
    }

    /// Whether nothing that the memory leans on has changed.
    fn still_good(&self, known: &Known) -> bool {
        let ended = known.expires_at.plus(self.config.leeway) <= self.clock.now();
        let same_tenant = || {
            let entry = self.directory.by_issuer(known.issuer.name());
            entry.is_some_and(|entry| Some(&entry.tenant) == known.caller.tenant())
        };
        let same_keys = || known.issuer.known().is_some_and(|published| published.fingerprint == known.fingerprint);
        !ended && same_tenant() && same_keys()
    }

    async fn verified(&self, text: &str) -> Result<Known, Refusal> {
        let token = Unverified::parse(text)?;
        let claimed = token.claimed_issuer()?;
        let unknown = || Refusal::new(&BEARER_ISSUER_UNKNOWN, format!("`{}` is the issuer of no tenant here", shown(claimed)));
        let entry = self.directory.by_issuer(claimed).ok_or_else(unknown)?;
        let name = trimmed(claimed);
        let issuer = self.issuers.get_or_insert_with(name, || Ok::<_, Refusal>(Issuer::new(name, Arc::clone(&self.means))))?;
        let (claims, published) = self.checked(&token, &issuer).await?;
        let claims = claims.into_inner();
        // A requesting party token allows what it lists and nothing else.
        let plain = if claims.requesting_party { Vec::new() } else { claims.scopes };
        let caller = Caller::Person {
            tenant: entry.tenant.clone(),
            subject: PersonSubject::new(&claims.subject),
            rights: Arc::new(Rights::new(plain, claims.permissions)),
        };
        Ok(Known {
            caller,
            complete: claims.requesting_party,
            expires_at: claims.expires_at,
            issuer,
            fingerprint: published.fingerprint,
            length: text.len(),
        })
    }

    /// The token's claims, checked with the issuer's keys; with younger ones once, where those could explain the token.
    async fn checked(&self, token: &Unverified<'_>, issuer: &Arc<Issuer>) -> Result<(Verified<Claims>, Arc<Published>), Refusal> {
        let published = issuer.published().await?;
        let check = |published: &Published| token.verify(&published.keys, &self.expectation(issuer), self.clock.now());
        let error: JoseError = match check(&published) {
            Ok(claims) => return Ok((claims, published)),
            Err(error) if error.may_need_newer_keys() => error,
            Err(error) => return Err(error.into()),
        };
        match issuer.younger(&published).await? {
            Some(younger) => Ok((check(&younger)?, younger)),
            None => Err(told(error, published.fetched_at)),
        }
    }

    fn expectation<'a>(&'a self, issuer: &'a Issuer) -> Expectation<'a> {
        Expectation { issuer: issuer.name(), audience: self.config.audience.as_deref(), leeway: self.config.leeway }
    }
}

/// Asks an issuer for its keys, as a token of it would: how many of them can be used, or what is wrong, for an operator.
///
/// # Errors
/// What is wrong, in words.
pub async fn examine_issuer(outbound: &Outbound, issuer: &str) -> Result<usize, String> {
    let published = fetch::fetch(outbound, trimmed(issuer), Timestamp::EPOCH).await.map_err(|error| error.to_string())?;
    Ok(published.keys.len())
}

/// The refusal, with the age of the keys that it rests on.
fn told(error: JoseError, fetched_at: Timestamp) -> Refusal {
    let mut refusal = Refusal::from(error);
    refusal.detail = format!("{} (keys of {fetched_at})", refusal.detail);
    refusal
}

/// An issuer's name as it may stand in logs and answers.
fn shown(issuer: &str) -> String {
    log_text(issuer, 200)
}
