//! `/api/v1/endpoints/{endpoint}/tokens` (`kaa.md` 15.3).

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use signet_http::{Answer, Guard, IfNoneMatch, Json, KaaResource, KaaRight, MaybeIdempotent, Path, Problem, RepeatedQuery, Route, Scoped};
use signet_model::{CredentialId, CredentialState, Refusal, Role, Scope, Timestamp, kinds};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, Object};

use super::super::creation::SecretText;
use super::super::{credential_state_words, one_of};
use crate::CredentialsRoom;
use crate::credential::Credential;
use crate::endpoint_list::{EndpointTokens, TokensOfEndpoint};
use crate::endpoint_token::{NewEndpointToken, endpoint_id};
use crate::idempotency::secret_of;
use crate::reasons::{APPLICATION_INVALID_NAME, ENDPOINT_INVALID_ID, ENDPOINT_TOKEN_INVALID, ENDPOINT_TOKEN_TAKEN};

/// Most tokens of an answer when the caller does not say.
const DEFAULT_LIMIT: u32 = 20;
/// Most tokens of an answer.
const LARGEST_LIMIT: u32 = 1_000;

const READ: Guard = of_endpoint("endpoint:read", Role::Auditor);
const UPDATE: Guard = of_endpoint("endpoint:update", Role::Operator);

/// Whoever holds `scope` on the endpoint that the path names, and tokens of ours with `role`.
const fn of_endpoint(scope: &'static str, role: Role) -> Guard {
    Guard::Kaa(KaaRight { resource: KaaResource::Endpoint, scope, role })
}

/// In which order, and which part
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Only in these states; may come several times
    #[serde(default)]
    #[schema(schema_with = states, required = false)]
    status: Vec<CredentialState>,
    /// How many to leave out at the beginning
    offset: Option<u32>,
    /// Most tokens of the answer: 1 to 1000, 20 unless given
    #[schema(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// By the time that they were made: ASC, or DESC unless given
    #[schema(schema_with = orders, required = false)]
    order: Option<Order>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
enum Order {
    #[serde(rename = "ASC")]
    Ascending,
    #[default]
    #[serde(rename = "DESC")]
    Descending,
}

fn orders() -> Object {
    one_of(["ASC", "DESC"])
}

fn states() -> Array {
    ArrayBuilder::new().items(credential_state_words()).build()
}

impl ListQuery {
    fn checked(self) -> Result<EndpointTokens, Refusal> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=LARGEST_LIMIT).contains(&limit) {
            return Err(Refusal::new(&kinds::INPUT_INVALID, format!("`limit` of the query: wanted 1 to {LARGEST_LIMIT}, got {limit}")));
        }
        Ok(EndpointTokens {
            states: self.status.into_iter().collect::<BTreeSet<_>>(),
            oldest_first: self.order.unwrap_or_default() == Order::Ascending,
            offset: self.offset.unwrap_or(0),
            limit,
        })
    }
}

/// An endpoint's token as Kaa's credential management shows it. Never its text
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KaaEndpointToken)]
struct EndpointToken {
    /// Where it stands in its life
    #[schema(schema_with = credential_state_words)]
    status: CredentialState,
    /// Its id
    #[schema(value_type = String)]
    endpoint_token_id: CredentialId,
    /// When it was made
    #[schema(value_type = String, format = DateTime)]
    created_date: Timestamp,
    /// The application that the endpoint is of
    application_name: String,
    /// When it was last changed; absent until then
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    update_date: Option<Timestamp>,
}

impl From<Credential> for EndpointToken {
    fn from(token: Credential) -> Self {
        Self {
            status: token.state,
            endpoint_token_id: token.id,
            created_date: token.created_at,
            // Every endpoint token has one.
            application_name: token.application.unwrap_or_default(),
            update_date: (token.updated_at != token.created_at).then_some(token.updated_at),
        }
    }
}

/// A part of an endpoint's tokens
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KaaEndpointTokens)]
struct EndpointTokenPage {
    /// The tokens
    content: Vec<EndpointToken>,
    /// How many the filter finds in all
    total_elements: i64,
}

/// A token to be made
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = KaaNewEndpointToken)]
pub(in super::super) struct NewToken {
    /// The application that the endpoint is of; it belongs to the tenant that used it first
    application_name: String,
    /// The token: 1 to 255 characters without `+`, `#`, `/`, `.` and control characters; without it one is generated
    #[schema(value_type = Option<String>, format = Password)]
    token: Option<SecretText>,
}

/// A token that was just made, with its text, which is shown this once. No `Debug`: it holds the text
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KaaMadeEndpointToken)]
struct MadeToken {
    /// Its text; keep it, it cannot be shown again
    token: String,
    /// When it was made
    #[schema(value_type = String, format = DateTime)]
    created_date: Timestamp,
    /// The application that the endpoint is of
    application_name: String,
    /// Where it stands in its life
    #[schema(schema_with = credential_state_words)]
    status: CredentialState,
}

