//! `signet tenant`: the walls between customers.

use clap::{Args, Subcommand};
use serde_json::Value;
use signet_client::{Deletion, NewTenant, Page, Tenant, TenantSummary, TransitionRequest};
use signet_model::{CredentialKind, ExitCode};

use super::confirm::confirm_consequence;
use super::failure::Outcome;
use super::globals::Globals;
use super::list::Paging;
use super::output::{listing, pairs, table, when};
use super::runtime;

const EXAMPLES: &str = "\
Examples:
  signet tenant create acme
  signet tenant list -o json
  signet tenant show acme
  signet tenant disable acme --reason 'unpaid' --yes
  signet tenant delete acme --grace 7d --yes";

const DELETE_EXAMPLES: &str = "\
Examples:
  signet tenant delete acme --yes
  signet tenant delete acme --grace 7d --reason 'contract ended'";

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
    /// Show one tenant: what it holds, what it asks of those who connect, and what somebody should look after
    #[command(after_help = "Example:\n  signet tenant show acme")]
    Show {
        /// Its name
        name: String,
    },
    /// Let it work again, also one that is being deleted
    #[command(after_help = "Example:\n  signet tenant enable acme")]
    Enable(Switch),
    /// Refuse everything that leans on it, until it is enabled; asks first
    #[command(after_help = "Example:\n  signet tenant disable acme --reason 'unpaid' --yes")]
    Disable(Switch),
    /// Refuse everything that leans on it at once, and remove it when the grace has passed; asks first
    #[command(after_help = DELETE_EXAMPLES)]
    Delete {
        #[command(flatten)]
        switch: Switch,
        /// How long `signet tenant enable` takes it back as it was: at most 366d, 0s for not at all
        #[arg(long, value_name = "SPAN", default_value = "24h")]
        grace: String,
        /// Although the Tenant Manager keeps it
        #[arg(long)]
        force: bool,
    },
}

#[derive(Args, Debug)]
struct Switch {
    /// Its name
    name: String,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Switch {
    fn body(&self) -> TransitionRequest {
        TransitionRequest { reason: self.reason.clone() }
    }
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
            TenantVerb::Show { name } => out.data(&client.tenant_summary(name).await?, truth)?,
            TenantVerb::Enable(switch) => out.data(&client.set_tenant_enabled(&switch.name, true, &switch.body()).await?, shown)?,
            TenantVerb::Disable(switch) => {
                let what = format!("Disabling tenant {}", switch.name);
                confirm_consequence(globals, &what, "cuts off every credential of it")?;
                out.data(&client.set_tenant_enabled(&switch.name, false, &switch.body()).await?, shown)?;
            }
            TenantVerb::Delete { switch, grace, force } => {
                let what = format!("Deleting tenant {}", switch.name);
                let consequence = format!("cuts off every credential of it, and can be undone for {grace} only");
                confirm_consequence(globals, &what, &consequence)?;
                let deletion = Deletion { grace: Some(grace.clone()), force: *force };
                out.data(&client.delete_tenant(&switch.name, &deletion, &switch.body()).await?, shown)?;
            }
        }
        Ok(ExitCode::Ok)
    })
}

fn shown(tenant: &Tenant) -> String {
    let now = crate::clock::now();
    let mut rows = vec![("id", tenant.id.to_string()), ("state", tenant.state.to_string()), ("created", when(tenant.created_at, now))];
    rows.extend(tenant.purge_at.map(|at| ("removed", when(at, now))));
    pairs(rows)
}

fn truth(summary: &TenantSummary) -> String {
    let now = crate::clock::now();
    let mut rows = vec![
        ("id", summary.id.to_string()),
        ("state", summary.state.to_string()),
        ("created", when(summary.created_at, now)),
        ("last use", summary.last_used_at.map_or_else(|| "never".to_owned(), |at| when(at, now))),
    ];
    rows.extend(summary.purge_at.map(|at| ("removed", when(at, now))));
    let some = if summary.credentials.complete { "" } else { " (of the first two million only)" };
    for kind in CredentialKind::ALL {
        let of_kind: Vec<String> = summary
            .credentials
            .counts
            .iter()
            .filter(|count| count.kind == *kind)
            .map(|count| format!("{} {}", count.number, count.state))
            .collect();
        if !of_kind.is_empty() {
            rows.push((kind.as_str(), format!("{}{some}", of_kind.join(", "))));
        }
    }
    for (name, value) in &summary.required {
        let value = match value {
            Value::Null => "none".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        rows.push((name.as_str(), value));
    }
    rows.extend(summary.warnings.iter().map(|warning| ("warning", format!("{}: {}", warning.code, warning.detail))));
    pairs(rows)
}

fn listed(page: &Page<Tenant>) -> String {
    let now = crate::clock::now();
    let rows = page.items.iter().map(|t| vec![t.id.to_string(), t.state.to_string(), when(t.created_at, now)]);
    listing(table(&["ID", "STATE", "CREATED"], rows), page.next.as_deref())
}
