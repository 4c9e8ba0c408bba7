//! The platform CA: made at the first start, or brought by files. One for all replicas, whichever comes first.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use signet_crypto::sign::{KeyType, Signer, SigningKey};
use signet_db::Statement;
use signet_ledger::{Change, Decided, Expect};
use signet_model::{AuditRecord, Caller, Refusal, TraceId, log_text};
use signet_pki::{CaCertificate, CertificateRequest, IssuerFacts, Name, Profile, PublicKey, Serial, Validity};

use crate::config::PlatformSource;
use crate::platform_files::{self, Brought};
use crate::reasons::{CA_PLATFORM_CHANGED, CA_UNAVAILABLE};
use crate::sql::platform_ca::{self, StoredPlatform};
use crate::{AuthorityRoom, internal, sql};

/// How long a platform CA that is made here lives.
const LIFE: Duration = Duration::from_secs(20 * 365 * 86_400);
/// There is one; a renewed certificate of its key takes the place of the former.
const GENERATION: i64 = 1;

/// The platform CA, open.
pub(crate) struct Platform {
    pub(crate) generation: i64,
    pub(crate) facts: Arc<IssuerFacts>,
    pub(crate) certificate: Vec<u8>,
    /// The certificates above it, the nearest first; empty where it is the root.
    pub(crate) above: Vec<Vec<u8>>,
    pub(crate) signer: Arc<dyn Signer>,
}

impl Platform {
    /// What clients and verifiers put into their trust stores: the root where there is one, else the platform CA.
    pub(crate) fn anchor(&self) -> &[u8] {
        self.above.last().unwrap_or(&self.certificate)
    }

    fn of(stored: &StoredPlatform, signer: Arc<dyn Signer>) -> Result<Self, Refusal> {
        let certificate = CaCertificate::from_der(CertificateDer::from(stored.certificate.clone())).map_err(|error| internal(&error))?;
        certificate.check_signer(signer.as_ref())?;
        Ok(Self {
            generation: stored.generation,
            facts: Arc::new(IssuerFacts::of(&certificate)?),
            certificate: stored.certificate.clone(),
            above: stored.chain.clone(),
            signer,
        })
    }
}

/// What the sealed key is bound to.
fn purpose(generation: i64) -> String {
    format!("platform-ca:{generation}")
}

/// The key under which a drop-in seals the keys of its tenants' CAs, where nothing else is configured: derived from the platform
/// CA's private key, so that every replica that has the files has it (`kaa.md` 16.3).
pub fn seal_key_of_platform(key: &SigningKey) -> zeroize::Zeroizing<[u8; 32]> {
    zeroize::Zeroizing::new(signet_crypto::sha256_parts(&[b"signet seal key of the platform CA 1\0", key.to_pkcs8().expose()]))
}

/// Checks the platform CA's files as the start does, without changing anything.
///
/// # Errors
/// What is wrong with them; see [`AuthorityRoom::open`].
pub fn check_platform_files(
    certificate: &Path,
    key: &Path,
    chain: Option<&Path>,
    now: signet_model::Timestamp,
) -> Result<SigningKey, Refusal> {
    platform_files::read(certificate, key, chain, now).map(|brought| brought.key)
}

impl AuthorityRoom {
    /// Opens the platform CA: makes it and seals its key at the first start, or takes it from its files. Nothing else of the room
    /// works before.
    ///
    /// # Errors
    /// Files that cannot be used: `ca.file-unreadable`, `ca.pathlen-too-short`, `ca.expires-too-soon`, `ca.chain-broken`,
    /// `certificate.not-authority`, `certificate.key-mismatch` and the like, and nothing is made; `ca.platform-changed`; a key that
    /// cannot be unsealed; the database.
    pub async fn open(&self) -> Result<(), Refusal> {
        let opened = match &self.config.platform {
            PlatformSource::Made => self.made_platform().await?,
            PlatformSource::Files { certificate, key, chain } => {
                let brought = platform_files::read(certificate, key, chain.as_deref(), self.clock.now())?;
                self.brought_platform(brought).await?
            }
        };
        self.platform.store(Some(Arc::new(opened)));
        Ok(())
    }

    /// The open platform CA.
    pub(crate) fn platform(&self) -> Result<Arc<Platform>, Refusal> {
        self.platform.load_full().ok_or_else(|| Refusal::new(&CA_UNAVAILABLE, "the platform CA is not open yet"))
    }

    async fn stored_platform(&self) -> Result<Option<StoredPlatform>, Refusal> {
        sql::one(&self.db, platform_ca::active(), platform_ca::read).await
    }

    async fn made_platform(&self) -> Result<Platform, Refusal> {
        if let Some(stored) = self.stored_platform().await? {
            return self.unsealed(&stored);
        }
        let (stored, key) = self.new_platform().await?;
        let signer: Arc<dyn Signer> = Arc::new(key);
        let kept = self
            .ledger
            .decide(|| async {
                // Whoever commits first has made it, and everybody else takes that one.
                if let Some(theirs) = self.stored_platform().await? {
                    return Ok(Decided::Same(Some(theirs)));
                }
                let change = self.platform_change("platform-ca.create", &stored, platform_ca::insert(&stored));
                Ok(Decided::commit(change, None))
            })
            .await?;
        match kept {
            Some(theirs) => self.unsealed(&theirs),
            None => Platform::of(&stored, signer),
        }
    }

