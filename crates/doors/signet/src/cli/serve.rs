//! `signet serve`: production, from a configuration file.

use std::path::PathBuf;

use clap::Args;

use super::failure::Outcome;
use super::globals::Globals;
use super::up::{ListenArgs, start};
use crate::config::settings_of_serve;

const EXAMPLES: &str = "\
Examples:
  signet config sample > signet.toml && signet serve --config signet.toml
  SIGNET_DATABASE__URL=postgres://signet@db/signet signet serve --data-dir /var/lib/signet

Listeners answer 503 until the database is there. SIGTERM drains, SIGHUP reads certificate and key again.";

/// Start a server from a configuration file
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    /// The file; else `signet.toml` in the data directory, where it exists
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    listen: ListenArgs,
}

pub(crate) fn run(globals: &Globals, args: &ServeArgs) -> Outcome {
    start(globals, settings_of_serve(globals.data_dir.as_deref(), args.config.as_deref())?, &args.listen)
}
