//! What verifiers put into their trust stores.

use rustls_pki_types::CertificateDer;
use signet_model::{Refusal, Scope};
use signet_pki::pem;

use crate::AuthorityRoom;

impl AuthorityRoom {
    /// In PEM: the root, else the platform CA; behind it, where they are wanted, the tenant's CAs that are published, newest first.
    ///
    /// # Errors
    /// The platform CA is not open; the database.
    pub async fn bundle(&self, scope: &Scope, tenant_cas: bool) -> Result<String, Refusal> {
        let platform = self.platform()?;
        let mut text = pem::write_certificate(&CertificateDer::from(platform.anchor()));
        if tenant_cas {
            self.active_or_made(scope).await?;
            for ca in self.ca_rows(&scope.tenant).await?.into_iter().filter(|ca| ca.state.published()) {
                if let Some(der) = &ca.certificate {
                    text.push_str(&pem::write_certificate(&CertificateDer::from(der.as_slice())));
                }
            }
        }
        Ok(text)
    }

    /// The certificate of a tenant's CA that issues and those above it up to the root, in DER: what Kaa's API calls the chain.
    ///
    /// # Errors
    /// The tenant does not work and has none; the platform CA is not open; the database.
    pub async fn ca_chain(&self, scope: &Scope) -> Result<Vec<Vec<u8>>, Refusal> {
        let row = self.active_or_made(scope).await?;
        let platform = self.platform()?;
        let mut chain: Vec<_> = row.certificate.into_iter().collect();
        chain.push(platform.certificate.clone());
        chain.extend(platform.above.iter().cloned());
        Ok(chain)
    }
}
