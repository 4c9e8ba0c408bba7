//! `signet operator`: the one token above all tenants. Works without a server and without a token, since it is what helps
//! who has lost it: whoever can read the data directory or the configuration holds the house anyway.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use signet_bus::Bus;
use signet_credentials::{OperatorTokenParts, rotate_operator_token};
use signet_crypto::SystemEntropy;
use signet_custody::{CustodyError, KeyFileSealer};
use signet_ledger::{LedgerParts, LedgerRuntime};
use signet_model::{Caller, ExitCode, Refusal, Timestamp};

use super::failure::Outcome;
use super::globals::Globals;
use super::output::{pairs, when};
use super::runtime;
use crate::clock::SystemClock;
use crate::config::{DatabaseUrl, Settings, Span, settings_of_serve};
use crate::database;
use crate::lifecycle::{keep_operator_token, make_data_dir, seal_key_missing};

signet_model::reasons! {
    /// There is no installation whose operator token could be replaced.
    INSTALLATION_MISSING = ("operator.no-installation", 400, "Name the data directory of the server with `--data-dir DIR`, or its configuration with `--config FILE`; `signet up` makes a new one.");
}

const EXAMPLES: &str = "\
Examples:
  signet operator rotate
  signet operator rotate --config /etc/signet/signet.toml --lifetime 30d";

/// The operator token
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct OperatorArgs {
    #[command(subcommand)]
    verb: OperatorVerb,
}

#[derive(Subcommand, Debug)]
enum OperatorVerb {
    /// Make a new operator token in place of the old one, and write it to operator.token (works without a server)
    #[command(after_help = EXAMPLES)]
    Rotate {
        /// Configuration that names the database; else `signet.toml` in the data directory, else `signet.db` there
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// How long the token works
        #[arg(long, value_name = "SPAN", default_value = "90d", value_parser = lifetime)]
        lifetime: Span,
    },
}

/// The longest life of an operator token: that of any other token.
const LONGEST_LIFETIME: Duration = signet_credentials::LONGEST_OPERATOR_TOKEN_LIFETIME;

fn lifetime(text: &str) -> Result<Span, String> {
    let days = LONGEST_LIFETIME.as_secs() / 86_400;
    Span::parse(text)
        .filter(|span| span.0 <= LONGEST_LIFETIME)
        .ok_or_else(|| format!("wanted a length of time such as 90d (ms, s, m, h, d), at most {days}d"))
}

/// The data directory of an installation that is there: a mistyped name must not make another one.
fn installed(settings: &Settings) -> Result<PathBuf, Refusal> {
    let data_dir = &settings.process.data_dir;
    if settings.database.url != DatabaseUrl::Sqlite {
        return make_data_dir(data_dir);
    }
    let file = database::sqlite_file(data_dir);
    match std::fs::metadata(&file) {
        Ok(_) => make_data_dir(data_dir),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Err(Refusal::new(&INSTALLATION_MISSING, format!("{} does not exist", file.display())))
        }
        Err(e) => Err(Refusal::new(&INSTALLATION_MISSING, format!("{}: {e}", file.display()))
            .with_fix("Run the command as the user that the server runs as.")),
    }
}

#[derive(Serialize)]
struct Rotated {
    file: String,
    expires_at: Timestamp,
    generation: i64,
}

pub(crate) fn run(globals: &Globals, args: &OperatorArgs) -> Outcome {
    let OperatorVerb::Rotate { config, lifetime } = &args.verb;
    let settings = settings_of_serve(globals.data_dir.as_deref(), config.as_deref())?;
    let out = globals.out();
    runtime::client(async {
        let data_dir = installed(&settings)?;
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let fault = |e: signet_db::DbError| Refusal::new(e.reason(), e.to_string());
        let seal_key = settings.seal.key_file.clone().unwrap_or_else(|| data_dir.join("seal.key"));
        let sealer = KeyFileSealer::open(&seal_key).map_err(|error| match error {
            CustodyError::Missing { .. } => seal_key_missing(&seal_key),
            error => error.into(),
        })?;
        let db = database::open(&settings, &data_dir).await.map_err(fault)?;
        database::migrate(&db).await.map_err(fault)?;
        let (ledger, tasks) = LedgerRuntime::start(LedgerParts {
            db: db.clone(),
            // Nobody is told from here: the worker of a running server publishes what it finds in the database.
            bus: Bus::in_process(),
            sealer: Arc::new(sealer),
            clock: clock.clone(),
            entropy: entropy.clone(),
            data_dir: None,
            worker: false,
        })
        .await
        .map_err(|e| Refusal::new(e.reason(), e.to_string()))?;
        let caller = Caller::System("operator-rotate");
        let parts = OperatorTokenParts {
            db: &db,
            ledger: &ledger,
            clock: clock.as_ref(),
            entropy: entropy.as_ref(),
            caller: &caller,
            lifetime: lifetime.0,
        };
        let made = rotate_operator_token(parts).await;
        tasks.shutdown().await;
        db.close().await;
        let made = made?;
        let file = keep_operator_token(&data_dir, &made)?;
        let rotated = Rotated { file: file.to_string_lossy().into_owned(), expires_at: made.expires_at, generation: made.generation };
        out.data(&rotated, |r| pairs([("file", r.file.clone()), ("expires", when(r.expires_at, crate::clock::now()))]))?;
        Ok(ExitCode::Ok)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_of_more_than_ten_years_is_refused() {
        assert!(lifetime("90d").is_ok() && lifetime("3650d").is_ok());
        for bad in ["20000d", "0s", "x"] {
            assert!(lifetime(bad).unwrap_err().contains("at most"), "{bad}");
        }
    }
}
