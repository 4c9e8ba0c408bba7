//! `NATS_URLS` as Kaa's services read it: several addresses parted by commas, each perhaps with user and password or a token.

use signet_bus::NatsLogin;
use zeroize::Zeroizing;

use crate::config::{NatsUrl, SecretUrl};

/// Where NATS is, and what to show it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NatsTarget {
    /// The addresses, without logins.
    pub(crate) url: NatsUrl,
    /// The login, the same for all.
    pub(crate) login: Option<NatsLogin>,
}

/// Reads the addresses. A fault repeats nothing of them, since they hold secrets.
pub(crate) fn parse(addresses: &str) -> Result<NatsTarget, &'static str> {
    let mut urls = Vec::new();
    let mut login: Option<NatsLogin> = None;
    for address in addresses.split(',').map(str::trim).filter(|address| !address.is_empty()) {
        let (scheme, rest) = address.split_once("://").unwrap_or(("nats", address));
        if scheme != "nats" && scheme != "tls" {
            return Err("a scheme other than nats:// and tls://");
        }
        // As Go reads it, the last @ ends the user information.
        let (user_info, host) = rest.rsplit_once('@').map_or((None, rest), |(user, host)| (Some(user), host));
        let host = host.trim_end_matches('/');
        if host.is_empty() || host.contains(['/', '?', '#', ' ']) {
            return Err("an address that is not nats://[USER:PASSWORD@]HOST[:PORT]");
        }
        if let Some(user_info) = user_info {
            let this = parse_login(user_info)?;
            if login.as_ref().is_some_and(|known| *known != this) {
                return Err("addresses with different logins; one login is shown to every server");
            }
            login = Some(this);
        }
        urls.push(format!("{scheme}://{host}"));
    }
    if urls.is_empty() {
        return Err("no address");
    }
    Ok(NatsTarget { url: NatsUrl(SecretUrl(urls.join(","))), login })
}

fn parse_login(user_info: &str) -> Result<NatsLogin, &'static str> {
    let decoded = |text: &str| percent_decoded(text).ok_or("a login that is not percent-encoded UTF-8");
    match user_info.split_once(':') {
        Some((user, password)) => {
            let user = decoded(user)?.to_string();
            if user.is_empty() {
                return Err("a password without a user name");
            }
            Ok(NatsLogin::Password { user, password: decoded(password)? })
        }
        None => Ok(NatsLogin::Token(decoded(user_info)?)),
    }
}

fn percent_decoded(text: &str) -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let [high, low, tail @ ..] = rest else { return None };
            let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            bytes.push((digit(high)? << 4) | digit(low)?);
            rest = tail;
        } else {
            bytes.push(*first);
        }
    }
    std::str::from_utf8(&bytes).ok().map(|text| Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(user: &str, password: &str) -> Option<NatsLogin> {
        Some(NatsLogin::Password { user: user.to_owned(), password: Zeroizing::new(password.to_owned()) })
    }

    #[test]
    fn addresses_and_logins_are_taken_apart() {
        for (text, url, login) in [
            ("nats://nats:4222", "nats://nats:4222", None),
            ("nats:4222", "nats://nats:4222", None),
            ("nats://a:1, tls://b:2,", "nats://a:1,tls://b:2", None),
            ("nats://u:p@a:1,nats://b:2", "nats://a:1,nats://b:2", password("u", "p")),
            ("nats://u:p%40ss%2C@a:1,nats://u:p%40ss%2C@b", "nats://a:1,nats://b", password("u", "p@ss,")),
            ("nats://u:p@ss@[::1]:4222/", "nats://[::1]:4222", password("u", "p@ss")),
            ("nats://s3cr3t@a", "nats://a", Some(NatsLogin::Token(Zeroizing::new("s3cr3t".to_owned())))),
        ] {
            let target = parse(text).unwrap();
            assert_eq!((target.url.0.0.as_str(), target.login), (url, login), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_its_secret() {
        for bad in [
            "",
            ",",
            "http://a",
            "nats://",
            "nats://u:canary@",
            "nats://a/b",
            "nats://u:canary@a,nats://u:other@b",
            "nats://:x@a",
            "nats://%zz@a",
        ] {
            let fault = parse(bad).unwrap_err();
            assert!(!fault.contains("canary"), "{bad}: {fault}");
        }
    }
}
