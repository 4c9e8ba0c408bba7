//! Settings that say where something is: listeners, databases, message buses.

use std::fmt;

use super::value::{Raw, Setting, quoted};

/// `host:port` to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Name or IP address, without brackets.
    pub(crate) host: String,
    /// The port; 0 asks for a free one.
    pub(crate) port: u16,
}

impl Address {
    /// On the IPv4 loopback.
    pub(crate) fn loopback(port: u16) -> Self {
        Self { host: "127.0.0.1".to_owned(), port }
    }

    /// Parses `host:port` and `[ipv6]:port`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = match host.strip_prefix('[') {
            Some(inner) => inner.strip_suffix(']').filter(|h| h.parse::<std::net::Ipv6Addr>().is_ok())?,
            None => host,
        };
        let plain = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':'));
        let colons = host.contains(':') && !text.starts_with('[');
        if !plain || colons || !port.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Some(Self { host: host.to_owned(), port: port.parse().ok()? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') { write!(f, "[{}]:{}", self.host, self.port) } else { write!(f, "{}:{}", self.host, self.port) }
    }
}

impl Setting for Address {
    const WANTED: &'static str = "an address as \"HOST:PORT\"";
    const EXAMPLE: &'static str = "\"127.0.0.1:7443\"";

    fn read(raw: &Raw) -> Option<Self> {
        Self::parse(raw.text()?)
    }

    fn toml(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

/// A URL that may hold a password, which is masked wherever it is shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretUrl(pub(crate) String);

impl SecretUrl {
    /// The URL without its password.
    pub(crate) fn masked(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else { return self.0.clone() };
        // The last @ before the path ends the user information (RFC 3986 section 3.2.1 wants others encoded; people forget).
        let authority_end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(authority_end);
        match authority.rsplit_once('@') {
            Some((user, host)) => match user.split_once(':') {
                Some((name, _)) => format!("{scheme}://{name}:***@{host}{path}"),
                None => self.0.clone(),
            },
            None => self.0.clone(),
        }
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// `sqlite` (in the data directory) or `postgres://…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DatabaseUrl {
    /// `signet.db` in the data directory.
    Sqlite,
    /// A PostgreSQL server.
    Postgres(SecretUrl),
}

impl Setting for DatabaseUrl {
    const WANTED: &'static str = "\"sqlite\" or \"postgres://USER@HOST:PORT/DATABASE\"";
    const EXAMPLE: &'static str = "\"sqlite\"";
    const SECRET: bool = true;

    fn read(raw: &Raw) -> Option<Self> {
        let text = raw.text()?;
        match text {
            "sqlite" => Some(Self::Sqlite),
            _ if text.starts_with("postgres://") || text.starts_with("postgresql://") => Some(Self::Postgres(SecretUrl(text.to_owned()))),
            _ => None,
        }
    }

    fn toml(&self) -> Option<String> {
        match self {
            Self::Sqlite => Some(quoted("sqlite")),
            Self::Postgres(url) => Some(quoted(&url.0)),
        }
    }

    fn shown(&self) -> Option<String> {
        match self {
            Self::Sqlite => Some(quoted("sqlite")),
            Self::Postgres(url) => Some(quoted(&url.masked())),
        }
    }
}

/// `nats://…` or `tls://…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NatsUrl(pub(crate) SecretUrl);

impl NatsUrl {
    /// Parses one URL.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let known = ["nats://", "tls://"].iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
        known.then(|| Self(SecretUrl(text.to_owned())))
    }
}

impl Setting for NatsUrl {
    const WANTED: &'static str = "\"nats://HOST:PORT\" or \"tls://HOST:PORT\"";
    const EXAMPLE: &'static str = "\"nats://127.0.0.1:4222\"";
    const SECRET: bool = true;

    fn read(raw: &Raw) -> Option<Self> {
        Self::parse(raw.text()?)
    }

    fn toml(&self) -> Option<String> {
        Some(quoted(&self.0.0))
    }

    fn shown(&self) -> Option<String> {
        Some(quoted(&self.0.masked()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_host_and_port() {
        for good in ["127.0.0.1:7443", "[::1]:0", "localhost:65535", "0.0.0.0:1"] {
            assert_eq!(Address::parse(good).unwrap().to_string(), good);
        }
        for bad in ["", "7443", ":7443", "::1:7443", "[::1]", "[x]:1", "h:65536", "h:-1", "h:", "a b:1", "h:+1"] {
            assert_eq!(Address::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn passwords_in_urls_are_masked() {
        for (url, masked) in [
            ("postgres://u:p@h/d", "postgres://u:***@h/d"),
            ("postgres://u:p@ss@h:1/d?x=a@b", "postgres://u:***@h:1/d?x=a@b"),
            ("postgres://u@h/d", "postgres://u@h/d"),
            ("nats://h:4222", "nats://h:4222"),
        ] {
            assert_eq!(SecretUrl(url.to_owned()).masked(), masked);
            assert_eq!(format!("{:?}", SecretUrl(url.to_owned())), masked);
        }
    }
}
