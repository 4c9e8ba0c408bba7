//! Endpoint tokens: by what Kaa's endpoints say who they are (`kaa.md` 10, 15.3). A token is a credential of kind
//! `endpoint_token`: its life is that of every credential; here are its birth, its validation, and its end with its endpoint.
//!
//! A request of the bus names an application and a token, never a tenant. So a token is unique in its application over all
//! tenants, and an application belongs to the tenant that used it first. Only the SHA-256 of a token is kept.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use signet_crypto::{Secret, sha256};
use signet_ledger::{Change, Decided, Expect, StandingEntry, Upkeep};
use signet_model::{
    ApplicationName, AuditRecord, Caller, CredentialId, CredentialKind, CredentialState, EndpointId, Entropy, Refusal, Scope,
    StandingSubject, TenantId, TraceId, log_text,
};
use tokio::time::Instant;

use crate::CredentialsRoom;
use crate::credential::{Credential, Moved};
use crate::identity::IdentityRef;
use crate::reasons::{
    APPLICATION_INVALID_NAME, CREDENTIAL_NOT_FOUND, CREDENTIAL_REVOKED, ENDPOINT_INVALID_ID, ENDPOINT_TOKEN_INVALID, ENDPOINT_TOKEN_TAKEN,
};
use crate::revocation::Gone;
use crate::sql::endpoint_token::{KnownToken, OfEndpoint};
use crate::sql::{self, endpoint_token as rows};
use crate::sweep::Key;
use crate::tenant::Remember;
use crate::transition::{Outcome, Request, transition};
use crate::verdict::{Verdict, judge};

/// Characters that a generated token may have; 20 are Kaa's own default and 119 random bits.
pub(crate) const LENGTHS: RangeInclusive<usize> = 20..=LONGEST;
/// Characters of a generated token unless the configuration says otherwise: 130 random bits.
pub(crate) const DEFAULT_LENGTH: usize = 22;
/// Longest token, in characters.
const LONGEST: usize = 255;
/// What generated tokens are made of: nothing that a topic, a URL or a shell would have to quote.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Most tokens of one endpoint that one commit deletes, and its events name; what is left is the next commit's. A commit of the
/// ledger changes at most 512 standings.
const MOST_DELETED: u32 = 500;

/// A token in clear: shown once when it is made, never kept.
pub(crate) struct TokenText(Secret);

impl TokenText {
    /// A token as somebody gives it.
    pub(crate) fn parse(text: Secret) -> Result<Self, Refusal> {
        let invalid = |why: &str| Err(Refusal::new(&ENDPOINT_TOKEN_INVALID, format!("the token {why}")));
        // What is said of it says nothing of its text.
        let Some(shown) = text.expose_str() else { return invalid("is not UTF-8") };
        if !(1..=LONGEST).contains(&shown.chars().count()) {
            return invalid(&format!("has {} characters", shown.chars().count()));
        }
        if shown.contains(['+', '#', '/', '.']) {
            return invalid("holds one of the characters `+`, `#`, `/` and `.`, which topics use otherwise");
        }
        if shown.chars().any(char::is_control) {
            return invalid("holds a control character");
        }
        Ok(Self(text))
    }

    /// A new token of `length` characters.
    pub(crate) fn generate(length: usize, entropy: &dyn Entropy) -> Self {
        let mut text = Vec::with_capacity(length);
        for _ in 0..length {
            // 32 bits for each character: the alphabet's letters differ in likelihood by less than 2^-26.
            let mut random = [0_u8; 4];
            entropy.fill(&mut random);
            let place = usize::try_from(u32::from_le_bytes(random) % 62).unwrap_or(0);
            text.push(ALPHABET.get(place).copied().unwrap_or(b'0'));
        }
        Self(Secret::from(text))
    }

    /// Its text, for the one answer that hands it over.
    pub(crate) fn expose(&self) -> &str {
        // Text in both constructors.
        self.0.expose_str().unwrap_or_default()
    }

    /// What is stored, and looked up by.
    pub(crate) fn hash(&self) -> [u8; 32] {
        sha256(self.0.expose())
    }
}

/// What a new token is to be; checked by [`NewEndpointToken::checked`].
pub(crate) struct NewEndpointToken {
    endpoint: EndpointId,
    application: ApplicationName,
    token: TokenText,
    identity: Option<IdentityRef>,
}

