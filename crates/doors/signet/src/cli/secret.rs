//! Secrets for a command: from stdin, a file or the environment; never from an argument, which every process can read.

use std::io::{ErrorKind, Read as _};
use std::path::PathBuf;

use clap::Args;
use signet_crypto::password::PasswordError;
use signet_crypto::{PASSWORD_TOO_LONG, Secret};
use signet_model::Refusal;

use super::failure::{Failure, PASSPHRASE_SHORT, SECRET_MISSING, SECRET_UNREADABLE};

/// More than any password that is accepted, so that a longer one is refused with its own reason.
const LONGEST: u64 = 64 * 1024;

/// A password, or another secret, on its way to the server; known to be text.
pub(crate) struct Password(Secret);

impl Password {
    /// Its text.
    pub(crate) fn text(&self) -> &str {
        // Made from a String in every constructor.
        self.0.expose_str().unwrap_or_default()
    }

    /// Refuses the one kind of password that no credential has and that cannot be asked for.
    pub(crate) fn check_nul(&self) -> Result<(), Failure> {
        if self.text().contains('\0') { Err(Refusal::from(PasswordError::Nul).into()) } else { Ok(()) }
    }

    /// Whether it can be the password of a credential at all, so that one which cannot does not travel.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        signet_crypto::password::Password::new(self.0.duplicate()).map(|_| ()).map_err(|fault| Refusal::from(fault).into())
    }
}

/// Where the password comes from.
#[derive(Args, Clone, Debug)]
pub(crate) struct PasswordSource {
    /// Read the password from stdin; one line end at its end is dropped
    #[arg(long, conflicts_with = "password_file")]
    password_stdin: bool,
    /// Read the password from a file; one line end at its end is dropped. Without both: from SIGNET_PASSWORD
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordSource {
    /// Reads the password.
    pub(crate) fn read(&self) -> Result<Password, Failure> {
        let unreadable =
            |whence: &str, why: &dyn std::fmt::Display| Failure::new(&SECRET_UNREADABLE, format!("the password {whence}: {why}"));
        let fault = |whence: &str, e: &std::io::Error| match e.kind() {
            ErrorKind::FileTooLarge => Failure::new(&PASSWORD_TOO_LONG, format!("the password {whence} has {e}")),
            _ => unreadable(whence, e),
        };
        if self.password_stdin {
            return read_from(std::io::stdin().lock()).map_err(|e| fault("from stdin", &e));
        }
        if let Some(path) = &self.password_file {
            let whence = format!("file {}", path.display());
            let file = std::fs::File::open(path).map_err(|e| unreadable(&whence, &e))?;
            return read_from(file).map_err(|e| fault(&whence, &e));
        }
        match std::env::var_os("SIGNET_PASSWORD") {
            Some(value) => match value.into_string() {
                Ok(text) => Ok(Password(text.into())),
                Err(_) => Err(unreadable("in SIGNET_PASSWORD", &"not UTF-8")),
            },
            None => Err(Failure::usage(&SECRET_MISSING, "no password was given")),
        }
    }
}

/// Where the text of an endpoint token comes from, if it is not to be generated.
#[derive(Args, Clone, Debug)]
pub(crate) struct EndpointTokenSource {
    /// Read the token from stdin; one line end at its end is dropped. Without it and without a file one is generated
    #[arg(long, conflicts_with = "endpoint_token_file")]
    token_stdin: bool,
    /// Read the token from a file; one line end at its end is dropped
    #[arg(long, value_name = "FILE")]
    endpoint_token_file: Option<PathBuf>,
}

impl EndpointTokenSource {
    /// Reads the token, if one is given.
    pub(crate) fn read(&self) -> Result<Option<Password>, Failure> {
        let unreadable = |whence: &str, why: &dyn std::fmt::Display| Failure::new(&SECRET_UNREADABLE, format!("the token {whence}: {why}"));
        if self.token_stdin {
            return read_from(std::io::stdin().lock()).map(Some).map_err(|e| unreadable("from stdin", &e));
        }
        let Some(path) = &self.endpoint_token_file else { return Ok(None) };
        let whence = format!("file {}", path.display());
        let file = std::fs::File::open(path).map_err(|e| unreadable(&whence, &e))?;
        read_from(file).map(Some).map_err(|e| unreadable(&whence, &e))
    }
}

/// The passphrase of a ceremony, if there is to be one.
#[derive(Args, Clone, Debug)]
pub(crate) struct CeremonyPassphrase {
    /// Seal the root's key under the passphrase on stdin, of at least 12 characters; one line end at its end is dropped
    #[arg(long, conflicts_with = "passphrase_file")]
    passphrase_stdin: bool,
    /// Seal the root's key under the passphrase in a file. Without both it is not sealed
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// A passphrase that guards a root for decades is not short.
const SHORTEST_PASSPHRASE: usize = 12;

impl CeremonyPassphrase {
    /// Reads the passphrase, if one is given.
    pub(crate) fn read(&self) -> Result<Option<Secret>, Failure> {
        let unreadable =
            |whence: &str, why: &dyn std::fmt::Display| Failure::new(&SECRET_UNREADABLE, format!("the passphrase {whence}: {why}"));
        let read = if self.passphrase_stdin {
            read_from(std::io::stdin().lock()).map_err(|e| unreadable("from stdin", &e))?
        } else if let Some(path) = &self.passphrase_file {
            let whence = format!("file {}", path.display());
            let file = std::fs::File::open(path).map_err(|e| unreadable(&whence, &e))?;
            read_from(file).map_err(|e| unreadable(&whence, &e))?
        } else {
            return Ok(None);
        };
        if read.text().chars().count() < SHORTEST_PASSPHRASE {
            let detail = format!("the passphrase is shorter than {SHORTEST_PASSPHRASE} characters");
            return Err(Failure::new(&PASSPHRASE_SHORT, detail));
        }
        Ok(Some(read.0))
    }
}

fn read_from(reader: impl std::io::Read) -> std::io::Result<Password> {
    let mut bytes = Vec::new();
    reader.take(LONGEST.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LONGEST) {
        return Err(std::io::Error::new(ErrorKind::FileTooLarge, format!("more than {LONGEST} bytes")));
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Password(text.into())),
        // The error would carry the bytes; they are not shown.
        Err(_) => Err(std::io::Error::other("not UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_line_end_is_dropped() {
        for (bytes, text) in [
            (&b"pw"[..], "pw"),
            (b"pw\n", "pw"),
            (b"pw\r\n", "pw"),
            (b"pw\n\n", "pw\n"),
            (b"pw\r", "pw\r"),
            (b" pw ", " pw "),
            (b"", ""),
            (b"a\0b", "a\0b"),
        ] {
            assert_eq!(read_from(bytes).ok().as_ref().map(Password::text), Some(text), "{bytes:?}");
        }
        assert!(read_from(&b"\xff"[..]).map(|_| ()).is_err());
    }

    #[test]
    fn a_text_beyond_all_bounds_is_not_cut_to_a_wrong_length() {
        let most = vec![b'x'; usize::try_from(LONGEST).unwrap()];
        assert_eq!(read_from(&most[..]).ok().map(|password| password.text().len()), Some(most.len()));
        let error = read_from(std::io::repeat(b'x')).map(|_| ()).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::FileTooLarge, "more than 65536 bytes"));
    }
}
