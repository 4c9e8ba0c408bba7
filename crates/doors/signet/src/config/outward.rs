//! Settings of what Signet asks of other servers: their URLs, and which networks they may be in.

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
        let words: Vec<String> = match raw {
            Raw::List(words) => words.clone(),
            Raw::Environment(text) if text.trim().is_empty() => Vec::new(),
            Raw::Environment(text) => text.split(',').map(|word| word.trim().to_owned()).collect(),
            Raw::Text(_) | Raw::Integer(_) | Raw::Boolean(_) | Raw::Other(_) => return None,
        };
        words.iter().map(|word| word.parse().ok()).collect::<Option<Vec<Network>>>().map(Self)
    }

    fn toml(&self) -> Option<String> {
        Some(format!("[{}]", self.0.iter().map(|network| quoted(&network.to_string())).collect::<Vec<_>>().join(", ")))
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
}
