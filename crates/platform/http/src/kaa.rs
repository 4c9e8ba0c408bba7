//! Kaa's own paths (`kaa.md` 15, 17.1, 17.2): whose tenant a call is about, which scope it needs, and how errors look there.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use signet_model::{Caller, Role, TENANT_RESOURCE, TenantId, kinds};
use utoipa::ToSchema;

use crate::{Problem, reasons};

/// The header by which a platform operator names the tenant on Kaa's paths.
pub const TENANT_HEADER: &str = "signet-tenant";

/// Where Kaa's ingress puts its services; each of their paths is served there too.
pub(crate) const PREFIXES: [&str; 3] = ["/ccm", "/kpc", "/cm"];

/// The path parameter that names an endpoint.
pub const ENDPOINT_PARAMETER: &str = "endpoint";

/// What a scope is held on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KaaResource {
    /// What belongs to the whole tenant: `tenant-system`.
    TenantSystem,
    /// The endpoint that the path names: `endpoint-<id>`.
    Endpoint,
}

/// What a caller needs on one of Kaa's routes: an OAuth scope, or for our own tokens a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KaaRight {
    /// What the scope is held on.
    pub resource: KaaResource,
    /// The scope, such as `tenant:basic-credentials:read`.
    pub scope: &'static str,
    /// The role of an API token that reaches as far.
    pub role: Role,
}

impl KaaRight {
    /// The name of the resource on a call with these path parameters.
    pub(crate) fn resource_name(&self, parameters: &[(String, String)]) -> Result<String, Problem> {
        match self.resource {
            KaaResource::TenantSystem => Ok(TENANT_RESOURCE.to_owned()),
            KaaResource::Endpoint => {
                let endpoint = parameters.iter().find(|(name, _)| name == ENDPOINT_PARAMETER);
                let (_, id) = endpoint.ok_or_else(|| Problem::internal(&"an endpoint's guard on a path without an endpoint"))?;
                Ok(format!("endpoint-{id}"))
            }
        }
    }
}

/// The tenant that a call on Kaa's paths is about: the caller's own, or for those above the tenants the one that the header names.
/// A caller of one tenant that names another gets the answer of an absent one.
pub(crate) fn tenant_of(caller: &Caller, headers: &HeaderMap) -> Result<TenantId, Problem> {
    let named = named_tenant(headers)?;
    match (caller.tenant(), named) {
        (Some(own), None) => Ok(own.clone()),
        (Some(own), Some(named)) if *own == named => Ok(named),
        (Some(_), Some(named)) => Err(crate::guard::absent(&named)),
        (None, Some(named)) => Ok(named),
        (None, None) => Err(Problem::new(&reasons::TENANT_UNNAMED, "this token stands above the tenants, and the request names none")),
    }
}

fn named_tenant(headers: &HeaderMap) -> Result<Option<TenantId>, Problem> {
    let mut values = headers.get_all(TENANT_HEADER).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let parsed = value.to_str().ok().and_then(|text| text.trim().parse().ok());
            parsed.map(Some).ok_or_else(|| Problem::new(&kinds::INPUT_INVALID, "the header `Signet-Tenant` holds no tenant name"))
        }
        (Some(_), Some(_)) => Err(Problem::new(&kinds::INPUT_INVALID, "the request has several `Signet-Tenant` headers")),
    }
}

/// Whether errors on this path look as Kaa's do. Exactly the paths of `kaa.md` 17.2, under each of their prefixes.
pub(crate) fn is_kaa_path(path: &str) -> bool {
    let Some(rest) = canonical(path).strip_prefix("/api/v1/") else { return false };
    let mut segments = rest.split('/');
    matches!(
        (segments.next(), segments.next(), segments.next(), segments.next()),
        (Some("basic-credentials" | "x509-credentials"), _, _, _)
            | (Some("server-certificate"), None, _, _)
            | (Some("endpoints"), Some(_), Some("tokens"), None)
    )
}

/// The path without the prefix of an ingress.
pub(crate) fn canonical(path: &str) -> &str {
    let bare = PREFIXES.iter().find_map(|prefix| path.strip_prefix(prefix));
    bare.filter(|rest| rest.starts_with('/')).unwrap_or(path)
}

