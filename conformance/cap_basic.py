"""Basic authentication (22/CAP) as a Kaa gateway sees it, and the events that take a credential away."""

import asyncio
import time

from gateway import REQUEST, Gateway, encode, request

# Time for something that must not happen. Long enough that it would have happened, since a request that follows on the
# same connection is answered meanwhile.
SILENCE = 0.5

T = ("--tenant", "acme")


async def run(report, signet, nats_url):
    gateway = Gateway(nats_url)
    await gateway.connect()
    signet.ok("tenant", "create", "acme")
    signet.ok("identity", "create", "dev-1", "--kind", "device", *T)
    await table(report, signet, gateway)
    await framing_and_silence(report, signet, gateway)
    await events(report, signet, gateway)
    report.equal("no answer was undecodable", gateway.undecodable, [])
    await gateway.close()


def create(signet, username, password, identity="dev-1"):
    arguments = ["credential", "create", "basic", username, "--identity", identity, "--password-stdin", *T]
    return signet.ok(*arguments, stdin=password)["id"]


def state(signet, credential):
    return signet.ok("credential", "show", credential, *T)["state"]


async def expect(report, gateway, what, record, status, credential):
    answer = await gateway.ask(record)
    if answer is None:
        return report.check(what, False, "no answer")
    seen = (answer["statusCode"], answer["credentialsId"])
    return report.equal(what, seen, (status, credential))


async def table(report, signet, gateway):
    """Each row of the provider's table that can be reached from outside."""
    bob = create(signet, "bob", "pw")

    first = request("bob", "pw")
    await expect(report, gateway, "right password, Inactive: 200 and the credential", first, 200, bob)
    answer = gateway.answers.get(first["correlationId"], [({}, b"")])[0][0]
    report.equal("clientId is null", answer.get("clientId", "absent"), None)
    report.equal("the answer has no timeout", answer.get("timeout"), 0)
    now = time.time() * 1000
    report.check("the answer has its own time", abs(now - answer.get("timestamp", 0)) < 60_000, answer)
    report.equal("the first use activates", state(signet, bob), "Active")
    await expect(report, gateway, "right password, Active: 200", request("bob", "pw"), 200, bob)

    await expect(report, gateway, "unknown tenant: 404", request("bob", "pw", tenant="nowhere"), 404, None)
    await expect(report, gateway, "another tenant's name: 404", request("bob", "pw", tenant="default"), 404, None)
    await expect(report, gateway, "unknown username: 404", request("nobody", "pw"), 404, None)
    await expect(report, gateway, "wrong password: 401", request("bob", "no"), 401, None)
    await expect(report, gateway, "password of 100 bytes: 401", request("bob", "x" * 100), 401, None)
    for field in ("tenantId", "username", "password"):
        await expect(report, gateway, f"empty {field}: 400", request("bob", "pw") | {field: ""}, 400, None)

    for field in ("tenantId", "username", "password"):
        answer = await gateway.ask(request("bob", "pw") | {field: "b\0b"})
        refused = answer is not None and answer["statusCode"] in (400, 401, 404) and answer["credentialsId"] is None
        report.check(f"NUL in {field} is refused, no failure of ours", refused, answer)
    answer = await gateway.ask(request("u" * 100_000, "pw"))
    report.check("an over-long username is refused", answer is not None and answer["statusCode"] in (400, 404), answer)

    signet.ok("credential", "suspend", bob, *T)
    await expect(report, gateway, "Suspended, right password: 403 and the credential", request("bob", "pw"), 403, bob)
    await expect(report, gateway, "Suspended, wrong password: 401", request("bob", "no"), 401, None)
    signet.ok("credential", "resume", bob, *T)
    await expect(report, gateway, "resumed: 200", request("bob", "pw"), 200, bob)
    signet.ok("credential", "revoke", bob, "--yes", *T)
    await expect(report, gateway, "Revoked, right password: 403 and the credential", request("bob", "pw"), 403, bob)
    await expect(report, gateway, "Revoked, wrong password: 401", request("bob", "no"), 401, None)

    signet.ok("identity", "create", "dev-2", "--kind", "device", *T)
    carol = create(signet, "carol", "pw", identity="dev-2")
    signet.ok("identity", "disable", "dev-2", "--yes", *T)
    await expect(report, gateway, "disabled identity, right password: 403 and the credential", request("carol", "pw"), 403, carol)
    await expect(report, gateway, "disabled identity, wrong password: 401", request("carol", "no"), 401, None)
    signet.ok("identity", "enable", "dev-2", *T)
    await expect(report, gateway, "enabled again: 200", request("carol", "pw"), 200, carol)


