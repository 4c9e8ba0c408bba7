//! Certificates: the room of the authorities, opened from the settings, and what it and the room of credentials want of each other.
//! The only file that knows both.

#[cfg(test)]
mod agreement;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use prometheus_client::registry::Registry;
use signet_authority::{
    AuthorityConfig, AuthorityMetrics, AuthorityRoom, CaCustody, IssueOrder, Issued, LeafProfile, PlatformSource, Source,
    check_platform_files, ports as authority, register, seal_key_of_platform,
};
use signet_credentials::{CredentialsRoom, X509Facts, ports as credentials};
use signet_crypto::Sealer;
use signet_crypto::sign::KeyType;
use signet_custody::KeyFileSealer;
use signet_db::Statement;
use signet_http::HealthSource;
use signet_model::{CredentialId, IdentityId, Refusal, Scope, TenantId, Timestamp, kinds};
use signet_pki::{Csr, pem};
use tokio_util::task::AbortOnDropHandle;

use super::boot::{Foundation, Trouble};
use super::health::Told;
use super::house::Ground;
use super::listeners::REVOCATION;
use super::{AuthoritySeal, Launch, custody};
use crate::config::{CertificateForm, CustodyKind, Settings};

/// The room with what it does by itself.
pub(super) struct Certificates {
    pub(super) room: Arc<AuthorityRoom>,
    _tasks: AbortOnDropHandle<()>,
}

impl Certificates {
    /// What the room says of its health, also of Vault where that keeps the keys.
    pub(super) fn health(&self) -> Arc<dyn HealthSource> {
        let room = Arc::clone(&self.room);
        Arc::new(Told(move || room.health()))
    }
}

/// Opens the room; none where this process has no certificates. With a room of credentials each is told of the other.
pub(super) async fn open(
    ground: &Ground<'_>,
    credentials: Option<&Arc<CredentialsRoom>>,
    registry: &mut Registry,
) -> Result<Option<Certificates>, Refusal> {
    let Ground { launch, foundation, waiting, ledger, sealer, db, .. } = *ground;
    if !launch.shape.certificates {
        return Ok(None);
    }
    let settings = &launch.settings;
    let room = AuthorityRoom::new(signet_authority::Parts {
        db: db.clone(),
        ledger: ledger.clone(),
        clock: Arc::clone(&foundation.clock),
        entropy: Arc::clone(&foundation.entropy),
        sealer: sealer_of(launch, foundation, sealer)?,
        credentials: match credentials {
            Some(room) => Arc::new(Credentials(Arc::clone(room))),
            None => Arc::new(NoCredentials),
        },
        custody: custody_of(launch, foundation)?,
        config: config(settings, foundation),
        metrics: AuthorityMetrics::register(registry),
    })
    .map_err(|error| Refusal::new(error.reason(), error.to_string()))?;
    waiting.until_there(|| async { room.open().await.map_err(Trouble::of) }).await?;
    if let Some(credentials) = credentials {
        credentials.know_certificates(Arc::new(Register(Arc::clone(&room))));
        let key = match settings.authority.profile {
            CertificateForm::Device => KeyType::P256,
            CertificateForm::Kaa => KeyType::Rsa2048,
        };
        credentials.know_certificate_issuer(Arc::new(Issuer { room: Arc::clone(&room), key }));
    }
    let leads = ledger.clone();
    let tasks = room.start_tasks(move || leads.stats().leader());
    Ok(Some(Certificates { room, _tasks: tasks }))
}

/// The room with its routes, for the pages of the reference; nothing is read or made.
#[cfg(test)]
pub(crate) fn unopened(db: &signet_db::Db, ledger: &signet_ledger::Ledger, sealer: Arc<dyn Sealer>) -> Arc<AuthorityRoom> {
    AuthorityRoom::new(signet_authority::Parts {
        db: db.clone(),
        ledger: ledger.clone(),
        clock: Arc::new(crate::clock::SystemClock),
        entropy: Arc::new(signet_crypto::SystemEntropy),
        sealer,
        credentials: Arc::new(NoCredentials),
        custody: CaCustody::Software,
        config: AuthorityConfig::new("http://127.0.0.1:7480"),
        metrics: AuthorityMetrics::register(&mut Registry::default()),
    })
    .unwrap()
}

