//! Tokens of a tenant's issuer: what a bare signature costs, what the first look at a token costs, and every later one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey};
use serde_json::json;
use signet_crypto::SystemEntropy;
use signet_http::BearerToken;
use signet_http::oidc::{IssuerList, Oidc, OidcConfig, OidcMetrics, OidcParts, TenantIssuer};
use signet_model::{Clock as _, Refusal};
use signet_outbound::{AddressPolicy, Outbound, OutboundConfig};
use signet_testkit::{FakeClock, KeyKind, TestIssuer, TokenKey};

use crate::report::{Figures, Meter, head};

/// How long one figure is measured.
const RUN: Duration = Duration::from_secs(2);
/// People whose tokens come again and again.
const PEOPLE: usize = 1_000;
/// What a warm look may cost.
const GOAL: Duration = Duration::from_micros(60);

/// Prints the figures of one thread, for ES256, and the goal.
pub(crate) async fn run() -> Result<()> {
    println!("Tokens of a tenant's issuer, ES256, on one thread; limit is the bare verification of a signature.\n{}", head());
    let bare = bare_verification()?;
    println!("{}", bare.line("  bare verification of a signature", None));

    let key = TokenKey::new(KeyKind::P256, "1");
    let issuer = TestIssuer::start("/realms/acme", &[&key]);
    let clock = FakeClock::new();
    let oidc = oidc(&issuer, &clock)?;
    let token = |person: usize| {
        let now = clock.now().micros() / 1_000_000;
        let roles: Vec<String> = (0..10).map(|role| format!("role-{role}")).collect();
        BearerToken::new(key.token(&json!({
            "iss": issuer.issuer(), "sub": format!("person-{person}"), "aud": ["account", "signet"], "azp": "dashboard", "typ": "Bearer",
            "iat": now, "exp": now + 300, "realm_access": { "roles": roles }, "scope": "openid profile email signet:operator",
        })))
    };
    oidc.verify(&token(PEOPLE)).await.map_err(refused)?;
    // As many as can be looked at in the time; a slow machine leaves some over.
    let strangers: Vec<BearerToken> = (0..60_000).map(|person| token(PEOPLE + 1 + person)).collect();
    let first = looks(&oidc, strangers.iter()).await?;
    println!("{}", first.line("  first look at a token", Some(bare.rate())));

    let people: Vec<BearerToken> = (0..PEOPLE).map(token).collect();
    for known in &people {
        oidc.verify(known).await.map_err(refused)?;
    }
    let warm = looks(&oidc, people.iter().cycle()).await?;
    println!("{}", warm.line("  warm: the token was seen before", Some(bare.rate())));
    let cost = warm.cpu_per_operation();
    let verdict = if cost < GOAL { "reached" } else { "missed" };
    println!("  goal {verdict}: under {} µs of CPU warm, {:.2} µs here\n", GOAL.as_micros(), cost.as_secs_f64() * 1e6);
    Ok(())
}

fn oidc(issuer: &TestIssuer, clock: &FakeClock) -> Result<Arc<Oidc>> {
    let entry = TenantIssuer { tenant: super::TENANT.parse()?, issuer: issuer.issuer(), client_id: None, client_secret: None };
    Ok(Oidc::new(OidcParts {
        directory: Arc::new(IssuerList::new([entry]).map_err(|twice| anyhow::anyhow!("{twice} twice"))?),
        outbound: Outbound::new(OutboundConfig::new(AddressPolicy::permissive()))?,
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(SystemEntropy),
        config: OidcConfig { audience: Some("signet".to_owned()), ..OidcConfig::default() },
        metrics: OidcMetrics::default(),
    }))
}

async fn looks<'t>(oidc: &Oidc, tokens: impl Iterator<Item = &'t BearerToken>) -> Result<Figures> {
    let (meter, mut latencies) = (Meter::start(), Vec::new());
    for token in tokens {
        let started = Instant::now();
        oidc.verify(token).await.map_err(refused)?;
        latencies.push(started.elapsed());
        if meter.elapsed() >= RUN {
            break;
        }
    }
    Ok(meter.stop(latencies))
}

fn refused(refusal: Refusal) -> anyhow::Error {
    anyhow::anyhow!("{refusal}")
}

fn bare_verification() -> Result<Figures> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).context("a key")?;
    let message = vec![b'x'; 700];
    let signature = pair.sign(&SystemRandom::new(), &message).context("a signature")?;
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref());
    let (meter, mut latencies) = (Meter::start(), Vec::new());
    while meter.elapsed() < RUN {
        let started = Instant::now();
        key.verify(&message, signature.as_ref()).context("the signature was refused")?;
        latencies.push(started.elapsed());
    }
    Ok(meter.stop(latencies))
}
