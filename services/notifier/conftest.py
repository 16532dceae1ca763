"""What notifier's tests share: verdicts and incidents in every form, a store on every driver, and a clock."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from build_notifier.channels.contract import Channel
from build_notifier.channels.smtp import Server, SmtpChannel
from build_notifier.messages.context import ServiceContexts
from build_notifier.messages.message import LogLine, Message
from build_notifier.metrics import Metrics
from build_notifier.records.branch import evidence_of
from build_notifier.records.notification import Notification
from build_notifier.sender import Sender
from build_notifier.store import NotifierStore, open_store
from build_protocol.ids import new_build_id
from build_protocol.incidents import Face, IncidentChanged, IncidentState, Member, Transition
from build_protocol.messages import BuildVerdict, BuildVerdictData, Commit, FailureData
from build_testkit.mailbox import Mailbox, mail_server
from build_testkit.sendgrid import SendGridServer, sendgrid_server
from build_testkit.stores import sqlite_store_fixture, store_fixture
from build_testkit.web import Web, web_server
from prometheus_client import CollectorRegistry

NOON_AT = 1_700_000_000_000 // 86_400_000 * 86_400_000 + 43_200_000
HOUR_MS = 3_600_000


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

    def failure(self, signature: str | None, **fields: Any) -> FailureData:
        """A failure of this signature at line 120."""
        facts = {"category": "compile", "message": f"error {signature}", "first_line": 120, "signature": signature}
        return FailureData(**{**facts, **fields})

    def verdict(
        self, n: int, status: str = "succeeded", *signatures: str, config: str = "release", **fields: Any
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
            build_id=fields.pop("build_id", None) or self.id(n, config),
            project=fields.pop("project", "p"),
            timestamp=started_at + HOUR_MS // 2,
            data=BuildVerdictData(**{**facts, **fields}),
        )


class Broken:
    """An incident of project `p` as history publishes it: build n of these configs failed in this way.

    Each verb is one more revision of it; `message` is how it stands.
    """

    def __init__(
        self,
        builds: Builds,
        n: int = 2,
        signature: str = "s",
        *,
        configs: Sequence[str] = ("release",),
        commits: list[Commit] | None = None,
        at: int = NOON_AT,
        news: bool = True,
        branch: str | None = "main",
    ) -> None:
        self._builds = builds
        self._at = at
        self._members: dict[str, Member] = {}
        self._revision = 0
        self._ended: dict[str, Any] = {}
        self._faces = [self._face(n, signature, configs[0], commits)]
        self._transitions: list[Transition] = []
        self._branch = branch
        self.id = f"incident-{branch}-{n}-{signature}"
        self._note("opened", "opened", n, configs[0], news=news)
        self._add(n, configs[0])
        for config in configs[1:]:
            self.joined(config, n, news=news)

    def joined(self, config: str, n: int = 2, *, news: bool = True) -> "Broken":
        self._add(n, config)
        return self._note("joined", f"joined:{config}", n, config, news=news)

    def changed(self, n: int, signature: str, config: str = "release") -> "Broken":
        self._faces.append(self._face(n, signature, config, None))
        return self._note("changed", f"changed:{signature}", n, config)

    def fixed(
        self, n: int, kind: Any = "fixed", *, news: bool = True, key: str | None = None, into: "Broken | None" = None
    ) -> "Broken":
        self._members = {
            name: member.model_copy(update={"recovered_at": self._at, "recovered_by": self._builds.id(n, name)})
            for name, member in self._members.items()
        }
        closing = evidence_of(self._builds.verdict(n, config=next(iter(self._members))))
        self._ended = {"state": "closed", "ended_as": kind, "closed_at": self._at, "closing": closing}
        if into is not None:
            self._ended["merged_into"] = into.id
        return self._note(kind, key or kind, n, closing.config, news=news)

    def reopened(self, n: int, config: str = "release", *, news: bool = True) -> "Broken":
        self._ended = {}
        self._add(n, config)
        return self._note("reopened", "reopened", n, config, news=news)

    def absorbing(self, other: "Broken") -> "Broken":
        self._ended["absorbed"] = [other.id]
        self._revision += 1
        return self

    def message(self) -> IncidentChanged:
        """The incident as it stands."""
        state = IncidentState(
            id=self.id,
            project="p",
            branch=self._branch,
            revision=self._revision,
            opened_at=self._at,
            first_started_at=self._faces[0].evidence.started_at,
            faces=list(self._faces),
            members=list(self._members.values()),
            suspects=self._faces[0].suspects,
            transitions=list(self._transitions),
            **self._ended,
        )
        return IncidentChanged(build_id=state.opening.build_id, project="p", timestamp=self._at, data=state)

    def _face(self, n: int, signature: str, config: str, commits: list[Commit] | None) -> Face:
        seen = evidence_of(self._builds.verdict(n, "failed", signature, config=config))
        return Face(signature=signature, evidence=seen, suspects=commits)

    def _add(self, n: int, config: str) -> None:
        build_id, started_at = self._builds.id(n, config), NOON_AT + n * HOUR_MS
        self._members[config] = Member(
            config=config, first_build=build_id, joined_at=started_at, last_build=build_id, last_red_at=started_at
        )

    def _note(self, kind: Any, key: str, n: int, config: str, *, news: bool = True) -> "Broken":
        noted = Transition(
            key=key, kind=kind, at=self._at, news=news, build_id=self._builds.id(n, config), config=config
        )
        self._transitions.append(noted)
        self._revision += 1
        return self


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
def broken(builds: Builds) -> Callable[..., Broken]:
    """Makes an incident, as history publishes it."""
    return lambda *which, **how: Broken(builds, *which, **how)


@pytest.fixture
def clock() -> Clock:
    return Clock()


sqlite_store = sqlite_store_fixture(open_store)
store = store_fixture(open_store)


@pytest.fixture
def sendgrid() -> Iterator[SendGridServer]:
    with sendgrid_server() as server:
        yield server


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as mailbox:
        yield mailbox


@pytest.fixture
def smtp(mailbox: Mailbox) -> SmtpChannel:
    """A channel to a real SMTP server."""
    return SmtpChannel(Server("127.0.0.1", mailbox.port, use_tls=False), "Builds <builds@example.com>", send_seconds=1)


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as web:
        yield web


@dataclass
class Office:
    """A sender of the channel `mail` on a store, stepped by hand."""

    sender: Sender
    store: NotifierStore
    metrics: Metrics

    async def post_next(self) -> bool:
        """Take what is due next through its next step."""
        return await self.sender.post_next()

    async def stored(self, claimed: Notification) -> Notification:
        """The notification as it stands now."""
        return (await self.store.notifications([claimed.id]))[claimed.id]


@pytest.fixture
def office(sqlite_store: NotifierStore, clock: Clock) -> Callable[..., Office]:
    """Makes a sender of mails, or of the channel of this name; without a channel none is configured."""

    def make(
        channel: Channel | None, must_arrive: Collection[str] = (), *, name: str = "mail", contexts: Any = None
    ) -> Office:
        channels = {name: channel} if channel else {}
        metrics = Metrics(CollectorRegistry())
        known = ServiceContexts({}) if contexts is None else contexts
        sender = Sender(sqlite_store, channels, must_arrive, known, metrics=metrics, clock=clock, draw=lambda: 0.5)
        return Office(sender, sqlite_store, metrics)

    return make


@pytest.fixture
def claim(builds: Builds) -> Callable[..., Notification]:
    """Makes a claim on notifying team@example.com that build 2 broke `main`; due at once."""

    def make(n: int = 0, **fields: Any) -> Notification:
        message = Message(
            kind=fields.pop("kind", "opened"),
            project="p",
            branch="main",
            configs=["release"],
            at=NOON_AT,
            evidence=evidence_of(builds.verdict(2, "failed", "s", commits=builds.commits(2))),
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
        return Notification(**{**facts, **fields})

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
