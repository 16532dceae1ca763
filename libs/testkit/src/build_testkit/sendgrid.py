"""A real HTTP server that speaks SendGrid's v3 mail/send, and signs events as SendGrid does: for tests only."""

import base64
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from build_testkit.web import serving

KEY = "SG.test"


class SendGridServer:
    """Takes mails unless set to answer otherwise; `answers` are used up first, one per request.

    An answer is a status, `cut` (take the mail, then cut the connection) or `slow` (take it, never answer).
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.mails: list[dict[str, Any]] = []
        self.answers: list[int | str] = []
        self.headers: dict[str, str] = {}
        self.requests = self.searches = 0
        self.search_status = 200
        self.found_status = "delivered"
        self.ends = threading.Event()
        self._private = ec.generate_private_key(ec.SECP256R1())
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """A request."""
                server.answer(self)

            def do_GET(self) -> None:
                """A question about mails it took."""
                server.answer_search(self)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  its signature
                """Say nothing."""

        self.http = ThreadingHTTPServer((host, 0), Handler)
        self.url = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request as the test wants it."""
        self.requests += 1
        body = request.rfile.read(int(request.headers["Content-Length"]))
        answer = self.answers.pop(0) if self.answers else 202
        if request.path != "/v3/mail/send":
            answer = 404
        elif request.headers["Authorization"] != f"Bearer {KEY}":
            answer = 401
        if answer in (202, "cut", "slow"):
            self.mails.append(json.loads(body))
        if answer == "cut":
            request.connection.close()
            return
        if answer == "slow":
            self.ends.wait(30)
            return
        request.send_response(int(answer))
        if answer == 202:
            request.send_header("X-Message-Id", f"sg-{len(self.mails)}")
        for name, value in self.headers.items():
            request.send_header(name, value)
        body = b"" if answer == 202 else json.dumps({"errors": [{"message": f"answered {answer}"}]}).encode()
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def answer_search(self, request: BaseHTTPRequestHandler) -> None:
        """The activity feed: mails by a custom argument, in SendGrid's query language."""
        self.searches += 1
        parts = urlsplit(request.path)
        query = parse_qs(parts.query).get("query", [""])[0]
        asked = re.fullmatch(r"unique_args\['(\w+)'\]=\"([^\"]*)\"", query)
        status = self.search_status if parts.path == "/v3/messages" and asked else 404
        if request.headers["Authorization"] != f"Bearer {KEY}":
            status = 401
        taken = [
            number
            for number, mail in enumerate(self.mails, 1)
            if asked and mail["custom_args"].get(asked[1]) == asked[2]
        ]
        found = [{"msg_id": f"sg-{number}.recv", "status": self.found_status} for number in taken]
        body = json.dumps({"messages": found} if status == 200 else {"errors": []}).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    @property
    def public_key(self) -> str:
        """As SendGrid's settings show it."""
        key = self._private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(key).decode()

    def signed(self, *events: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        """Body and headers of a webhook request."""
        body, timestamp = json.dumps(list(events)).encode(), str(int(time.time()))
        signature = self._private.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return body, {
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
            "Content-Type": "application/json",
        }

    def subjects(self) -> list[str]:
        """Subjects of the mails it took, in order."""
        return [mail["subject"] for mail in self.mails]


@contextmanager
def sendgrid_server(host: str = "127.0.0.1") -> Iterator[SendGridServer]:
    """A running server that listens on this address, gone with the context."""
    server = SendGridServer(host)
    with serving(server.http) as server.url:
        try:
            yield server
        finally:
            server.ends.set()
