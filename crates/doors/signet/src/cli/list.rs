//! Paging of every `list` verb.

use clap::Args;
use signet_client::{ClientError, Page, PageRequest};

/// Rows per call under `--all`.
const ALL_PAGE: u32 = 1_000;
/// Most rows that `--all` gathers; beyond it `next` says where to go on.
const ALL_ROWS: usize = 100_000;

/// Which rows of a list.
#[derive(Args, Clone, Debug)]
pub(crate) struct Paging {
    /// Rows per page, at most 1,000 [default: 50]
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Go on after this: the `next` of the page before
    #[arg(long, value_name = "NEXT")]
    after: Option<String>,
    /// All rows, up to 100,000
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl Paging {
    /// The page that was asked for, or all pages as one.
    pub(crate) async fn collect<T>(
        &self,
        mut fetch: impl AsyncFnMut(PageRequest) -> Result<Page<T>, ClientError>,
    ) -> Result<Page<T>, ClientError> {
        let limit = if self.all { Some(ALL_PAGE) } else { self.limit };
        let mut page = fetch(PageRequest { limit, after: self.after.clone() }).await?;
        while self.all && page.items.len() < ALL_ROWS {
            let Some(after) = page.next.take() else { break };
            let more = fetch(PageRequest { limit, after: Some(after) }).await?;
            page.items.extend(more.items);
            page.next = more.next;
        }
        Ok(page)
    }
}
