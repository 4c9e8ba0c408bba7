//! `signet cert import`: a certificate of a foreign authority, made a credential.

use std::path::PathBuf;

use clap::Args;
use signet_client::{ForeignCertificate, decode_text};
use signet_model::ExitCode;

use super::issue::read_input;
use super::list::shown;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::globals::Globals;
use crate::cli::output_file::FILE_UNREADABLE;
use crate::cli::runtime;

pub(super) const EXAMPLES: &str = "\
Examples:
  signet ca anchor add partner-ca.pem --tenant acme
  signet cert import partner-device.pem --identity dev-1 --tenant acme";

/// Which certificate, and whose it is.
#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    /// File of the certificate as PEM, then of those between it and the anchor, `-` for stdin
    file: PathBuf,
    /// Whose it is, by id or name
    #[arg(long, value_name = "IDENTITY")]
    identity: Option<String>,
}

pub(super) fn run(globals: &Globals, args: &ImportArgs) -> Outcome {
    let bytes = read_input(&args.file)?;
    let text = decode_text(&bytes).map_err(|fault| Failure::new(&FILE_UNREADABLE, format!("{}: {fault}", args.file.display())))?;
    let client = globals.client()?;
    runtime::client(async {
        let foreign = ForeignCertificate { certificate: text, identity: args.identity.as_deref() };
        globals.out().data(&client.import_certificate(globals.tenant(), &foreign).await?, shown)?;
        Ok(ExitCode::Ok)
    })
}
