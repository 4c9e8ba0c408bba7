//! Every key of `signet.toml`, once: its type, default and explanation. The parser, the overrides by environment, `config
//! show`, `config sample` and the list of known names all come from this one table.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use signet_crypto::sign::KeyType;
use signet_model::TenantId;

use super::address::{Address, DatabaseUrl, NatsUrl};
use super::authority::{CaKey, CertificateForm, PlainUrl, VaultAuth};
use super::callers::Issuers;
use super::choice::{CustodyKind, LogFormat, LogLevel, Roles};
use super::outward::{Hosts, HttpUrl, Networks};
use super::value::{Count, Instance, Raw, Setting, Span, wrong};

/// One key with what it holds now.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The section; empty for keys above the first.
    pub(crate) section: &'static str,
    /// What the section is for.
    pub(crate) section_doc: &'static str,
    /// The key.
    pub(crate) key: &'static str,
    /// What it is for.
    pub(crate) doc: &'static str,
    /// What a value must be.
    pub(crate) wanted: Cow<'static, str>,
    /// An example, for keys without a default.
    pub(crate) example: &'static str,
    /// Its value as TOML, secrets masked; none when unset.
    pub(crate) value: Option<String>,
}

impl Entry {
    /// `section.key`, or the key alone.
    pub(crate) fn name(&self) -> String {
        if self.section.is_empty() { self.key.to_owned() } else { format!("{}.{}", self.section, self.key) }
    }

    /// The environment variable that overrides it.
    pub(crate) fn variable(&self) -> String {
        let section = if self.section.is_empty() { String::new() } else { format!("_{}", self.section) };
        format!("SIGNET{section}__{}", self.key).to_ascii_uppercase()
    }
}

/// What came of setting a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// Done.
    Done,
    /// There is no such key.
    Unknown,
    /// The value is not what the key wants.
    Wrong(Wrong),
}

/// What is wrong with a value, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// What the key wants, with its range.
    pub(crate) wanted: Cow<'static, str>,
    /// What was found: the value, or its type alone where it may be a secret.
    pub(crate) seen: String,
}

