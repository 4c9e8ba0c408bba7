"""CCM's REST API as dashboards and scripts use it (kaa.md 15, 17): two replicas of the drop-in, a foreign HTTP client, people
whose tenants' own issuers vouch for them."""

import asyncio
import json
import re
import time
import urllib.error
import urllib.request

from gateway import Gateway, request

READ, CREATE, UPDATE = (f"tenant:basic-credentials:{verb}" for verb in ("read", "create", "update"))
ALL = tuple(("tenant-system", scope) for scope in (READ, CREATE, UPDATE))
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
BASIC = "/api/v1/basic-credentials"


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


def call(base, method, path, token=None, body=None, **headers):
    """One request of Python's own HTTP client. A body that is no bytes is sent as JSON."""
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        headers.setdefault("Content_Type", "application/json")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        named["Authorization"] = f"Bearer {token}"
    asked = urllib.request.Request(base + path, data=body, method=method, headers=named)
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as refusal:
        return Answer(refusal.code, dict(refusal.headers), refusal.read())


def refused(report, what, answer, status):
    """The status, and Kaa's form of an error and nothing else."""
    report.equal(f"{what}: {status}", answer.status, status)
    try:
        form = list(answer.json()) == ["message"] and answer.body.endswith(b"}\n")
    except ValueError:
        form = False
    report.check(f"{what}: error in Kaa's form", form and answer.headers.get("content-type") == "application/json", answer)


async def run(report, ccm, cloud, nats_url):
    one, two = ccm.bases
    gateway = Gateway(nats_url)
    await gateway.connect()
    a, b = cloud.tenants
    await known(report, one, cloud.realms[a])
    tokens = {name: cloud.realms[name].token(*ALL) for name in (a, b)}
    bob = creation(report, one, tokens[a], a)
    objects(report, one, two, tokens, a, b, bob)
    await life(report, one, two, tokens[a], a, bob, gateway)
    who_may(report, one, cloud, a, b)
    lists(report, one, tokens[a])
    management(report, one)
    report.equal("no answer was undecodable", gateway.undecodable, [])
    await gateway.close()


async def known(report, base, realm):
    """The Tenant Manager's tenants arrive by themselves."""
    end = time.monotonic() + 30
    while call(base, "GET", BASIC, realm.token(*ALL)).status != 200 and time.monotonic() < end:
        await asyncio.sleep(0.2)
    report.equal("a tenant of the Tenant Manager may ask", call(base, "GET", BASIC, realm.token(*ALL)).status, 200)


def creation(report, base, token, tenant):
    made = call(base, "POST", BASIC, token, {"username": "bob", "password": "pw"})
    report.equal("creating: 201", made.status, 201)
    bob = made.json()
    report.equal("a new object has these members", sorted(bob), ["createdDate", "id", "state", "updatedDate", "username"])
    report.equal("it is Inactive", (bob["username"], bob["state"]), ("bob", "Inactive"))
    report.check("its id has 20 characters", re.fullmatch("[0-9a-v]{20}", bob["id"]), bob)
    report.check("its dates have microseconds and Z", DATE.fullmatch(bob["createdDate"]) and DATE.fullmatch(bob["updatedDate"]), bob)
    report.equal("Location", made.headers.get("location"), f"{BASIC}/{bob['id']}")
    report.equal("nosniff", made.headers.get("x-content-type-options"), "nosniff")
    refused(report, "the same username", call(base, "POST", BASIC, token, {"username": "bob", "password": "x"}), 409)
    for what, body in [
        ("no password", {"username": "eve"}),
        ("no username", {"password": "pw"}),
        ("an unknown member", {"username": "eve", "password": "pw", "state": "Active"}),
        ("an empty username", {"username": "", "password": "pw"}),
        ("a username of 256 characters", {"username": "u" * 256, "password": "pw"}),
        ("a control character", {"username": "a\nb", "password": "pw"}),
        ("a leading space", {"username": " eve", "password": "pw"}),
        ("a trailing space", {"username": "eve ", "password": "pw"}),
        ("a NUL", {"username": "eve\0", "password": "pw"}),
        ("an empty password", {"username": "eve", "password": ""}),
        ("a password of 73 bytes", {"username": "eve", "password": "x" * 73}),
        ("a NUL in the password", {"username": "eve", "password": "p\0w"}),
        ("a number for a name", {"username": 1, "password": "pw"}),
        ("a list", ["eve", "pw"]),
    ]:
        refused(report, f"creating with {what}", call(base, "POST", BASIC, token, body), 400)
    refused(report, "half a body", call(base, "POST", BASIC, token, b'{"username":', Content_Type="application/json"), 400)
    refused(report, "a form", call(base, "POST", BASIC, token, b"username=eve", Content_Type="application/x-www-form-urlencoded"), 415)
    refused(report, "70 KB", call(base, "POST", BASIC, token, {"username": "eve", "password": "x" * 70_000}), 413)
    refused(report, "DELETE", call(base, "DELETE", f"{BASIC}/{bob['id']}", token), 405)
    refused(report, "an unknown path", call(base, "GET", f"{BASIC}/{bob['id']}/keys", token), 404)

    key = {"Idempotency_Key": "conformance-1"}
    first = call(base, "POST", BASIC, token, {"username": "carol", "password": "pw"}, **key)
    again = call(base, "POST", BASIC, token, {"username": "carol", "password": "pw"}, **key)
    report.equal("an idempotency key's repetition answers the same", (again.status, again.body), (first.status, first.body))
    refused(report, "another body under the key", call(base, "POST", BASIC, token, {"username": "dave", "password": "pw"}, **key), 409)
    return bob["id"]


