//! What a TLS server shows: its chain, as it came, whoever signed it. For looking at, never for talking to.

use std::io::Read as _;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::ClientError;
use crate::error::SERVER_UNREACHABLE;

/// The certificates that the server at `HOST:PORT` shows in its handshake, the leaf first.
///
/// # Errors
/// `server.unreachable`: nobody listens there, nobody speaks TLS there, or not within `deadline`.
pub fn peer_certificates(address: &str, deadline: Duration) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let unreachable = |why: &dyn std::fmt::Display| ClientError::local(&SERVER_UNREACHABLE, format!("{address}: {why}"));
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(|error| unreachable(&error))?;
    let mut connection = ClientConnection::new(Arc::new(looking()?), name).map_err(|error| unreachable(&error))?;
    let started = Instant::now();
    let mut last = None;
    let mut addresses = address.to_socket_addrs().map_err(|error| unreachable(&error))?;
    let stream = addresses.find_map(|one| TcpStream::connect_timeout(&one, deadline).map_err(|error| last = Some(error)).ok());
    let Some(mut stream) = stream else {
        return Err(unreachable(&last.map_or_else(|| "it has no address".to_owned(), |error| error.to_string())));
    };
    while connection.peer_certificates().is_none() {
        let left = deadline.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(unreachable(&"no TLS handshake in time"));
        }
        stream.set_read_timeout(Some(left)).and_then(|()| stream.set_write_timeout(Some(left))).map_err(|error| unreachable(&error))?;
        step(&mut connection, &mut stream).map_err(|error| unreachable(&error))?;
    }
    Ok(connection.peer_certificates().unwrap_or_default().to_vec())
}

/// One exchange of the handshake.
fn step(connection: &mut ClientConnection, stream: &mut TcpStream) -> std::io::Result<()> {
    while connection.wants_write() {
        connection.write_tls(stream)?;
    }
    let mut chunk = [0; 16 * 1024];
    let read = stream.read(&mut chunk)?;
    if read == 0 {
        return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "it closed the connection in the handshake"));
    }
    let mut rest = chunk.get(..read).unwrap_or_default();
    while !rest.is_empty() {
        connection.read_tls(&mut rest)?;
        connection.process_new_packets().map_err(std::io::Error::other)?;
    }
    Ok(())
}

fn looking() -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::local(&signet_model::kinds::INTERNAL, error.to_string()))?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(Onlooker(provider))).with_no_client_auth())
}

/// Takes every chain: what is looked at is judged by people, and no byte is sent to the server after it.
#[derive(Debug)]
struct Onlooker(Arc<CryptoProvider>);

impl ServerCertVerifier for Onlooker {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
