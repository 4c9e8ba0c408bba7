//! The two Ed25519 keys of the ledger: `log` signs checkpoints, `feed` signs the feed. They are made once, by whichever replica
//! comes first, and kept in a table, sealed; a replica whose seal key does not open them stays up but cannot be a worker.

use std::sync::Arc;

use signet_crypto::sign::{Ed25519Key, Ed25519Public, Signer as _};
use signet_crypto::{SealError, Sealer, Secret, SystemEntropy};
use signet_db::{Db, Sql, Statement, Value};
use signet_model::Entropy;
use zeroize::Zeroizing;

use crate::direct::{Direct, Durability};
use crate::{LedgerError, audit};

/// Bytes of the seal key that the database keeps for drop-ins.
pub const SHARED_SEAL_KEY_LEN: usize = 32;

/// The public halves.
#[derive(Clone, Debug)]
pub struct PublicKeys {
    /// Verifies checkpoints.
    pub log: Ed25519Public,
    /// Verifies the feed.
    pub feed: Ed25519Public,
}

/// The private halves, open.
pub(crate) struct SigningKeys {
    pub(crate) log: Ed25519Key,
    pub(crate) feed: Ed25519Key,
}

/// The keys as this replica has them.
pub(crate) struct Keys {
    pub(crate) public: PublicKeys,
    /// The sealer's error when the seal key does not open them.
    pub(crate) signing: Result<Arc<SigningKeys>, SealError>,
}

struct StoredKey {
    public: Ed25519Public,
    sealed: Vec<u8>,
}

/// Reads both keys, making those that are not there yet.
pub(crate) async fn load_or_make(db: &Db, direct: &Direct, sealer: &dyn Sealer) -> Result<Keys, LedgerError> {
    let log = stored_or_made(db, direct, sealer, "log").await?;
    let feed = stored_or_made(db, direct, sealer, "feed").await?;
    let open = |name: &str, key: &StoredKey| -> Result<Ed25519Key, SealError> {
        let purpose = purpose(name);
        let damaged = |what| SealError::Damaged { purpose: purpose.clone(), what };
        let opened = Ed25519Key::from_pkcs8(&sealer.open(&purpose, &key.sealed)?).map_err(|_| damaged("it holds no Ed25519 key"))?;
        if opened.public().raw() == key.public.raw() { Ok(opened) } else { Err(damaged("it is not the key of its public half")) }
    };
    let signing = open("log", &log).and_then(|l| Ok(Arc::new(SigningKeys { log: l, feed: open("feed", &feed)? })));
    Ok(Keys { public: PublicKeys { log: log.public, feed: feed.public }, signing })
}

/// Whether the database holds keys that were sealed already: then a seal key made now would not open them.
///
/// # Errors
/// The database cannot be read.
pub async fn holds_sealed_keys(db: &Db) -> Result<bool, LedgerError> {
    let select = Statement { sql: Sql::Same("SELECT name FROM ledger_key LIMIT 1"), params: Vec::new() };
    Ok(db.query_optional(select).await?.is_some())
}

/// The seal key that replicas without a key file share, made by whichever comes first: it lies in the database, so it protects
/// nothing from whoever reads that. Only for drop-ins, whose configuration has no place for a key.
///
/// # Errors
/// The database cannot be read or written, or what it holds is no key.
pub async fn shared_seal_key(db: &Db, entropy: &dyn Entropy) -> Result<Zeroizing<[u8; SHARED_SEAL_KEY_LEN]>, LedgerError> {
    if let Some(key) = stored_seal_key(db).await? {
        return Ok(key);
    }
    let mut made = Zeroizing::new([0; SHARED_SEAL_KEY_LEN]);
    entropy.fill(made.as_mut());
    let text = Zeroizing::new(made.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let insert = Statement {
        sql: Sql::Same("INSERT INTO ledger_meta (name, value) VALUES ('seal-key', $1) ON CONFLICT DO NOTHING"),
        params: vec![Value::Text(String::clone(&text))],
    };
    Direct::open(db).await?.write(None, vec![insert], Durability::Waits).await?;
    stored_seal_key(db).await?.ok_or_else(|| LedgerError::Damaged("the seal key vanished after it was made".to_owned()))
}

async fn stored_seal_key(db: &Db) -> Result<Option<Zeroizing<[u8; SHARED_SEAL_KEY_LEN]>>, LedgerError> {
    let select = Statement { sql: Sql::Same("SELECT value FROM ledger_meta WHERE name = 'seal-key'"), params: Vec::new() };
    let Some(row) = db.query_optional(select).await? else { return Ok(None) };
    let damaged = || LedgerError::Damaged("the seal key in the database is not 64 hex digits".to_owned());
    let text = row.text(0)?;
    if text.len() != SHARED_SEAL_KEY_LEN.saturating_mul(2) {
        return Err(damaged());
    }
    let mut key = Zeroizing::new([0; SHARED_SEAL_KEY_LEN]);
    for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).map_err(|_| damaged())?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| damaged())?;
    }
    Ok(Some(key))
}

fn purpose(name: &str) -> String {
    format!("ledger-key:{name}")
}

async fn stored(db: &Db, name: &str) -> Result<Option<StoredKey>, LedgerError> {
    let row = db
        .query_optional(Statement {
            sql: Sql::Same("SELECT public, sealed FROM ledger_key WHERE name = $1"),
            params: vec![Value::Text(name.to_owned())],
        })
        .await?;
    let Some(row) = row else { return Ok(None) };
    let raw = <[u8; 32]>::try_from(row.bytes(0)?).map_err(|_| LedgerError::Damaged(format!("public key {name} is not 32 bytes")))?;
    let public = Ed25519Public::from_raw(raw).map_err(|e| LedgerError::Damaged(format!("public key {name}: {e}")))?;
    Ok(Some(StoredKey { public, sealed: row.bytes(1)?.to_vec() }))
}

/// Of several replicas that make the key at once one wins, and all read that one.
async fn stored_or_made(db: &Db, direct: &Direct, sealer: &dyn Sealer, name: &str) -> Result<StoredKey, LedgerError> {
    if let Some(key) = stored(db, name).await? {
        return Ok(key);
    }
    let records = audit::head(db).await?.value();
    if records > 0 {
        // A new key would sign over whatever stands there now.
        return Err(LedgerError::Contradicted(format!("the log holds {records} records, and its key `{name}` is not there")));
    }
    let fault = |e: &dyn std::fmt::Display| LedgerError::Key(e.to_string());
    let made = Ed25519Key::generate(&SystemEntropy).map_err(|e| fault(&e))?;
    let pkcs8: Secret = made.to_pkcs8();
    let sealed = sealer.seal(&purpose(name), pkcs8.expose()).map_err(|e| fault(&e))?;
    let insert = Statement {
        sql: Sql::Same("INSERT INTO ledger_key (name, public, sealed) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"),
        params: vec![Value::Text(name.to_owned()), Value::Bytes(made.public().raw().to_vec()), Value::Bytes(sealed)],
    };
    direct.write(None, vec![insert], Durability::Waits).await?;
    stored(db, name).await?.ok_or_else(|| LedgerError::Damaged(format!("key {name} vanished after it was made")))
}

/// Signs `payload` for the feed under `purpose`.
pub(crate) fn sign_feed(key: &Ed25519Key, purpose: &str, payload: String) -> Result<signet_model::SignedMessage, LedgerError> {
    let input = signet_model::SignedMessage::signing_input(purpose, &payload);
    let signature = key.sign(&input).map_err(|e| LedgerError::Key(e.to_string()))?;
    Ok(signet_model::SignedMessage { payload, signature })
}
