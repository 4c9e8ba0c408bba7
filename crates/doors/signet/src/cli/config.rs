//! `signet config`: reading, checking and writing `signet.toml`; works without a server.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use signet_model::ExitCode;

use super::config_check::{check, check_files};
use super::failure::Outcome;
use super::globals::Globals;
use crate::config::{Settings, apply_environment, apply_file, sample, settings_of_serve, show};

const EXAMPLES: &str = "\
Examples:
  signet config sample > signet.toml
  signet config check signet.toml
  signet config show --config signet.toml";

/// The configuration of `signet serve` (works without a server)
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    verb: ConfigVerb,
}

#[derive(Subcommand, Debug)]
enum ConfigVerb {
    /// Check a file: every key known, every value of its type, nothing that `signet serve` would refuse for it (works without a
    /// server)
    #[command(after_help = "Examples:\n  signet config check signet.toml\n  signet config check --config signet.toml -o json")]
    Check {
        #[command(flatten)]
        named: Named,
    },
    /// Show what `signet serve` would run with: defaults, file and environment; passwords are masked (works without a server)
    #[command(after_help = "Examples:\n  signet config show signet.toml\n  signet config show --config signet.toml -o json")]
    Show {
        #[command(flatten)]
        named: Named,
    },
    /// Print a commented file with every key and its default (works without a server)
    #[command(after_help = "Examples:\n  signet config sample > signet.toml\n  signet config sample -o json")]
    Sample,
}

/// A file, in either form.
#[derive(Args, Debug)]
struct Named {
    /// The file; else `signet.toml` in the data directory, where it exists
    #[arg(conflicts_with = "config")]
    file: Option<PathBuf>,
    /// The same
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Named {
    fn path(&self) -> Option<&Path> {
        self.file.as_deref().or(self.config.as_deref())
    }
}

pub(crate) fn run(globals: &Globals, args: &ConfigArgs) -> Outcome {
    let out = globals.out();
    match &args.verb {
        ConfigVerb::Check { named } => {
            let beside = globals.data_dir().join("signet.toml");
            let file = named.path().unwrap_or(&beside);
            let mut settings = Settings::default();
            apply_file(&mut settings, file)?;
            // What the environment would lay over it has to be right too.
            apply_environment(&mut settings, std::env::vars_os())?;
            check(&settings)?;
            check_files(&settings, crate::clock::now())?;
            out.data(&json!({"ok": true, "file": file.to_string_lossy()}), |_| format!("{} is valid\n", file.display()))?;
        }
        ConfigVerb::Show { named } => {
            let settings = settings_of_serve(globals.data_dir.as_deref(), named.path())?;
            out.data(&as_json(&settings), |_| show(&settings))?;
        }
        ConfigVerb::Sample => out.data(&json!({"sample": sample()}), |_| sample())?,
    }
    Ok(ExitCode::Ok)
}

fn as_json(settings: &Settings) -> Value {
    let mut root = Map::new();
    for entry in settings.entries() {
        // What a setting writes is one TOML value, so this reads; unset keys are null.
        let read = entry.value.as_ref().and_then(|v| toml::from_str::<Map<String, Value>>(&format!("v = {v}")).ok());
        let value = read.and_then(|mut table| table.remove("v")).unwrap_or(Value::Null);
        if entry.section.is_empty() {
            root.insert(entry.key.to_owned(), value);
        } else if let Some(section) = root.entry(entry.section).or_insert_with(|| json!({})).as_object_mut() {
            section.insert(entry.key.to_owned(), value);
        }
    }
    Value::Object(root)
}
