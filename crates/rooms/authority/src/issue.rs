//! Issuing a certificate: what is wanted is judged, linted, recorded as intended, signed, and stored with the credential that it
//! is; only then it is answered.

use std::sync::Arc;
use std::time::Duration;

use signet_crypto::Secret;
use signet_crypto::sign::{KeyType, Signer, SigningKey};
use signet_db::Statement;
use signet_ledger::{Change, CommitError, Expect, IdempotencyEntry};
use signet_model::{CredentialId, CredentialState, IdentityId, Refusal, Scope, Timestamp, kinds};
use signet_pki::{
    CertificateRequest, Csr, IssuerName, LintedCertificate, Profile, PublicKey, Serial, SubjectName, Validity, Verified, write_request,
};

use crate::ca::Issuer;
use crate::config::CaCustody;
use crate::custody::CaKey;
use crate::intent::Intent;
use crate::ports::{Birth, CredentialFacts};
use crate::reasons::{CA_UNAVAILABLE, CERTIFICATE_NOT_ALLOWED, KEY_COMPROMISED};
use crate::rule_book::KnownRule;
use crate::rules::{Limits, Wanted};
use crate::sql::{certificate, vault};
use crate::vault_issue::Leaf;
use crate::{AuthorityRoom, LeafProfile, addresses, internal, sql};

/// Attempts in all; each lost one reads anew what has changed meanwhile: the CA was rotated, the rule altered.
const ATTEMPTS: usize = 4;
/// How long a delegated OCSP responder's certificate may live (`enrolment.md` 14.2).
const LONGEST_RESPONDER: Duration = Duration::from_secs(7 * 86_400);

/// Whose key is certified.
#[derive(Debug)]
pub enum Source {
    /// The key of a request whose possession was proven.
    Csr(Box<Verified<Csr>>),
    /// A key that is made now and shown once.
    Generate(KeyType),
}

/// A certificate that is wanted.
#[derive(Debug)]
pub struct IssueOrder {
    /// Whose key.
    pub source: Source,
    /// The identity that it is to prove, by id or name.
    pub identity: Option<String>,
    /// What it is to be; the server's usual one where nothing is said.
    pub profile: Option<LeafProfile>,
    /// How long it is to live; the usual time where nothing is said.
    pub ttl: Option<Duration>,
    /// The common name; else that of the request, else the identity's name.
    pub common_name: Option<String>,
    /// The alternative names; else those of the request that are allowed.
    pub names: Vec<SubjectName>,
    /// Whether the id is the common name where nothing else is (Kaa's way).
    pub id_as_cn: bool,
}

/// A certificate that was issued. No `Debug`: it may hold a private key.
pub struct Issued {
    /// The id of certificate and credential.
    pub id: CredentialId,
    /// Its serial number.
    pub serial: Serial,
    /// Who issued it.
    pub issuer: IssuerName,
    /// Which generation of the tenant's CA.
    pub generation: i64,
    /// The state of its credential.
    pub state: CredentialState,
    /// What it is.
    pub profile: LeafProfile,
    /// Its subject in canonical form.
    pub subject: IssuerName,
    /// The common name.
    pub common_name: String,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
    /// Its dates.
    pub validity: Validity,
    /// The certificate in DER.
    pub leaf: Vec<u8>,
    /// What is sent behind it, in DER.
    pub chain: Vec<Vec<u8>>,
    /// The key that was made for it, in DER (PKCS#8).
    pub private_key: Option<Secret>,
    /// The kind of that key.
    pub key_type: Option<KeyType>,
    /// When it was made.
    pub made_at: Timestamp,
    /// What the request asked for and the certificate does not have.
    pub ignored: Vec<String>,
}

/// What to keep for a repetition of the request, given what was issued; asked before the commit.
pub type Remember<'a> = &'a (dyn Fn(&Issued) -> Result<Option<IdempotencyEntry>, Refusal> + Send + Sync);

/// The key, and what was asked for beside.
struct Subject {
    public: PublicKey,
    private: Option<(SigningKey, KeyType)>,
    /// The request as received, where it is shown to Vault.
    csr: Option<Secret>,
    common_name: Option<String>,
    names: Vec<SubjectName>,
    ignored: Vec<String>,
}

/// What goes into the certificate.
struct Content {
    profile: LeafProfile,
    life: Duration,
    id: CredentialId,
    common_name: String,
    names: Vec<SubjectName>,
    ignored: Vec<String>,
}