/// The body of an error on Kaa's paths
#[derive(Serialize, ToSchema)]
#[schema(as = KaaError)]
pub(crate) struct ErrorBody {
    /// What was refused and why; of a fault of the server always `Internal Server Error`
    message: String,
}

/// The status that a refusal has on Kaa's paths: there what cannot be used is a 400 like what cannot be read.
pub(crate) fn status(ours: u16) -> u16 {
    if ours == StatusCode::UNPROCESSABLE_ENTITY.as_u16() { StatusCode::BAD_REQUEST.as_u16() } else { ours }
}

/// A problem in Kaa's form (`kaa.md` 17.2). What a 500 is about stands in the log only.
pub(crate) fn render(problem: &Problem) -> Response {
    let (status, refusal) = (status(problem.status().as_u16()), problem.refusal());
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let message = if status == StatusCode::INTERNAL_SERVER_ERROR {
        "Internal Server Error".to_owned()
    } else {
        format!("{}: {}", refusal.reason.code, refusal.detail)
    };
    let mut text = serde_json::to_vec(&ErrorBody { message }).unwrap_or_default();
    text.push(b'\n');
    let mut response = (status, text).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    problem.add_headers(response.headers_mut());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_named_paths_speak_as_kaa_does() {
        for kaa in [
            "/api/v1/basic-credentials",
            "/api/v1/basic-credentials/x/y/z",
            "/ccm/api/v1/basic-credentials/x/state",
            "/api/v1/x509-credentials/ca",
            "/kpc/api/v1/server-certificate",
            "/cm/api/v1/endpoints/e-1/tokens",
        ] {
            assert!(is_kaa_path(kaa), "{kaa}");
        }
        for ours in [
            "/",
            "/api/v1/tenants/a/credentials",
            "/api/v1/basic-credentialsx",
            "/ccm/ccm/api/v1/basic-credentials",
            "/api/v1/endpoints/e-1",
            "/api/v1/endpoints/e-1/tokens/x",
            "/api/v1/server-certificate/x",
            "/api/v2/basic-credentials",
        ] {
            assert!(!is_kaa_path(ours), "{ours}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_a_400_there_with_its_reason() {
        signet_model::reasons! {
            /// It cannot be used.
            UNUSABLE = ("test.unusable", 422, "Use another.");
        }
        assert_eq!(REASONS.len(), 1);
        assert_eq!(render(&Problem::new(&UNUSABLE, "x")).status(), 400);
        assert_eq!([400, 404, 409, 503].map(status), [400, 404, 409, 503]);
    }

    #[test]
    fn an_ingress_is_taken_off_once() {
        for (path, bare) in [
            ("/api/v1/x", "/api/v1/x"),
            ("/ccm/api/v1/x", "/api/v1/x"),
            ("/cm/api/v1/x", "/api/v1/x"),
            ("/ccm/ccm/api", "/ccm/api"),
            ("/ccmx/api", "/ccmx/api"),
            ("/ccm", "/ccm"),
        ] {
            assert_eq!(canonical(path), bare);
        }
    }

    #[test]
    fn only_those_above_the_tenants_choose_one() {
        let named = |name: &str| HeaderMap::from_iter([(http::HeaderName::from_static(TENANT_HEADER), name.parse().unwrap())]);
        let caller = |tenant: &str| Caller::Person {
            tenant: tenant.parse().unwrap(),
            subject: signet_model::PersonSubject::new("x"),
            rights: std::sync::Arc::default(),
        };
        let of =
            |caller: &Caller, headers: &HeaderMap| tenant_of(caller, headers).map(|t| t.to_string()).map_err(|p| p.refusal().reason.code);
        assert_eq!(of(&caller("a"), &HeaderMap::new()), Ok("a".to_owned()));
        assert_eq!(of(&caller("a"), &named("a")), Ok("a".to_owned()));
        assert_eq!(of(&caller("a"), &named("b")), Err("tenant.not-found"));
        assert_eq!(of(&Caller::OperatorToken, &named("b")), Ok("b".to_owned()));
        assert_eq!(of(&Caller::OperatorToken, &HeaderMap::new()), Err("tenant.unnamed"));
        assert_eq!(of(&Caller::OperatorToken, &named("..")), Err("input.invalid"));
    }
}
