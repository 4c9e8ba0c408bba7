//! The credentials of a tenant as Kaa lists them, one kind at a time: some skipped, all counted, and however many there are, read
//! page by page in one order, so that a list of millions needs the memory of a page.

use signet_model::{CredentialKind, CredentialState, Refusal, Scope, Username};

use crate::CredentialsRoom;
use crate::credential::{Credential, CredentialFilter};
use crate::sql::{self, Cursor};

/// Rows that are read, and held in memory, at once.
pub(crate) const ROWS_AT_ONCE: u32 = 1_000;

/// Which kind, and by what name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    /// Usernames: all, or exactly this one.
    Basic(Option<Username>),
    /// Certificates: all, or those with exactly this common name.
    Certificates(Option<String>),
}

/// Which credentials are wanted.
#[derive(Clone, Debug)]
pub(crate) struct KaaFilter {
    pub(crate) listed: Listed,
    pub(crate) state: Option<CredentialState>,
}

/// The beginning of a list.
#[derive(Debug)]
pub(crate) struct KaaList {
    /// How many the filter finds, skipped ones and those behind the limit too, as of the first page: what is made later is newer
    /// than that and neither counted nor listed.
    pub(crate) total: u64,
    /// The first page.
    pub(crate) rows: Vec<Credential>,
    /// How to go on, unless that was all.
    pub(crate) rest: Option<KaaRest>,
}

impl KaaList {
    /// Of a filter that nothing can match.
    pub(crate) fn empty() -> Self {
        Self { total: 0, rows: Vec::new(), rest: None }
    }
}

/// Where a list goes on.
#[derive(Clone, Debug)]
pub(crate) struct KaaRest {
    filter: KaaFilter,
    after: Cursor,
    /// Rows that are still wanted; all when absent.
    wanted: Option<u64>,
}

impl CredentialsRoom {
    /// The credentials that `filter` finds, newest first, without the first `offset`, at most `limit`.
    pub(crate) async fn kaa_credentials(
        &self,
        scope: &Scope,
        filter: KaaFilter,
        offset: u32,
        limit: Option<u32>,
    ) -> Result<KaaList, Refusal> {
        let wanted = limit.map(u64::from);
        let Some(after) = self.behind(scope, &filter, offset).await? else {
            let total = self.count_listed(scope, &filter, &Cursor::start()).await?;
            return Ok(KaaList { total, ..KaaList::empty() });
        };
        let beginning = KaaRest { filter, after, wanted };
        let filter = beginning.filter.clone();
        let (rows, rest) = self.more_kaa_credentials(scope, beginning).await?;
        // A page that is not full ends the list. Else the rest is counted from its first row on.
        let complete = rows.len() < page_of(wanted);
        let seen = match rows.first() {
            Some(first) if !complete => self.count_listed(scope, &filter, &Cursor::behind(first.created_at, &first.id)).await?,
            Some(_) | None => u64::try_from(rows.len()).unwrap_or(u64::MAX),
        };
        Ok(KaaList { total: seen.saturating_add(offset.into()), rows, rest })
    }

    /// The next page, and how to go on behind it.
    pub(crate) async fn more_kaa_credentials(&self, scope: &Scope, from: KaaRest) -> Result<(Vec<Credential>, Option<KaaRest>), Refusal> {
        let KaaRest { filter, after, wanted } = from;
        let size = page_of(wanted);
        let limit = u32::try_from(size).unwrap_or(u32::MAX);
        let statement = sql::credential::newest(&scope.tenant, &whole_filter(&filter), None, &after, limit);
        let rows = sql::all(&self.db, statement, sql::credential::read).await?;
        let read = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let left = wanted.map(|wanted| wanted.saturating_sub(read));
        let rest = match rows.last() {
            Some(last) if rows.len() == size && left != Some(0) => {
                Some(KaaRest { filter, after: Cursor::behind(last.created_at, &last.id), wanted: left })
            }
            Some(_) | None => None,
        };
        Ok((rows, rest))
    }

    /// The place behind the first `offset` rows; none when there are not more than that.
    async fn behind(&self, scope: &Scope, filter: &KaaFilter, offset: u32) -> Result<Option<Cursor>, Refusal> {
        let Some(last_skipped) = offset.checked_sub(1) else { return Ok(Some(Cursor::start())) };
        sql::one(&self.db, sql::kaa_list::nth(&scope.tenant, filter, last_skipped), sql::kaa_list::read_place).await
    }

    async fn count_listed(&self, scope: &Scope, filter: &KaaFilter, from: &Cursor) -> Result<u64, Refusal> {
        let count = sql::one(&self.db, sql::kaa_list::count(&scope.tenant, filter, from), |row| row.int(0)).await?;
        Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
    }
}

fn whole_filter(filter: &KaaFilter) -> CredentialFilter {
    let KaaFilter { listed, state } = filter.clone();
    let (kind, username, common_name) = match listed {
        Listed::Basic(username) => (CredentialKind::Basic, username, None),
        Listed::Certificates(common_name) => (CredentialKind::X509, None, common_name),
    };
    CredentialFilter { kind: Some(kind), state, username, common_name, ..CredentialFilter::default() }
}

/// Rows of the next page.
fn page_of(wanted: Option<u64>) -> usize {
    let rows = wanted.unwrap_or(u64::MAX).min(u64::from(ROWS_AT_ONCE));
    usize::try_from(rows).unwrap_or(usize::MAX)
}
