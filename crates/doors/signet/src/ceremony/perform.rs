//! Making root and platform authority, step by step, each written down as it is done.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use serde::Serialize;
use signet_crypto::sign::{KeyType, Signer as _, SigningKey, seal_with_passphrase};
use signet_crypto::{Secret, sha256};
use signet_model::{Clock, Entropy, Refusal, Timestamp, kinds};
use signet_pki::{CaCertificate, CertificateRequest, IssuerFacts, PkiError, Profile, PublicKey, Serial, Throwaway, Validity, pem};

use super::transcript::{Transcript, hex};
use super::{PLATFORM, PLATFORM_CERTIFICATE, PLATFORM_KEY, README, ROOT, ROOT_CERTIFICATE, ROOT_KEY, SIGNATURE, TRANSCRIPT, WROTE, readme};

/// What to make.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Common name of the root.
    pub(crate) root_name: String,
    /// Kind of its key.
    pub(crate) root_key: KeyType,
    /// How long it is valid.
    pub(crate) root_life: Duration,
    /// Common name of the platform's authority.
    pub(crate) platform_name: String,
    /// Kind of its key.
    pub(crate) platform_key: KeyType,
    /// How long it is valid; never longer than the root.
    pub(crate) platform_life: Duration,
    /// Under which the root's key is sealed.
    pub(crate) passphrase: Option<Secret>,
    /// Who is present, for the transcript.
    pub(crate) witnesses: Vec<String>,
}

/// One certificate that was made.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Authority {
    /// Its name.
    pub(crate) subject: String,
    /// Its serial number in hexadecimal.
    pub(crate) serial_hex: String,
    /// SHA-256 of the certificate.
    pub(crate) fingerprint: String,
    /// Until when it is valid.
    pub(crate) not_after: Timestamp,
}

