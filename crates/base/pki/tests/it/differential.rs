//! Mutated chains, judged by us and by OpenSSL. Where the verdicts differ, `conformance/chain-differences.md` must say why.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustls_pki_types::CertificateDer;
use signet_crypto::sign::{KeyType, Signer as _, SigningKey};
use signet_pki::{Anchor, CertificateFacts, PathVerifier, Profile, Purpose, SubjectName, pem};

use crate::house::{Authority, Leaf, NOW, NOW_SECONDS};
use crate::mutate::{Dice, Node};
use crate::openssl::Files;

/// How many chains: in CI, and with `SIGNET_DEEP=1`.
const CHAINS: usize = 10_000;
const CHAINS_DEEP: usize = 100_000;
/// One process of `openssl verify` takes so many leaves under one intermediate certificate.
const LEAVES_AT_ONCE: usize = 400;
/// Of so many chains, one has its intermediate certificate changed instead of its leaf, and needs a process of its own.
const INTERMEDIATE_EVERY: usize = 12;

/// One chain and what we say of it.
struct Case {
    leaf: Vec<u8>,
    intermediate: Vec<u8>,
    ours: Result<(), String>,
}

struct House {
    root: Authority,
    middle: Authority,
    leaves: Vec<Leaf>,
    verifier: PathVerifier,
}

fn house() -> House {
    let root = Authority::root("Root", KeyType::P256);
    let middle = root.below("acme", Profile::TenantCa, KeyType::P256);
    let verifier = PathVerifier::new(vec![Anchor::new(root.certificate.clone())]).unwrap();
    let names = ["dns:a.example", "ip:10.0.0.1", "uri:urn:x:y", "email:a@b.example"];
    let leaves = vec![
        middle.leaf("dev-1", Profile::Device),
        middle.leaf_with("dev-2", Profile::Device, |request| {
            request.names = vec![SubjectName::uri("urn:signet:acme:device:dev-2").unwrap()];
        }),
        middle.leaf_with("svc", Profile::Service, |request| {
            request.names = names.map(|name| SubjectName::parse(name).unwrap()).to_vec();
            request.ocsp_url = Some("http://127.0.0.1/o".to_owned());
        }),
    ];
    House { root, middle, leaves, verifier }
}

/// The certificate with something changed: mostly inside the part that is signed, and signed again, so that the change is what is
/// judged and not the broken signature.
fn changed(der: &[u8], issuer: &SigningKey, dice: &mut Dice) -> Vec<u8> {
    let header = 4;
    let tbs_length = header + usize::from(u16::from_be_bytes([der[6], der[7]]));
    let (tbs, rest) = der[header..].split_at(tbs_length);
    match dice.roll(10) {
        0 => {
            let mut flipped = der.to_vec();
            let place = dice.roll(flipped.len());
            flipped[place] ^= 1 << dice.roll(8);
            flipped
        }
        1 => {
            let mut whole = Node::read(der);
            whole.change(dice);
            whole.write()
        }
        _ => {
            let mut inner = Node::read(tbs);
            for _ in 0..=dice.roll(2) {
                inner.change(dice);
            }
            let tbs = inner.write();
            let algorithm_length = 2 + usize::from(rest[1]);
            let bits = [&[0], &issuer.sign(&tbs).unwrap()[..]].concat();
            let signature = [&[3, u8::try_from(bits.len()).unwrap()], &bits[..]].concat();
            let body = [&tbs, &rest[..algorithm_length], &signature].concat();
            [&[0x30, 0x82], &u16::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
        }
    }
}

fn cases(house: &House, count: usize) -> Vec<Case> {
    let mut dice = Dice::new(0x5167_6e65);
    let mut cases = Vec::with_capacity(count);
    for number in 0..count {
        let leaf = &house.leaves[number % house.leaves.len()];
        let (mut leaf, mut intermediate) = (leaf.der.to_vec(), house.middle.certificate.der().to_vec());
        if number % INTERMEDIATE_EVERY == 0 {
            intermediate = changed(&intermediate, &house.root.key, &mut dice);
        } else {
            leaf = changed(&leaf, &house.middle.key, &mut dice);
        }
        let sent = [CertificateDer::from(intermediate.as_slice())];
        let verdict = house.verifier.verify(&CertificateDer::from(leaf.as_slice()), &sent, NOW, Purpose::Client);
        let ours = verdict.map(|_| ()).map_err(|error| format!("{}: {}", error.reason().code, error.detail()));
        cases.push(Case { leaf, intermediate, ours });
    }
    cases
}

/// What `openssl verify` says of leaves under one intermediate certificate: nothing, or the number and text of its error.
fn openssl_says(root: &Path, intermediate: &Path, leaves: &[PathBuf]) -> BTreeMap<PathBuf, String> {
    let output = Command::new("openssl")
        .args(["verify", "-attime", NOW_SECONDS, "-purpose", "sslclient", "-no-CApath", "-no-CAstore", "-CAfile"])
        .arg(root)
        .arg("-untrusted")
        .arg(intermediate)
        .args(leaves)
        .output()
        .unwrap_or_else(|e| panic!("openssl does not run ({e}): apt-get install openssl"));
    let mut verdicts: BTreeMap<PathBuf, String> = leaves.iter().map(|leaf| (leaf.clone(), "not readable".to_owned())).collect();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some(path) = line.strip_suffix(": OK") {
            verdicts.remove(Path::new(path));
        }
    }
    let mut last = String::new();
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        if let Some((_, text)) = line.strip_prefix("error ").and_then(|rest| rest.split_once(" depth lookup: ")) {
            text.clone_into(&mut last);
        } else if let Some(path) = line.strip_prefix("error ").and_then(|rest| rest.strip_suffix(": verification failed")) {
            verdicts.insert(PathBuf::from(path), std::mem::take(&mut last));
        }
    }
    verdicts
}

