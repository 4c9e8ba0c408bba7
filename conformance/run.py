"""Runs the foreign clients against the built binary, on both deployments. The last line is `N passed, N failed`."""

import asyncio
import shutil
import sys
import traceback

import cap_basic
import ecap
from kit import NatsServer, Report, Signet, scratch

SMALL_QUEUE = "[kaa]\ncap_concurrency = 1\ncap_queue_length = 2\n"

ENDPOINT_TOKENS = "[kaa]\ncm_enabled = true\n"

SUITES = [
    ("basic authentication on the embedded store", cap_basic.run, False, ""),
    ("basic authentication on PostgreSQL", cap_basic.run, True, ""),
    ("endpoint tokens on the embedded store", ecap.run, False, ENDPOINT_TOKENS),
    ("endpoint tokens on PostgreSQL", ecap.run, True, ENDPOINT_TOKENS),
    ("a flood of requests", cap_basic.flood, True, SMALL_QUEUE),
]


def main():
    report = Report()
    for name, suite, production, settings in SUITES:
        print(f"-- {name}", flush=True)
        directory = scratch()
        nats_server = NatsServer(directory)
        signet = Signet(directory, nats_server.url, production, settings)
        try:
            asyncio.run(suite(report, signet, nats_server.url))
        except Exception:  # one broken suite must not hide the next
            report.check(f"{name} ran to its end", False, traceback.format_exc()[-1500:] + signet.log.read_text()[-1500:])
        report.equal("SIGTERM ends signet with 0", signet.stop(), 0)
        nats_server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