async def framing_and_silence(report, signet, gateway):
    """Raw Avro and nothing else; what cannot be understood or has come too late gets no answer and does no harm."""
    dora = create(signet, "dora", "pw")

    expired = request("dora", "pw", timestamp=int((time.time() - 60) * 1000), timeout=1000)
    await gateway.send(encode(REQUEST, expired))
    await gateway.send(encode(REQUEST, request("dora", "pw")), reply=False)
    whole = encode(REQUEST, request("dora", "pw"))
    for malformed in (b"\x00", b"\xff" * 40, whole[: len(whole) // 2], b"Obj\x01" + whole, b"\xc3\x01" + whole):
        await gateway.send(malformed)
    await asyncio.sleep(SILENCE)
    report.check("an expired request is not answered", expired["correlationId"] not in gateway.answers)
    report.equal("neither that nor one without reply subject activates", state(signet, dora), "Inactive")
    report.equal("malformed requests are not answered", gateway.undecodable, [])

    answer = await gateway.ask(request("dora", "pw"), surplus=b"\x01\x02\x03")
    report.check("surplus bytes after the record are ignored", answer is not None and answer["statusCode"] == 200, answer)
    never = request("dora", "pw", timestamp=int((time.time() - 3_600) * 1000), timeout=0)
    await expect(report, gateway, "timeout 0 never expires", never, 200, dora)

    for correlation in ("c" * 1_000, "ключ-✓", "0"):
        record = request("dora", "pw", correlationId=correlation)
        report.check(f"correlation id of {len(correlation)} characters comes back", await gateway.ask(record) is not None)
    last = request("dora", "pw", correlationId="raw")
    await gateway.ask(last)
    raw = gateway.answers.get("raw", [(None, b"")])[0][1]
    report.equal("the answer is the bare record: it begins with its first field", raw[:4], b"\x06raw")
    twice = [correlation for correlation, answers in gateway.answers.items() if len(answers) > 1]
    report.equal("every request was answered once", twice, [])


async def events(report, signet, gateway):
    """A usable credential that stops being one is one event; nothing else is."""
    eve = create(signet, "eve", "pw")
    await gateway.ask(request("eve", "pw"))
    report.check("using a credential is no event", not gateway.distinct_events(eve))

    signet.ok("credential", "suspend", eve, *T)
    await gateway.wait_for(lambda: gateway.distinct_events(eve), 20)
    signet.ok("credential", "suspend", eve, *T)
    signet.ok("credential", "resume", eve, *T)
    await asyncio.sleep(SILENCE)
    suspended = gateway.distinct_events(eve)
    report.equal("suspend is one event; again and resume are none", len(suspended), 1)
    for event in suspended.values():
        report.equal("the event names the tenant", event["tenantId"], "acme")
        report.equal("the event has no timeout", event["timeout"], 0)
        report.check("the event names the replica", event["originatorReplicaId"] != "", event)
        report.check("the event has a time", abs(time.time() * 1000 - event["timestamp"]) < 60_000, event)

    signet.ok("credential", "revoke", eve, "--yes", *T)
    await gateway.wait_for(lambda: len(gateway.distinct_events(eve)) == 2, 20)
    report.equal("revoke is another event", len(gateway.distinct_events(eve)), 2)

    signet.ok("identity", "create", "dev-3", "--kind", "device", *T)
    usable = [create(signet, name, "pw", identity="dev-3") for name in ("f1", "f2")]
    revoked = create(signet, "f3", "pw", identity="dev-3")
    signet.ok("credential", "revoke", revoked, "--yes", *T)
    await gateway.wait_for(lambda: gateway.distinct_events(revoked), 20)
    signet.ok("identity", "disable", "dev-3", "--yes", *T)
    await gateway.wait_for(lambda: all(gateway.distinct_events(one) for one in usable), 20)
    await asyncio.sleep(SILENCE)
    report.equal("disabling an identity is one event for each usable credential", [len(gateway.distinct_events(one)) for one in usable], [1, 1])
    report.equal("and none for one that was revoked before", len(gateway.distinct_events(revoked)), 1)
    signet.ok("identity", "enable", "dev-3", *T)
    await asyncio.sleep(SILENCE)
    report.equal("enabling it is no event", [len(gateway.distinct_events(one)) for one in usable], [1, 1])


async def flood(report, signet, nats_url):
    """More requests than the queue holds: each is answered once, at once, with its result or with 503."""
    gateway = Gateway(nats_url, replica="flood")
    await gateway.connect()
    signet.ok("tenant", "create", "acme")
    signet.ok("identity", "create", "dev-1", "--kind", "device", *T)
    busy = create(signet, "busy", "pw")
    # Equal requests share one verification, so each comes with a password of its own.
    records = [request("busy", "pw" if n == 0 else f"pw-{n}", timeout=0) for n in range(64)]
    for record in records:
        await gateway.connection.publish("kaa.v1.service.ccm.cap.basic-request", encode(REQUEST, record), reply=gateway.reply)
    await gateway.connection.flush()
    await gateway.wait_for(lambda: all(record["correlationId"] in gateway.answers for record in records), 60)
    await asyncio.sleep(SILENCE)
    answers = [gateway.answers.get(record["correlationId"], []) for record in records]
    report.equal("every request of a flood is answered once", [len(answer) for answer in answers], [1] * len(records))
    statuses = [answer[0][0]["statusCode"] for answer in answers if answer]
    # Which of them find room in the queue is not said: the one with the right password may be refused as any other.
    report.equal("with its result or 503", sorted(set(statuses) - {200, 401, 503}), [])
    report.equal("some with their result, some with 503", [set(statuses) != {503}, 503 in statuses], [True, True])
    named = [answer[0][0]["credentialsId"] == (busy if answer[0][0]["statusCode"] == 200 else None) for answer in answers if answer]
    report.check("a refused one names no credential", all(named), statuses)
    answer = await gateway.ask(request("busy", "pw"))
    report.equal("and behind the flood the right password is let in", [answer and answer["statusCode"], answer and answer["credentialsId"]], [200, busy])
    await gateway.close()
