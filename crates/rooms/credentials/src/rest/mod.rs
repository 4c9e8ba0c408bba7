//! The room's part of our own API (design 9), and in `kaa` of Kaa's: one file per noun, and here what they share. Handlers read the request into checked
//! values, call the domain, and write the answer; nothing is decided here.

mod api_tokens;
mod bodies;
mod certificates;
mod creation;
mod credentials;
mod identities;
mod kaa;
mod new_password;
mod tenants;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use signet_http::{PageQuery, Route};
use signet_model::{Refusal, kinds};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

pub use bodies::bodies_that_accept;

use crate::CredentialsRoom;
use crate::sql::Cursor;

/// Longest reason that a caller may give, in characters.
const LONGEST_REASON: usize = 500;

pub(crate) fn routes(room: &Arc<CredentialsRoom>) -> Vec<Route> {
    let parts = [
        tenants::routes(room),
        identities::routes(room),
        creation::routes(room),
        credentials::routes(room),
        certificates::routes(room),
        new_password::routes(room),
        api_tokens::routes(room),
        kaa::basic::routes(room),
        kaa::endpoint_tokens::routes(room),
        kaa::x509::routes(room),
    ];
    parts.into_iter().flatten().collect()
}

/// Why something is done.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Why {
    /// For the audit log: 1 to 500 characters, no control characters
    reason: Option<String>,
}

impl Why {
    fn checked(&self) -> Result<Option<&str>, Refusal> {
        match self.reason.as_deref() {
            Some(text) if !(1..=LONGEST_REASON).contains(&text.chars().count()) || text.chars().any(char::is_control) => {
                let detail = format!("`reason`: wanted 1 to {LONGEST_REASON} characters, none of them a control character");
                Err(Refusal::new(&kinds::INPUT_INVALID, detail))
            }
            reason => Ok(reason),
        }
    }
}

/// Where the page begins, and how many rows to read: one more than asked for tells whether another page follows.
fn page_bounds(page: &PageQuery) -> Result<(Cursor, u32), Refusal> {
    let after = page.after::<Cursor>()?.unwrap_or_else(Cursor::start);
    Ok((after, page.limit().saturating_add(1)))
}

/// An object and whether the request changed it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Changed<T> {
    /// The object as it is now
    #[serde(flatten)]
    object: T,
    /// Whether this request changed it
    changed: bool,
}

/// The schema of a text that is one of `words`.
fn one_of(words: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

fn enabled_words() -> Object {
    one_of(signet_model::Enabled::ALL.iter().map(|word| word.as_str()))
}

fn tenant_state_words() -> Object {
    one_of(signet_model::TenantState::ALL.iter().map(|word| word.as_str()))
}

fn identity_kind_words() -> Object {
    one_of(signet_model::IdentityKind::ALL.iter().map(|word| word.as_str()))
}

fn credential_kind_words() -> Object {
    one_of(signet_model::CredentialKind::ALL.iter().map(|word| word.as_str()))
}

fn credential_state_words() -> Object {
    one_of(signet_model::CredentialState::ALL.iter().map(|word| word.as_str()))
}

fn role_words() -> Object {
    use signet_model::Role;
    one_of([Role::Auditor, Role::Operator, Role::Owner, Role::Platform].map(Role::as_str))
}

fn tenant_role_words() -> Object {
    use signet_model::Role;
    one_of([Role::Auditor, Role::Operator, Role::Owner].map(Role::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_short_and_without_control_characters() {
        let check = |reason: Option<&str>| {
            let why = Why { reason: reason.map(str::to_owned) };
            why.checked().map(|kept| kept.map(str::to_owned)).map_err(|refusal| refusal.reason.code)
        };
        assert_eq!(check(None), Ok(None));
        assert_eq!(check(Some("gestohlen – Süd")), Ok(Some("gestohlen – Süd".to_owned())));
        assert!(check(Some(&"ä".repeat(LONGEST_REASON))).is_ok());
        for bad in ["", "a\nb", &"ä".repeat(LONGEST_REASON + 1)] {
            assert_eq!(check(Some(bad)), Err("input.invalid"), "{bad}");
        }
    }
}
