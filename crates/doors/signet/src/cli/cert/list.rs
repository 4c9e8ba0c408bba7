//! `signet cert list` and `forecast`: the inventory.

use clap::Args;
use signet_client::{Certificate, CertificateFilter, Credential, Expiry, Page};
use signet_model::ExitCode;

use crate::cli::failure::Outcome;
use crate::cli::globals::Globals;
use crate::cli::list::Paging;
use crate::cli::output::{listing, pairs, table, when};
use crate::cli::runtime;

pub(super) const EXAMPLES: &str = "\
Examples:
  signet cert list --expires-within 30d --tenant acme
  signet cert list --serial 0a:4f:2b -o json
  signet cert list --identity dev-1 --state Active";

/// Which certificates.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// Only this subject
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// Only those with this subject alternative name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Only of this issuer
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// Only this serial number; plain digits are decimal, `0x…` and colons are hexadecimal
    #[arg(long, value_name = "SERIAL", allow_hyphen_values = true)]
    serial: Option<String>,
    /// Only the one with this SHA-256 of its DER, in hexadecimal
    #[arg(long, value_name = "HEX")]
    fingerprint: Option<String>,
    /// Only this state: Inactive, Active, Suspended, Revoked, intended or orphaned
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Only those of this identity, by id or name
    #[arg(long, value_name = "IDENTITY")]
    identity: Option<String>,
    /// Only those that end within this time, such as 30d
    #[arg(long, value_name = "SPAN")]
    expires_within: Option<String>,
    /// Only those that have ended
    #[arg(long, conflicts_with = "expires_within")]
    expired: bool,
    #[command(flatten)]
    paging: Paging,
}

pub(super) fn run(globals: &Globals, args: &ListArgs) -> Outcome {
    let client = globals.client()?;
    let filter = CertificateFilter {
        subject: args.subject.clone(),
        name: args.name.clone(),
        issuer: args.issuer.clone(),
        serial: args.serial.clone(),
        fingerprint: args.fingerprint.clone(),
        state: args.state.clone(),
        identity: args.identity.clone(),
        expires_within: args.expires_within.clone(),
        expired: args.expired.then_some(true),
    };
    runtime::client(async {
        let page = args.paging.collect(async |page| client.certificates(globals.tenant(), &filter, &page).await).await?;
        globals.out().data(&page, listed)?;
        Ok(ExitCode::Ok)
    })
}

pub(super) fn forecast(globals: &Globals, weeks: Option<u32>) -> Outcome {
    let client = globals.client()?;
    runtime::client(async {
        globals.out().data(&client.certificate_forecast(globals.tenant(), weeks).await?, foreseen)?;
        Ok(ExitCode::Ok)
    })
}

fn listed(page: &Page<Certificate>) -> String {
    let now = crate::clock::now();
    let rows = page.items.iter().map(|c| {
        vec![
            c.id.to_string(),
            c.subject.clone().unwrap_or_default(),
            c.issuer.clone(),
            c.serial_hex.clone(),
            c.state.clone(),
            when(c.not_after, now),
        ]
    });
    listing(table(&["ID", "SUBJECT", "ISSUER", "SERIAL (HEX)", "STATE", "VALID UNTIL"], rows), page.next.as_deref())
}

fn foreseen(expiry: &Expiry) -> String {
    let rows = expiry.weeks.iter().map(|week| vec![week.from.to_string(), week.until.to_string(), week.certificates.to_string()]);
    table(&["FROM", "UNTIL", "CERTIFICATES THAT END"], rows)
}

/// The credential of a certificate after a move.
pub(super) fn moved(credential: &Credential) -> String {
    let changed = match credential.changed {
        Some(false) => "no, it was so already",
        Some(true) | None => "yes",
    };
    pairs([("id", credential.id.to_string()), ("state", credential.state.to_string()), ("changed", changed.to_owned())])
}

/// A certificate of the inventory, with its text.
pub(super) fn shown(certificate: &Certificate) -> String {
    let now = crate::clock::now();
    let mut rows = vec![
        ("id", certificate.id.to_string()),
        ("subject", certificate.subject.clone().unwrap_or_default()),
        ("issuer", certificate.issuer.clone()),
        ("serial", certificate.serial.clone()),
        ("serial (hex)", certificate.serial_hex.clone()),
        ("state", certificate.state.clone()),
        ("identity", certificate.identity.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("valid from", when(certificate.not_before, now)),
        ("valid until", when(certificate.not_after, now)),
    ];
    for (name, value) in certificate.more.iter().filter(|(name, value)| !value.is_null() && *name != "certificate") {
        rows.push((name, value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    }
    let pem = certificate.more.get("certificate").and_then(serde_json::Value::as_str).unwrap_or_default();
    format!("{}{pem}", pairs(rows))
}
