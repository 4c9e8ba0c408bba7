//! The room of tenants, identities and credentials: its settings, and what its failures are called here.

use std::time::Duration;

use signet_credentials::{CredentialsConfig, CredentialsError, LimitConfig, Quota, VerdictConfig};
use signet_model::{Refusal, kinds};

use crate::config::{Limits, Settings};

pub(super) fn config(settings: &Settings) -> Result<CredentialsConfig, Refusal> {
    let instance = |name: &str, key| name.parse().map_err(|e| Refusal::new(&kinds::INTERNAL, format!("kaa.{key}: {e}")));
    let count = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    Ok(CredentialsConfig {
        bcrypt_cost: settings.password.bcrypt_cost.0,
        strict_fsm: settings.kaa.strict_fsm,
        cap_concurrency: count(settings.kaa.cap_concurrency.0),
        cap_queue_length: count(settings.kaa.cap_queue_length.0),
        cm_enabled: settings.kaa.cm_enabled,
        ep_token_length: count(settings.kaa.ep_token_length.0),
        verdicts: VerdictConfig { lifetime: settings.password.remember_for.0, most: count(settings.password.remember_most.0) },
        limits: limits(&settings.limits),
        ..CredentialsConfig::new(
            instance(&settings.kaa.ccm_instance.0, "ccm_instance")?,
            instance(&settings.kaa.cm_instance.0, "cm_instance")?,
        )
    })
}

fn limits(limits: &Limits) -> LimitConfig {
    let quota = |burst: u32, refill: Duration| Quota { burst, refill };
    LimitConfig {
        credential: quota(limits.credential_burst.0, limits.credential_refill.0),
        tenant: quota(limits.tenant_burst.0, limits.tenant_refill.0),
        source: quota(limits.source_burst.0, limits.source_refill.0),
    }
}

pub(super) fn refusal(error: CredentialsError) -> Refusal {
    let reason = match &error {
        CredentialsError::Configuration(_) => &crate::config::CONFIG_VALUE,
        CredentialsError::Threads(_) => &kinds::INTERNAL,
        CredentialsError::Bus(bus) => bus.reason(),
    };
    Refusal::new(reason, error.to_string())
}
