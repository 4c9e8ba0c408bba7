//! The PKI engine of a real OpenBao: what it signs, and what happens when it is sealed, gone, slow or of another mind.

mod engine;
mod faults;
mod login;
mod policy;
mod secrecy;
mod statuses;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};
use signet_crypto::sign::{KeyType, Signer as _, SigningKey};
use signet_crypto::{Secret, SystemEntropy};
use signet_custody::vault::{CaRequest, IssuerUrls, Mount, RoleSpec, SecretSource, SignOrder, Signed, VaultAuth, VaultConfig, VaultPki};
use signet_model::Timestamp;
use signet_outbound::AddressPolicy;
use signet_pki::{CaCertificate, CertificateRequest, Csr, IssuerFacts, Profile, PublicKey, Serial, Throwaway, Validity, pem};
use signet_testkit::{BaoKind, TestBao};

pub(crate) const YEAR: Duration = Duration::from_secs(365 * 86_400);

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
}

/// One server for the tests that do it no harm; each has a mount of its own.
pub(crate) fn shared() -> &'static TestBao {
    static SHARED: std::sync::OnceLock<TestBao> = std::sync::OnceLock::new();
    SHARED.get_or_init(|| TestBao::private(BaoKind::Dev))
}

pub(crate) fn config(url: &str, auth: VaultAuth) -> VaultConfig {
    VaultConfig { policy: AddressPolicy::permissive(), ..VaultConfig::new(url, auth, "pki") }
}

pub(crate) fn given(token: &str) -> VaultAuth {
    VaultAuth::Token { token: SecretSource::Given(Arc::new(Secret::from(token))) }
}

pub(crate) fn start(config: VaultConfig) -> Arc<VaultPki> {
    VaultPki::start(config, Arc::new(SystemEntropy)).unwrap()
}

/// With the token that may do everything.
pub(crate) fn as_root(bao: &TestBao) -> Arc<VaultPki> {
    start(config(&bao.url(), given(bao.root_token())))
}

pub(crate) fn mount(tenant: &str) -> Mount {
    Mount::parse(&format!("pki/{tenant}")).unwrap()
}

pub(crate) fn urls() -> IssuerUrls {
    IssuerUrls {
        crl: Some("http://127.0.0.1:7480/crl/acme/1/1.crl".to_owned()),
        ocsp: Some("http://127.0.0.1:7480/ocsp".to_owned()),
        ca_issuers: Some("http://127.0.0.1:7480/ca/acme/1.cer".to_owned()),
    }
}

pub(crate) fn role() -> RoleSpec {
    RoleSpec {
        name: "device".to_owned(),
        key_usage: vec!["DigitalSignature".to_owned()],
        server: false,
        client: true,
        backdate: Duration::from_secs(3600),
        max_ttl: YEAR,
    }
}

/// A platform CA in software, which signs the CSRs of tenants' CAs.
pub(crate) struct Platform {
    pub(crate) certificate: CaCertificate,
    key: SigningKey,
    facts: Arc<IssuerFacts>,
    throwaway: Throwaway,
}

impl Platform {
    pub(crate) fn new() -> Self {
        let key = SigningKey::generate(KeyType::P256, &SystemEntropy).unwrap();
        let subject = Profile::PlatformCa.subject("Platform").unwrap();
        let public = PublicKey::from_spki_der(&key.public_key_spki_der()).unwrap();
        let validity = Validity::authority(now());
        let issuer = Arc::new(IssuerFacts::self_signed(subject.clone(), &public, validity));
        let throwaway = Throwaway::new(Arc::new(SystemEntropy));
        let request = wanted(Profile::PlatformCa, "Platform", public, issuer, validity);
        let certificate = CaCertificate::from_der(request.lint(&throwaway).unwrap().sign(&key).unwrap()).unwrap();
        let facts = Arc::new(IssuerFacts::of(&certificate).unwrap());
        Self { certificate, key, facts, throwaway }
    }

