"""What stands around CCM in Kaa's cloud and exists nowhere else: a Tenant Manager and an OAuth issuer per tenant, on one port.

Small and honest: the documented paths, real RS256 signatures (made by openssl), nothing that Signet could not meet in the field.
"""

import base64
import http.server
import json
import pathlib
import subprocess
import threading
import time
import urllib.parse

PLATFORM_REALM = "kaa"
CLIENT_ID, CLIENT_SECRET = "ccm", "conformance-secret"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Realm:
    """One issuer: a key, and what it signs."""

    def __init__(self, directory, url, name):
        self.name = name
        self.issuer = f"{url}/auth/realms/{name}"
        self.key = pathlib.Path(directory) / f"{name}.key"
        subprocess.run(["openssl", "genrsa", "-out", self.key, "2048"], check=True, capture_output=True)
        modulus = subprocess.run(["openssl", "rsa", "-in", self.key, "-noout", "-modulus"], check=True, capture_output=True, text=True)
        self.kid = f"{name}-1"
        self.jwk = {
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "e": "AQAB",
            "n": b64(bytes.fromhex(modulus.stdout.strip().split("=")[1])),
        }

    def token(self, *permissions, scope="", header=None, **claims):
        """A token with RPT permissions `(resource, scope)`; claims and header members given replace ours, None removes them."""
        now = int(time.time())
        body = {
            "iss": self.issuer, "sub": f"user-of-{self.name}", "aud": CLIENT_ID, "typ": "Bearer",
            "iat": now, "nbf": now - 1, "exp": now + 300, "scope": scope,
        }
        if permissions:
            body["authorization"] = {
                "permissions": [{"rsid": f"r-{n}", "rsname": name, "scopes": [scope]} for n, (name, scope) in enumerate(permissions)]
            }
        body.update(claims)
        body = {name: value for name, value in body.items() if value is not None}
        head = {"alg": "RS256", "typ": "JWT", "kid": self.kid} | (header or {})
        text = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(body).encode())}"
        signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=text.encode(), check=True, capture_output=True)
        return f"{text}.{b64(signed.stdout)}"


class KaaCloud:
    """Serves the Tenant Manager and all realms from one loopback port."""

    def __init__(self, directory, tenants):
        cloud = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                cloud.answer(self, None)

            def do_POST(self):
                cloud.answer(self, self.rfile.read(int(self.headers.get("content-length", 0))))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.realms = {name: Realm(directory, self.url, name) for name in (PLATFORM_REALM, *tenants)}
        self.tenants = list(tenants)
        self.asked = []
        self.permitted = set()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def security(self):
        """The section of CCM's file that names this cloud."""
        return (
            f"  security:\n    enabled: true\n    issuer: {self.realms[PLATFORM_REALM].issuer}\n    client-id: {CLIENT_ID}\n"
            f"    client-secret: {CLIENT_SECRET}\n    tenant-manager:\n      url: {self.url}\n"
        )

    def answer(self, handler, body):
        path = urllib.parse.urlsplit(handler.path).path
        self.asked.append(path)
        status, answer = self.route(path, handler, body)
        text = json.dumps(answer).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def route(self, path, handler, body):
        if path == "/api/v1/tenants":
            results = [self.tenant(name) for name in self.tenants]
            return 200, {"count": len(results), "next": None, "previous": None, "results": results}
        parts = path.strip("/").split("/")
        realm = self.realms.get(parts[2]) if parts[:2] == ["auth", "realms"] and len(parts) > 2 else None
        match realm, parts[3:]:
            case None, _:
                return 404, {"error": "not found"}
            case _, [".well-known", "openid-configuration"]:
                connect = f"{realm.issuer}/protocol/openid-connect"
                return 200, {
                    "issuer": realm.issuer, "jwks_uri": f"{connect}/certs", "token_endpoint": f"{connect}/token",
                    "authorization_endpoint": f"{connect}/auth", "response_types_supported": ["code"],
                    "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
                }
            case _, ["protocol", "openid-connect", "certs"]:
                return 200, {"keys": [realm.jwk]}
            case _, ["protocol", "openid-connect", "token"]:
                return self.grant(realm, handler, urllib.parse.parse_qs((body or b"").decode()))
            case _:
                return 404, {"error": "not found"}

    def grant(self, realm, handler, form):
        if form.get("grant_type") == ["urn:ietf:params:oauth:grant-type:uma-ticket"]:
            return self.decision(handler, form)
        basic = "Basic " + base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        known = handler.headers.get("authorization") == basic or form.get("client_secret") == [CLIENT_SECRET]
        if not known or form.get("grant_type") != ["client_credentials"]:
            return 401, {"error": "invalid_client"}
        return 200, {"access_token": realm.token(scope="kaa:tenant:read"), "token_type": "Bearer", "expires_in": 300}

    def decision(self, handler, form):
        """Keycloak's answer to whether the holder of the token may: yes for those in `permitted`."""
        token = handler.headers.get("authorization", "").removeprefix("Bearer ")
        payload = token.split(".")[1]
        subject = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"]
        if form.get("audience") == [CLIENT_ID] and (subject, form["permission"][0]) in self.permitted:
            return 200, {"result": True}
        return 403, {"error": "access_denied", "error_description": "not_authorized"}

    def tenant(self, name):
        return {
            "id": name, "realm_name": name, "issuer": self.realms[name].issuer, "status": "AVAILABLE", "idp_enabled": False,
            "client_backend_id": CLIENT_ID, "client_backend_secret": CLIENT_SECRET, "client_frontend_id": "front",
        }

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
