//! The one way by which a certificate of an authority comes to be: a request is encoded once, signed with a throw-away key, linted as
//! a whole certificate, and only what passed is signed with the authority's key, over exactly the same bytes.

use std::sync::{Arc, OnceLock};

use rustls_pki_types::CertificateDer;
use signet_crypto::sha256;
use signet_crypto::sign::{Algorithm, KeyType, SignError, Signer, SigningKey, verify_signature};
use signet_model::Entropy;

use crate::issuer::write_extension;
use crate::lint::{self, LintContext};
use crate::tlv::{self, Reader, Writer};
use crate::{IssuerFacts, LintFailure, Name, PkiError, Profile, PublicKey, Serial, SubjectName, Validity, algorithm, oid, time};

/// Everything that a certificate says. Extensions follow from the profile.
#[derive(Clone, Debug)]
pub struct CertificateRequest {
    /// What it is for.
    pub profile: Profile,
    /// Its serial number, of the profile's length.
    pub serial: Serial,
    /// Its subject.
    pub subject: Name,
    /// The names that it vouches for beside the subject.
    pub names: Vec<SubjectName>,
    /// Its key.
    pub public_key: PublicKey,
    /// Its dates; [`Profile::validity`] gives the usual ones.
    pub validity: Validity,
    /// Who issues it.
    pub issuer: Arc<IssuerFacts>,
    /// Where its CRL is, byte for byte as the CRL says it.
    pub crl_url: Option<String>,
    /// Where its OCSP responder is.
    pub ocsp_url: Option<String>,
    /// Where its issuer's certificate is.
    pub ca_issuers_url: Option<String>,
    /// That no revocation will ever be published (RFC 9608): for short lives, without the three addresses.
    pub no_rev_avail: bool,
}

impl CertificateRequest {
    /// Encodes the certificate and lints it under a signature by a key of nobody.
    ///
    /// # Errors
    /// [`PkiError::Lint`] with every rule that it breaks, [`PkiError::Encode`] for dates that no certificate has,
    /// [`PkiError::Sign`] when the throw-away key fails.
    pub fn lint(&self, throwaway: &Throwaway) -> Result<LintedCertificate, PkiError> {
        let tbs = self.encode()?;
        let algorithm = self.issuer.algorithm();
        let certificate = assemble(&tbs, algorithm, &throwaway.sign(algorithm, &tbs)?);
        self.keep_rules(&certificate)?;
        Ok(LintedCertificate { tbs, algorithm, issuer_spki_sha256: self.issuer.spki_sha256() })
    }

    /// Judges a certificate that another engine made for this request: the same rules, that it says what was asked for, and that
    /// the issuer signed it. Serial number and start are the engine's own.
    ///
    /// # Errors
    /// [`PkiError::Lint`] with every rule that it breaks, [`PkiError::KeyMismatch`] when `issuer_spki` is not the issuer's key,
    /// [`PkiError::Sign`] when that key did not sign it.
    pub fn accept(&self, der: &[u8], issuer_spki: &[u8]) -> Result<(), PkiError> {
        self.keep_rules(der)?;
        let key = sha256(issuer_spki);
        if key != self.issuer.spki_sha256() {
            return Err(PkiError::KeyMismatch { certificate: tlv::hex(&self.issuer.spki_sha256()), key: tlv::hex(&key) });
        }
        let mut parts = Reader::only(der, tlv::SEQUENCE, "the certificate")?.inner();
        let (tbs, identifier, signature) = (parts.any()?, parts.any()?, parts.any()?);
        // Both were linted: a known algorithm, whole bytes.
        let algorithm = algorithm::read(&identifier).map_err(|_| SignError::BadSignature)?;
        let signature = signature.body.get(1..).unwrap_or_default();
        Ok(verify_signature(issuer_spki, algorithm, tbs.raw, signature)?)
    }

    fn keep_rules(&self, certificate: &[u8]) -> Result<(), PkiError> {
        let context = LintContext {
            profile: Some(self.profile),
            issuer: Some(&self.issuer),
            judged_key: Some(&self.public_key),
            request: Some(self),
        };
        let findings = lint::lint_certificate(certificate, &context);
        if findings.is_empty() { Ok(()) } else { Err(PkiError::Lint(LintFailure::new(findings))) }
    }

