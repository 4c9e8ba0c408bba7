//! Writing and reading secret files: modes, kinds, races, full and read-only directories.

use std::os::unix::fs::symlink;
use std::path::Path;

use signet_custody::CustodyError;
use signet_custody::secret_file::{Links, create_new, read, replace};
use signet_model::Refusal;

use crate::{mkfifo, mode, names, set_mode};

fn content(path: &Path) -> Result<Vec<u8>, CustodyError> {
    read(path, 64, Links::Refuse).map(|secret| secret.expose().to_vec())
}

#[test]
fn a_new_file_is_0600_and_whole_and_leaves_nothing_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("operator.token");
    create_new(&path, b"secret").unwrap();
    assert_eq!((mode(&path), content(&path).unwrap()), (0o600, b"secret".to_vec()));
    assert_eq!(names(directory.path()), ["operator.token"]);
}

#[test]
fn what_is_there_is_not_overwritten_by_a_new_file() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("file"), "old").unwrap();
    std::fs::create_dir(at("directory")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    symlink("file", at("link")).unwrap();
    mkfifo(&at("fifo"));
    for name in ["file", "directory", "dangling", "link", "fifo"] {
        let error = create_new(&at(name), b"new").unwrap_err();
        assert!(matches!(error, CustodyError::Exists { .. }), "{name}: {error}");
    }
    assert_eq!(std::fs::read(at("file")).unwrap(), b"old");
    assert_eq!(names(directory.path()), ["dangling", "directory", "fifo", "file", "link"]);
}

#[test]
fn replacing_narrows_an_old_wide_file_and_refuses_what_is_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("token"), "old").unwrap();
    set_mode(&at("token"), 0o644);
    replace(&at("token"), b"new").unwrap();
    assert_eq!((mode(&at("token")), content(&at("token")).unwrap()), (0o600, b"new".to_vec()));
    replace(&at("fresh"), b"first").unwrap();
    assert_eq!((mode(&at("fresh")), content(&at("fresh")).unwrap()), (0o600, b"first".to_vec()));

    std::fs::create_dir(at("directory")).unwrap();
    symlink("token", at("link")).unwrap();
    mkfifo(&at("fifo"));
    for (name, kind) in [("directory", "a directory"), ("link", "a symbolic link"), ("fifo", "a FIFO")] {
        let error = replace(&at(name), b"x").unwrap_err();
        assert!(error.to_string().contains(kind), "{error}");
        assert_eq!(error.reason().code, "secret-file.invalid");
    }
    assert_eq!(content(&at("token")).unwrap(), b"new", "not written through the link");
}

#[test]
fn a_file_that_others_can_touch_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("seal key");
    create_new(&path, b"secret").unwrap();
    for wide in [0o644, 0o640, 0o620, 0o601, 0o602, 0o604, 0o666, 0o700, 0o777, 0o4600] {
        set_mode(&path, wide);
        let error = content(&path).unwrap_err();
        assert!(matches!(error, CustodyError::TooWide { mode, .. } if mode == wide), "{wide:o}: {error}");
        let refusal = Refusal::from(error);
        assert_eq!(refusal.reason.code, "secret-file.too-wide");
        assert!(refusal.fix().contains(&format!("`chmod 600 '{}'`", path.display())), "{}", refusal.fix());
    }
    for narrow in [0o600, 0o400] {
        set_mode(&path, narrow);
        assert_eq!(content(&path).unwrap(), b"secret", "{narrow:o}");
    }
}

#[test]
fn the_line_of_the_fix_mends_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("it's a $key");
    create_new(&path, b"secret").unwrap();
    set_mode(&path, 0o644);
    let refusal = Refusal::from(content(&path).unwrap_err());
    let line = refusal.fix().split('`').nth(1).unwrap();
    assert!(std::process::Command::new("sh").args(["-c", line]).status().unwrap().success(), "{line}");
    assert_eq!(content(&path).unwrap(), b"secret");
}

#[test]
fn only_regular_files_are_read_and_nothing_waits() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    create_new(&at("file"), b"secret").unwrap();
    std::fs::create_dir(at("directory")).unwrap();
    symlink("file", at("link")).unwrap();
    mkfifo(&at("fifo"));
    let _listener = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    for name in ["directory", "link", "fifo", "socket"] {
        let error = content(&at(name)).unwrap_err();
        assert_eq!(error.reason().code, "secret-file.invalid", "{name}: {error}");
    }
    assert_eq!(content(Path::new("/dev/null")).unwrap_err().reason().code, "secret-file.invalid");
    assert_eq!(content(&at("absent")).unwrap_err().reason().code, "secret-file.missing");
}

#[test]
fn a_link_is_followed_only_when_asked_and_its_target_must_be_narrow() {
    let directory = tempfile::tempdir().unwrap();
    let (target, link) = (directory.path().join("target"), directory.path().join("link"));
    create_new(&target, b"secret").unwrap();
    symlink(&target, &link).unwrap();
    assert_eq!(read(&link, 64, Links::Follow).unwrap().expose(), b"secret");
    set_mode(&target, 0o640);
    assert!(matches!(read(&link, 64, Links::Follow), Err(CustodyError::TooWide { mode: 0o640, .. })));
}

#[test]
fn the_length_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    create_new(&path, &[7; 64]).unwrap();
    assert_eq!(content(&path).unwrap().len(), 64);
    replace(&path, &[7; 65]).unwrap();
    assert!(matches!(content(&path), Err(CustodyError::TooLong { limit: 64, .. })));
}

#[test]
fn a_directory_that_is_not_there_or_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().unwrap();
    for path in [directory.path().join("no/such/secret"), "/proc/secret".into()] {
        for error in [create_new(&path, b"x").unwrap_err(), replace(&path, b"x").unwrap_err()] {
            assert_eq!(error.reason().code, "secret-file.unwritable", "{error}");
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        }
    }
    assert!(matches!(create_new(Path::new("/"), b"x"), Err(CustodyError::NotAFile { .. })));
}

#[test]
fn a_full_disk_leaves_the_old_secret_and_no_left_overs() {
    // A limit on the size of files, for one process, stands in for the full disk.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    create_new(&path, b"old").unwrap();
    let test = "files::what_a_limited_process_writes";
    let script = "ulimit -f 0; trap '' XFSZ; exec \"$0\" --exact \"$1\" --nocapture";
    let status = std::process::Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env("SIGNET_TEST_LIMITED", &path)
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(content(&path).unwrap(), b"old");
    assert_eq!(names(directory.path()), ["token"]);
}

/// By itself this replaces a file; under a limit on file sizes it must fail whole.
#[test]
fn what_a_limited_process_writes() {
    match std::env::var_os("SIGNET_TEST_LIMITED") {
        Some(path) => assert_eq!(replace(Path::new(&path), b"new").unwrap_err().reason().code, "secret-file.unwritable"),
        None => {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("token");
            replace(&path, b"new").unwrap();
            assert_eq!(content(&path).unwrap(), b"new");
        }
    }
}

#[test]
fn of_many_that_create_one_file_at_once_one_wins() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    let won: Vec<u8> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16_u8)
            .map(|n| {
                (
                    n,
                    scope.spawn({
                        let path = &path;
                        move || create_new(path, &[n; 32])
                    }),
                )
            })
            .collect();
        threads.into_iter().filter_map(|(n, thread)| thread.join().unwrap().is_ok().then_some(n)).collect()
    });
    assert_eq!(won.len(), 1);
    assert_eq!(content(&path).unwrap(), [won[0]; 32]);
    assert_eq!(names(directory.path()), ["secret"]);
}
