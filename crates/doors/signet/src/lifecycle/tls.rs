//! The certificate of the API listener: files that the operator brings, or an authority and a leaf of our own in `tls/` of the
//! data directory. Both are swapped live: ours when a third of its life is left, files on SIGHUP.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use signet_crypto::sign::{P256Key, Signer as _};
use signet_custody::secret_file::{self, Links};
use signet_http::server_config;
use signet_model::{Clock, Entropy, Refusal, Timestamp};
use signet_pki::{CaCertificate, CertificateAuthority, LeafFacts, PkiError, ServerNames, Validity, pem};
use tokio_util::sync::CancellationToken;

use super::files::write_atomically;
use super::pair::{LONGEST_KEY, Pair, at, read, read_key};
use super::reasons::TLS_FILES;
use crate::config::{Address, Tls};

/// Life of the data directory's own authority: ten years.
const CA_LIFE: Duration = Duration::from_secs(3_652 * 86_400);
/// Life of the server certificate under it.
const LEAF_LIFE: Duration = Duration::from_secs(90 * 86_400);
/// Clocks of clients may be this far behind.
const BACKDATED: Duration = Duration::from_secs(3_600);
/// How often the age of our own certificate is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);
/// Where the certificate comes from.
enum Source {
    /// Files of the operator.
    Files { certificate: PathBuf, key: PathBuf },
    /// `tls/` of the data directory, for these names.
    Own { directory: PathBuf, names: ServerNames },
}

/// The certificate in use, and how to renew it.
pub(crate) struct Certificates {
    source: Source,
    handle: Arc<ArcSwap<ServerConfig>>,
}

impl Certificates {
    /// Reads or makes the certificate.
    pub(crate) fn open(
        settings: &Tls,
        address: &Address,
        data_dir: &Path,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<Self, Refusal> {
        let source = match (&settings.cert_file, &settings.key_file) {
            (Some(certificate), Some(key)) => Source::Files { certificate: certificate.clone(), key: key.clone() },
            (None, None) => Source::Own { directory: data_dir.join("tls"), names: names(address) },
            (Some(_), None) => return Err(Refusal::new(&TLS_FILES, "`tls.cert_file` is given and `tls.key_file` is not")),
            (None, Some(_)) => return Err(Refusal::new(&TLS_FILES, "`tls.key_file` is given and `tls.cert_file` is not")),
        };
        source.renew_if_due(clock.now(), entropy)?;
        let handle = Arc::new(ArcSwap::from_pointee(source.read()?));
        Ok(Self { source, handle })
    }

    /// What the listener reads at each connection.
    pub(crate) fn handle(&self) -> Arc<ArcSwap<ServerConfig>> {
        Arc::clone(&self.handle)
    }

    /// Reads the files again; what is in use stays when they cannot be used.
    pub(crate) fn reload(&self) -> Result<(), Refusal> {
        self.handle.store(Arc::new(self.source.read()?));
        Ok(())
    }

    /// Makes our own certificate anew whenever it is due, until the end.
    pub(crate) async fn keep_fresh(self: Arc<Self>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let renewed = self.source.renew_if_due(clock.now(), entropy.as_ref());
            match renewed.and_then(|new| if new { self.reload().map(|()| true) } else { Ok(false) }) {
                Ok(true) => tracing::info!(event = "tls.renewed"),
                Ok(false) => {}
                Err(refusal) => tracing::error!(event = "tls.renewal-failed", reason = refusal.reason.code, detail = %refusal.detail),
            }
        }
    }
}

/// Whether the operator's files could be shown by the listener.
pub(crate) fn check_files(certificate: &Path, key: &Path) -> Result<(), Refusal> {
    Source::Files { certificate: certificate.to_owned(), key: key.to_owned() }.read().map(drop)
}

impl Source {
    fn paths(&self) -> (PathBuf, PathBuf) {
        match self {
            Self::Files { certificate, key } => (certificate.clone(), key.clone()),
            Self::Own { directory, .. } => (directory.join("api.pem"), directory.join("api.key")),
        }
    }

