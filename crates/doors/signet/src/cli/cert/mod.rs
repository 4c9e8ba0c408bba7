//! `signet cert`: certificates of clients, from issue to revocation; and files of any kind that hold certificates, explained
//! without a server.

mod check;
mod import;
mod inspected;
mod issue;
mod lint;
mod list;
mod rules;
mod show;
mod verify;

use clap::{Args, Subcommand};
use signet_client::Transition;
use signet_model::ExitCode;

use self::check::CheckArgs;
use self::import::ImportArgs;
use self::issue::IssueArgs;
pub(super) use self::issue::read_input;
use self::lint::LintArgs;
use self::list::ListArgs;
use self::rules::RulesArgs;
use self::show::ShowArgs;
use self::verify::VerifyArgs;
use super::confirm::confirm;
use super::credential::Move;
use super::failure::Outcome;
use super::globals::Globals;
use super::runtime;

const EXAMPLES: &str = "\
Examples:
  signet cert issue --csr dev-1.csr --identity dev-1 --out-cert dev-1.pem --tenant acme
  signet cert issue --generate-key p256 --common-name d2 --identity d2 --out-key d2.key --out-cert d2.pem --tenant acme
  signet cert check --issuer CN=acme --serial 4857611
  signet cert list --expires-within 30d --tenant acme
  signet cert show dev-1.pem
  signet cert revoke br7si8mg10l7an82que0 --reason keyCompromise --yes --tenant acme";

/// Certificates of clients
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CertArgs {
    #[command(subcommand)]
    verb: CertVerb,
}

#[derive(Subcommand, Debug)]
enum CertVerb {
    /// Issue a certificate: for the key of a request, or for a key that is made for it and never kept
    #[command(after_help = issue::EXAMPLES)]
    Issue(IssueArgs),
    /// List certificates, newest first; filters are exact
    #[command(after_help = list::EXAMPLES)]
    List(ListArgs),
    /// Show a certificate of the tenant; or explain any file, or what a TLS server shows (works without a server)
    #[command(after_help = show::EXAMPLES)]
    Show(ShowArgs),
    /// Verify a chain against anchors: exit code 0 or 8, with the true fault (works without a server)
    #[command(after_help = verify::EXAMPLES)]
    Verify(VerifyArgs),
    /// Hold the rules of our own certificates against any other: exit code 0 or 8 (works without a server)
    #[command(after_help = lint::EXAMPLES)]
    Lint(LintArgs),
    /// Ask whether the certificate with this issuer and serial may authenticate: exit code 0 or 3, the decision on stdout
    #[command(after_help = check::EXAMPLES)]
    Check(CheckArgs),
    /// How many certificates end in which week
    #[command(after_help = "Example:\n  signet cert forecast --weeks 52 --tenant acme")]
    Forecast {
        /// Weeks from now, 1 to 520 [default: 13]
        #[arg(long, value_name = "N")]
        weeks: Option<u32>,
    },
    /// Make a certificate of a foreign authority a credential
    #[command(after_help = import::EXAMPLES)]
    Import(ImportArgs),
    /// What may be certified in the tenant
    #[command(after_help = rules::EXAMPLES)]
    Rules(RulesArgs),
    /// Refuse it until it is resumed: on the list as certificateHold
    #[command(after_help = "Example:\n  signet cert suspend br7si8mg10l7an82que0 --reason 'seen elsewhere'")]
    Suspend(Move),
    /// Let a suspended one work again
    #[command(after_help = "Example:\n  signet cert resume br7si8mg10l7an82que0")]
    Resume(Move),
    /// Refuse it for ever; asks first. A reason of RFC 5280 such as keyCompromise or superseded goes onto the list; keyCompromise
    /// bars the key from every further certificate
    #[command(after_help = "Example:\n  signet cert revoke br7si8mg10l7an82que0 --reason keyCompromise --yes")]
    Revoke(Move),
}

pub(crate) fn run(globals: &Globals, args: &CertArgs) -> Outcome {
    match &args.verb {
        CertVerb::Issue(args) => issue::run(globals, args),
        CertVerb::List(args) => list::run(globals, args),
        CertVerb::Show(args) => show::run(globals, args),
        CertVerb::Verify(args) => verify::run(globals, args),
        CertVerb::Lint(args) => lint::run(globals, args),
        CertVerb::Check(args) => check::run(globals, args),
        CertVerb::Forecast { weeks } => list::forecast(globals, *weeks),
        CertVerb::Import(args) => import::run(globals, args),
        CertVerb::Rules(args) => rules::run(globals, args),
        CertVerb::Suspend(m) => moved(globals, m, Transition::Suspend),
        CertVerb::Resume(m) => moved(globals, m, Transition::Resume),
        CertVerb::Revoke(m) => {
            confirm(globals, &format!("Revoking certificate {} of tenant {}", m.id, globals.tenant()))?;
            moved(globals, m, Transition::Revoke)
        }
    }
}

fn moved(globals: &Globals, m: &Move, to: Transition) -> Outcome {
    let client = globals.client()?;
    runtime::client(async {
        let credential = client.transition(globals.tenant(), &m.id, to, &m.body()).await?;
        globals.out().data(&credential, list::moved)?;
        Ok(ExitCode::Ok)
    })
}
