//! Settings of who may call: tenants and their issuers.

use signet_http::oidc::trimmed;
use signet_model::TenantId;

use super::outward::HttpUrl;
use super::value::{Raw, Setting, quoted};

/// Issuers that one configuration may list; more come from a Tenant Manager.
const MOST_ISSUERS: usize = 1_000;

/// Tenants with their issuers; no issuer stands for two tenants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Issuers(pub(crate) Vec<(TenantId, String)>);

impl Setting for Issuers {
    const WANTED: &'static str = "an array of up to 1000 texts \"TENANT=https://ISSUER\", no issuer twice";
    const EXAMPLE: &'static str = "[\"default=https://id.example/realms/default\"]";
    const SECRET: bool = true;

    fn read(raw: &Raw) -> Option<Self> {
        let words: Vec<String> = match raw {
            Raw::List(words) => words.clone(),
            Raw::Environment(text) if text.trim().is_empty() => Vec::new(),
            Raw::Environment(text) => text.split(',').map(|word| word.trim().to_owned()).collect(),
            Raw::Text(_) | Raw::Integer(_) | Raw::Boolean(_) | Raw::Other(_) => return None,
        };
        let issuers = words.iter().map(|word| one(word)).collect::<Option<Vec<_>>>()?;
        let mut names: Vec<&str> = issuers.iter().map(|(_, issuer)| trimmed(issuer)).collect();
        names.sort_unstable();
        names.dedup();
        (names.len() == issuers.len() && issuers.len() <= MOST_ISSUERS).then_some(Self(issuers))
    }

    fn toml(&self) -> Option<String> {
        Some(format!("[{}]", self.0.iter().map(|(tenant, issuer)| quoted(&format!("{tenant}={issuer}"))).collect::<Vec<_>>().join(", ")))
    }
}

fn one(text: &str) -> Option<(TenantId, String)> {
    let (tenant, issuer) = text.split_once('=')?;
    let HttpUrl(issuer) = HttpUrl::read(&Raw::Text(issuer.to_owned()))?;
    (!trimmed(&issuer).ends_with('/')).then_some((tenant.parse().ok()?, issuer))
}

impl Setting for TenantId {
    const WANTED: &'static str = "the name of a tenant";
    const EXAMPLE: &'static str = "\"default\"";

    fn read(raw: &Raw) -> Option<Self> {
        raw.text()?.parse().ok()
    }

    fn toml(&self) -> Option<String> {
        Some(quoted(self.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(words: &[&str]) -> Option<Issuers> {
        Issuers::read(&Raw::List(words.iter().map(|word| (*word).to_owned()).collect()))
    }

    #[test]
    fn issuers_belong_to_one_tenant_each() {
        let issuers = list(&["acme=https://id.example/realms/a=b", "acme=http://10.0.0.1:8080/", "other=https://id.example"]).unwrap();
        assert_eq!(issuers.0.len(), 3);
        assert_eq!(
            issuers.toml().unwrap(),
            r#"["acme=https://id.example/realms/a=b", "acme=http://10.0.0.1:8080/", "other=https://id.example"]"#
        );
        for bad in [
            &["https://id.example"][..],
            &["=https://id.example"],
            &["a b=https://id.example"],
            &["acme=id.example"],
            &["acme=https://u:p@id.example"],
            &["acme=https://id.example//"],
            &["acme=https://id.example?x=y"],
            &["acme=https://id.example", "other=https://id.example/"],
        ] {
            assert_eq!(list(bad), None, "{bad:?}");
        }
        let variable = Raw::Environment("acme=https://a.example, other=https://b.example".to_owned());
        assert_eq!(Issuers::read(&variable).unwrap().0.len(), 2);
        assert_eq!(Issuers::read(&Raw::Environment(String::new())), Some(Issuers::default()));
    }
}
