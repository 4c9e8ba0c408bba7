//! The two profiles of a data directory (design 10): its own authority, and the server certificate under it.

use const_oid::AssociatedOid as _;
use const_oid::db::rfc5280::ID_KP_SERVER_AUTH;
use der::asn1::{Ia5String, OctetString};
use der::flagset::FlagSet;
use rustls_pki_types::CertificateDer;
use signet_crypto::sign::Signer;
use signet_model::Entropy;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName, SubjectKeyIdentifier,
};

use crate::tbs::{ToBeSigned, common_name, extension, key_identifier, public_key};
use crate::{CaCertificate, PkiError, ServerNames, Validity};

/// The common name of server certificates. Peers look at the alternative names only.
const SERVER_COMMON_NAME: &str = "Signet server";

/// Makes certificates with a signer that is given for each.
pub struct CertificateAuthority;

impl CertificateAuthority {
    /// A self-signed authority: CA:TRUE with path length 0 and keyUsage keyCertSign and cRLSign, all critical; subject key identifier.
    ///
    /// # Errors
    /// [`PkiError::Name`] for an unusable common name, [`PkiError::Sign`] when the signer fails.
    pub fn create(subject_cn: &str, validity: &Validity, signer: &dyn Signer, entropy: &dyn Entropy) -> Result<CaCertificate, PkiError> {
        let subject = common_name(subject_cn)?;
        let spki = public_key(&signer.public_key_spki_der())?;
        let identifier = key_identifier(&spki)?;
        let extensions = vec![
            extension(BasicConstraints::OID, true, &BasicConstraints { ca: true, path_len_constraint: Some(0) })?,
            extension(KeyUsage::OID, true, &KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign))?,
            extension(SubjectKeyIdentifier::OID, false, &SubjectKeyIdentifier(identifier.clone()))?,
            authority_key_identifier(identifier)?,
        ];
        let tbs = ToBeSigned { issuer: subject.clone(), validity: *validity, subject, spki, extensions };
        CaCertificate::from_der(tbs.sign(signer, entropy)?)
    }

    /// A server certificate for `names` and the public key `spki_der`: digitalSignature, serverAuth. It ends no later than
    /// its authority.
    ///
    /// # Errors
    /// [`PkiError::KeyMismatch`] when `ca_signer` is not the authority's key, [`PkiError::Malformed`] for a bad public key,
    /// [`PkiError::Sign`] when the signer fails.
    pub fn issue_server_leaf(
        ca: &CaCertificate,
        ca_signer: &dyn Signer,
        names: &ServerNames,
        spki_der: &[u8],
        validity: &Validity,
        entropy: &dyn Entropy,
    ) -> Result<CertificateDer<'static>, PkiError> {
        ca.check_signer(ca_signer)?;
        let spki = public_key(spki_der)?;
        let usage: FlagSet<KeyUsages> = KeyUsages::DigitalSignature.into();
        let extensions = vec![
            extension(BasicConstraints::OID, true, &BasicConstraints { ca: false, path_len_constraint: None })?,
            extension(KeyUsage::OID, true, &KeyUsage(usage))?,
            extension(ExtendedKeyUsage::OID, false, &ExtendedKeyUsage(vec![ID_KP_SERVER_AUTH]))?,
            extension(SubjectKeyIdentifier::OID, false, &SubjectKeyIdentifier(key_identifier(&spki)?))?,
            authority_key_identifier(ca.key_identifier.clone())?,
            extension(SubjectAltName::OID, false, &SubjectAltName(general_names(names)?))?,
        ];
        let validity = Validity { not_before: validity.not_before, not_after: validity.not_after.min(ca.not_after) };
        ToBeSigned { issuer: ca.subject.clone(), validity, subject: common_name(SERVER_COMMON_NAME)?, spki, extensions }
            .sign(ca_signer, entropy)
    }
}

fn authority_key_identifier(identifier: OctetString) -> Result<Extension, PkiError> {
    let value =
        AuthorityKeyIdentifier { key_identifier: Some(identifier), authority_cert_issuer: None, authority_cert_serial_number: None };
    extension(AuthorityKeyIdentifier::OID, false, &value)
}

fn general_names(names: &ServerNames) -> Result<Vec<GeneralName>, PkiError> {
    let dns = names.dns().iter().map(|name| Ok(GeneralName::DnsName(Ia5String::new(name).map_err(PkiError::encode)?)));
    let ips = names.ips().iter().map(|ip| Ok(GeneralName::from(*ip)));
    dns.chain(ips).collect()
}
