//! nats-server as a test peer, spoken to in its text protocol.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use signet_testkit::TestNats;

fn ask(server: &TestNats, connect: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(server.address())?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    lines.next().unwrap()?;
    write!(stream, "CONNECT {connect}\r\nPING\r\n")?;
    lines.next().unwrap()
}

#[test]
fn the_shared_server_answers_and_cannot_be_stopped_by_one_test_when_it_belongs_to_the_run() {
    let server = TestNats::shared();
    assert_eq!(ask(server, r#"{"verbose":false}"#).unwrap(), "PONG");
    assert_eq!(server.directory().is_none(), std::env::var_os(signet_testkit::NATS_ENV).is_some());
}

#[test]
fn a_private_server_obeys_its_own_configuration() {
    let server = TestNats::private("authorization { users: [ { user: \"signet\", password: \"pw\" } ] }");
    assert!(ask(&server, r#"{"verbose":false}"#).unwrap().contains("Authorization Violation"));
    assert_eq!(ask(&server, r#"{"verbose":false,"user":"signet","pass":"pw"}"#).unwrap(), "PONG");
}

#[test]
fn a_private_server_comes_back_on_the_same_port() {
    let server = TestNats::private("");
    let url = server.url().to_owned();
    for round in 0..2 {
        if round == 0 {
            server.kill().unwrap()
        } else {
            server.stop().unwrap()
        }
        assert!(ask(&server, "{}").is_err());
        server.resume().unwrap();
        assert_eq!(ask(&server, r#"{"verbose":false}"#).unwrap(), "PONG");
    }
    assert_eq!(server.url(), url);
}
