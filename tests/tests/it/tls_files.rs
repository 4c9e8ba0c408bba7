//! Certificates and keys of the operator's own making for the API listener: forms that load, and pairs that do not fit.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use signet_tests::{Deployment, House, Plan};

fn with_pair(certificate: &str, key: &str) -> House {
    let house = Plan::of(Deployment::Production).prepare();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    for (from, to) in [(certificate, "own.crt"), (key, "own.key")] {
        std::fs::copy(data.join(from), house.path().join(to)).unwrap();
        std::fs::set_permissions(house.path().join(to), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    house.write_configuration("signet.toml", house.database_url(), "\n[tls]\ncert_file = \"own.crt\"\nkey_file = \"own.key\"\n");
    house
}

#[test]
fn keys_as_openssl_writes_them_load() {
    for name in ["ec-parameters", "pkcs1"] {
        let mut house = with_pair(&format!("{name}.crt"), &format!("{name}.key"));
        house.start();
        house.stop();
    }
}

#[test]
fn a_key_of_another_certificate_is_refused_with_both_fingerprints() {
    let house = with_pair("pathlen0.crt", "wrong-pair.key");
    let output = house.run(&house.server_arguments());
    assert_ne!(output.code, 0);
    let error = output.error();
    assert!(error["reason"].as_str().unwrap_or_default().starts_with("tls."), "{}", output.stderr);
    let detail = error["detail"].as_str().unwrap_or_default();
    let fingerprints = detail.split(|letter: char| !letter.is_ascii_hexdigit()).filter(|word| word.len() >= 16).count();
    assert!(fingerprints >= 2, "both fingerprints: {detail}");
}
