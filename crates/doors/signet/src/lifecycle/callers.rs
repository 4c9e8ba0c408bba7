//! Who may call besides the holders of our own tokens: the people of the tenants' issuers, or, when the settings say so and the
//! process shouts about it, everybody.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use signet_credentials::ports::Callers;
use signet_credentials::{CredentialsRoom, People};
use signet_http::oidc::{IssuerDirectory, IssuerList, Oidc, OidcConfig, OidcMetrics, OidcParts, TenantIssuer};
use signet_http::{HealthLine, HealthSource};
use signet_model::{Caller, Refusal, Scope, TenantId, TraceId};
use signet_outbound::{AddressPolicy, Outbound, OutboundConfig};

use super::boot::Foundation;
use super::health::Told;
use super::metrics::Readings;
use crate::config::{self, CONFIG_VALUE, Settings};

/// Keys are two answers, and whoever waits for them wants one within the deadline of a request.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// Longest difference of clocks that may be allowed.
const LONGEST_LEEWAY: Duration = Duration::from_secs(600);

/// Those whom the settings let in. `managed` knows the issuers that come from elsewhere than the settings.
pub(super) async fn admitted(
    settings: &Settings,
    foundation: &Foundation,
    room: &Arc<CredentialsRoom>,
    managed: Option<Arc<dyn IssuerDirectory>>,
    registry: &mut Registry,
) -> Result<People, Refusal> {
    if !settings.security.enabled {
        return everybody(settings, foundation, room).await;
    }
    let directory = directory(&settings.oidc, managed)?;
    let Some(directory) = directory else { return Ok(People::Nobody) };
    let oidc = Oidc::new(OidcParts {
        directory,
        outbound: outbound(&settings.oidc)?,
        clock: Arc::clone(&foundation.clock),
        entropy: Arc::clone(&foundation.entropy),
        config: OidcConfig {
            leeway: leeway(&settings.oidc)?,
            audience: settings.oidc.audience.clone(),
            uma: settings.oidc.uma,
            ..OidcConfig::default()
        },
        metrics: OidcMetrics::register(registry),
    });
    readings(&oidc).register(registry);
    Ok(People::Issuers(oidc))
}

/// What the settings say of callers, for the page of truth of a tenant.
pub(super) struct Asked {
    issuers: Vec<(TenantId, String)>,
    security: bool,
}

impl Asked {
    pub(super) fn of(settings: &Settings) -> Arc<Self> {
        Arc::new(Self { issuers: settings.oidc.issuers.0.clone(), security: settings.security.enabled })
    }
}

impl Callers for Asked {
    fn issuer_of(&self, tenant: &TenantId) -> Option<String> {
        self.issuers.iter().find(|(listed, _)| listed == tenant).map(|(_, issuer)| issuer.clone())
    }

    fn security_off(&self) -> bool {
        !self.security
    }
}

/// A line that `/ready` and `/health` show as long as nobody is asked who they are; none else.
pub(super) fn shout(settings: &Settings) -> Option<Arc<dyn HealthSource>> {
    let line = HealthLine { name: "security", ok: true, detail: "OFF: anyone may do anything in one tenant".to_owned() };
    (!settings.security.enabled).then(|| Arc::new(Told(move || vec![line.clone()])) as Arc<dyn HealthSource>)
}

async fn everybody(settings: &Settings, foundation: &Foundation, room: &Arc<CredentialsRoom>) -> Result<People, Refusal> {
    let tenant = settings.security.default_tenant.clone();
    let scope = Scope {
        tenant: tenant.clone(),
        caller: Caller::System("security-off"),
        trace: TraceId::generate(foundation.entropy.as_ref()),
        correlation: None,
        clock: Arc::clone(&foundation.clock),
        entropy: Arc::clone(&foundation.entropy),
    };
    room.ensure_tenant(&scope).await?;
    tracing::error!(
        event = "security.off",
        %tenant,
        detail = "`security.enabled` is false: whoever reaches the API may do anything in this tenant, without a token",
        fix = "set `security.enabled = true`"
    );
    Ok(People::Everybody(tenant))
}

/// The issuers of the settings, and after them those from elsewhere; none when there can be none.
fn directory(settings: &config::Oidc, managed: Option<Arc<dyn IssuerDirectory>>) -> Result<Option<Arc<dyn IssuerDirectory>>, Refusal> {
    let listed = settings.issuers.0.iter().map(|(tenant, issuer)| TenantIssuer {
        tenant: tenant.clone(),
        issuer: issuer.clone(),
        client_id: settings.client_id.clone(),
        client_secret: None,
    });
    let twice = |issuer: String| Refusal::new(&CONFIG_VALUE, format!("`oidc.issuers` names `{issuer}` twice"));
    let listed = IssuerList::new(listed).map_err(twice)?;
    Ok(match managed {
        Some(managed) => Some(Arc::new(Both { listed, managed })),
        None if listed.is_empty() => None,
        None => Some(Arc::new(listed)),
    })
}

/// What an operator wrote down wins over what is told from elsewhere.
struct Both {
    listed: IssuerList,
    managed: Arc<dyn IssuerDirectory>,
}

impl IssuerDirectory for Both {
    fn by_issuer(&self, issuer: &str) -> Option<Arc<TenantIssuer>> {
        self.listed.by_issuer(issuer).or_else(|| self.managed.by_issuer(issuer))
    }
}

/// The client that asks issuers.
pub(crate) fn outbound(settings: &config::Oidc) -> Result<Outbound, Refusal> {
    let mut policy = AddressPolicy::deny_by_default().allow_networks(&settings.allow_networks.0);
    if settings.allow_plain_http {
        policy = policy.allow_plain_http();
    }
    let asking = OutboundConfig {
        ca_file: settings.ca_file.clone(),
        connect_timeout: CONNECT_WITHIN,
        total_timeout: ANSWER_WITHIN,
        ..OutboundConfig::new(policy)
    };
    Ok(Outbound::new(asking)?)
}

fn leeway(settings: &config::Oidc) -> Result<Duration, Refusal> {
    let leeway = settings.leeway.0;
    if leeway > LONGEST_LEEWAY {
        return Err(Refusal::new(&CONFIG_VALUE, format!("`oidc.leeway` is {}; at most 10m are allowed", settings.leeway))
            .with_fix("Set the clocks right by NTP, and leave `oidc.leeway` at 60s."));
    }
    Ok(leeway)
}

fn readings(oidc: &Arc<Oidc>) -> Readings {
    let (count, age) = (Arc::clone(oidc), Arc::clone(oidc));
    Readings::default()
        .gauge("signet_oidc_issuers_overdue", "Issuers whose keys are in use although they could not be renewed in time", move || {
            u32::try_from(count.overdue().0).ok().map(f64::from)
        })
        .gauge("signet_oidc_keys_overdue_seconds", "Greatest age among those keys", move || Some(age.overdue().1.as_secs_f64()))
}