pub(in super::super) fn routes(room: &Arc<CredentialsRoom>) -> Vec<Route> {
    vec![
        Route::get("/api/v1/endpoints/{endpoint}/tokens", READ)
            .operation_id("kaaEndpointTokenList")
            .summary("Lists an endpoint's tokens, as Kaa's credential management does; heeds `If-None-Match`")
            .reasons(&[&ENDPOINT_INVALID_ID])
            .query::<ListQuery>()
            .answer::<EndpointTokenPage>(200)
            .handler_with(Arc::clone(room), list),
        Route::post("/api/v1/endpoints/{endpoint}/tokens", UPDATE)
            .operation_id("kaaEndpointTokenCreate")
            .summary("Makes an endpoint's token and shows its text this once, as Kaa's credential management does")
            .reasons(&[&ENDPOINT_INVALID_ID, &APPLICATION_INVALID_NAME, &ENDPOINT_TOKEN_INVALID, &ENDPOINT_TOKEN_TAKEN])
            .idempotent()
            .body::<NewToken>()
            .answer::<MadeToken>(201)
            .handler_with(Arc::clone(room), create),
    ]
}

async fn list(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Path(endpoint): Path<String>,
    RepeatedQuery(query): RepeatedQuery<ListQuery>,
    seen: IfNoneMatch,
) -> Result<Response, Problem> {
    let endpoint = endpoint_id(&endpoint)?;
    let TokensOfEndpoint { tokens, total } = room.tokens_of_endpoint(&scope, &endpoint, &query.checked()?).await?;
    let content = tokens.into_iter().map(EndpointToken::from).collect();
    seen.answer(&Answer::ok(EndpointTokenPage { content, total_elements: total }))
}

async fn create(
    State(room): State<Arc<CredentialsRoom>>,
    Scoped(scope): Scoped,
    Path(endpoint): Path<String>,
    MaybeIdempotent(key): MaybeIdempotent,
    Json(body): Json<NewToken>,
) -> Result<Answer<MadeToken>, Problem> {
    let generated = (room.config.ep_token_length, room.entropy.as_ref());
    let new = NewEndpointToken::checked(&endpoint, &body.application_name, body.token.map(|token| token.0), None, generated)?;
    let remember = |credential: &Credential| secret_of(key.as_ref(), credential.id.as_str(), scope.now());
    let credential = room.create_endpoint_token(&scope, &new, &remember).await?;
    Ok(made(&scope, credential, new))
}

fn made(scope: &Scope, credential: Credential, new: NewEndpointToken) -> Answer<MadeToken> {
    // Kaa has no path for one token; ours shows it, and this is where the answer tells its id.
    let location = format!("/api/v1/tenants/{}/credentials/{}", scope.tenant, credential.id);
    let token = MadeToken {
        token: new.into_token().expose().to_owned(),
        created_date: credential.created_at,
        application_name: credential.application.unwrap_or_default(),
        status: credential.state,
    };
    Answer::created(location, token)
}

#[cfg(test)]
mod tests {
    use signet_model::CredentialKind;

    use super::*;

    #[test]
    fn a_token_is_shown_as_documented() {
        let made: Timestamp = "2020-03-01T12:47:02.247462Z".parse().unwrap();
        let token = |updated_at| Credential {
            id: "br7si8mg10l7an82que0".parse().unwrap(),
            kind: CredentialKind::EndpointToken,
            state: CredentialState::Active,
            username: None,
            application: Some("demo".to_owned()),
            endpoint: Some("ep-1".to_owned()),
            certificate: None,
            identity: None,
            created_at: made,
            updated_at,
            last_used_at: Some(made),
            version: 2,
        };
        let shown = serde_json::to_string(&EndpointToken::from(token(made))).unwrap();
        let documented = r#"{"status":"Active","endpointTokenId":"br7si8mg10l7an82que0","createdDate":"2020-03-01T12:47:02.247462Z","applicationName":"demo"}"#;
        assert_eq!(shown, documented);
        let changed = serde_json::to_value(EndpointToken::from(token("2020-03-01T12:50:11.000001Z".parse().unwrap()))).unwrap();
        assert_eq!(changed["updateDate"], "2020-03-01T12:50:11.000001Z");
    }

    #[test]
    fn a_list_is_of_twenty_newest_first_unless_asked_otherwise() {
        let query = |limit, order| ListQuery { status: Vec::new(), offset: None, limit, order };
        let plain = query(None, None).checked().unwrap();
        assert_eq!((plain.limit, plain.offset, plain.oldest_first, plain.states.len()), (20, 0, false, 0));
        assert!(query(Some(1_000), Some(Order::Ascending)).checked().unwrap().oldest_first);
        for limit in [0, 1_001, u32::MAX] {
            assert_eq!(query(Some(limit), None).checked().unwrap_err().reason.code, "input.invalid");
        }
    }
}
