"""An issuer of OpenID Connect tokens as CIs have one, in a process of its own; it speaks GitHub's way to jobs, too.

`python -m build_testkit.oidc_issuer` prints its port. Tokens are signed by the newest key; `POST /rotate` makes another
one and publishes both, `POST /retire` publishes the newest only, `POST /behave` changes how it answers.
"""

import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jose import jwk, jwt

JOB_TOKEN = "of-this-job"  # noqa: S105  what a runner gives its job, here
_HTTP = httpx.Client(trust_env=False, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
"""Without the machine's certificates: none is used, and to read them takes longer than a test."""

CLAIMS: Mapping[str, Any] = {
    "sub": "repo:llvm/torch-mlir:ref:refs/heads/main",
    "repository": "llvm/torch-mlir",
    "ref": "refs/heads/main",
}


class _Issuer(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.keys: dict[str, str] = {}
        self.kinds: dict[str, str] = {}
        self.behaviour: dict[str, Any] = {}
        self.asked: list[str] = []
        self.rotate("RS256")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def rotate(self, algorithm: str) -> None:
        kid = f"key-{len(self.kinds) + 1}"
        private = (
            rsa.generate_private_key(65537, 2048) if algorithm[0] == "R" else ec.generate_private_key(ec.SECP256R1())
        )
        self.keys[kid] = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        self.kinds[kid] = algorithm

    def published(self) -> list[dict[str, Any]]:
        return [
            {**jwk.construct(pem, self.kinds[kid]).public_key().to_dict(), "kid": kid, "use": "sig"}
            for kid, pem in self.keys.items()
        ]

    def token(self, claims: Mapping[str, Any], audience: str) -> str:
        now = int(time.time())
        body = {"iss": self.url, "aud": audience, "iat": now, "nbf": now, "exp": now + 300, **CLAIMS, **claims}
        kid = body.pop("_kid", next(reversed(self.keys)))
        body = {name: value for name, value in body.items() if value is not None}
        key = self.keys.get(kid, self.keys[next(reversed(self.keys))])
        return str(jwt.encode(body, key, self.kinds.get(kid, "RS256"), headers={"kid": kid}))


class _Answer(BaseHTTPRequestHandler):
    server: _Issuer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path != "/asked":
            self.server.asked.append(parts.path)
        behaviour = self.server.behaviour
        if parts.path == "/.well-known/openid-configuration":
            described = {"issuer": self.server.url, "jwks_uri": f"{self.server.url}/jwks", **behaviour.get("says", {})}
            self._send(behaviour.get("status", 200), described, behaviour.get("headers", {}))
        elif parts.path == "/jwks":
            self._send(200, {"keys": self.server.published(), "more": "x" * behaviour.get("more", 0)})
        elif parts.path == "/job-token" and self.headers["Authorization"] == f"bearer {JOB_TOKEN}":
            (audience,) = parse_qs(parts.query)["audience"]
            self._send(200, {"value": self.server.token(behaviour.get("job", {}), audience)})
        elif parts.path == "/asked":
            self._send(200, {"paths": self.server.asked})
        else:
            self._send(404, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self.path == "/token":
            self._send(200, {"value": self.server.token(body["claims"], body["audience"])})
            return
        if self.path == "/rotate":
            self.server.rotate(body["algorithm"])
        elif self.path == "/retire":
            newest = next(reversed(self.server.keys))
            self.server.keys = {newest: self.server.keys[newest]}
        elif self.path == "/behave":
            self.server.behaviour = body
        self._send(200, {})

    def _send(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Nothing: tests read its answers."""


@dataclass(frozen=True)
class OidcIssuer:
    """A running issuer."""

    url: str

    def token(self, audience: str, **claims: Any) -> str:
        """A token for a job with these claims beside the usual ones; None leaves one out."""
        return str(self._post("/token", audience=audience, claims=claims)["value"])

    def rotate(self, algorithm: str = "RS256") -> None:
        """Sign with another key from now on, and publish it beside the older ones."""
        self._post("/rotate", algorithm=algorithm)

    def retire(self) -> None:
        """Publish no key but the newest."""
        self._post("/retire")

    def behave(self, **how: Any) -> None:
        """Answer like this: `status`, `headers`, `says` (of itself), `more` bytes of keys, a `job`'s claims."""
        self._post("/behave", **how)

    def asked(self) -> list[str]:
        """The paths that it was asked for so far."""
        return list(_HTTP.get(f"{self.url}/asked").json()["paths"])

    @property
    def job(self) -> dict[str, str]:
        """What GitHub Actions gives a job that may have tokens."""
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/job-token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": JOB_TOKEN,
        }

    def _post(self, path: str, **body: Any) -> Any:
        return _HTTP.post(f"{self.url}{path}", json=body).raise_for_status().json()


@contextmanager
def issuing() -> Iterator[OidcIssuer]:
    """An issuer, for as long as it is needed."""
    command = [sys.executable, "-m", "build_testkit.oidc_issuer"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or not (port := process.stdout.readline().strip()):
                raise OSError("the issuer does not start")
            yield OidcIssuer(f"http://127.0.0.1:{port}")
        finally:
            process.kill()


if __name__ == "__main__":
    server = _Issuer()
    print(server.server_port, flush=True)
    server.serve_forever()
