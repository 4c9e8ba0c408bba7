//! Whose certificates are believed: exactly the authorities of one PEM file, or the system's where no file is; never both. And with
//! which certificate we answer a server that asks for one.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::{ClientIdentity, OutboundError};

/// Longest file of certificates in bytes; the whole store of a distribution is a quarter of it.
const LONGEST_FILE: u64 = 1024 * 1024;

/// The TLS settings. HTTP/1.1 is offered and nothing else, since that is what is spoken.
pub(crate) fn tls(ca_file: Option<&Path>, identity: Option<&ClientIdentity>) -> Result<Arc<ClientConfig>, OutboundError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let fault = |why: &dyn std::fmt::Display| OutboundError::TrustFile(format!("TLS cannot be set up: {why}"));
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|e| fault(&e))?;
    let builder = match ca_file {
        Some(path) => builder.with_root_certificates(authorities(path)?),
        None => builder
            .with_platform_verifier()
            .map_err(|e| OutboundError::TrustFile(format!("the system's certificate authorities cannot be used: {e}")))?,
    };
    let mut config = match identity {
        Some(identity) => builder.with_client_cert_resolver(identity.resolver()),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn authorities(path: &Path) -> Result<RootCertStore, OutboundError> {
    let fault = |why: &dyn std::fmt::Display| OutboundError::TrustFile(format!("{}: {why}", path.display()));
    let size = std::fs::metadata(path).map_err(|e| fault(&e))?.len();
    if size > LONGEST_FILE {
        return Err(fault(&format!("longer than {LONGEST_FILE} bytes")));
    }
    let pem = std::fs::read(path).map_err(|e| fault(&e))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|e| fault(&e))?;
        roots.add(certificate).map_err(|e| fault(&e))?;
    }
    if roots.is_empty() {
        return Err(fault(&"there is no certificate in it"));
    }
    Ok(roots)
}
