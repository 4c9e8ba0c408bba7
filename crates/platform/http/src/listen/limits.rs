//! What a stranger may cost us on one listener.

use std::time::Duration;

/// Bounds of one listener. Everything that a peer can make grow or last is here. The most memory that peers can hold is
/// about `max_connections` × (`max_head_bytes` + one body of 64 KiB per stream in use).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections; one more is closed at once.
    pub max_connections: usize,
    /// Open connections of one IPv4 address or IPv6 /64; one more is closed at once.
    pub max_connections_per_address: usize,
    /// TLS handshakes in computation at once; more wait within their deadline.
    pub max_handshakes: usize,
    /// From accept to the end of the TLS handshake.
    pub handshake: Duration,
    /// From the start of a connection, or the end of the exchange before, to the end of a request's head. So it is the
    /// deadline of the first byte and the longest idle time of HTTP/1 too.
    pub head: Duration,
    /// Longest pause within a request's body.
    pub body_pause: Duration,
    /// The whole of a request's body.
    pub body: Duration,
    /// Longest time of an HTTP/2 connection without a stream.
    pub idle: Duration,
    /// The whole of an exchange, until the last byte of the answer is taken; of an answer in pieces, from one piece to the next.
    /// Then the connection is cut.
    pub exchange: Duration,
    /// Longest time that a peer may refuse to take a byte.
    pub write_stall: Duration,
    /// Most bytes of a request's head that are read at all; above [`MAX_HEADER_BYTES`](crate::MAX_HEADER_BYTES), so that
    /// the refusal between the two is said in words. Beyond it the library answers a bare 431.
    pub max_head_bytes: u32,
    /// Streams of one HTTP/2 connection at once.
    pub max_streams: u32,
    /// Streams that a peer opened and reset before we looked at them; beyond it the connection ends (rapid reset,
    /// CVE-2023-44487).
    pub max_reset_streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 1_024,
            max_connections_per_address: 256,
            max_handshakes: 512,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(30),
            body_pause: Duration::from_secs(10),
            body: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            exchange: Duration::from_secs(120),
            write_stall: Duration::from_secs(30),
            max_head_bytes: 128 * 1024,
            max_streams: 100,
            max_reset_streams: 20,
        }
    }
}

impl Limits {
    /// For the management listener: few connections, from anywhere.
    pub fn management() -> Self {
        Self { max_connections: 64, max_connections_per_address: 64, ..Self::default() }
    }

    /// How often a connection looks at its own clock: a quarter of the shortest deadline that it watches itself.
    pub(crate) fn tick(&self) -> Duration {
        let shortest = self.idle.min(self.exchange).min(self.head);
        shortest.checked_div(4).unwrap_or(shortest).clamp(Duration::from_millis(20), Duration::from_secs(5))
    }
}
