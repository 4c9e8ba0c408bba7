//! The service manager's protocol (sd_notify(3)): one datagram per message to `$NOTIFY_SOCKET`, a path or an abstract name.
//! Without the variable every call does nothing.

use std::ffi::{OsStr, OsString};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Where the service manager listens.
#[derive(Debug)]
pub(crate) struct Notifier {
    target: Option<(UnixDatagram, SocketAddr)>,
}

impl Notifier {
    /// As `$NOTIFY_SOCKET` says.
    pub(crate) fn from_environment() -> Self {
        Self::to(std::env::var_os("NOTIFY_SOCKET"))
    }

    /// To a socket of this name; one that cannot be used is as none, since no service depends on being watched.
    fn to(name: Option<OsString>) -> Self {
        let target = name.filter(|n| !n.is_empty()).and_then(|name| {
            let address = address(&name).ok()?;
            let socket = UnixDatagram::unbound().ok()?;
            // A manager that reads nothing must not hold up the server.
            socket.set_nonblocking(true).ok()?;
            Some((socket, address))
        });
        Self { target }
    }

    fn send(&self, message: &str) {
        if let Some((socket, address)) = &self.target
            && let Err(error) = socket.send_to_addr(message.as_bytes(), address)
        {
            tracing::debug!(event = "notify.failed", %error);
        }
    }

    /// Everything is up.
    pub(crate) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
    }

    /// Not up yet, but alive: the start may take this much longer.
    pub(crate) fn waiting(&self, status: &str, at_most: Duration) {
        self.send(&format!("EXTEND_TIMEOUT_USEC={}\nSTATUS={status}", at_most.as_micros()));
    }

    /// Files are being read again; `ready` ends it.
    pub(crate) fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec.wrapping_div(1_000));
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\nSTATUS=reading files again"));
    }

    /// The end has begun.
    pub(crate) fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=draining");
    }
}

fn address(name: &OsStr) -> std::io::Result<SocketAddr> {
    match name.as_bytes().split_first() {
        Some((b'@', rest)) => SocketAddr::from_abstract_name(rest),
        _ => SocketAddr::from_pathname(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0_u8; 512];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn messages_reach_a_path_and_an_abstract_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        Notifier::to(Some(path.into_os_string())).ready("listening");
        assert_eq!(received(&by_path), "READY=1\nSTATUS=listening");
        let name = format!("signet-test-{}", std::process::id());
        let by_name = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let notifier = Notifier::to(Some(OsString::from(format!("@{name}"))));
        notifier.waiting("database", Duration::from_secs(30));
        assert_eq!(received(&by_name), "EXTEND_TIMEOUT_USEC=30000000\nSTATUS=database");
        notifier.reloading();
        let text = received(&by_name);
        let micros = text.lines().find_map(|l| l.strip_prefix("MONOTONIC_USEC=")).unwrap();
        assert!(text.starts_with("RELOADING=1\n") && micros.parse::<u64>().unwrap() > 0, "{text}");
        notifier.stopping();
        assert!(received(&by_name).starts_with("STOPPING=1"));
    }

    #[test]
    fn without_a_socket_nothing_happens() {
        for name in [None, Some(OsString::new()), Some(OsString::from("/nonexistent/socket"))] {
            let notifier = Notifier::to(name);
            notifier.ready("x");
            notifier.stopping();
        }
    }
}
