//! Kaa's Client Credentials Management, as this program plays it: its keys as our settings, its ports, its one plain listener.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use signet_db::{DatabaseConfig, Postgres};
use signet_model::{Refusal, ReplicaId};

use super::keys::{CcmKeys, Hidden, KeyEntry, SslMode};
use super::{nats_urls, security, source, x509};
use crate::config::{Address, CONFIG_VALUE, Count, DatabaseUrl, SecretUrl, Settings, apply_environment};
use crate::lifecycle::{AuthoritySeal, SealPlace, Shape};

/// Where the original looks for its file when `APP_CONFIG_PATH` says nothing.
const DEFAULT_FILE: &str = "/srv/ccm/service-config.yml";
/// Most connections to PostgreSQL that our own setting takes.
const MOST_CONNECTIONS: u32 = 500;
/// Fewest characters of a generated endpoint token; the original's default.
const SHORTEST_TOKEN: u32 = 20;

/// A drop-in that is ready to start.
pub(crate) struct DropIn {
    /// The file that was read.
    pub(crate) file: PathBuf,
    /// Its keys with their values.
    pub(crate) keys: Vec<KeyEntry>,
    /// Its settings; the data directory is not chosen yet.
    pub(crate) settings: Settings,
    /// Its form.
    pub(crate) shape: Shape,
    /// What was odd and is told when the log is open.
    pub(crate) warnings: Vec<String>,
}

/// Reads file and environment. `SIGNET_SECTION__KEY` lies over them, for what the original has no key for.
///
/// # Errors
/// The file is missing or no YAML, a value is of the wrong type, or asks for what this build cannot do.
pub(crate) fn read(variables: &BTreeMap<OsString, OsString>) -> Result<DropIn, Refusal> {
    let path = source::file(variables.get(&OsString::from("APP_CONFIG_PATH")).map(OsString::as_os_str), DEFAULT_FILE);
    let mut warnings = Vec::new();
    let keys = source::read(&path, variables, &mut warnings)?;
    let mut drop_in = translate(&keys, &path, warnings)?;
    let management = drop_in.settings.listen.management.clone();
    apply_environment(&mut drop_in.settings, variables.iter().map(|(name, value)| (name.clone(), value.clone())))?;
    if drop_in.settings.listen.management != management {
        let detail = "SIGNET_LISTEN__MANAGEMENT: as a drop-in, `/health`, `/ready` and `/metrics` share the listener of `server.port`";
        return Err(Refusal::new(&CONFIG_VALUE, detail).with_fix("Unset it; `--listen http=HOST:PORT` moves both."));
    }
    Ok(drop_in)
}

fn translate(keys: &CcmKeys, path: &Path, mut warnings: Vec<String>) -> Result<DropIn, Refusal> {
    let wrong =
        |key: &str, why: &str| Refusal::new(&CONFIG_VALUE, format!("{} (or its environment variable): key `{key}`: {why}", path.display()));
    let nats = nats_urls::parse(&keys.nats_urls.0).map_err(|why| wrong("nats.urls", why))?;
    let mut settings = Settings::default();
    settings.listen.api = Address { host: "0.0.0.0".to_owned(), port: u16::try_from(keys.port.0).unwrap_or(u16::MAX) };
    settings.database.url = DatabaseUrl::Postgres(database(keys, path, &mut warnings)?);
    settings.database.max_connections = Count(connections(keys, &mut warnings));
    settings.nats.url = Some(nats.url);
    settings.password.bcrypt_cost = keys.bcrypt_cost;
    settings.kaa.ccm_instance = keys.instance.clone();
    settings.kaa.strict_fsm = keys.strict_fsm;
    settings.kaa.cap_concurrency = keys.cap_concurrency;
    settings.kaa.cap_queue_length = keys.cap_queue_length.unwrap_or(Count(keys.cap_concurrency.0.saturating_mul(16)));
    settings.kaa.cm_enabled = keys.cm_enabled;
    settings.kaa.cm_instance = keys.cm_instance.clone();
    settings.kaa.ep_token_length = Count(token_length(keys, &mut warnings));
    let tenant_manager_secret = security::apply(keys, &mut settings, &mut warnings);
    let custody_secret = x509::apply(keys, &mut settings, &mut warnings).map_err(|refusal| {
        let fix = refusal.fix().to_owned();
        Refusal::new(refusal.reason, format!("{}: {}", path.display(), refusal.detail)).with_fix(fix)
    })?;
    let replica = match &keys.replica {
        Some(name) => Some(ReplicaId::named(&name.0).map_err(|error| wrong("service.instance.replica.id", &error.to_string()))?),
        None => None,
    };
    let shape = Shape {
        one_listener: true,
        certificates: keys.x509_enabled,
        drain_deadline: Duration::from_secs(keys.graceful_shutdown.0.into()),
        replica,
        nats_login: nats.login,
        seal: SealPlace::Database,
        authority_seal: AuthoritySeal::PlatformKey,
        custody_secret,
        tenant_manager_secret,
        // Without a Tenant Manager nobody else would make the tenant of the file.
        first_tenant: keys.tenant_manager_url.is_none().then(|| keys.default_tenant.clone()),
        transient: false,
    };
    Ok(DropIn { file: path.to_owned(), keys: keys.entries(), settings, shape, warnings })
}

