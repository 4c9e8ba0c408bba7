//! Where the server is: a URL given by the caller, or the address that `endpoint.json` tells.

use std::net::{IpAddr, SocketAddr};

use crate::ClientError;
use crate::error::SERVER_URL;

/// Scheme, host and port of the API listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    base: String,
    host: String,
}

impl ServerUrl {
    /// Parses `https://host[:port]`. Plain `http` is taken for loopback only, since a token travels on it.
    pub fn parse(text: &str) -> Result<Self, ClientError> {
        let fault =
            |why: &str| ClientError::local(&SERVER_URL, format!("`{}` is not a server address: {why}", signet_model::log_text(text, 200)));
        let uri: http::Uri = text.trim().trim_end_matches('/').parse().map_err(|_| fault("not a URL"))?;
        let scheme = uri.scheme_str().ok_or_else(|| fault("the scheme is missing"))?;
        let authority = uri.authority().ok_or_else(|| fault("the host is missing"))?;
        if authority.as_str().contains('@') {
            // The text is not repeated: what stands before the @ may be a password.
            return Err(ClientError::local(&SERVER_URL, "a server address holds no user name; name the token by `--token-file`"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(fault("only scheme, host and port are wanted"));
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let url = Self { base: format!("{scheme}://{authority}"), host };
        match scheme {
            "https" => Ok(url),
            "http" if url.is_loopback() => Ok(url),
            "http" => Err(fault("plain http is taken for loopback addresses only")),
            _ => Err(fault("the scheme must be https")),
        }
    }

    /// The listener at `host:port` that speaks `scheme`.
    pub(crate) fn of_listener(scheme: &str, address: &str) -> Result<Self, ClientError> {
        // A server that listens on every address is asked on the one of this machine that its certificate names.
        let reachable = match address.parse::<SocketAddr>() {
            Ok(SocketAddr::V4(v4)) if v4.ip().is_unspecified() => format!("127.0.0.1:{}", v4.port()),
            Ok(SocketAddr::V6(v6)) if v6.ip().is_unspecified() => format!("[::1]:{}", v6.port()),
            Ok(_) | Err(_) => address.to_owned(),
        };
        Self::parse(&format!("{scheme}://{reachable}"))
    }

    /// `https://host:port`, without a slash at the end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Whether the host is this machine; such calls never go through a proxy of the environment.
    pub fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost") || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_odd_ones_refused() {
        for (text, base, loopback) in [
            ("https://127.0.0.1:7443", "https://127.0.0.1:7443", true),
            ("https://[::1]:7443/", "https://[::1]:7443", true),
            ("https://signet.example", "https://signet.example", false),
            ("http://localhost:1", "http://localhost:1", true),
        ] {
            let url = ServerUrl::parse(text).unwrap();
            assert_eq!((url.base(), url.is_loopback()), (base, loopback));
        }
        assert_eq!(ServerUrl::of_listener("https", "0.0.0.0:7443").unwrap().base(), "https://127.0.0.1:7443");
        assert_eq!(ServerUrl::of_listener("https", "[::]:7443").unwrap().base(), "https://[::1]:7443");
        assert_eq!(ServerUrl::of_listener("http", "0.0.0.0:80").unwrap().base(), "http://127.0.0.1:80");
        for bad in ["", "127.0.0.1:7443", "http://signet.example", "ftp://127.0.0.1", "https://h/api", "https://h?x", "https://u:pw@h"] {
            let problem = ServerUrl::parse(bad).unwrap_err().problem();
            assert_eq!(problem.reason, "server.url-invalid", "{bad}");
            assert!(!problem.detail.contains("pw"));
        }
    }
}
