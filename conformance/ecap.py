"""Endpoint tokens (16/ECAP) as a Kaa gateway and an endpoint registry see them, and the events that take tokens away."""

import asyncio
import time
import uuid

from gateway import Gateway, decode_whole, encode, schema

VALIDATION = schema("0016-endpoint-token-validation-request")
VALIDATED = schema("0016-endpoint-token-validation-response")
TRANSITION = schema("0016-endpoint-token-status-transition-request")
TRANSITED = schema("0016-endpoint-token-status-transition-response")
REVOKED = schema("0016-endpoint-token-revoked")
UNREGISTERED = schema("0009-ep-unregistered")

SERVICE = "kaa.v1.service.cm.ecap"
REVOKED_SUBJECT = "kaa.v1.events.cm.endpoint.token.revoked"
UNREGISTERED_SUBJECT = "kaa.v1.events.epr.endpoint.lifecycle.unregistered"

# As in cap_basic: long enough that it would have happened.
SILENCE = 0.5

T = ("--tenant", "acme")


def head():
    return {"correlationId": str(uuid.uuid4()), "timestamp": int(time.time() * 1000), "timeout": 5000}


def question(token, application="demo", **other):
    return head() | {"appName": application, "token": token} | other


class TokenGateway(Gateway):
    """A gateway that asks for tokens: one long-lived reply subject for each kind of answer, as Kaa's own has."""

    def __init__(self, url, replica="gw1"):
        super().__init__(url, replica)
        self.replies = {
            kind: (f"kaa.v1.replica.{replica}.ecap.{kind}-response", answer)
            for kind, answer in (("ep-token", VALIDATED), ("ep-token-status-transition", TRANSITED))
        }

    async def connect(self):
        await super().connect()
        for subject, answer in self.replies.values():
            await self.connection.subscribe(subject, cb=self._taker(answer))
        await self.connection.subscribe(REVOKED_SUBJECT, cb=self._token_revoked)
        await self.connection.flush()

    def _taker(self, answer_schema):
        async def take(message):
            try:
                answer = decode_whole(answer_schema, message.data)
            except Exception as error:  # whatever the library finds wrong is a finding
                self.undecodable.append((message.data, repr(error)))
            else:
                self.answers.setdefault(answer["correlationId"], []).append((answer, message.data))
            self.arrived.set()

        return take

    async def _token_revoked(self, message):
        self.events.append(decode_whole(REVOKED, message.data))
        self.arrived.set()

    async def put(self, kind, payload, reply=True):
        await self.connection.publish(f"{SERVICE}.{kind}-request", payload, reply=self.replies[kind][0] if reply else "")
        await self.connection.flush()

    async def put_and_wait(self, kind, payload, record, seconds=20):
        await self.put(kind, payload)
        await self.wait_for(lambda: record["correlationId"] in self.answers, seconds)
        answers = self.answers.get(record["correlationId"], [])
        return answers[0][0] if answers else None

    async def validate(self, record, surplus=b""):
        return await self.put_and_wait("ep-token", encode(VALIDATION, record) + surplus, record)

    async def transit(self, record):
        return await self.put_and_wait("ep-token-status-transition", encode(TRANSITION, record), record)

    async def unregister(self, endpoint):
        event = head() | {"appVersionName": "demo-v1", "endpointId": endpoint, "originatorReplicaId": "epr-1"}
        await self.connection.publish(UNREGISTERED_SUBJECT, encode(UNREGISTERED, event))
        await self.connection.flush()

    def named(self, token):
        """Events that name a token; a repeat carries the correlation id of the first and is no second event."""
        return list({event["correlationId"]: event for event in self.events if token in event["tokenIds"]}.values())


async def run(report, signet, nats_url):
    gateway = TokenGateway(nats_url)
    await gateway.connect()
    signet.ok("tenant", "create", "acme")
    signet.ok("tenant", "create", "rival")
    await walk(report, signet, gateway)
    await validations(report, signet, gateway)
    await transitions(report, signet, gateway)
    await framing_and_silence(report, signet, gateway)
    await events(report, signet, gateway)
    report.equal("no answer was undecodable", gateway.undecodable, [])
    twice = [correlation for correlation, answers in gateway.answers.items() if len(answers) > 1]
    report.equal("every request was answered once", twice, [])
    await gateway.close()


def create(signet, token, endpoint="ep-1", application="demo", more=()):
    arguments = ["endpoint-token", "create", endpoint, "--application", application, "--token-stdin", *T, *more]
    return signet.ok(*arguments, stdin=token)["id"]


def state(signet, token):
    return signet.ok("endpoint-token", "show", token, *T)["state"]