fn config(settings: &Settings, foundation: &Foundation) -> AuthorityConfig {
    let authority = &settings.authority;
    let files = (&authority.platform_cert_file, &authority.platform_key_file);
    AuthorityConfig {
        profile: match authority.profile {
            CertificateForm::Device => LeafProfile::Device,
            CertificateForm::Kaa => LeafProfile::Kaa,
        },
        tenant_ca_key: authority.tenant_ca_key.0,
        default_ttl: authority.default_ttl.0,
        max_ttl: authority.max_ttl.0,
        back_dating: authority.back_dating.map(|span| span.0),
        platform: match files {
            (Some(certificate), Some(key)) => {
                PlatformSource::Files { certificate: certificate.clone(), key: key.clone(), chain: authority.platform_chain_file.clone() }
            }
            // One without the other was refused with the settings.
            (None | Some(_), _) => PlatformSource::Made,
        },
        ..AuthorityConfig::new(revocation_url(settings, foundation))
    }
}

/// What certificates name: the setting, else the listener. An address that stands for all of this machine is none that a verifier
/// can ask, so the machine's name takes its place.
fn revocation_url(settings: &Settings, foundation: &Foundation) -> String {
    if let Some(url) = &settings.authority.revocation_url {
        return url.0.clone();
    }
    let listen = &settings.listen.revocation;
    let bound = foundation.listeners.addresses().get(REVOCATION).cloned().unwrap_or_else(|| listen.to_string());
    match bound.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_unspecified() => {
            let name = super::tls::host_name().unwrap_or_else(|| "localhost".to_owned());
            format!("http://{name}:{}", address.port())
        }
        Ok(_) | Err(_) => format!("http://{bound}"),
    }
}

/// Where the keys of tenants' authorities are.
fn custody_of(launch: &Launch, foundation: &Foundation) -> Result<CaCustody, Refusal> {
    let custody = &launch.settings.custody;
    match custody.kind {
        CustodyKind::Software => Ok(CaCustody::Software),
        CustodyKind::Vault => {
            let secret = launch.shape.custody_secret.as_ref();
            Ok(CaCustody::Vault(custody::vault(custody, secret, foundation.vault_client.as_ref(), Arc::clone(&foundation.entropy))?))
        }
    }
}

/// What seals the keys of tenants' authorities.
fn sealer_of(launch: &Launch, foundation: &Foundation, house: &Arc<dyn Sealer>) -> Result<Arc<dyn Sealer>, Refusal> {
    let authority = &launch.settings.authority;
    let files = (&authority.platform_cert_file, &authority.platform_key_file);
    match (launch.shape.authority_seal, files) {
        (AuthoritySeal::PlatformKey, (Some(certificate), Some(key))) => {
            let chain: Option<&PathBuf> = authority.platform_chain_file.as_ref();
            let opened = check_platform_files(certificate, key, chain.map(PathBuf::as_path), foundation.clock.now())?;
            Ok(Arc::new(KeyFileSealer::of_key(&seal_key_of_platform(&opened), key)?))
        }
        (AuthoritySeal::PlatformKey, _) => {
            Err(Refusal::new(&kinds::INTERNAL, "a drop-in seals under the platform authority's key, and no file of it is named"))
        }
        (AuthoritySeal::House, _) => Ok(Arc::clone(house)),
    }
}

/// The room of credentials, as the authority asks it.
struct Credentials(Arc<CredentialsRoom>);

