"""What ingest's tests share: an agent that reports one build, a bus that records, and the parts under test."""

import hashlib
import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest
from build_chassis.bus import Delivery, Outgoing, PublishFailed
from build_ingest.analysis.analyst import Analyst
from build_ingest.analysis.early_alert import EarlyAlert
from build_ingest.intake.consumer import RecordConsumer
from build_ingest.intake.log_quotas import LogQuotas
from build_ingest.lifecycle.lifecycle import BuildLifecycle
from build_ingest.metrics import Metrics
from build_ingest.records.delivery import RecordDelivery
from build_ingest.records.plan import Step
from build_ingest.store import BuildStore, open_store
from build_protocol.frames import live_event
from build_protocol.ids import new_build_id
from build_protocol.messages import (
    AgentRecord,
    ArtifactUploaded,
    BuildComplete,
    BuildHeartbeat,
    BuildLog,
    BuildStart,
    BuildUpdate,
    LogTotals,
    Record,
    build_message,
)
from build_protocol.topology import routing_key
from build_testkit.stores import store_fixture
from prometheus_client import CollectorRegistry

_ids = itertools.count(1)
R = TypeVar("R", bound=Record)


class Reporter:
    """Makes the records of a build in order, and remembers the log's text."""

    def __init__(
        self, project: str = "torch-mlir", agent: str = "builder-1", started_at: int = 1_700_000_000_000
    ) -> None:
        self.id = new_build_id(started_at + next(_ids))
        self.project = project
        self.agent = agent
        self.at = started_at
        self.seq = 0
        self.lines: list[str] = []

    def start(self, **data: object) -> BuildStart:
        return self._record(BuildStart, {"commit": "0123abc", "branch": "main", "command": ["ninja"], **data})

    def update(self, **data: object) -> BuildUpdate:
        return self._record(BuildUpdate, data)

    def log(self, lines: Sequence[str], *, continues: bool = False, stream: str = "out") -> BuildLog:
        goes_on = continues and bool(self.lines)
        first = len(self.lines) + (0 if goes_on else 1)
        if goes_on:
            self.lines[-1] += lines[0]
        self.lines.extend(lines[1:] if goes_on else lines)
        data = {"firstLine": first, "lines": list(lines), "stream": stream, "timesMs": [self.at]}
        return self._record(BuildLog, {**data, "continues": True} if continues else data)

    def complete(self, status: str = "succeeded", *, totals: LogTotals | None = None, **data: object) -> BuildComplete:
        counted = totals or self.totals()
        return self._record(BuildComplete, {"status": status, "exit_code": 0, "totals": counted, **data})

    def uploaded(self) -> ArtifactUploaded:
        data = {"artifactId": "0" * 32, "name": "wheel", "sizeBytes": 1, "sha256": "0" * 64}
        return self._record(ArtifactUploaded, data)

    def totals(self) -> LogTotals:
        text = "\n".join(self.lines).encode()
        return LogTotals(lines=len(self.lines), bytes=len(text), sha256=hashlib.sha256(text).hexdigest())

    def heartbeat(self) -> Delivery:
        message = BuildHeartbeat(build_id=self.id, project=self.project, timestamp=self.at)
        key = routing_key(message.type, self.id, self.project)
        return Delivery(next(_ids), key, message.to_json().encode(), {"agent": self.agent})

    def record_delivery(self, record: AgentRecord, agent: str | None = None) -> RecordDelivery:
        return RecordDelivery(record, record.to_json().encode(), agent or self.agent)

    def delivery(self, record: Record, agent: str | None = None, **headers: str) -> Delivery:
        key = routing_key(record.type, self.id, self.project)  # type: ignore[attr-defined]
        return Delivery(next(_ids), key, record.to_json().encode(), {"agent": agent or self.agent, **headers})

    def _record(self, kind: type[R], data: object) -> R:
        self.seq += 1
        self.at += 20
        return kind.model_validate(
            {"buildId": self.id, "project": self.project, "seq": self.seq, "timestamp": self.at, "data": data}
        )


@pytest.fixture
def reporter() -> Reporter:
    return Reporter()


@pytest.fixture
def make_reporter() -> Callable[..., Reporter]:
    return Reporter


@pytest.fixture(scope="session")
def make_reporter_factory() -> Callable[..., Reporter]:
    """As `make_reporter`, for hypothesis: its examples outlive a function's fixtures."""
    return Reporter


store = store_fixture(open_store)


class RecordingBus:
    """A bus that keeps what is announced and published, and can be away."""

    def __init__(self) -> None:
        self.announced: list[Any] = []
        self.published: list[Any] = []
        self.is_away = False

    async def announce(self, exchange: str, routing_key: str, body: bytes) -> None:
        self.announced.append(live_event.validate_json(body))

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        if self.is_away:
            raise PublishFailed("away")
        self.published += [build_message.validate_json(message.body) for message in messages]

    @property
    def verdicts(self) -> list[Any]:
        return [message for message in self.published if message.type == "BUILD_VERDICT"]

    async def missing(self) -> list[str]:
        return ["connection"] if self.is_away else []

    def events(self, kind: str) -> list[Any]:
        """What was announced of one type, in order."""
        return [event for event in self.announced if event.type == kind]


@pytest.fixture
def bus() -> RecordingBus:
    return RecordingBus()


class Bench:
    """A consumer, an analyst and a lifecycle on a store, with a clock that tests turn."""

    def __init__(self, store: BuildStore, bus: Any, quotas: LogQuotas | None = None) -> None:
        self.now = 1000.0
        self.store = store
        metrics = Metrics(CollectorRegistry())
        self.metrics = metrics
        self.consumer = RecordConsumer(store, bus, metrics, lambda: self.now, self._notice, quotas=quotas)
        self.analyst = Analyst(store, self.consumer, metrics, EarlyAlert(store, bus))
        self.lifecycle = BuildLifecycle(store, bus, self.consumer, self.analyst, metrics, clock=lambda: self.now)

    def _notice(self, step: Step) -> None:
        self.analyst.notice(step)

    async def judge_at(self, now: float) -> None:
        """Let time pass second by second, judging as the loop would."""
        while self.now < now:
            self.now = min(now, self.now + 5)
            await self.lifecycle.judge_silence()


@pytest.fixture
def make_bench(store: BuildStore, bus: RecordingBus) -> Callable[..., Bench]:
    """Each call is a restart: the same store, nothing in memory."""
    return lambda quotas=None: Bench(store, bus, quotas)


@pytest.fixture
def bench(make_bench: Callable[[], Bench]) -> Bench:
    return make_bench()
