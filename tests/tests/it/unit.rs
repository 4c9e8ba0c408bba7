//! Under systemd: when it says READY, what it says while it waits, reloads and stops. The socket is ours.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use signet_testkit::process::Signal;
use signet_testkit::{FaultProxy, ProxyMode, TestPostgres};
use signet_tests::{Deployment, Plan, Server, within};

/// What was told so far, one line each.
struct Supervisor {
    socket: UnixDatagram,
    told: Vec<String>,
}

impl Supervisor {
    fn at(path: &Path) -> Self {
        Self::on(UnixDatagram::bind(path).unwrap())
    }

    fn on(socket: UnixDatagram) -> Self {
        socket.set_nonblocking(true).unwrap();
        Self { socket, told: Vec::new() }
    }

    fn heard(&mut self, what: &str) -> bool {
        let mut buffer = [0u8; 4096];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            self.told.extend(text.lines().map(str::to_owned));
        }
        self.told.iter().any(|line| line.starts_with(what))
    }

    #[track_caller]
    fn hears(&mut self, what: &str) {
        let heard = within(Duration::from_secs(20), || self.heard(what));
        assert!(heard, "{what} was not told, but {:?}", self.told);
    }
}

#[test]
fn ready_is_told_with_listeners_up_and_reloading_and_stopping_too() {
    let house = Plan::of(Deployment::Embedded).prepare();
    let path = house.path().join("notify");
    let mut supervisor = Supervisor::at(&path);
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap())];
    let mut server = Server::start(house.path(), "server", &house.server_arguments(), &variables);
    supervisor.hears("READY=1");
    let health = signet_tests::http_1_0(server.listener("management"), "GET", "/health", &[]).unwrap();
    assert_eq!(health.status, 200, "READY means that it serves: {}", health.text());
    supervisor.told.clear();
    server.signal(Signal::HUP).unwrap();
    supervisor.hears("RELOADING=1");
    supervisor.hears("MONOTONIC_USEC=");
    supervisor.hears("READY=1");
    assert!(server.terminate().unwrap().success());
    supervisor.hears("STOPPING=1");
}

#[test]
fn an_abstract_socket_works_as_well() {
    use std::os::linux::net::SocketAddrExt;
    let house = Plan::of(Deployment::Embedded).prepare();
    let name = format!("signet-test-{}", house.path().file_name().unwrap().to_string_lossy());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let mut supervisor = Supervisor::on(UnixDatagram::bind_addr(&address).unwrap());
    let _server = Server::start(house.path(), "server", &house.server_arguments(), &[("NOTIFY_SOCKET", &format!("@{name}"))]);
    supervisor.hears("READY=1");
}

#[test]
fn a_server_whose_database_is_down_at_boot_waits_and_says_so() {
    let url = TestPostgres::shared().fresh_database_blocking();
    let proxy = FaultProxy::to(TestPostgres::shared().address());
    proxy.set(ProxyMode::Cut);
    let house = Plan::of(Deployment::Production).database(proxy.url_through(&url)).prepare();
    let path = house.path().join("notify");
    let mut supervisor = Supervisor::at(&path);
    let (directory, arguments, variable) =
        (house.path().to_owned(), house.server_arguments().join("\n"), path.to_str().unwrap().to_owned());
    let starting = std::thread::spawn(move || {
        let arguments: Vec<&str> = arguments.split('\n').collect();
        Server::try_start(&directory, "server", &arguments, &[("NOTIFY_SOCKET", &variable)])
    });
    supervisor.hears("STATUS=");
    supervisor.hears("EXTEND_TIMEOUT_USEC=");
    proxy.set(ProxyMode::Forward);
    let mut server = starting.join().unwrap().unwrap();
    supervisor.hears("READY=1");
    let serves = within(Duration::from_secs(30), || {
        signet_tests::http_1_0(server.listener("management"), "GET", "/health", &[]).is_ok_and(|health| health.status == 200)
    });
    assert!(serves, "log: {}", server.log_text());
    assert!(server.terminate().unwrap().success());
}
