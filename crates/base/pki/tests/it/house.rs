//! A small authority for the tests: a root, a tenant's CA under it, leaves.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use signet_crypto::SystemEntropy;
use signet_crypto::sign::{KeyType, Signer as _, SigningKey};
use signet_model::Timestamp;
use signet_pki::{CaCertificate, CertificateRequest, IssuerFacts, Name, Profile, PublicKey, Serial, SerialLength, Throwaway, Validity};

/// 2026-01-01T00:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
/// The same in seconds, as `openssl -attime` wants it.
pub(crate) const NOW_SECONDS: &str = "1767225600";

/// An authority with its key.
pub(crate) struct Authority {
    pub(crate) key: SigningKey,
    pub(crate) certificate: CaCertificate,
    pub(crate) facts: Arc<IssuerFacts>,
}

/// A certificate with its key.
pub(crate) struct Leaf {
    pub(crate) key: SigningKey,
    pub(crate) der: CertificateDer<'static>,
    pub(crate) serial: Serial,
}

pub(crate) fn public(key: &SigningKey) -> PublicKey {
    PublicKey::from_spki_der(&key.public_key_spki_der()).unwrap()
}

fn throwaway() -> Throwaway {
    Throwaway::new(Arc::new(SystemEntropy))
}

impl Authority {
    /// A self-signed root.
    pub(crate) fn root(name: &str, kind: KeyType) -> Self {
        let key = SigningKey::generate(kind, &SystemEntropy).unwrap();
        let name = Name::common(name).unwrap();
        let validity = Validity::days(NOW, 7300);
        let issuer = Arc::new(IssuerFacts::self_signed(name.clone(), &public(&key), validity));
        let der = request(Profile::Root, name, &key, validity, issuer).lint(&throwaway()).unwrap().sign(&key).unwrap();
        Self::of(key, der)
    }

    /// An authority below this one.
    pub(crate) fn below(&self, name: &str, profile: Profile, kind: KeyType) -> Self {
        let key = SigningKey::generate(kind, &SystemEntropy).unwrap();
        let request = request(profile, Name::common(name).unwrap(), &key, Validity::days(NOW, 1000), Arc::clone(&self.facts));
        let der = request.lint(&throwaway()).unwrap().sign(&self.key).unwrap();
        Self::of(key, der)
    }

    fn of(key: SigningKey, der: CertificateDer<'static>) -> Self {
        let certificate = CaCertificate::from_der(der).unwrap();
        let facts = Arc::new(IssuerFacts::of(&certificate).unwrap());
        Self { key, certificate, facts }
    }

    /// A certificate of 90 days for a new key.
    pub(crate) fn leaf(&self, name: &str, profile: Profile) -> Leaf {
        self.leaf_with(name, profile, |_| ())
    }

    /// The same, changed before it is signed.
    pub(crate) fn leaf_with(&self, name: &str, profile: Profile, change: impl FnOnce(&mut CertificateRequest)) -> Leaf {
        let key = SigningKey::generate(KeyType::P256, &SystemEntropy).unwrap();
        let days = if profile == Profile::OcspResponder { 7 } else { 90 };
        let mut request = request(profile, Name::common(name).unwrap(), &key, Validity::days(NOW, days), Arc::clone(&self.facts));
        let ours = profile != Profile::OcspResponder;
        request.crl_url = ours.then(|| "http://127.0.0.1:7480/crl/acme/1/1.crl".to_owned());
        change(&mut request);
        let der = request.lint(&throwaway()).unwrap().sign(&self.key).unwrap();
        Leaf { key, der, serial: request.serial }
    }
}

fn request(profile: Profile, subject: Name, key: &SigningKey, validity: Validity, issuer: Arc<IssuerFacts>) -> CertificateRequest {
    CertificateRequest {
        profile,
        serial: Serial::random(&SystemEntropy, SerialLength::Sixteen),
        subject,
        names: Vec::new(),
        public_key: public(key),
        validity,
        issuer,
        crl_url: None,
        ocsp_url: None,
        ca_issuers_url: None,
        no_rev_avail: false,
    }
}
