//! The claims of an access token (RFC 7519 section 4.1, RFC 9068) and of a requesting party token (UMA 2.0 as Keycloak writes
//! it): read into a value that has what must be there, and compared with what is expected.

use std::time::Duration;

use signet_model::Timestamp;

use crate::error::JoseError;
use crate::json::Tree;

/// Pairs of resource and scope that one token may carry, and words that `scope` may hold.
pub const MOST_PERMISSIONS: usize = 4_096;
/// Longest name of a resource or scope, bytes: a pair holds a copy of its resource's name.
const LONGEST_NAME: usize = 256;
/// 9999-12-31T23:59:59Z: later dates are mistakes, and would not fit everywhere.
const LATEST_SECOND: f64 = 253_402_300_799.0;

/// What a token has to match.
#[derive(Clone, Copy, Debug)]
pub struct Expectation<'a> {
    /// The issuer, without a slash at its end. A token may write one, as some issuers do.
    pub issuer: &'a str,
    /// What `aud` must name; none accepts any audience, as services of Kaa do.
    pub audience: Option<&'a str>,
    /// How far the clocks of issuer and verifier may differ.
    pub leeway: Duration,
}

/// The claims of a token that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `sub`: who it is, unique within the issuer.
    pub subject: String,
    /// `exp`.
    pub expires_at: Timestamp,
    /// `aud`, one or more; none when the token has no such claim.
    pub audience: Vec<String>,
    /// The words of `scope` (RFC 6749 section 3.3).
    pub scopes: Vec<String>,
    /// `authorization.permissions[]` of a requesting party token: resource name and scope.
    pub permissions: Vec<(String, String)>,
    /// Whether the token is a requesting party token, so that what it lists is everything that it allows.
    pub requesting_party: bool,
}

/// The text of a claim that must be there.
pub(crate) fn text<'p>(payload: &'p Tree, claim: &'static str) -> Result<&'p str, JoseError> {
    payload
        .member(claim)
        .and_then(Tree::text)
        .filter(|text| !text.is_empty())
        .ok_or(JoseError::Claim { claim, rule: "must be there, as a text that is not empty" })
}

/// Checks what decides whether the token holds at all; it costs little, so it comes before the signature.
pub(crate) fn check(payload: &Tree, expected: &Expectation<'_>, now: Timestamp) -> Result<(), JoseError> {
    let issuer = text(payload, "iss")?;
    if issuer.strip_suffix('/').unwrap_or(issuer) != expected.issuer {
        return Err(JoseError::Claim { claim: "iss", rule: "is not the issuer whose keys are asked" });
    }
    kind(payload)?;
    let (expires_at, leeway) = (end(payload)?, expected.leeway);
    if expires_at.plus(leeway) <= now {
        return Err(JoseError::Expired { expires_at, now, leeway });
    }
    for claim in ["nbf", "iat"] {
        if let Some(time) = date(payload, claim)?
            && time > now.plus(leeway)
        {
            return Err(JoseError::NotYetValid { claim, time, now, leeway });
        }
    }
    let audience = audience(payload)?;
    if let Some(wanted) = expected.audience
        && !audience.iter().any(|named| named == wanted)
    {
        return Err(JoseError::Audience(wanted.to_owned()));
    }
    text(payload, "sub").map(drop)
}

/// Reads the claims of a payload that was checked and whose signature is good.
pub(crate) fn read(payload: &Tree) -> Result<Claims, JoseError> {
    let permissions = permissions(payload)?;
    Ok(Claims {
        subject: text(payload, "sub")?.to_owned(),
        expires_at: end(payload)?,
        audience: audience(payload)?,
        scopes: scopes(payload)?,
        requesting_party: permissions.is_some(),
        permissions: permissions.unwrap_or_default(),
    })
}

fn end(payload: &Tree) -> Result<Timestamp, JoseError> {
    date(payload, "exp")?.ok_or(JoseError::Claim { claim: "exp", rule: "must be there" })
}

