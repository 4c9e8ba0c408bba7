//! `signet credential`: by what an identity proves itself, from birth to revocation.

use clap::{Args, Subcommand};
use signet_client::{
    CheckDecision, Credential, CredentialCheck, CredentialFilter, NewBasicCredential, NewPassword, Page, Transition, TransitionRequest,
};
use signet_model::{CredentialKind, CredentialState, ExitCode};

use super::confirm::confirm;
use super::failure::{Failure, Outcome, USAGE};
use super::globals::Globals;
use super::list::Paging;
use super::output::{listing, pairs, table, when, when_or};
use super::runtime;
use super::secret::PasswordSource;

const EXAMPLES: &str = "\
Examples:
  printf %s \"$PW\" | signet credential create basic bob --identity dev-1 --password-stdin --tenant acme
  printf %s \"$PW\" | signet credential check bob@acme --password-stdin
  signet credential suspend br7si8mg10l7an82que0 --reason 'seen elsewhere' --tenant acme
  signet credential revoke br7si8mg10l7an82que0 --yes --tenant acme";

/// Credentials: usernames with passwords
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CredentialArgs {
    #[command(subcommand)]
    verb: CredentialVerb,
}

#[derive(Subcommand, Debug)]
enum CredentialVerb {
    /// Make a credential
    #[command(after_help = EXAMPLES, subcommand_value_name = "KIND")]
    Create {
        #[command(subcommand)]
        kind: CreateKind,
    },
    /// List credentials, newest first; filters are exact
    #[command(after_help = "Examples:\n  signet credential list --state Suspended\n  signet credential list --username bob -o json")]
    List {
        /// Only this kind
        #[arg(long, value_name = "KIND")]
        kind: Option<CredentialKind>,
        /// Only this state: Inactive, Active, Suspended or Revoked
        #[arg(long, value_name = "STATE")]
        state: Option<CredentialState>,
        /// Only this username
        #[arg(long, value_name = "NAME")]
        username: Option<String>,
        /// Only those of this identity, by id or name
        #[arg(long, value_name = "IDENTITY")]
        identity: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one credential; never its secret
    #[command(after_help = "Example:\n  signet credential show br7si8mg10l7an82que0")]
    Show {
        /// Its id
        id: String,
    },
    /// Ask whether a username and a password may authenticate: exit code 0 or 3, the decision on stdout
    #[command(after_help = "Example:\n  printf %s \"$PW\" | signet credential check bob@acme --password-stdin -o json")]
    Check {
        /// Username, `@` and tenant; the last `@` counts. Without one: in the tenant of `--tenant`
        #[arg(value_name = "USER@TENANT")]
        user: String,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Set another password; sessions stay
    #[command(
        after_help = "Example:\n  printf %s \"$PW\" | signet credential set-password br7si8mg10l7an82que0 --password-stdin --tenant acme"
    )]
    SetPassword {
        /// Its id
        id: String,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Refuse it until it is resumed
    #[command(after_help = "Example:\n  signet credential suspend br7si8mg10l7an82que0 --reason 'seen elsewhere'")]
    Suspend(Move),
    /// Let a suspended one work again
    #[command(after_help = "Example:\n  signet credential resume br7si8mg10l7an82que0")]
    Resume(Move),
    /// Refuse it for ever; asks first
    #[command(after_help = "Example:\n  signet credential revoke br7si8mg10l7an82que0 --yes --reason 'sold'")]
    Revoke(Move),
}

#[derive(Subcommand, Debug)]
enum CreateKind {
    /// A username with a password
    #[command(
        after_help = "Examples:\n  printf %s \"$PW\" | signet credential create basic bob --identity dev-1 --password-stdin\n  signet credential create basic bob --identity dev-1 --password-file pw.txt"
    )]
    Basic {
        /// The username, 1 to 255 characters, without `@tenant`
        username: String,
        /// Whose it is, by id or name
        #[arg(long, value_name = "IDENTITY")]
        identity: Option<String>,
        #[command(flatten)]
        password: PasswordSource,
    },
}

