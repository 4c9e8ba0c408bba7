"""Certificates under foreign eyes: OpenSSL, GnuTLS and Go verify what is issued, pkilint reads every certificate, CRL and OCSP answer."""

import json
import pathlib
import re
import subprocess
import sys
import time
import urllib.request

import kit

# Keys of requests that OpenSSL makes: name, arguments of `openssl genpkey`.
KEYS = {
    "p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "ed25519": ["-algorithm", "ED25519"],
    "rsa2048": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "rsa4096": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"],
}
TENANT = "acme"
PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.S)
LINTERS = pathlib.Path(sys.executable).parent
# What pkilint says of the profile `kaa`, whose form is the original's (`docs/reference/lints.md`): an RSA key that may agree on keys, and
# the common name as DNS name whatever it is.
OF_KAA = {"pkix.key_usage_value_prohibited_for_rsa", "pkix.invalid_domain_name_syntax"}


class Issued:
    """A certificate with its chain, as the command line gave them."""

    def __init__(self, answer, chain, key):
        self.id, self.serial, self.chain, self.key = answer["id"], int(answer["serial"]), chain, key


def tool(directory, *command):
    return subprocess.run([str(part) for part in command], cwd=directory, capture_output=True, text=True, timeout=60)


async def run(report, signet, _nats_url):
    place = signet.directory
    signet.ok("tenant", "create", TENANT)
    tenant = ("--tenant", TENANT)
    signet.ok("identity", "create", "dev-1", "--kind", "device", *tenant)
    signet.ok("cert", "rules", "set", "-", *tenant, stdin=json.dumps({"profiles": ["device", "kaa", "service"], "dns": ["*.example"]}))
    anchors = place / "a.pem"
    anchors.write_text(plain(signet, "ca", "bundle", *tenant))
    issued = [requested(report, signet, place, tenant, name) for name in KEYS]
    issued += [generated(report, signet, place, tenant, name, []) for name in KEYS]
    issued += [generated(report, signet, place, tenant, "rsa2048 kaa", ["--profile", "kaa"])]
    issued += [generated(report, signet, place, tenant, "p256 service", ["--profile", "service", "--name", "dns:gw.example"])]
    verified_abroad(report, place, anchors, issued)
    linted(report, place, anchors, issued)
    handshake(report, place, anchors, issued[0])
    revocation(report, signet, place, tenant, issued[0])
    rotated(report, signet, place, tenant, anchors)