async def expect(report, gateway, what, record, status, token=None, endpoint=None):
    answer = await gateway.validate(record)
    if answer is None:
        return report.check(what, False, "no answer")
    return report.equal(what, (answer["statusCode"], answer["tokenId"], answer["endpointId"]), (status, token, endpoint))


async def walk(report, signet, gateway):
    """Created, validated, suspended: the third row of the acceptance."""
    arguments = ["endpoint-token", "create", "ep-1", "--application", "demo", "--token-stdin", *T]
    code, made, errors = signet.run(*arguments, stdin="tok1")
    if not report.equal("a token is created", code, 0):
        raise AssertionError(errors)
    seen = {name: made.get(name) for name in ("endpoint", "application", "state", "token")}
    report.equal("and shown", seen, {"endpoint": "ep-1", "application": "demo", "state": "Inactive", "token": "tok1"})
    report.check("this once", "token" not in signet.ok("endpoint-token", "show", made["id"], *T))
    await expect(report, gateway, "its first validation: 200, token and endpoint", question("tok1"), 200, made["id"], "ep-1")
    report.equal("the first use activates", state(signet, made["id"]), "Active")
    signet.ok("endpoint-token", "suspend", made["id"], *T)
    await expect(report, gateway, "suspended: 403, and nobody is named", question("tok1"), 403)
    await gateway.wait_for(lambda: gateway.named(made["id"]), 20)
    told = [(event["appName"], event["endpointId"], event["tokenIds"]) for event in gateway.named(made["id"])]
    report.equal("one event lists the token's id", told, [("demo", "ep-1", [made["id"]])])


async def validations(report, signet, gateway):
    """Each row of the provider's table that can be reached from outside."""
    signet.ok("identity", "create", "dev-1", "--kind", "device", *T)
    token = create(signet, "tok2", "ep.2_x~y-Z", more=("--identity", "dev-1"))
    first = question("tok2")
    await expect(report, gateway, "right token: 200", first, 200, token, "ep.2_x~y-Z")
    answer = gateway.answers.get(first["correlationId"], [({}, b"")])[0][0]
    report.equal("the answer has no timeout", answer.get("timeout"), 0)
    report.check("the answer has its own time", abs(time.time() * 1000 - answer.get("timestamp", 0)) < 60_000, answer)
    report.equal("a good answer has no reason", answer.get("reasonPhrase", "absent"), None)

    await expect(report, gateway, "empty token: 400", question(""), 400)
    await expect(report, gateway, "empty application: 400", question("tok2", application=""), 400)
    for what, record in (
        ("unknown token", question("tok-unknown")),
        ("another case", question("TOK2")),
        ("another application", question("tok2", application="other")),
        ("an application version in place of the application", question("tok2", application="demo-v1")),
        ("a token with a slash", question("tok2/x")),
        ("a token with a wildcard", question("#")),
        ("NUL in the token", question("tok2\0")),
        ("NUL in the application", question("tok2", application="demo\0")),
        ("an over-long token", question("x" * 100_000)),
    ):
        await expect(report, gateway, f"{what}: 404", record, 404)

    signet.ok("identity", "disable", "dev-1", "--yes", *T)
    await expect(report, gateway, "disabled identity: 403", question("tok2"), 403)
    signet.ok("identity", "enable", "dev-1", *T)
    await expect(report, gateway, "enabled again: 200", question("tok2"), 200, token, "ep.2_x~y-Z")
    signet.ok("endpoint-token", "revoke", token, "--yes", *T)
    await expect(report, gateway, "revoked: 403", question("tok2"), 403)

    for bad in ("", "a+b", "a#b", "a/b", "a.b", "a\tb"):
        code, _, _ = signet.run("endpoint-token", "create", "ep-1", "--application", "demo", "--token-stdin", *T, stdin=bad)
        report.equal(f"token {bad!r} is not made", code, 6)
    made = signet.ok("endpoint-token", "create", "ep-1", "--application", "demo", *T)
    good = len(made["token"]) >= 20 and not set("+#/.") & set(made["token"])
    report.check("a token that is not given is generated", good, len(made["token"]))
    await expect(report, gateway, "and validates", question(made["token"]), 200, made["id"], "ep-1")
    rival = ("--tenant", "rival")
    for what, arguments in (("the same tenant", T), ("another tenant", rival)):
        code, _, _ = signet.run("endpoint-token", "create", "ep-9", "--application", "demo", "--token-stdin", *arguments, stdin="tok1")
        report.equal(f"a taken token is a conflict for {what}", code, 5)
    code, _, _ = signet.run("endpoint-token", "create", "ep-9", "--application", "demo", *rival)
    report.equal("an application is its first tenant's", code, 5)