impl NewEndpointToken {
    /// Without a token one of `length` characters is made.
    pub(crate) fn checked(
        endpoint: &str,
        application: &str,
        token: Option<Secret>,
        identity: Option<&str>,
        (length, entropy): (usize, &dyn Entropy),
    ) -> Result<Self, Refusal> {
        let token = match token {
            Some(text) => TokenText::parse(text)?,
            None => TokenText::generate(length, entropy),
        };
        Ok(Self {
            endpoint: endpoint_id(endpoint)?,
            application: application_name(application)?,
            token,
            identity: identity.map(IdentityRef::parse),
        })
    }

    /// The token's text, for the one answer that hands it over.
    pub(crate) fn into_token(self) -> TokenText {
        self.token
    }
}

/// An endpoint's id, or why it is none.
pub(crate) fn endpoint_id(text: &str) -> Result<EndpointId, Refusal> {
    text.parse().map_err(|_| Refusal::new(&ENDPOINT_INVALID_ID, format!("endpoint `{}`: {}", log_text(text, 64), EndpointId::RULE)))
}

/// An application's name, or why it is none.
pub(crate) fn application_name(text: &str) -> Result<ApplicationName, Refusal> {
    let invalid = |_| {
        let detail = format!("application `{}`: {}", log_text(text, 64), ApplicationName::RULE);
        Refusal::new(&APPLICATION_INVALID_NAME, detail)
    };
    text.parse().map_err(invalid)
}

/// What is known of a token that somebody showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Validated {
    /// No application has it.
    Unknown,
    /// It is this one's; whether it may be used is the verdict.
    Known {
        /// Its id.
        id: CredentialId,
        /// Its endpoint.
        endpoint: String,
        /// Whether it may be used: any but the verdicts on passwords.
        verdict: Verdict,
    },
}

/// What came of an endpoint's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unregistered {
    /// So many tokens were deleted; none is success too.
    Deleted(usize),
    /// Several tenants have tokens of an endpoint of this id, and the event names none: nothing was touched.
    Ambiguous,
}

impl CredentialsRoom {
    /// Makes a token. An application that nobody has used becomes this tenant's. A token that is taken, in whatever tenant, and
    /// an application of another tenant are refused in the same words.
    pub(crate) async fn create_endpoint_token(
        &self,
        scope: &Scope,
        new: &NewEndpointToken,
        remember: Remember<'_, Credential>,
    ) -> Result<Credential, Refusal> {
        let identity = match &new.identity {
            Some(wanted) => Some(self.identity(scope, wanted).await?.id),
            None => None,
        };
        let hash = new.token.hash();
        let credential = self
            .ledger
            .decide(|| async {
                let before = sql::one(&self.db, rows::before(&new.application, &hash), rows::read_before).await?;
                let (owner, taken) = before.map_or((None, false), |before| (before.owner, before.taken));
                if taken || owner.as_ref().is_some_and(|owner| *owner != scope.tenant) {
                    let detail = format!("application `{}` cannot take this token for tenant `{}`", new.application, scope.tenant);
                    return Ok(Decided::Refuse(Refusal::new(&ENDPOINT_TOKEN_TAKEN, detail)));
                }
                let now = scope.now();
                let id = CredentialId::generate(now, scope.entropy.as_ref());
                let leaning = self.leaning(scope, identity.as_ref(), &Key::of(now, &id)).await?;
                leaning.gives?;
                let credential = Credential {
                    id,
                    kind: CredentialKind::EndpointToken,
                    state: CredentialState::Inactive,
                    username: None,
                    application: Some(new.application.as_str().to_owned()),
                    endpoint: Some(new.endpoint.as_str().to_owned()),
                    certificate: None,
                    identity: identity.clone(),
                    created_at: now,
                    updated_at: now,
                    last_used_at: None,
                    version: 1,
                };
                let mut record = AuditRecord::new(scope, "credential.create", credential.id.as_str())
                    .with("kind", credential.kind.as_str())
                    .with("application", new.application.as_str())
                    .with("endpoint", new.endpoint.as_str());
                let owned = match owner {
                    Some(_) => Expect::guard(rows::owns(&scope.tenant, &new.application), 1),
                    None => Expect::write(rows::claim(&scope.tenant, &new.application, now), 1),
                };
                if let Some(identity) = &identity {
                    record = record.with("identity", identity.as_str());
                }
                let expect = vec![owned, leaning.guard, Expect::write(rows::insert(&scope.tenant, &credential, &hash), 1)];
                let change = Change { expect, ..Change::new(record) }.idempotent(remember(&credential)?);
                Ok(Decided::commit(change, credential))
            })
            .await?;
        self.metrics.moved(credential.kind, None, credential.state);
        Ok(credential)
    }

