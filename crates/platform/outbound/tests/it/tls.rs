//! Certificates: whose are believed, and for which name; and which of ours is shown.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use signet_outbound::{ClientIdentity, Outbound, OutboundError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use crate::support::{Names, config, get, ok, only};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(name)
}

/// A TLS server with the certificate for `localhost`, and its port.
async fn server() -> (u16, AbortOnDropHandle<()>) {
    server_wanting(None).await
}

/// The same, which lets nobody in without a certificate of this authority.
async fn server_wanting(clients_of: Option<PathBuf>) -> (u16, AbortOnDropHandle<()>) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let wanted = clients_of.map(|authority| {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap()
    });
    let chain = CertificateDer::pem_file_iter(file("server.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = match wanted {
        Some(wanted) => builder.with_client_cert_verifier(wanted),
        None => builder.with_no_client_auth(),
    };
    let config = builder.with_single_cert(chain, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            // A client that does not believe hangs up in the middle.
            let Ok(mut tls) = acceptor.accept(tcp).await else { continue };
            let mut request = [0u8; 4_096];
            let _read = tls.read(&mut request).await;
            let _written = tls.write_all(ok("secure").as_bytes()).await;
            let _closed = tls.shutdown().await;
        }
    });
    (port, AbortOnDropHandle::new(serving))
}

fn client(ca_file: Option<PathBuf>) -> Outbound {
    let names = Names::new(&[("localhost", &[&["127.0.0.1"]]), ("other.test", &[&["127.0.0.1"]])]);
    Outbound::with_resolver(signet_outbound::OutboundConfig { ca_file, ..config(only(&["127.0.0.0/8"])) }, names).unwrap()
}

#[tokio::test]
async fn a_certificate_must_be_of_a_known_authority_and_for_the_name_that_was_asked() {
    let (port, _serving) = server().await;
    let believing = client(Some(file("ca.pem")));
    assert_eq!(get(&believing, &format!("https://localhost:{port}/")).await.unwrap().body, "secure");
    for (client, host) in [(&believing, "other.test"), (&believing, "127.0.0.1"), (&client(Some(file("other-ca.pem"))), "localhost")] {
        let outcome = get(client, &format!("https://{host}:{port}/")).await;
        assert!(matches!(outcome, Err(OutboundError::Untrusted { .. })), "{host}: {outcome:?}");
    }
}

/// An authority `ca.pem` with a client's certificate `client.pem`, both by OpenSSL, in a directory of their own.
fn client_of_another_authority() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("client.cnf"), "extendedKeyUsage = clientAuth\n").unwrap();
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let authority = ["req", "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=clients"];
    let request = ["req", "-new", "-keyout", "client.key", "-out", "client.csr", "-subj", "/CN=client"];
    let sign = ["x509", "-req", "-in", "client.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-extfile", "client.cnf", "-out", "client.pem"];
    for arguments in [[&authority[..], &key].concat(), [&request[..], &key].concat(), sign.to_vec()] {
        let made = std::process::Command::new("openssl").args(&arguments).current_dir(directory.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    directory
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_gets_ours_and_another_once_it_is_exchanged() {
    let made = [client_of_another_authority(), client_of_another_authority()];
    let read = |of: &tempfile::TempDir| {
        let key = PrivateKeyDer::from_pem_file(of.path().join("client.key")).unwrap();
        (vec![CertificateDer::from_pem_file(of.path().join("client.pem")).unwrap()], key)
    };
    let wanting = made[0].path().join("ca.pem");
    let (port, _serving) = server_wanting(Some(wanting.clone())).await;
    let refused = get(&client(Some(file("ca.pem"))), &format!("https://localhost:{port}/")).await;
    assert!(refused.is_err(), "{refused:?}");

    let (chain, key) = read(&made[0]);
    let shown = ClientIdentity::new(chain, &key).unwrap();
    assert_eq!(format!("{shown:?}"), "ClientIdentity(1 certificates)");
    let names = Names::new(&[("localhost", &[&["127.0.0.1"]])]);
    let config =
        signet_outbound::OutboundConfig { ca_file: Some(file("ca.pem")), identity: Some(shown.clone()), ..config(only(&["127.0.0.0/8"])) };
    let client = Outbound::with_resolver(config, names).unwrap();
    assert_eq!(get(&client, &format!("https://localhost:{port}/")).await.unwrap().body, "secure");
    // One of an authority that the server does not know takes its place, and then the first again. Whoever resumes a session shows
    // nothing, so each time it is another server.
    for (of, taken) in [(&made[1], false), (&made[0], true)] {
        let (chain, key) = read(of);
        shown.replace(chain, &key).unwrap();
        let (port, _serving) = server_wanting(Some(wanting.clone())).await;
        let outcome = get(&client, &format!("https://localhost:{port}/")).await;
        assert_eq!(outcome.is_ok(), taken, "{outcome:?}");
    }
    assert!(matches!(shown.replace(Vec::new(), &key), Err(OutboundError::Identity(_))));
}

#[tokio::test]
async fn plain_http_on_a_tls_port_and_tls_on_a_plain_port_fail_cleanly() {
    let (port, _serving) = server().await;
    assert!(get(&client(None), &format!("http://localhost:{port}/")).await.is_err());
    let plain = crate::support::Peer::answering(ok("plain")).await;
    let outcome = get(&client(Some(file("ca.pem"))), &format!("https://localhost:{}/", plain.address.port())).await;
    assert!(outcome.is_err(), "{outcome:?}");
}

#[test]
fn a_file_of_authorities_that_cannot_be_used_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [("empty.pem", ""), ("bad.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    for name in ["empty.pem", "bad.pem", "missing.pem"] {
        let made = Outbound::new(signet_outbound::OutboundConfig { ca_file: Some(dir.path().join(name)), ..config(only(&[])) });
        match made.err() {
            Some(OutboundError::TrustFile(text)) => assert!(text.contains(name), "{text}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}
