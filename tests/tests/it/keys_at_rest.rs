//! The keys of the authorities and of the clients, at rest: with software custody none of them lies in the clear in the database,
//! its log of writes, any file of the data directory, what the server logs or the audit log.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use signet_crypto::{Sealer as _, Secret};
use signet_custody::KeyFileSealer;
use signet_db::{DatabaseConfig, Db, Statement, params};
use signet_pki::pem;
use signet_testkit::TestPostgres;
use signet_tests::{Deployment, House, Plan};

/// The private scalar of a P-256 key in PKCS#8: behind the version of the ECPrivateKey inside (RFC 5915).
pub(crate) fn scalar(pkcs8: &[u8]) -> [u8; 32] {
    const HEAD: [u8; 5] = [0x02, 0x01, 0x01, 0x04, 0x20];
    let at = pkcs8.windows(HEAD.len()).position(|window| window == HEAD).unwrap();
    pkcs8[at + HEAD.len()..][..32].try_into().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How a scalar may lie somewhere. As it stands in every structure around it, the raw form finds DER; and base64 of such a
/// structure has the scalar at one of three alignments, with its first and last letters shared with the neighbours.
pub(crate) fn forms(name: &str, scalar: &[u8; 32]) -> Vec<(String, Vec<u8>)> {
    let texts = [("hex", hex(scalar)), ("hex in capitals", hex(scalar).to_uppercase())];
    let mut texts: Vec<(&str, Vec<u8>)> = texts.into_iter().map(|(what, text)| (what, text.into_bytes())).collect();
    for (offset, skipped) in [(0, 0), (1, 2), (2, 3)] {
        let bytes = [&vec![0; offset][..], scalar].concat();
        for (what, text) in [("base64", STANDARD_NO_PAD.encode(&bytes)), ("base64url", URL_SAFE_NO_PAD.encode(&bytes))] {
            texts.push((what, text.as_bytes()[skipped..text.len() - 2].to_vec()));
        }
    }
    // What a dump may make of bytes that are text.
    let twice = texts.iter().map(|(what, text)| (format!("{name} as hex of {what}"), hex(text).into_bytes()));
    let once = texts.iter().map(|(what, text)| (format!("{name} as {what}"), text.clone()));
    once.chain(twice).chain([(format!("{name} as it is"), scalar.to_vec())]).collect()
}

/// What is looked for, each with what it is, all of it in one pass.
pub(crate) struct Wanted {
    pub(crate) texts: Vec<(String, Vec<u8>)>,
    /// The first blocks of each, one for each place that [`STRIDE`] may hit.
    blocks: HashMap<[u8; BLOCK], Vec<(usize, usize)>>,
}

const BLOCK: usize = 4;
/// The raw scalar; everything else that is looked for is longer.
const SHORTEST: usize = 32;
/// Only a block at every so many bytes is looked up: whatever is as long as the shortest has exactly one of them within.
const STRIDE: usize = SHORTEST - BLOCK + 1;

impl Wanted {
    pub(crate) fn new(texts: Vec<(String, Vec<u8>)>) -> Self {
        let mut blocks: HashMap<[u8; BLOCK], Vec<(usize, usize)>> = HashMap::new();
        for (number, (what, text)) in texts.iter().enumerate() {
            assert!(text.len() >= SHORTEST, "{what}");
            for offset in 0..STRIDE {
                blocks.entry(text[offset..][..BLOCK].try_into().unwrap()).or_default().push((number, offset));
            }
        }
        Self { texts, blocks }
    }

    /// The numbers of those that lie in it.
    pub(crate) fn found_in<'a>(&'a self, content: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        let block = |at: usize| content.get(at..at + BLOCK).and_then(|block| self.blocks.get(block).map(|found| (at, found)));
        (0..content.len()).step_by(STRIDE).filter_map(block).flat_map(move |(at, found)| {
            let here = move |(number, offset): &(usize, usize)| {
                at.checked_sub(*offset).is_some_and(|start| content[start..].starts_with(&self.texts[*number].1)).then_some(*number)
            };
            found.iter().filter_map(here)
        })
    }
}

/// Places and what lies there; what is broken into lines lies there a second time without.
pub(crate) struct Rest(pub(crate) Vec<(String, Vec<u8>)>);

impl Rest {
    pub(crate) fn add(&mut self, place: &str, content: Vec<u8>) {
        let mut joined = Vec::with_capacity(content.len());
        let mut bytes = content.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\n' | b'\r' | b' ' => {}
                // As JSON writes the end of a line.
                b'\\' if bytes.next_if_eq(&b'n').is_some() => {}
                other => joined.push(other),
            }
        }
        self.0.push((place.to_owned(), content));
        self.0.push((format!("{place}, joined"), joined));
    }

    pub(crate) fn add_files(&mut self, directory: &Path) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.add_files(&path);
            } else if path.is_file() {
                self.add(&path.display().to_string(), std::fs::read(&path).unwrap());
            }
        }
    }

    /// What was found, with where.
    pub(crate) fn found(&self, wanted: &Wanted) -> BTreeSet<(String, String)> {
        let of = |(place, content): &(String, Vec<u8>)| {
            wanted.found_in(content).map(|number| (wanted.texts[number].0.clone(), place.clone())).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of).collect()
    }
}

