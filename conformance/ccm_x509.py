"""CCM's certificates as a dashboard, a script and a gateway of Kaa's meet them (kaa.md 14.4, 15.2, 16): two replicas of the drop-in
with a platform CA of openssl's making, and openssl to look at what it issues."""

import asyncio
import concurrent.futures
import re
import subprocess
import time
import uuid

from ccm_rest import DATE, call, refused
from gateway import Gateway, decode_whole, encode, schema

ASKED = schema("0022-certificate-authentication-request")
ANSWERED = schema("0022-certificate-authentication-response")
REVOKED = schema("0022-credentials-revoked")
ASKED_SUBJECT = "kaa.v1.service.ccm.cap.certificate-request"
REVOKED_SUBJECT = "kaa.v1.events.ccm.client-credentials.certificate.revoked"

READ, CREATE, UPDATE = (("tenant-system", f"tenant:x509-credentials:{verb}") for verb in ("read", "create", "update"))
ALL = (READ, CREATE, UPDATE)
X509 = "/api/v1/x509-credentials"

# As in cap_basic: long enough that it would have happened.
SILENCE = 0.5

CA = "[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = ca\n[name]\nCN = Kaaiot Platform\n[ca]\n" \
     "basicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign\nsubjectKeyIdentifier = hash\n"


def openssl(*arguments, text=None, good=True):
    done = subprocess.run(["openssl", *map(str, arguments)], input=text, capture_output=True, text=True)
    if good and done.returncode != 0:
        raise AssertionError(f"openssl {arguments}: {done.stderr}")
    return done.stdout


class Platform:
    """The platform's CA, as an operator of Kaa brings it."""

    def __init__(self, directory):
        self.directory = directory
        self.key, self.certificate = directory / "platform.key", directory / "platform.pem"
        (directory / "platform.cnf").write_text(CA)
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.key)
        self.key.chmod(0o600)
        openssl("req", "-x509", "-new", "-key", self.key, "-days", 3650, "-config", directory / "platform.cnf", "-out", self.certificate)

    def section(self):
        return f"  x509:\n    enabled: true\n    ca:\n      cert-file: {self.certificate}\n      key-file: {self.key}\n"

    def verifies(self, chain):
        """Whether openssl finds the way from the first certificate of a chain to the platform, for a client."""
        (self.directory / "chain.pem").write_text(chain)
        place = self.directory / "chain.pem"
        return "OK" in openssl("verify", "-purpose", "sslclient", "-CAfile", self.certificate, "-untrusted", place, place, good=False)

    def request(self, subject, *more):
        key = self.directory / f"{uuid.uuid4()}.key"
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        return openssl("req", "-new", "-key", key, "-subj", subject, *more)


def question(issuer, serial, **other):
    head = {"correlationId": str(uuid.uuid4()), "timestamp": int(time.time() * 1000), "timeout": 5000}
    return head | {"issuer": issuer, "serialNumber": serial} | other


class CertificateGateway(Gateway):
    """A gateway that has verified a client's certificate and asks whose it is."""

    async def connect(self):
        await super().connect()
        self.reply = "kaa.v1.replica.gw1.cap.certificate-response"
        await self.connection.subscribe(self.reply, cb=self._whose)
        await self.connection.subscribe(REVOKED_SUBJECT, cb=self._gone)
        await self.connection.flush()

    async def _whose(self, message):
        try:
            answer = decode_whole(ANSWERED, message.data)
        except Exception as error:  # whatever the library finds wrong is a finding
            self.undecodable.append((message.data, repr(error)))
        else:
            self.answers.setdefault(answer["correlationId"], []).append((answer, message.data))
        self.arrived.set()

    async def _gone(self, message):
        self.events.append(decode_whole(REVOKED, message.data))
        self.arrived.set()

    async def ask(self, record, seconds=20, surplus=b""):
        await self.connection.publish(ASKED_SUBJECT, encode(ASKED, record) + surplus, reply=self.reply)
        await self.connection.flush()
        await self.wait_for(lambda: record["correlationId"] in self.answers, seconds)
        answers = self.answers.get(record["correlationId"], [])
        return answers[0][0] if answers else None