/// What became of an attempt.
enum Attempt {
    Done(Box<Issued>),
    /// Something changed meanwhile.
    Lost,
}

impl AuthorityRoom {
    /// Issues a certificate in the tenant of `scope`. It is stored, on its partition's CRL when it has to be, and a credential in
    /// state Inactive, before this returns.
    ///
    /// # Errors
    /// What is wrong with the request (`key.compromised`, `certificate.not-allowed`, `identity.not-found`, a lint that fails); a
    /// CA that is not there; the database. Nothing is signed then, or what was signed stands on the CRL.
    pub async fn issue(&self, scope: &Scope, order: IssueOrder, remember: Remember<'_>) -> Result<Issued, Refusal> {
        let issued = self.issue_uncounted(scope, order, remember).await;
        match &issued {
            Ok(issued) => {
                self.metrics.issued(issued.profile);
                self.credentials.born();
            }
            Err(refusal) => self.metrics.refused(refusal.reason.code),
        }
        issued
    }

    async fn issue_uncounted(&self, scope: &Scope, order: IssueOrder, remember: Remember<'_>) -> Result<Issued, Refusal> {
        let identity_name = self.identity_name(scope, &order).await?;
        let mut subject = self.subject(order.source).await?;
        let explicit = !order.names.is_empty();
        if explicit {
            let left_out = std::mem::replace(&mut subject.names, order.names);
            subject.ignored.extend(left_out.iter().map(shown));
        }
        let wanted = OrderFacts {
            identity: order.identity,
            identity_name,
            profile: order.profile.unwrap_or(self.config.profile),
            ttl: order.ttl,
            common_name: order.common_name,
            explicit,
            id_as_cn: order.id_as_cn,
        };
        for _ in 0..ATTEMPTS {
            match self.attempt(scope, &mut subject, &wanted, remember).await? {
                Attempt::Done(issued) => return Ok(*issued),
                Attempt::Lost => {
                    self.open_cas.forget(&scope.tenant);
                    self.rules.forget(&scope.tenant);
                }
            }
        }
        Err(Refusal::new(&kinds::STORAGE_CONTENTION, format!("other writers were faster {ATTEMPTS} times")))
    }

    /// The name of the identity that the certificate is to be for. A name is taken as it is: whether there is one of that name says
    /// the birth of the credential, before anything is recorded.
    async fn identity_name(&self, scope: &Scope, order: &IssueOrder) -> Result<Option<String>, Refusal> {
        let Some(identity) = &order.identity else { return Ok(None) };
        let slow = matches!(order.source, Source::Generate(KeyType::Rsa2048 | KeyType::Rsa3072 | KeyType::Rsa4096));
        if slow || identity.parse::<IdentityId>().is_ok() {
            return self.credentials.leaning(scope, Some(identity)).await;
        }
        Ok(Some(identity.clone()))
    }

    async fn subject(&self, source: Source) -> Result<Subject, Refusal> {
        match source {
            Source::Csr(csr) => Ok(Subject {
                public: csr.public_key().clone(),
                private: None,
                csr: matches!(self.custody, CaCustody::Vault(_)).then(|| csr.request().duplicate()),
                common_name: csr.common_name().map(str::to_owned),
                names: csr.names().to_vec(),
                ignored: csr.ignored().to_vec(),
            }),
            Source::Generate(kind) => {
                let key = self.keys.generate(kind).await?;
                let public = PublicKey::from_spki_der(&key.public_key_spki_der())?;
                let private = Some((key, kind));
                Ok(Subject { public, private, csr: None, common_name: None, names: Vec::new(), ignored: Vec::new() })
            }
        }
    }