    fn unsealed(&self, stored: &StoredPlatform) -> Result<Platform, Refusal> {
        let Some(sealed) = &stored.key else {
            let detail = "the platform CA was brought by files, and the configuration names none now";
            return Err(Refusal::new(&CA_PLATFORM_CHANGED, detail)
                .with_fix("Name the files again: `authority.platform_cert_file` and `authority.platform_key_file`."));
        };
        let key = self.sealer.open(&purpose(stored.generation), sealed)?;
        let signer = SigningKey::from_private_der(&key).map_err(|error| internal(&error))?;
        Platform::of(stored, Arc::new(signer))
    }

    async fn new_platform(&self) -> Result<(StoredPlatform, SigningKey), Refusal> {
        // Every verifier knows P-256; of the original's form RSA, as its tenants' CAs.
        let kind = match self.config.tenant_ca_key {
            KeyType::Ed25519 => KeyType::P256,
            kind => kind,
        };
        let key = self.keys.generate(kind).await?;
        let now = self.clock.now();
        let public = PublicKey::from_spki_der(&key.public_key_spki_der())?;
        let mut mark = [0_u8; 4];
        self.entropy.fill(&mut mark);
        // Two installations must not have platform CAs of one name.
        let name = Name::common(&format!("Signet platform {:08x}", u32::from_be_bytes(mark)))?;
        let validity = Validity { not_before: crate::intent::back(now, Profile::Root.back_dating()), not_after: now.plus(LIFE) };
        let request = CertificateRequest {
            profile: Profile::Root,
            serial: Serial::random(self.entropy.as_ref(), Profile::Root.serial_length()),
            subject: name.clone(),
            names: Vec::new(),
            public_key: public.clone(),
            validity,
            issuer: Arc::new(IssuerFacts::self_signed(name.clone(), &public, validity)),
            crl_url: None,
            ocsp_url: None,
            ca_issuers_url: None,
            no_rev_avail: false,
        };
        let certificate = request.lint(&self.throwaway)?.sign(&key)?;
        let stored = StoredPlatform {
            generation: GENERATION,
            certificate: certificate.to_vec(),
            chain: Vec::new(),
            key: Some(self.sealer.seal(&purpose(GENERATION), key.to_pkcs8().expose())?),
            subject: name.canonical().as_str().to_owned(),
            ski: public.key_identifier().to_vec(),
            not_before: validity.not_before,
            not_after: validity.not_after,
            created_at: now,
        };
        Ok((stored, key))
    }

    /// Takes what the files hold: for the first time, as a renewed certificate of the same key, or instead of one that has issued
    /// nothing.
    async fn brought_platform(&self, brought: Brought) -> Result<Platform, Refusal> {
        let stored = brought.stored(GENERATION, self.clock.now());
        self.refuse_compromised(&PublicKey::from_spki_der(&brought.key.public_key_spki_der())?.spki_sha256()).await?;
        let signer: Arc<dyn Signer> = Arc::new(brought.key);
        self.ledger
            .decide(|| async {
                let Some(was) = self.stored_platform().await? else {
                    let change = self.platform_change("platform-ca.bring", &stored, platform_ca::insert(&stored));
                    return Ok(Decided::commit(change, ()));
                };
                if was.certificate == stored.certificate && was.chain == stored.chain {
                    return Ok(Decided::Same(()));
                }
                if was.ski == stored.ski && was.subject == stored.subject {
                    let change = self.platform_change("platform-ca.renew", &stored, platform_ca::renew(&was, &stored));
                    return Ok(Decided::commit(change, ()));
                }
                let used =
                    Statement::new("SELECT 1 FROM tenant_ca WHERE platform_generation = $1 LIMIT 1", signet_db::params![was.generation]);
                if sql::one(&self.db, used, |_| Ok(())).await?.is_some() {
                    let detail = format!(
                        "tenants have CAs under the platform CA `{}`, and the files hold `{}` with another key",
                        log_text(&was.subject, 128),
                        log_text(&stored.subject, 128)
                    );
                    return Ok(Decided::Refuse(Refusal::new(&CA_PLATFORM_CHANGED, detail)));
                }
                let change = self.platform_change("platform-ca.bring", &stored, platform_ca::replace_unused(&was, &stored));
                Ok(Decided::commit(change, ()))
            })
            .await?;
        Platform::of(&stored, signer)
    }

    fn platform_change(&self, action: &'static str, ca: &StoredPlatform, write: Statement) -> Change {
        let record = AuditRecord {
            tenant: None,
            time: self.clock.now(),
            actor: Caller::System("authority").to_string(),
            action,
            object: ca.subject.clone(),
            reason: None,
            trace_id: TraceId::generate(self.entropy.as_ref()),
            detail: std::collections::BTreeMap::from([("not_after", ca.not_after.to_string())]),
        };
        Change::new(record).expecting(Expect::write(write, 1))
    }
}
