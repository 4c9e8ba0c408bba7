//! The physical limit: one P-256 signature, and one verification, on one thread.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey};

use crate::report::{Figures, Meter, head};

/// How long one figure is measured.
const RUN: Duration = Duration::from_secs(2);
/// Bytes that are signed: about a certificate.
const LENGTH: usize = 500;

/// What was seen.
pub(crate) struct Bare {
    /// Signatures per second of one thread.
    pub(crate) sign: f64,
}

/// Prints both figures.
pub(crate) fn run() -> Result<Bare> {
    println!("Bare P-256 over {LENGTH} bytes, one thread.\n{}", head());
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).ok().context("a key")?;
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).ok().context("a key")?;
    let message = [7_u8; LENGTH];
    let signature = key.sign(&random, &message).ok().context("a signature")?;
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.public_key().as_ref());
    let sign = repeated(|| key.sign(&random, &message).map(drop).ok().context("a signature"))?;
    println!("{}", sign.line("  sign", None));
    let verify = repeated(|| public.verify(&message, signature.as_ref()).ok().context("a good signature"))?;
    println!("{}\n", verify.line("  verify", None));
    Ok(Bare { sign: sign.rate() })
}

/// The same again and again.
pub(crate) fn repeated(mut operation: impl FnMut() -> Result<()>) -> Result<Figures> {
    let (meter, mut latencies) = (Meter::start(), Vec::new());
    while meter.elapsed() < RUN {
        let started = Instant::now();
        operation()?;
        latencies.push(started.elapsed());
    }
    Ok(meter.stop(latencies))
}
