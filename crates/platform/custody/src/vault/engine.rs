//! A mount of the PKI engine and the CA in it. One mount per tenant; each generation of its CA is one *issuer* with one key, both
//! of the same name, made inside. Every step may be repeated after a crash: it finds what the first attempt left.

use std::fmt;
use std::time::Duration;

use http::Method;
use rustls_pki_types::CertificateDer;
use serde_json::{Map, Value, json};
use signet_crypto::Secret;
use signet_crypto::sign::KeyType;
use signet_model::TenantId;
use signet_pki::pem;

use super::client::{Call, Repeat};
use super::config::checked_path;
use super::{VaultError, VaultPki, answer};

/// Longest life of anything that a mount signs; without it Vault cuts to 768 h (`kaa.md` 16.3).
const MAX_LEASE: &str = "87600h";
const DEFAULT_LEASE: &str = "8760h";

/// Where a mount is: the prefix and the tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount(String);

impl Mount {
    /// A path as it was stored.
    ///
    /// # Errors
    /// [`VaultError::Config`] when it is no path.
    pub fn parse(path: &str) -> Result<Self, VaultError> {
        checked_path("mount", path).map(Self)
    }

    /// The path, without `/v1/`.
    pub fn path(&self) -> &str {
        &self.0
    }

    fn below(&self, rest: &str) -> String {
        format!("{}/{rest}", self.0)
    }

    pub(super) fn issuer(&self, issuer: &str, rest: &str) -> Result<String, VaultError> {
        Ok(format!("{}/issuer/{}{rest}", self.0, checked_path("issuer", issuer)?))
    }
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a CA is to be.
#[derive(Clone, Copy, Debug)]
pub struct CaRequest<'a> {
    /// The name of its key and of its issuer, unique in the mount: one per generation.
    pub issuer: &'a str,
    /// The one attribute of its subject.
    pub common_name: &'a str,
    /// Its key.
    pub key_type: KeyType,
}

/// What an issuer writes into the certificates that it signs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssuerUrls {
    /// CRL distribution point.
    pub crl: Option<String>,
    /// OCSP responder.
    pub ocsp: Option<String>,
    /// Where the CA's own certificate is.
    pub ca_issuers: Option<String>,
}

/// How a role shapes certificates. Names and lifetime come with each order; nothing is taken from the CSR but its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSpec {
    /// Its name.
    pub name: String,
    /// Key usages as Go names them, such as `DigitalSignature`.
    pub key_usage: Vec<String>,
    /// For TLS servers.
    pub server: bool,
    /// For TLS clients.
    pub client: bool,
    /// How far notBefore lies before the signing.
    pub backdate: Duration,
    /// Longest lifetime.
    pub max_ttl: Duration,
}

impl VaultPki {
    /// The mount of a tenant.
    ///
    /// # Errors
    /// [`VaultError::Config`] when the tenant's id cannot be a path.
    pub fn mount(&self, tenant: &TenantId) -> Result<Mount, VaultError> {
        Mount::parse(&format!("{}/{tenant}", self.mount_prefix))
    }