#[derive(Args, Debug)]
pub(super) struct Move {
    /// The credential's id
    pub(super) id: String,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) fn run(globals: &Globals, args: &CredentialArgs) -> Outcome {
    let client = globals.client()?;
    let (out, tenant) = (globals.out(), globals.tenant());
    runtime::client(async {
        match &args.verb {
            CredentialVerb::Create { kind: CreateKind::Basic { username, identity, password } } => {
                let password = password.read()?;
                password.check()?;
                let new =
                    NewBasicCredential { kind: CredentialKind::Basic, username, password: password.text(), identity: identity.as_deref() };
                out.data(&client.create_basic_credential(tenant, &new).await?, shown)?;
            }
            CredentialVerb::List { kind, state, username, identity, paging } => {
                let filter = CredentialFilter {
                    kind: kind.map(|k| k.to_string()),
                    state: state.map(|s| s.to_string()),
                    username: username.clone(),
                    identity: identity.clone(),
                    ..CredentialFilter::default()
                };
                let page = paging.collect(async |page| client.credentials(tenant, &filter, &page).await).await?;
                out.data(&page, listed)?;
            }
            CredentialVerb::Show { id } => out.data(&client.credential(tenant, id).await?, shown)?,
            CredentialVerb::Check { user, password } => {
                let (username, tenant) = user.rsplit_once('@').unwrap_or((user, tenant));
                if tenant.is_empty() {
                    return Err(Failure::usage(&USAGE, format!("`{user}` names no tenant behind its last `@`")));
                }
                let password = password.read()?;
                password.check_nul()?;
                let check = CredentialCheck { username, password: password.text() };
                let decision = client.check_credential(tenant, &check).await?;
                out.data(&decision, decided)?;
                return Ok(if decision.allowed { ExitCode::Ok } else { ExitCode::Refused });
            }
            CredentialVerb::SetPassword { id, password } => {
                let password = password.read()?;
                password.check()?;
                out.data(&client.set_password(tenant, id, &NewPassword { password: password.text() }).await?, shown)?;
            }
            CredentialVerb::Suspend(m) => out.data(&client.transition(tenant, &m.id, Transition::Suspend, &m.body()).await?, shown)?,
            CredentialVerb::Resume(m) => out.data(&client.transition(tenant, &m.id, Transition::Resume, &m.body()).await?, shown)?,
            CredentialVerb::Revoke(m) => {
                confirm(globals, &format!("Revoking credential {} of tenant {tenant}", m.id))?;
                out.data(&client.transition(tenant, &m.id, Transition::Revoke, &m.body()).await?, shown)?;
            }
        }
        Ok(ExitCode::Ok)
    })
}

impl Move {
    pub(super) fn body(&self) -> TransitionRequest {
        TransitionRequest { reason: self.reason.clone() }
    }
}

fn shown(credential: &Credential) -> String {
    let now = crate::clock::now();
    let mut rows = vec![
        ("id", credential.id.to_string()),
        ("kind", credential.kind.to_string()),
        ("username", credential.username.clone().unwrap_or_default()),
        ("state", credential.state.to_string()),
        ("identity", credential.identity.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("created", when(credential.created_at, now)),
        ("last used", when_or(credential.last_used_at, now, "never")),
    ];
    for (name, value) in [("application", &credential.application), ("endpoint", &credential.endpoint)] {
        if let Some(value) = value {
            rows.push((name, value.clone()));
        }
    }
    if let Some(changed) = credential.changed {
        rows.push(("changed", if changed { "yes" } else { "no, it was so already" }.to_owned()));
    }
    pairs(rows)
}

fn listed(page: &Page<Credential>) -> String {
    let now = crate::clock::now();
    let rows = page.items.iter().map(|c| {
        vec![
            c.id.to_string(),
            c.kind.to_string(),
            c.username.clone().unwrap_or_default(),
            c.state.to_string(),
            c.identity.as_ref().map(ToString::to_string).unwrap_or_default(),
            when_or(c.last_used_at, now, "never"),
        ]
    });
    listing(table(&["ID", "KIND", "USERNAME", "STATE", "IDENTITY", "LAST USED"], rows), page.next.as_deref())
}

pub(super) fn decided(decision: &CheckDecision) -> String {
    let mut rows = vec![("allowed", if decision.allowed { "yes" } else { "no" }.to_owned())];
    for (name, value) in [("reason", &decision.reason), ("detail", &decision.detail), ("fix", &decision.fix)] {
        if let Some(value) = value {
            rows.push((name, value.clone()));
        }
    }
    for (name, value) in decision.more.iter().filter(|(_, value)| !value.is_null()) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        rows.push((name, text));
    }
    pairs(rows)
}
