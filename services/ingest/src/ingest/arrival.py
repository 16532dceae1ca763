"""Arrivals: one delivery of a shard queue, decoded into the record it carries and the agent the gateway vouches for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from build_protocol.messages import AgentRecord, BuildHeartbeat, BuildLog, build_message
from chassis.bus import Delivery
from chassis.errors import PoisonMessage
from pydantic import ValidationError

AGENT_HEADER = "agent"
"""Set by the gateway from the connection's key: the body is only the agent's words."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record as it came: `body` is what two deliveries of one seq are compared by."""

    record: AgentRecord
    body: bytes
    agent: str
    refused: bool = False
    """Its build takes no such record any more: it is kept as said, and changes nothing."""

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


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """An agent says that its build runs."""

    build_id: str
    agent: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """A batch, told apart. `poison` are the reasons of deliveries that can never be stored."""

    arrivals: dict[str, list[Arrival]]
    heartbeats: list[Heartbeat]
    poison: list[str]


def decode(deliveries: Sequence[Delivery]) -> Decoded:
    """Read a batch; what cannot be read spoils nothing else of it. Order within a build is kept."""
    decoded = Decoded({}, [], [])
    for delivery in deliveries:
        try:
            message = build_message.validate_json(delivery.body)
        except ValidationError as error:
            decoded.poison.append(f"{delivery.routing_key}: {error.error_count()} faults, first: {_first_fault(error)}")
            continue
        agent = delivery.headers.get(AGENT_HEADER, "")
        if isinstance(message, BuildHeartbeat):
            decoded.heartbeats.append(Heartbeat(message.build_id, agent))
        elif hasattr(message, "seq"):
            decoded.arrivals.setdefault(message.build_id, []).append(Arrival(message, delivery.body, agent))
        else:
            decoded.poison.append(f"{delivery.routing_key}: {message.type} is not an agent's record")
    return decoded


def raise_poison(reasons: Sequence[str]) -> None:
    """Tell the consumer which deliveries to park, after their neighbours are safe."""
    if reasons:
        raise PoisonMessage("; ".join(reasons[:3]))


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
