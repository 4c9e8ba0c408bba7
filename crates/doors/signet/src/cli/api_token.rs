//! `signet api-token`: tokens for programs that call the API, of one tenant or above all of them.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;
use signet_client::{ApiToken, NewApiToken, NewPlatformToken, Page};
use signet_model::{ExitCode, Role, Timestamp};

use super::confirm::confirm;
use super::failure::Outcome;
use super::globals::Globals;
use super::list::Paging;
use super::output::{listing, pairs, table, when};
use super::runtime;
use crate::config::Span;

const EXAMPLES: &str = "\
Examples:
  signet api-token create --role operator --expires 90d --tenant acme
  signet api-token create --role platform --expires 30d
  signet api-token list --tenant acme
  signet api-token revoke atk_0192f0c1a2b37c4d8e9fa0b1c2d3e4f5 --yes --tenant acme";

/// API tokens of a tenant, or above all tenants
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ApiTokenArgs {
    #[command(subcommand)]
    verb: ApiTokenVerb,
}

#[derive(Subcommand, Debug)]
enum ApiTokenVerb {
    /// Make a token; its text is shown this once
    #[command(
        after_help = "Examples:\n  signet api-token create --role auditor --expires 30d\n  signet api-token create --role owner --expires 2027-01-31T00:00:00Z -o json"
    )]
    Create {
        /// What it may do: owner, operator or auditor in the tenant, or platform, above all tenants
        #[arg(long, value_name = "ROLE", value_parser = role)]
        role: Role,
        /// When it ends: a length of time such as 90d, or an RFC 3339 time
        #[arg(long, value_name = "WHEN", value_parser = expiry)]
        expires: Expiry,
    },
    /// List tokens, newest first; never their text
    #[command(after_help = "Examples:\n  signet api-token list --tenant acme\n  signet api-token list --platform")]
    List {
        /// Those above all tenants
        #[arg(long)]
        platform: bool,
        #[command(flatten)]
        paging: Paging,
    },
    /// End a token; asks first
    #[command(
        after_help = "Examples:\n  signet api-token revoke atk_0192f0c1a2b37c4d8e9fa0b1c2d3e4f5 --yes\n  signet api-token revoke atk_0192f0c1a2b37c4d8e9fa0b1c2d3e4f5 --platform --yes"
    )]
    Revoke {
        /// Its id
        id: String,
        /// It is one above all tenants
        #[arg(long)]
        platform: bool,
    },
}

/// When a token ends.
#[derive(Clone, Copy, Debug)]
enum Expiry {
    After(Duration),
    At(Timestamp),
}

fn expiry(text: &str) -> Result<Expiry, String> {
    match (Span::parse(text), text.parse()) {
        (Some(span), _) => Ok(Expiry::After(span.0)),
        (None, Ok(time)) => Ok(Expiry::At(time)),
        (None, Err(error)) => {
            Err(format!("wanted a length of time such as 90d, at most 36525d, or an RFC 3339 time such as 2027-01-31T00:00:00Z ({error})"))
        }
    }
}

fn role(text: &str) -> Result<Role, String> {
    text.parse().map_err(|_| "wanted owner, operator, auditor or platform".to_owned())
}

pub(crate) fn run(globals: &Globals, args: &ApiTokenArgs) -> Outcome {
    let client = globals.client()?;
    let (out, tenant) = (globals.out(), globals.tenant());
    runtime::client(async {
        match &args.verb {
            ApiTokenVerb::Create { role, expires } => {
                let expires_at = match expires {
                    Expiry::After(span) => crate::clock::now().plus(*span),
                    Expiry::At(time) => *time,
                };
                let made = match role {
                    Role::Platform => client.create_platform_token(&NewPlatformToken { expires_at }).await?,
                    Role::Owner | Role::Operator | Role::Auditor => {
                        client.create_api_token(tenant, &NewApiToken { role: *role, expires_at }).await?
                    }
                };
                out.data(&made, shown)?;
                out.note("The token is shown this once; keep it in a file of mode 0600.");
            }
            ApiTokenVerb::List { platform: true, paging } => {
                let page = paging.collect(async |page| client.platform_tokens(&page).await).await?;
                out.data(&page, listed)?;
            }
            ApiTokenVerb::List { platform: false, paging } => {
                let page = paging.collect(async |page| client.api_tokens(tenant, &page).await).await?;
                out.data(&page, listed)?;
            }
            ApiTokenVerb::Revoke { id, platform: true } => {
                confirm(globals, &format!("Revoking platform token {id}"))?;
                out.data(&client.revoke_platform_token(id).await?, shown)?;
            }
            ApiTokenVerb::Revoke { id, platform: false } => {
                confirm(globals, &format!("Revoking API token {id} of tenant {tenant}"))?;
                out.data(&client.revoke_api_token(tenant, id).await?, shown)?;
            }
        }
        Ok(ExitCode::Ok)
    })
}

fn shown(token: &ApiToken) -> String {
    let now = crate::clock::now();
    let mut rows = vec![
        ("id", token.id.to_string()),
        ("role", token.role.to_string()),
        ("created", when(token.created_at, now)),
        ("expires", when(token.expires_at, now)),
    ];
    if let Some(Value::String(text)) = token.more.get("token") {
        rows.push(("token", text.clone()));
    }
    if let Some(Value::String(revoked)) = token.more.get("revoked_at") {
        rows.push(("revoked", revoked.clone()));
    }
    pairs(rows)
}

fn listed(page: &Page<ApiToken>) -> String {
    let now = crate::clock::now();
    let rows = page.items.iter().map(|t| {
        let revoked = t.more.get("revoked_at").and_then(Value::as_str).unwrap_or("no").to_owned();
        vec![t.id.to_string(), t.role.to_string(), when(t.created_at, now), when(t.expires_at, now), revoked]
    });
    listing(table(&["ID", "ROLE", "CREATED", "EXPIRES", "REVOKED"], rows), page.next.as_deref())
}
