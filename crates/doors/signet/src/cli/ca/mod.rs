//! `signet ca`: the authorities that sign; and the ceremony that makes the first of them, without a server.

mod anchor;
mod ceremony;

use clap::{Args, Subcommand, ValueEnum};
use signet_client::{Authority, AuthorityGenerations, Reconciled, Rotated, Rotation};
use signet_model::ExitCode;

use self::anchor::AnchorArgs;
use self::ceremony::CeremonyArgs;
use super::confirm::confirm_consequence;
use super::failure::Outcome;
use super::globals::Globals;
use super::output::{pairs, print, table, when_or};
use super::runtime;

const EXAMPLES: &str = "\
Examples:
  signet ca show --tenant acme
  signet ca bundle --tenant acme > anchors.pem
  signet ca rotate prepare --yes --tenant acme
  signet ca anchor add partner-ca.pem --tenant acme
  signet ca ceremony --out ceremony";

/// Certificate authorities: the platform's, and below it one of each tenant
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CaArgs {
    #[command(subcommand)]
    verb: CaVerb,
}

#[derive(Subcommand, Debug)]
enum CaVerb {
    /// Show the tenant's authority that signs now
    #[command(after_help = "Example:\n  signet ca show --tenant acme")]
    Show,
    /// List the generations of the tenant's authority, newest first
    #[command(after_help = "Example:\n  signet ca list --tenant acme")]
    List,
    /// Print what verifiers must trust, as PEM: the root, else the platform's authority
    #[command(
        after_help = "Examples:\n  signet ca bundle --tenant acme > anchors.pem\n  signet ca bundle --tenant-cas --tenant acme > anchors.pem"
    )]
    Bundle {
        /// The tenant's own authorities too, for verifiers that are shown the leaf alone
        #[arg(long)]
        tenant_cas: bool,
    },
    /// Change the tenant's authority for a new one, step by step, while everything keeps running; asks first
    #[command(
        after_help = "Examples:\n  signet ca rotate prepare --yes     makes the next authority; publish the bundle\n  signet ca rotate activate --yes    it signs from now on; the old one goes on with its lists\n  signet ca rotate taint --yes       what the old one signed is to be renewed\n  signet ca rotate retire --yes      revokes what is left of it; it never signs again"
    )]
    Rotate {
        /// The step
        step: Step,
    },
    /// Settle certificates that a crash left half issued: each is named, and revoked on the list
    #[command(after_help = "Example:\n  signet ca reconcile --tenant acme")]
    Reconcile,
    /// Foreign authorities whose certificates are taken too
    #[command(after_help = anchor::EXAMPLES)]
    Anchor(AnchorArgs),
    /// Make an offline root and the platform's authority under it, with a signed transcript (works without a server)
    #[command(after_help = ceremony::EXAMPLES)]
    Ceremony(CeremonyArgs),
}

/// A step of a rotation, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Make the next authority; verifiers may learn it from the bundle
    Prepare,
    /// Let it sign
    Activate,
    /// Ask for renewal of all that the old one signed
    Taint,
    /// Revoke what is left of the old one, and wipe its key
    Retire,
}

impl Step {
    /// The word that travels.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Activate => "activate",
            Self::Taint => "taint",
            Self::Retire => "retire",
        }
    }

    /// What it does to others.
    const fn consequence(self) -> &'static str {
        match self {
            Self::Prepare => "makes an authority that verifiers will have to know",
            Self::Activate => "lets another authority sign from now on",
            Self::Taint => "asks every client of the old authority to renew",
            Self::Retire => "revokes every certificate of the old authority that is left, and cannot be undone",
        }
    }
}

pub(crate) fn run(globals: &Globals, args: &CaArgs) -> Outcome {
    let (out, tenant) = (globals.out(), globals.tenant());
    match &args.verb {
        CaVerb::Anchor(args) => return anchor::run(globals, args),
        CaVerb::Ceremony(args) => return ceremony::run(globals, args),
        CaVerb::Rotate { step } => {
            confirm_consequence(globals, &format!("`rotate {}` of tenant {tenant}", step.as_str()), step.consequence())?;
        }
        CaVerb::Show | CaVerb::List | CaVerb::Bundle { .. } | CaVerb::Reconcile => {}
    }
    let client = globals.client()?;
    runtime::client(async {
        match &args.verb {
            CaVerb::Show => out.data(&client.authority(tenant).await?, shown)?,
            CaVerb::List => out.data(&client.authority_generations(tenant).await?, listed)?,
            CaVerb::Bundle { tenant_cas } => print(&client.authority_bundle(tenant, *tenant_cas).await?)?,
            CaVerb::Rotate { step } => {
                let rotation = Rotation { step: step.as_str().to_owned() };
                out.data(&client.rotate_authority(tenant, &rotation).await?, rotated)?;
            }
            CaVerb::Reconcile => out.data(&client.reconcile_authority(tenant).await?, reconciled)?,
            CaVerb::Anchor(_) | CaVerb::Ceremony(_) => {}
        }
        Ok(ExitCode::Ok)
    })
}

fn shown(authority: &Authority) -> String {
    let now = crate::clock::now();
    let mut rows = vec![
        ("generation", authority.generation.to_string()),
        ("state", authority.state.clone()),
        ("subject", authority.subject.clone()),
        ("custody", authority.custody.clone()),
        ("valid until", when_or(authority.not_after, now, "")),
    ];
    rows.extend(more(&authority.more));
    pairs(rows)
}

/// What a newer server says beside what is known.
fn more(members: &serde_json::Map<String, serde_json::Value>) -> impl Iterator<Item = (&str, String)> {
    let told = members.iter().filter(|(_, value)| !value.is_null());
    told.map(|(name, value)| (name.as_str(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
}

fn listed(generations: &AuthorityGenerations) -> String {
    let now = crate::clock::now();
    let rows = generations.items.iter().map(|authority| {
        vec![
            authority.generation.to_string(),
            authority.state.clone(),
            authority.subject.clone(),
            authority.custody.clone(),
            when_or(authority.not_after, now, ""),
        ]
    });
    table(&["GENERATION", "STATE", "SUBJECT", "CUSTODY", "VALID UNTIL"], rows)
}

fn rotated(rotated: &Rotated) -> String {
    let mut rows = vec![("generation", rotated.generation.to_string()), ("state", rotated.state.clone())];
    rows.extend(more(&rotated.more));
    pairs(rows)
}

fn reconciled(reconciled: &Reconciled) -> String {
    pairs(more(&reconciled.more))
}
