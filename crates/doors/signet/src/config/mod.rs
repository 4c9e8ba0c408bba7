//! The configuration: `signet.toml`, overridden by `SIGNET_SECTION__KEY`, overridden by flags. Unknown names are refused with
//! the nearest known one; nothing is ignored.

mod address;
mod authority;
mod callers;
mod choice;
mod environment;
pub(crate) mod file;
mod layers;
mod nearest;
mod outward;
mod sample;
mod schema;
mod value;

pub(crate) use address::{Address, DatabaseUrl, NatsUrl, SecretUrl};
pub(crate) use authority::{CaKey, CertificateForm, PlainUrl, SERVICE_ACCOUNT_TOKEN, VaultAuth};
pub(crate) use callers::Issuers;
pub(crate) use choice::{CustodyKind, LogFormat, LogLevel, Role, words};
pub(crate) use environment::apply_environment;
#[cfg(test)]
pub(crate) use file::apply_text;
pub(crate) use file::{apply_file, read_text};
pub(crate) use layers::{settings_of_serve, settings_of_up};
pub(crate) use nearest::nearest;
pub(crate) use outward::{HttpUrl, Networks};
pub(crate) use sample::{sample, show};
pub(crate) use schema::{Custody, Limits, Oidc, Set, Settings, TenantManager, Tls, Wrong};
pub(crate) use value::{Count, Instance, Raw, Setting, Span, quoted, wrong};

signet_model::reasons! {
    /// The configuration names a key that does not exist.
    CONFIG_UNKNOWN_KEY = ("config.unknown-key", 400, "Correct the name; `signet config sample` prints every key with its meaning.");
    /// A key of the configuration has a value that it cannot have.
    CONFIG_VALUE = ("config.value-invalid", 400, "Correct the value; `signet config sample` prints every key with an example.");
    /// The configuration file is not TOML.
    CONFIG_SYNTAX = ("config.syntax", 400, "Correct the file at the place named; `signet config sample` prints a well-formed one.");
    /// The configuration file is not encoded in UTF-8.
    CONFIG_ENCODING = ("config.encoding", 400, "Save the file as UTF-8, for example with `iconv -f UTF-16 -t UTF-8 OLD > NEW`.");
    /// The configuration file cannot be read.
    CONFIG_UNREADABLE = ("config.unreadable", 400, "Name a readable file with `--config FILE`; `signet config sample > FILE` makes one.");
}
