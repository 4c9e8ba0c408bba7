//! Certificates taken apart, changed and put together again. Their signatures keep the form and lose the meaning, which no lint reads.

use std::sync::Arc;
use std::time::Duration;

use signet_crypto::SystemEntropy;
use signet_crypto::sign::{KeyType, Signer as _, SigningKey};
use signet_model::Timestamp;

use crate::tlv::{self, Reader, Writer};
use crate::{CaCertificate, CertificateRequest, IssuerFacts, Name, Profile, PublicKey, Serial, SubjectName, Throwaway, Validity};

/// 2026-01-01T00:00:00Z.
const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn data(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[derive(Clone)]
pub(super) struct ExtensionParts {
    pub(super) oid: Vec<u8>,
    /// The encoded critical mark, if there is one.
    pub(super) critical: Option<u8>,
    pub(super) value: Vec<u8>,
}

/// A certificate in pieces. Names, times, keys and algorithms are whole elements.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) version: Vec<u8>,
    pub(super) serial: Vec<u8>,
    pub(super) inner_algorithm: Vec<u8>,
    pub(super) outer_algorithm: Vec<u8>,
    pub(super) issuer: Vec<u8>,
    pub(super) not_before: Vec<u8>,
    pub(super) not_after: Vec<u8>,
    pub(super) subject: Vec<u8>,
    pub(super) spki: Vec<u8>,
    pub(super) unique_identifiers: Vec<u8>,
    pub(super) extensions: Vec<ExtensionParts>,
    pub(super) signature: Vec<u8>,
    pub(super) after: Vec<u8>,
}

