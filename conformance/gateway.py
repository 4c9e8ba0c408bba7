"""A foreign Kaa gateway: Avro by Kaa's schemas through fastavro, NATS through nats-py, one long-lived reply subject."""

import asyncio
import io
import json
import pathlib
import time
import uuid

import fastavro
import nats

SCHEMAS = pathlib.Path(__file__).parent.parent / "crates/base/kaa/schemas"


def schema(name):
    return fastavro.parse_schema(json.loads((SCHEMAS / f"{name}.avsc").read_text()))


REQUEST = schema("0022-basic-authentication-request")
RESPONSE = schema("0022-basic-authentication-response")
REVOKED = schema("0022-credentials-revoked")

REQUEST_SUBJECT = "kaa.v1.service.ccm.cap.basic-request"
REVOKED_SUBJECT = "kaa.v1.events.ccm.client-credentials.basic.revoked"


def encode(schema_, record):
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, schema_, record)
    return buffer.getvalue()


def decode_whole(schema_, payload):
    """Decodes one record and refuses surplus bytes, as the strictest of Kaa's own consumers does."""
    buffer = io.BytesIO(payload)
    record = fastavro.schemaless_reader(buffer, schema_)
    surplus = payload[buffer.tell():]
    if surplus:
        raise ValueError(f"{len(surplus)} surplus bytes after the record")
    return record


def request(username, password, tenant="acme", **other):
    record = {
        "correlationId": str(uuid.uuid4()), "timestamp": int(time.time() * 1000), "timeout": 5000,
        "tenantId": tenant, "username": username, "password": password,
    }
    record.update(other)
    return record


class Gateway:
    """Sends requests and keeps every answer and every event that arrives."""

    def __init__(self, url, replica="gw1"):
        self.url = url
        self.reply = f"kaa.v1.replica.{replica}.cap.basic-response"
        self.answers = {}
        self.undecodable = []
        self.events = []
        self.arrived = asyncio.Event()

    async def connect(self):
        self.connection = await nats.connect(self.url, max_reconnect_attempts=-1)
        await self.connection.subscribe(self.reply, cb=self._answered)
        await self.connection.subscribe(REVOKED_SUBJECT, cb=self._revoked)
        await self.connection.flush()

    async def _answered(self, message):
        try:
            answer = decode_whole(RESPONSE, message.data)
        except Exception as error:  # whatever the library finds wrong is a finding
            self.undecodable.append((message.data, repr(error)))
        else:
            self.answers.setdefault(answer["correlationId"], []).append((answer, message.data))
        self.arrived.set()

    async def _revoked(self, message):
        self.events.append(decode_whole(REVOKED, message.data))
        self.arrived.set()

    async def send(self, payload, reply=True):
        await self.connection.publish(REQUEST_SUBJECT, payload, reply=self.reply if reply else "")
        await self.connection.flush()

    async def wait_for(self, condition, seconds):
        """Whether the condition came true within the time."""
        end = time.monotonic() + seconds
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self.arrived.clear()
            if condition():
                return True
            try:
                await asyncio.wait_for(self.arrived.wait(), left)
            except asyncio.TimeoutError:
                pass
        return True

    async def ask(self, record, seconds=20, surplus=b""):
        """The answer to one request, or None."""
        await self.send(encode(REQUEST, record) + surplus)
        await self.wait_for(lambda: record["correlationId"] in self.answers, seconds)
        answers = self.answers.get(record["correlationId"], [])
        return answers[0][0] if answers else None

    def distinct_events(self, credential):
        """Events about one credential; a repeat carries the correlation id of the first and is no second event."""
        return {event["correlationId"]: event for event in self.events if event["credentialsId"] == credential}

    async def close(self):
        await self.connection.close()
