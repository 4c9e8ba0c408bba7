//! The two Ed25519 keys of the ledger: `log` signs checkpoints, `feed` signs the feed. They are made once, by whichever replica
//! comes first, and kept in a table, sealed; a replica whose seal key does not open them stays up but cannot be a worker.

use std::sync::Arc;

use signet_crypto::sign::{Ed25519Key, Ed25519Public, Signer as _};
use signet_crypto::{SealError, Sealer, Secret, SystemEntropy};
use signet_db::{Db, Sql, Statement, Value};

use crate::LedgerError;
use crate::direct::{Direct, Durability};

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
