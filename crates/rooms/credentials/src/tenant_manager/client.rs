//! Asks the Tenant Manager: its whole list, page by page, or one tenant; in version 1 of its API or, where that is not there, in
//! version 2.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::header::ACCEPT;
use http::{HeaderValue, StatusCode};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use signet_model::Refusal;
use signet_outbound::{Outbound, OutboundUrl, Request};

use super::token::{ManagerLogin, Tokens, encode};
use super::wire::{Listed, Listing, MOST_TENANTS, Row};
use crate::reasons::{TENANT_MANAGER_ANSWER, TENANT_MANAGER_REFUSED};

/// Rows asked for at once; the most that version 2 gives.
const PAGE: usize = 100;
/// For the whole list.
const LONGEST_LISTING: Duration = Duration::from_secs(300);
/// Tenants whose credentials are asked for at once in version 2.
const AT_ONCE: usize = 4;

/// The versions of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// The whole list of one moment.
#[derive(Debug)]
pub(super) struct Tenants {
    /// Those that can be used.
    pub(super) listed: Vec<Listed>,
    /// How many could not, for want of a name.
    pub(super) unusable: usize,
}

pub(super) struct ManagerClient {
    outbound: Outbound,
    /// Without a final slash.
    base: String,
    tokens: Option<Tokens>,
    /// The version that answered last.
    version: Mutex<Version>,
}

impl ManagerClient {
    pub(super) fn new(outbound: Outbound, url: &str, login: Option<ManagerLogin>) -> Self {
        let tokens = login.map(|login| Tokens::new(outbound.clone(), login));
        Self { outbound, base: url.strip_suffix('/').unwrap_or(url).to_owned(), tokens, version: Mutex::new(Version::One) }
    }

    /// Every tenant.
    pub(super) async fn all(&self) -> Result<Tenants, Refusal> {
        let listing = tokio::time::timeout(LONGEST_LISTING, self.in_either_version(""));
        listing.await.map_err(|_| Refusal::new(&signet_outbound::OUTBOUND_TIMEOUT, "the list did not come to its end in time"))?
    }

    /// The tenants that go by this name; usually one, or none.
    pub(super) async fn named(&self, name: &str) -> Result<Tenants, Refusal> {
        let mut filter = String::new();
        encode(&mut filter, name.as_bytes());
        self.in_either_version(&filter).await
    }

    async fn in_either_version(&self, name: &str) -> Result<Tenants, Refusal> {
        let first = *self.version.lock();
        let second = match first {
            Version::One => Version::Two,
            Version::Two => Version::One,
        };
        for version in [first, second] {
            if let Some(rows) = self.pages(version, name).await? {
                *self.version.lock() = version;
                return self.completed(version, rows).await;
            }
        }
        Err(Refusal::new(&TENANT_MANAGER_ANSWER, "it has neither version 1 nor version 2 of the API"))
    }

    /// All rows of a list; none when this version is not there.
    async fn pages(&self, version: Version, name: &str) -> Result<Option<Vec<Row>>, Refusal> {
        let (path, filter) = match version {
            Version::One => ("v1", "realm_name"),
            Version::Two => ("v2", "tenant_id"),
        };
        let filter = if name.is_empty() { String::new() } else { format!("&{filter}={name}") };
        let (mut rows, mut seen) = (Vec::<Row>::new(), HashSet::new());
        loop {
            let url = self.outbound.url(&format!("{}/api/{path}/tenants?offset={}&limit={PAGE}{filter}", self.base, rows.len()))?;
            let Some(page) = self.get::<Listing>(&url).await? else {
                return if rows.is_empty() { Ok(None) } else { Err(wrong("a page of its list is not there")) };
            };
            let before = seen.len();
            seen.extend(page.rows.iter().filter_map(Row::key));
            let (got, repeats) = (page.rows.len(), seen.len() == before);
            match page.count {
                // Not the next page but the first one again: the whole list, since nobody counts and nobody pages.
                None if repeats && !rows.is_empty() => return Ok(Some(rows)),
                Some(_) if repeats && got > 0 => return Err(wrong("its pages repeat themselves, or name no tenants")),
                None | Some(_) => {}
            }
            if rows.len().saturating_add(got) > MOST_TENANTS {
                return Err(wrong("it lists more tenants than Signet reads"));
            }
            rows.extend(page.rows);
            let more = match page.count {
                Some(count) => got > 0 && u64::try_from(rows.len()).is_ok_and(|here| here < count),
                None => got == PAGE,
            };
            if !more {
                return Ok(Some(rows));
            }
        }
    }

    /// The rows as tenants; in version 2 each has to be asked about.
    async fn completed(&self, version: Version, rows: Vec<Row>) -> Result<Tenants, Refusal> {
        let told = rows.len();
        let complete = |row: Row| async {
            match (version, row.is_whole(), row.key()) {
                (Version::One, _, _) | (Version::Two, true, _) | (Version::Two, _, None) => Ok(Some(row)),
                (Version::Two, false, Some(key)) => {
                    let url = self.outbound.url(&format!("{}/api/v2/tenants/{key}/credentials", self.base))?;
                    // One that is not there any more went away since it was listed.
                    Ok::<_, Refusal>(self.get::<Row>(&url).await?.map(|credentials| row.completed_by(credentials)))
                }
            }
        };
        let rows: Vec<Option<Row>> = stream::iter(rows).map(complete).buffered(AT_ONCE).try_collect().await?;
        let gone = rows.iter().filter(|row| row.is_none()).count();
        let listed: Vec<Listed> = rows.into_iter().flatten().filter_map(Row::into_listed).collect();
        Ok(Tenants { unusable: told.saturating_sub(listed.len()).saturating_sub(gone), listed })
    }

    /// A JSON answer; none for 404. A token that is refused is fetched anew once.
    async fn get<T: DeserializeOwned>(&self, url: &OutboundUrl) -> Result<Option<T>, Refusal> {
        let mut fresh = false;
        loop {
            let mut request = Request::get(url.clone()).with(ACCEPT, HeaderValue::from_static("application/json"));
            if let Some(tokens) = &self.tokens {
                let (name, value) = tokens.header().await?;
                request = request.with(name, value);
            }
            let response = self.outbound.send(request).await?;
            match (response.status, &self.tokens) {
                (StatusCode::UNAUTHORIZED, Some(tokens)) if !fresh => {
                    tokens.forget().await;
                    fresh = true;
                }
                (StatusCode::NOT_FOUND | StatusCode::GONE, _) => return Ok(None),
                (status, _) if status.is_success() => return Ok(Some(response.json(url)?)),
                (status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN), _) => {
                    return Err(Refusal::new(&TENANT_MANAGER_REFUSED, format!("it answered {}", status.as_u16())));
                }
                (status, _) => return Err(Refusal::new(&signet_outbound::OUTBOUND_STATUS, format!("it answered {}", status.as_u16()))),
            }
        }
    }
}

fn wrong(what: &str) -> Refusal {
    Refusal::new(&TENANT_MANAGER_ANSWER, what)
}