macro_rules! settings {
    ($(#[doc = $section_doc:literal] $section:ident in $name:literal: $Section:ident {
        $($(#[doc = $doc:literal])+ $key:ident: $ty:ty = $default:expr;)+
    })+) => {
        $(
            #[doc = $section_doc]
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub(crate) struct $Section { $($(#[doc = $doc])+ pub(crate) $key: $ty),+ }
        )+

        /// All settings of one process.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) struct Settings { $(#[doc = $section_doc] pub(crate) $section: $Section),+ }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($section: $Section { $($key: $default),+ }),+ }
            }
        }

        impl Settings {
            /// Sets one key.
            pub(crate) fn set(&mut self, section: &str, key: &str, raw: &Raw) -> Set {
                match (section, key) {
                    $($(($name, stringify!($key)) => match <$ty as Setting>::read(raw) {
                        Some(value) => { self.$section.$key = value; Set::Done }
                        None => wrong::<$ty>(raw),
                    },)+)+
                    _ => Set::Unknown,
                }
            }

            /// Every key with its present value.
            pub(crate) fn entries(&self) -> Vec<Entry> {
                vec![$($(Entry {
                    section: $name,
                    section_doc: $section_doc,
                    key: stringify!($key),
                    doc: concat!($($doc),+),
                    wanted: <$ty as Setting>::wanted(),
                    example: <$ty as Setting>::EXAMPLE,
                    value: self.$section.$key.shown(),
                }),+),+]
            }
        }
    };
}

settings! {
    /// The process itself.
    process in "": Process {
        /// What this process does: `api` serves REST and answers the message bus, `worker` orders, signs and publishes changes.
        roles: Roles = Roles::all();
        /// Where everything of this process is kept. `--data-dir` and `SIGNET_DATA_DIR` win over it.
        data_dir: PathBuf = PathBuf::from("./signet-data");
    }
    /// Addresses to listen on. `--listen NAME=HOST:PORT` wins over them.
    listen in "listen": Listen {
        /// REST API, over TLS.
        api: Address = Address::loopback(7443);
        /// Health, readiness and metrics, plain HTTP; keep it off public networks.
        management: Address = Address::loopback(7070);
        /// Revocation lists and OCSP, plain HTTP; whoever verifies certificates must reach it.
        revocation: Address = Address::loopback(7480);
    }
    /// The certificate of the API listener. Without files one is made and renewed in the data directory.
    tls in "tls": Tls {
        /// Certificate chain as PEM, leaf first. Read again on SIGHUP.
        cert_file: Option<PathBuf> = None;
        /// Its private key as PEM, mode 0600. Read again on SIGHUP.
        key_file: Option<PathBuf> = None;
    }
    /// Where state is kept.
    database in "database": Database {
        /// `sqlite` keeps it in the data directory; replicas share one PostgreSQL.
        url: DatabaseUrl = DatabaseUrl::Sqlite;
        /// Most connections to PostgreSQL (1 to 500).
        max_connections: Count<1, 500> = Count(16);
        /// Certificates that the PostgreSQL server's must be signed by.
        ca_file: Option<PathBuf> = None;
    }
    /// The message bus. Without a URL it stays inside the process.
    nats in "nats": Nats {
        /// The NATS server.
        url: Option<NatsUrl> = None;
        /// User name, with `password_file`.
        user: Option<String> = None;
        /// File that holds the password.
        password_file: Option<PathBuf> = None;
        /// NATS credentials file (JWT and key), instead of user and password.
        creds_file: Option<PathBuf> = None;
        /// Certificates that the NATS server's must be signed by.
        ca_file: Option<PathBuf> = None;
        /// Client certificate shown to the NATS server, as PEM.
        cert_file: Option<PathBuf> = None;
        /// Its private key, as PEM.
        key_file: Option<PathBuf> = None;
    }
    /// The key that protects secrets at rest.
    seal in "seal": Seal {
        /// The key file, mode 0600; all replicas hold the same. Without it: `seal.key` in the data directory.
        key_file: Option<PathBuf> = None;
    }
    /// Passwords of basic credentials.
    password in "password": Password {
        /// Cost of bcrypt (4 to 16): each step doubles the time of a check.
        bcrypt_cost: Count<4, 16> = Count(10);
        /// How long a right password is known without bcrypt (at most `24h`). What was taken back is refused at once all the same.
        remember_for: Span = Span(Duration::from_secs(300));
        /// Right passwords that are remembered, at about 100 bytes each; 0 remembers none.
        remember_most: Count<0, 10_000_000> = Count(100_000);
    }
    /// Wrong passwords that this process allows: a burst, and one more after each refill. Right ones count nowhere.
    limits in "limits": Limits {
        /// For one tenant and username, in a row. Beyond it REST answers 429 and the message bus 503; only a right password that is
        /// remembered passes then.
        credential_burst: Count<1, 1_000_000> = Count(200);
        /// Until one more is allowed for one tenant and username.
        credential_refill: Span = Span(Duration::from_secs(10));
        /// For one tenant, in a row.
        tenant_burst: Count<1, 1_000_000> = Count(20_000);
        /// Until one more is allowed for one tenant.
        tenant_refill: Span = Span(Duration::from_millis(10));
        /// For one address (one /64 network of IPv6) that calls REST, in a row.
        source_burst: Count<1, 1_000_000> = Count(2_000);
        /// Until one more is allowed for one address.
        source_refill: Span = Span(Duration::from_millis(100));
    }
    /// The part of Kaa's Client Credentials Management that this process plays.
    kaa in "kaa": Kaa {
        /// Name of the service instance: part of the subjects, and the queue group.
        ccm_instance: Instance = Instance("ccm".to_owned());
        /// Name of the service instance that gateways ask about endpoint tokens: part of the subjects, and the queue group.
        cm_instance: Instance = Instance("cm".to_owned());
        /// Refuse the transitions that Kaa's product text does not name (from Inactive, and Suspended to Revoked).
        strict_fsm: bool = false;
        /// Authentication requests whose passwords are hashed at once, as far as there are cores (1 to 1024).
        cap_concurrency: Count<1, 1024> = Count(8);
        /// Authentication requests that may wait for that; more are told 503 at once (0 to 65536). What needs no hashing never waits
        /// behind them.
        cap_queue_length: Count<0, 65536> = Count(128);
        /// Answer for endpoint tokens on the message bus. Off, since a cluster of Kaa's has a service of its own for them.
        cm_enabled: bool = false;
        /// Characters of an endpoint token that is generated (20 to 255); 22 hold 130 random bits, Kaa's own 20 hold 119.
        ep_token_length: Count<20, 255> = Count(22);
    }
    /// People, by the OAuth issuers of their tenants.
    oidc in "oidc": Oidc {
        /// The tenants' issuers, each as "TENANT=https://ISSUER". Those that the Tenant Manager names are taken too.
        issuers: Issuers = Issuers(Vec::new());
        /// What a token's `aud` must name. Without it any audience is taken, as Kaa's services do.
        audience: Option<String> = None;
        /// How far the clocks of issuers and this machine may differ (at most 10m).
        leeway: Span = Span(Duration::from_secs(60));
        /// Ask the issuer when a token does not carry a permission itself (User-Managed Access), as the client of `client_id`.
        uma: bool = false;
        /// The client that stands for this service at the issuers above; those of the Tenant Manager bring their own.
        client_id: Option<String> = None;
        /// Certificates that the issuers' must be signed by; without it the system's authorities count.
        ca_file: Option<PathBuf> = None;
        /// Networks that issuers may be in, beside public addresses. A cloud's metadata address must be listed by itself.
        allow_networks: Networks = Networks(Vec::new());
        /// Let `http` be spoken with them, too.
        allow_plain_http: bool = false;
    }
    /// Whether callers of the API are asked who they are.
    security in "security": Security {
        /// `false` lets anyone do anything in `default_tenant`, without a token. For development only; the server says so loudly.
        enabled: bool = true;
        /// The tenant that everybody is in then.
        default_tenant: TenantId = default_tenant();
    }
    /// Kaa's Tenant Manager, where one keeps the tenants. Without a URL the tenants are kept here.
    tenant_manager in "tenant_manager": TenantManager {
        /// Where it is, with a path if one lies in front of `/api`.
        url: Option<HttpUrl> = None;
        /// Issuer at which this process logs in for it, with `client_id` and `client_secret_file`; without them it asks as nobody.
        issuer: Option<HttpUrl> = None;
        /// The client that this process is at that issuer; it needs the scope `kaa:tenant:read`.
        client_id: Option<String> = None;
        /// File that holds the client's secret, mode 0600.
        client_secret_file: Option<PathBuf> = None;
        /// Certificates that the Manager's and the issuer's must be signed by; without it the system's authorities count.
        ca_file: Option<PathBuf> = None;
        /// How often its list is read. Events are followed at once.
        refresh_interval: Span = Span(Duration::from_secs(300));
        /// Networks that Manager and issuer may be in, beside public addresses. A cloud's metadata address must be listed by itself.
        allow_networks: Networks = Networks(Vec::new());
        /// Let `http` be spoken with them, too.
        allow_plain_http: bool = false;
    }
    /// How fresh this process's knowledge of revocations is.
    standing in "standing": Standing {
        /// How often it is checked against the truth.
        reconcile_interval: Span = Span(Duration::from_secs(30));
    }
    /// The certificate authorities: that of the platform, and below it one of each tenant.
    authority in "authority": Authority {
        /// The form of client certificates: `device` (client authentication only, no DNS name) or `kaa` (as Kaa's own issues them).
        profile: CertificateForm = CertificateForm::Device;
        /// Life of a client certificate when none is asked for.
        default_ttl: Span = Span(Duration::from_secs(365 * 86_400));
        /// The longest that can be asked for. No certificate outlives its authority.
        max_ttl: Span = Span(Duration::from_secs(3_650 * 86_400));
        /// How far certificates are dated back for peers whose clocks are behind, 12h at most; without it an hour, 30 s for
        /// `kaa`.
        back_dating: Option<Span> = None;
        /// Key of the authority of each tenant.
        tenant_ca_key: CaKey = CaKey(KeyType::P256);
        /// Where verifiers find revocation lists, OCSP and the certificates of authorities: written into every certificate, so it must
        /// outlive them. Without it: the address of listener `revocation`.
        revocation_url: Option<PlainUrl> = None;
        /// Certificate of the platform's authority as PEM, as `signet ca ceremony` makes it. Without files one is made and kept in
        /// the database.
        platform_cert_file: Option<PathBuf> = None;
        /// Its private key as PEM, mode 0600.
        platform_key_file: Option<PathBuf> = None;
        /// What stands above it, up to the root, as PEM; without it the platform's authority is the one to trust.
        platform_chain_file: Option<PathBuf> = None;
    }
    /// Where keys of authorities and seals live.
    custody in "custody": Custody {
        /// `software`: in this process, sealed at rest by the key of section `seal`. `vault`: keys of tenants' authorities are made in
        /// Vault or OpenBao and never leave it.
        kind: CustodyKind = CustodyKind::Software;
        /// Address of Vault or OpenBao.
        url: Option<HttpUrl> = None;
        /// How this process logs in there.
        auth: VaultAuth = VaultAuth::Token;
        /// The role to log in as: of `kubernetes`, or the role id of `approle`.
        role: Option<String> = None;
        /// File of what is shown at the login, mode 0600: the token, the secret id of `approle`, or the service account's token of
        /// `kubernetes`. Read again at each login.
        token_file: Option<PathBuf> = None;
        /// Path of the PKI mounts; each tenant's is below it.
        mount_prefix: String = "pki/signet".to_owned();
        /// The namespace in Vault Enterprise or OpenBao.
        namespace: Option<String> = None;
        /// Certificates that its must be signed by; without it the system's authorities count.
        ca_file: Option<PathBuf> = None;
        /// Certificate that is shown to it where it asks for one, as PEM, the leaf first. Read again on SIGHUP. It replaces no login.
        client_cert_file: Option<PathBuf> = None;
        /// Private key of that certificate as PEM, mode 0600.
        client_key_file: Option<PathBuf> = None;
        /// Other hosts of its cluster that a standby may redirect to; the token is sent to no other.
        cluster_hosts: Hosts = Hosts(Vec::new());
        /// Networks that it may be in, beside public addresses and this machine.
        allow_networks: Networks = Networks(Vec::new());
        /// Let `http` be spoken with it, too; on this machine it always may.
        allow_plain_http: bool = false;
    }
    /// Log lines, on stderr.
    log in "log": Log {
        /// `auto` writes text on a terminal and JSON elsewhere.
        format: LogFormat = LogFormat::Auto;
        /// The least important lines that are written.
        level: LogLevel = LogLevel::Info;
    }
}

/// The tenant that is there from the start.
#[expect(clippy::expect_used, reason = "a constant that is a tenant's name; a test reads every default")]
fn default_tenant() -> TenantId {
    "default".parse().expect("a tenant's name")
}
