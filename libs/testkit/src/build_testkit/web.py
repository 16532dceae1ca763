"""HTTP servers in a thread of the test: for tests only."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def serving(http: ThreadingHTTPServer) -> Iterator[str]:
    """The server answers while this lasts; gives its URL."""
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


class Web:
    """An HTTP server: `routes` maps `METHOD path` to (status, JSON or bytes), else 404; `headers` are in every answer.

    `seen` is what it was asked: method, path, parsed body; `authorized` its header `Authorization`, of each request.
    """

    def __init__(self, url: str = "") -> None:
        self.url = url
        self.routes: dict[str, tuple[int, Any]] = {}
        self.headers: dict[str, str] = {}
        self.seen: list[tuple[str, str, Any]] = []
        self.authorized: list[str] = []

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request as the routes have it."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        path = request.path.partition("?")[0]
        self.seen.append((request.command, path, json.loads(body) if body else None))
        self.authorized.append(request.headers.get("Authorization", ""))
        status, answer = self.routes.get(f"{request.command} {path}", (404, {}))
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        request.send_response(status)
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)


@contextmanager
def web_server() -> Iterator[Web]:
    """A running server, gone with the context."""
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            """A request."""
            web.answer(self)

        do_GET = do_POST = do_PATCH = answer  # noqa: N815  the names http.server calls

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  its signature
            """Say nothing."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as web.url:
        yield web
