"""The receipt stamp: what the gateway writes beside the records of a frame. Their bytes stay as received."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from build_protocol import clocks
from build_protocol.clocks import AgentClock, ClockAnchor


@dataclass(frozen=True, slots=True)
class Receipt:
    """Headers of one frame's records: `headers` of each, `clock_headers` of BUILD_START, to compute its age."""

    headers: Mapping[str, str]
    clock_headers: Mapping[str, str]

    @classmethod
    def stamp(
        cls, received_at: int, clock: AgentClock | None, anchor: ClockAnchor | None, *, key_created_at: int
    ) -> Self:
        """The stamp of a frame received at `received_at`, ms since the Unix epoch by the gateway's clock."""
        readings = ((clocks.CLOCK_HEADER, clock), (clocks.ANCHOR_HEADER, anchor))
        return cls(
            {clocks.RECEIVED_AT_HEADER: str(received_at)},
            {
                clocks.KEY_CREATED_AT_HEADER: str(key_created_at),
                **{name: reading.to_json() for name, reading in readings if reading is not None},
            },
        )
