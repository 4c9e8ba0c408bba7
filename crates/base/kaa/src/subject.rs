//! NATS subjects of Kaa (`kaa.v1.service.…`, `.replica.…`, `.events.…`), one function per row that Signet speaks.
//!
//! Names that become a token are checked once, in [`InstanceName`]: nobody can smuggle a dot or a wildcard into a subject.

use std::fmt;
use std::str::FromStr;

/// A service instance or replica: one NATS token, so no `.`, `*`, `>`, space or control character.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InstanceName(String);

/// A text that is no single NATS token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceNameError;

impl fmt::Display for InstanceNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an instance name is 1 to 64 characters of letters, digits, `-` and `_`")
    }
}
impl std::error::Error for InstanceNameError {}

impl InstanceName {
    /// The name's text; also the queue group of the instance's replicas.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for InstanceName {
    type Err = InstanceNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let token = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if (1..=64).contains(&text.len()) && text.bytes().all(token) { Ok(Self(text.to_owned())) } else { Err(InstanceNameError) }
    }
}

/// Requests for basic authentication, to be answered by one replica of `ccm`.
pub fn cap_basic_request(ccm: &InstanceName) -> String {
    format!("kaa.v1.service.{ccm}.cap.basic-request")
}

/// Answers to [`cap_basic_request`] for the waiting replica.
pub fn cap_basic_response(replica: &InstanceName) -> String {
    format!("kaa.v1.replica.{replica}.cap.basic-response")
}

/// Requests for certificate authentication.
pub fn cap_certificate_request(ccm: &InstanceName) -> String {
    format!("kaa.v1.service.{ccm}.cap.certificate-request")
}

/// Answers to [`cap_certificate_request`] for the waiting replica.
pub fn cap_certificate_response(replica: &InstanceName) -> String {
    format!("kaa.v1.replica.{replica}.cap.certificate-response")
}

/// Basic credentials of `ccm` became unusable.
pub fn basic_credentials_revoked(ccm: &InstanceName) -> String {
    format!("kaa.v1.events.{ccm}.client-credentials.basic.revoked")
}

/// Certificate credentials of `ccm` became unusable.
pub fn certificate_credentials_revoked(ccm: &InstanceName) -> String {
    format!("kaa.v1.events.{ccm}.client-credentials.certificate.revoked")
}

/// Requests for the endpoint of a token.
pub fn ecap_token_request(cm: &InstanceName) -> String {
    format!("kaa.v1.service.{cm}.ecap.ep-token-request")
}

/// Answers to [`ecap_token_request`] for the waiting replica.
pub fn ecap_token_response(replica: &InstanceName) -> String {
    format!("kaa.v1.replica.{replica}.ecap.ep-token-response")
}

/// Requests to move an endpoint token to another state.
pub fn ecap_transition_request(cm: &InstanceName) -> String {
    format!("kaa.v1.service.{cm}.ecap.ep-token-status-transition-request")
}

/// Endpoint tokens of `cm` became unusable.
pub fn endpoint_token_revoked(cm: &InstanceName) -> String {
    format!("kaa.v1.events.{cm}.endpoint.token.revoked")
}

/// Endpoints that are unregistered, by whichever registry: its instance name is configured nowhere.
pub const ENDPOINT_UNREGISTERED: &str = "kaa.v1.events.*.endpoint.lifecycle.unregistered";

/// What becomes of tenants, as told by whichever Tenant Manager: its instance name is configured nowhere.
pub const TENANT_LIFECYCLE: &str = "kaa.v1.events.*.tenant.lifecycle.*";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_can_widen_a_subject() {
        for bad in ["", "a.b", "*", ">", "a b", "a\n", "ä", &"x".repeat(65)] {
            assert_eq!(bad.parse::<InstanceName>(), Err(InstanceNameError), "{bad}");
        }
        assert!("ccm-2_b".parse::<InstanceName>().is_ok());
    }

    #[test]
    fn subjects_are_spelled_as_kaa_spells_them() {
        let Ok(ccm) = "ccm".parse::<InstanceName>() else { panic!("ccm is a name") };
        assert_eq!(cap_basic_request(&ccm), "kaa.v1.service.ccm.cap.basic-request");
        assert_eq!(basic_credentials_revoked(&ccm), "kaa.v1.events.ccm.client-credentials.basic.revoked");
    }
}
