//! `signet cert issue`. Where the files go is settled before anything is issued; a key that was made goes to a file or onto a
//! terminal, and nowhere else.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use signet_client::{IssuedCertificate, NewCertificate};
use signet_crypto::sign::KeyType;
use signet_model::{ExitCode, Refusal};
use signet_pki::{Csr, pem};
use zeroize::Zeroizing;

use crate::cli::failure::{Failure, Outcome, USAGE};
use crate::cli::globals::{Format, Globals};
use crate::cli::output::{pairs, print, when};
use crate::cli::output_file::{FILE_UNREADABLE, OutputFile};
use crate::cli::runtime;

pub(super) const EXAMPLES: &str = "\
Examples:
  signet cert issue --csr dev-1.csr --identity dev-1 --out-cert dev-1.pem --tenant acme
  signet cert issue --csr - --identity dev-1 --tenant acme < dev-1.csr > dev-1.pem
  signet cert issue --generate-key p256 --common-name d2 --identity d2 --out-key d2.key --out-cert d2.pem --ttl 90d

The file of the certificate holds the chain too, leaf first, without the root. Neither file is ever overwritten.";

/// Longest file that is read.
const LONGEST_FILE: u64 = 1024 * 1024;

/// What to issue, and where it goes.
#[derive(Args, Debug)]
pub(super) struct IssueArgs {
    /// File of the request (PKCS#10, PEM or DER), `-` for stdin
    #[arg(long, value_name = "FILE", required_unless_present = "generate_key", conflicts_with = "generate_key")]
    csr: Option<PathBuf>,
    /// Make a key instead: p256, p384, ed25519, rsa2048, rsa3072 or rsa4096. It is shown once and never kept
    #[arg(long, value_name = "TYPE", value_parser = key_type)]
    generate_key: Option<KeyType>,
    /// Common name of the subject; else that of the request, else the certificate's id
    #[arg(long, value_name = "NAME")]
    common_name: Option<String>,
    /// Subject alternative name, repeatable: dns:NAME, uri:URI, ip:ADDRESS or email:ADDRESS, as far as the profile allows it
    #[arg(long, value_name = "KIND:NAME")]
    name: Vec<String>,
    /// Whose it is, by id or name
    #[arg(long, value_name = "IDENTITY")]
    identity: Option<String>,
    /// The form: device, kaa or service; else that of the settings
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// How long it is valid, such as 90d; else that of the settings
    #[arg(long, value_name = "SPAN")]
    ttl: Option<String>,
    /// New file for the key that is made, mode 0600
    #[arg(long, value_name = "FILE", requires = "generate_key")]
    out_key: Option<PathBuf>,
    /// New file for the certificate with its chain; else stdout
    #[arg(long, value_name = "FILE")]
    out_cert: Option<PathBuf>,
}

fn key_type(text: &str) -> Result<KeyType, String> {
    text.parse().map_err(|error: signet_crypto::sign::KeyTypeError| error.to_string())
}

/// What a command says of the certificate that it had issued.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    issued: Summary<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    out_cert: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    out_key: Option<String>,
    /// The chain as PEM, where it goes to no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<&'a str>,
    /// The key as PEM, where it goes to a terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<&'a str>,
}

#[derive(Serialize)]
struct Summary<'a> {
    id: String,
    serial: &'a str,
    serial_hex: &'a str,
    issuer: &'a str,
    state: &'a str,
    not_before: String,
    not_after: String,
    ignored: &'a [String],
}

pub(super) fn run(globals: &Globals, args: &IssueArgs) -> Outcome {
    let request = args.csr.as_deref().map(read_request).transpose()?;
    let cert_file = args.out_cert.as_deref().map(OutputFile::at).transpose()?;
    let key_file = args.out_key.as_deref().map(OutputFile::at).transpose()?;
    check_places(args, cert_file.as_ref(), key_file.as_ref())?;
    let client = globals.client()?;
    let key_type = args.generate_key.map(|kind| kind.to_string());
    let new = NewCertificate {
        csr: request.as_deref(),
        generate_key: key_type.as_deref(),
        common_name: args.common_name.as_deref(),
        names: &args.name,
        identity: args.identity.as_deref(),
        profile: args.profile.as_deref(),
        ttl: args.ttl.as_deref(),
    };
    runtime::client(async {
        let mut issued = client.issue_certificate(globals.tenant(), &new).await?;
        let key = issued.private_key.take().map(Zeroizing::new);
        let chain = format!("{}{}", issued.certificate, issued.chain.concat());
        keep(&issued, key_file.as_ref(), key.as_ref().map(|key| key.as_bytes()))?;
        keep(&issued, cert_file.as_ref(), Some(chain.as_bytes()))?;
        let shown_key = if key_file.is_none() { key.as_ref().map(|key| key.as_str()) } else { None };
        tell(globals, &issued, cert_file.as_ref(), key_file.as_ref(), &chain, shown_key)?;
        Ok(ExitCode::Ok)
    })
}