    /// The to-be-signed part (RFC 5280 section 4.1).
    fn encode(&self) -> Result<Vec<u8>, PkiError> {
        let mut validity = Writer::with_capacity(36);
        time::write(&mut validity, self.validity.not_before)?;
        time::write(&mut validity, self.validity.not_after)?;
        let mut writer = Writer::with_capacity(1024);
        writer.nested(tlv::SEQUENCE, |tbs| {
            tbs.raw(&[0xa0, 3, tlv::INTEGER, 1, 2]);
            self.serial.write(tbs);
            tbs.raw(algorithm::identifier(self.issuer.algorithm()));
            tbs.raw(self.issuer.name().der());
            tbs.element(tlv::SEQUENCE, &validity.finish());
            tbs.raw(self.subject.der());
            tbs.raw(self.public_key.spki_der());
            tbs.nested(tlv::context(3), |field| field.nested(tlv::SEQUENCE, |extensions| self.write_extensions(extensions)));
        });
        Ok(writer.finish())
    }

    fn write_extensions(&self, extensions: &mut Writer) {
        let profile = self.profile;
        if profile.has_basic_constraints() {
            write_extension(extensions, oid::BASIC_CONSTRAINTS, true, |value| {
                value.nested(tlv::SEQUENCE, |constraints| {
                    if profile.is_authority() {
                        constraints.element(tlv::BOOLEAN, &[0xff]);
                    }
                    if let Some(length) = profile.path_len() {
                        constraints.element(tlv::INTEGER, &[length]);
                    }
                });
            });
        }
        let usage = profile.key_usage();
        // A named bit list ends with its last bit that is set.
        let unused = u8::try_from(usage.trailing_zeros()).unwrap_or(0);
        write_extension(extensions, oid::KEY_USAGE, true, |value| value.element(tlv::BIT_STRING, &[unused, usage]));
        if !profile.purposes().is_empty() {
            write_extension(extensions, oid::EXTENDED_KEY_USAGE, false, |value| {
                value.nested(tlv::SEQUENCE, |purposes| profile.purposes().iter().for_each(|purpose| purposes.element(tlv::OID, purpose)));
            });
        }
        let identifier = self.public_key.key_identifier();
        write_extension(extensions, oid::SUBJECT_KEY_IDENTIFIER, false, |value| value.element(tlv::OCTET_STRING, &identifier));
        extensions.raw(self.issuer.authority_key_identifier());
        if !self.names.is_empty() {
            // Critical where the subject says nothing (RFC 5280 section 4.2.1.6).
            write_extension(extensions, oid::SUBJECT_ALT_NAME, self.subject.is_empty(), |value| {
                value.nested(tlv::SEQUENCE, |names| self.names.iter().for_each(|name| name.write(names)));
            });
        }
        self.write_pointers(extensions);
    }

    fn write_pointers(&self, extensions: &mut Writer) {
        if let Some(url) = &self.crl_url {
            write_extension(extensions, oid::CRL_DISTRIBUTION_POINTS, false, |value| {
                value.nested(tlv::SEQUENCE, |points| {
                    points.nested(tlv::SEQUENCE, |point| {
                        point.nested(tlv::context(0), |name| {
                            name.nested(tlv::context(0), |full| full.element(tlv::context_primitive(6), url.as_bytes()));
                        });
                    });
                });
            });
        }
        let access = [(oid::ACCESS_OCSP, &self.ocsp_url), (oid::ACCESS_CA_ISSUERS, &self.ca_issuers_url)];
        if access.iter().any(|(_, url)| url.is_some()) {
            write_extension(extensions, oid::AUTHORITY_INFO_ACCESS, false, |value| {
                value.nested(tlv::SEQUENCE, |descriptions| {
                    for (method, url) in access.iter().filter_map(|(method, url)| Some((method, url.as_ref()?))) {
                        descriptions.nested(tlv::SEQUENCE, |description| {
                            description.element(tlv::OID, method);
                            description.element(tlv::context_primitive(6), url.as_bytes());
                        });
                    }
                });
            });
        }
        if self.no_rev_avail {
            write_extension(extensions, oid::NO_REV_AVAIL, false, |value| value.element(tlv::NULL, &[]));
        }
        if self.profile == Profile::OcspResponder {
            write_extension(extensions, oid::OCSP_NO_CHECK, false, |value| value.element(tlv::NULL, &[]));
        }
    }
}