    /// Whose token is this, and may it be used? One read; the first use activates in the commit that answers.
    pub(crate) async fn validate_endpoint_token(&self, application: &str, token: Secret) -> Result<Validated, Refusal> {
        let started = Instant::now();
        let outcome = self.decide_on_token(application, token).await;
        let (word, reason, id) = match &outcome {
            Ok(Validated::Unknown) => ("unknown", None, None),
            Ok(Validated::Known { id, verdict, .. }) => (verdict.word(), verdict.reason(), Some(id.as_str())),
            Err(refusal) => ("error", Some(refusal.reason), None),
        };
        self.metrics.decided(CredentialKind::EndpointToken, word);
        self.metrics.took(CredentialKind::EndpointToken, started.elapsed());
        // A gateway asks for each token of each session: what is let in is told at the level of details only.
        if word == Verdict::Allowed.word() {
            tracing::debug!(event = "endpoint-token.check", credential = id);
        } else {
            let (reason, application) = (reason.map(|reason| reason.code), log_text(application, 128));
            tracing::info!(event = "endpoint-token.check", credential = id, application, result = word, reason);
        }
        outcome
    }

    async fn decide_on_token(&self, application: &str, token: Secret) -> Result<Validated, Refusal> {
        // What no name and no token can be is nobody's, and no database needs to see it.
        let (Ok(application), Ok(token)) = (application.parse(), TokenText::parse(token)) else { return Ok(Validated::Unknown) };
        let hash = token.hash();
        drop(token);
        let (validated, activated) = self
            .ledger
            .decide(|| async {
                let Some(known) = self.known_token(&application, &hash).await? else {
                    return Ok(Decided::Same((Validated::Unknown, None)));
                };
                let verdict = judge(known.tenant_state, known.identity.as_ref().map(|(_, state)| *state), known.state);
                match (verdict, transition(known.state, Request::FirstUse, self.config.strict_fsm)) {
                    (Verdict::Allowed, Outcome::Transition { to }) => {
                        let scope = self.bus_scope(known.tenant.clone());
                        let record = AuditRecord::new(&scope, "credential.activate", known.id.as_str())
                            .with("from", known.state.as_str())
                            .with("to", to.as_str());
                        let now = scope.now();
                        let change = Change::new(record).expecting(Expect::write(rows::activate(&known, now), 1));
                        let (id, tenant) = (known.id.clone(), known.tenant.clone());
                        Ok(Decided::commit(change, (known_as(known, verdict), Some((id, tenant, now)))))
                    }
                    (Verdict::Allowed, Outcome::NoChange) => {
                        self.note_last_use_of_token(&known);
                        Ok(Decided::Same((known_as(known, verdict), None)))
                    }
                    // The state machine has the last word: what it does not let pass is refused.
                    (Verdict::Allowed, Outcome::Illegal) => Ok(Decided::Same((known_as(known, Verdict::Suspended), None))),
                    (_, _) => Ok(Decided::Same((known_as(known, verdict), None))),
                }
            })
            .await?;
        if let Some((id, tenant, now)) = activated {
            self.metrics.moved(CredentialKind::EndpointToken, Some(CredentialState::Inactive), CredentialState::Active);
            self.last_use.noted(&id, now);
            self.note_use_of_tenant(&tenant, now);
        }
        Ok(validated)
    }

    async fn known_token(&self, application: &ApplicationName, hash: &[u8; 32]) -> Result<Option<KnownToken>, Refusal> {
        sql::one(&self.db, rows::look_up(application, hash), rows::read_look_up).await
    }

    fn note_last_use_of_token(&self, known: &KnownToken) {
        let now = self.clock.now();
        if self.last_use.due(&known.id, known.last_used_at, now) {
            self.ledger.upkeep(Upkeep { statement: sql::credential::touch(&known.tenant, &known.id, now) });
            self.note_use_of_tenant(&known.tenant, now);
        }
    }

