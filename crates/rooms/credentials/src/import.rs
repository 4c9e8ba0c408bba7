//! Taking over the credentials of Kaa's own store, page by page. A row is taken whole, as it is: id, username, hash, state and dates;
//! or it is left out with a reason. Rows that are there already are recognised by id and username, so a run that was stopped is
//! simply run again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;
use signet_crypto::Secret;
use signet_crypto::password::BcryptHash;
use signet_db::Db;
use signet_ledger::{Change, Decided, Expect, Ledger, StandingEntry};
use signet_model::{
    AuditRecord, Caller, Clock, CredentialId, CredentialState, Entropy, Reason, Refusal, Scope, StandingSubject, TenantId, TenantState,
    Timestamp, TraceId, Username, log_text,
};

use crate::credential::{standing_reason, username};
use crate::reasons::{
    CREDENTIAL_USERNAME_TAKEN, IMPORT_ID_INVALID, IMPORT_ID_TAKEN, IMPORT_STATE_UNKNOWN, IMPORT_TENANT_UNKNOWN, IMPORT_TEXT_INVALID,
    IMPORT_TIME_INVALID, TENANT_DISABLED, TENANT_INVALID_NAME,
};
use crate::sql;
use crate::tenant::new_tenant;

/// Most rows of one page: one commit and one audit record per tenant in it.
pub const MOST_ROWS_OF_A_PAGE: usize = 250;
/// Dates of a credential lie between 1970 and the end of the year 9999, which RFC 3339 can write.
const LAST_INSTANT: i64 = 253_402_300_799_999_999;

/// A row as the source holds it; nothing is believed of it yet.
pub struct ForeignCredential {
    /// The tenant's name.
    pub tenant: Vec<u8>,
    /// The credential's id.
    pub id: Vec<u8>,
    /// The username.
    pub username: Vec<u8>,
    /// The hash of its password.
    pub password_hash: Secret,
    /// The state's name, in any case.
    pub state: Vec<u8>,
    /// When it was made, in microseconds since the epoch.
    pub created_at: Option<i64>,
    /// When it last changed; none: when it was made.
    pub updated_at: Option<i64>,
    /// Its last successful use.
    pub last_used_at: Option<i64>,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is a credential now (in a dry run: it would be).
    Imported,
    /// It was one already.
    AlreadyThere,
    /// It was left out.
    Skipped(Skip),
}

/// Why a row was left out; never with its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// The reason.
    pub reason: &'static Reason,
    /// What was seen.
    pub detail: String,
}