/// Refuses places that cannot take what will be put there.
fn check_places(args: &IssueArgs, cert_file: Option<&OutputFile>, key_file: Option<&OutputFile>) -> Result<(), Failure> {
    if let (Some(cert), Some(key)) = (cert_file, key_file)
        && cert.path() == key.path()
    {
        return Err(Failure::usage(&USAGE, "`--out-key` and `--out-cert` name the same file"));
    }
    if args.generate_key.is_some() && key_file.is_none() && !std::io::stdout().is_terminal() {
        return Err(Failure::usage(
            &USAGE,
            "a key that is made goes to a file (`--out-key FILE`) or onto a terminal, and stdout is neither",
        ));
    }
    Ok(())
}

/// The request as PEM, once it can be one. Nothing else of the file travels: a private key may lie beside it.
fn read_request(path: &Path) -> Result<String, Failure> {
    let bytes = read_input(path)?;
    // The cheap checks here too: a request beyond all bounds is refused by its name, before it is too large to travel.
    let request = Csr::parse(&bytes).map_err(super::lint::refusal)?;
    Ok(pem::write_request(request.received().expose()))
}

/// The content of a file, or of stdin where the path is `-`.
pub(in crate::cli) fn read_input(path: &Path) -> Result<Vec<u8>, Refusal> {
    let unreadable = |why: &dyn std::fmt::Display| Refusal::new(&FILE_UNREADABLE, format!("{}: {why}", path.display()));
    let mut bytes = Vec::new();
    let most = LONGEST_FILE.saturating_add(1);
    if path == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(|e| unreadable(&e))?;
    } else {
        std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)).map_err(|e| unreadable(&e))?;
    }
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LONGEST_FILE) {
        return Err(unreadable(&format!("longer than {LONGEST_FILE} bytes")));
    }
    Ok(bytes)
}

/// Writes a file. By now the certificate exists: a failure names it.
fn keep(issued: &IssuedCertificate, file: Option<&OutputFile>, content: Option<&[u8]>) -> Result<(), Failure> {
    let (Some(file), Some(content)) = (file, content) else { return Ok(()) };
    file.write(content).map_err(|refusal| {
        let detail = format!("certificate {} was issued, and then: {}", issued.id, refusal.detail);
        let fix = format!(
            "`signet cert show {0}` shows the certificate again. A key that was made for it is lost: `signet cert revoke {0}`, then issue another.",
            issued.id
        );
        Refusal::new(refusal.reason, detail).with_fix(fix).into()
    })
}

fn tell(
    globals: &Globals,
    issued: &IssuedCertificate,
    cert_file: Option<&OutputFile>,
    key_file: Option<&OutputFile>,
    chain: &str,
    private_key: Option<&str>,
) -> Result<(), Failure> {
    let out = globals.out();
    let shown = |file: Option<&OutputFile>| file.map(|file| file.path().display().to_string());
    let summary = Summary {
        id: issued.id.to_string(),
        serial: &issued.serial,
        serial_hex: &issued.serial_hex,
        issuer: &issued.issuer,
        state: &issued.state,
        not_before: issued.not_before.to_string(),
        not_after: issued.not_after.to_string(),
        ignored: &issued.ignored,
    };
    if out.format == Format::Table && cert_file.is_none() {
        // stdout is the certificate then, so that it can be piped on.
        print(private_key.unwrap_or_default())?;
        print(chain)?;
        out.note(&text(issued));
        return Ok(());
    }
    let told = Told {
        issued: summary,
        out_cert: shown(cert_file),
        out_key: shown(key_file),
        chain: cert_file.is_none().then_some(chain),
        private_key,
    };
    out.data(&told, |told| format!("{}{}", told.private_key.unwrap_or_default(), text(issued)))
}

fn text(issued: &IssuedCertificate) -> String {
    let now = crate::clock::now();
    let mut rows = vec![
        ("id", issued.id.to_string()),
        ("serial", issued.serial.clone()),
        ("serial (hex)", issued.serial_hex.clone()),
        ("issuer", issued.issuer.clone()),
        ("state", issued.state.clone()),
        ("valid until", when(issued.not_after, now)),
    ];
    if !issued.ignored.is_empty() {
        rows.push(("left out", issued.ignored.join(", ")));
    }
    pairs(rows)
}

#[cfg(test)]
mod tests {
    use signet_crypto::SystemEntropy;
    use signet_crypto::sign::SigningKey;
    use signet_pki::{Name, Profile, write_request};

    use super::*;

    #[test]
    fn of_a_file_that_holds_the_key_too_only_the_request_travels() {
        let key = SigningKey::generate(KeyType::P256, &SystemEntropy).unwrap();
        let request = pem::write_request(&write_request(&Name::common("d").unwrap(), Profile::Device, &key).unwrap());
        let secret = pem::write_private_key(&key.to_pkcs8());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("both.pem");
        for parts in [[request.as_bytes(), secret.expose()], [secret.expose(), request.as_bytes()]] {
            std::fs::write(&file, parts.concat()).unwrap();
            assert_eq!(read_request(&file).unwrap(), request);
        }
    }
}
