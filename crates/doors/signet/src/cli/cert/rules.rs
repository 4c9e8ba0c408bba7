//! `signet cert rules`: what may be certified in a tenant, as one JSON object.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;
use signet_model::ExitCode;

use super::issue::read_input;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::globals::Globals;
use crate::cli::output_file::FILE_UNREADABLE;
use crate::cli::runtime;

pub(super) const EXAMPLES: &str = "\
Examples:
  signet cert rules show --tenant acme > rules.json
  signet cert rules set rules.json --tenant acme
  echo '{\"profiles\":[\"device\",\"service\"],\"dns\":[\"*.acme.example\"]}' | signet cert rules set - --tenant acme";

/// What may be certified in the tenant.
#[derive(Args, Debug)]
pub(super) struct RulesArgs {
    #[command(subcommand)]
    verb: RulesVerb,
}

#[derive(Subcommand, Debug)]
enum RulesVerb {
    /// Show it, as JSON
    #[command(after_help = "Example:\n  signet cert rules show --tenant acme")]
    Show,
    /// Set it; what is left out has its default
    #[command(after_help = "Example:\n  signet cert rules set rules.json --tenant acme")]
    Set {
        /// File of one JSON object, `-` for stdin
        file: PathBuf,
    },
}

pub(super) fn run(globals: &Globals, args: &RulesArgs) -> Outcome {
    let tenant = globals.tenant();
    let wanted = match &args.verb {
        RulesVerb::Show => None,
        RulesVerb::Set { file } => {
            let bytes = read_input(file)?;
            let rule: Value = serde_json::from_slice(&bytes)
                .map_err(|error| Failure::new(&FILE_UNREADABLE, format!("{}: no JSON: {error}", file.display())))?;
            Some(rule)
        }
    };
    let client = globals.client()?;
    runtime::client(async {
        let rule = match wanted {
            Some(rule) => client.set_certificate_rule(tenant, &rule).await?,
            None => client.certificate_rule(tenant).await?,
        };
        globals.out().data(&rule, |rule| format!("{rule:#}\n"))?;
        Ok(ExitCode::Ok)
    })
}
