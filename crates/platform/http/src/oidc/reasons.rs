//! Reasons of callers whom a tenant's own issuer vouches for. What is wrong with a token itself says `signet_jose`.

signet_model::reasons! {
    /// The token's issuer is not the issuer of any tenant here.
    BEARER_ISSUER_UNKNOWN = ("bearer.issuer-unknown", 401, "Compare the token's `iss` with `[oidc] issuers`, or with the tenant's issuer in the Tenant Manager; they must be equal, but for one slash at the end.");
    /// The token's issuer does not take it any more.
    BEARER_REFUSED = ("bearer.refused", 401, "Log in again and send the new token.");
    /// The issuer's keys are not known and cannot be fetched now.
    OIDC_ISSUER_UNAVAILABLE = ("oidc.issuer-unavailable", 503, "Try again in ten seconds; the server's log says what is wrong with the issuer (event `oidc.fetch-failed`).");
    /// The issuer cannot be asked now whether it permits this.
    OIDC_DECISION_UNAVAILABLE = ("oidc.decision-unavailable", 503, "Try again; the server's log says what is wrong with the issuer (event `oidc.decision-failed`).");
}
