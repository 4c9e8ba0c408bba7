//! `signet ca ceremony`: the offline root and the platform's authority under it, with a signed transcript.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use signet_crypto::SystemEntropy;
use signet_crypto::sign::KeyType;
use signet_model::{Entropy, ExitCode};

use crate::ceremony::{Authority, Plan, Verdict, perform, save, verify};
use crate::cli::failure::{Failure, Outcome, USAGE};
use crate::cli::globals::Globals;
use crate::cli::output::pairs;
use crate::cli::secret::CeremonyPassphrase;
use crate::clock::SystemClock;
use crate::config::Span;

pub(super) const EXAMPLES: &str = "\
Examples:
  signet ca ceremony --out /media/usb/ceremony --passphrase-file pass.txt --witness 'first key holder'
  signet ca ceremony verify /media/usb/ceremony
  signet ca ceremony verify /media/usb/ceremony --root-fingerprint 5f2c…";

/// Witnesses that a transcript names at most.
const MOST_WITNESSES: usize = 20;

/// What to make.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct CeremonyArgs {
    #[command(subcommand)]
    verb: Option<CeremonyVerb>,
    /// New directory for everything that is made
    #[arg(long, value_name = "DIR", required = true)]
    out: Option<PathBuf>,
    /// Common name of the root
    #[arg(long, value_name = "NAME", default_value = "Signet Root CA")]
    root_name: String,
    /// Kind of the root's key
    #[arg(long, value_name = "TYPE", default_value = "p384", value_parser = key_type)]
    root_key: KeyType,
    /// How long the root is valid
    #[arg(long, value_name = "SPAN", default_value = "7305d", value_parser = span)]
    root_life: Duration,
    /// Common name of the platform's authority
    #[arg(long, value_name = "NAME", default_value = "Signet Platform CA")]
    platform_name: String,
    /// Kind of its key
    #[arg(long, value_name = "TYPE", default_value = "p256", value_parser = key_type)]
    platform_key: KeyType,
    /// How long it is valid
    #[arg(long, value_name = "SPAN", default_value = "3652d", value_parser = span)]
    platform_life: Duration,
    #[command(flatten)]
    passphrase: CeremonyPassphrase,
    /// Who is present, for the transcript; repeatable
    #[arg(long, value_name = "NAME")]
    witness: Vec<String>,
}

#[derive(Subcommand, Debug)]
enum CeremonyVerb {
    /// Verify what a ceremony left: exit code 0 or 8 (works without a server)
    #[command(after_help = "Examples:\n  signet ca ceremony verify dir\n  signet ca ceremony verify dir --root-fingerprint 5f2c… -o json")]
    Verify {
        /// The directory
        directory: PathBuf,
        /// SHA-256 of the root's certificate as the witnesses wrote it down; without it, the root that lies there is believed
        #[arg(long, value_name = "HEX")]
        root_fingerprint: Option<String>,
    },
}

fn key_type(text: &str) -> Result<KeyType, String> {
    text.parse().map_err(|error: signet_crypto::sign::KeyTypeError| error.to_string())
}

fn span(text: &str) -> Result<Duration, String> {
    Span::parse(text).map(|span| span.0).ok_or_else(|| "wanted a length of time such as 3652d".to_owned())
}

#[derive(Serialize)]
struct Told<'a> {
    directory: String,
    root: &'a Authority,
    platform: &'a Authority,
    files: Vec<&'static str>,
}

pub(super) fn run(globals: &Globals, args: &CeremonyArgs) -> Outcome {
    let out = globals.out();
    if let Some(CeremonyVerb::Verify { directory, root_fingerprint }) = &args.verb {
        let verdict = verify(directory, root_fingerprint.as_deref())?;
        out.data(&verdict, judged)?;
        return Ok(if verdict.ok { ExitCode::Ok } else { ExitCode::CheckFailed });
    }
    let Some(place) = &args.out else { return Err(Failure::usage(&USAGE, "`--out DIR` is wanted")) };
    if args.witness.len() > MOST_WITNESSES {
        return Err(Failure::usage(&USAGE, format!("at most {MOST_WITNESSES} witnesses")));
    }
    let plan = Plan {
        root_name: args.root_name.clone(),
        root_key: args.root_key,
        root_life: args.root_life,
        platform_name: args.platform_name.clone(),
        platform_key: args.platform_key,
        platform_life: args.platform_life,
        passphrase: args.passphrase.read()?,
        witnesses: args.witness.clone(),
    };
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let made = perform(&plan, &SystemClock, &entropy)?;
    save(place, &made.files)?;
    let told = Told {
        directory: place.display().to_string(),
        root: &made.root,
        platform: &made.platform,
        files: made.files.iter().map(|(name, _)| *name).collect(),
    };
    out.data(&told, |told| {
        pairs([
            ("directory", told.directory.clone()),
            ("root", told.root.subject.clone()),
            ("root sha256", told.root.fingerprint.clone()),
            ("platform", told.platform.subject.clone()),
            ("platform sha256", told.platform.fingerprint.clone()),
        ])
    })?;
    out.note(&format!("What to do next: {}", place.join("README.txt").display()));
    Ok(ExitCode::Ok)
}

fn judged(verdict: &Verdict) -> String {
    let mut rows = vec![("ceremony", if verdict.ok { "whole" } else { "DAMAGED" }.to_owned()), ("steps", verdict.steps.to_string())];
    if let Some(fingerprint) = &verdict.root_fingerprint {
        rows.push(("root sha256", fingerprint.clone()));
    }
    rows.push(("detail", verdict.detail.clone()));
    pairs(rows)
}
