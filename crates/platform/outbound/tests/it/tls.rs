//! Certificates: whose are believed, and for which name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use signet_outbound::{Outbound, OutboundError};
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
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = CertificateDer::pem_file_iter(file("server.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
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
