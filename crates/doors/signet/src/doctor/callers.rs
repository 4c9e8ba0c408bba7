//! Who may call: whether anybody is asked who they are, and whether the issuers of the settings can be asked for their keys.

use signet_http::oidc::examine_issuer;

use super::{Check, Patient};
use crate::lifecycle::issuers_client;

/// Issuers that are asked; a doctor that asked hundreds would take minutes.
const MOST_ASKED: usize = 20;

pub(super) async fn all(patient: &Patient<'_>) -> Vec<Check> {
    let mut checks = vec![security(patient)];
    checks.extend(issuers(patient).await);
    checks
}

fn security(patient: &Patient<'_>) -> Check {
    const NAME: &str = "security";
    let security = &patient.settings.security;
    if security.enabled {
        return Check::fine(NAME, "callers of the API are asked who they are");
    }
    let detail =
        format!("SECURITY IS OFF: whoever reaches the API may do anything in tenant `{}`, without a token", security.default_tenant);
    Check::failed(NAME, detail, "Set `security.enabled = true` and start the server again; `false` is for development only.")
}

async fn issuers(patient: &Patient<'_>) -> Vec<Check> {
    const NAME: &str = "issuer";
    const FIX: &str = "Correct section [oidc]: the issuer's address, `ca_file`, `allow_networks`; or mend the issuer.";
    let settings = &patient.settings.oidc;
    if settings.issuers.0.is_empty() {
        return Vec::new();
    }
    let outbound = match issuers_client(settings) {
        Ok(outbound) => outbound,
        Err(refusal) => return vec![Check::failed(NAME, refusal.to_string(), refusal.fix().to_owned())],
    };
    let mut checks = Vec::new();
    for (tenant, issuer) in settings.issuers.0.iter().take(MOST_ASKED) {
        checks.push(match examine_issuer(&outbound, issuer).await {
            Ok(0) => Check::failed(NAME, format!("{issuer} of tenant `{tenant}` publishes no key that can be used"), FIX),
            Ok(keys) => Check::fine(NAME, format!("{issuer} of tenant `{tenant}` publishes {keys} usable keys")),
            Err(why) => Check::failed(NAME, format!("{issuer} of tenant `{tenant}`: {why}"), FIX),
        });
    }
    checks
}
