//! Servers whose certificate is refused: each is told as what it is, with a fix that fits.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use signet_client::{Client, ClientConfig, PageRequest, Problem};
use signet_crypto::SystemEntropy;
use signet_crypto::sign::{P256Key, Signer as _};
use signet_model::Timestamp;
use signet_pki::{CaCertificate, CertificateAuthority, PrivateKey, ServerNames, Validity, pem};

const DAY: Duration = Duration::from_secs(86_400);

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

fn days_from_now(days: i64) -> Timestamp {
    Timestamp::from_micros(now().micros() + days * i64::try_from(DAY.as_micros()).unwrap())
}

struct Authority {
    certificate: CaCertificate,
    key: P256Key,
}

fn authority(name: &str) -> Authority {
    let key = P256Key::generate(&SystemEntropy).unwrap();
    let validity = Validity { not_before: days_from_now(-100), not_after: days_from_now(100) };
    Authority { certificate: CertificateAuthority::create(name, &validity, &key, &SystemEntropy).unwrap(), key }
}

/// A TLS server with a certificate of `authority`, which ends every connection after the handshake.
fn serve(authority: &Authority, names: &ServerNames, days: (i64, i64)) -> SocketAddr {
    let key = P256Key::generate(&SystemEntropy).unwrap();
    let validity = Validity { not_before: days_from_now(days.0), not_after: days_from_now(days.1) };
    let public = key.public_key_spki_der();
    let leaf =
        CertificateAuthority::issue_server_leaf(&authority.certificate, &authority.key, names, &public, &validity, &SystemEntropy).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(pem::write_certificate(&leaf).as_bytes()).unwrap()];
    let private: PrivateKey = pem::private_key(pem::write_private_key(&key.to_pkcs8()).expose()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(builder.with_no_client_auth().with_single_cert(chain, private.to_rustls()).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut connection) = (stream.unwrap(), rustls::ServerConnection::new(Arc::clone(&config)).unwrap());
            // The client breaks off; that is what the tests are about.
            while connection.is_handshaking() && connection.complete_io(&mut stream).is_ok() {}
        }
    });
    address
}

async fn refused(address: SocketAddr, trusted: &Authority) -> Problem {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("operator.token"), "sgo_abc\n").unwrap();
    let ca_file = dir.path().join("trusted.pem");
    std::fs::write(&ca_file, trusted.certificate.to_pem()).unwrap();
    let config = ClientConfig {
        data_dir: dir.path().to_path_buf(),
        server: Some(format!("https://{address}")),
        token_file: None,
        ca_file: Some(ca_file),
        timeout: Duration::from_secs(5),
    };
    Client::open(&config).unwrap().tenants(&PageRequest::default()).await.map(|_| ()).unwrap_err().problem()
}

#[tokio::test]
async fn a_certificate_that_is_refused_is_not_an_absent_server() {
    let (ours, other) = (authority("ours"), authority("other"));
    let namesake = authority("ours");
    let elsewhere = ServerNames::new(&["elsewhere.example"], &[]).unwrap();
    for (what, address, trusted, fix) in [
        ("an unknown issuer", serve(&ours, &ServerNames::loopback(), (-1, 1)), &other, "--ca-file"),
        ("an issuer of the same name", serve(&ours, &ServerNames::loopback(), (-1, 1)), &namesake, "--ca-file"),
        ("an expired certificate", serve(&ours, &ServerNames::loopback(), (-9, -8)), &ours, "renewed"),
        ("one for another name", serve(&ours, &elsewhere, (-1, 1)), &ours, "--server"),
        ("one of tomorrow", serve(&ours, &ServerNames::loopback(), (1, 2)), &ours, "clock"),
    ] {
        let problem = refused(address, trusted).await;
        assert_eq!((problem.reason.as_str(), problem.exit() as u8), ("server.untrusted", 7), "{what}: {}", problem.detail);
        let said = problem.fix.unwrap_or_default();
        assert!(said.contains(fix) && !said.contains("signet up`,"), "{what}: {said}");
    }
    let unreachable = refused("127.0.0.1:9".parse().unwrap(), &ours).await;
    assert_eq!(unreachable.reason, "server.unreachable");
}

#[test]
fn a_directory_that_may_not_be_entered_is_not_an_empty_one() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("d");
    std::fs::create_dir(&data_dir).unwrap();
    std::fs::set_permissions(&data_dir, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read_dir(&data_dir).is_ok() {
        // The superuser may enter everything: a file in the way of the path fails in the same manner.
        std::fs::remove_dir(&data_dir).unwrap();
        std::fs::write(&data_dir, "").unwrap();
    }
    let config = ClientConfig { data_dir, server: None, token_file: None, ca_file: None, timeout: Duration::from_secs(1) };
    let problem = Client::open(&config).map(|_| ()).unwrap_err().problem();
    assert_eq!(problem.reason, "server.unreachable");
    assert!(problem.detail.contains("cannot be read") && !problem.detail.contains("does not exist"), "{}", problem.detail);
    assert!(problem.fix.unwrap_or_default().contains("as the user"));
}
