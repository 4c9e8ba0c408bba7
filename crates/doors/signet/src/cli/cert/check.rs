//! `signet cert check`: the decision that a gateway would get for a certificate.

use clap::Args;
use signet_client::CertificateCheck;
use signet_model::ExitCode;

use crate::cli::credential::decided;
use crate::cli::failure::Outcome;
use crate::cli::globals::Globals;
use crate::cli::runtime;

pub(super) const EXAMPLES: &str = "\
Examples:
  signet cert check --issuer CN=acme --serial 4857611
  signet cert check --issuer CN=acme --serial 4a:1f:0b -o json
  signet cert check --issuer 'C = US, O = Acme, CN = devices' --serial 0x4a1f0b --tenant acme";

/// Which certificate.
#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// The issuer's name as any tool prints it
    #[arg(long, value_name = "NAME")]
    issuer: String,
    /// The serial number; plain digits are decimal, `0x…` and colons are hexadecimal
    #[arg(long, value_name = "SERIAL", allow_hyphen_values = true)]
    serial: String,
}

/// In the tenant that is named; where none is, in whichever has the certificate.
pub(super) fn run(globals: &Globals, args: &CheckArgs) -> Outcome {
    let client = globals.client()?;
    runtime::client(async {
        let check = CertificateCheck { issuer: &args.issuer, serial: &args.serial };
        let decision = client.check_certificate(globals.tenant.as_deref(), &check).await?;
        globals.out().data(&decision, decided)?;
        Ok(if decision.allowed { ExitCode::Ok } else { ExitCode::Refused })
    })
}