impl Parts {
    fn of(der: &[u8]) -> Self {
        let mut outer = Reader::new(der).any().unwrap().inner();
        let mut tbs = outer.any().unwrap().inner();
        let mut raw = || tbs.any().unwrap();
        let (version, serial, inner_algorithm, issuer) = (raw(), raw(), raw(), raw());
        let mut validity = raw().inner();
        let (subject, spki) = (raw(), raw());
        let mut list = Reader::new(raw().body).any().unwrap().inner();
        let mut extensions = Vec::new();
        while !list.is_empty() {
            let mut extension = list.any().unwrap().inner();
            let oid = extension.any().unwrap().body.to_vec();
            let critical = extension.optional(tlv::BOOLEAN).unwrap().map(|flag| flag.body[0]);
            extensions.push(ExtensionParts { oid, critical, value: extension.any().unwrap().body.to_vec() });
        }
        Self {
            version: version.raw.to_vec(),
            serial: serial.body.to_vec(),
            inner_algorithm: inner_algorithm.raw.to_vec(),
            outer_algorithm: outer.any().unwrap().raw.to_vec(),
            issuer: issuer.raw.to_vec(),
            not_before: validity.any().unwrap().raw.to_vec(),
            not_after: validity.any().unwrap().raw.to_vec(),
            subject: subject.raw.to_vec(),
            spki: spki.raw.to_vec(),
            unique_identifiers: Vec::new(),
            extensions,
            signature: outer.any().unwrap().body.to_vec(),
            after: Vec::new(),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.nested(tlv::SEQUENCE, |certificate| {
            certificate.nested(tlv::SEQUENCE, |tbs| {
                tbs.raw(&self.version);
                tbs.element(tlv::INTEGER, &self.serial);
                tbs.raw(&self.inner_algorithm);
                tbs.raw(&self.issuer);
                tbs.element(tlv::SEQUENCE, &[&self.not_before[..], &self.not_after].concat());
                tbs.raw(&self.subject);
                tbs.raw(&self.spki);
                tbs.raw(&self.unique_identifiers);
                tbs.nested(tlv::context(3), |field| {
                    field.nested(tlv::SEQUENCE, |list| {
                        for extension in &self.extensions {
                            list.nested(tlv::SEQUENCE, |one| {
                                one.element(tlv::OID, &extension.oid);
                                if let Some(critical) = extension.critical {
                                    one.element(tlv::BOOLEAN, &[critical]);
                                }
                                one.element(tlv::OCTET_STRING, &extension.value);
                            });
                        }
                    });
                });
            });
            certificate.raw(&self.outer_algorithm);
            certificate.element(tlv::BIT_STRING, &self.signature);
        });
        [writer.finish(), self.after.clone()].concat()
    }

    fn get(&mut self, oid: &[u8]) -> &mut ExtensionParts {
        self.extensions.iter_mut().find(|extension| extension.oid == oid).unwrap()
    }

    /// Gives an extension that is there another value.
    pub(super) fn set(&mut self, oid: &[u8], value: &[u8]) {
        self.get(oid).value = value.to_vec();
    }

    /// Gives an extension that is there another critical mark.
    pub(super) fn mark(&mut self, oid: &[u8], critical: Option<u8>) {
        self.get(oid).critical = critical;
    }

    pub(super) fn add(&mut self, oid: &[u8], critical: Option<u8>, value: &[u8]) {
        self.extensions.push(ExtensionParts { oid: oid.to_vec(), critical, value: value.to_vec() });
    }

    pub(super) fn remove(&mut self, oid: &[u8]) {
        let before = self.extensions.len();
        self.extensions.retain(|extension| extension.oid != oid);
        assert_eq!(self.extensions.len() + 1, before, "there was one");
    }

    pub(super) fn algorithms(&mut self, identifier: &[u8]) {
        self.inner_algorithm = identifier.to_vec();
        self.outer_algorithm = identifier.to_vec();
    }
}

/// A certificate that keeps every rule, with what is known of it.
pub(super) struct Base {
    pub(super) parts: Parts,
    pub(super) profile: Profile,
    pub(super) issuer: Arc<IssuerFacts>,
    pub(super) request: CertificateRequest,
}

pub(super) struct Bases {
    pub(super) root: Base,
    pub(super) platform: Base,
    pub(super) tenant: Base,
    pub(super) device: Base,
    /// Issued by the platform's authority, which lets authorities stand below.
    pub(super) device_of_platform: Base,
    pub(super) kaa: Base,
    pub(super) service: Base,
    pub(super) ocsp: Base,
    /// A tenant's authority as its issuer's key would sign it, though it may have none below; it breaks `path.too-long`.
    pub(super) below_tenant: Base,
    pub(super) tenant_spki: Vec<u8>,
}

impl Bases {
    pub(super) fn make() -> Self {
        let throwaway = Throwaway::new(Arc::new(SystemEntropy));
        let root_key = SigningKey::generate(KeyType::P256, &SystemEntropy).unwrap();
        let root_name = Name::parse("CN=Root,O=Acme,C=DE").unwrap();
        let validity = Validity { not_before: NOW, not_after: NOW.plus(7300 * DAY) };
        let of_root = Arc::new(IssuerFacts::self_signed(root_name.clone(), &public(&root_key), validity));
        let made = |request: &CertificateRequest, key: &SigningKey| request.lint(&throwaway).unwrap().sign(key).unwrap();
        let facts = |der| Arc::new(IssuerFacts::of(&CaCertificate::from_der(der).unwrap()).unwrap());
        let mut request = self::request(Profile::Root, root_name, &root_key, &of_root, 7300);
        let root = Base { parts: Parts::of(&made(&request, &root_key)), profile: Profile::Root, issuer: of_root, request: request.clone() };
        let root_facts = facts(made(&request, &root_key));

        let platform_key = SigningKey::generate(KeyType::P256, &SystemEntropy).unwrap();
        request = self::request(Profile::PlatformCa, Name::common("Platform").unwrap(), &platform_key, &root_facts, 3650);
        let der = made(&request, &root_key);
        let platform = Base { parts: Parts::of(&der), profile: Profile::PlatformCa, issuer: root_facts, request };
        let platform_facts = facts(der);

        let tenant_key = SigningKey::generate(KeyType::P256, &SystemEntropy).unwrap();
        request = self::request(Profile::TenantCa, Name::common("acme").unwrap(), &tenant_key, &platform_facts, 3000);
        let der = made(&request, &platform_key);
        let tenant = Base { parts: Parts::of(&der), profile: Profile::TenantCa, issuer: platform_facts.clone(), request };
        let tenant_facts = facts(der);

        let leaf = |profile: Profile, issuer: &Arc<IssuerFacts>, issuer_key: &SigningKey, names: &[&str], days: u32| {
            let key = SigningKey::generate(KeyType::P256, &SystemEntropy).unwrap();
            let mut request = self::request(profile, profile.subject("pump-7.example").unwrap(), &key, issuer, days);
            request.names = names.iter().map(|name| SubjectName::parse(name).unwrap()).collect();
            if profile != Profile::OcspResponder {
                request.crl_url = Some("http://127.0.0.1/1.crl".to_owned());
                request.ca_issuers_url = Some("http://127.0.0.1/1.cer".to_owned());
            }
            let linted = request.lint(&throwaway).unwrap();
            Base { parts: Parts::of(&linted.sign(issuer_key).unwrap()), profile, issuer: issuer.clone(), request }
        };
        let uri = &["urn:signet:acme:device:pump-7"];
        let below_key = SigningKey::generate(KeyType::P256, &SystemEntropy).unwrap();
        request = self::request(Profile::TenantCa, Name::common("below").unwrap(), &below_key, &tenant_facts, 2000);
        // What no lint lets pass, under a signature of the right form.
        let mut below = tenant.parts.clone();
        let allowed = IssuerFacts::self_signed(tenant_facts.name().clone(), &public(&tenant_key), validity);
        let encoded = CertificateRequest { issuer: Arc::new(allowed), ..request.clone() }.lint(&throwaway).unwrap();
        below = Parts { signature: below.signature, ..Parts::of(&encoded.sign(&tenant_key).unwrap()) };
        Self {
            root,
            platform,
            device: leaf(Profile::Device, &tenant_facts, &tenant_key, uri, 365),
            device_of_platform: leaf(Profile::Device, &platform_facts, &platform_key, uri, 365),
            kaa: leaf(Profile::Kaa, &tenant_facts, &tenant_key, &["pump-7.example"], 365),
            service: leaf(Profile::Service, &tenant_facts, &tenant_key, &["pump-7.example"], 365),
            ocsp: leaf(Profile::OcspResponder, &tenant_facts, &tenant_key, &[], 7),
            below_tenant: Base { parts: below, profile: Profile::TenantCa, issuer: tenant_facts, request },
            tenant_spki: tenant_key.public_key_spki_der(),
            tenant,
        }
    }

    /// Those that keep every rule.
    pub(super) fn all(&self) -> [&Base; 8] {
        [&self.root, &self.platform, &self.tenant, &self.device, &self.device_of_platform, &self.kaa, &self.service, &self.ocsp]
    }

    pub(super) fn get(&self, which: fn(&Self) -> &Base) -> &Base {
        which(self)
    }
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey::from_spki_der(&key.public_key_spki_der()).unwrap()
}

fn request(profile: Profile, subject: Name, key: &SigningKey, issuer: &Arc<IssuerFacts>, days: u32) -> CertificateRequest {
    CertificateRequest {
        profile,
        serial: Serial::random(&SystemEntropy, profile.serial_length()),
        subject,
        names: Vec::new(),
        public_key: public(key),
        validity: profile.validity(NOW, days * DAY, issuer),
        issuer: issuer.clone(),
        crl_url: None,
        ocsp_url: None,
        ca_issuers_url: None,
        no_rev_avail: false,
    }
}
