//! The certificate that we show to servers which ask for one; it can be exchanged while connections are made.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::OutboundError;

/// A certificate with its private key. Clones share it: what [`ClientIdentity::replace`] puts in counts for all of them, from their
/// next handshake on.
#[derive(Clone)]
pub struct ClientIdentity(Arc<ArcSwap<CertifiedKey>>);

impl ClientIdentity {
    /// Of a chain, the leaf first, and the leaf's key. Whether they belong together is for the caller to check, who can say it better.
    ///
    /// # Errors
    /// [`OutboundError::Identity`] when the chain is empty or the key is none that TLS can sign with.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: &PrivateKeyDer<'_>) -> Result<Self, OutboundError> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(certified(chain, key)?))))
    }

    /// Another certificate takes its place; on an error the one that was there stays.
    ///
    /// # Errors
    /// As [`ClientIdentity::new`].
    pub fn replace(&self, chain: Vec<CertificateDer<'static>>, key: &PrivateKeyDer<'_>) -> Result<(), OutboundError> {
        self.0.store(Arc::new(certified(chain, key)?));
        Ok(())
    }

    pub(crate) fn resolver(&self) -> Arc<dyn ResolvesClientCert> {
        Arc::new(self.clone())
    }
}

fn certified(chain: Vec<CertificateDer<'static>>, key: &PrivateKeyDer<'_>) -> Result<CertifiedKey, OutboundError> {
    if chain.is_empty() {
        return Err(OutboundError::Identity("there is no certificate in it".to_owned()));
    }
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(key).map_err(|error| OutboundError::Identity(error.to_string()))?;
    Ok(CertifiedKey::new(chain, key))
}

impl ResolvesClientCert for ClientIdentity {
    fn resolve(&self, _root_hint_subjects: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        // Whatever authorities the server hints at: a certificate that it does not like is better refused by it, with its reason,
        // than withheld.
        let identity = self.0.load_full();
        identity.key.choose_scheme(schemes).map(|_| identity)
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Without the key.
impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientIdentity({} certificates)", self.0.load().cert.len())
    }
}
