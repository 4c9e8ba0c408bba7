//! `signet tenant`: the walls between customers.

use clap::{Args, Subcommand};
use signet_client::{NewTenant, Page, Tenant};
use signet_model::ExitCode;

use super::failure::Outcome;
use super::globals::Globals;
use super::list::Paging;
use super::output::{listing, pairs, table, when};
use super::runtime;

const EXAMPLES: &str = "\
Examples:
  signet tenant create acme
  signet tenant list -o json
  signet tenant show acme";

/// Tenants
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TenantArgs {
    #[command(subcommand)]
    verb: TenantVerb,
}

#[derive(Subcommand, Debug)]
enum TenantVerb {
    /// Make a tenant
    #[command(after_help = "Example:\n  signet tenant create acme")]
    Create {
        /// Its name, which is its id: 1 to 64 letters, digits, `.`, `_` and `-`
        name: String,
    },
    /// List tenants, newest first
    #[command(after_help = "Examples:\n  signet tenant list\n  signet tenant list --all -o json")]
    List(Paging),
    /// Show one tenant
    #[command(after_help = "Example:\n  signet tenant show acme")]
    Show {
        /// Its name
        name: String,
    },
}

pub(crate) fn run(globals: &Globals, args: &TenantArgs) -> Outcome {
    let client = globals.client()?;
    let out = globals.out();
    runtime::client(async {
        match &args.verb {
            TenantVerb::Create { name } => out.data(&client.create_tenant(&NewTenant { id: name.clone() }).await?, shown)?,
            TenantVerb::List(paging) => {
                let page = paging.collect(async |page| client.tenants(&page).await).await?;
                out.data(&page, listed)?;
            }
            TenantVerb::Show { name } => out.data(&client.tenant(name).await?, shown)?,
        }
        Ok(ExitCode::Ok)
    })
}

fn shown(tenant: &Tenant) -> String {
    pairs([("id", tenant.id.to_string()), ("state", tenant.state.to_string()), ("created", when(tenant.created_at, crate::clock::now()))])
}

fn listed(page: &Page<Tenant>) -> String {
    let now = crate::clock::now();
    let rows = page.items.iter().map(|t| vec![t.id.to_string(), t.state.to_string(), when(t.created_at, now)]);
    listing(table(&["ID", "STATE", "CREATED"], rows), page.next.as_deref())
}
