//! One method per call of REST. Names in paths and queries are percent-encoded here and nowhere else.

use std::fmt::Write as _;

use signet_model::{AuditEntry, kinds};

use crate::types::{
    ApiToken, CheckDecision, Credential, CredentialCheck, Deletion, Identity, MadeEndpointToken, NewApiToken, NewBasicCredential,
    NewEndpointToken, NewIdentity, NewPassword, NewPlatformToken, NewTenant, Page, PublicKeys, Tenant, TenantSummary, Transition,
    TransitionRequest,
};
use crate::{Client, ClientError};

/// Where the tokens above all tenants are.
const PLATFORM_TOKENS: &str = "/api/v1/api-tokens";

/// Which page of a list.
#[derive(Clone, Debug, Default)]
pub struct PageRequest {
    /// Rows per page; the server's default when absent.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

/// Exact filters of the credential list.
#[derive(Clone, Debug, Default)]
pub struct CredentialFilter {
    /// Only this kind.
    pub kind: Option<String>,
    /// Only this state.
    pub state: Option<String>,
    /// Only this username.
    pub username: Option<String>,
    /// Only those of this identity, by id or name.
    pub identity: Option<String>,
    /// Only endpoint tokens of this application.
    pub application: Option<String>,
    /// Only endpoint tokens of this endpoint.
    pub endpoint: Option<String>,
}

/// Percent-encodes one path segment or query value (RFC 3986 section 2.3: only unreserved characters stay).
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => {
                // Writing to a String cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// One path segment. Dots alone, encoded or not, would be resolved away by URL parsers on the way (WHATWG URL 4.4), and no
/// name of ours consists of them.
pub(crate) fn segment(text: &str) -> Result<String, ClientError> {
    match text {
        "" => Err(ClientError::local(&kinds::INPUT_INVALID, "an empty text is neither a name nor an id")),
        "." | ".." => Err(ClientError::local(&kinds::INPUT_INVALID, format!("`{text}` is neither a name nor an id"))),
        _ => Ok(encoded(text)),
    }
}

pub(crate) fn with_query(path: String, members: &[(&str, Option<&str>)]) -> String {
    let query: Vec<String> = members.iter().filter_map(|(name, value)| value.map(|v| format!("{name}={}", encoded(v)))).collect();
    if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
}

pub(crate) fn page_members(page: &PageRequest) -> (Option<String>, Option<&str>) {
    (page.limit.map(|n| n.to_string()), page.after.as_deref())
}

fn audit_path(tenant: Option<&str>) -> Result<String, ClientError> {
    tenant.map_or_else(|| Ok("/api/v1/audit".to_owned()), |tenant| under(tenant, "audit"))
}

pub(crate) fn under(tenant: &str, rest: &str) -> Result<String, ClientError> {
    Ok(format!("/api/v1/tenants/{}/{rest}", segment(tenant)?))
}

impl Client {
    /// Tenants, newest first.
    pub async fn tenants(&self, page: &PageRequest) -> Result<Page<Tenant>, ClientError> {
        let (limit, after) = page_members(page);
        self.read(&with_query("/api/v1/tenants".to_owned(), &[("limit", limit.as_deref()), ("after", after)])).await
    }

    /// One tenant.
    pub async fn tenant(&self, tenant: &str) -> Result<Tenant, ClientError> {
        self.read(&format!("/api/v1/tenants/{}", segment(tenant)?)).await
    }

    /// One tenant with what it holds, what it asks, and what somebody should look after.
    pub async fn tenant_summary(&self, tenant: &str) -> Result<TenantSummary, ClientError> {
        self.read(&under(tenant, "summary")?).await
    }

    /// Makes a tenant.
    pub async fn create_tenant(&self, new: &NewTenant) -> Result<Tenant, ClientError> {
        self.send("/api/v1/tenants", new).await
    }

    /// Enables or disables a tenant.
    pub async fn set_tenant_enabled(&self, tenant: &str, enabled: bool, body: &TransitionRequest) -> Result<Tenant, ClientError> {
        self.send(&under(tenant, if enabled { "enable" } else { "disable" })?, body).await
    }

    /// Deletes a tenant.
    pub async fn delete_tenant(&self, tenant: &str, deletion: &Deletion, body: &TransitionRequest) -> Result<Tenant, ClientError> {
        let path = format!("/api/v1/tenants/{}", segment(tenant)?);
        let force = deletion.force.then_some("true");
        self.remove(&with_query(path, &[("grace", deletion.grace.as_deref()), ("force", force)]), body).await
    }

    /// Identities of a tenant, newest first.
    pub async fn identities(&self, tenant: &str, page: &PageRequest) -> Result<Page<Identity>, ClientError> {
        let (limit, after) = page_members(page);
        self.read(&with_query(under(tenant, "identities")?, &[("limit", limit.as_deref()), ("after", after)])).await
    }

    /// One identity, by id or name.
    pub async fn identity(&self, tenant: &str, id_or_name: &str) -> Result<Identity, ClientError> {
        self.read(&under(tenant, &format!("identities/{}", segment(id_or_name)?))?).await
    }

    /// Makes an identity.
    pub async fn create_identity(&self, tenant: &str, new: &NewIdentity) -> Result<Identity, ClientError> {
        self.send(&under(tenant, "identities")?, new).await
    }

    /// Enables or disables an identity.
    pub async fn set_identity_enabled(
        &self,
        tenant: &str,
        id_or_name: &str,
        enabled: bool,
        body: &TransitionRequest,
    ) -> Result<Identity, ClientError> {
        let verb = if enabled { "enable" } else { "disable" };
        self.send(&under(tenant, &format!("identities/{}/{verb}", segment(id_or_name)?))?, body).await
    }

    /// Credentials of a tenant, newest first.
    pub async fn credentials(&self, tenant: &str, filter: &CredentialFilter, page: &PageRequest) -> Result<Page<Credential>, ClientError> {
        let (limit, after) = page_members(page);
        let members = [
            ("kind", filter.kind.as_deref()),
            ("state", filter.state.as_deref()),
            ("username", filter.username.as_deref()),
            ("identity", filter.identity.as_deref()),
            ("application", filter.application.as_deref()),
            ("endpoint", filter.endpoint.as_deref()),
            ("limit", limit.as_deref()),
            ("after", after),
        ];
        self.read(&with_query(under(tenant, "credentials")?, &members)).await
    }

    /// One credential.
    pub async fn credential(&self, tenant: &str, id: &str) -> Result<Credential, ClientError> {
        self.read(&under(tenant, &format!("credentials/{}", segment(id)?))?).await
    }

    /// Makes a basic credential.
    pub async fn create_basic_credential(&self, tenant: &str, new: &NewBasicCredential<'_>) -> Result<Credential, ClientError> {
        self.send(&under(tenant, "credentials")?, new).await
    }

    /// Makes an endpoint token; the answer holds its text, once.
    pub async fn create_endpoint_token(&self, tenant: &str, new: &NewEndpointToken<'_>) -> Result<MadeEndpointToken, ClientError> {
        self.send(&under(tenant, "credentials")?, new).await
    }

    /// Sets another password; sessions stay.
    pub async fn set_password(&self, tenant: &str, id: &str, new: &NewPassword<'_>) -> Result<Credential, ClientError> {
        self.replace(&under(tenant, &format!("credentials/{}/password", segment(id)?))?, new).await
    }

    /// Checks a username and a password; a refusal is an answer, not an error.
    pub async fn check_credential(&self, tenant: &str, check: &CredentialCheck<'_>) -> Result<CheckDecision, ClientError> {
        self.send(&under(tenant, "credentials/check")?, check).await
    }

    /// Moves a credential in its life.
    pub async fn transition(&self, tenant: &str, id: &str, to: Transition, body: &TransitionRequest) -> Result<Credential, ClientError> {
        self.send(&under(tenant, &format!("credentials/{}/{}", segment(id)?, to.as_str()))?, body).await
    }

    /// API tokens of a tenant, newest first.
    pub async fn api_tokens(&self, tenant: &str, page: &PageRequest) -> Result<Page<ApiToken>, ClientError> {
        let (limit, after) = page_members(page);
        self.read(&with_query(under(tenant, "api-tokens")?, &[("limit", limit.as_deref()), ("after", after)])).await
    }

    /// Makes an API token; the answer holds its text, once.
    pub async fn create_api_token(&self, tenant: &str, new: &NewApiToken) -> Result<ApiToken, ClientError> {
        self.send(&under(tenant, "api-tokens")?, new).await
    }

    /// Ends an API token.
    pub async fn revoke_api_token(&self, tenant: &str, id: &str) -> Result<ApiToken, ClientError> {
        self.send(&under(tenant, &format!("api-tokens/{}/revoke", segment(id)?))?, &TransitionRequest::default()).await
    }

    /// API tokens above all tenants, newest first.
    pub async fn platform_tokens(&self, page: &PageRequest) -> Result<Page<ApiToken>, ClientError> {
        let (limit, after) = page_members(page);
        self.read(&with_query(PLATFORM_TOKENS.to_owned(), &[("limit", limit.as_deref()), ("after", after)])).await
    }

    /// Makes an API token above all tenants; the answer holds its text, once.
    pub async fn create_platform_token(&self, new: &NewPlatformToken) -> Result<ApiToken, ClientError> {
        self.send(PLATFORM_TOKENS, new).await
    }

    /// Ends an API token above all tenants.
    pub async fn revoke_platform_token(&self, id: &str) -> Result<ApiToken, ClientError> {
        self.send(&format!("{PLATFORM_TOKENS}/{}/revoke", segment(id)?), &TransitionRequest::default()).await
    }

    /// Audit records, oldest first, of one object or of all: of a tenant, or without one of the whole house.
    pub async fn audit(&self, tenant: Option<&str>, object: Option<&str>, page: &PageRequest) -> Result<Page<AuditEntry>, ClientError> {
        let (limit, after) = page_members(page);
        self.read(&with_query(audit_path(tenant)?, &[("object", object), ("limit", limit.as_deref()), ("after", after)])).await
    }

    /// One audit record.
    pub async fn audit_entry(&self, tenant: Option<&str>, position: u64) -> Result<AuditEntry, ClientError> {
        self.read(&format!("{}/{position}", audit_path(tenant)?)).await
    }

    /// The public keys of the log and of the feed.
    pub async fn public_keys(&self) -> Result<PublicKeys, ClientError> {
        self.read("/api/v1/keys").await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_stay_inside_their_segment() {
        assert_eq!(under("a/../b", "x").unwrap(), "/api/v1/tenants/a%2F..%2Fb/x");
        for dots in ["", ".", ".."] {
            assert_eq!(under(dots, "x").unwrap_err().problem().reason, "input.invalid");
        }
        assert_eq!(encoded("100% ä?&#"), "100%25%20%C3%A4%3F%26%23");
        assert_eq!(with_query("/p".to_owned(), &[("a", Some("x y")), ("b", None), ("c", Some("&"))]), "/p?a=x%20y&c=%26");
        assert_eq!(with_query("/p".to_owned(), &[("b", None)]), "/p");
    }
}