impl Skip {
    fn new(reason: &'static Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// What an import is made of.
pub struct ImportParts {
    /// Where it reads what is there.
    pub db: Db,
    /// Where it writes; none: a dry run.
    pub ledger: Option<Ledger>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Who does it, for the audit log.
    pub caller: Caller,
    /// Whether tenants that are not there are made.
    pub create_tenants: bool,
    /// Where the rows come from, in words and without a password, for the audit log.
    pub source: String,
}

/// An import under way.
pub struct Import {
    parts: ImportParts,
    trace: TraceId,
    /// Tenants made, or in a dry run to be made.
    made: HashSet<TenantId>,
    /// The last row of the page before, since a source sorted by username shows its doubles side by side.
    last: Option<(TenantId, String)>,
}

/// A row that can be a credential.
#[derive(Clone, Debug, Serialize)]
struct Row {
    id: CredentialId,
    state: CredentialState,
    username: Username,
    password_hash: String,
    created_at: i64,
    updated_at: i64,
    last_used_at: Option<i64>,
}

impl Import {
    /// Begins an import; its trace joins the audit records of all its pages.
    pub fn begin(parts: ImportParts) -> Self {
        let trace = TraceId::generate(parts.entropy.as_ref());
        Self { parts, trace, made: HashSet::new(), last: None }
    }

    /// How many tenants were made, or in a dry run would be.
    pub fn tenants_made(&self) -> usize {
        self.made.len()
    }

    /// Takes a page of at most [`MOST_ROWS_OF_A_PAGE`] rows; the fate of each, in their order. The rows of one tenant are committed
    /// together or not at all.
    ///
    /// # Errors
    /// The database cannot be read or written; tenants of the page that came first may be done.
    pub async fn take(&mut self, page: &[ForeignCredential]) -> Result<Vec<Fate>, Refusal> {
        let mut fates: Vec<Option<Fate>> = page.iter().map(|_| None).collect();
        let mut of_tenants: BTreeMap<TenantId, Vec<(usize, Row)>> = BTreeMap::new();
        for (number, (foreign, fate)) in page.iter().zip(&mut fates).enumerate() {
            match parse(foreign) {
                Ok((tenant, row)) if self.is_double(&tenant, &row) => *fate = Some(Fate::Skipped(double(&row))),
                Ok((tenant, row)) => {
                    self.last = Some((tenant.clone(), row.username.as_str().to_owned()));
                    of_tenants.entry(tenant).or_default().push((number, row));
                }
                Err(skip) => *fate = Some(Fate::Skipped(skip)),
            }
        }
        for (tenant, rows) in of_tenants {
            let decided = self.take_tenant(&tenant, rows.iter().map(|(_, row)| row.clone()).collect()).await?;
            for ((number, _), fate) in rows.iter().zip(decided) {
                if let Some(slot) = fates.get_mut(*number) {
                    *slot = Some(fate);
                }
            }
        }
        // Every row went one of the two ways above.
        let lost = || crate::room::internal(&"a row of an import has no fate");
        fates.into_iter().map(|fate| fate.ok_or_else(lost)).collect()
    }

    /// Only a dry run needs it: otherwise the first of the two is in the database when the second is looked at.
    fn is_double(&self, tenant: &TenantId, row: &Row) -> bool {
        self.parts.ledger.is_none() && self.last.as_ref().is_some_and(|(last, name)| last == tenant && name == row.username.as_str())
    }

    async fn take_tenant(&mut self, tenant: &TenantId, rows: Vec<Row>) -> Result<Vec<Fate>, Refusal> {
        let scope = Scope {
            tenant: tenant.clone(),
            caller: self.parts.caller.clone(),
            trace: self.trace.clone(),
            correlation: None,
            clock: Arc::clone(&self.parts.clock),
            entropy: Arc::clone(&self.parts.entropy),
        };
        if let Some(skip) = self.open_tenant(&scope).await? {
            return Ok(rows.iter().map(|_| Fate::Skipped(skip.clone())).collect());
        }
        let Some(ledger) = &self.parts.ledger else {
            return Ok(self.sift(tenant, rows).await?.0);
        };
        ledger
            .decide(|| async {
                let (fates, new) = self.sift(tenant, rows.clone()).await?;
                if new.is_empty() {
                    Ok(Decided::Same(fates))
                } else {
                    Ok(Decided::commit(change(&scope, &self.parts.source, &new)?, fates))
                }
            })
            .await
    }

    /// Makes the tenant where that is wanted; none when credentials can be made in it.
    async fn open_tenant(&mut self, scope: &Scope) -> Result<Option<Skip>, Refusal> {
        if self.made.contains(&scope.tenant) {
            return Ok(None);
        }
        let found = sql::one(&self.parts.db, sql::tenant::find(&scope.tenant), sql::tenant::read).await?;
        match (found, &self.parts.ledger) {
            (Some(found), _) if found.state == TenantState::Enabled => return Ok(None),
            (Some(_), _) => return Ok(Some(Skip::new(&TENANT_DISABLED, format!("tenant `{}` takes no new credentials", scope.tenant)))),
            (None, _) if !self.parts.create_tenants => {
                return Ok(Some(Skip::new(&IMPORT_TENANT_UNKNOWN, format!("there is no tenant `{}`", scope.tenant))));
            }
            (None, None) => {}
            (None, Some(ledger)) => create_tenant(&self.parts.db, ledger, scope).await?,
        }
        self.made.insert(scope.tenant.clone());
        Ok(None)
    }

    /// The fate of each row, and those that are new. Also a double within the page is seen.
    async fn sift(&self, tenant: &TenantId, rows: Vec<Row>) -> Result<(Vec<Fate>, Vec<Row>), Refusal> {
        let list = |texts: Vec<&str>| serde_json::to_string(&texts).map_err(|e| crate::room::internal(&e));
        let ids = list(rows.iter().map(|row| row.id.as_str()).collect())?;
        let names = list(rows.iter().map(|row| row.username.as_str()).collect())?;
        let holders = sql::all(&self.parts.db, sql::import::holders(tenant, &ids), sql::import::read_holder).await?;
        let mut holders: HashMap<String, sql::import::Holder> = holders.into_iter().map(|holder| (holder.id.clone(), holder)).collect();
        let taken = sql::all(&self.parts.db, sql::import::taken(tenant, &names), sql::import::read_taken).await?;
        let mut taken: HashMap<String, String> = taken.into_iter().collect();
        let (mut fates, mut new) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in rows {
            let (id, name) = (row.id.as_str(), row.username.as_str());
            let fate = match (holders.get(id), taken.get(name)) {
                (Some(holder), _) if holder.own && holder.username.as_deref() == Some(name) => Fate::AlreadyThere,
                (Some(_), _) => Fate::Skipped(Skip::new(&IMPORT_ID_TAKEN, format!("another credential has the id `{id}`"))),
                (None, Some(_)) => Fate::Skipped(double(&row)),
                (None, None) => {
                    let holder = sql::import::Holder { id: id.to_owned(), username: Some(name.to_owned()), own: true };
                    taken.insert(name.to_owned(), id.to_owned());
                    holders.insert(id.to_owned(), holder);
                    new.push(row);
                    Fate::Imported
                }
            };
            fates.push(fate);
        }
        Ok((fates, new))
    }
}

fn double(row: &Row) -> Skip {
    Skip::new(
        &CREDENTIAL_USERNAME_TAKEN,
        format!("another credential of the tenant has the username `{}`", log_text(row.username.as_str(), 64)),
    )
}

async fn create_tenant(db: &Db, ledger: &Ledger, scope: &Scope) -> Result<(), Refusal> {
    ledger
        .decide(|| async {
            if sql::one(db, sql::tenant::find(&scope.tenant), sql::tenant::read).await?.is_some() {
                return Ok(Decided::Same(()));
            }
            Ok(Decided::commit(new_tenant(scope, false).1, ()))
        })
        .await
}

/// One change for all new rows of a tenant in the page. Its record names every id.
fn change(scope: &Scope, source: &str, new: &[Row]) -> Result<Change, Refusal> {
    let rows = serde_json::to_string(new).map_err(|e| crate::room::internal(&e))?;
    let count = u64::try_from(new.len()).unwrap_or(u64::MAX);
    let ids: Vec<&str> = new.iter().map(|row| row.id.as_str()).collect();
    let record = AuditRecord::new(scope, "credential.import", scope.tenant.as_str())
        .with("kind", "basic")
        .with("source", source)
        .with("count", count.to_string())
        .with("ids", ids.join(" "));
    let change = Change::new(record)
        .expecting(Expect::guard(sql::tenant::enabled(&scope.tenant), 1))
        .expecting(Expect::write(sql::import::insert(&scope.tenant, &rows), count));
    Ok(new.iter().fold(change, |change, row| match standing_reason(row.state) {
        None => change,
        // Views know from the first moment what may not be served.
        Some(reason) => change.standing(StandingEntry {
            subject: StandingSubject::Credential(scope.tenant.clone(), row.id.clone()),
            good: false,
            reason: Some(reason.code.to_owned()),
        }),
    }))
}

/// A foreign row as one of ours, or why it is none.
fn parse(foreign: &ForeignCredential) -> Result<(TenantId, Row), Skip> {
    let tenant = text("tenant", &foreign.tenant)?;
    let tenant: TenantId =
        tenant.parse().map_err(|_| Skip::new(&TENANT_INVALID_NAME, format!("tenant `{}`: {}", log_text(tenant, 64), TenantId::RULE)))?;
    let id = text("id", &foreign.id)?;
    let id: CredentialId = id.parse().map_err(|error| Skip::new(&IMPORT_ID_INVALID, format!("id `{}` is {error}", log_text(id, 64))))?;
    let name = text("username", &foreign.username)?;
    let name = username(name).map_err(|refusal| Skip::new(refusal.reason, refusal.detail))?;
    // Its text is kept as it is, whichever of bcrypt's prefixes it has.
    let hash = foreign.password_hash.expose_str().unwrap_or_default();
    let hash: BcryptHash =
        hash.parse().map_err(|error: signet_crypto::password::PasswordError| Skip::new(error.reason(), error.to_string()))?;
    let state = text("state", &foreign.state)?;
    let known = [CredentialState::Inactive, CredentialState::Active, CredentialState::Suspended, CredentialState::Revoked];
    let state = known.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(state)).ok_or_else(|| {
        Skip::new(&IMPORT_STATE_UNKNOWN, format!("state `{}` is none of Inactive, Active, Suspended and Revoked", log_text(state, 64)))
    })?;
    let created_at =
        instant("created", foreign.created_at)?.ok_or_else(|| Skip::new(&IMPORT_TIME_INVALID, "it does not say when it was created"))?;
    let updated_at = instant("updated", foreign.updated_at)?.unwrap_or(created_at);
    let last_used_at = instant("last use", foreign.last_used_at)?;
    let row = Row { id, state, username: name, password_hash: hash.as_str().to_owned(), created_at, updated_at, last_used_at };
    Ok((tenant, row))
}

fn text<'a>(what: &str, bytes: &'a [u8]) -> Result<&'a str, Skip> {
    match std::str::from_utf8(bytes) {
        Ok("") => Err(Skip::new(&IMPORT_TEXT_INVALID, format!("its {what} is empty"))),
        Ok(text) if text.contains('\0') => Err(Skip::new(&IMPORT_TEXT_INVALID, format!("its {what} holds a NUL"))),
        Ok(text) => Ok(text),
        Err(_) => Err(Skip::new(&IMPORT_TEXT_INVALID, format!("its {what} is not UTF-8"))),
    }
}