def plain(signet, *arguments):
    """Standard output of a command that gives PEM."""
    done = subprocess.run([signet.binary, *arguments], capture_output=True, text=True, env=signet.environment, cwd=signet.directory, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"signet {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def requested(report, signet, place, tenant, name):
    """A certificate for a key that OpenSSL made and keeps."""
    key, request, chain = (place / f"csr-{name}.{ending}" for ending in ("key", "csr", "pem"))
    tool(place, "openssl", "genpkey", *KEYS[name], "-out", key)
    tool(place, "openssl", "req", "-new", "-key", key, "-subj", "/CN=dev-1", "-out", request)
    code, answer, errors = signet.run("cert", "issue", "--csr", request, "--identity", "dev-1", "--out-cert", chain, *tenant)
    report.equal(f"a request with a {name} key is granted", (code, errors), (0, ""))
    return Issued(answer, chain, key)


def generated(report, signet, place, tenant, what, profile):
    """A certificate for a key that Signet makes and forgets."""
    name = what.replace(" ", "-")
    key, chain = place / f"made-{name}.key", place / f"made-{name}.pem"
    code, answer, errors = signet.run(
        "cert", "issue", "--generate-key", what.split()[0], "--common-name", "dev-1", "--identity", "dev-1",
        "--out-key", key, "--out-cert", chain, *profile, *tenant,
    )
    report.equal(f"a {what} key is made with its certificate", (code, errors), (0, ""))
    pair = [tool(place, "openssl", "x509", "-in", chain, "-noout", "-pubkey").stdout, tool(place, "openssl", "pkey", "-in", key, "-pubout").stdout]
    report.check(f"key and certificate of {what} are a pair", pair[0] and pair[0] == pair[1], pair)
    return Issued(answer, chain, key)


def verified_abroad(report, place, anchors, issued):
    """Three verifiers that share no code with Signet."""
    for certificate in issued:
        name = certificate.chain.name
        openssl = tool(place, "openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", anchors, "-untrusted", certificate.chain, certificate.chain)
        report.check(f"OpenSSL verifies {name}", openssl.returncode == 0, openssl.stdout + openssl.stderr)
        gnutls = tool(place, "certtool", "--verify", "--load-ca-certificate", anchors, "--infile", certificate.chain)
        report.check(f"GnuTLS verifies {name}", gnutls.returncode == 0, gnutls.stdout + gnutls.stderr)
    go = tool(place, kit.needed("SIGNET_GO_VERIFIER"), anchors, *(certificate.chain for certificate in issued))
    report.check("Go verifies every chain", go.returncode == 0 and go.stdout.count(": OK") == len(issued), go.stdout + go.stderr)


def linted(report, place, anchors, issued):
    """Every certificate of every chain, and the anchors."""
    kaa = next(PEM.findall(certificate.chain.read_text())[0] for certificate in issued if "kaa" in certificate.chain.name)
    texts = [text for file in [anchors, *(certificate.chain for certificate in issued)] for text in PEM.findall(file.read_text())]
    distinct = sorted(set(texts))
    report.check("leaf, tenant and platform authority are there", len(distinct) >= len(issued) + 2, len(distinct))
    for number, text in enumerate(distinct):
        file = place / f"lint-{number}.pem"
        file.write_text(text)
        subject = tool(place, "openssl", "x509", "-in", file, "-noout", "-subject").stdout.strip()
        lint(report, place, f"certificate {number} ({subject})", "lint_pkix_cert", file, wanted=OF_KAA if text == kaa else set())


def lint(report, place, what, linter, file, *options, wanted=frozenset()):
    found = tool(place, LINTERS / linter, "lint", "-s", "WARNING", "-f", "JSON", *options, file)
    try:
        results = json.loads(found.stdout)["results"]
    except ValueError:
        report.check(f"pkilint reads {what}", False, found.stdout + found.stderr)
        return
    codes = {finding["code"] for result in results for finding in result["finding_descriptions"]}
    report.equal(f"pkilint finds what it should in {what}", codes, set(wanted))


def handshake(report, place, anchors, certificate):
    """A TLS server that asks for a client certificate takes it."""
    tool(place, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "s.key", "-out", "s.pem",
        "-subj", "/CN=localhost", "-days", "1")
    port = kit.free_port()
    server = subprocess.Popen(
        kit.bound_to_us("KILL", "openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", "s.pem", "-key", "s.key", "-CAfile", anchors,
                        "-Verify", "3", "-verify_return_error", "-www"),
        cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    try:
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-cert", certificate.chain, "-cert_chain", certificate.chain,
                   "-key", certificate.key, "-CAfile", "s.pem", "-verify_return_error", "-ign_eof"]
        for _ in range(100):
            client = subprocess.run([str(part) for part in command], cwd=place, input="GET / HTTP/1.0\r\n\r\n", capture_output=True, text=True, timeout=30)
            if "Connection refused" not in client.stderr:
                break
            time.sleep(0.05)
        report.check("a TLS server that demands a client certificate answers", "HTTP/1.0 200" in client.stdout, client.stdout[-800:] + client.stderr[-800:])
    finally:
        server.kill()
        server.wait()
    nobody = "peer did not return a certificate"
    report.check("and the same server had a certificate to look at", nobody not in server.stdout.read(), nobody)


def revocation(report, signet, place, tenant, certificate):
    """The CRL that the certificate names and the OCSP responder agree with every state, under OpenSSL's and pkilint's eyes."""
    text = tool(place, "openssl", "x509", "-in", certificate.chain, "-noout", "-text").stdout
    crl_url = re.search(r"URI:(http\S+\.crl)", text)
    ocsp_url = re.search(r"OCSP - URI:(\S+)", text)
    if not report.check("the certificate names its CRL and its OCSP responder", crl_url and ocsp_url, text):
        return
    crl_url, ocsp_url = crl_url.group(1), ocsp_url.group(1)
    chain = PEM.findall(certificate.chain.read_text())
    (place / "issuer.pem").write_text(chain[1])
    numbers = []

    def agree(state, on_crl, ocsp_word):
        (place / "c.crl").write_bytes(urllib.request.urlopen(crl_url, timeout=10).read())
        crl = tool(place, "openssl", "crl", "-inform", "DER", "-in", "c.crl", "-noout", "-text", "-CAfile", "issuer.pem")
        report.check(f"{state}: OpenSSL verifies the CRL", "verify OK" in crl.stderr + crl.stdout, crl.stderr)
        listed = f"{certificate.serial:X}" in crl.stdout.replace(":", "").upper()
        report.equal(f"{state}: on the CRL", listed, on_crl)
        numbers.append(int(re.search(r"CRL Number:\s*\n?\s*(\d+)", crl.stdout).group(1)))
        lint(report, place, f"the CRL, {state}", "lint_crl", "c.crl", "-t", "CRL", "-p", "PKIX")
        answer = tool(place, "openssl", "ocsp", "-issuer", "issuer.pem", "-cert", certificate.chain, "-url", ocsp_url, "-CAfile", "a.pem",
                     "-verify_other", "issuer.pem", "-respout", "o.der")
        report.check(f"{state}: OpenSSL takes the OCSP answer `{ocsp_word}`",
                     "Response verify OK" in answer.stderr and f": {ocsp_word}" in answer.stdout, answer.stdout + answer.stderr)
        lint(report, place, f"the OCSP answer, {state}", "lint_ocsp_response", "o.der")

    agree("never used", False, "good")
    signet.ok("cert", "suspend", certificate.id, *tenant)
    agree("suspended", True, "revoked")
    signet.ok("cert", "resume", certificate.id, *tenant)
    agree("resumed", False, "good")
    signet.ok("cert", "revoke", certificate.id, "--reason", "superseded", "--yes", *tenant)
    agree("revoked", True, "revoked")
    report.check("CRL numbers rise", numbers == sorted(set(numbers)), numbers)
    unknown = tool(place, "openssl", "ocsp", "-issuer", "issuer.pem", "-serial", "0x1234567890", "-url", ocsp_url, "-CAfile", "a.pem")
    report.check("a serial number that was never given is unknown", ": unknown" in unknown.stdout, unknown.stdout + unknown.stderr)


def rotated(report, signet, place, tenant, anchors):
    """Both generations verify in the overlap, from one bundle."""
    for step in ("prepare", "activate"):
        signet.ok("ca", "rotate", step, "--yes", *tenant)
    chain = place / "second.pem"
    signet.ok("cert", "issue", "--generate-key", "p256", "--common-name", "dev-1", "--identity", "dev-1", "--out-key", "second.key", "--out-cert", chain, *tenant)
    go = tool(place, kit.needed("SIGNET_GO_VERIFIER"), anchors, chain, place / "csr-p384.pem")
    report.check("certificates of both generations verify", go.returncode == 0, go.stdout + go.stderr)
    bundle = plain(signet, "ca", "bundle", "--tenant-cas", *tenant)
    report.check("the bundle holds both generations", len(PEM.findall(bundle)) >= 3, json.dumps(bundle)[:300])
