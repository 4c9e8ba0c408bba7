//! Settings of the certificate authorities and of the place that keeps their keys.

use signet_crypto::sign::KeyType;

use super::choice::words;
use super::outward::HttpUrl;
use super::value::{Raw, Setting, quoted};

words! {
    /// The form of client certificates.
    CertificateForm: "\"device\" or \"kaa\"" {
        /// Client authentication only, no DNS name.
        Device = "device",
        /// As Kaa's own issues them (`kaa.md` 16.2.1).
        Kaa = "kaa",
    }
}
words! {
    /// How this process logs in at Vault or OpenBao.
    VaultAuth: "\"token\", \"approle\" or \"kubernetes\"" {
        /// By a token that somebody made for it.
        Token = "token",
        /// By role id and secret id.
        AppRole = "approle",
        /// By the token of its service account.
        Kubernetes = "kubernetes",
    }
}

/// Where a pod finds the token of its service account.
pub(crate) const SERVICE_ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The kind of key of an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CaKey(pub(crate) KeyType);

impl Setting for CaKey {
    const WANTED: &'static str = "\"p256\", \"p384\", \"ed25519\", \"rsa2048\", \"rsa3072\" or \"rsa4096\"";
    const EXAMPLE: &'static str = "\"p256\"";

    fn read(raw: &Raw) -> Option<Self> {
        raw.text()?.parse().ok().map(Self)
    }

    fn toml(&self) -> Option<String> {
        Some(quoted(&self.0.to_string()))
    }
}

/// Where others fetch from us over plain HTTP: revocation lists cannot be fetched over TLS, since that would ask for them again
/// (RFC 5280 section 8). Kept without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlainUrl(pub(crate) String);

impl Setting for PlainUrl {
    const WANTED: &'static str = "a URL as \"http://HOST[:PORT][/PATH]\" of at most 200 ASCII characters";
    const EXAMPLE: &'static str = "\"http://pki.example\"";

    fn read(raw: &Raw) -> Option<Self> {
        let HttpUrl(url) = HttpUrl::read(raw)?;
        let plain = url.starts_with("http://") && url.is_ascii() && url.len() <= 200;
        plain.then(|| Self(url.trim_end_matches('/').to_owned()))
    }

    fn toml(&self) -> Option<String> {
        Some(quoted(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Raw {
        Raw::Text(text.to_owned())
    }

    #[test]
    fn what_others_fetch_is_plain_http() {
        assert_eq!(PlainUrl::read(&text("http://pki.example:7480/")).unwrap().0, "http://pki.example:7480");
        for bad in ["https://pki.example", "http://u:p@h", "http://h?x", "pki.example", "http://\u{fc}.example"] {
            assert_eq!(PlainUrl::read(&text(bad)), None, "{bad}");
        }
        assert_eq!(PlainUrl::read(&text(&format!("http://{}", "a".repeat(200)))), None);
    }

    #[test]
    fn keys_are_named_as_on_the_command_line() {
        for name in ["p256", "p384", "ed25519", "rsa2048", "rsa3072", "rsa4096"] {
            assert_eq!(CaKey::read(&text(name)).unwrap().toml().unwrap(), format!("\"{name}\""));
        }
        assert_eq!(CaKey::read(&text("rsa1024")), None);
    }
}