def objects(report, one, two, tokens, a, b, bob):
    path = f"{BASIC}/{bob}"
    shown = call(one, "GET", path, tokens[a])
    report.equal("showing: 200", shown.status, 200)
    report.equal("under /ccm it is the same", call(one, "GET", "/ccm" + path, tokens[a]).body, shown.body)
    report.equal("the other replica says the same", call(two, "GET", path, tokens[a]).body, shown.body)
    echoed = call(one, "GET", path, tokens[a], Correlation_ID="br7si8mg10l7an82que0").headers.get("correlation-id")
    report.equal("Correlation-ID is echoed", echoed, "br7si8mg10l7an82que0")
    report.check("and made when absent", shown.headers.get("correlation-id"), shown.headers)
    absent = call(one, "GET", f"{BASIC}/00000000000000000000", tokens[b])
    foreign = call(one, "GET", path, tokens[b])
    refused(report, "another tenant's credential", foreign, 404)
    report.equal("it is told in the words of an absent one", foreign.body, absent.body)
    refused(report, "suspending another tenant's", call(one, "PUT", f"{path}/state", tokens[b], {"state": "Suspended"}), 404)
    twin = call(one, "POST", BASIC, tokens[b], {"username": "bob", "password": "other"})
    report.equal("two tenants may have equal usernames", twin.status, 201)
    head = call(one, "HEAD", path, tokens[a])
    report.equal("HEAD has no body", (head.status, head.body), (200, b""))


async def life(report, one, two, token, tenant, bob, gateway):
    path = f"{BASIC}/{bob}"

    def put(state, base=one, method="PUT"):
        return call(base, method, f"{path}/state" if method == "PUT" else path, token, {"state": state})

    refused(report, "Inactive to Active by the API", put("Active"), 409)
    answer = await gateway.ask(request("bob", "pw", tenant=tenant))
    report.equal("CAP answers 200 with the credential", (answer["statusCode"], answer["credentialsId"]), (200, bob))
    shown = call(two, "GET", path, token).json()
    report.equal("the first use activates", shown["state"], "Active")
    report.check("and is noted, with updatedDate unmoved", DATE.fullmatch(shown["lastUseDate"]) and shown["updatedDate"] == shown["createdDate"], shown)
    refused(report, "Active to Inactive", put("Inactive"), 409)
    refused(report, "an unknown state", put("Gone"), 400)
    refused(report, "a state in lower case", put("suspended"), 400)
    refused(report, "no state", call(one, "PUT", f"{path}/state", token, {}), 400)

    report.equal("suspending: 200", put("Suspended").status, 200)
    report.equal("again: 200", put("Suspended", two).status, 200)
    arrived = await gateway.wait_for(lambda: gateway.distinct_events(bob), 20)
    report.check("one revoked event", arrived and len(gateway.distinct_events(bob)) == 1, gateway.events)
    for event in gateway.distinct_events(bob).values():
        report.equal("the event names the tenant", event["tenantId"], tenant)
    answer = await gateway.ask(request("bob", "pw", tenant=tenant))
    report.equal("suspended: CAP 403", (answer["statusCode"], answer["credentialsId"]), (403, bob))
    moved = put("Active", two, "PATCH")
    report.equal("re-activating by PATCH on the other replica: 200", (moved.status, moved.json()["state"]), (200, "Active"))
    report.equal("CAP answers 200 again", (await gateway.ask(request("bob", "pw", tenant=tenant)))["statusCode"], 200)

    changed = call(one, "PUT", f"{path}/password", token, {"password": "new"})
    report.equal("another password: 204", (changed.status, changed.body), (204, b""))
    report.equal("the old one is wrong now", (await gateway.ask(request("bob", "pw", tenant=tenant)))["statusCode"], 401)
    report.equal("the new one is right", (await gateway.ask(request("bob", "new", tenant=tenant)))["statusCode"], 200)
    refused(report, "an empty password", call(one, "PUT", f"{path}/password", token, {"password": ""}), 400)
    await asyncio.sleep(0.5)
    report.equal("resuming and a new password sent no event", len(gateway.distinct_events(bob)), 1)

    report.equal("revoking: 200", put("Revoked").status, 200)
    report.equal("again: 200", put("Revoked", two).status, 200)
    for state in ("Active", "Suspended", "Inactive"):
        refused(report, f"Revoked to {state}", put(state), 409)
    refused(report, "another password for a revoked one", call(one, "PUT", f"{path}/password", token, {"password": "x"}), 409)
    arrived = await gateway.wait_for(lambda: len(gateway.distinct_events(bob)) == 2, 20)
    report.check("the second event", arrived, gateway.events)