/// A to-be-signed certificate that passed every lint under a throw-away signature. Nothing else can be signed.
#[derive(Clone, Debug)]
pub struct LintedCertificate {
    tbs: Vec<u8>,
    algorithm: Algorithm,
    issuer_spki_sha256: [u8; 32],
}

impl LintedCertificate {
    /// The bytes that were linted and are signed.
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// Signs exactly the bytes that were linted, with the key of the issuer that they name.
    ///
    /// # Errors
    /// [`PkiError::KeyMismatch`] when the signer holds another key, [`PkiError::Sign`] when it fails.
    pub fn sign(&self, signer: &dyn Signer) -> Result<CertificateDer<'static>, PkiError> {
        let key = sha256(&signer.public_key_spki_der());
        if key != self.issuer_spki_sha256 {
            return Err(PkiError::KeyMismatch { certificate: tlv::hex(&self.issuer_spki_sha256), key: tlv::hex(&key) });
        }
        Ok(assemble(&self.tbs, self.algorithm, &signer.sign(&self.tbs)?).into())
    }
}

fn assemble(tbs: &[u8], signed_with: Algorithm, signature: &[u8]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(tbs.len().saturating_add(signature.len()).saturating_add(32));
    writer.nested(tlv::SEQUENCE, |certificate| {
        certificate.raw(tbs);
        certificate.raw(algorithm::identifier(signed_with));
        certificate.bit_string(signature);
    });
    writer.finish()
}

/// Keys of nobody, one for each algorithm, under which certificates are linted. They are made when first needed and kept in memory
/// only.
pub struct Throwaway {
    entropy: Option<Arc<dyn Entropy>>,
    keys: [OnceLock<SigningKey>; 4],
}

impl Throwaway {
    /// None of the keys is made yet.
    pub fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self { entropy: Some(entropy), keys: Default::default() }
    }

    /// The key of one algorithm only.
    pub(crate) fn single(algorithm: Algorithm, entropy: &dyn Entropy) -> Result<Self, PkiError> {
        let keys: [OnceLock<SigningKey>; 4] = Default::default();
        let (slot, kind) = slot(algorithm);
        let made = SigningKey::generate(kind, entropy)?;
        if let Some(place) = keys.get(slot) {
            place.get_or_init(|| made);
        }
        Ok(Self { entropy: None, keys })
    }

    /// Makes the key of an algorithm now: that of RSA takes some 100 ms, which no request should wait for.
    ///
    /// # Errors
    /// [`PkiError::Sign`] when it cannot be made.
    pub fn prepare(&self, algorithm: Algorithm) -> Result<(), PkiError> {
        self.sign(algorithm, &[]).map(|_| ())
    }

    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, PkiError> {
        let (slot, kind) = slot(algorithm);
        let place = self.keys.get(slot).ok_or(SignError::Failed)?;
        let key = match (place.get(), &self.entropy) {
            (Some(key), _) => key,
            // Two at once may both make one; the first is kept.
            (None, Some(entropy)) => {
                let made = SigningKey::generate(kind, entropy.as_ref())?;
                place.get_or_init(|| made)
            }
            (None, None) => return Err(SignError::Failed.into()),
        };
        Ok(key.sign(message)?)
    }
}

const fn slot(algorithm: Algorithm) -> (usize, KeyType) {
    match algorithm {
        Algorithm::EcdsaP256 => (0, KeyType::P256),
        Algorithm::EcdsaP384 => (1, KeyType::P384),
        Algorithm::Ed25519 => (2, KeyType::Ed25519),
        Algorithm::RsaPkcs1Sha256 => (3, KeyType::Rsa2048),
    }
}

impl std::fmt::Debug for Throwaway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Throwaway(..)")
    }
}