    /// The certificate of a tenant's CA with the key that its CSR proves.
    pub(crate) fn certify(&self, csr: &[u8]) -> CertificateDer<'static> {
        let csr = Csr::parse(csr).unwrap().verify().unwrap();
        let public = PublicKey::from_spki_der(csr.spki()).unwrap();
        let validity = Validity { not_before: now(), not_after: now().plus(3 * YEAR) };
        let name = csr.common_name().unwrap().to_owned();
        let request = wanted(Profile::TenantCa, &name, public, Arc::clone(&self.facts), validity);
        request.lint(&self.throwaway).unwrap().sign(&self.key).unwrap()
    }
}

fn wanted(profile: Profile, name: &str, public_key: PublicKey, issuer: Arc<IssuerFacts>, validity: Validity) -> CertificateRequest {
    CertificateRequest {
        profile,
        serial: Serial::random(&SystemEntropy, profile.serial_length()),
        subject: profile.subject(name).unwrap(),
        names: Vec::new(),
        public_key,
        validity,
        issuer,
        crl_url: None,
        ocsp_url: None,
        ca_issuers_url: None,
        no_rev_avail: false,
    }
}

/// Mount, CA `g1` and role, ready to sign.
pub(crate) async fn ready(vault: &VaultPki, tenant: &str, platform: &Platform) -> (Mount, CertificateDer<'static>) {
    let mount = mount(tenant);
    vault.ensure_mount(&mount).await.unwrap();
    let wanted = CaRequest { issuer: "g1", common_name: tenant, key_type: KeyType::P256 };
    let csr = vault.generate_ca_csr(&mount, wanted).await.unwrap();
    let certificate = platform.certify(&csr);
    let chain = [certificate.clone(), platform.certificate.der().clone()];
    vault.set_signed(&mount, "g1", &chain, &urls()).await.unwrap();
    vault.ensure_role(&mount, &role()).await.unwrap();
    (mount, certificate)
}

/// A request as OpenSSL makes it, DER.
pub(crate) fn csr(subject: &str, extensions: &[&str]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    openssl(&["ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", key.to_str().unwrap()]);
    let mut arguments = vec!["req", "-new", "-key", key.to_str().unwrap(), "-subj", subject];
    for extension in extensions {
        arguments.extend(["-addext", extension]);
    }
    let text = openssl(&arguments);
    pem::certificate_request(text.as_bytes()).unwrap()
}

pub(crate) async fn sign(vault: &VaultPki, mount: &Mount) -> Result<Signed, signet_custody::vault::VaultError> {
    static REQUEST: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    let request = REQUEST.get_or_init(|| csr("/CN=ignored", &[]));
    let order = SignOrder { role: "device", csr: request, common_name: Some("dev-1"), names: &[], not_after: now().plus(YEAR / 2) };
    vault.sign_csr(mount, "g1", order).await
}

/// Runs `openssl` and returns what it wrote, failing the test when it fails.
pub(crate) fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "openssl {arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

pub(crate) fn file(directory: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, content).unwrap();
    super::set_mode(&path, 0o600);
    path
}

/// A token with these policies that lives for so many seconds.
pub(crate) fn token(bao: &TestBao, policies: &[&str], seconds: u32) -> String {
    let body = json!({"policies": policies, "ttl": format!("{seconds}s"), "explicit_max_ttl": "3h"});
    let made = bao.must("POST", "auth/token/create", &body);
    made.pointer("/auth/client_token").and_then(Value::as_str).unwrap().to_owned()
}

/// A policy that allows everything below this path.
pub(crate) fn policy(bao: &TestBao, name: &str, path: &str) {
    let rules = format!("path \"{path}\" {{ capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\", \"sudo\"] }}");
    bao.must("PUT", &format!("sys/policies/acl/{name}"), &json!({"policy": rules}));
}