/// A sealed key as stored, and what it is sealed for.
pub(crate) fn sealed_keys(url: &str) -> Vec<(String, Vec<u8>)> {
    const CAS: &str = "SELECT 'platform-ca:' || generation, key FROM platform_ca WHERE key IS NOT NULL UNION ALL \
                       SELECT 'tenant-ca:' || tenant || ':' || generation, key FROM tenant_ca WHERE key IS NOT NULL";
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let db = Db::open(&DatabaseConfig::new(url)).await.unwrap();
        let rows = db.query(Statement::new(CAS, params![])).await.unwrap();
        let keys = rows.iter().map(|row| (row.text(0).unwrap().to_owned(), row.bytes(1).unwrap().to_vec())).collect();
        db.close().await;
        keys
    })
}

/// A request made by OpenSSL, whose key never was with the server, and a certificate with a key that the server made.
fn issue(house: &House) {
    house.furnish();
    let request =
        ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "own.key", "-out", "own.csr"];
    let made = Command::new("openssl").args(request).args(["-subj", "/CN=dev-1"]).current_dir(house.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    house.acme(&["cert", "issue", "--csr", "own.csr", "--identity", "dev-1", "--out-cert", "own.pem"]).exits(0);
    let generate = ["cert", "issue", "--generate-key", "p256", "--identity", "dev-1", "--out-key", "made.key", "--out-cert", "made.pem"];
    house.acme(&generate).exits(0);
    house.acme(&["ca", "rotate", "prepare", "--yes"]).exits(0);
}

/// Looks while the server runs, so that the log of writes is there, and again when it has ended.
fn nothing_lies_in_the_clear(mut house: House, database: Option<&Path>) {
    issue(&house);
    let mut rest = Rest(Vec::new());
    let data = house.data();
    let look = |rest: &mut Rest| {
        rest.add_files(&data);
        database.into_iter().for_each(|directory| rest.add_files(directory));
    };
    look(&mut rest);
    rest.add("the audit log", house.rest().get("/api/v1/tenants/acme/audit?limit=1000").body);
    let mut server = house.server.take().unwrap();
    assert!(server.terminate().unwrap().success());
    look(&mut rest);
    rest.add("the log", server.log_text().into_bytes());

    let url = if house.database_url().is_empty() {
        format!("sqlite:{}", house.data().join("signet.db").display())
    } else {
        house.database_url().to_owned()
    };
    let sealer = KeyFileSealer::open(&house.data().join("seal.key")).unwrap();
    let sealed = sealed_keys(&url);
    let purposes: Vec<&str> = sealed.iter().map(|(purpose, _)| purpose.as_str()).collect();
    for expected in ["platform-ca:1", "tenant-ca:acme:1", "tenant-ca:acme:2"] {
        assert!(purposes.contains(&expected), "{purposes:?}");
    }
    let whole = Wanted::new(sealed.clone());
    let held: BTreeSet<String> = rest.found(&whole).into_iter().map(|(purpose, _)| purpose).collect();
    assert_eq!(held.len(), sealed.len(), "what is looked through holds every sealed key: {held:?}");

    let mut wanted = Vec::new();
    for (purpose, sealed) in &sealed {
        let key: Secret = sealer.open(purpose, sealed).unwrap();
        wanted.extend(forms(purpose, &scalar(key.expose())));
    }
    let mut own = Rest(Vec::new());
    for name in ["own.key", "made.key"] {
        let text = std::fs::read(house.path().join(name)).unwrap();
        let key = pem::private_key(&text).unwrap().to_signing_key().unwrap().to_pkcs8();
        wanted.extend(forms(name, &scalar(key.expose())));
        own.add(name, text);
    }
    let wanted = Wanted::new(wanted);
    let places: BTreeSet<(String, String)> = own.found(&wanted);
    for name in ["own.key", "made.key"] {
        let there = (format!("{name} as base64"), format!("{name}, joined"));
        assert!(places.contains(&there), "the same search finds {name} in its own file: {places:?}");
    }
    let found = rest.found(&wanted);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn no_key_lies_in_the_clear_in_the_embedded_default() {
    let house = Plan::of(Deployment::Embedded).setting("SIGNET_LOG__LEVEL", "debug").open();
    nothing_lies_in_the_clear(house, None);
}

#[test]
fn no_key_lies_in_the_clear_on_postgresql() {
    let postgres = TestPostgres::private();
    let house = Plan::of(Deployment::Production).database(postgres.fresh_database_blocking()).setting("SIGNET_LOG__LEVEL", "debug").open();
    // Its tables and its log of writes, which has every change whether it has reached the tables or not.
    nothing_lies_in_the_clear(house, postgres.data_directory().as_deref());
}
