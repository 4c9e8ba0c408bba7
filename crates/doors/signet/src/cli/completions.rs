//! `signet completions`: scripts for shells; works without a server.

use clap::{Args, CommandFactory as _};
use serde_json::json;
use signet_model::{ExitCode, kinds};

use super::Cli;
use super::failure::{Failure, Outcome};
use super::globals::Globals;

/// Completion script for a shell (works without a server)
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  signet completions bash > /etc/bash_completion.d/signet")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

pub(crate) fn run(globals: &Globals, args: &CompletionsArgs) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "signet", &mut script);
    let text = String::from_utf8(script).map_err(|e| Failure::new(&kinds::INTERNAL, format!("completion script: {e}")))?;
    globals.out().data(&json!({"shell": args.shell.to_string(), "script": text}), |_| text.clone())?;
    Ok(ExitCode::Ok)
}
