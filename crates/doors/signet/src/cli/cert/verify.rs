//! `signet cert verify`: a chain against anchors, without a server; when it does not hold, the true fault and the certificate.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;
use signet_model::{ExitCode, Refusal, Timestamp};
use signet_pki::{Anchor, CaCertificate, PathVerifier, Purpose};

use super::issue::read_input;
use super::lint::{read_certificates, refusal};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::globals::Globals;
use crate::cli::output::pairs;

pub(super) const EXAMPLES: &str = "\
Examples:
  signet cert verify dev-1.pem --anchors anchors.pem
  signet cert verify server.pem --anchors root.pem --purpose server -o json
  signet cert verify dev-1.pem --anchors anchors.pem --at 2027-01-01T00:00:00Z";

/// What to verify, and against what.
#[derive(Args, Debug)]
pub(super) struct VerifyArgs {
    /// File of the certificate and what came along with it, leaf first, `-` for stdin
    file: PathBuf,
    /// File of the authorities that are trusted, as `signet ca bundle` prints them
    #[arg(long, value_name = "FILE")]
    anchors: PathBuf,
    /// File of further authorities between the two
    #[arg(long, value_name = "FILE")]
    untrusted: Option<PathBuf>,
    /// What the certificate is to be used for
    #[arg(long, value_name = "PURPOSE", default_value = "client")]
    purpose: Use,
    /// When it is to hold, RFC 3339; else now
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Let leaves of version 1 pass whose issuer is one of the anchors itself, as old `openssl` walks made them
    #[arg(long)]
    allow_v1_leaf: bool,
}

/// What a certificate is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Use {
    /// A TLS client
    Client,
    /// A TLS server
    Server,
    /// Signing OCSP answers
    Ocsp,
}

#[derive(Serialize)]
struct Verdict {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    anchor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intermediates: Option<usize>,
}

pub(super) fn run(globals: &Globals, args: &VerifyArgs) -> Outcome {
    let mut chain = read_certificates(&read_input(&args.file)?)?.into_iter();
    let Some(leaf) = chain.next() else {
        return Err(Failure::new(&signet_pki::CERTIFICATE_MISSING, format!("{}: no certificate in it", args.file.display())));
    };
    let mut between: Vec<_> = chain.collect();
    if let Some(path) = &args.untrusted {
        between.extend(read_certificates(&read_input(path)?)?);
    }
    let mut anchors = Vec::new();
    for der in read_certificates(&read_input(&args.anchors)?)? {
        let anchor = Anchor::new(CaCertificate::from_der(der).map_err(refusal)?);
        anchors.push(if args.allow_v1_leaf { anchor.with_v1_leaves() } else { anchor });
    }
    let verifier = PathVerifier::new(anchors).map_err(refusal)?;
    let purpose = match args.purpose {
        Use::Client => Purpose::Client,
        Use::Server => Purpose::Server,
        Use::Ocsp => Purpose::OcspSigning,
    };
    let at = args.at.unwrap_or_else(crate::clock::now);
    let verdict = match verifier.verify(&leaf, &between, at, purpose) {
        Ok(chain) => Verdict {
            ok: true,
            reason: None,
            detail: "the chain holds".to_owned(),
            fix: None,
            anchor: Some(chain.anchor().subject().canonical().as_str().to_owned()),
            intermediates: Some(chain.intermediates()),
        },
        Err(error) => {
            let refusal = Refusal::new(error.reason(), error.to_string());
            let fix = Some(refusal.fix().to_owned());
            Verdict { ok: false, reason: Some(refusal.reason.code), detail: refusal.detail, fix, anchor: None, intermediates: None }
        }
    };
    globals.out().data(&verdict, told)?;
    Ok(if verdict.ok { ExitCode::Ok } else { ExitCode::CheckFailed })
}

fn told(verdict: &Verdict) -> String {
    let mut rows = vec![("chain", if verdict.ok { "holds" } else { "DOES NOT HOLD" }.to_owned()), ("detail", verdict.detail.clone())];
    for (name, value) in [("reason", verdict.reason.map(str::to_owned)), ("fix", verdict.fix.clone()), ("anchor", verdict.anchor.clone())] {
        if let Some(value) = value {
            rows.push((name, value));
        }
    }
    pairs(rows)
}
