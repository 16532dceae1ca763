"""A CI's job gets its key by the CI's own token, when it needs one, and another before that one expires."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from build_dashboard.ci_key import CiKey, CiKeyFailed
from build_dashboard.endpoint import find_endpoint
from build_dashboard.redaction.own_key import child_environment


class Server(ThreadingHTTPServer):
    """The CI's address for tokens and the dashboard's for keys, with what each was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked: list[tuple[str, str]] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self._answer(self.headers.get("Authorization", ""), {"value": "a.ci.token"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        problem = {"detail": "no entry has its claims"}
        lent = {"accessToken": f"bmk_{len(self.server.asked)}", "expiresIn": 3600}
        self._answer(body, lent if self.server.status == 200 else problem)

    def _answer(self, shown: str, body: dict[str, Any]) -> None:
        self.server.asked.append((self.path, shown))
        content = json.dumps(body).encode()
        self.send_response(self.server.status if self.command == "POST" else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def github(server: Server) -> dict[str, str]:
    return {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{server.url}/token?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-the-runner",
    }


def test_github_is_asked_for_a_token_for_this_dashboard(server: Server) -> None:
    """Its audience is the dashboard's address; the token is exchanged there, once for all who need the key."""
    endpoint = find_endpoint(f"{server.url}/ws", environment=github(server))
    assert endpoint.has_key
    with ThreadPoolExecutor(8) as threads:
        shown = {each.result() for each in [threads.submit(endpoint.credential) for _ in range(8)]}

    audience = server.url.replace(":", "%3A").replace("/", "%2F")
    assert [
        (f"/token?api-version=2.0&audience={audience}", "bearer of-the-runner"),
        ("/api/auth/ci-token", '{"token":"a.ci.token"}'),
    ] == server.asked
    assert shown == {"bmk_1"}


def test_a_token_in_the_environment_is_used_and_kept_from_the_build(server: Server) -> None:
    """GitLab's way, and that of any other issuer."""
    environment = {"BUILD_DASHBOARD_ID_TOKEN": " x.y.z\n", "PATH": "/bin"}
    assert find_endpoint(f"{server.url}/ws", environment=environment).credential() == "bmk_0"
    assert [("/api/auth/ci-token", '{"token":"x.y.z"}')] == server.asked
    assert {"PATH": "/bin"} == child_environment(environment)


def test_buildkite_is_asked_by_its_program(server: Server, tmp_path: Path) -> None:
    """With the audience that was set; what it says on a failure is passed on."""
    program = tmp_path / "buildkite-agent"
    program.write_text('#!/bin/sh\n[ "$4" = dash ] || { echo no such audience >&2; exit 1; }\necho "$1.$2.$3"\n')
    program.chmod(0o755)
    environment = {"BUILDKITE_AGENT_ACCESS_TOKEN": "x", "PATH": f"{tmp_path}:/bin:/usr/bin"}
    chosen = CiKey.of({**environment, "BUILD_DASHBOARD_AUDIENCE": "dash"})
    assert chosen is not None
    chosen.current(server.url)
    assert [("/api/auth/ci-token", '{"token":"oidc.request-token.--audience"}')] == server.asked

    unset = CiKey.of(environment)
    assert unset is not None
    with pytest.raises(CiKeyFailed, match="no such audience"):
        unset.current(server.url)
    assert CiKey.of({**environment, "PATH": "/bin"}) is None


def test_a_key_of_ones_own_comes_first(server: Server) -> None:
    """Nobody is asked where there is one; nowhere to ask and no key is no key."""
    assert (
        "own"
        == find_endpoint(server.url, environment={**github(server), "BUILD_DASHBOARD_API_KEY": "own"}).credential()
    )
    assert not find_endpoint(server.url, environment={"ACTIONS_ID_TOKEN_REQUEST_URL": server.url}).has_key
    assert [] == server.asked


def test_a_key_is_replaced_before_it_expires_and_when_it_is_refused(server: Server) -> None:
    """A minute before its end; one that the dashboard no longer takes at once."""
    now = [0.0]
    key = CiKey(lambda _: "x.y.z", None, lambda: now[0])
    first = key.current(server.url)
    now[0] = 3539.0
    assert first == key.current(server.url)
    now[0] = 3540.0
    second = key.current(server.url)
    assert first != second
    assert key.forget()
    assert not key.forget()
    assert second != key.current(server.url)


def test_what_the_dashboard_says_of_a_job_is_passed_on(server: Server) -> None:
    """Its own words and status; a dashboard or a CI that is away is named, too."""
    server.status = 401
    with pytest.raises(CiKeyFailed, match="no entry has its claims") as refused:
        find_endpoint(server.url, environment=github(server)).credential()
    assert refused.value.status == 401
    for url, ci in ((server.url, "http://127.0.0.1:9"), ("http://127.0.0.1:9", server.url)):
        environment = {**github(server), "ACTIONS_ID_TOKEN_REQUEST_URL": ci}
        with pytest.raises(CiKeyFailed, match="no key for this job") as away:
            find_endpoint(url, environment=environment).credential()
        assert away.value.status is None
