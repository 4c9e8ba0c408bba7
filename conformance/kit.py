"""Starts a nats-server and a Signet, runs its command line, counts checks. Everything binds to loopback and ends with us."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import tomllib
import urllib.parse


class Report:
    """Counts checks and prints one line for each."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, what, ok, seen=""):
        if ok:
            self.passed += 1
            print(f"PASS {what}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL {what} | saw {str(seen)[:500]}", flush=True)
        return bool(ok)

    def equal(self, what, seen, expected):
        return self.check(what, seen == expected, f"{seen!r}, expected {expected!r}")


def needed(variable):
    """A variable that xtask sets. A suite without its servers fails; it is never skipped."""
    value = os.environ.get(variable)
    if not value:
        raise SystemExit(f"{variable} is not set: run `cargo xtask test`, or see conformance/README.md")
    return value


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def bound_to_us(signal_name, *command):
    """The command gets the signal when this process dies, however it dies."""
    return ["setpriv", "--pdeathsig", signal_name, "--", *map(str, command)]


class NatsServer:
    """A nats-server of this run's own: Kaa's subjects are the same in every installation."""

    def __init__(self, directory):
        program = shutil.which("nats-server") or "/usr/sbin/nats-server"
        port = free_port()
        self.url = f"nats://127.0.0.1:{port}"
        log = open(directory / "nats.log", "wb")
        self.process = subprocess.Popen(bound_to_us("TERM", program, "-a", "127.0.0.1", "-p", port), stdout=log, stderr=log)
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.02)
        raise SystemExit("nats-server did not start: " + (directory / "nats.log").read_text())

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class Signet:
    """A running Signet on a NATS, and its command line."""

    def __init__(self, directory, nats_url, production, settings=""):
        self.directory = directory
        self.binary = pathlib.Path(needed("SIGNET_BIN")).resolve()
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("SIGNET_")}
        self.environment.update(SIGNET_DATA_DIR=str(directory / "d"), NO_COLOR="1")
        if production:
            configuration = (
                f'roles = ["api", "worker"]\ndata_dir = "{directory / "d"}"\n'
                f'[database]\nurl = "{fresh_database()}"\n[nats]\nurl = "{nats_url}"\n{settings}'
            )
            (directory / "signet.toml").write_text(configuration)
            arguments = ["serve", "--config", directory / "signet.toml"]
        else:
            arguments = ["up", "--data-dir", directory / "d", "--nats", nats_url]
            for section, keys in tomllib.loads(settings).items():
                variables = {f"SIGNET_{section}__{key}".upper(): value if isinstance(value, str) else json.dumps(value) for key, value in keys.items()}
                self.environment.update(variables)
        self.log = directory / "signet.log"
        self.process, self.ready = self.start(*arguments, "--any-port")

    def start(self, *arguments):
        """A process that has said that it is ready, and what it said."""
        process = subprocess.Popen(
            bound_to_us("KILL", self.binary, *arguments, "-o", "json"),
            env=self.environment, cwd=self.directory, stdout=subprocess.PIPE, stderr=open(self.log, "ab"), text=True,
        )
        line = process.stdout.readline()
        try:
            return process, json.loads(line)
        except ValueError:
            raise SystemExit(f"signet did not become ready: {line!r} {self.log.read_text()[-3000:]}") from None

    def run(self, *arguments, stdin=""):
        """Exit code, JSON of standard output or None, standard error."""
        done = subprocess.run(
            [self.binary, *arguments, "-o", "json"], input=stdin, capture_output=True, text=True,
            env=self.environment, cwd=self.directory, timeout=60,
        )
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            answer = None
        return done.returncode, answer, done.stderr

    def ok(self, *arguments, stdin=""):
        """The JSON of a command that must succeed."""
        code, answer, errors = self.run(*arguments, stdin=stdin)
        if code != 0:
            raise AssertionError(f"signet {' '.join(arguments)} ended with {code}: {errors}")
        return answer

    def stop(self):
        return ended(self.process)


class DropIn(Signet):
    """Two replicas in the place of Kaa's CCM, from a file made of its own keys. Only the first keeps a directory, for the command line."""

    def __init__(self, directory, nats_url, settings=""):
        self.directory = directory
        self.binary = pathlib.Path(needed("SIGNET_BIN")).resolve()
        self.database = fresh_database()
        database = urllib.parse.urlsplit(self.database)
        (directory / "service-config.yml").write_text(
            f"service:\n  instance:\n    name: ccm\nserver:\n  port: 0\nkaa:\n  postgresql:\n    host: {database.hostname}\n"
            f"    port: {database.port}\n    database: {database.path[1:]}\n    username: {database.username}\n    password: '{database.password}'\n"
            f"    sslmode: disable\n    max-open-connections: 30\n{settings}"
        )
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("SIGNET_")}
        self.environment.update(APP_CONFIG_PATH=str(directory / "service-config.yml"), NATS_URLS=nats_url, NO_COLOR="1")
        # Both replicas are on one machine, where a fixed port has room for one.
        self.environment.update(SIGNET_LISTEN__REVOCATION="127.0.0.1:0")
        self.log = directory / "signet.log"
        self.open()

    def open(self):
        self.process, self.ready = self.start("compat", "kaa-ccm", "--data-dir", self.directory / "d")
        self.second, second_ready = self.start("compat", "kaa-ccm")
        self.bases = ["http://" + ready["listeners"]["http"].replace("0.0.0.0", "127.0.0.1") for ready in (self.ready, second_ready)]
        self.environment["SIGNET_DATA_DIR"] = str(self.directory / "d")

    def restart(self):
        """Both replicas end, and are started again from the same file; the exit code of the one that ended worse."""
        code = self.stop()
        # Of the command line only: each replica has its own directory, or none.
        del self.environment["SIGNET_DATA_DIR"]
        self.open()
        return code

    def query(self, sql):
        """What psql says, bare."""
        return subprocess.run(["psql", "-X", "-q", "-t", "-A", "-d", self.database, "-c", sql], check=True, capture_output=True, text=True).stdout

    def stop(self):
        return max(ended(self.second), ended(self.process), key=abs)


def ended(process):
    """How it ended after SIGTERM, or after SIGKILL when that did not help."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(45)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


_databases = 0


def fresh_database():
    """An empty database of its own on the PostgreSQL that xtask started."""
    global _databases
    _databases += 1
    admin = needed("SIGNET_TEST_POSTGRES")
    name = f"conformance_{os.getpid()}_{_databases}"
    subprocess.run(["psql", "-X", "-q", "-d", admin, "-c", f"CREATE DATABASE {name}"], check=True)
    return admin.rsplit("/", 1)[0] + "/" + name


def scratch():
    return pathlib.Path(tempfile.mkdtemp(prefix="signet-conformance-"))