fn instant(what: &str, micros: Option<i64>) -> Result<Option<i64>, Skip> {
    match micros {
        Some(micros) if !(0..=LAST_INSTANT).contains(&micros) => {
            Err(Skip::new(&IMPORT_TIME_INVALID, format!("the date of its {what} lies outside of the years 1970 to 9999")))
        }
        other => Ok(other.map(|micros| Timestamp::from_micros(micros).micros())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe";

    fn foreign() -> ForeignCredential {
        ForeignCredential {
            tenant: b"acme".to_vec(),
            id: b"br7si8mg10l7an82que0".to_vec(),
            username: b"bob".to_vec(),
            password_hash: Secret::from(HASH),
            state: b"Active".to_vec(),
            created_at: Some(1_583_066_822_247_462),
            updated_at: None,
            last_used_at: None,
        }
    }

    fn reason(change: impl FnOnce(&mut ForeignCredential)) -> &'static str {
        let mut row = foreign();
        change(&mut row);
        parse(&row).map_or_else(|skip| skip.reason.code, |_| "taken")
    }

    #[test]
    fn a_row_is_kept_as_it_is() {
        for prefix in ["$2a$", "$2b$", "$2y$"] {
            let mut row = foreign();
            row.password_hash = Secret::from(HASH.replace("$2a$", prefix));
            row.state = b"SUSPENDED".to_vec();
            let (tenant, kept) = parse(&row).unwrap();
            assert_eq!((tenant.as_str(), kept.state, kept.username.as_str()), ("acme", CredentialState::Suspended, "bob"));
            assert!(kept.password_hash.starts_with(prefix) && kept.password_hash.len() == 60);
            assert_eq!((kept.created_at, kept.updated_at, kept.last_used_at), (1_583_066_822_247_462, 1_583_066_822_247_462, None));
        }
    }

    #[test]
    fn a_bad_row_is_left_out_with_its_reason() {
        assert_eq!(reason(|_| {}), "taken");
        for (seen, wanted) in [
            (reason(|row| row.tenant = b"a b".to_vec()), "tenant.invalid-name"),
            (reason(|row| row.tenant.clear()), "import.text-invalid"),
            (reason(|row| row.id = b"42".to_vec()), "import.id-invalid"),
            (reason(|row| row.username = b" bob".to_vec()), "username.invalid"),
            (reason(|row| row.username = vec![b'u'; 256]), "username.invalid"),
            (reason(|row| row.username = b"a\0b".to_vec()), "import.text-invalid"),
            (reason(|row| row.username = vec![0xff]), "import.text-invalid"),
            (reason(|row| row.state = b"Deleted".to_vec()), "import.state-unknown"),
            (reason(|row| row.password_hash = Secret::from("plain")), "password.hash-invalid"),
            (reason(|row| row.password_hash = Secret::from("")), "password.hash-invalid"),
            (reason(|row| row.password_hash = Secret::from(HASH.replace("$06$", "$31$"))), "password.cost-not-allowed"),
            (reason(|row| row.created_at = None), "import.time-invalid"),
            (reason(|row| row.created_at = Some(-1)), "import.time-invalid"),
            (reason(|row| row.last_used_at = Some(i64::MAX)), "import.time-invalid"),
        ] {
            assert_eq!(seen, wanted);
        }
    }

    #[test]
    fn a_skipped_row_never_shows_its_hash() {
        let mut row = foreign();
        row.password_hash = Secret::from("canary-5f2e");
        let skip = parse(&row).unwrap_err();
        assert!(!skip.detail.contains("canary"), "{skip:?}");
    }
}
