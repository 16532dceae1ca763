"""What notifier's tests share: verdicts in every form they come in, a store on every driver, and a clock."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from build_notifier.branch import Branch, Evidence
from build_notifier.delivery.notification import Notification
from build_notifier.incidents import apply
from build_notifier.messages.message import LogLine, Message
from build_notifier.store import NotifierStore, open_store
from build_protocol.ids import new_build_id
from build_protocol.messages import BuildVerdict, BuildVerdictData, Commit, FailureData
from build_testkit.sendgrid import SendGridServer, sendgrid_server

NOON_AT = 1_700_000_000_000 // 86_400_000 * 86_400_000 + 43_200_000
HOUR_MS = 3_600_000
QUIET_MS = 30_000


class Builds:
    """Makes verdicts of project `p`, branch `main`; build n starts n hours after noon and takes half an hour."""

    noon_at = NOON_AT
    hour_ms = HOUR_MS

    def id(self, n: int, config: str = "release") -> str:
        """The id of build n of a config: always the same."""
        return new_build_id(NOON_AT + n * HOUR_MS, config.encode().ljust(10, b"\0"))

    def sha(self, n: int) -> str:
        """The sha of commit n."""
        return f"{n:040x}"

    def commits(self, *numbers: int) -> list[Commit]:
        """These commits, each by an author of its own."""
        return [
            Commit(sha=self.sha(n), author=f"Author {n}", author_email=f"a{n}@example.com", subject=f"Change {n}")
            for n in numbers
        ]

    def failure(self, signature: str | None, **said: Any) -> FailureData:
        """A failure of this signature at line 120."""
        told = {"category": "compile", "message": f"error {signature}", "first_line": 120, "signature": signature}
        return FailureData(**{**told, **said})

    def verdict(
        self, n: int, status: str = "succeeded", *signatures: str, config: str = "release", **said: Any
    ) -> BuildVerdict:
        """BUILD_VERDICT of build n of a config, of commit n, failed in these ways."""
        started_at = NOON_AT + n * HOUR_MS
        failures = [self.failure(signature) for signature in signatures]
        facts: dict[str, Any] = {
            "status": status,
            "revision": 1,
            "branch": "main",
            "config": config,
            "agent": "builder-1",
            "commit": self.sha(n),
            "started_at": started_at,
            "ended_at": started_at + HOUR_MS // 2,
            "duration_ms": HOUR_MS // 2,
            "log_lines": 200,
            "failures": failures,
            "first_failure": failures[0] if failures else None,
        }
        return BuildVerdict(
            build_id=said.pop("build_id", None) or self.id(n, config),
            project=said.pop("project", "p"),
            timestamp=started_at + HOUR_MS // 2,
            data=BuildVerdictData(**{**facts, **said}),
        )


class Story:
    """A branch that lives through verdicts, and what was said of it."""

    def __init__(self) -> None:
        self.branch = Branch(project="p", branch="main")
        self.now_ms = NOON_AT

    def after(self, *verdicts: BuildVerdict) -> "Story":
        """The same story after these verdicts came in, a second apart."""
        for verdict in verdicts:
            self.now_ms += 1000
            self.branch = apply(self.branch, verdict, now_ms=self.now_ms, quiet_ms=QUIET_MS)
        return self

    def said(self) -> list[str]:
        """What is due after the quiet period, told once; the keys without their digests."""
        self.now_ms += QUIET_MS
        due = [transition for transition in self.branch.pending if transition.due_at <= self.now_ms]
        due.sort(key=lambda transition: transition.due_at)
        self.branch = self.branch.without(due)
        return [transition.kind for transition in due]


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ms = NOON_AT

    def __call__(self) -> int:
        return self.ms

    def move(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)


@pytest.fixture
def builds() -> Builds:
    return Builds()


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def sqlite_store(tmp_path: Path) -> AsyncIterator[NotifierStore]:
    opened = open_store(f"sqlite:///{tmp_path}/notifier.sqlite")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[NotifierStore]:
    """An empty store, once on every driver."""
    opened = open_store(store_url)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def sendgrid() -> Iterator[SendGridServer]:
    with sendgrid_server() as server:
        yield server


@pytest.fixture
def claim(builds: Builds) -> Callable[..., Notification]:
    """Makes a claim on telling team@example.com that build 2 broke `main`; due at once."""

    def make(n: int = 0, **said: Any) -> Notification:
        message = Message(
            kind=said.pop("kind", "opened"),
            project="p",
            branch="main",
            configs=["release"],
            at=NOON_AT,
            evidence=Evidence.of(builds.verdict(2, "failed", "s", commits=builds.commits(2))),
            extract=[LogLine(number=120, text="a.cpp:7: error s", is_hit=True)],
            suspects=builds.commits(2),
            suspect_count=1,
            dashboard_url="https://builds.example.com",
        )
        facts: dict[str, Any] = {
            "id": f"{n:064x}",
            "project": "p",
            "branch": "main",
            "rule": "broken",
            "incident": "incident-1",
            "transition": "opened",
            "build_id": builds.id(2),
            "channel": "mail",
            "recipient": "team@example.com",
            "message": message,
            "due_at": NOON_AT,
            "created_at": NOON_AT,
        }
        return Notification(**{**facts, **said})

    return make


async def eventually(look: Callable[[], Awaitable[Any]], seconds: float = 20) -> Any:
    """The first truthy answer; TimeoutError when there is none in time."""
    async with asyncio.timeout(seconds):
        while not (answer := await look()):  # noqa: ASYNC110  what is waited for is in another service's store
            await asyncio.sleep(0.02)
        return answer


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[..., Awaitable[Any]]:
    return eventually
