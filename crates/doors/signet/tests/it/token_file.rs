//! Token files as people and their editors leave them (field case H21).

use crate::program::{error, failed, signet};

#[test]
fn edges_are_trimmed_and_what_is_no_token_is_refused_without_its_text() {
    let dir = tempfile::tempdir().unwrap();
    for (bytes, code, reason) in [
        (&b"sgo_topsecret\n"[..], 7, "server.unreachable"),
        (b"sgo_topsecret\r\n", 7, "server.unreachable"),
        (b"sgo_topsecret\n\n", 7, "server.unreachable"),
        (b"\xef\xbb\xbfsgo_topsecret\r\n", 7, "server.unreachable"),
        (b"sgo_top secret", 6, "token.malformed"),
        (b"sgo_topsecret\0", 6, "token.malformed"),
        (b"\xff\xfes\0g\0o\0_\0", 6, "token.malformed"),
        (b"", 6, "token.empty"),
        (b" \n", 6, "token.empty"),
    ] {
        std::fs::write(dir.path().join("t"), bytes).unwrap();
        for by_variable in [false, true] {
            let mut command = signet(["tenant", "list", "--server", "https://127.0.0.1:1", "-o", "json"]);
            if by_variable {
                command.env("SIGNET_TOKEN_FILE", "t")
            } else {
                command.args(["--token-file", "t"])
            };
            let output = command.current_dir(&dir).output().unwrap();
            assert_eq!(failed(&output), (code, reason.to_owned()), "{bytes:?}");
            let text = error(&output).to_string();
            assert!(!text.contains("topsecret") && !text.contains("secret\\"), "{text}");
        }
    }
}

#[test]
fn a_stale_endpoint_file_names_process_and_address() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("operator.token"), "sgo_x\n").unwrap();
    let stale = r#"{"event":"ready","version":"0.1.0","pid":4194000,"data_dir":"/d","listeners":{"api":"127.0.0.1:1"},"elapsed_ms":1}"#;
    std::fs::write(dir.path().join("endpoint.json"), stale).unwrap();
    let output = signet(["tenant", "list", "-o", "json", "--data-dir"]).arg(dir.path()).output().unwrap();
    assert_eq!(failed(&output), (7, "server.unreachable".to_owned()));
    let detail = error(&output)["detail"].to_string();
    assert!(detail.contains("4194000") && detail.contains("127.0.0.1:1"), "{detail}");
}

#[test]
fn a_proxy_of_the_environment_is_not_asked_for_loopback() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("t"), "sgo_x").unwrap();
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let output = signet(["tenant", "list", "--server", "https://127.0.0.1:1", "--token-file", "t", "-o", "json"])
        .current_dir(&dir)
        .envs([("https_proxy", &address), ("http_proxy", &address), ("all_proxy", &address), ("HTTPS_PROXY", &address)])
        .output()
        .unwrap();
    assert_eq!(failed(&output), (7, "server.unreachable".to_owned()));
    assert!(proxy.accept().is_err(), "the proxy was asked");
}