/// The database's address, checked as far as it can be without the database.
fn database(keys: &CcmKeys, path: &Path, warnings: &mut Vec<String>) -> Result<SecretUrl, Refusal> {
    let (key, url) = match &keys.postgres_url {
        Some(Hidden(url)) => {
            let others: Vec<&str> = keys.given.iter().copied().filter(|key| is_part_of_address(key)).collect();
            let ignored = if others.is_empty() { String::new() } else { format!("; {} ignored beside it", others.join(", ")) };
            warnings
                .push(format!("key `kaa.postgresql.url` is of releases up to 1.2: write `kaa.postgresql.host` and its siblings{ignored}"));
            ("kaa.postgresql.url", SecretUrl(String::clone(url)))
        }
        None => ("kaa.postgresql", SecretUrl(composed(keys))),
    };
    match Postgres::open(&DatabaseConfig::new(url.0.clone())) {
        Ok(_) => Ok(url),
        // The database's own words name its own key and never the password.
        Err(error) => Err(Refusal::new(&CONFIG_VALUE, format!("{} (or its environment variable): key `{key}`: {error}", path.display()))
            .with_fix("Write host, port, database, username, password and sslmode each under `kaa.postgresql`.")),
    }
}

fn is_part_of_address(key: &str) -> bool {
    key.strip_prefix("kaa.postgresql.")
        .is_some_and(|part| matches!(part, "host" | "port" | "database" | "username" | "password" | "sslmode"))
}

fn composed(keys: &CcmKeys) -> String {
    let host = &keys.postgres_host;
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { encoded(host) };
    let mode = match keys.postgres_sslmode {
        SslMode::Disable => "disable",
        SslMode::Require => "require",
        SslMode::VerifyCa => "verify-ca",
        SslMode::VerifyFull => "verify-full",
    };
    let (user, password) = (encoded(&keys.postgres_username), encoded(&keys.postgres_password.0));
    format!("postgres://{user}:{password}@{host}:{}/{}?sslmode={mode}", keys.postgres_port.0, encoded(&keys.postgres_database))
}

/// Percent-encodes what is not unreserved (RFC 3986 section 2.3).
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

fn token_length(keys: &CcmKeys, warnings: &mut Vec<String>) -> u32 {
    let wanted = keys.ep_token_length.0;
    if wanted < SHORTEST_TOKEN {
        warnings.push(format!(
            "key `kaa.cm.ep-token.length` is {wanted}; shorter than {SHORTEST_TOKEN} can be guessed, so {SHORTEST_TOKEN} is used"
        ));
    }
    wanted.max(SHORTEST_TOKEN)
}

