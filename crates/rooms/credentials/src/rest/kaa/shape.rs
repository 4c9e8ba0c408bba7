//! How Kaa shows things: camel case, dates with microseconds, and what is not there left out.

use serde::Serialize;
use signet_http::IfMatch;
use signet_model::{CredentialId, CredentialState, Timestamp};
use utoipa::ToSchema;

use super::super::credential_state_words;
use crate::X509Facts;
use crate::credential::Credential;

/// A username and password as Kaa's credential service shows it. Never the password
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KaaBasicCredential)]
pub(super) struct BasicCredential {
    /// Its id
    #[schema(value_type = String)]
    id: CredentialId,
    /// The username, without `@tenant`
    username: String,
    /// Where it stands in its life
    #[schema(schema_with = credential_state_words)]
    state: CredentialState,
    /// When it was made
    #[schema(value_type = String, format = DateTime)]
    created_date: Timestamp,
    /// When the API last changed it
    #[schema(value_type = String, format = DateTime)]
    updated_date: Timestamp,
    /// Its last successful use, to the minute; absent before the first
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    last_use_date: Option<Timestamp>,
}

impl From<Credential> for BasicCredential {
    fn from(credential: Credential) -> Self {
        Self {
            id: credential.id,
            // Every basic credential has one.
            username: credential.username.unwrap_or_default(),
            state: credential.state,
            created_date: credential.created_at,
            updated_date: credential.updated_at,
            last_use_date: credential.last_used_at,
        }
    }
}

/// A certificate as Kaa's credential service shows it
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KaaX509Credential)]
pub(super) struct X509Credential {
    /// Its id
    #[schema(value_type = String)]
    id: CredentialId,
    /// Where it stands in its life
    #[schema(schema_with = credential_state_words)]
    state: CredentialState,
    /// The common name of its subject; absent where there is none
    #[serde(skip_serializing_if = "Option::is_none")]
    common_name: Option<String>,
    /// The issuer's name
    issuer: String,
    /// The serial number in decimal; a text, since its 160 bits do not fit a number of JSON
    serial_number: String,
    /// The first instant of its validity
    #[schema(value_type = String, format = DateTime)]
    not_before: Timestamp,
    /// The last instant of its validity
    #[schema(value_type = String, format = DateTime)]
    not_after: Timestamp,
    /// When it was made
    #[schema(value_type = String, format = DateTime)]
    created_date: Timestamp,
    /// When the API last changed it
    #[schema(value_type = String, format = DateTime)]
    updated_date: Timestamp,
    /// Its last successful use, to the minute; absent before the first
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    last_use_date: Option<Timestamp>,
}

impl X509Credential {
    /// The certificate that a credential is; none of another kind.
    pub(super) fn of(credential: Credential) -> Option<Self> {
        let certificate = credential.certificate?;
        Some(Self {
            id: credential.id,
            state: credential.state,
            common_name: certificate.common_name,
            issuer: certificate.issuer,
            serial_number: certificate.serial,
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            created_date: credential.created_at,
            updated_date: credential.updated_at,
            last_use_date: credential.last_used_at,
        })
    }

    /// One that was just issued.
    pub(super) fn made(facts: &X509Facts, at: Timestamp) -> Self {
        Self {
            id: facts.id.clone(),
            state: CredentialState::Inactive,
            common_name: facts.common_name.clone(),
            issuer: facts.issuer.as_str().to_owned(),
            serial_number: facts.serial.decimal(),
            not_before: facts.not_before,
            not_after: facts.not_after,
            created_date: at,
            updated_date: at,
            last_use_date: None,
        }
    }
}

/// The entity tag of a credential: its version. The last use is no part of it, since a login between reading and changing takes
/// nothing away from what was read.
pub(super) fn tag(credential: &Credential) -> String {
    credential.version.to_string()
}

/// The versions that a condition names; a tag that we never gave is that of no version.
pub(super) fn versions(IfMatch(tags): IfMatch) -> Option<Vec<i64>> {
    tags.map(|tags| tags.iter().filter_map(|tag| tag.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use signet_model::CredentialKind;

    use super::*;

    fn credential(last_used_at: Option<Timestamp>) -> Credential {
        Credential {
            id: "br7si8mg10l7an82que0".parse().unwrap(),
            kind: CredentialKind::Basic,
            state: CredentialState::Active,
            username: Some("bob".to_owned()),
            application: None,
            endpoint: None,
            certificate: None,
            identity: None,
            created_at: "2020-03-01T12:47:02.247462Z".parse().unwrap(),
            updated_at: "2020-03-01T12:50:11.000001Z".parse().unwrap(),
            last_used_at,
            version: 3,
        }
    }

    #[test]
    fn a_basic_credential_is_the_documented_text() {
        let used = serde_json::to_string(&BasicCredential::from(credential(Some("2020-03-01T12:50:11.000001Z".parse().unwrap())))).unwrap();
        let documented = r#"{"id":"br7si8mg10l7an82que0","username":"bob","state":"Active",
 "createdDate":"2020-03-01T12:47:02.247462Z","updatedDate":"2020-03-01T12:50:11.000001Z",
 "lastUseDate":"2020-03-01T12:50:11.000001Z"}"#;
        assert_eq!(used, documented.replace("\n ", ""));
        let unused = serde_json::to_value(BasicCredential::from(credential(None))).unwrap();
        assert!(unused.get("lastUseDate").is_none(), "{unused}");
    }

    #[test]
    fn tags_name_versions_and_foreign_ones_name_none() {
        assert_eq!(tag(&credential(None)), "3");
        assert_eq!(versions(IfMatch(None)), None);
        let tags = ["3", "x", "", "7"].map(str::to_owned).to_vec();
        assert_eq!(versions(IfMatch(Some(tags))), Some(vec![3, 7]));
    }
}
