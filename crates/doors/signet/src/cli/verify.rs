//! `signet audit verify`: the proof, offline. It needs the log's public key only, and a running server does not disturb it.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use signet_crypto::sign::Ed25519Public;
use signet_ledger::verify::{LogSource, Verdict, VerifyOptions, verify};
use signet_model::{ExitCode, Refusal};

use super::audit::VerifyArgs;
use super::failure::Outcome;
use super::globals::Globals;
use super::output::pairs;
use super::runtime;
use crate::config::{DatabaseUrl, settings_of_serve};
use crate::database;

pub(crate) const EXAMPLES: &str = "\
Examples:
  signet audit verify --data-dir ./signet-data
  signet audit verify --config signet.toml --public-key log.pub
  signet audit verify --checkpoint /mnt/elsewhere/checkpoints.log -o json";

/// A public key is a hundred bytes.
const LONGEST_KEY: u64 = 16 * 1024;

signet_model::reasons! {
    /// The log's public key cannot be read.
    PUBLIC_KEY_UNREADABLE = ("audit.public-key-unreadable", 400, "Name the PEM file by `--public-key FILE`; `keys/log.pub` of a data directory is one, and `GET /api/v1/keys` answers it.");
    /// The checkpoints to compare with cannot be used, so nothing was verified.
    CHECKPOINT_UNUSABLE = ("audit.checkpoint-unusable", 400, "Name a copy of this log's `checkpoints.log` by `--checkpoint FILE`.");
    /// The log that was to be verified is not there.
    LOG_MISSING = ("audit.log-missing", 400, "Name the data directory by `--data-dir DIR`, or the database by `--config FILE`.");
}

pub(crate) fn run(globals: &Globals, args: &VerifyArgs) -> Outcome {
    let settings = settings_of_serve(globals.data_dir.as_deref(), args.config.as_deref())?;
    let data_dir = settings.process.data_dir.clone();
    let key = public_key(&args.public_key.clone().unwrap_or_else(|| data_dir.join("keys/log.pub")))?;
    let out = globals.out();
    let progress = out.progress().then(|| {
        let bar = indicatif::ProgressBar::new_spinner().with_message("reading the log");
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        bar
    });
    runtime::client(async {
        let log = match &settings.database.url {
            DatabaseUrl::Sqlite => LogSource::SqliteFile(existing(database::sqlite_file(&data_dir))?),
            DatabaseUrl::Postgres(_) => {
                let db = database::open(&settings, &data_dir).await.map_err(|e| Refusal::new(e.reason(), e.to_string()))?;
                LogSource::Database(db)
            }
        };
        let checkpoints_log = Some(data_dir.join("checkpoints.log"));
        let verdict = verify(VerifyOptions { log, key, checkpoints_log, checkpoint: args.checkpoint.clone() }).await;
        if let Some(bar) = progress {
            bar.finish_and_clear();
        }
        if verdict.checkpoint_unusable {
            return Err(Refusal::new(&CHECKPOINT_UNUSABLE, verdict.detail).into());
        }
        out.data(&verdict, told)?;
        Ok(if verdict.ok { ExitCode::Ok } else { ExitCode::CheckFailed })
    })
}

fn existing(file: PathBuf) -> Result<PathBuf, Refusal> {
    match std::fs::metadata(&file) {
        Ok(_) => Ok(file),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(Refusal::new(&LOG_MISSING, format!("{} does not exist", file.display()))),
        Err(e) => {
            Err(Refusal::new(&LOG_MISSING, format!("{}: {e}", file.display())).with_fix("Give this user access to the data directory."))
        }
    }
}

fn public_key(path: &Path) -> Result<Ed25519Public, Refusal> {
    let fault = |why: &dyn std::fmt::Display| Refusal::new(&PUBLIC_KEY_UNREADABLE, format!("{}: {why}", path.display()));
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|e| fault(&e))?;
    file.take(LONGEST_KEY).read_to_string(&mut text).map_err(|e| fault(&e))?;
    Ed25519Public::from_pem(&text).map_err(|e| fault(&e))
}

fn told(verdict: &Verdict) -> String {
    let mut rows = vec![
        ("log", if verdict.ok { "whole" } else { "DAMAGED" }.to_owned()),
        ("records", verdict.records.to_string()),
        ("size", verdict.size.to_string()),
        ("root", verdict.root.clone()),
    ];
    if let Some(kind) = verdict.kind {
        rows.push(("kind", format!("{kind:?}").to_lowercase()));
    }
    if let Some(position) = verdict.first_bad {
        rows.push(("first bad", position.to_string()));
    }
    rows.push(("detail", verdict.detail.clone()));
    pairs(rows)
}
