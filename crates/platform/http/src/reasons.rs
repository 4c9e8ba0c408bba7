//! Reasons of this crate: what the HTTP surface itself refuses, before any room is asked.

signet_model::reasons! {
    /// The request carries no bearer token.
    AUTH_MISSING = ("auth.missing", 401, "Send `Authorization: Bearer TOKEN`; the operator token is in the file `operator.token` of the data directory.");
    /// The bearer token is not known here.
    AUTH_INVALID = ("auth.invalid", 401, "Check that the whole token was sent and that it was made by this server; `signet api-token create` makes a new one.");
    /// The bearer token is past its expiry.
    AUTH_EXPIRED = ("auth.expired", 401, "Make a new one: `signet api-token create`, or `signet operator rotate` for the operator token.");
    /// The caller's role does not reach as far as this route.
    AUTH_ROLE_MISSING = ("auth.role-missing", 403, "Use a token of a higher role; an owner makes one with `signet api-token create --role ROLE`.");
    /// There is no such tenant, or none that this caller may see.
    TENANT_NOT_FOUND = ("tenant.not-found", 404, "Check the name with `signet tenant list`, and that the token belongs to that tenant.");
    /// The call is about one tenant, and the caller stands above them all.
    TENANT_UNNAMED = ("tenant.unnamed", 400, "Name the tenant in the header `Signet-Tenant`.");
    /// The token does not carry the scope that this route needs.
    AUTH_SCOPE_MISSING = ("auth.scope-missing", 403, "Let the tenant's issuer grant the scope on that resource, and log in again.");
    /// No route has this path.
    ROUTE_NOT_FOUND = ("route.not-found", 404, "Check the path against `signet openapi`.");
    /// The path exists, but not with this method.
    ROUTE_METHOD_NOT_ALLOWED = ("route.method-not-allowed", 405, "Use a method that the `Allow` header names.");
    /// The body is larger than this route takes.
    BODY_TOO_LARGE = ("body.too-large", 413, "Send at most 65536 bytes.");
    /// The body's media type is not JSON.
    BODY_MEDIA_TYPE = ("body.media-type", 415, "Send the header `Content-Type: application/json`.");
    /// The body is not one well-formed JSON value.
    BODY_MALFORMED = ("body.malformed", 400, "Send one JSON object in UTF-8, without duplicate members, at most 32 levels deep.");
    /// The body did not arrive in time.
    BODY_TOO_SLOW = ("body.too-slow", 408, "Send the whole body without pauses.");
    /// A text holds a NUL character.
    INPUT_NUL = ("input.nul", 400, "Remove the NUL character (U+0000).");
    /// A member or parameter that does not exist here.
    INPUT_UNKNOWN_MEMBER = ("input.unknown-member", 400, "Remove it, or correct its name against `signet openapi`.");
    /// The request's headers are larger than this server takes.
    HEADERS_TOO_LARGE = ("headers.too-large", 431, "Send less than 65536 bytes of headers in all; a token with fewer roles is shorter.");
    /// The request names no host, or several.
    REQUEST_HOST = ("request.host", 400, "Send exactly one `Host` header, as HTTP/1.1 demands.");
    /// The request was not answered within its deadline.
    REQUEST_DEADLINE = ("request.deadline", 503, "Try again; `signet doctor` shows which part is slow.");
    /// The server has bound its addresses and is not ready yet.
    STARTING = ("starting", 503, "Wait a moment and try again; `/ready` on the management listener says what is missing.");
    /// The paging cursor is not one of this list.
    PAGE_CURSOR_INVALID = ("page.cursor-invalid", 400, "Pass `next` of the previous page as `after`, unchanged, or start without it.");
    /// The header `Idempotency-Key` is malformed.
    IDEMPOTENCY_KEY_INVALID = ("idempotency.key-invalid", 400, "Send one key of 1 to 255 visible ASCII characters.");
    /// The address to listen on is taken.
    LISTEN_ADDRESS_IN_USE = ("listen.address-in-use", 503, "Stop the program that holds it, choose another with `--listen NAME=HOST:PORT`, or use `--any-port`.");
    /// This process may not listen on that address.
    LISTEN_PERMISSION_DENIED = ("listen.permission-denied", 503, "Choose a port from 1024 up, or give the service CAP_NET_BIND_SERVICE.");
    /// The address to listen on cannot be bound.
    LISTEN_FAILED = ("listen.failed", 503, "Check that the address belongs to this machine.");
    /// The certificate and key do not make a TLS configuration.
    TLS_CONFIGURATION = ("tls.configuration", 503, "Check that the key belongs to the first certificate of the file and that both are complete.");
}
