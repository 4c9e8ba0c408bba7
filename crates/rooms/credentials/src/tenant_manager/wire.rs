//! What the Tenant Manager says (`kaa.md` 13.5), read leniently: a bare array or a page, members of either version of the API,
//! unknown members and odd types left out. Only the bounds are strict.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use signet_crypto::Secret;
use signet_model::TenantId;

/// Tenants of one answer, and of the whole list.
pub(super) const MOST_TENANTS: usize = 100_000;
/// Longest member that is read, in bytes; a longer one counts as absent.
const LONGEST_MEMBER: usize = 2_048;
/// The one status in which a tenant is active.
const AVAILABLE: &str = "AVAILABLE";

/// A list, or a page of one.
#[derive(Debug)]
pub(super) struct Listing {
    /// The rows that are here.
    pub(super) rows: Vec<Row>,
    /// How many there are in all; none in a bare array, which is the whole list.
    pub(super) count: Option<u64>,
}

/// The tenants that an answer of the Tenant Manager tells of; none when it is not understood. For those who try it with any bytes.
pub fn tenants_told(answer: &[u8]) -> Option<Vec<TenantId>> {
    let listing: Listing = serde_json::from_slice(answer).ok()?;
    Some(listing.rows.into_iter().filter_map(Row::into_listed).map(|listed| listed.tenant).collect())
}

/// A tenant, or its credentials, as told.
#[derive(Default, Deserialize)]
pub(super) struct Row {
    #[serde(default)]
    id: Loose,
    #[serde(default)]
    tenant_id: Loose,
    #[serde(default)]
    pk: Loose,
    #[serde(default)]
    realm_name: Loose,
    #[serde(default)]
    issuer: Loose,
    #[serde(default)]
    client_backend_id: Loose,
    #[serde(default)]
    client_backend_secret: Loose,
    #[serde(default)]
    status: Loose,
}

/// Never the secret.
impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row").field("id", &self.id.0).field("realm_name", &self.realm_name.0).finish_non_exhaustive()
    }
}

/// A tenant as the Tenant Manager knows it.
#[derive(Debug)]
pub(super) struct Listed {
    /// What Signet and every message calls it.
    pub(super) tenant: TenantId,
    /// The realm's name, where it is another one.
    pub(super) realm: Option<TenantId>,
    /// The issuer's identifier.
    pub(super) issuer: Option<String>,
    /// The client that stands for Kaa's services there.
    pub(super) client_id: Option<String>,
    /// That client's secret.
    pub(super) client_secret: Option<Secret>,
    /// Whether it is active.
    pub(super) available: bool,
}

impl Row {
    /// The tenant; none when it has no name that Signet can use.
    pub(super) fn into_listed(self) -> Option<Listed> {
        let name = |text: &Loose| text.0.as_deref().and_then(|text| text.parse::<TenantId>().ok());
        let realm = name(&self.realm_name);
        // In version 2 `tenant_id` is the tenant and `id` may be a row's number.
        let tenant = name(&self.tenant_id).or_else(|| name(&self.id)).or_else(|| realm.clone())?;
        let available = self.status.0.as_deref().is_none_or(|status| status.eq_ignore_ascii_case(AVAILABLE));
        Some(Listed {
            realm: realm.filter(|realm| *realm != tenant),
            tenant,
            issuer: self.issuer.0.map(|issuer| issuer.trim().to_owned()).filter(|issuer| !issuer.is_empty()),
            client_id: self.client_backend_id.0,
            client_secret: self.client_backend_secret.0.map(Secret::from),
            available,
        })
    }

    /// What version 2 calls the tenant in paths; none when it could not stand in one.
    pub(super) fn key(&self) -> Option<String> {
        let plain = |text: &&String| text.len() <= 128 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        let key = [&self.pk, &self.id, &self.tenant_id].into_iter().find_map(|text| text.0.as_ref());
        key.filter(plain).filter(|key| key.bytes().any(|b| b != b'.')).cloned()
    }

    /// Whether it holds what version 2 tells only of single tenants.
    pub(super) fn is_whole(&self) -> bool {
        self.issuer.0.is_some() && self.client_backend_id.0.is_some()
    }

    /// Completes the row by what was told of this tenant alone, which is the truth about its identifier.
    pub(super) fn completed_by(self, credentials: Self) -> Self {
        Self {
            tenant_id: credentials.id.or(credentials.tenant_id).or(self.tenant_id),
            issuer: credentials.issuer.or(self.issuer),
            client_backend_id: credentials.client_backend_id.or(self.client_backend_id),
            client_backend_secret: credentials.client_backend_secret.or(self.client_backend_secret),
            ..self
        }
    }
}

/// A text, or a number as text; anything else, and what is too long, counts as absent.
#[derive(Default)]
struct Loose(Option<String>);

