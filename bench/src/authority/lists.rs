//! CRLs of growing length, built and signed on one thread.

use std::time::Duration;

use anyhow::{Context, Result};
use signet_crypto::SystemEntropy;
use signet_crypto::sign::{KeyType, Signer as _, SigningKey};
use signet_model::Timestamp;
use signet_pki::{CrlEntry, CrlRequest, IssuerFacts, Name, PublicKey, RevocationReason, Validity};

use super::goal;
use crate::report::Meter;

/// Entries of the lists.
const LENGTHS: [usize; 4] = [1_000, 20_000, 200_000, 1_000_000];

/// Prints the time per entry for each length.
pub(crate) fn run() -> Result<()> {
    println!("CRLs, P-256, one thread.");
    let key = SigningKey::generate(KeyType::P256, &SystemEntropy).map_err(|error| anyhow::anyhow!("{error}"))?;
    let public = PublicKey::from_spki_der(&key.public_key_spki_der())?;
    let (not_before, not_after) = (Timestamp::EPOCH, Timestamp::from_millis(2_000_000_000_000));
    let issuer = IssuerFacts::self_signed(Name::common("acme")?, &public, Validity { not_before, not_after });
    let mut worst: f64 = 0.0;
    for length in LENGTHS {
        let entries: Vec<CrlEntry> = (0..length).map(entry).collect::<Result<_>>()?;
        let runs = (2_000_000 / length).clamp(2, 200);
        let meter = Meter::start();
        let mut bytes = 0;
        for _ in 0..runs {
            let request = CrlRequest {
                issuer: &issuer,
                number: 1,
                this_update: Timestamp::EPOCH,
                next_update: Timestamp::EPOCH.plus(Duration::from_secs(86_400)),
                idp_url: Some("http://127.0.0.1:7480/crl/acme/1/0.crl"),
                only_user_certs: true,
                entries: entries.iter().cloned(),
            };
            bytes = request.lint()?.sign(&key)?.len();
        }
        let per_entry = meter.elapsed().as_secs_f64() * 1e6 / (runs * length) as f64;
        println!("  {length:>9} entries: {per_entry:.3} µs per entry, {bytes} bytes");
        worst = worst.max(per_entry);
    }
    goal("time per entry, µs", 1.0, worst);
    println!();
    Ok(())
}

fn entry(number: usize) -> Result<CrlEntry> {
    let mut serial = vec![0x5f];
    serial.extend_from_slice(&[7; 7]);
    serial.extend_from_slice(&u64::try_from(number).context("a number")?.to_be_bytes());
    let at = Timestamp::from_millis(1_700_000_000_000);
    Ok(CrlEntry { serial, at, reason: Some(RevocationReason::Superseded) })
}
