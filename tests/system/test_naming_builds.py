"""A build and a commit are named by people: what the page prints is accepted, and one of several is never guessed."""

import itertools
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from build_testkit.stack import Stack, wait_until
from websockets.sync.client import ClientConnection, connect

pytestmark = pytest.mark.slow

SECONDS = 30
COMMIT = "c0ffee0000000000000000000000000000000001"
OTHER_COMMIT = "c0ffee0000000000000000000000000000000002"
_numbers = itertools.count(0x4000)


class Agent:
    """Speaks for builds whose ids a test chooses, as an agent does."""

    def __init__(self, socket: ClientConnection, stack: Stack, project: str) -> None:
        self._socket, self._stack, self._project = socket, stack, project
        self._say(type="HELLO", agentVersion="1.0", instance=project)
        self._receive("WELCOME")

    def build(self, build_id: str, status: str = "running", **start: Any) -> str:
        """A build that runs or ended, once it is stored."""
        records = [("BUILD_START", {"status": "running", "command": ["ninja"], **start})]
        if status != "running":
            records.append(("BUILD_COMPLETE", {"status": status, "exitCode": 0 if status == "succeeded" else 1}))
        now_ms = int(time.time() * 1000)
        known = {"buildId": build_id, "project": self._project, "timestamp": now_ms}
        sent = [{**known, "type": kind, "seq": seq, "data": data} for seq, (kind, data) in enumerate(records, 1)]
        self._say(type="RECORDS", records=sent)
        self._receive("ACK", buildId=build_id, confirmed=len(records))
        path = f"/api/builds?id={build_id}"
        token = self._stack.token()
        wait_until(lambda: [b for b in self._stack.get(path, token)["items"] if b["status"] == status], SECONDS, status)
        return build_id

    def cancelled(self) -> str:
        """The build of the next order to cancel one."""
        return str(self._receive("COMMAND", kind="cancel")["buildId"])

    def _say(self, **frame: Any) -> None:
        self._socket.send(json.dumps(frame))

    def _receive(self, what: str, **fields: Any) -> dict[str, Any]:
        while True:
            frame: dict[str, Any] = json.loads(self._socket.recv(SECONDS))
            if frame["type"] == what and fields.items() <= frame.items():
                return frame


@pytest.fixture
def project(request: pytest.FixtureRequest) -> str:
    """Of this test alone."""
    name: str = request.node.name
    return name.partition("[")[0].replace("test_", "").replace("_", "-")[:60]


@pytest.fixture
def agent(stack: Stack, project: str) -> Iterator[Agent]:
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    with connect(f"{stack.url.replace('http', 'ws', 1)}/ws", additional_headers=headers, proxy=None) as socket:
        yield Agent(socket, stack, project)


@pytest.fixture
def beginning() -> str:
    """8 digits with which no other test's ids begin, nor end."""
    return f"0190{next(_numbers):04x}"


def cli(stack: Stack, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "build_dashboard", *arguments],
        env=stack.agent_environment | environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


def limited(stack: Stack, name: str, *projects: str) -> dict[str, str]:
    """The environment of somebody who sees these projects only."""
    body = {"name": name, "password": "four geese on a bicycle", "role": "developer", "projects": list(projects)}
    headers = {"Authorization": f"Bearer {stack.token()}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{stack.url}/api/users", json.dumps(body).encode(), headers)
    urllib.request.urlopen(request, timeout=30).close()
    return {"BUILD_DASHBOARD_USER": name, "BUILD_DASHBOARD_PASSWORD": "four geese on a bicycle"}


def test_cancel_never_chooses_between_builds(stack: Stack, agent: Agent, project: str, beginning: str) -> None:
    """Of two builds that began within a minute none is cancelled; the list says what to type, and typing it works."""
    mine = agent.build(f"{beginning}-0001-7000-8000-0000{beginning[::-1]}", branch="main", config="release")
    theirs = agent.build(f"{beginning}-0002-7000-8000-00000000{beginning[4:]}", config="asan")

    unclear = cli(stack, "cancel", beginning)

    assert (unclear.returncode, unclear.stdout) == (1, "")
    assert f"{beginning} names 2 builds; nothing was done" in unclear.stderr
    for build_id, words in ((mine, f"{project} main release  running"), (theirs, f"{project} - asan  running")):
        assert f"  {build_id[-8:]}  {words}  20" in unclear.stderr
    assert stack.get(f"/api/commands?buildId={mine}")["items"] == []
    assert stack.get(f"/api/commands?buildId={theirs}")["items"] == []

    clear = cli(stack, "cancel", mine[-8:])

    assert (clear.returncode, clear.stderr) == (0, "")
    assert clear.stdout.startswith(f"cancel {project} release {mine[-8:]}: ")
    assert agent.cancelled() == mine
    again = cli(stack, "cancel", mine)
    (command,) = stack.get(f"/api/commands?buildId={mine}")["items"]
    assert (again.returncode, command["id"] in again.stdout, "ordered by admin" in again.stdout) == (0, True, True)
    assert stack.get(f"/api/commands?buildId={theirs}")["items"] == []


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "timed_out"])
def test_a_finished_build_is_not_cancelled(embedded: Stack, status: str, beginning: str) -> None:
    """The refusal is the server's, and the exit code says that nothing happens."""
    headers = {"Authorization": f"Bearer {embedded.api_key}"}
    url = f"{embedded.url.replace('http', 'ws', 1)}/ws"
    with connect(url, additional_headers=headers, proxy=None) as socket:
        build_id = Agent(socket, embedded, "finished").build(f"{beginning}-0001-7000-8000-{beginning}0001", status)

    refused = cli(embedded, "cancel", build_id)

    ended = status.replace("_", " ")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"build {build_id[-8:]} is already {ended}: nothing to cancel" in refused.stderr


