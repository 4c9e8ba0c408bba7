//! A double of the room of credentials: a table of its own, in the same commits as the real one's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use signet_authority::ports::{Birth, CredentialFacts, Credentials};
use signet_authority::register::{Moves, Moving, on_move};
use signet_crypto::SystemEntropy;
use signet_db::{Db, Migration, Migrations, Statement, Value, params};
use signet_ledger::{Change, Expect, Ledger};
use signet_model::{AuditRecord, CredentialId, CredentialState, IdentityId, Refusal, Scope, TenantId, Timestamp};

signet_model::reasons! {
    /// The tenant does not work.
    TENANT_OFF = ("double.tenant-off", 403, "Enable it.");
    /// No such identity.
    IDENTITY_UNKNOWN = ("double.identity-unknown", 404, "Make it.");
}

/// The double's table.
pub(crate) fn migrations() -> Migrations {
    const STEPS: &[Migration] = &[Migration {
        version: 1,
        name: "credentials of the double",
        sql: "CREATE TABLE double_credential (id {text_c} PRIMARY KEY, tenant {text_c} NOT NULL, identity {text_c}, state {text_c} NOT NULL, \
              issuer {text_c} NOT NULL, serial {text_c} NOT NULL) {strict}; \
              CREATE UNIQUE INDEX double_serial ON double_credential (issuer, serial);",
    }];
    Migrations { owner: "double", steps: STEPS }
}

#[derive(Default)]
struct State {
    tenants: BTreeMap<TenantId, bool>,
    identities: BTreeMap<String, IdentityId>,
    born: u32,
    /// Ends the process at the next birth.
    deadly: bool,
}

/// The double.
pub(crate) struct Double {
    ledger: Ledger,
    state: Mutex<State>,
}

impl Double {
    pub(crate) fn new(ledger: Ledger) -> Arc<Self> {
        Arc::new(Self { ledger, state: Mutex::default() })
    }

    pub(crate) fn tenant(&self, tenant: &str, works: bool) {
        self.state.lock().tenants.insert(tenant.parse().unwrap(), works);
    }

    pub(crate) fn device(&self, name: &str) -> IdentityId {
        let id = IdentityId::generate(Timestamp::EPOCH, &SystemEntropy);
        self.state.lock().identities.insert(name.to_owned(), id.clone());
        id
    }

    /// The next birth ends the process, without anything being tidied up.
    pub(crate) fn die_at_next_birth(&self) {
        self.state.lock().deadly = true;
    }

    pub(crate) fn born_so_far(&self) -> u32 {
        self.state.lock().born
    }

    /// The ids of the credentials in a state.
    pub(crate) async fn in_state(&self, db: &Db, state: &str) -> BTreeSet<String> {
        let select = Statement::new("SELECT id FROM double_credential WHERE state = $1", params![state]);
        db.query(select).await.unwrap().iter().map(|row| row.text(0).unwrap().to_owned()).collect()
    }

    fn works(&self, scope: &Scope, identity: Option<&str>) -> Result<Option<(String, IdentityId)>, Refusal> {
        let state = self.state.lock();
        if state.tenants.get(&scope.tenant) != Some(&true) {
            return Err(Refusal::new(&TENANT_OFF, scope.tenant.as_str()));
        }
        let Some(wanted) = identity else { return Ok(None) };
        let found = state.identities.iter().find(|(name, id)| *name == wanted || id.as_str() == wanted);
        found.map(|(name, id)| Some((name.clone(), id.clone()))).ok_or_else(|| Refusal::new(&IDENTITY_UNKNOWN, wanted))
    }

    /// Moves a credential, and what is written beside it.
    pub(crate) async fn move_to(&self, scope: &Scope, id: &CredentialId, to: CredentialState, reason: Option<&str>) -> Result<(), Refusal> {
        let record = AuditRecord::new(scope, "credential.move", id.as_str()).because(reason.map(str::to_owned));
        let own = Statement::new(
            "UPDATE double_credential SET state = $1 WHERE id = $2 AND tenant = $3 AND state <> 'Revoked' AND {ok}",
            params![to, id, &scope.tenant],
        );
        let moved = [Moving { id, spki_sha256: &[0; 32] }];
        let moves = Moves { tenant: &scope.tenant, certificates: &moved, to, reason, at: scope.now() };
        let change = on_move(&moves).into_iter().fold(Change::new(record).effecting(own), Change::effecting);
        self.ledger.commit(change).await?;
        Ok(())
    }
}

impl Credentials for Double {
    fn leaning<'a>(&'a self, scope: &'a Scope, identity: Option<&'a str>) -> BoxFuture<'a, Result<Option<String>, Refusal>> {
        Box::pin(async move { Ok(self.works(scope, identity)?.map(|(name, _)| name)) })
    }

    fn identity<'a>(&'a self, _: &'a Scope, identity: &'a str) -> BoxFuture<'a, Result<Option<IdentityId>, Refusal>> {
        Box::pin(async move { Ok(self.state.lock().identities.get(identity).cloned()) })
    }

    fn birth<'a>(
        &'a self,
        scope: &'a Scope,
        facts: &'a CredentialFacts,
        identity: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Birth, Refusal>> {
        Box::pin(async move {
            if self.state.lock().deadly {
                crate::crash::die();
            }
            let identity = self.works(scope, identity)?.map(|(_, id)| id);
            let insert = Statement::new(
                "INSERT INTO double_credential (id, tenant, identity, state, issuer, serial) SELECT $1, $2, $3, 'Inactive', $4, $5 \
                 WHERE {ok} ON CONFLICT DO NOTHING",
                params![&facts.id, &scope.tenant, Value::from(identity.as_ref()), facts.issuer.as_str(), facts.serial.decimal()],
            );
            let record = AuditRecord::new(scope, "credential.create", facts.id.as_str());
            Ok(Birth { change: Change::new(record).expecting(Expect::write(insert, 1)), identity, made_at: scope.now() })
        })
    }

    fn born(&self) {
        self.state.lock().born += 1;
    }

    fn revoke<'a>(&'a self, scope: &'a Scope, ids: &'a [CredentialId], reason: &'a str) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            for id in ids {
                self.move_to(scope, id, CredentialState::Revoked, Some(reason)).await?;
            }
            Ok(())
        })
    }

    fn tenants<'a>(&'a self, after: Option<&'a TenantId>, most: u32) -> BoxFuture<'a, Result<Vec<TenantId>, Refusal>> {
        Box::pin(async move {
            let state = self.state.lock();
            let working = state.tenants.iter().filter(|(tenant, works)| **works && after.is_none_or(|after| *tenant > after));
            Ok(working.map(|(tenant, _)| tenant.clone()).take(usize::try_from(most).unwrap()).collect())
        })
    }
}
