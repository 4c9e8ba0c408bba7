//! The two certificates of a data directory (design 10): its own authority, and the server certificate under it.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use signet_crypto::sign::Signer;
use signet_model::Entropy;

use crate::{
    CaCertificate, CertificateRequest, IssuerFacts, Name, PkiError, Profile, PublicKey, Serial, ServerNames, SubjectName, Throwaway,
    Validity,
};

/// The common name of server certificates. Peers look at the alternative names only.
const SERVER_COMMON_NAME: &str = "Signet server";

/// Makes the certificates of a data directory with a signer that is given for each.
pub struct CertificateAuthority;

impl CertificateAuthority {
    /// A self-signed authority: CA:TRUE with path length 0 and keyUsage keyCertSign and cRLSign, all critical; subject key identifier.
    ///
    /// # Errors
    /// [`PkiError::Name`] for an unusable common name, [`PkiError::Sign`] when the signer fails.
    pub fn create(subject_cn: &str, validity: &Validity, signer: &dyn Signer, entropy: &dyn Entropy) -> Result<CaCertificate, PkiError> {
        let subject = Name::common(subject_cn)?;
        let public_key = PublicKey::from_spki_der(&signer.public_key_spki_der())?;
        let issuer = IssuerFacts::self_signed(subject.clone(), &public_key, *validity);
        let request = CertificateRequest {
            profile: Profile::LocalCa,
            serial: Serial::random(entropy, Profile::LocalCa.serial_length()),
            subject,
            names: Vec::new(),
            public_key,
            validity: *validity,
            issuer: Arc::new(issuer),
            crl_url: None,
            ocsp_url: None,
            ca_issuers_url: None,
            no_rev_avail: false,
        };
        CaCertificate::from_der(made(&request, signer, entropy)?)
    }

    /// A server certificate for `names` and the public key `spki_der`: digitalSignature, serverAuth. It ends no later than
    /// its authority.
    ///
    /// # Errors
    /// [`PkiError::KeyMismatch`] when `ca_signer` is not the authority's key, [`PkiError::Malformed`],
    /// [`PkiError::UnsupportedPublicKey`] or [`PkiError::WeakKey`] for a bad public key, [`PkiError::Sign`] when the signer fails.
    pub fn issue_server_leaf(
        ca: &CaCertificate,
        ca_signer: &dyn Signer,
        names: &ServerNames,
        spki_der: &[u8],
        validity: &Validity,
        entropy: &dyn Entropy,
    ) -> Result<CertificateDer<'static>, PkiError> {
        ca.check_signer(ca_signer)?;
        let dns = names.dns().iter().cloned().map(SubjectName::Dns);
        let request = CertificateRequest {
            profile: Profile::Server,
            serial: Serial::random(entropy, Profile::Server.serial_length()),
            subject: Name::common(SERVER_COMMON_NAME)?,
            names: dns.chain(names.ips().iter().copied().map(SubjectName::Ip)).collect(),
            public_key: PublicKey::from_spki_der(spki_der)?,
            validity: Validity { not_before: validity.not_before.max(ca.not_before()), not_after: validity.not_after.min(ca.not_after()) },
            issuer: Arc::new(IssuerFacts::of(ca)?),
            crl_url: None,
            ocsp_url: None,
            ca_issuers_url: None,
            no_rev_avail: false,
        };
        made(&request, ca_signer, entropy)
    }
}

fn made(request: &CertificateRequest, signer: &dyn Signer, entropy: &dyn Entropy) -> Result<CertificateDer<'static>, PkiError> {
    request.lint(&Throwaway::single(request.issuer.algorithm(), entropy)?)?.sign(signer)
}
