//! `signet doctor`: what is wrong, and what would mend it; works without a server.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use signet_client::Endpoint;
use signet_model::ExitCode;

use super::failure::Outcome;
use super::globals::Globals;
use super::runtime;
use crate::config::settings_of_serve;
use crate::doctor::{Check, Patient, examine};

/// Check everything that a server leans on: exit code 0 or 8 (works without a server)
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  signet doctor\n  signet doctor --config /etc/signet/signet.toml -o json")]
pub(crate) struct DoctorArgs {
    /// The configuration of the server; else `signet.toml` in the data directory, where it exists
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    checks: Vec<Check>,
}

pub(crate) fn run(globals: &Globals, args: &DoctorArgs) -> Outcome {
    let settings = settings_of_serve(globals.data_dir.as_deref(), args.config.as_deref())?;
    let data_dir = settings.process.data_dir.clone();
    let patient = Patient { globals, settings: &settings, data_dir: &data_dir, endpoint: Endpoint::read(&data_dir) };
    runtime::client(async {
        let checks = examine(&patient).await;
        let report = Report { ok: checks.iter().all(|check| check.ok), checks };
        globals.out().data(&report, told)?;
        Ok(if report.ok { ExitCode::Ok } else { ExitCode::CheckFailed })
    })
}

fn told(report: &Report) -> String {
    let width = report.checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for check in &report.checks {
        let (mark, style) = match (check.ok, &check.fix) {
            (true, None) => ("ok", anstyle::AnsiColor::Green.on_default()),
            (true, Some(_)) => ("note", anstyle::AnsiColor::Yellow.on_default()),
            (false, _) => ("BAD", anstyle::AnsiColor::Red.on_default().bold()),
        };
        out.push_str(&format!("{style}{mark:<4}{style:#}  {:width$}  {}\n", check.name, check.detail));
        if let Some(fix) = &check.fix {
            out.push_str(&format!("      {:width$}  -> {fix}\n", ""));
        }
    }
    out
}
