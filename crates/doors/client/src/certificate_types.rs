//! What travels about certificates and authorities. As in `types`, answers keep what this version does not know in `more`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use signet_model::{CredentialId, IdentityId, Timestamp};

/// Asks for a certificate: for the key in a request, or for a key that is made for it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewCertificate<'a> {
    /// The request (PKCS#10) as PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csr: Option<&'a str>,
    /// The kind of key to make instead, such as `p256`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generate_key: Option<&'a str>,
    /// The common name of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common_name: Option<&'a str>,
    /// Subject alternative names, each as `dns:NAME`, `uri:URI`, `ip:ADDRESS` or `email:ADDRESS`.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub names: &'a [String],
    /// Id or name of the identity that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<&'a str>,
    /// The form, where it is not that of the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<&'a str>,
    /// How long it is valid, such as `90d`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<&'a str>,
}

/// A certificate that was just issued. May hold its private key: no `Debug`.
#[derive(Serialize, Deserialize)]
pub struct IssuedCertificate {
    /// Id of its credential.
    pub id: CredentialId,
    /// The serial number, decimal.
    pub serial: String,
    /// The same in hexadecimal.
    pub serial_hex: String,
    /// The authority's name.
    pub issuer: String,
    /// Where its credential stands.
    pub state: String,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// The certificate as PEM.
    pub certificate: String,
    /// What is sent behind it, up to the root, which is left out; each as PEM.
    pub chain: Vec<String>,
    /// The private key as PEM, shown this once; none for a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<String>,
    /// What the request asked for and did not get.
    #[serde(default)]
    pub ignored: Vec<String>,
    /// Further members.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A certificate of the inventory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Certificate {
    /// Id of its credential.
    pub id: CredentialId,
    /// The serial number, decimal.
    pub serial: String,
    /// The same in hexadecimal.
    pub serial_hex: String,
    /// The authority's name.
    pub issuer: String,
    /// Where its credential stands; also `intended` and `orphaned`.
    pub state: String,
    /// Whom it names.
    #[serde(default)]
    pub subject: Option<String>,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// The identity that it proves.
    #[serde(default)]
    pub identity: Option<IdentityId>,
    /// Further members.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Asks whether a certificate may authenticate.
#[derive(Clone, Debug, Serialize)]
pub struct CertificateCheck<'a> {
    /// The issuer's name, in any common form.
    pub issuer: &'a str,
    /// The serial number, in any common spelling; plain digits are decimal.
    pub serial: &'a str,
}

/// A tenant's authority that signs now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Authority {
    /// Which generation, from 1.
    pub generation: i64,
    /// Where the generation stands.
    pub state: String,
    /// Its name.
    pub subject: String,
    /// Where its key is.
    pub custody: String,
    /// Until when it can sign; none while its key is being made.
    pub not_after: Option<Timestamp>,
    /// Further members.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Every generation of a tenant's authority.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthorityGenerations {
    /// Newest first.
    pub items: Vec<Authority>,
}

/// What verifiers trust.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bundle {
    /// Certificates as PEM.
    pub bundle: String,
}

/// A step of a rotation.
#[derive(Clone, Debug, Serialize)]
pub struct Rotation {
    /// `prepare`, `activate`, `taint` or `retire`.
    pub step: String,
}

/// What a step of a rotation acted on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rotated {
    /// The generation.
    pub generation: i64,
    /// Where it stands now.
    pub state: String,
    /// Further members.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What was settled after a crash.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reconciled {
    /// Members of the answer: the certificates that were begun and never finished.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Which certificates end when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Expiry {
    /// The coming weeks.
    pub weeks: Vec<ExpiryWeek>,
    /// Further members.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// How many certificates end in one week.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExpiryWeek {
    /// The week's first moment.
    pub from: Timestamp,
    /// The first moment behind it.
    pub until: Timestamp,
    /// How many end in it.
    pub certificates: i64,
    /// Further members.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A foreign authority that a tenant trusts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Anchor {
    /// Its id.
    pub id: String,
    /// Its name.
    pub subject: String,
    /// Until when it is valid.
    pub not_after: Timestamp,
    /// Further members.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Trusts a foreign authority.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewAnchor<'a> {
    /// Its certificate as PEM.
    pub certificate: &'a str,
    /// What names its certificates may hold; empty: any.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub names: &'a [String],
    /// Whether certificates of version 1 that it issued itself are taken.
    pub allow_v1_leaf: bool,
}

/// Makes a certificate of a foreign authority a credential.
#[derive(Clone, Debug, Serialize)]
pub struct ForeignCertificate<'a> {
    /// As PEM: the certificate first, then those between it and the anchor.
    pub certificate: &'a str,
    /// Id or name of the identity that it proves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<&'a str>,
}
