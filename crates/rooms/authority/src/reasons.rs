//! Why this room refuses.

signet_model::reasons! {
    /// The platform CA cannot issue CAs: its path length is 0.
    CA_PATHLEN_TOO_SHORT = ("ca.pathlen-too-short", 422, "Bring a platform CA whose basicConstraints has no pathlen, or one of at least 1.");
    /// The platform CA has expired, or ends too soon to issue anything.
    CA_EXPIRES_TOO_SOON = ("ca.expires-too-soon", 422, "Bring a platform CA that is valid now and for at least 30 more days.");
    /// The chain of the platform CA does not lead from it to its root.
    CA_CHAIN_BROKEN = ("ca.chain-broken", 422, "Put the issuer of the platform CA into the chain file, then the issuer's issuer, up to the root.");
    /// A file of the platform CA cannot be read.
    CA_FILE_UNREADABLE = ("ca.file-unreadable", 422, "Check that the file is there, that the server may read it, and that it is PEM or DER.");
    /// The configured platform CA is another one than the one that issued the tenants' CAs.
    CA_PLATFORM_CHANGED = ("ca.platform-changed", 409, "Put the former files back: the tenants' CAs are of that platform CA.");
    /// The tenant has no CA of that generation.
    CA_NOT_FOUND = ("ca.not-found", 404, "Look at `signet ca list`, and check the tenant with `--tenant`.");
    /// The tenant's CA is being made by another process.
    CA_BEING_MADE = ("ca.being-made", 503, "Try again in a few seconds.");
    /// That step of the rotation does not follow where the tenant's CAs stand.
    CA_ROTATION_OUT_OF_ORDER = ("ca.rotation-out-of-order", 409, "The steps are prepare, activate, taint, retire; see `signet ca list`.");
    /// No CA can be used: there is no platform CA, or it cannot sign.
    CA_UNAVAILABLE = ("ca.unavailable", 503, "Look at `signet doctor` and at the server's log for what its platform CA lacks.");
    /// The tenant has no such certificate.
    CERTIFICATE_NOT_FOUND = ("certificate.not-found", 404, "Check the id with `signet cert list`, and the tenant with `--tenant`.");
    /// The tenant's rules do not allow this certificate.
    CERTIFICATE_NOT_ALLOWED = ("certificate.not-allowed", 422, "Ask for what the rules of the tenant allow, or let an owner change them: `signet cert rules`.");
    /// A certificate of that issuer and serial number is known already.
    CERTIFICATE_KNOWN = ("certificate.known", 409, "Look for it with `signet cert list --serial SERIAL`; a certificate is the credential of one tenant.");
    /// The trust anchor that issued the certificate may not vouch for a name in it.
    CERTIFICATE_UNTRUSTED = ("certificate.untrusted", 422, "See what the anchor may vouch for with `signet ca anchor show ID`; a platform operator adds it anew with other names.");
    /// The public key was reported as compromised: nothing is issued for it any more.
    KEY_COMPROMISED = ("key.compromised", 422, "Make another key; this one is refused for good, for every tenant.");
    /// Too many keys are being made at once.
    KEY_QUEUE_FULL = ("key.queue-full", 503, "Try again a little later, or make the key yourself and send a CSR.");
    /// Random numbers are not to be had.
    RANDOM_UNAVAILABLE = ("random.unavailable", 503, "The machine's random source fails; nothing is issued until it works.");
    /// The tenant has no such trust anchor.
    ANCHOR_NOT_FOUND = ("anchor.not-found", 404, "Check the id with `signet ca anchor list`, and the tenant with `--tenant`.");
    /// The tenant has that trust anchor already.
    ANCHOR_EXISTS = ("anchor.exists", 409, "Look at it with `signet ca anchor list`, or remove it first: `signet ca anchor delete ID`.");
    /// The tenant has as many trust anchors as it may have.
    ANCHOR_TOO_MANY = ("anchor.too-many", 409, "Remove one that is no longer needed: `signet ca anchor delete ID`.");
    /// The certificate cannot be a trust anchor.
    ANCHOR_INVALID = ("anchor.invalid", 422, "Give the certificate of a foreign CA that is valid now, and names as `dns:DOMAIN`, `uri:PREFIX`, `ip:NETWORK`, `email:DOMAIN` or `cn:NAME`.");
}
