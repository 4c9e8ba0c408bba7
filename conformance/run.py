"""Runs the foreign clients against the built binary, on both deployments. The last line is `N passed, N failed`."""

import asyncio
import shutil
import sys
import traceback

import cap_basic
import ccm_rest
import ccm_x509
import certificates
import ecap
from kaa_cloud import KaaCloud
from kit import DropIn, NatsServer, Report, Signet, scratch

SMALL_QUEUE = "[kaa]\ncap_concurrency = 1\ncap_queue_length = 2\n"

ENDPOINT_TOKENS = "[kaa]\ncm_enabled = true\n"

# In the place of Kaa's CCM, two replicas; further keys of its file.
DROP_IN = "drop-in"
CM = "  cm:\n    enabled: true\n"

SUITES = [
    ("basic authentication on the embedded store", cap_basic.run, False, ""),
    ("basic authentication on PostgreSQL", cap_basic.run, True, ""),
    ("endpoint tokens on the embedded store", ecap.run, False, ENDPOINT_TOKENS),
    ("endpoint tokens on PostgreSQL", ecap.run, True, ENDPOINT_TOKENS),
    ("basic authentication in the place of CCM", cap_basic.run, DROP_IN, ""),
    ("endpoint tokens in the place of CCM and CM", ecap.run, DROP_IN, CM),
    ("certificates on the embedded store", certificates.run, False, ""),
    ("certificates on PostgreSQL", certificates.run, True, ""),
    ("a flood of requests", cap_basic.flood, True, SMALL_QUEUE),
]


def run(report, name, signet, suite):
    try:
        asyncio.run(suite)
    except Exception:  # one broken suite must not hide the next
        report.check(f"{name} ran to its end", False, traceback.format_exc()[-1500:] + signet.log.read_text()[-1500:])
    report.equal("SIGTERM ends signet with 0", signet.stop(), 0)


def rest_of_ccm(report):
    """REST in the place of CCM, with a Tenant Manager and an issuer for each tenant around it."""
    name = "REST in the place of CCM"
    print(f"-- {name}", flush=True)
    directory = scratch()
    nats_server, cloud = NatsServer(directory), KaaCloud(directory, ["t-a", "t-b"])
    ccm = DropIn(directory, nats_server.url, cloud.security())
    run(report, name, ccm, ccm_rest.run(report, ccm, cloud, nats_server.url))
    cloud.stop()
    nats_server.stop()
    shutil.rmtree(directory, ignore_errors=True)


def certificates_of_ccm(report):
    """The same with a platform CA: certificates over REST and over the bus."""
    name = "certificates in the place of CCM"
    print(f"-- {name}", flush=True)
    directory = scratch()
    nats_server, cloud, platform = NatsServer(directory), KaaCloud(directory, ["t-a", "t-b"]), ccm_x509.Platform(directory)
    ccm = DropIn(directory, nats_server.url, cloud.security() + platform.section())
    run(report, name, ccm, ccm_x509.run(report, ccm, cloud, platform, nats_server.url))
    cloud.stop()
    nats_server.stop()
    shutil.rmtree(directory, ignore_errors=True)


def main():
    report = Report()
    for name, suite, production, settings in SUITES:
        print(f"-- {name}", flush=True)
        directory = scratch()
        nats_server = NatsServer(directory)
        in_place = production == DROP_IN
        signet = DropIn(directory, nats_server.url, settings) if in_place else Signet(directory, nats_server.url, production, settings)
        run(report, name, signet, suite(report, signet, nats_server.url))
        nats_server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    rest_of_ccm(report)
    certificates_of_ccm(report)
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