/// Everything that a ceremony made.
pub(crate) struct Made {
    /// The root.
    pub(crate) root: Authority,
    /// The platform's authority.
    pub(crate) platform: Authority,
    /// Every file: name and content.
    pub(crate) files: Vec<(&'static str, Secret)>,
}

/// A key with the certificate made for it.
struct Pair {
    key: SigningKey,
    certificate: CertificateDer<'static>,
    told: Authority,
}

/// Performs the ceremony.
///
/// # Errors
/// The names cannot stand in a certificate, or a certificate would break a rule; nothing was made then.
pub(crate) fn perform(plan: &Plan, clock: &dyn Clock, entropy: &Arc<dyn Entropy>) -> Result<Made, Refusal> {
    let mut transcript = Transcript::default();
    let throwaway = Throwaway::new(Arc::clone(entropy));
    let mut began = vec![
        ("signet", env!("CARGO_PKG_VERSION").to_owned()),
        ("root key", plan.root_key.to_string()),
        ("platform key", plan.platform_key.to_string()),
        ("passphrase", if plan.passphrase.is_some() { "seals the root's key" } else { "none" }.to_owned()),
    ];
    if !plan.witnesses.is_empty() {
        began.push(("witnesses", plan.witnesses.join("; ")));
    }
    note(&mut transcript, clock, "began", &began)?;
    let root = {
        let key = make_key(plan.root_key, ROOT, &mut transcript, clock, entropy)?;
        let name = Profile::Root.subject(&plan.root_name).map_err(refusal)?;
        let public_key = PublicKey::from_spki_der(&key.public_key_spki_der()).map_err(refusal)?;
        let validity = validity(clock.now(), plan.root_life);
        let issuer = Arc::new(IssuerFacts::self_signed(name.clone(), &public_key, validity));
        let request = request(Profile::Root, name, public_key, validity, issuer, entropy);
        certify(&request, key, None, &throwaway, ROOT, &mut transcript, clock)?
    };
    let platform = {
        let key = make_key(plan.platform_key, PLATFORM, &mut transcript, clock, entropy)?;
        let name = Profile::PlatformCa.subject(&plan.platform_name).map_err(refusal)?;
        let public_key = PublicKey::from_spki_der(&key.public_key_spki_der()).map_err(refusal)?;
        let ca = CaCertificate::from_der(root.certificate.clone()).map_err(refusal)?;
        let issuer = IssuerFacts::of(&ca).map_err(refusal)?;
        let validity = Profile::PlatformCa.validity(clock.now(), plan.platform_life, &issuer);
        let request = request(Profile::PlatformCa, name, public_key, validity, Arc::new(issuer), entropy);
        certify(&request, key, Some(&root.key), &throwaway, PLATFORM, &mut transcript, clock)?
    };
    let files = files(plan, &root, &platform, transcript, clock, entropy)?;
    Ok(Made { root: root.told, platform: platform.told, files })
}

fn make_key(
    kind: KeyType,
    whose: &str,
    transcript: &mut Transcript,
    clock: &dyn Clock,
    entropy: &Arc<dyn Entropy>,
) -> Result<SigningKey, Refusal> {
    let key = SigningKey::generate(kind, entropy.as_ref()).map_err(|error| refusal(error.into()))?;
    let facts = [("type", kind.to_string()), ("public key sha256", hex(&sha256(&key.public_key_spki_der())))];
    note(transcript, clock, &format!("{whose}-key"), &facts)?;
    Ok(key)
}

fn request(
    profile: Profile,
    subject: signet_pki::Name,
    public_key: PublicKey,
    validity: Validity,
    issuer: Arc<IssuerFacts>,
    entropy: &Arc<dyn Entropy>,
) -> CertificateRequest {
    let serial = Serial::random(entropy.as_ref(), profile.serial_length());
    CertificateRequest {
        profile,
        serial,
        subject,
        names: Vec::new(),
        public_key,
        validity,
        issuer,
        // Nobody serves lists of an offline root; it is replaced by taking it out of the anchors.
        crl_url: None,
        ocsp_url: None,
        ca_issuers_url: None,
        no_rev_avail: false,
    }
}

/// Lints and signs: with the issuer's key, or with its own.
fn certify(
    request: &CertificateRequest,
    key: SigningKey,
    issuer: Option<&SigningKey>,
    throwaway: &Throwaway,
    whose: &str,
    transcript: &mut Transcript,
    clock: &dyn Clock,
) -> Result<Pair, Refusal> {
    let linted = request.lint(throwaway).map_err(refusal)?;
    let certificate = linted.sign(issuer.unwrap_or(&key)).map_err(refusal)?;
    let told = Authority {
        subject: request.subject.canonical().as_str().to_owned(),
        serial_hex: request.serial.hex(),
        fingerprint: hex(&sha256(&certificate)),
        not_after: request.validity.not_after,
    };
    let facts = [
        ("subject", told.subject.clone()),
        ("issuer", request.issuer.name().canonical().as_str().to_owned()),
        ("serial", told.serial_hex.clone()),
        ("valid from", request.validity.not_before.to_string()),
        ("valid until", told.not_after.to_string()),
        ("sha256", told.fingerprint.clone()),
    ];
    note(transcript, clock, &format!("{whose}-certificate"), &facts)?;
    Ok(Pair { key, certificate, told })
}

fn files(
    plan: &Plan,
    root: &Pair,
    platform: &Pair,
    mut transcript: Transcript,
    clock: &dyn Clock,
    entropy: &Arc<dyn Entropy>,
) -> Result<Vec<(&'static str, Secret)>, Refusal> {
    let plain = |key: &SigningKey| pem::write_private_key(&key.to_pkcs8());
    let root_key = match &plan.passphrase {
        Some(passphrase) => {
            let sealed = seal_with_passphrase(&root.key.to_pkcs8(), passphrase, entropy.as_ref()).map_err(|error| refusal(error.into()))?;
            Secret::from(pem::write_encrypted_key(&sealed))
        }
        None => plain(&root.key),
    };
    let mut files = vec![
        (ROOT_CERTIFICATE, Secret::from(pem::write_certificate(&root.certificate))),
        (ROOT_KEY, root_key),
        (PLATFORM_CERTIFICATE, Secret::from(pem::write_certificate(&platform.certificate))),
        (PLATFORM_KEY, plain(&platform.key)),
        (README, Secret::from(readme::text(&root.told, &platform.told, plan.passphrase.is_some()))),
    ];
    let hashes: Vec<(&str, String)> = files.iter().map(|(name, content)| (*name, hex(&sha256(content.expose())))).collect();
    note(&mut transcript, clock, WROTE, &hashes)?;
    note(&mut transcript, clock, "ended", &[])?;
    let signature = transcript.sign(&root.key).map_err(|error| refusal(error.into()))?;
    files.push((TRANSCRIPT, Secret::from(transcript.text().to_owned())));
    files.push((SIGNATURE, Secret::from(format!("{}\n", hex(&signature)))));
    Ok(files)
}

fn note(transcript: &mut Transcript, clock: &dyn Clock, did: &str, facts: &[(&str, String)]) -> Result<(), Refusal> {
    let added = transcript.add(clock.now(), did, facts);
    added.map_err(|error| Refusal::new(&kinds::INTERNAL, format!("the transcript cannot be written: {error}")))
}

/// From a while ago, since clocks differ.
fn validity(now: Timestamp, life: Duration) -> Validity {
    let back = i64::try_from(Profile::Root.back_dating().as_micros()).unwrap_or(0);
    Validity { not_before: Timestamp::from_micros(now.micros().saturating_sub(back)), not_after: now.plus(life) }
}

fn refusal(error: PkiError) -> Refusal {
    Refusal::new(error.reason(), error.to_string())
}
