"""What ingest's tests share: an agent that speaks for one build."""

import itertools
from collections.abc import Callable, Sequence

import pytest
from build_protocol.ids import new_build_id
from build_protocol.messages import (
    BuildComplete,
    BuildHeartbeat,
    BuildLog,
    BuildStart,
    BuildUpdate,
    LogTotals,
    Record,
)
from build_protocol.topology import routing_key
from chassis.bus import Delivery
from ingest.arrival import Arrival

_ids = itertools.count(1)


class Speaker:
    """Says the records of a build in order, and remembers the text it said."""

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
        return self._say(BuildStart, {"commit": "0123abc", "branch": "main", "command": ["ninja"], **data})

    def update(self, **data: object) -> BuildUpdate:
        return self._say(BuildUpdate, data)

    def log(self, lines: Sequence[str], *, continues: bool = False, stream: str = "out") -> BuildLog:
        goes_on = continues and bool(self.lines)
        first = len(self.lines) + (0 if goes_on else 1)
        if goes_on:
            self.lines[-1] += lines[0]
        self.lines.extend(lines[1:] if goes_on else lines)
        data = {"firstLine": first, "lines": list(lines), "stream": stream, "timesMs": [self.at]}
        return self._say(BuildLog, {**data, "continues": True} if continues else data)

    def complete(self, status: str = "succeeded", *, totals: LogTotals | None = None, **data: object) -> BuildComplete:
        said = totals or self.totals()
        return self._say(BuildComplete, {"status": status, "exit_code": 0, "totals": said, **data})

    def totals(self) -> LogTotals:
        import hashlib

        text = "\n".join(self.lines).encode()
        return LogTotals(lines=len(self.lines), bytes=len(text), sha256=hashlib.sha256(text).hexdigest())

    def heartbeat(self) -> Delivery:
        message = BuildHeartbeat(build_id=self.id, project=self.project, timestamp=self.at)
        key = routing_key(message.type, self.id, self.project)
        return Delivery(next(_ids), key, message.to_json().encode(), {"agent": self.agent})

    def arrival(self, record: Record, agent: str | None = None) -> Arrival:
        return Arrival(record, record.to_json().encode(), agent or self.agent)

    def delivery(self, record: Record, agent: str | None = None) -> Delivery:
        key = routing_key(record.type, self.id, self.project)  # type: ignore[attr-defined]
        return Delivery(next(_ids), key, record.to_json().encode(), {"agent": agent or self.agent})

    def _say(self, kind: type, data: object) -> Record:
        self.seq += 1
        self.at += 20
        return kind.model_validate(
            {"buildId": self.id, "project": self.project, "seq": self.seq, "timestamp": self.at, "data": data}
        )


@pytest.fixture
def speaker() -> Speaker:
    return Speaker()


@pytest.fixture
def make_speaker() -> Callable[..., Speaker]:
    return Speaker


@pytest.fixture(scope="session")
def make_speaker_factory() -> Callable[..., Speaker]:
    """As `make_speaker`, for hypothesis: its examples outlive a function's fixtures."""
    return Speaker