    /// Mounts the engine, if it is not there yet; and sets it to rebuild its own CRL now and then instead of at each revocation,
    /// since Signet publishes its own.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn ensure_mount(&self, mount: &Mount) -> Result<(), VaultError> {
        let path = format!("sys/mounts/{mount}");
        let config = json!({"max_lease_ttl": MAX_LEASE, "default_lease_ttl": DEFAULT_LEASE});
        match self.write("mounting the PKI engine", &path, json!({"type": "pki", "config": config}), Repeat::Harmless).await {
            Ok(_) => {}
            Err(VaultError::Refused { said, .. }) if said.contains("path is already in use") => {}
            Err(other) => return Err(other),
        }
        let rebuild = json!({"auto_rebuild": true, "auto_rebuild_grace_period": "12h", "expiry": "72h"});
        self.write("setting the mount's own CRL", &mount.below("config/crl"), rebuild, Repeat::Harmless).await.map(|_| ())
    }

    /// The CSR of a CA whose key is made inside and never leaves. Asked again it is one of the same key.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn generate_ca_csr(&self, mount: &Mount, wanted: CaRequest<'_>) -> Result<Vec<u8>, VaultError> {
        const CALL: &str = "making the key of a CA";
        let (key_type, bits) = match wanted.key_type {
            KeyType::P256 => ("ec", 256),
            KeyType::P384 => ("ec", 384),
            KeyType::Ed25519 => ("ed25519", 0),
            KeyType::Rsa2048 => ("rsa", 2048),
            KeyType::Rsa3072 => ("rsa", 3072),
            KeyType::Rsa4096 => ("rsa", 4096),
        };
        let subject = json!({"common_name": wanted.common_name, "exclude_cn_from_sans": true, "format": "der"});
        let with = |more: Value| merged(&subject, more);
        let new = with(json!({"key_type": key_type, "key_bits": bits, "key_name": wanted.issuer}));
        let made = match self.write(CALL, &mount.below("intermediate/generate/internal"), new, Repeat::OnlyIfNotDone).await {
            // An earlier attempt made the key, and its answer was lost.
            Err(VaultError::Refused { said, .. }) if said.contains("key name already in use") => {
                let existing = with(json!({"key_ref": wanted.issuer}));
                self.write(CALL, &mount.below("intermediate/generate/existing"), existing, Repeat::Harmless).await?
            }
            outcome => outcome?,
        };
        answer::bytes(&made, "/data/csr", CALL)
    }

    /// Gives the CA its certificate and those above it, and names it. `chain` begins with the CA's own.
    ///
    /// # Errors
    /// [`VaultError`]; [`VaultError::Refused`] when no key of the mount fits the certificate.
    pub async fn set_signed(&self, mount: &Mount, issuer: &str, chain: &[CertificateDer<'_>], urls: &IssuerUrls) -> Result<(), VaultError> {
        const CALL: &str = "setting the certificate of a CA";
        let text: String = chain.iter().map(pem::write_certificate).collect();
        let set = self.write(CALL, &mount.below("intermediate/set-signed"), json!({"certificate": text}), Repeat::Harmless).await?;
        let id = issuer_with_key(&set, CALL)?;
        self.write_issuer(mount, &id, issuer, urls).await
    }

    /// Brings a CA with its key from outside: the fall-back where a key cannot be made inside. The key has been outside then.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn import_ca(
        &self,
        mount: &Mount,
        issuer: &str,
        key_pem: &Secret,
        chain: &[CertificateDer<'_>],
        urls: &IssuerUrls,
    ) -> Result<(), VaultError> {
        const CALL: &str = "importing a CA";
        let key = key_pem.expose_str().ok_or_else(|| VaultError::Config("the key to import is not PEM".to_owned()))?;
        let certificates: String = chain.iter().map(pem::write_certificate).collect();
        let body = json!({"pem_bundle": format!("{}\n{certificates}", key.trim_end())});
        let set = self.write(CALL, &mount.below("config/ca"), body, Repeat::Harmless).await?;
        let id = issuer_with_key(&set, CALL)?;
        self.write_issuer(mount, &id, issuer, urls).await
    }

    /// Changes what the issuer writes into certificates from now on.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn set_urls(&self, mount: &Mount, issuer: &str, urls: &IssuerUrls) -> Result<(), VaultError> {
        self.write_issuer(mount, issuer, issuer, urls).await
    }

    /// The certificate of an issuer; none when the mount has no such issuer.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn issuer_certificate(&self, mount: &Mount, issuer: &str) -> Result<Option<CertificateDer<'static>>, VaultError> {
        const CALL: &str = "reading the certificate of a CA";
        let path = mount.issuer(issuer, "")?;
        match self.read(CALL, &path).await {
            Ok(found) => Ok(Some(first_certificate(&answer::text(&found, "/data/certificate", CALL)?, CALL)?)),
            Err(VaultError::Missing { .. }) => Ok(None),
            // What OpenBao and Vault say instead of 404.
            Err(VaultError::Unavailable { status: 500, said, .. }) if said.contains("unable to find PKI issuer") => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Writes a role, new or again.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn ensure_role(&self, mount: &Mount, role: &RoleSpec) -> Result<(), VaultError> {
        let path = mount.below(&format!("roles/{}", checked_path("role", &role.name)?));
        let body = json!({
            "allow_any_name": true,
            "enforce_hostnames": false,
            "allow_wildcard_certificates": true,
            "allowed_uri_sans": ["*"],
            "server_flag": role.server,
            "client_flag": role.client,
            "code_signing_flag": false,
            "email_protection_flag": false,
            "key_usage": role.key_usage,
            // Keys are judged before, by Signet.
            "key_type": "any",
            "require_cn": false,
            "use_csr_common_name": false,
            "use_csr_sans": false,
            "basic_constraints_valid_for_non_ca": true,
            "not_before_duration": seconds(role.backdate),
            "max_ttl": seconds(role.max_ttl),
            "no_store": false,
            "generate_lease": false,
        });
        self.write("writing a role", &path, body, Repeat::Harmless).await.map(|_| ())
    }

    /// Deletes an issuer and its key for good: nothing is signed with it any more. What is not there any more is fine.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn delete_ca(&self, mount: &Mount, issuer: &str) -> Result<(), VaultError> {
        const CALL: &str = "deleting the key of a CA";
        let name = checked_path("issuer", issuer)?;
        // The engine deletes no key that an issuer uses.
        for path in [mount.issuer(issuer, "")?, mount.below(&format!("key/{name}"))] {
            let call = Call { name: CALL, method: Method::DELETE, path: &path, body: None, repeat: Repeat::Harmless };
            match self.client.call(call).await {
                Ok(_) | Err(VaultError::Missing { .. }) => {}
                Err(VaultError::Refused { said, .. } | VaultError::Unavailable { status: 500, said, .. })
                    if said.contains("unable to find PKI") => {}
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    async fn write_issuer(&self, mount: &Mount, reference: &str, name: &str, urls: &IssuerUrls) -> Result<(), VaultError> {
        let list = |url: &Option<String>| url.iter().cloned().collect::<Vec<String>>();
        let body = json!({
            "issuer_name": name,
            // A certificate that would outlive its CA is an error of ours, not to be cut in silence.
            "leaf_not_after_behavior": "err",
            "usage": "read-only,issuing-certificates,crl-signing,ocsp-signing",
            "crl_distribution_points": list(&urls.crl),
            "ocsp_servers": list(&urls.ocsp),
            "issuing_certificates": list(&urls.ca_issuers),
        });
        self.write("setting up an issuer", &mount.issuer(reference, "")?, body, Repeat::Harmless).await.map(|_| ())
    }

    pub(super) async fn write(&self, name: &'static str, path: &str, body: Value, repeat: Repeat) -> Result<Value, VaultError> {
        self.client.call(Call { name, method: Method::POST, path, body: Some(body), repeat }).await
    }

    pub(super) async fn read(&self, name: &'static str, path: &str) -> Result<Value, VaultError> {
        self.client.call(Call { name, method: Method::GET, path, body: None, repeat: Repeat::Harmless }).await
    }
}

/// Of the issuers that an import made or found, the one that the mount has the key of.
fn issuer_with_key(imported: &Value, call: &'static str) -> Result<String, VaultError> {
    let mapping = imported.pointer("/data/mapping").and_then(Value::as_object).ok_or_else(|| answer::missing("/data/mapping", call))?;
    let mut with_key = mapping.iter().filter(|(_, key)| key.as_str().is_some_and(|key| !key.is_empty()));
    match (with_key.next(), with_key.next()) {
        (Some((issuer, _)), None) => Ok(issuer.clone()),
        (None, _) => Err(VaultError::Refused { call, said: "the mount has no key for this certificate".to_owned() }),
        (Some(_), Some(_)) => Err(VaultError::Refused { call, said: "the mount has keys for several of these certificates".to_owned() }),
    }
}

pub(super) fn first_certificate(text: &str, call: &'static str) -> Result<CertificateDer<'static>, VaultError> {
    let found = pem::certificates(text.as_bytes()).map_err(|error| VaultError::Answer { call, why: error.to_string() })?;
    found.into_iter().next().ok_or_else(|| answer::missing("the certificate", call))
}

pub(super) fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs())
}

/// Both objects in one; the second wins.
pub(super) fn merged(one: &Value, other: Value) -> Value {
    let mut all: Map<String, Value> = one.as_object().cloned().unwrap_or_default();
    if let Value::Object(more) = other {
        all.extend(more);
    }
    Value::Object(all)
}