    async fn attempt(&self, scope: &Scope, subject: &mut Subject, wanted: &OrderFacts, remember: Remember<'_>) -> Result<Attempt, Refusal> {
        let issuer = self.issuing_ca(scope).await?;
        let rule = self.rules.of(&self.db, &scope.tenant).await?;
        let content = self.content(scope, subject, wanted, &rule)?;
        let now = scope.now();
        let profile = content.profile.of_pki();
        let serial = self.serials.draw(profile.serial_length())?;
        let name = profile.subject(&content.common_name)?;
        let back = self.config.dated_back(profile);
        let validity = profile.validity_dated_back(now, back, content.life, &issuer.facts);
        if validity.not_after <= now {
            let detail = format!("the tenant's CA ends at {}: rotate it first", issuer.facts.not_after());
            return Err(Refusal::new(&CA_UNAVAILABLE, detail));
        }
        let mut facts = CredentialFacts {
            id: content.id.clone(),
            issuer: issuer.issuer_name.clone(),
            serial: serial.clone(),
            spki_sha256: subject.public.spki_sha256(),
            common_name: Some(content.common_name.clone()),
            not_before: validity.not_before,
            not_after: validity.not_after,
            anchor: None,
        };
        self.refuse_key_of_platform(&facts.spki_sha256)?;
        let mut birth = self.credentials.birth(scope, &facts, wanted.identity.as_deref()).await?;
        let partition = self.next_place(scope, &issuer).await?;
        let (tenant, generation, base) = (&issuer.tenant, issuer.generation, self.config.revocation_url.as_str());
        let canonical = name.canonical();
        let request = CertificateRequest {
            profile,
            serial: serial.clone(),
            subject: name,
            names: content.names.clone(),
            public_key: subject.public.clone(),
            validity,
            issuer: Arc::clone(&issuer.facts),
            crl_url: Some(addresses::crl(base, tenant, generation, partition)),
            ocsp_url: Some(addresses::ocsp(base)),
            ca_issuers_url: Some(addresses::ca_certificate(base, tenant, generation)),
            no_rev_avail: false,
        };
        let linted = request.lint(&self.throwaway)?;
        let intent = Intent {
            tenant: tenant.clone(),
            id: content.id.clone(),
            generation,
            issuer: issuer.issuer_name.clone(),
            serial,
            partition,
            profile,
            subject: canonical.as_str().to_owned(),
            common_name: Some(content.common_name.clone()),
            spki_sha256: facts.spki_sha256,
            validity,
            at: now,
        };
        match self.ledger.commit(intent.intend(scope, rule.version, &subject.public)).await {
            Ok(_) => {}
            Err(CommitError::Conflict) => {
                self.refuse_compromised(&facts.spki_sha256).await?;
                self.refuse_key_of_ca(&subject.public).await?;
                return Ok(Attempt::Lost);
            }
            Err(error) => return Err(error.into()),
        }
        let leaf = match &issuer.key {
            CaKey::Software(signer) => self.signed(scope, &intent, &linted, signer.as_ref()).await?,
            CaKey::Vault(key) => {
                let csr = self.csr_for_vault(subject, &request)?;
                self.sign_in_vault(scope, key, &issuer, &intent, &request, &csr).await?
            }
        };
        if leaf.serial != intent.serial {
            // The mount drew another one, and dated it by its own clock.
            facts.serial = leaf.serial.clone();
            (facts.not_before, facts.not_after) = (leaf.validity.not_before, leaf.validity.not_after);
            birth = match self.credentials.birth(scope, &facts, wanted.identity.as_deref()).await {
                Ok(birth) => birth,
                Err(refusal) => {
                    self.give_up_drawn(scope, &intent, &leaf, refusal.reason.code).await;
                    return Err(refusal);
                }
            };
        }
        let private_key = subject.private.as_ref().map(|(key, _)| key.to_pkcs8());
        let issued = Issued {
            id: content.id,
            serial: leaf.serial.clone(),
            issuer: intent.issuer.clone(),
            generation,
            state: CredentialState::Inactive,
            profile: content.profile,
            subject: canonical,
            common_name: content.common_name,
            spki_sha256: facts.spki_sha256,
            validity: leaf.validity,
            leaf: leaf.der.clone(),
            chain: issuer.chain.clone(),
            private_key,
            key_type: subject.private.as_ref().map(|(_, kind)| *kind),
            made_at: birth.made_at,
            ignored: content.ignored,
        };
        let stored = self.store(scope, &intent, &leaf, &issued, &content.names, birth, &facts, wanted, remember).await;
        if let Err(refusal) = &stored {
            self.give_up_drawn(scope, &intent, &leaf, refusal.reason.code).await;
        }
        stored.map(|()| Attempt::Done(Box::new(issued)))
    }

    /// Refuses a key that was reported, with when that was.
    pub(crate) async fn refuse_compromised(&self, spki_sha256: &[u8; 32]) -> Result<(), Refusal> {
        match sql::one(&self.db, certificate::compromised(spki_sha256), |row| row.time(0)).await? {
            None => Ok(()),
            Some(since) => Err(Refusal::new(&KEY_COMPROMISED, format!("this public key was reported as compromised at {since}"))),
        }
    }

