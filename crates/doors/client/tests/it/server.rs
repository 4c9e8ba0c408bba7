//! A server that answers one canned text per connection and keeps what it was asked.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

pub(crate) struct Canned {
    pub(crate) address: SocketAddr,
    asked: Receiver<String>,
}

impl Canned {
    /// Answers every connection with `answer`, after `delay`.
    pub(crate) fn start(answer: impl Into<Vec<u8>>, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, asked) = channel();
        let answer = answer.into();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = Vec::new();
                let mut byte = [0_u8; 1];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                    head.push(byte[0]);
                }
                if tell.send(String::from_utf8_lossy(&head).into_owned()).is_err() {
                    return;
                }
                std::thread::sleep(delay);
                // The peer may have had enough; that is what some tests are about.
                let _ = stream.write_all(&answer);
            }
        });
        Self { address, asked }
    }

    /// With a status, a media type and a body.
    pub(crate) fn answering(status: u16, media_type: &str, body: &str) -> Self {
        let head =
            format!("HTTP/1.1 {status} X\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        Self::start(format!("{head}{body}"), Duration::ZERO)
    }

    /// The head of the next request.
    pub(crate) fn asked(&self) -> String {
        self.asked.recv_timeout(Duration::from_secs(10)).unwrap()
    }

    /// Whether a request came within a moment.
    pub(crate) fn was_asked(&self) -> bool {
        self.asked.recv_timeout(Duration::from_millis(200)).is_ok()
    }
}
