//! TLS of a listener: 1.2 and 1.3, X25519MLKEM768 first, ALPN strict, the configuration read anew for each connection so
//! that certificates are swapped live.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::server::Acceptor;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::ListenError;

/// Whether a listener speaks TLS, and with what.
#[derive(Clone, Debug)]
pub enum TlsMode {
    /// HTTP/1 in the clear.
    Plain,
    /// TLS; what is stored here is used from the next connection on.
    Tls(Arc<ArcSwap<ServerConfig>>),
}

impl TlsMode {
    /// TLS with `config`, and the handle by which to swap it.
    pub fn tls(config: ServerConfig) -> (Self, Arc<ArcSwap<ServerConfig>>) {
        let handle = Arc::new(ArcSwap::from_pointee(config));
        (Self::Tls(Arc::clone(&handle)), handle)
    }
}

/// A configuration for `chain` (leaf first) and its key: no client certificates, HTTP/2 and HTTP/1.1. rustls refuses a
/// key that does not belong to the leaf.
pub fn server_config(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<ServerConfig, ListenError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let fault = |error: rustls::Error| ListenError::Tls(error.to_string());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(fault)?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(fault)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// First byte of a TLS record that holds a handshake message (RFC 8446 section 5.1).
const HANDSHAKE_RECORD: u8 = 22;

/// What is told to a client that speaks plain HTTP to a TLS port.
const WRONG_SCHEME: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 36\r\n\
    Connection: close\r\n\r\nThis port speaks HTTPS: use https:.\n";

/// A finished handshake, or why there is none, as a word for the metrics.
pub(crate) async fn handshake(
    stream: TcpStream,
    config: &ArcSwap<ServerConfig>,
    permits: &Semaphore,
) -> Result<TlsStream<TcpStream>, &'static str> {
    let mut first = [0_u8; 1];
    match stream.peek(&mut first).await {
        Ok(1..) if first == [HANDSHAKE_RECORD] => {}
        Ok(1..) => {
            if first.iter().all(u8::is_ascii_alphabetic) {
                tell_wrong_scheme(stream).await.map_err(|_| "plain-http")?;
            }
            return Err("plain-http");
        }
        Ok(0) | Err(_) => return Err("closed"),
    }
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await.map_err(|_| "handshake")?;
    // Silent peers never get here: only those who sent a whole ClientHello take a permit.
    let _permit = permits.acquire().await.map_err(|_| "closed")?;
    start.into_stream(config.load_full()).await.map_err(|_| "handshake")
}

/// Answers in words, then reads on for a moment: closing with unread bytes would reset the connection, and the answer
/// would be lost.
async fn tell_wrong_scheme(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(WRONG_SCHEME).await?;
    stream.shutdown().await?;
    let drain = async {
        let mut bytes = [0_u8; 4096];
        for _ in 0..16 {
            if stream.read(&mut bytes).await? == 0 {
                break;
            }
        }
        io::Result::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(1), drain).await.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_plain_http_has_the_length_that_it_says() {
        let text = std::str::from_utf8(WRONG_SCHEME).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("head and body");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{}", body.len());
    }
}