impl Loose {
    fn or(self, other: Self) -> Self {
        if self.0.is_some() { self } else { other }
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Loose, E> {
        let usable = !text.is_empty() && text.len() <= LONGEST_MEMBER && !text.chars().any(char::is_control);
        Ok(Loose(usable.then(|| text.to_owned())))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Loose, E> {
        Ok(Loose(Some(number.to_string())))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Loose, E> {
        Ok(Loose(Some(number.to_string())))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Loose, E> {
        Ok(Loose(None))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Loose, E> {
        Ok(Loose(None))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Loose, E> {
        Ok(Loose(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Loose, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Loose(None))
    }
}

/// At most [`MOST_TENANTS`] rows; more end the reading, so that a short text cannot become a long list.
#[derive(Default)]
struct Rows(Vec<Row>);

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RowsVisitor;
        impl<'de> Visitor<'de> for RowsVisitor {
            type Value = Rows;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of tenants")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Rows, E> {
                Ok(Rows::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Rows, A::Error> {
                read_rows(seq)
            }
        }
        deserializer.deserialize_any(RowsVisitor)
    }
}

fn read_rows<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<Rows, A::Error> {
    let mut rows = Vec::new();
    while let Some(row) = seq.next_element::<Row>()? {
        if rows.len() >= MOST_TENANTS {
            return Err(de::Error::custom("more tenants than Signet reads"));
        }
        rows.push(row);
    }
    Ok(Rows(rows))
}

impl<'de> Deserialize<'de> for Listing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListingVisitor;
        impl<'de> Visitor<'de> for ListingVisitor {
            type Value = Listing;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of tenants, or an object with `results`")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Listing, A::Error> {
                Ok(Listing { rows: read_rows(seq)?.0, count: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Listing, A::Error> {
                let (mut rows, mut count) = (None, None);
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "results" => rows = Some(map.next_value::<Rows>()?.0),
                        "count" => count = map.next_value::<Loose>()?.0.and_then(|count| count.parse().ok()),
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                let rows = rows.ok_or_else(|| de::Error::missing_field("results"))?;
                Ok(Listing { rows, count })
            }
        }
        deserializer.deserialize_any(ListingVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str) -> Vec<Listed> {
        let listing: Listing = serde_json::from_str(text).unwrap();
        listing.rows.into_iter().filter_map(Row::into_listed).collect()
    }

    #[test]
    fn a_bare_array_and_a_page_say_the_same() {
        let row = r#"{"id":"acme","realm_name":"acme","issuer":"https://id.example/auth/realms/acme","status":"AVAILABLE","new":[{}]}"#;
        for (text, count) in [
            (format!("[{row}]"), None),
            (format!(r#"{{"count":7,"next":null,"previous":null,"results":[{row}]}}"#), Some(7)),
            (format!(r#"{{"results":[{row}],"count":"7","x":{{}}}}"#), Some(7)),
            (format!(r#"{{"results":[{row}]}}"#), None),
        ] {
            assert_eq!(serde_json::from_str::<Listing>(&text).unwrap().count, count, "{text}");
            let rows = listed(&text);
            assert_eq!((rows.len(), rows[0].tenant.as_str(), rows[0].realm.as_ref(), rows[0].available), (1, "acme", None, true), "{text}");
        }
        assert!(listed(r#"{"count":0,"results":null}"#).is_empty());
        for bad in ["{}", "7", "null", r#""x""#, r#"{"results":{}}"#, "[7]", r#"{"results":["a"]}"#, "[", ""] {
            assert!(serde_json::from_str::<Listing>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn members_are_read_leniently() {
        for (row, tenant, realm, available) in [
            (r#"{"id":"a","realm_name":"b"}"#, Some("a"), Some("b"), true),
            (r#"{"realm_name":"b"}"#, Some("b"), None, true),
            (r#"{"id":7,"realm_name":"b"}"#, Some("7"), Some("b"), true),
            (r#"{"id":7,"tenant_id":"t"}"#, Some("t"), None, true),
            (r#"{"id":"a","status":null}"#, Some("a"), None, true),
            (r#"{"id":"a","status":"CREATING"}"#, Some("a"), None, false),
            (r#"{"id":"a","status":"available"}"#, Some("a"), None, true),
            (r#"{"id":"a","issuer":7,"status":{}}"#, Some("a"), None, true),
            (r#"{"id":"not a name"}"#, None, None, true),
            (r#"{"id":"../x","realm_name":"c"}"#, Some("c"), None, true),
            ("{}", None, None, true),
        ] {
            let listed = serde_json::from_str::<Row>(row).unwrap().into_listed();
            assert_eq!(listed.as_ref().map(|l| l.tenant.as_str()), tenant, "{row}");
            if let Some(listed) = listed {
                assert_eq!((listed.realm.as_ref().map(TenantId::as_str), listed.available), (realm, available), "{row}");
            }
        }
    }

    #[test]
    fn version_2_is_completed_by_a_tenants_credentials() {
        let row: Row = serde_json::from_str(r#"{"id":12,"name":"Acme Corporation"}"#).unwrap();
        assert_eq!((row.key().as_deref(), row.is_whole()), (Some("12"), false));
        let credentials: Row = serde_json::from_str(
            r#"{"id":"acme","client_backend_id":"b","client_backend_secret":"canary","client_frontentd_id":"f","issuer":"https://i","minio_secret":"m"}"#,
        )
        .unwrap();
        assert!(credentials.is_whole() && !format!("{credentials:?}").contains("canary"));
        let listed = row.completed_by(credentials).into_listed().unwrap();
        assert_eq!((listed.tenant.as_str(), listed.client_id.as_deref(), listed.issuer.as_deref()), ("acme", Some("b"), Some("https://i")));
        assert!(listed.client_secret.unwrap().ct_eq(&Secret::from("canary")));
    }

    #[test]
    fn a_key_cannot_lead_to_another_path() {
        for (row, key) in [
            (r#"{"pk":"a-1"}"#, Some("a-1")),
            (r#"{"pk":"../users"}"#, None),
            (r#"{"pk":".."}"#, None),
            (r#"{"pk":"a?x"}"#, None),
            (r#"{"id":"a%2f"}"#, None),
            ("{}", None),
        ] {
            assert_eq!(serde_json::from_str::<Row>(row).unwrap().key().as_deref(), key, "{row}");
        }
    }

    #[test]
    fn a_short_text_does_not_become_an_endless_list() {
        let text = format!("[{}{{}}]", "{},".repeat(MOST_TENANTS));
        assert!(serde_json::from_str::<Listing>(&text).is_err());
    }
}
