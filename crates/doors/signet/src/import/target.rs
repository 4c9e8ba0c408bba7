//! Where an import goes: the database of a server that may be running, or may never have been started.

use std::path::PathBuf;
use std::sync::Arc;

use signet_bus::Bus;
use signet_credentials::{Import, ImportParts};
use signet_crypto::SystemEntropy;
use signet_custody::KeyFileSealer;
use signet_db::{Db, DbError, Sql, Statement};
use signet_ledger::{Ledger, LedgerParts, LedgerRuntime, LedgerTasks, shared_seal_key};
use signet_model::{Caller, Refusal};

use crate::clock::SystemClock;
use crate::config::{DatabaseUrl, Settings};
use crate::database;
use crate::lifecycle::{Shape, Trouble, make_data_dir, open_seal_key, seal_key_file};

/// An open target.
pub(crate) struct Target {
    db: Db,
    /// None in a dry run.
    written: Option<(Ledger, LedgerTasks)>,
    /// A database without tables, read in place of one that is not there yet; removed at the end.
    stand_in: Option<PathBuf>,
}

impl Target {
    /// Opens it and brings its tables up to date; in a dry run it is only read, and one that has no tables yet counts as empty.
    pub(crate) async fn open(settings: &Settings, shape: &Shape, dry_run: bool) -> Result<Self, Refusal> {
        if dry_run { Self::open_dry(settings).await } else { Self::open_written(settings, shape).await }
    }

    async fn open_written(settings: &Settings, shape: &Shape) -> Result<Self, Refusal> {
        let mut data_dir = settings.process.data_dir.clone();
        let keeps_files = seal_key_file(settings, shape, &data_dir);
        if keeps_files.as_ref().is_some_and(|file| file.starts_with(&data_dir)) || settings.database.url == DatabaseUrl::Sqlite {
            data_dir = make_data_dir(&data_dir)?;
        }
        let entropy = Arc::new(SystemEntropy);
        let db = database::open(settings, &data_dir).await.map_err(|error| fault(&error))?;
        database::migrate(&db).await.map_err(|error| fault(&error))?;
        let sealer = match seal_key_file(settings, shape, &data_dir) {
            Some(file) => open_seal_key(&file, &db, entropy.as_ref()).await.map_err(Trouble::refusal)?,
            None => {
                let key = shared_seal_key(&db, entropy.as_ref()).await.map_err(|e| Refusal::new(e.reason(), e.to_string()))?;
                KeyFileSealer::of_key(&key, std::path::Path::new("the database"))?
            }
        };
        let started = LedgerRuntime::start(LedgerParts {
            db: db.clone(),
            // Nobody is told from here: the worker of a running server publishes what it finds in the database.
            bus: Bus::in_process(),
            sealer: Arc::new(sealer),
            clock: Arc::new(SystemClock),
            entropy,
            data_dir: None,
            worker: false,
        });
        let written = started.await.map_err(|e| Refusal::new(e.reason(), e.to_string()))?;
        Ok(Self { db, written: Some(written), stand_in: None })
    }

    async fn open_dry(settings: &Settings) -> Result<Self, Refusal> {
        let missing = settings.database.url == DatabaseUrl::Sqlite && !database::sqlite_file(&settings.process.data_dir).exists();
        if !missing {
            let db = database::open(settings, &settings.process.data_dir).await.map_err(|error| fault(&error))?;
            let tables = Statement::new(
                Sql::Pair {
                    sqlite: "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('tenant', 'credential')",
                    postgres: "SELECT count(*) FROM (VALUES (to_regclass('tenant')), (to_regclass('credential'))) AS t (c) WHERE c IS NOT NULL",
                },
                Vec::new(),
            );
            let count =
                db.query_optional(tables).await.and_then(|row| row.map_or(Ok(0), |row| row.int(0))).map_err(|error| fault(&error))?;
            if count == 2 {
                return Ok(Self { db, written: None, stand_in: None });
            }
            db.close().await;
        }
        // Nothing is written to a target that was never started, so an empty one stands in for it.
        let name = format!("signet-{}", signet_model::ReplicaId::generate(crate::clock::now(), &SystemEntropy));
        let directory = make_data_dir(&std::env::temp_dir().join(name))?;
        let db = database::open(&Settings::default(), &directory).await.map_err(|error| fault(&error))?;
        database::migrate(&db).await.map_err(|error| fault(&error))?;
        Ok(Self { db, written: None, stand_in: Some(directory) })
    }

    /// An import into it.
    pub(crate) fn import(&self, source: &str, create_tenants: bool) -> Import {
        Import::begin(ImportParts {
            db: self.db.clone(),
            ledger: self.written.as_ref().map(|(ledger, _)| ledger.clone()),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            caller: Caller::System("import-kaa-ccm"),
            create_tenants,
            source: source.to_owned(),
        })
    }

    /// Where it is, in words.
    pub(crate) fn place(&self) -> String {
        self.stand_in.as_ref().map_or_else(|| self.db.place(), |_| "a target without tables yet".to_owned())
    }

    /// Ends it in good order.
    pub(crate) async fn close(self) {
        if let Some((_, tasks)) = self.written {
            tasks.shutdown().await;
        }
        self.db.close().await;
        if let Some(directory) = self.stand_in
            && let Err(error) = std::fs::remove_dir_all(&directory)
        {
            tracing::warn!(event = "data-dir.not-removed", dir = %directory.display(), %error);
        }
    }
}

fn fault(error: &DbError) -> Refusal {
    Refusal::new(error.reason(), error.to_string())
}
