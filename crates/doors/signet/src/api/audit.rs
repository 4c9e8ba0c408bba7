//! `GET …/audit` and `GET …/audit/{position}`: a tenant's records, oldest first; above the tenants those of the whole house, which
//! hold what belongs to no tenant, and what is left of tenants that are gone.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use signet_http::{Answer, Guard, Listing, MAX_LIMIT, Page, Path, Problem, Route, Scoped, cursor};
use signet_ledger::{Ledger, LedgerError};
use signet_model::{AuditEntry, Position, Refusal, Role, TenantId, kinds};
use utoipa::ToSchema;

use super::AUDIT_NOT_FOUND;

/// One record of the audit log
#[derive(Serialize, ToSchema)]
#[schema(as = AuditRecord)]
struct Record {
    /// Its place in the one order
    position: i64,
    /// When it was decided, RFC 3339
    #[schema(format = DateTime)]
    time: String,
    /// The tenant it belongs to
    tenant: Option<String>,
    /// Who did it
    actor: String,
    /// What was done, such as `credential.suspend`
    action: String,
    /// The id of what it was done to
    object: String,
    /// Why, as given by the caller
    reason: Option<String>,
    /// The trace of the request
    trace_id: String,
    /// Version of the record's form
    v: u8,
    /// Further facts
    detail: BTreeMap<String, String>,
}

impl From<AuditEntry> for Record {
    fn from(entry: AuditEntry) -> Self {
        Self {
            position: entry.position.value(),
            time: entry.time.to_string(),
            tenant: entry.tenant.map(|t| t.to_string()),
            actor: entry.actor,
            action: entry.action,
            object: entry.object,
            reason: entry.reason,
            trace_id: entry.trace_id.to_string(),
            v: entry.v,
            detail: entry.detail,
        }
    }
}

/// Filter of the list
#[derive(Debug, Deserialize, ToSchema)]
struct Filter {
    /// Only records of the thing with exactly this id
    object: Option<String>,
}

pub(super) fn routes(ledger: &Ledger) -> Vec<Route> {
    vec![
        Route::get("/api/v1/tenants/{tenant}/audit", Guard::Tenant(Role::Auditor))
            .operation_id("auditList")
            .summary("Lists the tenant's audit records, oldest first")
            .paged::<Filter>()
            .answer::<Page<Record>>(200)
            .handler_with(ledger.clone(), list),
        Route::get("/api/v1/tenants/{tenant}/audit/{position}", Guard::Tenant(Role::Auditor))
            .operation_id("auditShow")
            .summary("Shows one audit record of the tenant")
            .reasons(&[&AUDIT_NOT_FOUND])
            .answer::<Record>(200)
            .handler_with(ledger.clone(), show),
        Route::get("/api/v1/audit", Guard::Platform)
            .operation_id("platformAuditList")
            .summary("Lists the audit records of the whole house, oldest first")
            .paged::<Filter>()
            .answer::<Page<Record>>(200)
            .handler_with(ledger.clone(), list_all),
        Route::get("/api/v1/audit/{position}", Guard::Platform)
            .operation_id("platformAuditShow")
            .summary("Shows one audit record of the house")
            .reasons(&[&AUDIT_NOT_FOUND])
            .answer::<Record>(200)
            .handler_with(ledger.clone(), show_any),
    ]
}

async fn list(State(ledger): State<Ledger>, Scoped(scope): Scoped, listing: Listing<Filter>) -> Result<Answer<Page<Record>>, Problem> {
    page_of(&ledger, Some(&scope.tenant), &listing).await
}

async fn list_all(State(ledger): State<Ledger>, listing: Listing<Filter>) -> Result<Answer<Page<Record>>, Problem> {
    page_of(&ledger, None, &listing).await
}

async fn page_of(ledger: &Ledger, tenant: Option<&TenantId>, listing: &Listing<Filter>) -> Result<Answer<Page<Record>>, Problem> {
    let after = listing.page.after::<i64>()?.unwrap_or(0);
    let limit = listing.page.limit();
    // One more row than asked for tells whether there is a next page. The ledger gives at most a longest page at once, so there
    // a full page counts as "more", and the page after it may be empty.
    let wanted = limit.saturating_add(1).min(MAX_LIMIT);
    let object = listing.filter.object.as_deref();
    let rows = ledger.audit_page(tenant, object, Position::new(after), wanted).await.map_err(refusal)?;
    let full = limit == MAX_LIMIT && u32::try_from(rows.len()).is_ok_and(|n| n == limit);
    let mut page = Page::cut(rows, limit, |entry| entry.position.value());
    if full && page.next.is_none() {
        page.next = page.items.last().map(|entry| cursor(&entry.position.value()));
    }
    Ok(Answer::ok(page.map(Record::from)))
}

async fn show(State(ledger): State<Ledger>, Scoped(scope): Scoped, Path(position): Path<i64>) -> Result<Answer<Record>, Problem> {
    let absent = Refusal::new(&AUDIT_NOT_FOUND, format!("tenant `{}` has no such audit record", scope.tenant));
    record_at(&ledger, Some(&scope.tenant), position, absent).await
}

async fn show_any(State(ledger): State<Ledger>, Path(position): Path<i64>) -> Result<Answer<Record>, Problem> {
    let absent = Refusal::new(&AUDIT_NOT_FOUND, "there is no such audit record");
    record_at(&ledger, None, position, absent).await
}

async fn record_at(ledger: &Ledger, tenant: Option<&TenantId>, position: i64, absent: Refusal) -> Result<Answer<Record>, Problem> {
    if position < 1 {
        return Err(absent.into());
    }
    let entry = ledger.audit_entry(tenant, Position::new(position)).await.map_err(refusal)?;
    Ok(Answer::ok(entry.ok_or(absent)?.into()))
}

/// What the caller is told: the reason, and of the database's own words nothing.
fn refusal(error: LedgerError) -> Problem {
    let reason = error.reason();
    tracing::warn!(event = "audit.read-failed", reason = reason.code, %error);
    if reason.code == kinds::INTERNAL.code { Problem::internal(&error) } else { Refusal::new(reason, reason.title.trim()).into() }
}
