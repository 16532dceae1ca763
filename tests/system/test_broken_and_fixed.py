"""A real project breaks, stays broken, is fixed: what mails people get, what is kept; no outage changes any of it."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from build_testkit.rabbitmq import private_rabbitmq
from build_testkit.repository import Repository
from build_testkit.sendgrid import KEY, SendGridServer, sendgrid_server
from build_testkit.stack import Stack, separate_stack, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.rabbitmq, pytest.mark.timeout(600)]

PROJECT = "loom"
BREAKAGE = "api-change"
READER = "ci@example.com"
ARTIFACTS = ("build/.ninja_log", "build/compile_commands.json")
SECONDS = 60
CONSUMERS = ("ingest", "notifier", "artifacts", "history")

LONG = pytest.mark.skipif(os.environ.get("FULL") != "1", reason="FULL=1")
OUTAGES: list[Any] = [
    pytest.param((), id="all-up"),
    pytest.param(CONSUMERS, id="every-consumer-away"),
    *(pytest.param((name,), id=f"{name}-away", marks=LONG) for name in CONSUMERS),
]


class Tree(Repository):
    """A repository of the example, built in `build/`."""

    def breakage(self, verb: str, examples: Path) -> None:
        subprocess.run([sys.executable, str(examples / "breakage.py"), verb, str(self.path), BREAKAGE], check=True)

    def build(self, stack: Stack) -> int:
        """Build and test through the agent, bringing the artifacts; the exit code."""
        options = (
            "--config-name",
            "release",
            "--origin",
            "ci",
            *(w for name in ARTIFACTS for w in ("--artifact", name)),
        )
        tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        flags = ("-DCMAKE_CXX_FLAGS_RELEASE=-O0 -DNDEBUG", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON")
        return subprocess.run(
            stack.agent_command(PROJECT, "./build.sh", "build", *flags, options=options),
            cwd=self.path,
            env=stack.agent_environment | {"PATH": tools},
            stdout=subprocess.DEVNULL,
            timeout=300,
            check=False,
        ).returncode


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The example as a repository; every scenario fixes what it broke, so only the first build compiles all of it."""
    source = request.path.parents[2] / "examples" / "tensor-demo"
    path = tmp_path_factory.mktemp("loom") / PROJECT
    shutil.copytree(source, path, ignore=shutil.ignore_patterns("build*/", "__pycache__"))
    (path / ".gitignore").write_text("build/\n")
    Tree(path).create().commit("Import the Loom tensor compiler")
    return path


@contextmanager
def system(directory: Path, mails: SendGridServer) -> Iterator[Stack]:
    """Five processes on a RabbitMQ of their own, with mails to one reader."""
    config = directory / "config.yaml"
    config.write_text(f"projects:\n  {PROJECT}:\n    notification_emails: [{READER}]\n")
    extra = {
        "BUILD_DASHBOARD_CONFIG": str(config),
        "SECRET_API_KEY": KEY,
        "NOTIFICATION_EMAIL": "builds@example.com",
        "NOTIFIER_SENDGRID_HOST": mails.url,
        "NOTIFIER_QUIET_SECONDS": "0.5",
    }
    with private_rabbitmq() as broker, separate_stack(directory, broker.url, extra=extra) as stack:
        yield stack


def settled_builds(stack: Stack, count: int) -> list[dict[str, Any]]:
    """The project's builds, oldest first, once all are verified with their artifacts."""
    token = stack.token()

    def look() -> list[dict[str, Any]] | None:
        items = stack.get(f"/api/builds?project={PROJECT}", token)["items"]
        return items if len(items) == count and all(item["verified"] for item in items) else None

    return list(reversed(wait_until(look, SECONDS, f"{count} verified builds", every=0.1)))


