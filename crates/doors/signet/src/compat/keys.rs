//! Every key of Kaa's chapter 18.3 and the common 18.1, once: its name, type, default and meaning here. The reader, the overrides by
//! environment, the warnings about unknown names and the page of the reference come from this one table.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use signet_model::TenantId;
use zeroize::Zeroizing;

use crate::config::{Count, HttpUrl, Instance, Raw, Set, Setting, VaultAuth, quoted, words, wrong};

words! {
    /// How PostgreSQL is talked to, as libpq names it.
    SslMode: "\"disable\", \"require\", \"verify-ca\" or \"verify-full\"" {
        /// In plain text.
        Disable = "disable",
        /// Encrypted, to whoever answers.
        Require = "require",
        /// Encrypted, to a server with a certificate of a known authority.
        VerifyCa = "verify-ca",
        /// And with the name that was asked for.
        VerifyFull = "verify-full",
    }
}

words! {
    /// The form of certificates, by the names of the original's file.
    CcmProfile: "\"default\" or \"kaa\"" {
        /// For clients only.
        Default = "default",
        /// As the original's.
        Kaa = "kaa",
    }
}

/// A length of time as Go writes it, such as `8760h` or `1h30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GoSpan(pub(crate) Duration);

impl GoSpan {
    /// Zero and more than 100 years are refused.
    fn parse(text: &str) -> Option<Self> {
        const LONGEST: Duration = Duration::from_secs(86_400 * 36_525);
        let mut total = Duration::ZERO;
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit())?;
            let (number, behind) = rest.split_at(digits);
            let (unit, millis): (&str, u64) =
                [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)].into_iter().find(|(unit, _)| behind.starts_with(unit))?;
            let part = Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(millis)?);
            total = total.checked_add(part)?;
            rest = behind.get(unit.len()..)?;
        }
        (!total.is_zero() && total <= LONGEST).then_some(Self(total))
    }
}

impl Setting for GoSpan {
    const WANTED: &'static str = "a length of time such as \"8760h\" or \"1h30m\" (ms, s, m, h)";
    const EXAMPLE: &'static str = "\"8760h\"";

    fn read(raw: &Raw) -> Option<Self> {
        Self::parse(raw.text()?)
    }

    fn toml(&self) -> Option<String> {
        let seconds = self.0.as_secs();
        let whole_hours = self.0.subsec_millis() == 0 && seconds.checked_rem(3_600) == Some(0);
        Some(quoted(&if whole_hours { format!("{}h", seconds / 3_600) } else { format!("{}ms", self.0.as_millis()) }))
    }
}

/// A secret in a foreign file; any text without NUL, also an empty one.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hidden(pub(crate) Zeroizing<String>);

impl Hidden {
    /// Takes a text.
    pub(crate) fn of(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden(..)")
    }
}

impl Setting for Hidden {
    const WANTED: &'static str = "a text";
    const EXAMPLE: &'static str = "";
    const SECRET: bool = true;

    fn read(raw: &Raw) -> Option<Self> {
        raw.text().filter(|text| !text.contains('\0')).map(Self::of)
    }

    fn toml(&self) -> Option<String> {
        Some(quoted(&self.0))
    }

    fn shown(&self) -> Option<String> {
        Some(quoted("***"))
    }
}

/// One key as `--check` and the reference show it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct KeyEntry {
    /// Its dotted name.
    pub(crate) key: &'static str,
    /// What it means here.
    pub(crate) doc: &'static str,
    /// What a value must be.
    pub(crate) wanted: Cow<'static, str>,
    /// Its value as shown, secrets masked; none when unset.
    pub(crate) value: Option<String>,
    /// Whether file or environment gave it.
    pub(crate) given: bool,
}

/// The environment variable that overrides a key: upper-cased, `.` and `-` as `_`.
pub(crate) fn variable(key: &str) -> String {
    key.chars().map(|c| if matches!(c, '.' | '-') { '_' } else { c.to_ascii_uppercase() }).collect()
}

