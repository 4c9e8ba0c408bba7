//! What the doubles of Kaa's cloud have in common: a small HTTP/1.1 server on loopback that answers each connection's one
//! request with JSON, or stalls or dies as its double says.
//!
//! It runs on a thread and a runtime of its own, so a test that blocks does not stall the answers. It ends when dropped.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::TestkitError;

/// Longest body that is read; nothing that the doubles are sent is longer.
const LONGEST_BODY: usize = 64 * 1024;

/// One request, as far as the doubles look at it.
pub(crate) struct Request {
    /// Path and query.
    pub(crate) target: String,
    /// The bearer token.
    pub(crate) bearer: Option<String>,
    /// The body.
    pub(crate) body: String,
}

/// What a double does with a request.
pub(crate) enum Reply {
    /// Status and body, after this time.
    Answer {
        /// How long the client waits for it.
        after: Duration,
        status: u16,
        body: String,
    },
    /// Nothing: the connection is closed.
    HangUp,
}

/// The state of a double.
pub(crate) trait Double: Send + 'static {
    /// Whether connections are closed before anything is read.
    fn gone(&self) -> bool;

    /// What becomes of a request.
    fn reply(&mut self, request: &Request) -> Reply;
}

/// A running double.
pub(crate) struct JsonServer<D> {
    state: Arc<Mutex<D>>,
    _stop_on_drop: oneshot::Sender<()>,
}

impl<D: Double> JsonServer<D> {
    /// Starts at this port of loopback, 0 for a free one, with the state that `made` gives for its address.
    pub(crate) fn start(port: u16, made: impl FnOnce(SocketAddr) -> D) -> Result<Self, TestkitError> {
        let at = format!("127.0.0.1:{port}");
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(TestkitError::at(&at))?;
        listener.set_nonblocking(true).map_err(TestkitError::at(&at))?;
        let state = Arc::new(Mutex::new(made(listener.local_addr().map_err(TestkitError::at(&at))?)));
        let (stop, stopped) = oneshot::channel::<()>();
        let served = Arc::clone(&state);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(TestkitError::at("runtime"))?;
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                tokio::select! {
                    () = accept(listener, served) => {}
                    _ = stopped => {}
                }
            });
        });
        Ok(Self { state, _stop_on_drop: stop })
    }

    /// The double's state.
    pub(crate) fn state(&self) -> MutexGuard<'_, D> {
        lock(&self.state)
    }
}

fn lock<D>(state: &Mutex<D>) -> MutexGuard<'_, D> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept<D: Double>(listener: TcpListener, state: Arc<Mutex<D>>) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let state = Arc::clone(&state);
            tokio::spawn(async move {
                // A client that went away has nothing to be told.
                let _gone = serve(stream, &state).await;
            });
        }
    }
}

/// One request, one answer.
async fn serve<D: Double>(stream: TcpStream, state: &Mutex<D>) -> std::io::Result<()> {
    if lock(state).gone() {
        return Ok(());
    }
    let mut stream = BufReader::new(stream);
    let request = read(&mut stream).await?;
    let reply = lock(state).reply(&request);
    let Reply::Answer { after, status, body } = reply else { return Ok(()) };
    tokio::time::sleep(after).await;
    let head = format!(
        "HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

async fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut length, mut bearer) = (0, None);
    loop {
        let mut header = String::new();
        if stream.read_line(&mut header).await? == 0 || header.trim().is_empty() {
            break;
        }
        let Some((name, value)) = header.split_once(':') else { continue };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse::<usize>().unwrap_or(0).min(LONGEST_BODY),
            "authorization" => bearer = value.trim().strip_prefix("Bearer ").map(str::to_owned),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Request { target, bearer, body: String::from_utf8_lossy(&body).into_owned() })
}