    fn links(&self) -> Links {
        match self {
            Self::Files { .. } => Links::Follow,
            Self::Own { .. } => Links::Refuse,
        }
    }

    fn read(&self) -> Result<ServerConfig, Refusal> {
        let (certificate, key) = self.paths();
        let (chain, private) = Pair { certificate: &certificate, key: &key, links: self.links(), reason: &TLS_FILES }.read()?;
        Ok(server_config(chain, private.to_rustls())?)
    }

    /// Whether a new certificate was made.
    fn renew_if_due(&self, now: Timestamp, entropy: &dyn Entropy) -> Result<bool, Refusal> {
        match self {
            Self::Files { .. } => Ok(false),
            Self::Own { directory, names } => {
                let (ca, ca_key) = authority(directory, now, entropy)?;
                if is_fresh(directory, &ca, names, now)? {
                    return Ok(false);
                }
                let key = P256Key::generate(entropy).map_err(PkiError::from)?;
                let validity = validity(now, LEAF_LIFE);
                let leaf = CertificateAuthority::issue_server_leaf(&ca, &ca_key, names, &key.public_key_spki_der(), &validity, entropy)?;
                // The key first: a start that finds a pair that does not belong together makes another.
                secret_file::replace(&directory.join("api.key"), pem::write_private_key(&key.to_pkcs8()).expose())?;
                write(&directory.join("api.pem"), &pem::write_certificate(&leaf))?;
                Ok(true)
            }
        }
    }
}

/// The authority of the data directory, made at the first start.
fn authority(directory: &Path, now: Timestamp, entropy: &dyn Entropy) -> Result<(CaCertificate, P256Key), Refusal> {
    super::data_dir::make(directory)?;
    let (certificate, key) = (directory.join("ca.pem"), directory.join("ca.key"));
    if certificate.exists() && key.exists() {
        let ca = CaCertificate::from_pem(&read(&certificate, &TLS_FILES)?).map_err(|e| at(&certificate, e, &TLS_FILES))?;
        let private = read_key(&key, Links::Refuse, &TLS_FILES)?.to_p256().map_err(|e| at(&key, e, &TLS_FILES))?;
        return Ok((ca, private));
    }
    let private = P256Key::generate(entropy).map_err(PkiError::from)?;
    let name = format!("Signet of {}", host_name().unwrap_or_else(|| "this machine".to_owned()));
    let ca = CertificateAuthority::create(&signet_model::log_text(&name, 60), &validity(now, CA_LIFE), &private, entropy)?;
    secret_file::replace(&key, pem::write_private_key(&private.to_pkcs8()).expose())?;
    write(&certificate, &ca.to_pem())?;
    Ok((ca, private))
}

/// Whether the leaf that is there can be kept: ours, whole, for these names, with more than a third of its life left.
fn is_fresh(directory: &Path, ca: &CaCertificate, names: &ServerNames, now: Timestamp) -> Result<bool, Refusal> {
    let (certificate, key) = (directory.join("api.pem"), directory.join("api.key"));
    if !certificate.exists() || !key.exists() {
        return Ok(false);
    }
    let Ok(chain) = pem::certificates(&read(&certificate, &TLS_FILES)?) else { return Ok(false) };
    // A key that others can read is refused, not quietly replaced: somebody should know.
    let secret = secret_file::read(&key, LONGEST_KEY, Links::Refuse)?;
    let Ok(private) = pem::private_key(secret.expose()) else { return Ok(false) };
    let Some(leaf) = chain.first() else { return Ok(false) };
    let Ok(facts) = LeafFacts::read(leaf) else { return Ok(false) };
    Ok(private.check_pair(leaf).is_ok() && facts.names_issuer(ca) && facts.covers(names) && !facts.needs_renewal(now))
}

fn validity(now: Timestamp, life: Duration) -> Validity {
    let micros = i64::try_from(BACKDATED.as_micros()).unwrap_or(0);
    Validity { not_before: Timestamp::from_micros(now.micros().saturating_sub(micros)), not_after: now.plus(life) }
}