async def transitions(report, signet, gateway):
    """A service moves a token by its text."""
    token = create(signet, "moved")

    async def move(what, target, status, text="moved", application="demo"):
        answer = await gateway.transit(question(text, application=application) | {"targetStatus": target})
        report.equal(f"{what}: {status}", answer and answer["statusCode"], status)

    await move("Inactive to Active by a service", "Active", 409)
    await move("to where it is", "Inactive", 200)
    await gateway.validate(question("moved"))
    await move("Active to Suspended", "Suspended", 200)
    report.equal("it is suspended", state(signet, token), "Suspended")
    await move("Suspended to Active", "Active", 200)
    for what, target in (("an unknown status", "Gone"), ("a status in another case", "suspended"), ("no status", "")):
        await move(what, target, 400)
    await move("no token", "Suspended", 400, text="")
    await move("no application", "Suspended", 400, application="")
    await move("an unknown token", "Suspended", 404, text="unmoved")
    await move("Active to Revoked", "Revoked", 200)
    await move("Revoked to Active", "Active", 409)
    await gateway.wait_for(lambda: len(gateway.named(token)) == 2, 20)
    report.equal("two losses of use are two events", len(gateway.named(token)), 2)


async def framing_and_silence(report, signet, gateway):
    """Raw Avro and nothing else; what cannot be understood or has come too late gets no answer and does no harm."""
    token = create(signet, "quiet")
    expired = question("quiet", timestamp=int((time.time() - 60) * 1000), timeout=1000)
    await gateway.put("ep-token", encode(VALIDATION, expired))
    await gateway.put("ep-token", encode(VALIDATION, question("quiet")), reply=False)
    whole = encode(VALIDATION, question("quiet"))
    for malformed in (b"\x00", b"\xff" * 40, whole[: len(whole) // 2], b"Obj\x01" + whole, b"\xc3\x01" + whole):
        await gateway.put("ep-token", malformed)
        await gateway.put("ep-token-status-transition", malformed)
    await asyncio.sleep(SILENCE)
    report.check("an expired request is not answered", expired["correlationId"] not in gateway.answers)
    report.equal("neither that nor one without reply subject activates", state(signet, token), "Inactive")
    answer = await gateway.validate(question("quiet"), surplus=b"\x01\x02\x03")
    report.check("surplus bytes after the record are ignored", answer is not None and answer["statusCode"] == 200, answer)
    await gateway.validate(question("quiet", correlationId="raw"))
    raw = gateway.answers.get("raw", [(None, b"")])[0][1]
    report.equal("the answer is the bare record: it begins with its first field", raw[:4], b"\x06raw")


async def events(report, signet, gateway):
    """An endpoint that is unregistered loses its tokens; the usable ones are named once for each application."""
    usable = [create(signet, text, "ep-gone", "fleet") for text in ("g1", "g2")]
    elsewhere = create(signet, "g3", "ep-gone", "other")
    suspended = create(signet, "g4", "ep-gone", "fleet")
    signet.ok("endpoint-token", "suspend", suspended, *T)
    await gateway.wait_for(lambda: gateway.named(suspended), 20)
    signet.ok("endpoint-token", "resume", suspended, *T)
    await asyncio.sleep(SILENCE)
    report.equal("suspension is one event, resumption none", len(gateway.named(suspended)), 1)
    signet.ok("endpoint-token", "suspend", suspended, *T)
    await gateway.wait_for(lambda: len(gateway.named(suspended)) == 2, 20)

    await gateway.unregister("ep-gone")
    await gateway.wait_for(lambda: all(gateway.named(one) for one in (*usable, elsewhere)), 20)
    await asyncio.sleep(SILENCE)
    told = [sorted(event["tokenIds"]) for event in gateway.named(usable[0])]
    report.equal("both tokens of one application stand in one event", told, [sorted(usable)])
    told = [(event["appName"], event["endpointId"], event["tokenIds"]) for event in gateway.named(elsewhere)]
    report.equal("that of another application in one of its own", told, [("other", "ep-gone", [elsewhere])])
    for event in gateway.named(elsewhere):
        report.equal("the event has no timeout", event["timeout"], 0)
        report.check("the event names the replica", event["originatorReplicaId"] != "", event)
    report.equal("what was suspended before is not named again", len(gateway.named(suspended)), 2)
    await expect(report, gateway, "a token of an unregistered endpoint: 404", question("g1", application="fleet"), 404)
    code, _, _ = signet.run("endpoint-token", "show", usable[0], *T)
    report.equal("and it is there no more", code, 4)