async def run(report, ccm, cloud, platform, nats_url):
    one, two = ccm.bases
    gateway = CertificateGateway(nats_url)
    await gateway.connect()
    a, b = cloud.tenants
    tokens = {name: cloud.realms[name].token(*ALL) for name in (a, b)}
    await known(report, one, tokens)
    first = one_ca(report, ccm, platform, tokens[b], b)
    made = issued(report, one, platform, tokens[a], a)
    bad_orders(report, one, platform, tokens[a])
    authority(report, one, two, platform, tokens[a])
    lists(report, one, tokens[a], made)
    who_may(report, one, cloud, tokens, made, a, b)
    await checks(report, one, two, tokens[a], gateway, made, first, a, b)
    await life(report, one, two, tokens[a], gateway, made, a)
    no_key_is_kept(report, ccm, made)
    report.equal("no answer was undecodable", gateway.undecodable, [])
    twice = [correlation for correlation, answers in gateway.answers.items() if len(answers) > 1]
    report.equal("every request was answered once", twice, [])
    await gateway.close()
    after_a_restart(report, ccm, platform, tokens[a], made)


def after_a_restart(report, ccm, platform, token, made):
    """The tenant's authority and its key come back from the database and the platform's files alone, in both replicas."""
    report.equal("both replicas end well", ccm.restart(), 0)
    end = time.monotonic() + 30
    while (answers := [call(base, "POST", X509, token) for base in ccm.bases]) and {a.status for a in answers} != {201} and time.monotonic() < end:
        time.sleep(0.2)
    report.equal("both issue after a restart", [answer.status for answer in answers], [201, 201])
    chains = [answer.json()["certificateChain"] for answer in answers]
    before = certificates(made["certificateChain"])[1]
    report.equal("by the authority of before", {certificates(chain)[1] for chain in chains}, {before})
    report.check("and what they issue verifies", all(platform.verifies(chain) for chain in chains), chains)


async def known(report, base, tokens):
    end = time.monotonic() + 30
    while any(call(base, "GET", X509, token).status != 200 for token in tokens.values()) and time.monotonic() < end:
        await asyncio.sleep(0.2)
    report.equal("the tenants may ask", {call(base, "GET", X509, token).status for token in tokens.values()}, {200})


def certificates(chain):
    return re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", chain, re.S)


def one_ca(report, ccm, platform, token, tenant):
    """The first requests of a tenant come to both replicas at once."""
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: call(ccm.bases[n % 2], "POST", X509, token, {"commonName": f"d{n}"}), range(20)))
    report.equal("twenty first requests at once are served", {answer.status for answer in answers}, {201})
    chains = [certificates(answer.json()["certificateChain"]) for answer in answers]
    report.equal("by one CA", len({chain[1] for chain in chains}), 1)
    report.equal("with twenty serial numbers", len({answer.json()["serialNumber"] for answer in answers}), 20)
    report.check("each of which verifies", all(platform.verifies(answer.json()["certificateChain"]) for answer in answers))
    subject = openssl("x509", "-noout", "-subject", "-nameopt", "RFC2253", text=chains[0][1]).strip()
    report.equal("whose name is the tenant's and nothing else", subject, f"subject=CN={tenant}")
    return answers[0].json()


