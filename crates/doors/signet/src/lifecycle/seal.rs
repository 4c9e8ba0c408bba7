//! The seal key's file: opened where it is, made where nothing was ever sealed, and never made beside a database that was sealed
//! with another.

use std::path::Path;

use signet_custody::{CustodyError, KeyFileSealer, SECRET_FILE_MISSING};
use signet_db::Db;
use signet_ledger::holds_sealed_keys;
use signet_model::{Entropy, Refusal};

use super::boot::Trouble;

/// Refuses a file that is there and cannot be used, before anything is waited for.
pub(super) fn check_seal_key(path: &Path) -> Result<(), Refusal> {
    match KeyFileSealer::open(path) {
        Ok(_) | Err(CustodyError::Missing { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Opens the file, or makes it where the database, whose tables are there, is new.
pub(crate) async fn open_seal_key(path: &Path, db: &Db, entropy: &dyn Entropy) -> Result<KeyFileSealer, Trouble> {
    let lasting = |refusal: Refusal| Trouble::Lasting(refusal);
    match KeyFileSealer::open(path) {
        Err(CustodyError::Missing { .. }) => {}
        opened => return opened.map_err(|error| lasting(error.into())),
    }
    if holds_sealed_keys(db).await.map_err(Trouble::from)? {
        return Err(lasting(missing(path)));
    }
    KeyFileSealer::open_or_create(path, entropy).map_err(|error| lasting(error.into()))
}

/// The refusal of a file that is not there although the database was sealed with one.
pub(crate) fn missing(path: &Path) -> Refusal {
    let shown = path.display();
    Refusal::new(&SECRET_FILE_MISSING, format!("{shown} does not exist, and the database holds keys that were sealed with a seal key"))
        .with_fix(format!("Copy the seal key to {shown} from another replica or from its backup (mode 0600), or correct `seal.key_file`."))
}