def who_may(report, base, cloud, a, b):
    realm, other = cloud.realms[a], cloud.realms[b]
    refused(report, "no token", call(base, "GET", BASIC), 401)
    challenge = call(base, "GET", BASIC).headers.get("www-authenticate", "")
    report.check("the challenge is Bearer", challenge.startswith("Bearer"), challenge)
    now = int(time.time())
    cloud.permitted = {("asks-online", f"tenant-system#{READ}")}
    for what, token, status in [
        ("reading where the issuer says yes when asked", realm.token(sub="asks-online"), 200),
        ("reading with the scope to read", realm.token(("tenant-system", READ)), 200),
        ("reading with a plain scope", realm.token(scope=READ), 200),
        ("reading with the scope to create", realm.token(("tenant-system", CREATE)), 403),
        ("reading with the scope on another resource", realm.token(("kaa-system", READ)), 403),
        ("no scope", realm.token(), 403),
        ("expired", realm.token(*ALL, exp=now - 120), 401),
        ("not yet", realm.token(*ALL, nbf=now + 600), 401),
        ("without an end", realm.token(*ALL, exp=None), 401),
        ("alg none", realm.token(*ALL, header={"alg": "none"}), 401),
        ("alg HS256", realm.token(*ALL, header={"alg": "HS256"}), 401),
        ("signed by another tenant's key", other.token(*ALL, header={"kid": realm.kid}, iss=realm.issuer), 401),
        ("an issuer that nobody lists", realm.token(*ALL, iss=f"{cloud.url}/auth/realms/evil"), 401),
        ("nonsense", "a.b.c", 401),
    ]:
        answer = call(base, "GET", BASIC, token)
        if status == 200:
            report.equal(f"{what}: 200", answer.status, 200)
        else:
            refused(report, what, answer, status)
    report.check("nothing was asked of the unlisted issuer", not any("evil" in path for path in cloud.asked), cloud.asked)
    create = call(base, "POST", BASIC, realm.token(("tenant-system", READ)), {"username": "mallory", "password": "pw"})
    refused(report, "creating with the scope to read", create, 403)
    for named in (b, "nowhere"):
        refused(report, f"naming tenant {named} from inside {a}", call(base, "GET", BASIC, realm.token(*ALL), Signet_Tenant=named), 404)


def lists(report, base, token):
    for n in range(12):
        call(base, "POST", BASIC, token, {"username": f"list-{n:02}", "password": "pw"})
    everything = call(base, "GET", BASIC, token)
    rows = everything.json()
    report.equal("without a limit: everything, counted", everything.headers.get("x-total-count"), str(len(rows)))
    report.check("newest first", [r["username"] for r in rows][:2] == ["list-11", "list-10"], rows[:2])
    page = call(base, "GET", f"{BASIC}?limit=5&offset=3", token)
    report.equal("a page is cut out of it", page.json(), rows[3:8])
    report.equal("and counts the whole", page.headers.get("x-total-count"), str(len(rows)))
    report.equal("by username, exactly", [r["username"] for r in call(base, "GET", f"{BASIC}?username=list-03", token).json()], ["list-03"])
    report.equal("a percent sign is no wildcard", call(base, "GET", f"{BASIC}?username=list-%25", token).json(), [])
    states = {r["state"] for r in call(base, "GET", f"{BASIC}?state=Revoked", token).json()}
    report.equal("by state", states, {"Revoked"})
    report.equal("beyond the end there is nothing", call(base, "GET", f"{BASIC}?offset=1000", token).json(), [])
    for query in ("state=Gone", "limit=-1", "limit=x", "offset=-1", "color=red", "username=a%00b"):
        refused(report, f"listing with {query}", call(base, "GET", f"{BASIC}?{query}", token), 400)
    text = everything.body.decode()
    report.check("no password and no hash in it", "password" not in text and "$2" not in text, text[:200])


def management(report, base):
    for path in ("/health", "/health/", "/ready"):
        report.equal(f"{path} on the same port", call(base, "GET", path).status, 200)
        report.equal(f"HEAD {path}", call(base, "HEAD", path).body, b"")
    metrics = call(base, "GET", "/metrics")
    report.equal("metrics are Prometheus text", metrics.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8")
    report.check("and count authentications", b"ccm_auth_total" in metrics.body, metrics)