def issued(report, base, platform, token, tenant):
    reply = call(base, "POST", X509, token, {"commonName": "dev-1", "ttl": "90m"})
    report.equal("creating: 201", reply.status, 201)
    made = reply.json()
    members = ["certificate", "certificateChain", "commonName", "createdDate", "id", "issuer", "notAfter", "notBefore", "privateKey"]
    report.equal("with these members", sorted(made), sorted([*members, "privateKeyType", "serialNumber", "state", "updatedDate"]))
    report.equal("Location", reply.headers.get("location"), f"{X509}/{made['id']}")
    report.equal("it is Inactive, and the CA's name is the tenant's", (made["state"], made["issuer"]), ("Inactive", f"CN={tenant}"))
    report.check("its dates have microseconds and Z", all(DATE.fullmatch(made[name]) for name in ("createdDate", "updatedDate", "notBefore", "notAfter")), made)
    report.check("the chain verifies to the platform's CA", platform.verifies(made["certificateChain"]))
    chain = certificates(made["certificateChain"])
    report.equal("the chain begins with the certificate", chain[0], made["certificate"].strip())
    serial = openssl("x509", "-noout", "-serial", text=made["certificate"]).strip().split("=")[1]
    report.equal("the serial number is that of the certificate, in decimal", made["serialNumber"], str(int(serial, 16)))
    report.check("and longer than 64 bits", int(serial, 16) > 1 << 64, serial)
    public = openssl("x509", "-noout", "-pubkey", text=made["certificate"])
    report.equal("the key is that of the certificate", openssl("pkey", "-pubout", text=made["privateKey"]), public)
    text = openssl("x509", "-noout", "-ext", "extendedKeyUsage,basicConstraints", text=made["certificate"])
    report.check("it is for clients only", "Client Authentication" in text and "Server" not in text and "CA:TRUE" not in text, text)
    lifetime = openssl("x509", "-noout", "-checkend", str(85 * 60), text=made["certificate"], good=False)
    ending = openssl("x509", "-noout", "-checkend", str(95 * 60), text=made["certificate"], good=False)
    report.check("it lives ninety minutes", "will not expire" in lifetime and "will expire" in ending, (lifetime, ending))
    shown = call(base, "GET", f"{X509}/{made['id']}", token)
    report.check("a key is shown once", shown.status == 200 and b"PRIVATE" not in shown.body and b"privateKey" not in shown.body, shown)

    bare = call(base, "POST", X509, token)
    report.equal("an order may be empty", bare.status, 201)
    report.equal("then the id is the common name", bare.json().get("commonName"), bare.json().get("id"))
    of_request = call(base, "POST", X509, token, {"csr": platform.request("/CN=dev-2"), "ttl": 3600})
    report.equal("a request is signed", (of_request.status, of_request.json().get("commonName")), (201, "dev-2"))
    report.check("without a key", "privateKey" not in of_request.json() and platform.verifies(of_request.json()["certificateChain"]))
    key = {"Idempotency_Key": "x509-1"}
    once = call(base, "POST", X509, token, {"commonName": "once"}, **key)
    again = call(base, "POST", X509, token, {"commonName": "once"}, **key)
    refused(report, "a repetition that would show a key", again, 409)
    told = again.json()["message"]
    report.check("which names the reason and the id", "idempotency.secret-not-replayable" in told and once.json()["id"] in told, told)
    return made


def bad_orders(report, base, platform, token):
    before = call(base, "GET", f"{X509}?limit=1", token).headers.get("x-total-count")
    lines = platform.request("/CN=x").splitlines(keepends=True)
    # In the middle of the signature.
    lines[-3] = lines[-3][:5] + ("B" if lines[-3][5] == "A" else "A") + lines[-3][6:]
    damaged = "".join(lines)
    authority_wanted = platform.request("/CN=x", "-addext", "basicConstraints=critical,CA:TRUE")
    many = platform.request("/CN=x", "-addext", "subjectAltName=" + ",".join(f"URI:urn:d:{n}" for n in range(200)))
    for what, body in [
        ("a name beside a request", {"commonName": "x", "csr": platform.request("/CN=x")}),
        ("a damaged request", {"csr": damaged}),
        ("no request at all", {"csr": "x"}),
        ("a request for a CA", {"csr": authority_wanted}),
        ("two hundred names", {"csr": many}),
        ("a life of nothing", {"ttl": 0}),
        ("a life that has ended", {"ttl": "-1h"}),
        ("a life in days", {"ttl": "365d"}),
        ("a life longer than the CA's", {"ttl": "876000h"}),
        ("an empty name", {"commonName": ""}),
        ("a name of 300 characters", {"commonName": "n" * 300}),
        ("a control character", {"commonName": "a\nb"}),
        ("an unknown member", {"commonName": "x", "keyType": "rsa"}),
    ]:
        refused(report, f"creating with {what}", call(base, "POST", X509, token, body), 400)
    after = call(base, "GET", f"{X509}?limit=1", token).headers.get("x-total-count")
    report.equal("nothing was made of those", after, before)
    refused(report, "DELETE", call(base, "DELETE", X509, token), 405)
    refused(report, "70 KB", call(base, "POST", X509, token, {"csr": "x" * 70_000}), 413)


