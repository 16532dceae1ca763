"""Whatever is refused, by whichever service: one shape, which says what was wrong and what to do."""

import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from build_chassis.errors import NotFound, kind_of
from build_protocol.views import Problem
from build_testkit.stack import Stack

pytestmark = pytest.mark.slow

MISSING = {
    "build_id": "01890000-0000-7000-8000-000000000001",
    "artifact_id": "0" * 32,
    "sha": "abcdef1",
}
"""Names that are well formed and of nothing; other parameters take a word."""

FORGED = "eyJhbGciOiJIUzI1NiJ9.e30.x"


def test_every_route_refuses_in_one_shape(stack: Stack) -> None:
    """Every route without a token, with a forged one, of a missing thing, with a broken body, by a wrong method."""
    token = stack.token()
    paths: dict[str, Any] = stack.get("/api/openapi.json", token)["paths"]
    refusals: dict[str, set[str]] = {}
    for path, operations in paths.items():
        address = re.sub(r"\{(\w+)\}", lambda match: MISSING.get(match[1], "nothing-of-this-name"), path)
        for method in operations:
            for credential in (None, FORGED, token):
                for body in (b"{", b'{"nonsense": 1}') if method in ("post", "put", "patch") else (None,):
                    _collect(refusals, path, _ask(stack, method.upper(), address, credential, body))
        _collect(refusals, path, _ask(stack, "TRACE", address, token, None))

    assert {"unauthenticated", "not_found", "invalid", "not_allowed"} <= set().union(*refusals.values())
    assert len(refusals) > 0.9 * len(paths)


def test_the_command_line_says_what_to_do(stack: Stack) -> None:
    """What was wrong on the first line, what to do on the second, no trace."""
    command = [sys.executable, "-m", "build_dashboard", "cancel", MISSING["build_id"]]
    done = subprocess.run(command, env=stack.agent_environment, capture_output=True, text=True, timeout=60, check=False)

    what, remedy = done.stderr.splitlines()
    assert done.returncode == 1
    assert what.startswith("build-dashboard: ")
    assert MISSING["build_id"] in what
    assert remedy == NotFound.advice


def _collect(refusals: dict[str, set[str]], path: str, answers: Iterator[tuple[int, str, bytes]]) -> None:
    for status, content_type, text in answers:
        where = (path, status, text[:300])
        assert content_type == "application/problem+json", where
        problem = Problem.model_validate_json(text)
        kind = kind_of(status)
        assert (problem.status, problem.code) == (status, kind.code), where
        assert status != 500, where
        assert problem.detail not in {"", problem.title}, where
        assert problem.remedy.endswith("."), where
        assert problem.instance, where
        refusals.setdefault(path, set()).add(problem.code)


def _ask(
    stack: Stack, method: str, path: str, token: str | None, body: bytes | None
) -> Iterator[tuple[int, str, bytes]]:
    """The answer, where it is an error."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(stack.url + path, body, headers, method=method)
    try:
        urllib.request.urlopen(request, timeout=30).close()
    except urllib.error.HTTPError as error:
        yield error.code, error.headers["content-type"], error.read()
