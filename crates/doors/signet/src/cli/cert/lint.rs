//! `signet cert lint`: the rules that our own certificates keep, held against any certificate, without a server.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use signet_model::{ExitCode, Refusal};
use signet_pki::{CaCertificate, Finding, IssuerFacts, LintContext, Profile, Severity, lint_certificate, pem};

use super::issue::read_input;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::globals::Globals;
use crate::cli::output::table;

pub(super) const EXAMPLES: &str = "\
Examples:
  signet cert lint dev-1.pem
  signet cert lint dev-1.pem --issuer tenant-ca.pem --profile device -o json
  openssl s_client -connect host:443 </dev/null | signet cert lint -";

/// What to lint, and against what.
#[derive(Args, Debug)]
pub(super) struct LintArgs {
    /// File of certificates, PEM or DER, `-` for stdin
    file: PathBuf,
    /// File of the authority that issued it: its name, key and limits are compared too
    #[arg(long, value_name = "FILE")]
    issuer: Option<PathBuf>,
    /// What it is meant to be: root, platform-ca, tenant-ca, device, kaa, service, server or ocsp
    #[arg(long, value_name = "PROFILE", value_parser = profile)]
    profile: Option<Profile>,
}

fn profile(text: &str) -> Result<Profile, String> {
    text.parse().map_err(|error: signet_pki::ProfileError| error.to_string())
}

#[derive(Serialize)]
struct Linted {
    ok: bool,
    items: Vec<Found>,
}

/// A broken rule of one of the certificates.
#[derive(Serialize)]
struct Found {
    /// Which certificate of the file, from 1.
    certificate: usize,
    rule: &'static str,
    severity: String,
    what: String,
    source: &'static str,
}

pub(super) fn run(globals: &Globals, args: &LintArgs) -> Outcome {
    let certificates = read_certificates(&read_input(&args.file)?)?;
    let issuer = match &args.issuer {
        Some(path) => {
            let first = read_certificates(&read_input(path)?)?.into_iter().next();
            let der = first.ok_or_else(|| Failure::new(&signet_pki::CERTIFICATE_MISSING, format!("{}: no certificate", path.display())))?;
            let ca = CaCertificate::from_der(der).map_err(refusal)?;
            Some(IssuerFacts::of(&ca).map_err(refusal)?)
        }
        None => None,
    };
    let context = LintContext { profile: args.profile, issuer: issuer.as_ref(), ..LintContext::default() };
    let mut items = Vec::new();
    let mut ok = true;
    for (n, certificate) in certificates.iter().enumerate() {
        for finding in lint_certificate(certificate, &context) {
            ok &= finding.severity < Severity::Error;
            let Finding { rule, severity, what, source } = finding;
            items.push(Found { certificate: n.saturating_add(1), rule, severity: severity.to_string(), what, source });
        }
    }
    globals.out().data(&Linted { ok, items }, told)?;
    Ok(if ok { ExitCode::Ok } else { ExitCode::CheckFailed })
}

/// The certificates of a PEM text, or the one of a DER file.
pub(super) fn read_certificates(bytes: &[u8]) -> Result<Vec<rustls::pki_types::CertificateDer<'static>>, Refusal> {
    if bytes.first() == Some(&0x30) {
        return Ok(vec![bytes.to_vec().into()]);
    }
    pem::certificates(bytes).map_err(refusal)
}

pub(super) fn refusal(error: signet_pki::PkiError) -> Refusal {
    Refusal::new(error.reason(), error.to_string())
}

fn told(linted: &Linted) -> String {
    if linted.items.is_empty() {
        return "no rule is broken\n".to_owned();
    }
    let rows = linted.items.iter().map(|found| {
        vec![found.certificate.to_string(), found.severity.clone(), found.rule.to_owned(), found.what.clone(), found.source.to_owned()]
    });
    table(&["CERTIFICATE", "SEVERITY", "RULE", "WHAT", "SOURCE"], rows)
}