fn connections(keys: &CcmKeys, warnings: &mut Vec<String>) -> u32 {
    match keys.postgres_connections.0 {
        wanted @ 1..=MOST_CONNECTIONS => wanted,
        wanted => {
            warnings
                .push(format!("key `kaa.postgresql.max-open-connections` is {wanted}; {MOST_CONNECTIONS} are the most, and what is used"));
            MOST_CONNECTIONS
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<DropIn, Refusal> {
        let (mut keys, mut warnings) = (CcmKeys::default(), Vec::new());
        source::apply_text(&mut keys, text, "ccm.yml", &mut warnings)?;
        translate(&keys, Path::new("ccm.yml"), warnings)
    }

    #[test]
    fn an_empty_file_is_the_original_s_defaults() {
        let DropIn { settings, shape, warnings, .. } = of("").unwrap();
        let DatabaseUrl::Postgres(url) = &settings.database.url else { panic!("{settings:?}") };
        assert_eq!(url.0, "postgres://ccm:ccm@ccm-postgresql:5432/ccm?sslmode=disable");
        assert_eq!((settings.listen.api.to_string().as_str(), settings.database.max_connections.0), ("0.0.0.0:80", 100));
        assert_eq!((settings.kaa.cap_concurrency.0, settings.kaa.cap_queue_length.0), (8, 128));
        assert_eq!(settings.nats.url.as_ref().map(|url| url.0.0.as_str()), Some("nats://nats:4222"));
        assert_eq!((shape.drain_deadline, shape.one_listener), (Duration::from_secs(30), true));
        assert!(warnings.len() == 1 && warnings[0].contains("kaa.security"), "{warnings:?}");
    }

    #[test]
    fn keys_become_settings() {
        let text = "kaa:\n  postgresql: {host: 'fd00::1', port: 6, database: d/b, username: u@x, password: 'p:/?#ä', sslmode: require, max-open-connections: 0}\n\
                    \x20 cap.provider.basic.concurrency: 2\nservice: {instance: {name: ccm2, replica: {id: r-1}}, graceful-shutdown: 5}\n";
        let DropIn { settings, shape, warnings, .. } = of(text).unwrap();
        let DatabaseUrl::Postgres(url) = &settings.database.url else { panic!("{settings:?}") };
        assert_eq!(url.0, "postgres://u%40x:p%3A%2F%3F%23%C3%A4@[fd00::1]:6/d%2Fb?sslmode=require");
        assert_eq!((settings.database.max_connections.0, settings.kaa.cap_queue_length.0), (500, 32));
        assert_eq!(shape.replica.unwrap().as_str(), "r-1");
        assert_eq!((shape.drain_deadline, settings.kaa.ccm_instance.0.as_str()), (Duration::from_secs(5), "ccm2"));
        assert!(warnings[0].contains("max-open-connections"), "{warnings:?}");
    }

    #[test]
    fn endpoint_tokens_are_answered_for_when_the_file_says_so() {
        assert!(!of("").unwrap().settings.kaa.cm_enabled);
        let DropIn { settings, warnings, .. } = of("kaa.cm: {enabled: true, instance-name: cm2, ep-token: {length: 8}}\n").unwrap();
        assert_eq!((settings.kaa.cm_enabled, settings.kaa.cm_instance.0.as_str(), settings.kaa.ep_token_length.0), (true, "cm2", 20));
        assert!(warnings[0].contains("ep-token.length"), "{warnings:?}");
    }

    #[test]
    fn the_old_url_is_taken_with_a_warning_and_a_broken_one_refused_without_its_password() {
        let DropIn { settings, warnings, .. } =
            of("kaa.postgresql.url: postgres://a:b@c:1/d?sslmode=disable\nkaa.postgresql.host: x\n").unwrap();
        let DatabaseUrl::Postgres(url) = &settings.database.url else { panic!("{settings:?}") };
        assert_eq!(url.0, "postgres://a:b@c:1/d?sslmode=disable");
        assert!(warnings[0].contains("kaa.postgresql.url") && warnings[0].contains("kaa.postgresql.host ignored"), "{warnings:?}");
        for bad in ["postgres://u:canary@h:port/d", "mysql://u:canary@h/d", "postgres://u:canary@h/d?sslmode=allow", "canary"] {
            let refusal = of(&format!("kaa.postgresql.url: {bad}\n")).map(drop).unwrap_err();
            assert_eq!(refusal.reason.exit() as u8, 6);
            assert!(refusal.detail.contains("`kaa.postgresql.url`") && !refusal.detail.contains("canary"), "{}", refusal.detail);
        }
    }

    #[test]
    fn an_address_that_is_none_is_refused_by_its_key() {
        let refusal = of("nats.urls: http://u:canary@x\n").map(drop).unwrap_err();
        assert!(refusal.detail.contains("`nats.urls`") && !refusal.detail.contains("canary"), "{}", refusal.detail);
    }
}
