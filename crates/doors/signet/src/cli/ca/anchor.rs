//! `signet ca anchor`: foreign authorities whose certificates a tenant takes too.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use signet_client::{Anchor, NewAnchor, Page, decode_text};
use signet_model::ExitCode;

use crate::cli::cert::read_input;
use crate::cli::confirm::confirm_consequence;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::globals::Globals;
use crate::cli::list::Paging;
use crate::cli::output::{listing, pairs, table, when};
use crate::cli::output_file::FILE_UNREADABLE;
use crate::cli::runtime;

pub(super) const EXAMPLES: &str = "\
Examples:
  signet ca anchor add partner-ca.pem --tenant acme
  signet ca anchor list --tenant acme
  signet ca anchor remove anc_0198c0ffee000000000000000000abcd --yes --tenant acme";

/// Foreign authorities whose certificates are taken too
#[derive(Args, Debug)]
pub(super) struct AnchorArgs {
    #[command(subcommand)]
    verb: AnchorVerb,
}

#[derive(Subcommand, Debug)]
enum AnchorVerb {
    /// Take one more
    #[command(after_help = "Example:\n  signet ca anchor add partner-ca.pem --name dns:devices.partner.example --tenant acme")]
    Add {
        /// File of its certificate as PEM, `-` for stdin
        file: PathBuf,
        /// What its certificates may name, repeatable: dns:DOMAIN, uri:PREFIX, ip:NETWORK, email:DOMAIN or cn:NAME, where a `*` at
        /// the end stands for more; without it: anything
        #[arg(long, value_name = "KIND:NAME")]
        name: Vec<String>,
        /// Take certificates of version 1 that it issued itself, as old walks of OpenSSL made them
        #[arg(long)]
        allow_v1_leaf: bool,
    },
    /// List them, newest first
    #[command(after_help = "Example:\n  signet ca anchor list --tenant acme")]
    List {
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one
    #[command(after_help = "Example:\n  signet ca anchor show anc_0198c0ffee000000000000000000abcd --tenant acme")]
    Show {
        /// Its id
        id: String,
    },
    /// Take its certificates no longer; asks first
    #[command(after_help = "Example:\n  signet ca anchor remove anc_0198c0ffee000000000000000000abcd --yes --tenant acme")]
    Remove {
        /// Its id
        id: String,
    },
}

pub(super) fn run(globals: &Globals, args: &AnchorArgs) -> Outcome {
    let (out, tenant) = (globals.out(), globals.tenant());
    if let AnchorVerb::Remove { id } = &args.verb {
        confirm_consequence(globals, &format!("Removing anchor {id} of tenant {tenant}"), "revokes every credential that it vouched for")?;
    }
    let client = globals.client()?;
    runtime::client(async {
        match &args.verb {
            AnchorVerb::Add { file, name, allow_v1_leaf } => {
                let bytes = read_input(file)?;
                let text = decode_text(&bytes).map_err(|fault| Failure::new(&FILE_UNREADABLE, format!("{}: {fault}", file.display())))?;
                out.data(
                    &client.create_anchor(tenant, &NewAnchor { certificate: text, names: name, allow_v1_leaf: *allow_v1_leaf }).await?,
                    shown,
                )?;
            }
            AnchorVerb::List { paging } => {
                let page = paging.collect(async |page| client.anchors(tenant, &page).await).await?;
                out.data(&page, listed)?;
            }
            AnchorVerb::Show { id } => out.data(&client.anchor(tenant, id).await?, shown)?,
            AnchorVerb::Remove { id } => client.delete_anchor(tenant, id).await?,
        }
        Ok(ExitCode::Ok)
    })
}

fn shown(anchor: &Anchor) -> String {
    let now = crate::clock::now();
    let mut rows = vec![("id", anchor.id.clone()), ("subject", anchor.subject.clone()), ("valid until", when(anchor.not_after, now))];
    for (name, value) in anchor.more.iter().filter(|(_, value)| !value.is_null()) {
        rows.push((name, value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    }
    pairs(rows)
}

fn listed(page: &Page<Anchor>) -> String {
    let now = crate::clock::now();
    let rows = page.items.iter().map(|anchor| vec![anchor.id.clone(), anchor.subject.clone(), when(anchor.not_after, now)]);
    listing(table(&["ID", "SUBJECT", "VALID UNTIL"], rows), page.next.as_deref())
}
