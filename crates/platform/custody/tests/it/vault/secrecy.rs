//! The key of a CA is nowhere but inside the server: not in the memory of this process, not in the clear in the server's files.

use std::fs::File;
use std::io::{BufRead as _, Read as _, Seek as _, SeekFrom};

use signet_pki::Csr;

use super::*;

/// Whether a private key stands before this public one, as it does in SEC 1 and PKCS#8: an OCTET STRING of 32 bytes, in SEC 1 the
/// name of the curve (12 bytes), then `[1] { BIT STRING }` with the point.
fn private_before(memory: &[u8], public: &[u8]) -> bool {
    let needle = [&[0xa1, 0x44, 0x03, 0x42, 0x00], public].concat();
    let (mut rest, mut behind) = (memory, 0);
    loop {
        // The standard library's search for a byte is fast in tests too.
        match rest.skip_until(0xa1) {
            Ok(0) | Err(_) => return false,
            Ok(skipped) => behind += skipped,
        }
        let at = behind - 1;
        let before = |back: usize| at.checked_sub(back).is_some_and(|start| memory[start..].starts_with(&[0x04, 0x20]));
        if memory[at..].starts_with(&needle) && (before(34) || before(46)) {
            return true;
        }
    }
}

/// All that this process can read of itself, region by region.
fn any_region(mut found: impl FnMut(&[u8]) -> bool) -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut memory = File::open("/proc/self/mem").unwrap();
    let mut hit = false;
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|rights| rights.starts_with("rw"))) {
        let Some((from, to)) = line.split(' ').next().and_then(|range| range.split_once('-')) else { continue };
        let (from, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
        let mut region = vec![0; usize::try_from(to - from).unwrap()];
        if memory.seek(SeekFrom::Start(from)).is_err() || memory.read_exact(&mut region).is_err() {
            continue;
        }
        hit |= found(&region);
        // What was copied here is not to be found when it is read itself.
        region.fill(0);
    }
    hit
}

fn point(spki: &[u8]) -> &[u8] {
    &spki[spki.len() - 65..]
}

#[tokio::test]
async fn a_dump_of_process_and_files_holds_no_key_of_a_ca() {
    let bao = TestBao::private(BaoKind::Real);
    let vault = as_root(&bao);
    let mount = mount("secret");
    let platform = Platform::new();
    vault.ensure_mount(&mount).await.unwrap();
    let wanted = CaRequest { issuer: "g1", common_name: "secret", key_type: KeyType::P256 };
    let csr = vault.generate_ca_csr(&mount, wanted).await.unwrap();
    vault.set_signed(&mount, "g1", &[platform.certify(&csr), platform.certificate.der().clone()], &urls()).await.unwrap();
    vault.ensure_role(&mount, &role()).await.unwrap();
    sign(&vault, &mount).await.unwrap();

    let inside = Csr::parse(&csr).unwrap().verify().unwrap().spki().to_vec();
    // The search finds a key that is there.
    let dir = tempfile::tempdir().unwrap();
    let (key, public) = (dir.path().join("key"), dir.path().join("public"));
    let (key, public) = (key.to_str().unwrap(), public.to_str().unwrap());
    openssl(&["ecparam", "-genkey", "-name", "prime256v1", "-noout", "-outform", "DER", "-out", key]);
    openssl(&["ec", "-in", key, "-inform", "DER", "-pubout", "-outform", "DER", "-out", public]);
    let control = std::fs::read(key).unwrap();
    let plain = point(&std::fs::read(public).unwrap()).to_vec();
    assert!(private_before(&control, &plain));
    assert!(any_region(|region| private_before(region, &plain)), "the search itself does not work");
    drop(control);
    let hidden: Vec<u8> = point(&inside).to_vec();
    assert!(!any_region(|region| private_before(region, &hidden)));

    let mut open = vec![bao.directory().to_owned()];
    let mut files = 0;
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                files += 1;
                let content = std::fs::read(&path).unwrap();
                assert!(!private_before(&content, &hidden), "{}", path.display());
                assert!(!String::from_utf8_lossy(&content).contains("PRIVATE KEY"), "{}", path.display());
            }
        }
    }
    assert!(files > 2);
}