impl authority::Credentials for Credentials {
    fn leaning<'a>(&'a self, scope: &'a Scope, identity: Option<&'a str>) -> BoxFuture<'a, Result<Option<String>, Refusal>> {
        Box::pin(self.0.certificate_leaning(scope, identity))
    }

    fn identity<'a>(&'a self, scope: &'a Scope, identity: &'a str) -> BoxFuture<'a, Result<Option<IdentityId>, Refusal>> {
        Box::pin(self.0.certificate_identity(scope, identity))
    }

    fn birth<'a>(
        &'a self,
        scope: &'a Scope,
        facts: &'a authority::CredentialFacts,
        identity: Option<&'a str>,
    ) -> BoxFuture<'a, Result<authority::Birth, Refusal>> {
        Box::pin(async move {
            let facts = X509Facts {
                id: facts.id.clone(),
                issuer: facts.issuer.clone(),
                serial: facts.serial.clone(),
                spki_sha256: facts.spki_sha256,
                common_name: facts.common_name.clone(),
                not_before: facts.not_before,
                not_after: facts.not_after,
                anchor: facts.anchor.clone(),
            };
            let birth = self.0.certificate_birth(scope, &facts, identity).await?;
            Ok(authority::Birth { change: birth.change, identity: birth.identity, made_at: birth.made_at })
        })
    }

    fn born(&self) {
        self.0.certificate_born();
    }

    fn revoke<'a>(&'a self, scope: &'a Scope, ids: &'a [CredentialId], reason: &'a str) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(self.0.revoke_certificates(scope, ids, reason))
    }

    fn tenants<'a>(&'a self, after: Option<&'a TenantId>, most: u32) -> BoxFuture<'a, Result<Vec<TenantId>, Refusal>> {
        Box::pin(self.0.working_tenants(after, most))
    }
}

/// Of a process without the role `api`: it signs lists and looks for orphans, and nobody can ask it for a certificate.
struct NoCredentials;

impl NoCredentials {
    fn refusal() -> Refusal {
        Refusal::new(&kinds::INTERNAL, "this process has no role `api`, so it makes no credentials")
    }
}

impl authority::Credentials for NoCredentials {
    fn leaning<'a>(&'a self, _: &'a Scope, _: Option<&'a str>) -> BoxFuture<'a, Result<Option<String>, Refusal>> {
        Box::pin(async { Err(Self::refusal()) })
    }

    fn identity<'a>(&'a self, _: &'a Scope, _: &'a str) -> BoxFuture<'a, Result<Option<IdentityId>, Refusal>> {
        Box::pin(async { Err(Self::refusal()) })
    }

    fn birth<'a>(
        &'a self,
        _: &'a Scope,
        _: &'a authority::CredentialFacts,
        _: Option<&'a str>,
    ) -> BoxFuture<'a, Result<authority::Birth, Refusal>> {
        Box::pin(async { Err(Self::refusal()) })
    }

    fn born(&self) {}

    fn revoke<'a>(&'a self, _: &'a Scope, _: &'a [CredentialId], _: &'a str) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async { Err(Self::refusal()) })
    }

    /// None: processes with the role `api` make the authorities of tenants.
    fn tenants<'a>(&'a self, _: Option<&'a TenantId>, _: u32) -> BoxFuture<'a, Result<Vec<TenantId>, Refusal>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// The authority, as the room of credentials tells it of moves.
struct Register(Arc<AuthorityRoom>);

impl credentials::CertificateRegister for Register {
    fn on_move(&self, scope: &Scope, moves: &credentials::CertificateMoves<'_>) -> Vec<Statement> {
        let moving: Vec<register::Moving<'_>> =
            moves.certificates.iter().map(|moved| register::Moving { id: moved.id, spki_sha256: moved.spki_sha256 }).collect();
        register::on_move(&register::Moves {
            tenant: &scope.tenant,
            certificates: &moving,
            to: moves.to,
            reason: moves.reason,
            at: moves.at,
        })
    }

