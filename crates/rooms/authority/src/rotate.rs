//! The steps of a rotation, each one commit or more; what a step is comes from [`crate::rotation`], which is pure. Any step can be
//! asked for again when it was cut off.

use std::time::Duration;

use signet_ledger::{Change, Decided, Expect};
use signet_model::{AuditRecord, Refusal, Scope};

use crate::ca::{Custody, TenantCa};
use crate::reasons::CA_ROTATION_OUT_OF_ORDER;
use crate::rotation::{CaState, Move, Step, step};
use crate::sql::{certificate, tenant_ca, vault};
use crate::{AuthorityRoom, intent, internal, sql};

/// Certificates that are revoked in one go when their CA ends.
const PAGE: u32 = 500;
/// How long a generation that retires is left to whoever asked for that; a request has ended by then.
const LEFT_ALONE: Duration = Duration::from_secs(120);
/// Generations whose end is gone on with in one go.
const MOST_AT_ONCE: u32 = 100;
/// What they are revoked for.
const RETIRED: &str = "superseded";

/// Where a generation stands after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stepped {
    /// The generation that the step was about.
    pub generation: i64,
    /// Where it stands now.
    pub state: CaState,
}

impl AuthorityRoom {
    /// Does one step of the rotation of the tenant's CA.
    ///
    /// # Errors
    /// `ca.rotation-out-of-order`; the database; whatever keeps a CA from being made or its last CRLs from being signed.
    pub async fn rotate(&self, scope: &Scope, wanted: Step) -> Result<Stepped, Refusal> {
        // A tenant whose CA nobody needed yet has one from here on.
        self.active_or_made(scope).await?;
        let rows = self.ca_rows(&scope.tenant).await?;
        let stepped = match step(&tenant_ca::standing(&rows), wanted) {
            Move::Make { number } => {
                let row = self.prepared(scope, number).await?;
                Stepped { generation: row.generation, state: row.state }
            }
            Move::Swap { .. } | Move::Taint { .. } => self.moved(scope, wanted).await?,
            Move::Retire { number } => self.retire(scope, number).await?,
            Move::Done { number, state } => Stepped { generation: number, state },
            Move::OutOfOrder { wanted: missing } => return Err(out_of_order(scope, wanted, missing)),
        };
        self.open_cas.forget(&scope.tenant);
        Ok(stepped)
    }

    /// A step that is one commit.
    async fn moved(&self, scope: &Scope, wanted: Step) -> Result<Stepped, Refusal> {
        self.ledger
            .decide(|| async {
                let rows = self.ca_rows(&scope.tenant).await?;
                let row = |number| rows.iter().find(|row| row.generation == number).ok_or_else(|| internal(&"a CA vanished"));
                let now = scope.now();
                match step(&tenant_ca::standing(&rows), wanted) {
                    Move::Swap { next, former } => {
                        let record = self.step_record(scope, wanted, next).with("former", former.to_string());
                        let mut change = Change::new(record);
                        for write in tenant_ca::swap(row(next)?, row(former)?, now) {
                            change = change.expecting(Expect::write(write, 1));
                        }
                        Ok(Decided::commit(change, Stepped { generation: next, state: CaState::Active }))
                    }
                    Move::Taint { number } => {
                        let write = tenant_ca::set_state(row(number)?, CaState::Tainted, now);
                        let change = Change::new(self.step_record(scope, wanted, number)).expecting(Expect::write(write, 1));
                        Ok(Decided::commit(change, Stepped { generation: number, state: CaState::Tainted }))
                    }
                    Move::Make { .. } | Move::Retire { .. } | Move::Done { .. } => Err(internal(&"a step has become another")),
                    Move::OutOfOrder { wanted: missing } => Ok(Decided::Refuse(out_of_order(scope, wanted, missing))),
                }
            })
            .await
    }

