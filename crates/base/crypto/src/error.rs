//! The reasons of this crate. The errors that carry them stand beside the code that refuses.

signet_model::reasons! {
    /// The password is empty.
    PASSWORD_EMPTY = ("password.empty", 400, "Give a password of 1 to 72 bytes.");
    /// The password is longer than 72 bytes, and bcrypt would ignore the rest.
    PASSWORD_TOO_LONG = ("password.too-long", 400, "Give a password of at most 72 bytes; a letter outside ASCII takes 2 to 4 of them.");
    /// The password has a NUL byte, where other implementations of bcrypt end it.
    PASSWORD_NUL = ("password.nul", 400, "Give a password without the byte 0.");
    /// The text is no bcrypt hash.
    PASSWORD_HASH = ("password.hash-invalid", 400, "Give a bcrypt hash of 60 characters that begins with $2a$, $2b$ or $2y$.");
    /// The bcrypt cost is outside what is allowed.
    PASSWORD_COST = ("password.cost-not-allowed", 400, "Use a cost from 4 to the highest that is verified here, which is 16; 10 takes about 60 ms.");
    /// The sealed secret was made with another seal key.
    SEAL_WRONG_KEY = ("seal.wrong-key", 503, "Restore the seal key that this data was sealed with (`[seal] key_file`, else `seal.key` in the data directory).");
    /// The sealed secret is damaged, or is not what it is used for.
    SEAL_DAMAGED = ("seal.damaged", 500, "Restore the named secret from a backup; `signet audit verify` tells whether records were altered too.");
    /// What seals and opens secrets cannot be used now.
    SEAL_UNAVAILABLE = ("seal.unavailable", 503, "Check the key file or the key service with `signet doctor`; the request can be repeated.");
}
