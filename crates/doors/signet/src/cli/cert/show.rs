//! `signet cert show`: a certificate of the inventory by its id; or any file, standard input, or what a TLS server shows, explained
//! without a server.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use signet_client::peer_certificates;
use signet_model::{CredentialId, ExitCode};
use signet_pki::pem;

use super::{inspected, issue, list};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::globals::Globals;
use crate::cli::output_file::FILE_UNREADABLE;
use crate::cli::runtime;

pub(super) const EXAMPLES: &str = "\
Examples:
  signet cert show dev-1.pem
  signet cert show crl.der -o json
  signet cert show localhost:7443
  openssl s_client -connect host:443 -showcerts </dev/null | signet cert show -
  signet cert show br7si8mg10l7an82que0 --tenant acme";

/// For the handshake with a TLS server.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What to show.
#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    /// A file of any kind (PEM, DER, PKCS#7, request, revocation list), `-` for stdin, `HOST:PORT` of a TLS server, or the id of a
    /// certificate of the tenant
    #[arg(value_name = "FILE|HOST:PORT|ID|-")]
    what: String,
}

pub(super) fn run(globals: &Globals, args: &ShowArgs) -> Outcome {
    let what = args.what.as_str();
    let path = Path::new(what);
    let bytes = if what == "-" || path.exists() {
        issue::read_input(path)?
    } else if let Ok(id) = what.parse::<CredentialId>() {
        return of_inventory(globals, &id);
    } else if is_address(what) {
        let chain = peer_certificates(what, HANDSHAKE)?;
        chain.iter().map(pem::write_certificate).collect::<String>().into_bytes()
    } else {
        let detail = format!("`{what}` is neither a file nor HOST:PORT nor the id of a certificate");
        return Err(Failure::new(&FILE_UNREADABLE, detail));
    };
    globals.out().data(&inspected::explain(&bytes)?, inspected::text)?;
    Ok(ExitCode::Ok)
}

/// `HOST:PORT` or `[IPV6]:PORT`.
fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

fn of_inventory(globals: &Globals, id: &CredentialId) -> Outcome {
    let client = globals.client()?;
    runtime::client(async {
        globals.out().data(&client.certificate(globals.tenant(), id.as_str()).await?, list::shown)?;
        Ok(ExitCode::Ok)
    })
}