macro_rules! keys {
    ($($(#[doc = $doc:literal])+ $field:ident in $key:literal: $ty:ty = $default:expr;)+) => {
        /// The configuration of Kaa's CCM as it was found.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) struct CcmKeys {
            $($(#[doc = $doc])+ pub(crate) $field: $ty,)+
            /// The keys that were set, by file or environment.
            pub(crate) given: BTreeSet<&'static str>,
        }

        impl Default for CcmKeys {
            fn default() -> Self {
                Self { $($field: $default,)+ given: BTreeSet::new() }
            }
        }

        impl CcmKeys {
            /// Sets one key.
            pub(crate) fn set(&mut self, key: &str, raw: &Raw) -> Set {
                match key {
                    $($key => match <$ty as Setting>::read(raw) {
                        Some(value) => { self.$field = value; self.given.insert($key); Set::Done }
                        None => wrong::<$ty>(raw),
                    },)+
                    _ => Set::Unknown,
                }
            }

            /// Every key with its present value.
            pub(crate) fn entries(&self) -> Vec<KeyEntry> {
                vec![$(KeyEntry {
                    key: $key,
                    doc: concat!($($doc),+),
                    wanted: <$ty as Setting>::wanted(),
                    value: self.$field.shown(),
                    given: self.given.contains($key),
                }),+]
            }
        }
    };
}

keys! {
    /// Name of the service instance: part of every subject, and the queue group.
    instance in "service.instance.name": Instance = Instance("ccm".to_owned());
    /// Name of this replica in events; made anew at each start when absent.
    replica in "service.instance.replica.id": Option<Instance> = None;
    /// Seconds that running requests have to end in when the service stops.
    graceful_shutdown in "service.graceful-shutdown": Count<0, 86_400> = Count(30);
    /// Port of REST, `/health`, `/ready` and `/metrics`, plain HTTP on every IPv4 address; 0 asks for a free one.
    port in "server.port": Count<0, 65_535> = Count(80);
    /// Addresses of NATS, parted by commas; they may hold a user and password or a token.
    nats_urls in "nats.urls": Hidden = Hidden::of("nats://nats:4222");
    /// Host of PostgreSQL.
    postgres_host in "kaa.postgresql.host": String = "ccm-postgresql".to_owned();
    /// Its port.
    postgres_port in "kaa.postgresql.port": Count<1, 65_535> = Count(5432);
    /// The database.
    postgres_database in "kaa.postgresql.database": String = "ccm".to_owned();
    /// The user.
    postgres_username in "kaa.postgresql.username": String = "ccm".to_owned();
    /// The user's password.
    postgres_password in "kaa.postgresql.password": Hidden = Hidden::of("ccm");
    /// How the server is trusted; authorities of its certificate: `SIGNET_DATABASE__CA_FILE`.
    postgres_sslmode in "kaa.postgresql.sslmode": SslMode = SslMode::Disable;
    /// Most connections; 0 (no limit) and more than 500 are taken as 500, with a warning.
    postgres_connections in "kaa.postgresql.max-open-connections": Count<0, 1_000_000> = Count(100);
    /// The whole address as releases up to 1.2 have it; wins over the keys above, with a warning.
    postgres_url in "kaa.postgresql.url": Option<Hidden> = None;
    /// Authentication requests worked on at once.
    cap_concurrency in "kaa.cap.provider.basic.concurrency": Count<1, 1024> = Count(8);
    /// Authentication requests that may wait; 16 times the concurrency when absent.
    cap_queue_length in "kaa.cap.provider.basic.queue-length": Option<Count<0, 65_536>> = None;
    /// Cost of bcrypt for new passwords.
    bcrypt_cost in "kaa.ccm.bcrypt.cost": Count<4, 16> = Count(10);
    /// Refuse the transitions that Kaa's product text does not name.
    strict_fsm in "kaa.ccm.strict-fsm": bool = false;
    /// Answer for endpoint tokens on the message bus; off, since the cluster has a CM.
    cm_enabled in "kaa.cm.enabled": bool = false;
    /// Name of the service instance that answers for endpoint tokens.
    cm_instance in "kaa.cm.instance-name": Instance = Instance("cm".to_owned());
    /// Characters of an endpoint token that is generated; below 20 is taken as 20, with a warning.
    ep_token_length in "kaa.cm.ep-token.length": Count<1, 255> = Count(20);
    /// Ask callers of REST who they are; `false` lets anyone do anything in the default tenant, and is told loudly.
    security_enabled in "kaa.security.enabled": bool = true;
    /// The Tenant Manager, which names the tenants and their issuers.
    tenant_manager_url in "kaa.security.tenant-manager.url": Option<HttpUrl> = None;
    /// The issuer at which this service logs in for the Tenant Manager; without a Tenant Manager that of the default tenant's people.
    issuer in "kaa.security.issuer": Option<HttpUrl> = None;
    /// The client that this service is at that issuer, and that it asks for permissions as.
    client_id in "kaa.security.client-id": Option<String> = None;
    /// The client's secret, for the login.
    client_secret in "kaa.security.client-secret": Option<Hidden> = None;
    /// Authorities that the certificates of Tenant Manager and issuers come from; else the system's.
    security_ca_file in "kaa.security.tls.ca-file": Option<PathBuf> = None;
    /// The tenant of `kaa.security.issuer`, and of everybody when security is off.
    default_tenant in "kaa.security.default-tenant": TenantId = kaa();
    /// Certificates as credentials, their authorities, and their revocation lists on port 7480.
    x509_enabled in "kaa.x509.enabled": bool = false;
    /// Certificate of the platform's authority as PEM; wanted with `kaa.x509.enabled`.
    x509_ca_cert_file in "kaa.x509.ca.cert-file": Option<PathBuf> = None;
    /// Its private key as PEM, mode 0600.
    x509_ca_key_file in "kaa.x509.ca.key-file": Option<PathBuf> = None;
    /// Vault or OpenBao, which then keeps the keys of the tenants' authorities; without it they lie in PostgreSQL, sealed under a key
    /// that follows from the platform authority's.
    vault_url in "kaa.x509.vault.url": Option<HttpUrl> = None;
    /// What is shown at the login there: the token, or the secret id of `approle`.
    vault_token in "kaa.x509.vault.token": Option<Hidden> = None;
    /// How to log in there.
    vault_auth in "kaa.x509.vault.auth-method": VaultAuth = VaultAuth::Token;
    /// The role to log in as: of `kubernetes`, or the role id of `approle`.
    vault_role in "kaa.x509.vault.role": Option<String> = None;
    /// Path of the PKI mounts; each tenant's is below it.
    vault_mount_prefix in "kaa.x509.vault.mount-prefix": String = "pki/kaa".to_owned();
    /// The namespace there.
    vault_namespace in "kaa.x509.vault.namespace": Option<String> = None;
    /// Authorities that its certificate comes from; else the system's.
    vault_ca_file in "kaa.x509.vault.ca-file": Option<PathBuf> = None;
    /// Life of a certificate when none is asked for.
    x509_default_ttl in "kaa.x509.default-ttl": GoSpan = GoSpan(Duration::from_secs(8_760 * 3_600));
    /// The longest that can be asked for.
    x509_max_ttl in "kaa.x509.max-ttl": GoSpan = GoSpan(Duration::from_secs(87_600 * 3_600));
    /// `default`: P-256, client authentication only, no DNS name. `kaa`: as the original, RSA with both usages and the common name as a
    /// DNS name.
    x509_profile in "kaa.x509.profile": CcmProfile = CcmProfile::Default;
}

/// The tenant that Kaa's own installation has.
#[expect(clippy::expect_used, reason = "a constant that is a tenant's name; a test reads every default")]
fn kaa() -> TenantId {
    "kaa".parse().expect("a tenant's name")
}

/// Keys of the original that mean nothing here, and why; they are taken without a word, as is everything below them.
pub(crate) const WITHOUT_EFFECT: &[(&str, &str)] = &[("kaa.tekton", "CCM takes nothing from Tekton")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_go_writes_them() {
        for (text, seconds) in [("8760h", 31_536_000), ("1h30m", 5_400), ("90m", 5_400), ("1m500ms", 60)] {
            assert_eq!(GoSpan::parse(text).unwrap().0.as_secs(), seconds, "{text}");
        }
        for bad in ["", "0h", "1.5h", "-1h", "1d", "h", "10", "876601h", "99999999999999999999h"] {
            assert_eq!(GoSpan::parse(bad), None, "{bad}");
        }
        assert_eq!(GoSpan::parse("1h30m").unwrap().toml().unwrap(), "\"5400000ms\"");
    }
}
