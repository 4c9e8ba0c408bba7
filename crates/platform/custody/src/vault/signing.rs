//! What the CA of a mount signs, and how it is taken back there. The mount draws the serial numbers; whoever asks reads serial and
//! dates from the certificate, not from the JSON beside it.

use http::Method;
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};
use signet_model::Timestamp;
use signet_pki::SubjectName;

use super::client::{Call, Repeat};
use super::config::checked_path;
use super::engine::{first_certificate, merged};
use super::{Mount, VaultError, VaultPki, answer};

/// One certificate that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct SignOrder<'a> {
    /// The role that shapes it.
    pub role: &'a str,
    /// The request, DER: its key is taken, and its signature checked again by the server.
    pub csr: &'a [u8],
    /// The one attribute of the subject; none leaves the subject empty.
    pub common_name: Option<&'a str>,
    /// Alternative names, exactly these.
    pub names: &'a [SubjectName],
    /// Valid until.
    pub not_after: Timestamp,
}

/// What was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The certificate.
    pub certificate: CertificateDer<'static>,
    /// The certificates above it as the mount has them, the CA's own first.
    pub chain: Vec<CertificateDer<'static>>,
}

impl VaultPki {
    /// Signs a certificate. Not repeated where the answer was lost: what the server signed then is found by
    /// [`VaultPki::serials`].
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn sign_csr(&self, mount: &Mount, issuer: &str, order: SignOrder<'_>) -> Result<Signed, VaultError> {
        let path = mount.issuer(issuer, &format!("/sign/{}", checked_path("role", order.role)?))?;
        let names = names(order.names)?;
        let body = json!({
            "csr": request_pem(order.csr),
            "common_name": order.common_name.unwrap_or_default(),
            "exclude_cn_from_sans": true,
            "not_after": order.not_after.to_string(),
            "format": "der",
        });
        self.sign("signing a certificate", &path, merged(&body, names)).await
    }

    /// Signs a request of ours as it is, extensions included, such as the one of an OCSP responder.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn sign_verbatim(
        &self,
        mount: &Mount,
        issuer: &str,
        csr: &[u8],
        key_usage: &[&str],
        extended_key_usage: &[&str],
        not_after: Timestamp,
    ) -> Result<Signed, VaultError> {
        let path = mount.issuer(issuer, "/sign-verbatim")?;
        let body = json!({
            "csr": request_pem(csr),
            "key_usage": key_usage,
            "ext_key_usage": extended_key_usage,
            "not_after": not_after.to_string(),
            "format": "der",
        });
        self.sign("signing a request as it is", &path, body).await
    }

    /// Has the mount revoke a certificate too, by its serial number in hexadecimal with colons. The state that counts is Signet's;
    /// revoking twice is fine. `false`: the mount does not know the serial number.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn revoke(&self, mount: &Mount, serial: &str) -> Result<bool, VaultError> {
        let path = format!("{mount}/revoke");
        match self.write("revoking a certificate", &path, json!({"serial_number": serial}), Repeat::Harmless).await {
            Ok(_) => Ok(true),
            Err(VaultError::Refused { said, .. }) if said.contains("not found") => Ok(false),
            // The mount does not revoke what has expired: then nothing is left to do.
            Err(VaultError::Refused { said, .. }) if said.contains("expired") => Ok(true),
            Err(other) => Err(other),
        }
    }

    /// Serial numbers of everything that the mount signed or holds, hexadecimal with colons.
    ///
    /// # Errors
    /// [`VaultError`]; [`VaultError::Answer`] beyond some 200,000, whose list is longer than is read.
    pub async fn serials(&self, mount: &Mount) -> Result<Vec<String>, VaultError> {
        const CALL: &str = "listing what a mount signed";
        let list =
            Call { name: CALL, method: Method::GET, path: &format!("{mount}/certs?list=true"), body: None, repeat: Repeat::Harmless };
        match self.client.call(list).await {
            Ok(found) => answer::texts(&found, "/data/keys", CALL),
            // An empty list is a 404, and so is a mount that is not there; the latter says so.
            Err(VaultError::Missing { said, .. }) if !said.contains("no handler") => Ok(Vec::new()),
            Err(other) => Err(other),
        }
    }

    /// A certificate that the mount signed, by its serial number in hexadecimal with colons.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn certificate(&self, mount: &Mount, serial: &str) -> Result<Option<CertificateDer<'static>>, VaultError> {
        const CALL: &str = "reading a certificate";
        if serial.is_empty() || !serial.bytes().all(|b| b.is_ascii_hexdigit() || b == b':') {
            return Err(VaultError::Config("a serial number is hexadecimal with colons".to_owned()));
        }
        match self.read(CALL, &format!("{mount}/cert/{serial}")).await {
            Ok(found) => Ok(Some(first_certificate(&answer::text(&found, "/data/certificate", CALL)?, CALL)?)),
            Err(VaultError::Missing { said, .. }) if !said.contains("no handler") => Ok(None),
            Err(VaultError::Refused { said, .. }) if said.contains("not found") => Ok(None),
            Err(other) => Err(other),
        }
    }

    async fn sign(&self, call: &'static str, path: &str, body: Value) -> Result<Signed, VaultError> {
        let signed = self.write(call, path, body, Repeat::OnlyIfNotDone).await?;
        let certificate = CertificateDer::from(answer::bytes(&signed, "/data/certificate", call)?);
        let chain = answer::texts(&signed, "/data/ca_chain", call)?;
        let chain = chain.iter().map(|text| answer::decode(text, "/data/ca_chain", call).map(CertificateDer::from));
        Ok(Signed { certificate, chain: chain.collect::<Result<_, _>>()? })
    }
}

/// The names in the three parameters that the API has for them.
fn names(names: &[SubjectName]) -> Result<Value, VaultError> {
    let (mut plain, mut uris, mut addresses) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        match name {
            SubjectName::Dns(name) => plain.push(name.clone()),
            SubjectName::Email(name) => plain.push(name.clone()),
            SubjectName::Uri(uri) => uris.push(uri.clone()),
            SubjectName::Ip(address) => addresses.push(address.to_string()),
        }
    }
    // This parameter is one text with commas between.
    if plain.iter().any(|name| name.contains(',')) {
        return Err(VaultError::Config("a name with a comma cannot be asked of Vault".to_owned()));
    }
    Ok(json!({"alt_names": plain.join(","), "uri_sans": uris, "ip_sans": addresses}))
}

fn request_pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let mut text = String::from("-----BEGIN CERTIFICATE REQUEST-----\n");
    for line in body.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE REQUEST-----\n");
    text
}