    /// The end of a generation: nothing of it can be begun or finished any more, what can still be used is revoked, its last CRLs
    /// are signed, and its key is wiped.
    async fn retire(&self, scope: &Scope, number: i64) -> Result<Stepped, Refusal> {
        let retiring = self
            .ledger
            .decide(|| async {
                let row = self.ca_row(&scope.tenant, number).await?;
                match row.state {
                    CaState::Retiring | CaState::Retired => Ok(Decided::Same(row)),
                    CaState::Tainted => {
                        let write = tenant_ca::set_state(&row, CaState::Retiring, scope.now());
                        let change = Change::new(self.step_record(scope, Step::Retire, number).with("state", "retiring"))
                            .expecting(Expect::write(write, 1));
                        let row = TenantCa { state: CaState::Retiring, version: row.version.saturating_add(1), ..row };
                        Ok(Decided::commit(change, row))
                    }
                    CaState::Pending | CaState::Prepared | CaState::Active | CaState::Superseded => {
                        Ok(Decided::Refuse(out_of_order(scope, Step::Retire, "a tainted CA")))
                    }
                }
            })
            .await?;
        if retiring.state == CaState::Retiring {
            self.give_up_all_of(scope, number).await?;
            self.revoke_all_of(scope, number).await?;
            self.publish_final(scope, number).await?;
            self.end(scope, number).await?;
        }
        self.open_cas.close(&scope.tenant, number);
        Ok(Stepped { generation: number, state: CaState::Retired })
    }

    /// Goes on with generations that began to retire and did not end: since the call was cut off, or since their tenant is gone. How
    /// many ended.
    ///
    /// # Errors
    /// The database.
    pub async fn finish_retiring(&self) -> Result<usize, Refusal> {
        let before = intent::back(self.clock.now(), LEFT_ALONE);
        let mut ended = 0_usize;
        for row in sql::all(&self.db, tenant_ca::left_retiring(before, MOST_AT_ONCE), tenant_ca::read).await? {
            let scope = self.own_scope("authority", &row.tenant);
            match self.retire(&scope, row.generation).await {
                Ok(_) => ended = ended.saturating_add(1),
                Err(refusal) => {
                    tracing::warn!(event = "ca.not-retired", tenant = %row.tenant, generation = row.generation, reason = refusal.reason.code,
                        detail = %refusal.detail);
                }
            }
        }
        Ok(ended)
    }

    async fn revoke_all_of(&self, scope: &Scope, number: i64) -> Result<(), Refusal> {
        let mut after = (-1, String::new());
        loop {
            let statement = certificate::usable_in(&scope.tenant, number, (after.0, &after.1), PAGE);
            let page = sql::all(&self.db, statement, certificate::read_usable).await?;
            let Some((partition, last)) = page.last() else { return Ok(()) };
            after = (*partition, last.as_str().to_owned());
            let ids: Vec<_> = page.into_iter().map(|(_, id)| id).collect();
            self.credentials.revoke(scope, &ids, RETIRED).await?;
        }
    }

    async fn end(&self, scope: &Scope, number: i64) -> Result<(), Refusal> {
        self.ledger
            .decide(|| async {
                let row = self.ca_row(&scope.tenant, number).await?;
                if row.state == CaState::Retired {
                    return Ok(Decided::Same(()));
                }
                let mut change = Change::new(self.step_record(scope, Step::Retire, number).with("state", "retired"))
                    .expecting(Expect::write(tenant_ca::end(&row, scope.now()), 1));
                if row.custody == Custody::Vault {
                    change = change.effecting(vault::enqueue(&row.tenant, number, vault::THE_CA, scope.now()));
                }
                Ok(Decided::commit(change, ()))
            })
            .await
    }

    fn step_record(&self, scope: &Scope, step: Step, number: i64) -> AuditRecord {
        AuditRecord::new(scope, "ca.rotate", format!("{}/{number}", scope.tenant)).with("step", step.as_str())
    }
}

fn out_of_order(scope: &Scope, step: Step, missing: &str) -> Refusal {
    let detail = format!("the step {} wants {missing}, and tenant `{}` has none", step.as_str(), scope.tenant);
    Refusal::new(&CA_ROTATION_OUT_OF_ORDER, detail)
}
