//! Certificates: the platform's authority where files bring it, what certificates name for their revocation, and Vault.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use signet_authority::check_platform_files;
use signet_crypto::SystemEntropy;
use signet_custody::vault::VaultHealth;

use super::{Check, Patient};
use crate::config::CustodyKind;
use crate::lifecycle::{ClientCertificate, vault};

/// For one question to Vault.
const DEADLINE: Duration = Duration::from_secs(5);

pub(super) async fn all(patient: &Patient<'_>) -> Vec<Check> {
    let mut checks = vec![platform(patient), revocation(patient)];
    if patient.settings.custody.kind == CustodyKind::Vault {
        checks.push(custody(patient).await);
    }
    checks
}

fn platform(patient: &Patient<'_>) -> Check {
    const NAME: &str = "platform authority";
    let authority = &patient.settings.authority;
    let (Some(certificate), Some(key)) = (&authority.platform_cert_file, &authority.platform_key_file) else {
        return Check::fine(
            NAME,
            "made at the first start, its key sealed in the database; `signet ca ceremony` makes one under an offline root",
        );
    };
    match check_platform_files(certificate, key, authority.platform_chain_file.as_deref(), crate::clock::now()) {
        Ok(_) => Check::fine(NAME, format!("{} and its key belong together and can issue", certificate.display())),
        Err(refusal) => {
            let fix = refusal.fix().to_owned();
            Check::failed(NAME, format!("{}: {}", refusal.reason.code, refusal.detail), fix)
        }
    }
}

/// Whether what certificates name can be reached by others than this machine.
fn revocation(patient: &Patient<'_>) -> Check {
    const NAME: &str = "revocation address";
    const FIX: &str =
        "Set `authority.revocation_url` to a name that outlives this machine, before certificates are issued that others verify.";
    if let Some(url) = &patient.settings.authority.revocation_url {
        return Check::fine(NAME, format!("certificates name {} for lists and OCSP", url.0));
    }
    let bound = patient.endpoint.as_ref().and_then(|endpoint| endpoint.listeners.get("revocation").cloned());
    let address = bound.unwrap_or_else(|| patient.settings.listen.revocation.to_string());
    let own = address.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback());
    let whom = if own { ", which only this machine reaches" } else { "" };
    Check::warning(NAME, format!("certificates name the listener {address} for lists and OCSP{whom}"), FIX)
}

async fn custody(patient: &Patient<'_>) -> Check {
    const NAME: &str = "vault";
    const FIX: &str = "Unseal or start it, or correct section [custody]; a running Signet goes on by itself.";
    let settings = &patient.settings.custody;
    let client = ClientCertificate::open(settings);
    let vault = match client.and_then(|client| vault(settings, None, client.as_ref(), Arc::new(SystemEntropy))) {
        Ok(vault) => vault,
        Err(refusal) => {
            let fix = refusal.fix().to_owned();
            return Check::failed(NAME, format!("{}: {}", refusal.reason.code, refusal.detail), fix);
        }
    };
    match tokio::time::timeout(DEADLINE, vault.health()).await {
        Ok(Ok(VaultHealth::Active)) => Check::fine(NAME, "it serves"),
        Ok(Ok(VaultHealth::Standby | VaultHealth::PerformanceStandby)) => Check::fine(NAME, "a standby answers, and passes requests on"),
        Ok(Ok(VaultHealth::RecoverySecondary)) => {
            Check::failed(NAME, "the secondary of a disaster recovery pair, which serves nothing", FIX)
        }
        Ok(Ok(VaultHealth::Uninitialised)) => {
            Check::failed(NAME, "it was never initialised", "Initialise it with `vault operator init` or `bao operator init`.")
        }
        Ok(Ok(VaultHealth::Sealed)) => Check::failed(NAME, "it is sealed", FIX),
        Ok(Err(error)) => Check::failed(NAME, format!("{}: {error}", error.reason().code), error.reason().fix),
        Err(_) => Check::failed(NAME, format!("no answer within {} s", DEADLINE.as_secs()), FIX),
    }
}
