//! Reasons of this room, the same in API, command line, log and audit.

signet_model::reasons! {
    /// A tenant of that name exists already.
    TENANT_EXISTS = ("tenant.exists", 409, "Choose another name, or use what exists: `signet tenant list`.");
    /// The tenant's name is not allowed.
    TENANT_INVALID_NAME = ("tenant.invalid-name", 400, "Use 1 to 64 letters, digits, `.`, `_` and `-`, beginning with a letter or digit.");
    /// The tenant is disabled, and everything that leans on it is refused.
    TENANT_DISABLED = ("tenant.disabled", 403, "A platform operator has to enable the tenant again: `signet tenant enable NAME`.");
    /// The tenant's grace has passed, and what it held is being removed.
    TENANT_BEING_PURGED = ("tenant.being-purged", 409, "Nothing takes it back; when it is gone, its name is free: `signet tenant create NAME`.");
    /// The tenant's credentials are being revoked, which is done to all of them or to none.
    TENANT_SWEEP_UNDER_WAY = ("tenant.sweep-under-way", 409, "Try again a little later; `signet tenant show NAME` tells how far it has come.");
    /// The tenant cannot be deleted.
    TENANT_PROTECTED = ("tenant.protected", 409, "Disable it instead: `signet tenant disable NAME`.");
    /// The Tenant Manager decides about this tenant.
    TENANT_MANAGED = ("tenant.managed", 409, "Delete it in the Tenant Manager, or here all the same with `--force`.");
    /// The grace is not allowed.
    TENANT_INVALID_GRACE = ("tenant.invalid-grace", 400, "Give a length of time such as 24h, of at most 366 days; 0s removes at once.");
    /// An identity of that name exists already in this tenant.
    IDENTITY_EXISTS = ("identity.exists", 409, "Choose another name, or use what exists: `signet identity list`.");
    /// The tenant has no such identity.
    IDENTITY_NOT_FOUND = ("identity.not-found", 404, "Check id or name with `signet identity list`, and the tenant with `--tenant`.");
    /// The identity's name is not allowed.
    IDENTITY_INVALID_NAME = ("identity.invalid-name", 400, "Use 1 to 128 letters, digits and `.` `_` `~` `:` `@` `-`, beginning with a letter or digit, and no text of the form of an id.");
    /// The identity's labels are not allowed.
    IDENTITY_INVALID_LABELS = ("identity.invalid-labels", 400, "Use at most 32 labels with names of 1 to 63 and values of up to 255 characters, without control characters.");
    /// The identity is disabled, and every credential of it is refused.
    IDENTITY_DISABLED = ("identity.disabled", 403, "Enable the identity again: `signet identity enable ID`.");
    /// The gateways are still being told that the identity was disabled; until they are, nothing is given to it.
    IDENTITY_SWEEP_UNDER_WAY = ("identity.sweep-under-way", 409, "Try again a little later, or enable the identity first: `signet identity enable ID`.");
    /// The username is taken in this tenant; a revoked credential keeps its username.
    CREDENTIAL_USERNAME_TAKEN = ("credential.username-taken", 409, "Choose another username, or use the credential that has it: `signet credential list --username NAME`.");
    /// The tenant has no such credential.
    CREDENTIAL_NOT_FOUND = ("credential.not-found", 404, "Check the id with `signet credential list`, and the tenant with `--tenant`.");
    /// The credential's state does not allow this move.
    CREDENTIAL_ILLEGAL_TRANSITION = ("credential.illegal-transition", 409, "Look at its state with `signet credential show ID`.");
    /// The credential is in another version than the one that the request is about.
    CREDENTIAL_CHANGED = ("credential.changed", 412, "Read the credential again, look at what changed, and send its new ETag in `If-Match`.");
    /// The credential is of a kind that has no password.
    CREDENTIAL_NO_PASSWORD = ("credential.no-password", 409, "Passwords belong to credentials of kind basic; see `signet credential show ID`.");
    /// No credential of the tenant has this username.
    CREDENTIAL_UNKNOWN = ("credential.unknown", 403, "Look for the username with `signet credential list`, and check the tenant behind the `@`.");
    /// The password is not the one of this credential.
    CREDENTIAL_WRONG_PASSWORD = ("credential.wrong-password", 403, "Try again with the right password; a lost one cannot be read back: create another credential and revoke this one.");
    /// The credential is suspended.
    CREDENTIAL_SUSPENDED = ("credential.suspended", 403, "Resume it: `signet credential resume ID`.");
    /// The credential is revoked, which is final.
    CREDENTIAL_REVOKED = ("credential.revoked", 403, "Create another credential with another username: `signet credential create basic NAME --password-stdin`.");
    /// The certificate's validity is over.
    CREDENTIAL_EXPIRED = ("credential.expired", 403, "Issue another certificate: `signet cert issue --csr FILE`; revoking the old one is not needed.");
    /// The issuer is not a name.
    CERTIFICATE_ISSUER_INVALID = ("certificate.issuer-invalid", 400, "Write it like `CN=acme`, `CN=acme,O=Acme,C=DE` or `/C=DE/O=Acme/CN=acme`; `openssl x509 -noout -issuer` prints it.");
    /// More requests for certificates wait than the queue holds.
    CERTIFICATE_QUEUE_FULL = ("certificate.queue-full", 503, "Try again a little later; `ccm_auth_queue_length` shows the load.");
    /// This server makes no certificates.
    CERTIFICATES_OFF = ("certificates.off", 501, "Set up the authority: section [authority] of the configuration, then start again.");
    /// The tenant has no CA yet.
    TENANT_CA_ABSENT = ("certificates.no-ca", 404, "It is made with the tenant's first certificate, when an authority is set up.");
    /// A credential has this issuer and serial number already.
    CERTIFICATE_TAKEN = ("certificate.taken", 409, "Look for it: `signet cert list --issuer NAME --serial N`; one that belongs to another tenant is not shown.");
    /// The imported row names a tenant that is not there.
    IMPORT_TENANT_UNKNOWN = ("import.tenant-unknown", 404, "Make the tenant first, or import with `--create-tenants`.");
    /// The imported row's id is not an id of credentials.
    IMPORT_ID_INVALID = ("import.id-invalid", 400, "Ids are 20 characters of 0-9 and a-v; check which column `--id-column` names.");
    /// Another credential has the imported row's id.
    IMPORT_ID_TAKEN = ("import.id-taken", 409, "Look at the credential that has it; one of the two has to be made anew.");
    /// The imported row's state is not one of the four.
    IMPORT_STATE_UNKNOWN = ("import.state-unknown", 400, "States are Inactive, Active, Suspended and Revoked; check which column `--state-column` names, or map it by `--query`.");
    /// A text of the imported row is empty, holds a NUL or is not UTF-8.
    IMPORT_TEXT_INVALID = ("import.text-invalid", 400, "Correct the row in the source, or make this credential anew.");
    /// A date of the imported row is missing or out of range.
    IMPORT_TIME_INVALID = ("import.time-invalid", 400, "Correct the row in the source, or map the column by `--query`.");
    /// The username is not allowed.
    USERNAME_INVALID = ("username.invalid", 400, "Use 1 to 255 characters without control characters and without a space at either end.");
    /// The endpoint's id is not allowed.
    ENDPOINT_INVALID_ID = ("endpoint.invalid-id", 400, "Use 1 to 128 letters, digits, `.`, `_`, `~` and `-`.");
    /// The application's name is not allowed.
    APPLICATION_INVALID_NAME = ("application.invalid-name", 400, "Use 1 to 128 lower-case letters, digits, `_` and `-`; the application, not one of its versions.");
    /// The endpoint token is not allowed.
    ENDPOINT_TOKEN_INVALID = ("endpoint-token.invalid", 400, "Use 1 to 255 characters without `+`, `#`, `/`, `.` and control characters, or give none and one is generated.");
    /// The application has this token already, or is another tenant's.
    ENDPOINT_TOKEN_TAKEN = ("endpoint-token.taken", 409, "Give another token, or none and one is generated; an application belongs to the tenant that used it first.");
    /// More requests for endpoint tokens wait than the queue holds.
    ENDPOINT_TOKEN_QUEUE_FULL = ("endpoint-token.queue-full", 503, "Try again a little later; `ccm_auth_queue_length` shows the load.");
    /// More passwords wait to be hashed than the queue holds.
    PASSWORD_QUEUE_FULL = ("password.queue-full", 503, "Try again a little later; `ccm_auth_queue_length` shows the load.");
    /// Too many wrong passwords lately: this one was not looked at.
    CHECK_RATE_LIMITED = ("check.rate-limited", 429, "Try again later, after `Retry-After`; the quotas stand in section `limits` of the configuration.");
    /// The tenant has no such API token.
    API_TOKEN_NOT_FOUND = ("api-token.not-found", 404, "Check the id with `signet api-token list`, and the tenant with `--tenant`.");
    /// The API token's end is not allowed.
    API_TOKEN_INVALID_EXPIRY = ("api-token.invalid-expiry", 400, "Let the token end in the future, at most ten years from now.");
    /// The API token was revoked.
    API_TOKEN_REVOKED = ("api-token.revoked", 401, "An owner makes a new one: `signet api-token create --role ROLE --expires 90d`.");
    /// The token is good, and its issuer's tenant does not exist here.
    BEARER_TENANT_UNKNOWN = ("bearer.tenant-unknown", 403, "A platform operator makes the tenant: `signet tenant create NAME`.");
    /// The Tenant Manager, or the issuer that Signet logs in at for it, refuses Signet.
    TENANT_MANAGER_REFUSED = ("tenant-manager.refused", 502, "Check client id and secret in the section [tenant_manager], and that the client has the scope `kaa:tenant:read`.");
    /// The Tenant Manager's answer cannot be understood.
    TENANT_MANAGER_ANSWER = ("tenant-manager.answer-invalid", 502, "Check that `tenant_manager.url` names a Tenant Manager and nothing else.");
}
