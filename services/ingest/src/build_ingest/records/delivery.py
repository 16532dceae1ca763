"""RecordDelivery: a shard queue's delivery, decoded into its record and the agent the gateway vouches for."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

from build_chassis.bus import Delivery
from build_chassis.errors import PoisonMessage
from build_protocol.messages import (
    AgentRecord,
    ArtifactReady,
    BuildComplete,
    BuildHeartbeat,
    BuildLog,
    BuildStart,
    BuildUpdate,
    build_message,
)
from build_protocol.start_time import Receipt, receipt_of
from pydantic import ValidationError
from pydantic_core import from_json

AGENT_HEADER = "agent"
"""Set by the gateway from the connection's key: the body is only what the agent claims."""


@dataclass(frozen=True, slots=True)
class RecordDelivery:
    """A record as it came: `body` is what two deliveries of one seq are compared by."""

    record: AgentRecord
    body: bytes
    agent: str
    receipt: Receipt | None = None
    """Of BUILD_START when it came, and its agent's clocks then; of BUILD_COMPLETE when it came."""
    refused: bool = False
    """Its build takes no such record any more: it is kept as reported, and changes nothing."""

    @property
    def seq(self) -> int:
        """Position in the build's own sequence."""
        return int(self.record.seq)

    @property
    def log(self) -> BuildLog | None:
        """The record, if its text belongs to the log."""
        return self.record if isinstance(self.record, BuildLog) and not self.refused else None

    def refuse(self) -> Self:
        """The same record, kept without effect."""
        return replace(self, refused=True)


class Heartbeat(NamedTuple):
    """An agent reports that its build runs."""

    build_id: str
    agent: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """A batch, sorted. `records` are by build id; `poison` are the reasons of deliveries that can never be stored."""

    records: dict[str, list[RecordDelivery]]
    heartbeats: list[Heartbeat]
    poison: list[str]
    artifacts: set[str] = field(default_factory=set)
    """Builds of which an artifact became ready."""


def decode(deliveries: Sequence[Delivery]) -> Decoded:
    """Read a batch; what cannot be read spoils nothing else of it. Order within a build is kept."""
    decoded = Decoded({}, [], [])
    for delivery in deliveries:
        try:
            message = build_message.validate_json(delivery.body)
        except ValidationError as error:
            decoded.poison.append(f"{delivery.routing_key}: {error.error_count()} faults, first: {_first_fault(error)}")
            if (tombstone := _tombstone(delivery)) is not None:
                decoded.records.setdefault(tombstone.record.build_id, []).append(tombstone)
            continue
        agent = delivery.headers.get(AGENT_HEADER, "")
        if isinstance(message, BuildHeartbeat):
            decoded.heartbeats.append(Heartbeat(message.build_id, agent))
        elif isinstance(message, ArtifactReady):
            decoded.artifacts.add(message.build_id)
        elif hasattr(message, "seq"):
            is_end = isinstance(message, BuildStart | BuildComplete)
            receipt = receipt_of(delivery.headers) if is_end else None
            record = RecordDelivery(message, delivery.body, agent, receipt)
            decoded.records.setdefault(message.build_id, []).append(record)
        else:
            decoded.poison.append(f"{delivery.routing_key}: {message.type} is not an agent's record")
    return decoded


def raise_poison(reasons: Sequence[str]) -> None:
    """Raise PoisonMessage for the deliveries to park, after the rest of the batch is safe."""
    if reasons:
        raise PoisonMessage("; ".join(reasons[:3]))


def _tombstone(delivery: Delivery) -> RecordDelivery | None:
    """What stands in the sequence for a record that this release cannot read; None where it has no place in one.

    Without it all that follows would wait for ever. The record itself is parked; people see it as the build's `error`.
    """
    headers = delivery.headers
    _, kind, project = delivery.routing_key.split(".", 2)
    seq = headers.get("seq", "")
    # A build cannot begin with a tombstone; and only what a gateway vouches for has a number to be believed.
    if kind in ("BUILD_START", "BUILD_HEARTBEAT") or not seq.isdecimal() or AGENT_HEADER not in headers:
        return None
    try:
        record = BuildUpdate.model_validate(
            {
                "buildId": headers.get("build_id"),
                "project": project,
                "seq": int(seq),
                "timestamp": _timestamp(delivery.body),
                "data": {"status": "running", "error": f"record {seq} ({kind}) cannot be read here and is parked"},
            }
        )
    except ValidationError:
        return None
    return RecordDelivery(record, record.to_json().encode(), headers[AGENT_HEADER])


def _timestamp(body: bytes) -> int:
    """The sender's time, as far as it can be read: the tombstone must be the same each time its record comes."""
    try:
        fields = from_json(body)
    except ValueError:
        return 1
    stamp = fields.get("timestamp") if isinstance(fields, dict) else None
    return stamp if isinstance(stamp, int) and 0 < stamp < 2**48 else 1


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
