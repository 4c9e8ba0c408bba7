//! `signet audit`: who did what, and the proof that nobody changed the record of it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use signet_client::Page;
use signet_model::{AuditEntry, ExitCode};

use super::failure::Outcome;
use super::globals::Globals;
use super::list::Paging;
use super::output::{listing, pairs, table, when};
use super::{runtime, verify};

const EXAMPLES: &str = "\
Examples:
  signet audit list --tenant acme
  signet audit list --object br7si8mg10l7an82que0 --tenant acme -o json
  signet audit list --platform
  signet audit verify --data-dir ./signet-data";

/// The audit log
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    verb: AuditVerb,
}

#[derive(Subcommand, Debug)]
enum AuditVerb {
    /// List records, oldest first
    #[command(after_help = "Examples:\n  signet audit list\n  signet audit list --object br7si8mg10l7an82que0")]
    List {
        /// Only records of the thing with this id
        #[arg(long, value_name = "ID")]
        object: Option<String>,
        /// Records of the whole house, also those of no tenant
        #[arg(long)]
        platform: bool,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one record
    #[command(after_help = "Example:\n  signet audit show 42")]
    Show {
        /// Its place in the log
        position: u64,
        /// A record of the whole house, also of no tenant
        #[arg(long)]
        platform: bool,
    },
    /// Prove that no record was altered, removed or moved: exit code 0 or 8 (works without a server)
    #[command(after_help = verify::EXAMPLES)]
    Verify(VerifyArgs),
}

/// What to verify, and against what.
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// Configuration that names the database; else `signet.db` of the data directory
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Public key of the log, as PEM; else DIR/keys/log.pub
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,
    /// Checkpoints kept elsewhere: what they cover must still be there
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
}

pub(crate) fn run(globals: &Globals, args: &AuditArgs) -> Outcome {
    let out = globals.out();
    let tenant = |platform: bool| (!platform).then_some(globals.tenant());
    match &args.verb {
        AuditVerb::Verify(args) => verify::run(globals, args),
        AuditVerb::List { object, platform, paging } => {
            let client = globals.client()?;
            runtime::client(async {
                let page = paging.collect(async |page| client.audit(tenant(*platform), object.as_deref(), &page).await).await?;
                out.data(&page, listed)?;
                Ok(ExitCode::Ok)
            })
        }
        AuditVerb::Show { position, platform } => {
            let client = globals.client()?;
            runtime::client(async {
                out.data(&client.audit_entry(tenant(*platform), *position).await?, shown)?;
                Ok(ExitCode::Ok)
            })
        }
    }
}

fn shown(entry: &AuditEntry) -> String {
    let now = crate::clock::now();
    let mut rows = vec![
        ("position", entry.position.value().to_string()),
        ("time", when(entry.time, now)),
        ("actor", entry.actor.clone()),
        ("action", entry.action.clone()),
        ("object", entry.object.clone()),
        ("reason", entry.reason.clone().unwrap_or_default()),
        ("trace id", entry.trace_id.to_string()),
    ];
    rows.extend(entry.detail.iter().map(|(name, value)| (name.as_str(), value.clone())));
    pairs(rows)
}

fn listed(page: &Page<AuditEntry>) -> String {
    let rows = page.items.iter().map(|e| {
        vec![
            e.position.value().to_string(),
            e.time.to_string(),
            e.actor.clone(),
            e.action.clone(),
            e.object.clone(),
            e.reason.clone().unwrap_or_default(),
        ]
    });
    listing(table(&["POSITION", "TIME", "ACTOR", "ACTION", "OBJECT", "REASON"], rows), page.next.as_deref())
}