/// OpenSSL looks no further where a key identifier does not fit, and says the same as where there is no issuer at all.
fn explained(theirs: String, case: &Case, house: &House) -> String {
    let facts = |der: &[u8]| CertificateFacts::read(der).unwrap();
    let (leaf, middle, root) = (facts(&case.leaf), facts(&case.intermediate), facts(house.root.certificate.der()));
    let differ = |lower: &CertificateFacts, upper: &CertificateFacts| {
        lower.authority_key_identifier.is_some()
            && upper.subject_key_identifier.is_some()
            && lower.authority_key_identifier != upper.subject_key_identifier
    };
    if theirs.starts_with("unable to get") && (differ(&leaf, &middle) || differ(&middle, &root)) {
        format!("key identifiers differ: {theirs}")
    } else {
        theirs
    }
}

/// The differences that are accepted: who accepts, and how the other's refusal begins.
fn accepted() -> Vec<(bool, String)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../conformance/chain-differences.md");
    let text = std::fs::read_to_string(file).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")).map(|row| row.split(" | ").collect::<Vec<_>>());
    let read = |cells: Vec<&str>| {
        let refusal = cells[1].trim_matches('`').to_owned();
        match cells[0] {
            "OpenSSL" => Some((false, refusal)),
            "Signet" => Some((true, refusal)),
            _ => None,
        }
    };
    rows.filter_map(read).collect()
}

#[test]
fn ten_thousand_mutated_chains_are_judged_as_openssl_judges_them() {
    let count = if std::env::var("SIGNET_DEEP").is_ok_and(|deep| deep == "1") { CHAINS_DEEP } else { CHAINS };
    let house = house();
    let cases = cases(&house, count);
    let files = Files::new();
    let root = files.write("root.pem", house.root.certificate.to_pem());
    let write = |name: String, der: &[u8]| files.write(&name, pem::write_certificate(&CertificateDer::from(der)));
    let middle = write("middle.pem".to_owned(), house.middle.certificate.der());
    let leaves: Vec<PathBuf> = (0..).zip(&cases).map(|(n, case): (usize, _)| write(format!("{n}.pem"), &case.leaf)).collect();
    let (with_middle, alone): (Vec<_>, Vec<_>) = (0..cases.len()).partition(|n| n % INTERMEDIATE_EVERY != 0);

    let mut batches: Vec<(PathBuf, Vec<PathBuf>)> =
        with_middle.chunks(LEAVES_AT_ONCE).map(|batch| (middle.clone(), batch.iter().map(|n| leaves[*n].clone()).collect())).collect();
    batches.extend(alone.iter().map(|n| (write(format!("{n}.middle.pem"), &cases[*n].intermediate), vec![leaves[*n].clone()])));
    let halves = batches.split_at(batches.len() / 2);
    let run = |half: &[(PathBuf, Vec<PathBuf>)]| {
        half.iter().flat_map(|(between, leaves)| openssl_says(&root, between, leaves)).collect::<BTreeMap<_, _>>()
    };
    let mut theirs = std::thread::scope(|scope| {
        let other = scope.spawn(|| run(halves.1));
        let mut said = run(halves.0);
        said.extend(other.join().unwrap());
        said
    });

    let accepted = accepted();
    let (mut both, mut neither, mut used) = (0_usize, 0_usize, vec![0_usize; accepted.len()]);
    let mut unexplained = Vec::new();
    for (case, path) in cases.iter().zip(&leaves) {
        let (ours_accepts, refusal) = match (&case.ours, theirs.remove(path)) {
            (Ok(()), None) => {
                both += 1;
                continue;
            }
            (Err(_), Some(_)) => {
                neither += 1;
                continue;
            }
            (Ok(()), Some(theirs)) => (true, explained(theirs, case, &house)),
            (Err(ours), None) => (false, ours.clone()),
        };
        match accepted.iter().position(|(signet, start)| *signet == ours_accepts && refusal.starts_with(start)) {
            Some(row) => used[row] += 1,
            None => unexplained.push((ours_accepts, refusal, case)),
        }
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let mut kinds: BTreeMap<(bool, &str), (usize, &Case)> = BTreeMap::new();
    for (ours_accepts, refusal, case) in &unexplained {
        kinds.entry((*ours_accepts, refusal.as_str())).and_modify(|(count, _)| *count += 1).or_insert((1, case));
    }
    let told: Vec<String> = kinds
        .iter()
        .map(|((ours_accepts, refusal), (count, case))| {
            let who = if *ours_accepts { "Signet" } else { "OpenSSL" };
            format!(
                "{count} times only {who} accepts; the other: {refusal}\n  leaf {}\n  intermediate {}",
                hex(&case.leaf),
                hex(&case.intermediate)
            )
        })
        .collect();
    assert!(unexplained.is_empty(), "{} verdicts differ without a reason:\n{}", unexplained.len(), told.join("\n"));
    assert!(both > count / 100 && neither > count / 2, "{both} accepted and {neither} refused by both");
}
