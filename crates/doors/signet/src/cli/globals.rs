//! What every command takes, as a flag or as an environment variable (design 10).

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use signet_client::{Client, ClientConfig};

use super::failure::Failure;
use super::output::Output;
use crate::lifecycle::mode_for_others;

/// For one whole call of the API.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub(crate) struct Globals {
    /// Data directory: of this server, or of the one to talk to
    #[arg(
        long,
        global = true,
        env = "SIGNET_DATA_DIR",
        hide_env_values = true,
        value_name = "DIR",
        help_heading = "Global options",
        display_order = 100
    )]
    pub(crate) data_dir: Option<PathBuf>,
    /// URL of the API; else from DIR/endpoint.json
    #[arg(
        long,
        global = true,
        env = "SIGNET_SERVER",
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Global options",
        display_order = 101
    )]
    pub(crate) server: Option<String>,
    /// File of the bearer token; else DIR/operator.token
    #[arg(
        long,
        global = true,
        env = "SIGNET_TOKEN_FILE",
        hide_env_values = true,
        value_name = "FILE",
        help_heading = "Global options",
        display_order = 102
    )]
    pub(crate) token_file: Option<PathBuf>,
    /// File of trusted certificates; else DIR/tls/ca.pem; else the system's
    #[arg(
        long,
        global = true,
        env = "SIGNET_CA_FILE",
        hide_env_values = true,
        value_name = "FILE",
        help_heading = "Global options",
        display_order = 103
    )]
    pub(crate) ca_file: Option<PathBuf>,
    /// Tenant to work in [default: default]
    #[arg(
        long,
        global = true,
        env = "SIGNET_TENANT",
        hide_env_values = true,
        value_name = "TENANT",
        help_heading = "Global options",
        display_order = 104
    )]
    pub(crate) tenant: Option<String>,
    /// How data is written to stdout, and errors to stderr
    #[arg(
        short,
        long,
        global = true,
        env = "SIGNET_OUTPUT",
        hide_env_values = true,
        value_name = "FORMAT",
        default_value = "table",
        help_heading = "Global options",
        display_order = 105
    )]
    pub(crate) output: Format,
    /// Do not ask before doing what cannot be undone
    #[arg(long, global = true, env = "SIGNET_YES", hide_env_values = true, value_parser = switch, help_heading = "Global options", display_order = 106)]
    pub(crate) yes: bool,
    /// Nothing on stderr but errors
    #[arg(long, global = true, env = "SIGNET_QUIET", hide_env_values = true, value_parser = switch, help_heading = "Global options", display_order = 107)]
    pub(crate) quiet: bool,
}

/// A switch as an environment variable: what is neither yes nor no is refused, since it may stand for consent.
fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "y" | "on" => Ok(true),
        "" | "0" | "false" | "no" | "n" | "off" => Ok(false),
        _ => Err("wanted 1, true or yes, or 0, false or no".to_owned()),
    }
}

/// Environment variables that hold a path and their flags.
pub(super) const PATH_VARIABLES: [(&str, &str); 3] =
    [("SIGNET_DATA_DIR", "--data-dir"), ("SIGNET_TOKEN_FILE", "--token-file"), ("SIGNET_CA_FILE", "--ca-file")];
/// Environment variables whose values are text.
pub(super) const TEXT_VARIABLES: [&str; 5] = ["SIGNET_SERVER", "SIGNET_TENANT", "SIGNET_OUTPUT", "SIGNET_YES", "SIGNET_QUIET"];

/// The tenant that is meant when none is named.
const DEFAULT_TENANT: &str = "default";

impl Globals {
    /// The tenant to work in.
    pub(crate) fn tenant(&self) -> &str {
        self.tenant.as_deref().unwrap_or(DEFAULT_TENANT)
    }

    /// The data directory, given or not.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(|| PathBuf::from("./signet-data"))
    }

    /// A client of the server that is meant, with its token.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let config = self.client_config();
        let token_file = config.token_file.clone().unwrap_or_else(|| config.data_dir.join("operator.token"));
        if let Some(mode) = mode_for_others(&token_file) {
            let shown = token_file.display();
            self.out().note(&format!("warning: the token file {shown} has mode {mode:04o}: others can read it; `chmod 600 {shown}`"));
        }
        Ok(Client::open(&config)?)
    }

    /// Where that server is.
    pub(crate) fn client_config(&self) -> ClientConfig {
        ClientConfig {
            data_dir: self.data_dir(),
            server: self.server.clone(),
            token_file: self.token_file.clone(),
            ca_file: self.ca_file.clone(),
            timeout: CALL_TIMEOUT,
        }
    }

    /// Where data and notes go.
    pub(crate) fn out(&self) -> Output {
        Output { format: self.output, quiet: self.quiet }
    }
}
