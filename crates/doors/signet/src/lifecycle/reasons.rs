//! Why a server cannot start, or a check of it fails.

signet_model::reasons! {
    /// Another process holds the data directory.
    DATA_DIR_IN_USE = ("data-dir.in-use", 409, "Stop the other process first, or give this one a directory of its own with `--data-dir DIR`.");
    /// The data directory cannot be used.
    DATA_DIR_UNUSABLE = ("data-dir.unusable", 400, "Name a directory that this user can write with `--data-dir DIR`.");
    /// No listener of this process has that name.
    LISTEN_UNKNOWN = ("listen.unknown", 400, "Name one of the listeners that `signet config sample` shows under [listen].");
    /// The certificate or key of a listener cannot be used.
    TLS_FILES = ("tls.files-invalid", 400, "Name a matching pair of PEM files by `tls.cert_file` and `tls.key_file`, or neither.");
}