    /// Refuses the key of a CA of ours: whoever proves possession of it could issue by itself (checklist C6).
    pub(crate) async fn refuse_key_of_ca(&self, key: &PublicKey) -> Result<(), Refusal> {
        self.refuse_key_of_platform(&key.spki_sha256())?;
        match sql::one(&self.db, certificate::key_of_ca(&key.key_identifier()), |_| Ok(())).await? {
            None => Ok(()),
            Some(()) => Err(key_of_ca()),
        }
    }

    fn refuse_key_of_platform(&self, spki_sha256: &[u8; 32]) -> Result<(), Refusal> {
        if self.platform()?.facts.spki_sha256() == *spki_sha256 { Err(key_of_ca()) } else { Ok(()) }
    }

    /// What goes into the certificate, after the tenant's rule.
    fn content(&self, scope: &Scope, subject: &Subject, wanted: &OrderFacts, rule: &KnownRule) -> Result<Content, Refusal> {
        let id = CredentialId::generate(scope.now(), scope.entropy.as_ref());
        let given = wanted.common_name.as_ref().or(subject.common_name.as_ref()).or(wanted.identity_name.as_ref());
        let (common_name, id_as_cn) = match given {
            Some(name) => (name.clone(), false),
            None if wanted.id_as_cn => (id.as_str().to_owned(), true),
            None => {
                let detail = "there is no common name: neither in the request, nor beside it, nor an identity's";
                return Err(Refusal::new(&CERTIFICATE_NOT_ALLOWED, detail).with_fix("Give a common name: `--common-name NAME`."));
            }
        };
        let profile = wanted.profile.of_pki();
        let explicit: &[SubjectName] = if wanted.explicit { &subject.names } else { &[] };
        if let Some(name) = explicit.iter().find(|name| !profile.admits(name)) {
            let detail = format!("certificates of the profile {} bear no {} name", wanted.profile, name.kind());
            return Err(Refusal::new(&CERTIFICATE_NOT_ALLOWED, detail));
        }
        let limits = Limits { profile: self.config.profile, default_ttl: self.config.default_ttl, max_ttl: self.config.max_ttl };
        let judged = Wanted {
            profile: wanted.profile,
            ttl: wanted.ttl,
            common_name: &common_name,
            identity: wanted.identity_name.as_deref(),
            names: explicit,
            id_as_cn,
        };
        let life = rule.rule.judge(&judged, &limits)?;
        let mut ignored = subject.ignored.clone();
        let mut names = profile.own_names(&common_name);
        for name in &subject.names {
            if names.contains(name) {
                continue;
            }
            if profile.admits(name) && rule.rule.allows(name) {
                names.push(name.clone());
            } else {
                ignored.push(shown(name));
            }
        }
        Ok(Content { profile: wanted.profile, life, id, common_name, names, ignored })
    }

    /// Signs what was linted; an intent that cannot be signed is given up.
    async fn signed(&self, scope: &Scope, intent: &Intent, linted: &LintedCertificate, signer: &dyn Signer) -> Result<Leaf, Refusal> {
        match linted.sign(signer) {
            Ok(certificate) => Ok(Leaf {
                der: certificate.to_vec(),
                serial: intent.serial.clone(),
                validity: intent.validity,
                partition: intent.partition,
            }),
            Err(error) => {
                self.give_up_own(scope, intent, "not signed").await;
                Err(internal(&error))
            }
        }
    }

    /// What Vault is shown: the request that proved the key, or one by the key that was made here.
    fn csr_for_vault(&self, subject: &Subject, request: &CertificateRequest) -> Result<Secret, Refusal> {
        match (&subject.csr, &subject.private) {
            (Some(csr), _) => Ok(csr.duplicate()),
            (None, Some((key, _))) => Ok(Secret::from(write_request(&request.subject, request.profile, key)?)),
            (None, None) => Err(internal(&"a CA in Vault without a request to show to it")),
        }
    }

