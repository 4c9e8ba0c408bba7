//! A foreign NATS client in the protocol's own text, without any code of the product: it listens, publishes, and
//! connects again by itself.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signet_testkit::process::pause;

use crate::within;

/// A message that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its subject.
    pub subject: String,
    /// Where an answer is wanted; empty when none is.
    pub reply: String,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// The client. It ends when dropped.
pub struct NatsPeer {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    address: String,
    subjects: Mutex<Vec<String>>,
    writer: Mutex<Option<TcpStream>>,
    deliveries: Mutex<Vec<Delivery>>,
    /// Answered PINGs of ours: everything that was sent before has been taken.
    pongs: Mutex<u64>,
    ended: AtomicBool,
}

impl NatsPeer {
    /// Connects to `nats://host:port`.
    #[track_caller]
    pub fn connect(url: &str) -> Self {
        let address = url.trim_start_matches("nats://").to_owned();
        let shared = Arc::new(Shared { address, ..Shared::default() });
        let worker = Arc::clone(&shared);
        std::thread::spawn(move || {
            while !worker.ended.load(Ordering::SeqCst) {
                // A connection that broke is made again; what was published meanwhile is lost, as NATS has it.
                let _broken = worker.session();
                *lock(&worker.writer) = None;
                pause(Duration::from_millis(20));
            }
        });
        let peer = Self { shared };
        assert!(peer.is_connected_within(Duration::from_secs(20)), "no NATS at {url}");
        peer
    }

    /// Whether there is a connection, waiting at most so long for one.
    pub fn is_connected_within(&self, limit: Duration) -> bool {
        within(limit, || self.flushed().is_ok())
    }

    /// Listens to a subject, and again after each reconnect.
    #[track_caller]
    pub fn subscribe(&self, subject: &str) {
        let sid = {
            let mut subjects = lock(&self.shared.subjects);
            subjects.push(subject.to_owned());
            subjects.len()
        };
        let sent = self.shared.write(format!("SUB {subject} {sid}\r\n").as_bytes()).and_then(|()| self.flushed());
        assert!(sent.is_ok(), "subscribing {subject}: {sent:?}");
    }

    /// As [`NatsPeer::subscribe`], unless it listens to that subject already.
    #[track_caller]
    pub fn subscribe_once(&self, subject: &str) {
        let listens = lock(&self.shared.subjects).iter().any(|known| known == subject);
        if !listens {
            self.subscribe(subject);
        }
    }

    /// Publishes, and waits until the server has taken it.
    pub fn publish(&self, subject: &str, reply: &str, payload: &[u8]) -> std::io::Result<()> {
        let mut bytes = format!("PUB {subject} {reply} {}\r\n", payload.len()).into_bytes();
        bytes.extend_from_slice(payload);
        bytes.extend_from_slice(b"\r\n");
        self.shared.write(&bytes)?;
        self.flushed()
    }

    /// Everything that arrived, in order.
    pub fn deliveries(&self) -> Vec<Delivery> {
        lock(&self.shared.deliveries).clone()
    }

    fn flushed(&self) -> std::io::Result<()> {
        let before = *lock(&self.shared.pongs);
        self.shared.write(b"PING\r\n")?;
        if within(Duration::from_secs(10), || *lock(&self.shared.pongs) > before) {
            return Ok(());
        }
        Err(std::io::Error::other("the server did not answer a PING"))
    }
}

impl Drop for NatsPeer {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        if let Some(stream) = lock(&self.shared.writer).take() {
            // Wakes the reading thread; it may have ended by itself.
            let _already_closed = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Shared {
    fn write(&self, bytes: &[u8]) -> std::io::Result<()> {
        match lock(&self.writer).as_mut() {
            Some(stream) => stream.write_all(bytes),
            None => Err(std::io::Error::other("not connected")),
        }
    }

    /// One connection from its beginning to its end.
    fn session(&self) -> std::io::Result<()> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut hello = "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"text\",\"name\":\"foreign\"}\r\n".to_owned();
        for (index, subject) in lock(&self.subjects).iter().enumerate() {
            hello.push_str(&format!("SUB {subject} {}\r\n", index.saturating_add(1)));
        }
        (&stream).write_all(hello.as_bytes())?;
        *lock(&self.writer) = Some(stream);
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            match line.trim_end().split(' ').collect::<Vec<_>>().as_slice() {
                ["PING"] => self.write(b"PONG\r\n")?,
                ["PONG"] => {
                    let mut pongs = lock(&self.pongs);
                    *pongs = pongs.saturating_add(1);
                }
                ["MSG", subject, _, reply @ .., length] => {
                    let mut payload = vec![0u8; length.parse().map_err(std::io::Error::other)?];
                    reader.read_exact(&mut payload)?;
                    reader.read_exact(&mut [0u8; 2])?;
                    let reply = reply.first().copied().unwrap_or_default().to_owned();
                    lock(&self.deliveries).push(Delivery { subject: (*subject).to_owned(), reply, payload });
                }
                _ => {}
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
