//! Whom the client trusts: exactly the certificates of one PEM file, or the system's roots where no file is; never both.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::ClientError;
use crate::error::CA_FILE_INVALID;

/// The TLS settings of the client; `ca_file` none means the system's roots.
pub(crate) fn tls(ca_file: Option<&Path>) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = match ca_file {
        Some(path) => with_file(provider, path)?,
        None => with_system(provider)?,
    };
    // A configuration handed to reqwest is taken as it is: without this, HTTP/1.1 only.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// TLS settings that trust nobody, for clients that speak plain HTTP only.
pub(crate) fn nobody() -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let fault = |e: rustls::Error| ClientError::local(&CA_FILE_INVALID, e.to_string());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(fault)?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn with_file(provider: Arc<CryptoProvider>, path: &Path) -> Result<ClientConfig, ClientError> {
    let fault = |why: &dyn std::fmt::Display| ClientError::local(&CA_FILE_INVALID, format!("{}: {why}", path.display()));
    let pem = std::fs::read(path).map_err(|e| fault(&e))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|e| fault(&e))?;
        roots.add(certificate).map_err(|e| fault(&e))?;
    }
    if roots.is_empty() {
        return Err(fault(&"no certificate in it"));
    }
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|e| fault(&e))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn with_system(provider: Arc<CryptoProvider>) -> Result<ClientConfig, ClientError> {
    let fault = |e: rustls::Error| ClientError::local(&CA_FILE_INVALID, format!("the system's trusted certificates cannot be used: {e}"));
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(fault)?;
    Ok(builder.with_platform_verifier().map_err(fault)?.with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in
            [("empty.pem", ""), ("words.pem", "hello"), ("bad.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")]
        {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            let problem = tls(Some(&path)).map(|_| ()).unwrap_err().problem();
            assert_eq!(problem.reason, "ca-file.invalid");
            assert!(problem.detail.contains(name), "{}", problem.detail);
        }
    }
}