def authority(report, one, two, platform, token):
    shown = call(one, "GET", f"{X509}/ca", token)
    report.equal("the CA is shown", (shown.status, sorted(shown.json())), (200, ["caChain", "certificate"]))
    report.equal("by both replicas alike", call(two, "GET", f"/ccm{X509}/ca", token).body, shown.body)
    pem = call(one, "GET", f"{X509}/ca", token, Accept="application/x-pem-file")
    report.equal("and in PEM", (pem.headers.get("content-type"), pem.body.decode()), ("application/x-pem-file", shown.json()["certificate"]))
    place = platform.directory / "ca.pem"
    place.write_text(shown.json()["certificate"])
    report.check("the platform vouches for it", "OK" in openssl("verify", "-CAfile", platform.certificate, place, good=False))
    of_platform = openssl("x509", "-noout", "-fingerprint", "-in", platform.certificate)
    above = [openssl("x509", "-noout", "-fingerprint", text=one) for one in shown.json()["caChain"]]
    report.equal("and stands above it", above, [of_platform])


def lists(report, base, token, made):
    everything = call(base, "GET", X509, token)
    total = everything.headers.get("x-total-count")
    report.equal("the list is whole and counted", str(len(everything.json())), total)
    found = call(base, "GET", f"{X509}?commonName=dev-1&state=Inactive", token).json()
    report.equal("a name finds its certificate", [row["id"] for row in found], [made["id"]])
    part = call(base, "GET", f"{X509}?offset=1&limit=1", token)
    report.equal("a part is the part of the whole", (part.json(), part.headers.get("x-total-count")), (everything.json()[1:2], total))
    for query in ("state=active", "limit=0", "serial=1"):
        refused(report, f"?{query}", call(base, "GET", f"{X509}?{query}", token), 400)


def who_may(report, base, cloud, tokens, made, a, b):
    path = f"{X509}/{made['id']}"
    foreign, absent = (call(base, "GET", place, tokens[b]) for place in (path, f"{X509}/00000000000000000000"))
    refused(report, "another tenant's certificate", foreign, 404)
    report.equal("it is told in the words of an absent one", foreign.body, absent.body)
    refused(report, "suspending another tenant's", call(base, "PUT", f"{path}/state", tokens[b], {"state": "Suspended"}), 404)
    for scope, method, place, body in (
        (READ, "GET", X509, None), (READ, "GET", path, None), (READ, "GET", f"{X509}/ca", None), (CREATE, "POST", X509, {}),
        (UPDATE, "PUT", f"{path}/state", {"state": "Inactive"}), (UPDATE, "PATCH", path, {"state": "Inactive"}),
    ):
        without = cloud.realms[a].token(*(other for other in ALL if other != scope))
        refused(report, f"{method} {place} without {scope[1]}", call(base, method, place, without, body), 403)
        good = call(base, method, place, cloud.realms[a].token(scope), body).status
        report.check(f"{method} {place} with it", 200 <= good < 300, good)
        refused(report, f"{method} {place} without a token", call(base, method, place, None, body), 401)


async def expect(report, gateway, what, record, status, of=(None, None)):
    answer = await gateway.ask(record)
    if answer is None:
        return report.check(what, False, "no answer")
    seen = (answer["statusCode"], answer["tenantId"], answer["credentialsId"], answer["clientId"])
    return report.equal(what, seen, (status, *of, None))