    /// Sets a token's state, as a service on the bus asks. The tenant is that of the token.
    pub(crate) async fn move_endpoint_token(&self, application: &str, token: Secret, to: CredentialState) -> Result<Moved, Refusal> {
        let absent = || Refusal::new(&CREDENTIAL_NOT_FOUND, "no application of that name has this token");
        let (Ok(application), Ok(token)) = (application.parse(), TokenText::parse(token)) else { return Err(absent()) };
        let known = self.known_token(&application, &token.hash()).await?.ok_or_else(absent)?;
        let scope = self.bus_scope(known.tenant);
        self.move_credential(&scope, known.id.as_str(), Request::SetState(to), None).await
    }

    /// Deletes every token of an endpoint that was unregistered; those that could be used are named in one event for each
    /// application.
    ///
    /// The event names no tenant. An endpoint is one tenant's, so where only one tenant has tokens of that id they are meant;
    /// where several have, the message alone cannot say whose it was, and a wrong guess would take another tenant's devices
    /// away: nothing is touched, and an operator is told. The application version that it names is no help: which application
    /// it is of stands in data that this service has not.
    pub(crate) async fn unregister_endpoint(&self, endpoint: &EndpointId) -> Result<Unregistered, Refusal> {
        let tenants = sql::one(&self.db, rows::tenants_of(endpoint), rows::read_tenants).await?;
        let tenant = match tenants.flatten() {
            None => return Ok(Unregistered::Deleted(0)),
            Some((one, other)) if one == other => one,
            Some((one, other)) => {
                tracing::error!(
                    event = "endpoint-token.unregistered-ambiguous",
                    %endpoint, %one, %other,
                    fix = "Revoke the tokens of the tenant whose endpoint it was: `signet endpoint-token list --endpoint ID --tenant T`."
                );
                return Ok(Unregistered::Ambiguous);
            }
        };
        let scope = self.bus_scope(tenant);
        let mut deleted = 0_usize;
        loop {
            let page = self.delete_oldest_tokens(&scope, endpoint).await?;
            deleted = deleted.saturating_add(page);
            if page < usize::try_from(MOST_DELETED).unwrap_or(usize::MAX) {
                tracing::info!(event = "endpoint-token.unregistered", tenant = %scope.tenant, %endpoint, deleted, trace_id = %scope.trace);
                return Ok(Unregistered::Deleted(deleted));
            }
        }
    }

    /// Deletes one page of an endpoint's tokens in one commit; how many they were.
    async fn delete_oldest_tokens(&self, scope: &Scope, endpoint: &EndpointId) -> Result<usize, Refusal> {
        let deleted = self
            .ledger
            .decide(|| async {
                let page = rows::oldest_of(&scope.tenant, endpoint, MOST_DELETED);
                let tokens = sql::all(&self.db, page, rows::read_of_endpoint).await?;
                let Some(last) = tokens.last() else { return Ok(Decided::Same(Vec::new())) };
                let change = self.deletion(scope, endpoint, &tokens, last).await?;
                Ok(Decided::commit(change, tokens))
            })
            .await?;
        for token in &deleted {
            self.metrics.removed(token.gone.kind, token.state);
        }
        Ok(deleted.len())
    }

    async fn deletion(&self, scope: &Scope, endpoint: &EndpointId, tokens: &[OfEndpoint], last: &OfEndpoint) -> Result<Change, Refusal> {
        let usable: Vec<&OfEndpoint> = tokens.iter().filter(|token| token.state.usable()).collect();
        let (told, guards) = self.what_tells(scope, &usable).await?;
        let versions = tokens.iter().fold(0_i64, |sum, token| sum.saturating_add(token.version));
        let (count, count_i64) = (tokens.len(), i64::try_from(tokens.len()).unwrap_or(i64::MAX));
        let record = AuditRecord::new(scope, "endpoint.unregister", endpoint.as_str())
            .with("tokens", count.to_string())
            .with("usable", told.len().to_string());
        let mut change = Change::new(record)
            .expecting(Expect::guard(rows::unmoved(&scope.tenant, endpoint, last, count_i64, versions), 1))
            .expecting(Expect::write(rows::delete(&scope.tenant, endpoint, last), u64::try_from(count).unwrap_or(u64::MAX)));
        change.expect.extend(guards);
        change.standing = usable
            .iter()
            .map(|token| StandingEntry {
                subject: StandingSubject::Credential(scope.tenant.clone(), token.gone.id.clone()),
                good: false,
                reason: Some(CREDENTIAL_REVOKED.code.to_owned()),
            })
            .collect();
        change.events = self.revoked_events(scope, &told);
        Ok(change)
    }