def test_show_and_logs_take_what_the_page_and_the_tables_print(stack: Stack, agent: Agent, beginning: str) -> None:
    """The whole id, pasted in any form, the last 8 digits, and any beginning or end that no other build has."""
    build_id = agent.build(f"{beginning}-aaaa-7000-8000-0000{beginning}", "failed")
    listed = cli(stack, "builds", "--limit", "10000").stdout
    assert build_id in listed.split()

    for name in (build_id, f" {build_id.upper()} ", build_id.replace("-", ""), build_id[:14], build_id[-9:]):
        shown = cli(stack, "show", "--json", name)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert json.loads(shown.stdout)["id"] == build_id
        read = cli(stack, "logs", name)
        assert (read.returncode, read.stdout, read.stderr) == (0, "", "")
    assert build_id in cli(stack, "show", build_id).stdout


def test_a_name_that_names_nothing_says_so(embedded: Stack) -> None:
    """Too short, no digits, too many digits, nobody's: each has its sentence, for every command."""
    sentences = {
        "c0ff": "'c0ff' is too short: give at least 6 digits",
        "newest": "'newest' is no build id",
        COMMIT: "it has 40 digits, an id has 32",
        "01900000-0000-7000-8000-00000000000g": "is no build id",
        "ffffffff": "no build that you may see has an id that begins or ends with ffffffff",
        "ffffffff-ffff-7fff-8fff-ffffffffffff": "there is no build ffffffff-ffff-7fff-8fff-ffffffffffff",
    }
    for name, sentence in sentences.items():
        for command in ("show", "logs", "cancel"):
            answer = cli(embedded, command, name)
            assert (answer.returncode, answer.stdout) == (1, "")
            assert sentence in answer.stderr


def test_builds_of_hidden_projects_are_not_counted(stack: Stack, agent: Agent, project: str, beginning: str) -> None:
    """Who may not see a build gets the answer for none, and their own build stays clear beside it."""
    hidden = agent.build(f"{beginning}-0001-7000-8000-0000{beginning}")
    stranger = limited(stack, f"stranger-{beginning}", f"{project}-2")

    unknown = cli(stack, "cancel", beginning, **stranger)
    assert (unknown.returncode, "no build that you may see" in unknown.stderr) == (1, True)
    assert hidden[-8:] not in unknown.stderr.replace(beginning, "")

    agent._project = f"{project}-2"
    own = agent.build(f"{beginning}-0002-7000-8000-00001234abcd")
    shown = cli(stack, "show", "--json", beginning, **stranger)
    assert json.loads(shown.stdout)["id"] == own


def test_status_never_mixes_commits(stack: Stack, agent: Agent, project: str, beginning: str) -> None:
    """A beginning of two commits is an error that lists both; the answer for one is of all of its builds."""
    agent.build(f"{beginning}-0001-7000-8000-000000000001", "failed", commit=COMMIT, commitSubject="Break it")
    agent.build(f"{beginning}-0002-7000-8000-000000000002", "succeeded", commit=OTHER_COMMIT)

    unclear = cli(stack, "status", "--project", project, "C0FFEE")

    assert (unclear.returncode, unclear.stdout) == (2, "")
    assert "c0ffee begins 2 commits" in unclear.stderr
    assert f"  {COMMIT}  {project}  Break it" in unclear.stderr
    assert f"  {OTHER_COMMIT}  {project}" in unclear.stderr
    assert cli(stack, "status", "--project", project, COMMIT).returncode == 1
    assert cli(stack, "status", "--project", project, f" {OTHER_COMMIT.upper()}\n").returncode == 0


def test_digits_of_a_build_and_of_a_commit_are_neither(stack: Stack, agent: Agent, beginning: str) -> None:
    """Where either may be named, digits of both are an error that lists both; one more digit is clear."""
    build_id = agent.build(f"{beginning}-0001-7000-8000-000000000001", "failed", commit=f"{beginning}{'f' * 32}")

    unclear = cli(stack, "why", beginning)

    assert (unclear.returncode, unclear.stdout) == (1, "")
    assert f"{build_id[-8:]} and the commit {beginning}{'f' * 32}: give more digits" in unclear.stderr
    assert cli(stack, "open", "--url", f"{beginning}0").stdout.strip().endswith(f"/builds/{build_id}")
    assert cli(stack, "open", "--url", f"{beginning}f").stdout.strip().endswith(f"/c/{beginning}{'f' * 32}")


@pytest.mark.parametrize("sha", ["", " ", "HEAD", "c0f", "g0ffee", "c" * 65])
def test_status_of_what_is_no_commit_is_not_another_commits(embedded: Stack, sha: str) -> None:
    """An unset variable, a branch or too few digits never answer for the checkout one happens to stand in."""
    answer = cli(embedded, "status", sha)

    assert (answer.returncode, answer.stdout, "is no commit" in answer.stderr) == (2, "", True)


def test_a_retry_names_a_whole_id(tmp_path: Any) -> None:
    """A build sent with any other would be refused as a whole, so the command is not even begun."""
    environment = dict(os.environ) | {"XDG_STATE_HOME": str(tmp_path)}
    mark = tmp_path / "ran"
    for text, why in {"456789ab": "give the whole id", "yesterday": "is no build id"}.items():
        command = ["run", "--project", "p", "--retry-of", text, "--", "touch", str(mark)]
        refused = subprocess.run(
            [sys.executable, "-m", "build_dashboard", *command],
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        assert (refused.returncode, why in refused.stderr, mark.exists()) == (2, True, False)
