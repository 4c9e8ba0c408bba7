//! A full disk: reads and checks go on, what must write is refused in words, nothing is corrupt, and space is enough to
//! recover.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use signet_testkit::process;
use signet_tests::{Output, Rest, Server, run, within};

use crate::tampering::copy_directory;

/// A server on a small disk of its own, seen through its mount namespace.
struct SmallDisk {
    server: Server,
    scratch: tempfile::TempDir,
    data: PathBuf,
}

impl SmallDisk {
    fn open() -> Self {
        let scratch = signet_testkit::scratch_dir("full").unwrap();
        let mounted = scratch.path().join("disk");
        std::fs::create_dir(&mounted).unwrap();
        let inside = mounted.join("d");
        let arguments = ["up", "--data-dir", inside.to_str().unwrap(), "--any-port", "-o", "json"];
        let server = Server::try_start_on_small_disk(scratch.path(), &mounted, 24, &arguments).unwrap();
        let data = PathBuf::from(format!("/proc/{}/root{}", server.pid(), inside.display()));
        Self { server, scratch, data }
    }

    fn run(&self, arguments: &[&str], stdin: &str) -> Output {
        let all: Vec<&str> = arguments.iter().copied().chain(["--tenant", "acme", "-o", "json"]).collect();
        run(self.scratch.path(), &[("SIGNET_DATA_DIR", self.data.to_str().unwrap())], all, stdin.as_bytes())
    }

    /// Takes what is free, down to the last page.
    fn fill(&self) {
        let ballast = self.data.parent().unwrap().join("ballast");
        let mut file = std::fs::File::options().create(true).append(true).open(ballast).unwrap();
        for size in [1 << 20, 4096, 1] {
            let block = vec![0x5a; size];
            while std::io::Write::write_all(&mut file, &block).is_ok() {}
        }
    }

    /// The disk goes with the last process that sees it, so another one holds it while the server stops.
    fn stop_and_copy_out(&mut self) {
        let mut holding = process::bound_to_us("KILL", "nsenter");
        holding.args(["--target", &self.server.pid().to_string(), "--mount"]);
        if !signet_testkit::debian::is_root() {
            holding.args(["--user", "--preserve-credentials"]);
        }
        holding.args(["--", "sleep", "600"]);
        let mut holder = process::spawn(holding).unwrap();
        let same_disk = |pid| std::fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
        let server = self.server.pid();
        assert!(within(Duration::from_secs(10), || same_disk(holder.id()) == same_disk(server)));
        assert!(self.server.terminate().unwrap().success());
        let inside = self.data.strip_prefix(format!("/proc/{server}/root")).unwrap();
        copy_directory(&Path::new(&format!("/proc/{}/root", holder.id())).join(inside), &self.scratch.path().join("copy"));
        holder.kill().unwrap();
        holder.wait().unwrap();
    }

    fn make_room(&self) {
        std::fs::remove_file(self.data.parent().unwrap().join("ballast")).unwrap();
    }
}

#[test]
fn reads_and_checks_go_on_and_writes_are_refused_until_there_is_room() {
    let mut disk = SmallDisk::open();
    disk.run(&["tenant", "create", "acme"], "").exits(0);
    disk.run(&["identity", "create", "dev-1", "--kind", "device"], "").exits(0);
    let create = |name| disk.run(&["credential", "create", "basic", name, "--identity", "dev-1", "--password-stdin"], "pw").ok();
    let bob = create("bob")["id"].as_str().unwrap().to_owned();
    create("unused");
    let check = |disk: &SmallDisk, name: &str| disk.run(&["credential", "check", &format!("{name}@acme"), "--password-stdin"], "pw");
    check(&disk, "bob").exits(0);
    let rest = Rest::new(disk.server.listener("api"), &disk.data);
    let suspend = format!("/api/v1/tenants/acme/credentials/{bob}/suspend");

    disk.fill();
    // The last free pages of the database and of its log may take a few writes more.
    let refused = within(Duration::from_secs(60), || {
        let answer = rest.post("/api/v1/tenants/acme/identities", &json!({"name": filler_name(), "kind": "device"}));
        disk.fill();
        answer.status == 503 && answer.reason() == "storage.full"
    });
    assert!(refused, "a full disk is called by its name; log: {}", disk.server.log_text());
    let told = disk.run(&["credential", "suspend", &bob], "");
    told.refused(7, "storage.full");
    assert!(told.error()["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{}", told.stderr);
    for _ in 0..3 {
        check(&disk, "bob").exits(0);
        disk.run(&["credential", "list"], "").exits(0);
        disk.run(&["audit", "list", "--object", &bob], "").exits(0);
    }
    let first_use = check(&disk, "unused");
    assert_ne!(first_use.code, 0, "a first use must be written: {first_use:?}");
    assert!(disk.server.is_running());

    disk.make_room();
    let mut last = String::new();
    let recovered = within(Duration::from_secs(60), || {
        let answer = rest.post(&suspend, &json!({}));
        last = answer.text();
        answer.status == 200
    });
    assert!(recovered, "room is enough: {last}");
    check(&disk, "unused").exits(0);
    check(&disk, "bob").refused(3, "credential.suspended");
    disk.stop_and_copy_out();
    assert_eq!(disk.run(&["audit", "verify", "--data-dir", "copy"], "").ok()["ok"], json!(true));
    assert_eq!(integrity(&disk.scratch.path().join("copy/signet.db")), "ok");
}

fn filler_name() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("filler-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn integrity(database: &Path) -> String {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = rusqlite::Connection::open_with_flags(database, flags).unwrap();
    database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
}
