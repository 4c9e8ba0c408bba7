//! `signet openapi`: the document of every route of this build; works without a server.

use clap::Args;
use signet_model::ExitCode;

use super::failure::Outcome;
use super::output::print;

/// Print the OpenAPI document of the API (works without a server)
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  signet openapi > openapi.json")]
pub(crate) struct OpenapiArgs {}

pub(crate) fn run() -> Outcome {
    print(crate::api::DOCUMENT)?;
    Ok(ExitCode::Ok)
}
