//! Settings of what Signet asks of other servers: their URLs, and which networks they may be in.

use std::net::Ipv6Addr;

use signet_outbound::{AddressPolicy, Network, OutboundError, OutboundUrl};

use super::value::{Raw, Setting, quoted};

/// The URL of another server. Whether its address may be asked is for the policy to say, later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpUrl(pub(crate) String);

impl Setting for HttpUrl {
    const WANTED: &'static str = "a URL as \"https://HOST[:PORT][/PATH]\", without user name and fragment";
    const EXAMPLE: &'static str = "\"https://tenant-manager.example\"";
    const SECRET: bool = true;

    fn read(raw: &Raw) -> Option<Self> {
        let text = raw.text()?;
        let spelled = match OutboundUrl::parse(text, &AddressPolicy::permissive()) {
            Ok(_) | Err(OutboundError::Address { .. }) => !text.contains('?'),
            Err(_) => false,
        };
        spelled.then(|| Self(text.to_owned()))
    }

    fn toml(&self) -> Option<String> {
        Some(quoted(&self.0))
    }
}

/// Networks that may be reached beside the public ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Networks(pub(crate) Vec<Network>);

impl Setting for Networks {
    const WANTED: &'static str = "an array of networks such as \"10.0.0.0/8\" or \"fd00::/8\"";
    const EXAMPLE: &'static str = "[\"10.0.0.0/8\"]";

    fn read(raw: &Raw) -> Option<Self> {
        words(raw)?.iter().map(|word| word.parse().ok()).collect::<Option<Vec<Network>>>().map(Self)
    }

    fn toml(&self) -> Option<String> {
        Some(format!("[{}]", self.0.iter().map(|network| quoted(&network.to_string())).collect::<Vec<_>>().join(", ")))
    }
}

/// Most hosts of one list.
const MOST_HOSTS: usize = 32;

/// Names or addresses of hosts, in small letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hosts(pub(crate) Vec<String>);

impl Setting for Hosts {
    const WANTED: &'static str = "an array of up to 32 names or addresses of hosts, without port";
    const EXAMPLE: &'static str = "[\"vault-2.example\", \"10.0.0.3\"]";

    fn read(raw: &Raw) -> Option<Self> {
        let hosts = words(raw)?.iter().map(|word| host(word)).collect::<Option<Vec<String>>>()?;
        (hosts.len() <= MOST_HOSTS).then_some(Self(hosts))
    }

    fn toml(&self) -> Option<String> {
        Some(format!("[{}]", self.0.iter().map(|host| quoted(host)).collect::<Vec<_>>().join(", ")))
    }
}

/// The host as it stands in URLs; an IPv6 address may come with its brackets or without.
fn host(word: &str) -> Option<String> {
    let word = word.to_ascii_lowercase();
    let spelled = if word.parse::<Ipv6Addr>().is_ok() { format!("[{word}]") } else { word.clone() };
    let url = OutboundUrl::parse(&format!("https://{spelled}/"), &AddressPolicy::permissive()).ok()?;
    let host = spelled.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(&spelled);
    (url.host() == host).then(|| host.to_owned())
}

/// The words of an array, or of an environment variable with commas between them.
fn words(raw: &Raw) -> Option<Vec<String>> {
    match raw {
        Raw::List(words) => Some(words.clone()),
        Raw::Environment(text) if text.trim().is_empty() => Some(Vec::new()),
        Raw::Environment(text) => Some(text.split(',').map(|word| word.trim().to_owned()).collect()),
        Raw::Text(_) | Raw::Integer(_) | Raw::Boolean(_) | Raw::Other(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_plain_and_networks_read_back() {
        for (text, good) in [
            ("https://tenant-manager.example/base", true),
            ("http://10.0.0.1:8080", true),
            ("http://169.254.169.254", true),
            ("http://u:p@host", false),
            ("http://host?x", false),
            ("ftp://host", false),
            ("host", false),
        ] {
            assert_eq!(HttpUrl::read(&Raw::Text(text.to_owned())).is_some(), good, "{text}");
        }
        let list = |words: &[&str]| Networks::read(&Raw::List(words.iter().map(|word| (*word).to_owned()).collect()));
        assert_eq!(list(&["10.0.0.0/8", "::1"]).unwrap().toml().unwrap(), "[\"10.0.0.0/8\", \"::1/128\"]");
        assert_eq!(list(&["10.0.0.1/8"]), None);
        assert_eq!(Networks::read(&Raw::Environment("10.0.0.0/8, fd00::/8".to_owned())).unwrap().0.len(), 2);
    }

    #[test]
    fn hosts_are_names_and_addresses_and_nothing_more() {
        let one = |word: &str| Hosts::read(&Raw::List(vec![word.to_owned()])).map(|hosts| hosts.0.concat());
        for (word, read) in [
            ("Vault-2.Example", Some("vault-2.example")),
            ("10.0.0.3", Some("10.0.0.3")),
            ("fd00::3", Some("fd00::3")),
            ("[fd00::3]", Some("fd00::3")),
            ("vault:8200", None),
            ("https://vault", None),
            ("vault/x", None),
            ("u@vault", None),
            ("a b", None),
            ("", None),
        ] {
            assert_eq!(one(word).as_deref(), read, "{word}");
        }
        let many = |count: usize| Hosts::read(&Raw::List(vec!["a".to_owned(); count]));
        assert!(many(32).is_some() && many(33).is_none());
        assert_eq!(
            Hosts::read(&Raw::Environment("a.example, b.example".to_owned())).unwrap().toml().unwrap(),
            "[\"a.example\", \"b.example\"]"
        );
    }
}
