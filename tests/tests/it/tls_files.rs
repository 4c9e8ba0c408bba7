//! Certificates and keys of the operator's own making (field case A11), for the API listener and for the connection to Vault: forms
//! that load, pairs that do not fit, keys that are encrypted.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use signet_tests::{Deployment, House, Output, Plan};

/// What the files are for: the settings that name `own.crt` and `own.key`, and the beginning of the reason when they cannot be used.
const USES: [(&str, &str); 2] = [
    ("\n[tls]\ncert_file = \"own.crt\"\nkey_file = \"own.key\"\n", "tls."),
    (
        "\n[custody]\nkind = \"vault\"\nurl = \"https://127.0.0.1:1\"\ntoken_file = \"vault.token\"\n\
         client_cert_file = \"own.crt\"\nclient_key_file = \"own.key\"\n",
        "custody.",
    ),
];

fn write_secret(house: &House, name: &str, content: impl AsRef<[u8]>) {
    std::fs::write(house.path().join(name), content).unwrap();
    std::fs::set_permissions(house.path().join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn with_pair(settings: &str, certificate: &str, key: &str) -> House {
    let house = Plan::of(Deployment::Production).prepare();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    for (from, to) in [(certificate, "own.crt"), (key, "own.key")] {
        write_secret(&house, to, std::fs::read(data.join(from)).unwrap());
    }
    write_secret(&house, "vault.token", "t\n");
    house.write_configuration("signet.toml", house.database_url(), settings);
    house
}

#[test]
fn keys_as_openssl_writes_them_load() {
    for (settings, _) in USES {
        for name in ["ec-parameters", "pkcs1"] {
            let mut house = with_pair(settings, &format!("{name}.crt"), &format!("{name}.key"));
            house.start();
            house.stop();
        }
    }
}

#[track_caller]
fn refused(output: &Output, reason: &str) -> String {
    assert_ne!(output.code, 0);
    let error = output.error();
    assert!(error["reason"].as_str().unwrap_or_default().starts_with(reason), "{}", output.stderr);
    error["detail"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_key_of_another_certificate_is_refused_with_both_fingerprints() {
    for (settings, reason) in USES {
        let house = with_pair(settings, "pathlen0.crt", "wrong-pair.key");
        let detail = refused(&house.run(&house.server_arguments()), reason);
        let fingerprints = detail.split(|letter: char| !letter.is_ascii_hexdigit()).filter(|word| word.len() >= 16).count();
        assert!(fingerprints >= 2, "both fingerprints: {detail}");
    }
}

#[test]
fn an_encrypted_key_is_called_so() {
    for (settings, reason) in USES {
        let house = with_pair(settings, "pkcs1.crt", "pkcs1.key");
        let lock = ["pkcs8", "-topk8", "-in", "own.key", "-out", "locked.key", "-passout", "pass:secret"];
        let locked = Command::new("openssl").args(lock).current_dir(house.path()).output().unwrap();
        assert!(locked.status.success(), "{}", String::from_utf8_lossy(&locked.stderr));
        write_secret(&house, "own.key", std::fs::read(house.path().join("locked.key")).unwrap());
        let detail = refused(&house.run(&house.server_arguments()), reason);
        assert!(detail.contains("encrypted"), "{detail}");
    }
}
