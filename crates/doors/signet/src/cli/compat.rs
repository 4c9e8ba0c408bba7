//! `signet compat`: in the place of one of the originals, from the original's own configuration.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use signet_crypto::SystemEntropy;
use signet_model::{ExitCode, Refusal, ReplicaId};

use super::failure::Outcome;
use super::globals::Globals;
use super::output::table;
use super::up::{ListenArgs, start_in_shape};
use crate::compat::{DropIn, KeyEntry, read_kaa_ccm};
use crate::lifecycle::make_data_dir;

const EXAMPLES: &str = "\
Examples:
  APP_CONFIG_PATH=/srv/ccm/service-config.yml signet compat kaa-ccm
  SERVER_PORT=8080 KAA_POSTGRESQL_HOST=db NATS_URLS=nats://nats:4222 signet compat kaa-ccm --data-dir /var/lib/signet";

const CCM_EXAMPLES: &str = "\
Examples:
  APP_CONFIG_PATH=/srv/ccm/service-config.yml signet compat kaa-ccm
  SERVER_PORT=8080 KAA_POSTGRESQL_HOST=db NATS_URLS=nats://nats:4222 signet compat kaa-ccm --data-dir /var/lib/signet
  signet compat kaa-ccm --check -o json

Every key can be overridden by its name in upper case, with `_` for `.` and `-`. Unknown keys are told and ignored.
Keys and their defaults: docs/reference/compat-kaa-ccm.md. The way there and back: docs/how-to/replace-kaa-ccm.md.";

/// Start in the place of one of Kaa's services, from its own configuration
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompatArgs {
    #[command(subcommand)]
    original: Original,
}

#[derive(Subcommand, Debug)]
enum Original {
    /// In the place of Kaa's Client Credentials Management: reads APP_CONFIG_PATH, else /srv/ccm/service-config.yml
    #[command(after_help = CCM_EXAMPLES)]
    KaaCcm(CcmArgs),
}

#[derive(Args, Debug)]
struct CcmArgs {
    /// Only read the configuration, and show what every key would be
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    listen: ListenArgs,
}

pub(crate) fn run(globals: &Globals, args: &CompatArgs) -> Outcome {
    let Original::KaaCcm(args) = &args.original;
    let mut drop_in = read_kaa_ccm(&std::env::vars_os().collect())?;
    if args.check {
        return shown(globals, &drop_in);
    }
    let transient = match &globals.data_dir {
        Some(dir) => {
            drop_in.settings.process.data_dir.clone_from(dir);
            None
        }
        None => Some(transient_dir()?),
    };
    if let Some(dir) = &transient {
        drop_in.settings.process.data_dir.clone_from(dir);
        drop_in.shape.transient = true;
    }
    let outcome = start_in_shape(globals, drop_in.settings, &args.listen, drop_in.shape, drop_in.warnings);
    if let Some(dir) = transient {
        remove(&dir);
    }
    outcome
}

#[derive(Serialize)]
struct Checked<'a> {
    file: String,
    keys: &'a [KeyEntry],
    warnings: &'a [String],
}

fn shown(globals: &Globals, drop_in: &DropIn) -> Outcome {
    let out = globals.out();
    let checked = Checked { file: drop_in.file.to_string_lossy().into_owned(), keys: &drop_in.keys, warnings: &drop_in.warnings };
    out.data(&checked, |checked| {
        let rows = checked.keys.iter().map(|entry| {
            let whence = if entry.given { "given" } else { "default" };
            vec![entry.key.to_owned(), entry.value.clone().unwrap_or_default(), whence.to_owned(), entry.doc.trim().to_owned()]
        });
        table(&["KEY", "VALUE", "FROM", "MEANING"], rows)
    })?;
    for warning in &drop_in.warnings {
        out.note(warning);
    }
    Ok(ExitCode::Ok)
}

/// A directory of this process's own: the original keeps nothing on its disk, so neither a volume nor a directory is named.
fn transient_dir() -> Result<PathBuf, Refusal> {
    let name = format!("signet-{}", ReplicaId::generate(crate::clock::now(), &SystemEntropy));
    make_data_dir(&std::env::temp_dir().join(name))
}

fn remove(dir: &Path) {
    if let Err(error) = std::fs::remove_dir_all(dir) {
        tracing::warn!(event = "data-dir.not-removed", dir = %dir.display(), %error);
    }
}