async def checks(report, one, two, token, gateway, made, first, a, b):
    """Each row of the provider's table that can be reached from outside."""
    serial, of = made["serialNumber"], (a, made["id"])
    asked = question(f"CN={a}", serial)
    await expect(report, gateway, "its first use: 200, tenant and credential", asked, 200, of)
    answer = gateway.answers[asked["correlationId"]][0][0]
    report.equal("the answer has no timeout and no reason", (answer["timeout"], answer["reasonPhrase"]), (0, None))
    shown = call(two, "GET", f"{X509}/{made['id']}", token).json()
    report.equal("the first use activates and is no update", (shown["state"], shown["updatedDate"]), ("Active", made["updatedDate"]))
    report.check("and is told", DATE.fullmatch(shown.get("lastUseDate", "")), shown)
    number = f"{int(serial):x}"
    colons = ":".join(re.findall("..", number.zfill(len(number) + len(number) % 2)))
    for issuer, text in (
        (f"/CN={a}", serial), (f"CN = {a}", serial), (f"cn={a}", f"000{serial}"), (f"2.5.4.3={a}", serial), (f"CN={a}", f"0x{number}"), (f"CN={a}", colons),
    ):
        await expect(report, gateway, f"issuer {issuer}, serial number {text:.12}…: 200", question(issuer, text), 200, of)
    await expect(report, gateway, "another tenant's: its own", question(f"CN={b}", first["serialNumber"]), 200, (b, first["id"]))
    for what, issuer, text in (
        ("another tenant's issuer", f"CN={b}", serial), ("another number", f"CN={a}", str(int(serial) + 1)), ("its digits reversed", f"CN={a}", serial[::-1].lstrip("0")),
        ("one attribute more", f"CN={a},O=x", serial), ("no name", a, serial), ("a NUL", f"CN={a}\0", serial), ("an over-long name", "CN=" + "x" * 100_000, serial),
    ):
        await expect(report, gateway, f"{what}: 404", question(issuer, text), 404)
    for what, issuer, text in (("no issuer", "", serial), ("no number", f"CN={a}", ""), ("letters for a number", f"CN={a}", "abc"), ("a fraction", f"CN={a}", "1.5")):
        await expect(report, gateway, f"{what}: 400", question(issuer, text), 400)
    surplus = await gateway.ask(question(f"CN={a}", serial), surplus=b"\x01\x02\x03")
    report.check("surplus bytes after the record are ignored", surplus is not None and surplus["statusCode"] == 200, surplus)
    expired = question(f"CN={a}", serial, timestamp=int((time.time() - 60) * 1000), timeout=1000)
    report.equal("an expired request is not answered", await gateway.ask(expired, seconds=SILENCE), None)


async def life(report, one, two, token, gateway, made, tenant):
    path, of = f"{X509}/{made['id']}", (tenant, made["id"])
    asked = lambda: question(f"CN={tenant}", made["serialNumber"])
    told = lambda: len(gateway.distinct_events(made["id"]))
    for step, (method, ending, state, status, cap, events) in enumerate([
        ("PUT", "/state", "Inactive", 409, 200, 0), ("PUT", "/state", "Suspended", 200, 403, 1), ("PATCH", "", "Suspended", 200, 403, 1),
        ("PATCH", "", "Active", 200, 200, 1), ("PUT", "/state", "Revoked", 200, 403, 2), ("PATCH", "", "Active", 409, 403, 2), ("PUT", "/state", "Revoked", 200, 403, 2),
    ]):
        what = f"{step + 1}: {method} {state}"
        answer = call((one, two)[step % 2], method, path + ending, token, {"state": state})
        report.equal(f"{what}: {status}", answer.status, status)
        await expect(report, gateway, f"{what}, then CAP: {cap}", asked(), cap, of)
        await gateway.wait_for(lambda: told() >= events, 20)
        await asyncio.sleep(SILENCE if told() == events else 0)
        report.equal(f"{what}, so many events: {events}", told(), events)
    refused(report, "an unknown state", call(one, "PUT", f"{path}/state", token, {"state": "revoked"}), 400)
    event = next(iter(gateway.distinct_events(made["id"]).values()))
    report.equal("the event names the tenant", (event["tenantId"], event["timeout"]), (tenant, 0))
    report.check("and the replica", event["originatorReplicaId"] != "", event)


def no_key_is_kept(report, ccm, made):
    lines = [line for line in made["privateKey"].splitlines() if not line.startswith("-")]
    needle = lines[1] if len(lines) > 1 else lines[0]
    report.check("no generated key is in the log", needle not in ccm.log.read_text(errors="replace"))
    tables = ccm.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").split()
    report.check("there is a database to look through", "certificate" in tables and "credential" in tables, tables)
    kept = [table for table in tables if needle in ccm.query(f'SELECT t::text FROM "{table}" t')]
    report.equal("nor in the database", kept, [])