/// localhost, 127.0.0.1, ::1, the host's name, and the address that is listened on where it is one that can be named.
fn names(address: &Address) -> ServerNames {
    let mut names = ServerNames::loopback();
    for name in host_name().into_iter().chain([address.host.clone()]) {
        let added = match name.parse::<IpAddr>() {
            Ok(ip) if ip.is_unspecified() => Ok(()),
            Ok(ip) => names.add_ip(ip),
            Err(_) => names.add_dns(&name),
        };
        if let Err(error) = added {
            // A host may have a name that no certificate can hold; the others still work.
            tracing::warn!(event = "tls.name-left-out", %error);
        }
    }
    names
}

/// The name of this machine, where it has one.
pub(super) fn host_name() -> Option<String> {
    let system = rustix::system::uname();
    let name = system.nodename().to_str().ok()?;
    Some(name.to_owned()).filter(|name| !name.is_empty() && name != "(none)")
}

fn write(path: &Path, text: &str) -> Result<(), Refusal> {
    write_atomically(path, text.as_bytes()).map_err(|e| Refusal::new(&TLS_FILES, format!("{} cannot be written: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use signet_crypto::SystemEntropy;
    use signet_testkit::FakeClock;

    use super::*;
    use crate::config::Settings;

    fn open(dir: &Path, clock: &FakeClock) -> Result<Certificates, Refusal> {
        let settings = Settings::default();
        Certificates::open(&settings.tls, &settings.listen.api, dir, clock, &SystemEntropy)
    }

    fn leaf(dir: &Path) -> LeafFacts {
        let chain = pem::certificates(&std::fs::read(dir.join("tls/api.pem")).unwrap()).unwrap();
        LeafFacts::read(&chain[0]).unwrap()
    }

    #[test]
    fn a_leaf_is_kept_until_a_third_of_its_life_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let start = Timestamp::from_millis(1_800_000_000_000);
        let clock = FakeClock::at(start);
        open(dir.path(), &clock).unwrap();
        let first = leaf(dir.path());
        for name in ["ca.key", "api.key"] {
            let mode = std::fs::metadata(dir.path().join("tls").join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        clock.set(start.plus(Duration::from_secs(59 * 86_400)));
        open(dir.path(), &clock).unwrap();
        assert_eq!(leaf(dir.path()), first);
        clock.set(start.plus(Duration::from_secs(61 * 86_400)));
        let certificates = open(dir.path(), &clock).unwrap();
        let second = leaf(dir.path());
        assert!(second.not_after > first.not_after && second.spki_sha256 != first.spki_sha256);
        assert!(!certificates.source.renew_if_due(clock.now(), &SystemEntropy).unwrap());
    }

    #[test]
    fn a_pair_that_does_not_belong_together_is_made_anew_and_a_wide_key_refused() {
        let dir = tempfile::tempdir().unwrap();
        let clock = FakeClock::at(Timestamp::from_millis(1_800_000_000_000));
        open(dir.path(), &clock).unwrap();
        let tls = dir.path().join("tls");
        std::fs::copy(tls.join("ca.key"), tls.join("api.key")).unwrap();
        open(dir.path(), &clock).unwrap();
        std::fs::set_permissions(tls.join("api.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
        let refusal = open(dir.path(), &clock).map(|_| ()).unwrap_err();
        assert_eq!(refusal.reason.code, "secret-file.too-wide");
        assert!(refusal.fix().contains("chmod 600"), "{}", refusal.fix());
    }

    #[test]
    fn files_come_in_pairs() {
        let mut settings = Settings::default();
        settings.tls.cert_file = Some(PathBuf::from("x.pem"));
        let clock = FakeClock::at(Timestamp::EPOCH);
        let refusal = Certificates::open(&settings.tls, &settings.listen.api, Path::new("/nonexistent"), &clock, &SystemEntropy)
            .map(|_| ())
            .unwrap_err();
        assert!(refusal.detail.contains("tls.key_file"), "{}", refusal.detail);
    }
}