    /// Those of which the gateways have still to hear, and what the commit must stand on for that. While tenant and identity work,
    /// one look at an identity is enough for all of its tokens.
    async fn what_tells(&self, scope: &Scope, usable: &[&OfEndpoint]) -> Result<(Vec<Gone>, Vec<Expect>), Refusal> {
        let (mut told, mut guards, mut working) = (Vec::new(), Vec::new(), BTreeSet::new());
        for token in usable {
            if !working.contains(&token.identity) {
                let leaning = self.leaning(scope, token.identity.as_ref(), &Key::of(token.created_at, &token.gone.id)).await?;
                guards.push(leaning.guard);
                if leaning.works {
                    working.insert(token.identity.clone());
                } else if !leaning.tells {
                    continue;
                }
            }
            told.push(token.gone.clone());
        }
        Ok((told, guards))
    }

    /// What a request of the bus is done as, in the tenant that its token belongs to.
    pub(crate) fn bus_scope(&self, tenant: TenantId) -> Scope {
        Scope {
            tenant,
            caller: Caller::Bus,
            trace: TraceId::generate(self.entropy.as_ref()),
            correlation: None,
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
        }
    }
}

fn known_as(known: KnownToken, verdict: Verdict) -> Validated {
    Validated::Known { id: known.id, endpoint: known.endpoint, verdict }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use signet_crypto::SystemEntropy;

    use super::*;

    #[test]
    fn a_token_has_no_character_that_topics_use_otherwise() {
        let parse = |text: &str| TokenText::parse(Secret::from(text)).map(|token| token.expose().to_owned());
        for good in ["tok1", " ", "-", "a b", "ä€😀", "*>$", "a:b@c", "42", &"ä".repeat(255)] {
            assert_eq!(parse(good).unwrap(), good);
        }
        for bad in ["", "a+b", "#", "/", ".", "a.b", "\0", "a\n", "a\u{7f}", "a\u{85}", &"ä".repeat(256)] {
            let refusal = parse(bad).unwrap_err();
            assert_eq!(refusal.reason.code, "endpoint-token.invalid", "{bad:?}");
        }
        assert!(TokenText::parse(Secret::from(vec![0xff])).is_err());
        let canary = parse("canary-5f2e/").unwrap_err();
        assert!(!canary.to_string().contains("canary"), "{canary}");
    }

    #[test]
    fn a_generated_token_has_its_length_and_at_least_128_bits_and_is_one_that_may_be_given() {
        let bits = f64::from(62_u32).log2() * 22.0;
        assert!(bits >= 128.0, "{bits}");
        let mut seen = HashSet::new();
        for length in [*LENGTHS.start(), DEFAULT_LENGTH, *LENGTHS.end()] {
            for _ in 0..50 {
                let token = TokenText::generate(length, &SystemEntropy);
                assert_eq!(token.expose().len(), length);
                assert!(token.expose().bytes().all(|b| b.is_ascii_alphanumeric()));
                assert!(TokenText::parse(Secret::from(token.expose())).is_ok());
                assert!(seen.insert(token.hash()));
            }
        }
        // Every letter of the alphabet comes up.
        let text: String = (0..40).map(|_| TokenText::generate(255, &SystemEntropy).expose().to_owned()).collect();
        assert_eq!(text.bytes().collect::<HashSet<_>>().len(), ALPHABET.len());
    }

    #[test]
    fn names_are_refused_with_what_is_allowed() {
        for bad in ["", "Demo", "a.b", "demo/v1", "d\0"] {
            assert_eq!(application_name(bad).unwrap_err().reason.code, "application.invalid-name", "{bad:?}");
        }
        for bad in ["", "a/b", "a b", "ep\0", "ep+1"] {
            assert_eq!(endpoint_id(bad).unwrap_err().reason.code, "endpoint.invalid-id", "{bad:?}");
        }
    }
}
