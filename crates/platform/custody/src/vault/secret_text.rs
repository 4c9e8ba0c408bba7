//! A token, secret id or JWT as people and tools write it: with a line end behind it, which is trimmed, and with nothing else that
//! could not stand in a header. The value appears in no error.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use signet_crypto::Secret;
use zeroize::Zeroizing;

use super::{SecretSource, VaultError};
use crate::secret_file::{self, Links};

/// Longest file, in bytes; a JWT of Kubernetes has about 1,000.
const LONGEST: usize = 16 * 1024;

/// Reads a secret for a login. The files are small and read a few times an hour, so this is done where it stands.
pub(super) fn read(source: &SecretSource) -> Result<Secret, VaultError> {
    match source {
        SecretSource::File(path) => trimmed(&secret_file::read(path, LONGEST, Links::Follow)?, path),
        SecretSource::Given(secret) => trimmed(secret, Path::new("the settings")),
    }
}

/// Reads the token of a pod's service account, which every user of the pod may read by design.
pub(super) fn read_presented(path: &Path) -> Result<Secret, VaultError> {
    let bad = |what: &'static str| VaultError::BadTokenFile { path: path.to_owned(), what };
    let unreadable = |why: String| VaultError::Config(format!("{} cannot be read: {why}", path.display()));
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| unreadable(errno.to_string()))?;
    let stat = rustix::fs::fstat(&file).map_err(|errno| unreadable(errno.to_string()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(bad("it is no regular file"));
    }
    let most = LONGEST.saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(most));
    let mut file = std::fs::File::from(file).take(u64::try_from(most).unwrap_or(u64::MAX));
    file.read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    trimmed(&Secret::from(std::mem::take(&mut *bytes)), path)
}

fn trimmed(secret: &Secret, place: &Path) -> Result<Secret, VaultError> {
    let bad = |what: &'static str| VaultError::BadTokenFile { path: PathBuf::from(place), what };
    let bytes = secret.expose();
    if bytes.len() > LONGEST {
        return Err(bad("it is longer than 16384 bytes"));
    }
    let value = bytes.trim_ascii();
    if value.is_empty() {
        return Err(bad("it is empty"));
    }
    if value.iter().any(u8::is_ascii_whitespace) {
        return Err(bad("it holds more than one word or line"));
    }
    if !value.iter().all(u8::is_ascii_graphic) {
        return Err(bad("it holds characters that no token has: a byte order mark, UTF-16, control characters"));
    }
    Ok(Secret::from(value))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::vault::error::CUSTODY_BAD_TOKEN_FILE;

    fn file(content: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    #[test]
    fn line_ends_and_blanks_around_a_token_are_trimmed() {
        for content in ["hvs.abc", "hvs.abc\n", "hvs.abc\r\n", "  hvs.abc \t\n\n"] {
            let (_dir, path) = file(content.as_bytes(), 0o600);
            assert_eq!(read(&SecretSource::File(path.clone())).unwrap().expose(), b"hvs.abc", "{content:?}");
            assert_eq!(read_presented(&path).unwrap().expose(), b"hvs.abc", "{content:?}");
            let given = SecretSource::Given(std::sync::Arc::new(Secret::from(content)));
            assert_eq!(read(&given).unwrap().expose(), b"hvs.abc");
        }
    }

    #[test]
    fn what_is_no_token_is_named_without_its_value() {
        let longest = "x".repeat(LONGEST + 1);
        for content in ["", " \r\n", "hvs.abc\nhvs.def", "hvs.abc def", "\u{feff}hvs.abc", "hvs.a\u{7}bc", "hvs.ä"] {
            let (_dir, path) = file(content.as_bytes(), 0o600);
            for error in [read(&SecretSource::File(path.clone())).unwrap_err(), read_presented(&path).unwrap_err()] {
                assert_eq!(error.reason().code, CUSTODY_BAD_TOKEN_FILE.code, "{content:?}: {error}");
                assert!(!format!("{error} {error:?}").contains("hvs"), "{error}");
            }
        }
        let (_dir, path) = file(longest.as_bytes(), 0o644);
        assert_eq!(read_presented(&path).unwrap_err().reason().code, CUSTODY_BAD_TOKEN_FILE.code);
    }

    #[test]
    fn a_token_that_others_can_read_is_refused_and_the_pods_own_is_not() {
        let (dir, path) = file(b"hvs.abc\n", 0o644);
        assert_eq!(read(&SecretSource::File(path.clone())).unwrap_err().reason().code, "secret-file.too-wide");
        assert!(read_presented(&path).is_ok());
        assert!(read_presented(dir.path()).is_err() && read_presented(&dir.path().join("none")).is_err());
    }
}