    /// The second commit. The credential's part is made anew when something changed under it meanwhile.
    #[expect(clippy::too_many_arguments, reason = "the parts of one commit, each made elsewhere")]
    async fn store(
        &self,
        scope: &Scope,
        intent: &Intent,
        leaf: &Leaf,
        issued: &Issued,
        names: &[SubjectName],
        mut birth: Birth,
        facts: &CredentialFacts,
        wanted: &OrderFacts,
        remember: Remember<'_>,
    ) -> Result<(), Refusal> {
        for _ in 0..ATTEMPTS {
            let write = stored(intent, leaf, CredentialState::Inactive, birth.identity.as_ref(), birth.made_at);
            let change = Change::new(intent.record(scope, "certificate.issue"));
            let mut change = if leaf.serial == intent.serial {
                change.expecting(Expect::guard(certificate::still_intended(intent), 1)).effecting(write)
            } else {
                // A serial number that the mount drew may be taken, however unlikely that is.
                change.expecting(Expect::write(write, 1))
            };
            for name in names {
                change = change.effecting(certificate::name(intent, name));
            }
            let change = change.join(birth.change).idempotent(remember(issued)?);
            match self.ledger.commit(change).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
            let state = sql::one(&self.db, certificate::state_of(&intent.tenant, &intent.id), |row| row.text(0).map(str::to_owned)).await?;
            if state.as_deref() != Some("intended") {
                break;
            }
            self.refuse_compromised(&intent.spki_sha256).await?;
            birth = self.credentials.birth(scope, facts, wanted.identity.as_deref()).await?;
        }
        Err(Refusal::new(&kinds::STORAGE_CONTENTION, "the certificate could not be stored in time; it was not handed out"))
    }

    /// Issues the certificate of a delegated OCSP responder: no credential, its serial number recorded like any other, good at
    /// once.
    ///
    /// # Errors
    /// The CA can say nothing (any more); the database.
    pub(crate) async fn issue_responder(
        &self,
        scope: &Scope,
        issuer: &Issuer,
        key: &SigningKey,
        life: Duration,
    ) -> Result<Vec<u8>, Refusal> {
        let public = &PublicKey::from_spki_der(&key.public_key_spki_der())?;
        let profile = Profile::OcspResponder;
        let now = scope.now();
        let subject = profile.subject("OCSP responder")?;
        let validity = profile.validity(now, life.min(LONGEST_RESPONDER), &issuer.facts);
        let serial = self.serials.draw(profile.serial_length())?;
        let partition = self.next_place(scope, issuer).await?;
        let intent = Intent {
            tenant: issuer.tenant.clone(),
            id: CredentialId::generate(now, scope.entropy.as_ref()),
            generation: issuer.generation,
            issuer: issuer.issuer_name.clone(),
            serial: serial.clone(),
            partition,
            profile,
            subject: subject.canonical().as_str().to_owned(),
            common_name: None,
            spki_sha256: public.spki_sha256(),
            validity,
            at: now,
        };
        let request = CertificateRequest {
            profile,
            serial,
            subject,
            names: Vec::new(),
            public_key: public.clone(),
            validity,
            issuer: Arc::clone(&issuer.facts),
            crl_url: None,
            ocsp_url: None,
            ca_issuers_url: None,
            no_rev_avail: false,
        };
        let linted = request.lint(&self.throwaway)?;
        let intended =
            Change::new(intent.record(scope, "certificate.intend")).expecting(Expect::write(certificate::intend_own(&intent), 1));
        self.ledger.commit(intended).await?;
        let leaf = match &issuer.key {
            CaKey::Software(signer) => self.signed(scope, &intent, &linted, signer.as_ref()).await?,
            CaKey::Vault(in_vault) => self.responder_in_vault(scope, in_vault, issuer, &intent, &request, key).await?,
        };
        let write = stored(&intent, &leaf, CredentialState::Active, None, scope.now());
        let stored = Change::new(intent.record(scope, "certificate.issue")).expecting(Expect::write(write, 1));
        match self.ledger.commit(stored).await {
            Ok(_) => Ok(leaf.der),
            Err(error) => {
                self.give_up_drawn(scope, &intent, &leaf, "not stored").await;
                Err(error.into())
            }
        }
    }
}

/// What is the same in every attempt.
struct OrderFacts {
    identity: Option<String>,
    identity_name: Option<String>,
    profile: LeafProfile,
    ttl: Option<Duration>,
    common_name: Option<String>,
    /// Whether the names were asked for by name rather than found in the request.
    explicit: bool,
    id_as_cn: bool,
}

/// The intent becomes the certificate.
fn stored(intent: &Intent, leaf: &Leaf, state: CredentialState, identity: Option<&IdentityId>, now: Timestamp) -> Statement {
    if leaf.serial == intent.serial {
        certificate::store(intent, state.as_str(), &leaf.der, identity, now)
    } else {
        vault::store(intent, leaf, state.as_str(), identity, now)
    }
}

fn key_of_ca() -> Refusal {
    Refusal::new(&CERTIFICATE_NOT_ALLOWED, "this public key is that of a CA of this installation")
}

fn shown(name: &SubjectName) -> String {
    format!("{}:{}", name.kind(), name.value())
}
