//! `signet identity`: what acts.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use signet_client::{Identity, NewIdentity, Page, TransitionRequest};
use signet_model::{ExitCode, IdentityKind};

use super::failure::Outcome;
use super::globals::Globals;
use super::list::Paging;
use super::output::{listing, pairs, table, when};
use super::runtime;

const EXAMPLES: &str = "\
Examples:
  signet identity create dev-1 --kind device --tenant acme
  signet identity list --tenant acme
  signet identity disable dev-1 --reason 'stolen' --tenant acme";

/// Identities: devices, services, operators
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct IdentityArgs {
    #[command(subcommand)]
    verb: IdentityVerb,
}

#[derive(Subcommand, Debug)]
enum IdentityVerb {
    /// Make an identity
    #[command(
        after_help = "Examples:\n  signet identity create dev-1 --kind device\n  signet identity create billing --kind service --label team=money"
    )]
    Create {
        /// Its name, unique in the tenant
        name: String,
        /// What it is: device, service or operator
        #[arg(long, value_name = "KIND")]
        kind: IdentityKind,
        /// A label, repeatable
        #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
        labels: Vec<(String, String)>,
    },
    /// List identities, newest first
    #[command(after_help = "Examples:\n  signet identity list\n  signet identity list --limit 1000 -o json")]
    List(Paging),
    /// Show one identity
    #[command(after_help = "Example:\n  signet identity show dev-1")]
    Show {
        /// Its id or name
        id: String,
    },
    /// Let it work again
    #[command(after_help = "Example:\n  signet identity enable dev-1")]
    Enable(Switch),
    /// Refuse everything that leans on it
    #[command(after_help = "Example:\n  signet identity disable dev-1 --reason 'stolen'")]
    Disable(Switch),
}

#[derive(Args, Debug)]
struct Switch {
    /// Its id or name
    id: String,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

fn label(text: &str) -> Result<(String, String), String> {
    text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| "wanted NAME=VALUE".to_owned())
}

pub(crate) fn run(globals: &Globals, args: &IdentityArgs) -> Outcome {
    let client = globals.client()?;
    let (out, tenant) = (globals.out(), globals.tenant());
    runtime::client(async {
        match &args.verb {
            IdentityVerb::Create { name, kind, labels } => {
                let labels: BTreeMap<String, String> = labels.iter().cloned().collect();
                let new = NewIdentity { name: name.clone(), kind: *kind, labels };
                out.data(&client.create_identity(tenant, &new).await?, shown)?;
            }
            IdentityVerb::List(paging) => {
                let page = paging.collect(async |page| client.identities(tenant, &page).await).await?;
                out.data(&page, listed)?;
            }
            IdentityVerb::Show { id } => out.data(&client.identity(tenant, id).await?, shown)?,
            IdentityVerb::Enable(switch) => {
                out.data(&client.set_identity_enabled(tenant, &switch.id, true, &switch.body()).await?, shown)?
            }
            IdentityVerb::Disable(switch) => {
                out.data(&client.set_identity_enabled(tenant, &switch.id, false, &switch.body()).await?, shown)?
            }
        }
        Ok(ExitCode::Ok)
    })
}

impl Switch {
    fn body(&self) -> TransitionRequest {
        TransitionRequest { reason: self.reason.clone() }
    }
}

fn labels(identity: &Identity) -> String {
    identity.labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}

fn shown(identity: &Identity) -> String {
    pairs([
        ("id", identity.id.to_string()),
        ("name", identity.name.clone()),
        ("kind", identity.kind.to_string()),
        ("state", identity.state.to_string()),
        ("labels", labels(identity)),
        ("created", when(identity.created_at, crate::clock::now())),
    ])
}

fn listed(page: &Page<Identity>) -> String {
    let now = crate::clock::now();
    let rows = page
        .items
        .iter()
        .map(|i| vec![i.id.to_string(), i.name.clone(), i.kind.to_string(), i.state.to_string(), labels(i), when(i.created_at, now)]);
    listing(table(&["ID", "NAME", "KIND", "STATE", "LABELS", "CREATED"], rows), page.next.as_deref())
}