    fn on_report(&self, scope: &Scope, certificate: &credentials::MovedCertificate<'_>, reason: &str, at: Timestamp) -> Vec<Statement> {
        let moving = register::Moving { id: certificate.id, spki_sha256: certificate.spki_sha256 };
        register::on_report(&scope.tenant, moving, reason, at)
    }

    fn same_key<'a>(
        &'a self,
        scope: &'a Scope,
        spki_sha256: &'a [u8; 32],
        reason: &'a str,
    ) -> BoxFuture<'a, Result<Vec<CredentialId>, Refusal>> {
        Box::pin(self.0.same_key(scope, spki_sha256, reason))
    }

    fn on_removal(&self, scope: &Scope, ids: &[CredentialId]) -> Vec<Statement> {
        register::on_removal(&scope.tenant, ids, scope.now())
    }

    fn on_tenant_gone(&self, scope: &Scope) -> Vec<Statement> {
        register::on_tenant_gone(&scope.tenant, scope.now())
    }

    fn tenant_made(&self, tenant: &TenantId) {
        self.0.tenant_made(tenant);
    }
}

/// The authority, as Kaa's API orders certificates of it.
struct Issuer {
    room: Arc<AuthorityRoom>,
    /// The kind of key that is made where the caller brings none.
    key: KeyType,
}

impl credentials::CertificateIssuer for Issuer {
    fn issue<'a>(&'a self, scope: &'a Scope, order: credentials::KaaOrder<'a>) -> BoxFuture<'a, Result<credentials::KaaIssued, Refusal>> {
        Box::pin(async move {
            let (source, common_name) = match order.subject {
                credentials::KaaSubject::Generated { common_name } => (Source::Generate(self.key), common_name),
                credentials::KaaSubject::Csr(text) => (Source::Csr(Box::new(Csr::parse(text.as_bytes())?.verify()?)), None),
            };
            let wanted =
                IssueOrder { source, identity: None, profile: None, ttl: order.ttl, common_name, names: Vec::new(), id_as_cn: true };
            let remember = |issued: &Issued| (order.remember)(&in_kaas_words(issued));
            let issued = self.room.issue(scope, wanted, &remember).await?;
            Ok(in_kaas_words(&issued))
        })
    }

    fn ca<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Option<credentials::CaChain>, Refusal>> {
        Box::pin(async move {
            let mut chain = self.room.ca_chain(scope).await?.into_iter().map(|der| pem::write_certificate(&der.into()));
            Ok(chain.next().map(|certificate| credentials::CaChain { certificate, above: chain.collect() }))
        })
    }
}

fn in_kaas_words(issued: &Issued) -> credentials::KaaIssued {
    let pem_of = |der: &[u8]| pem::write_certificate(&der.into());
    let certificate = pem_of(&issued.leaf);
    let above: String = issued.chain.iter().map(|der| pem_of(der)).collect();
    credentials::KaaIssued {
        facts: X509Facts {
            id: issued.id.clone(),
            issuer: issued.issuer.clone(),
            serial: issued.serial.clone(),
            spki_sha256: issued.spki_sha256,
            common_name: Some(issued.common_name.clone()),
            not_before: issued.validity.not_before,
            not_after: issued.validity.not_after,
            anchor: None,
        },
        made_at: issued.made_at,
        chain: format!("{certificate}{above}"),
        certificate,
        private_key: match (&issued.private_key, issued.key_type) {
            (Some(key), Some(kind)) => Some((pem::write_private_key(key), kaas_key_type(kind).to_owned())),
            (Some(_) | None, _) => None,
        },
    }
}

/// What Vault, and so Kaa, calls a kind of key.
const fn kaas_key_type(kind: KeyType) -> &'static str {
    match kind {
        KeyType::P256 | KeyType::P384 => "ec",
        KeyType::Ed25519 => "ed25519",
        KeyType::Rsa2048 | KeyType::Rsa3072 | KeyType::Rsa4096 => "rsa",
    }
}