/// Other kinds of tokens that an issuer signs with the same key: they say who somebody is, not what they may.
fn kind(payload: &Tree) -> Result<(), JoseError> {
    // Keycloak writes the kind of each of its tokens here.
    if let Some(kind) = payload.member("typ") {
        let kind = kind.text().ok_or(JoseError::Claim { claim: "typ", rule: "must be a text" })?;
        if !kind.eq_ignore_ascii_case("bearer") {
            return Err(JoseError::Kind(format!("claim `typ` is `{}`", crate::token::shown(kind))));
        }
    }
    // OpenID Connect Core 3.1.3.6 and 3.3.2.11, Back-Channel Logout 2.4: in ID and logout tokens only.
    for claim in ["at_hash", "c_hash", "events"] {
        if payload.member(claim).is_some() {
            return Err(JoseError::Kind(format!("it has the claim `{claim}`")));
        }
    }
    if payload.member("cnf").is_some() { Err(JoseError::Bound) } else { Ok(()) }
}

/// A NumericDate (RFC 7519 section 2): seconds since the epoch, a fraction is fine.
fn date(payload: &Tree, claim: &'static str) -> Result<Option<Timestamp>, JoseError> {
    match payload.member(claim) {
        None => Ok(None),
        #[expect(clippy::cast_possible_truncation, reason = "within the range that was just compared, microseconds fit 58 bits")]
        Some(Tree::Number(seconds)) if (0.0..=LATEST_SECOND).contains(seconds) => {
            Ok(Some(Timestamp::from_micros((seconds * 1_000_000.0).round() as i64)))
        }
        Some(_) => Err(JoseError::Claim { claim, rule: "must be a number of seconds since 1970, not negative and before the year 10000" }),
    }
}

/// One audience or several (RFC 7519 section 4.1.3).
fn audience(payload: &Tree) -> Result<Vec<String>, JoseError> {
    const WRONG: JoseError = JoseError::Claim { claim: "aud", rule: "must be a text, or an array of one or more texts" };
    match payload.member("aud") {
        None => Ok(Vec::new()),
        Some(Tree::Text(one)) => Ok(vec![one.clone()]),
        Some(Tree::List(several)) if !several.is_empty() => several.iter().map(|one| Ok(one.text().ok_or(WRONG)?.to_owned())).collect(),
        Some(_) => Err(WRONG),
    }
}

/// Words between spaces, or an array of words as some issuers write it.
fn scopes(payload: &Tree) -> Result<Vec<String>, JoseError> {
    const WRONG: JoseError = JoseError::Claim { claim: "scope", rule: "must be a text of at most 4096 words of up to 256 bytes" };
    let words: Vec<&str> = match payload.member("scope") {
        None => Vec::new(),
        Some(Tree::Text(text)) => text.split(' ').filter(|word| !word.is_empty()).collect(),
        Some(Tree::List(words)) => words.iter().map(|word| word.text().ok_or(WRONG)).collect::<Result<_, _>>()?,
        Some(_) => return Err(WRONG),
    };
    if words.len() > MOST_PERMISSIONS || words.iter().any(|word| word.len() > LONGEST_NAME) {
        return Err(WRONG);
    }
    Ok(words.into_iter().map(str::to_owned).collect())
}

/// `authorization.permissions[]`; none when the token has no such claim. An entry without a name or scopes allows nothing.
fn permissions(payload: &Tree) -> Result<Option<Vec<(String, String)>>, JoseError> {
    const WRONG: JoseError = JoseError::Claim {
        claim: "authorization",
        rule: "must hold `permissions`: objects with `rsname` and `scopes`, at most 4096 pairs with names of up to 256 bytes",
    };
    let name = |value: &Tree| value.text().filter(|name| name.len() <= LONGEST_NAME).map(str::to_owned).ok_or(WRONG);
    let Some(authorization) = payload.member("authorization") else { return Ok(None) };
    let entries = authorization.member("permissions").and_then(Tree::list).ok_or(WRONG)?;
    let mut pairs = Vec::new();
    for entry in entries {
        let Tree::Members(members) = entry else { return Err(WRONG) };
        let (Some(resource), Some(scopes)) = (members.get("rsname"), members.get("scopes")) else { continue };
        let resource = name(resource)?;
        for scope in scopes.list().ok_or(WRONG)? {
            if pairs.len() >= MOST_PERMISSIONS {
                return Err(WRONG);
            }
            pairs.push((resource.clone(), name(scope)?));
        }
    }
    Ok(Some(pairs))
}
