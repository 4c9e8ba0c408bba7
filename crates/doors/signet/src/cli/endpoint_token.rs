//! `signet endpoint-token`: by what Kaa's endpoints say who they are. Its life is that of every credential.

use clap::{Args, Subcommand};
use signet_client::{Credential, CredentialFilter, MadeEndpointToken, NewEndpointToken, Page, Transition};
use signet_model::{CredentialKind, CredentialState, ExitCode};

use super::confirm::confirm;
use super::credential::Move;
use super::failure::Outcome;
use super::globals::Globals;
use super::list::Paging;
use super::output::{listing, pairs, table, when, when_or};
use super::runtime;
use super::secret::{EndpointTokenSource, Password};

const EXAMPLES: &str = "\
Examples:
  signet endpoint-token create ep-1 --application demo --tenant acme
  printf %s \"$TOKEN\" | signet endpoint-token create ep-1 --application demo --token-stdin --tenant acme
  signet endpoint-token list --endpoint ep-1 --tenant acme
  signet endpoint-token suspend br7si8mg10l7an82que0 --reason 'seen elsewhere' --tenant acme
  signet endpoint-token revoke br7si8mg10l7an82que0 --yes --tenant acme";

/// Endpoint tokens: by what Kaa's endpoints say who they are
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EndpointTokenArgs {
    #[command(subcommand)]
    verb: EndpointTokenVerb,
}

#[derive(Subcommand, Debug)]
enum EndpointTokenVerb {
    /// Make a token; its text is shown this once
    #[command(
        after_help = "Examples:\n  signet endpoint-token create ep-1 --application demo\n  printf tok1 | signet endpoint-token create ep-1 --application demo --token-stdin -o json"
    )]
    Create {
        /// The endpoint that it stands for: letters, digits, `.`, `_`, `~` and `-`
        endpoint: String,
        /// The application that the endpoint is of; it belongs to the tenant that used it first
        #[arg(long, value_name = "NAME")]
        application: String,
        /// Whose it is, by id or name
        #[arg(long, value_name = "IDENTITY")]
        identity: Option<String>,
        #[command(flatten)]
        token: EndpointTokenSource,
    },
    /// List tokens, newest first, never their texts; filters are exact
    #[command(
        after_help = "Examples:\n  signet endpoint-token list --endpoint ep-1\n  signet endpoint-token list --application demo --state Suspended -o json"
    )]
    List {
        /// Only those of this endpoint
        #[arg(long, value_name = "ENDPOINT")]
        endpoint: Option<String>,
        /// Only those of this application
        #[arg(long, value_name = "NAME")]
        application: Option<String>,
        /// Only this state: Inactive, Active, Suspended or Revoked
        #[arg(long, value_name = "STATE")]
        state: Option<CredentialState>,
        /// Only those of this identity, by id or name
        #[arg(long, value_name = "IDENTITY")]
        identity: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one token; never its text
    #[command(after_help = "Example:\n  signet endpoint-token show br7si8mg10l7an82que0")]
    Show {
        /// Its id
        id: String,
    },
    /// Refuse it until it is resumed
    #[command(after_help = "Example:\n  signet endpoint-token suspend br7si8mg10l7an82que0 --reason 'seen elsewhere'")]
    Suspend(Move),
    /// Let a suspended one work again
    #[command(after_help = "Example:\n  signet endpoint-token resume br7si8mg10l7an82que0")]
    Resume(Move),
    /// Refuse it for ever; asks first
    #[command(after_help = "Example:\n  signet endpoint-token revoke br7si8mg10l7an82que0 --yes --reason 'sold'")]
    Revoke(Move),
}

pub(crate) fn run(globals: &Globals, args: &EndpointTokenArgs) -> Outcome {
    let client = globals.client()?;
    let (out, tenant) = (globals.out(), globals.tenant());
    runtime::client(async {
        match &args.verb {
            EndpointTokenVerb::Create { endpoint, application, identity, token } => {
                let token = token.read()?;
                let new = NewEndpointToken {
                    kind: CredentialKind::EndpointToken,
                    application,
                    endpoint,
                    token: token.as_ref().map(Password::text),
                    identity: identity.as_deref(),
                };
                out.data(&client.create_endpoint_token(tenant, &new).await?, made)?;
                out.note("The token is shown this once.");
            }
            EndpointTokenVerb::List { endpoint, application, state, identity, paging } => {
                let filter = CredentialFilter {
                    kind: Some(CredentialKind::EndpointToken.to_string()),
                    state: state.map(|s| s.to_string()),
                    identity: identity.clone(),
                    application: application.clone(),
                    endpoint: endpoint.clone(),
                    ..CredentialFilter::default()
                };
                let page = paging.collect(async |page| client.credentials(tenant, &filter, &page).await).await?;
                out.data(&page, listed)?;
            }
            EndpointTokenVerb::Show { id } => out.data(&client.credential(tenant, id).await?, shown)?,
            EndpointTokenVerb::Suspend(m) => out.data(&client.transition(tenant, &m.id, Transition::Suspend, &m.body()).await?, shown)?,
            EndpointTokenVerb::Resume(m) => out.data(&client.transition(tenant, &m.id, Transition::Resume, &m.body()).await?, shown)?,
            EndpointTokenVerb::Revoke(m) => {
                confirm(globals, &format!("Revoking endpoint token {} of tenant {tenant}", m.id))?;
                out.data(&client.transition(tenant, &m.id, Transition::Revoke, &m.body()).await?, shown)?;
            }
        }
        Ok(ExitCode::Ok)
    })
}

fn rows(token: &Credential) -> Vec<(&'static str, String)> {
    let now = crate::clock::now();
    let mut rows = vec![
        ("id", token.id.to_string()),
        ("endpoint", token.endpoint.clone().unwrap_or_default()),
        ("application", token.application.clone().unwrap_or_default()),
        ("state", token.state.to_string()),
        ("identity", token.identity.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("created", when(token.created_at, now)),
        ("last used", when_or(token.last_used_at, now, "never")),
    ];
    if let Some(changed) = token.changed {
        rows.push(("changed", if changed { "yes" } else { "no, it was so already" }.to_owned()));
    }
    rows
}

fn shown(token: &Credential) -> String {
    pairs(rows(token))
}

fn made(made: &MadeEndpointToken) -> String {
    let mut rows = rows(&made.credential);
    rows.push(("token", made.token.clone()));
    pairs(rows)
}

fn listed(page: &Page<Credential>) -> String {
    let now = crate::clock::now();
    let rows = page.items.iter().map(|token| {
        vec![
            token.id.to_string(),
            token.endpoint.clone().unwrap_or_default(),
            token.application.clone().unwrap_or_default(),
            token.state.to_string(),
            when_or(token.last_used_at, now, "never"),
        ]
    });
    listing(table(&["ID", "ENDPOINT", "APPLICATION", "STATE", "LAST USED"], rows), page.next.as_deref())
}