def received(stack: Stack, mails: SendGridServer, count: int) -> list[dict[str, Any]]:
    """The mails to the reader, once so many went out and no notification is waiting for its turn."""
    token = stack.token()

    def look() -> bool:
        rows = stack.get(f"/api/notifications?project={PROJECT}", token)["items"]
        return len(rows) >= count and all(row["state"] in {"accepted", "delivered"} for row in rows)

    wait_until(look, SECONDS, f"{count} notifications sent", every=0.1)
    return mails.mails


def text_of(mail: dict[str, Any]) -> str:
    """The plain text of a mail to the one reader."""
    assert [READER] == [to["email"] for person in mail["personalizations"] for to in person["to"]]
    return str(next(part["value"] for part in mail["content"] if part["type"] == "text/plain"))


def assert_artifacts(stack: Stack, build: dict[str, Any], tree: Tree, names: Sequence[str]) -> None:
    def verified() -> dict[str, dict[str, Any]] | None:
        items = stack.get(f"/api/builds/{build['id']}/artifacts")["items"]
        found = {item["name"]: item for item in items if item["state"] == "verified"}
        return found if found.keys() >= set(names) else None

    items: dict[str, dict[str, Any]] = wait_until(verified, SECONDS, f"artifacts {names}", every=0.1)
    for name in names:
        content = stack.get_bytes(f"/api/artifacts/{items[name]['id']}/download")
        assert hashlib.sha256(content).hexdigest() == items[name]["sha256"]
        assert content == (tree.path / name).read_bytes()


@pytest.mark.parametrize("away", OUTAGES)
def test_three_red_builds_are_one_mail_and_the_fix_is_another(
    built: Path, tmp_path: Path, repository: Path, away: tuple[str, ...]
) -> None:
    """Good, broken three times, fixed: two mails, one failure group of three builds, equal artifacts; services `away`
    during all of the broken builds and the fix catch up to the same.
    """
    examples = repository / "examples"
    tree = Tree(built)
    with sendgrid_server() as mails, system(tmp_path, mails) as stack:
        assert tree.build(stack) == 0
        settled_builds(stack, 1)
        for name in away:
            stack.processes[name].stop()

        tree.breakage("apply", examples)
        suspect = tree.commit("Rename a method of the scope")
        assert [tree.build(stack) for _ in range(3)] == [1, 1, 1]
        tree.breakage("revert", examples)
        tree.commit("Give the method its name again")
        assert tree.build(stack) == 0

        for name in away:
            stack.processes[name].start()
        for name in away:
            stack.processes[name].wait_ready()
        stack.resume(SECONDS)

        good, *red, fixed = settled_builds(stack, 5)
        assert ["failed"] * 3 == [build["status"] for build in red]
        assert ("succeeded", "succeeded") == (good["status"], fixed["status"])

        texts = [text_of(mail) for mail in received(stack, mails, 2)]
        assert 1 == sum(fixed["id"] in text for text in texts)
        (broken_text,) = [text for text in texts if fixed["id"] not in text]
        # What comes back after an outage comes shard by shard: any of the three may be the one that opened it.
        assert any(build["id"] in broken_text for build in (red if away else red[:1]))
        assert broken_text.count(red[0]["firstFailure"]["message"]) == 2, broken_text  # first of all, and in its lines
        assert red[0]["firstFailure"]["file"].rsplit("/", 1)[-1] in broken_text

        signature = red[0]["firstFailure"]["signature"]
        group = wait_until(
            lambda: next(
                (
                    group
                    for group in stack.get(f"/api/failures?project={PROJECT}")["items"]
                    if group["signature"] == signature and group["count"] == 3
                ),
                None,
            ),
            SECONDS,
            "one failure group of three builds",
            every=0.1,
        )
        assert {build["id"] for build in red} == {build["id"] for build in group["builds"]}
        incidents = wait_until(
            lambda: stack.get(f"/api/incidents?project={PROJECT}&state=closed")["items"],
            SECONDS,
            "the incident is closed",
            every=0.1,
        )
        assert [suspect] == [incident["openedCommit"] for incident in incidents]
        assert_artifacts(stack, fixed, tree, ARTIFACTS)
        assert 2 == len(mails.mails)
