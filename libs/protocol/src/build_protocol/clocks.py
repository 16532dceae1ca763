"""Clocks: what an agent reports of its clocks, and how a gateway's receipt stamp travels beside a record.

Nothing is decided by an agent's wall clock. A machine's boot-time clock counts from its boot, sleep included, and is
never set: the difference of two of its readings is a true age. With the server's time of receipt it gives the server's
time of what happened earlier in the same boot.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from build_protocol.model import Count, EpochMs, WireModel

BootId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9A-Za-z-]{1,64}$"),
    Field(description="Random per boot of a machine; readings of two boots are not comparable."),
]

RECEIVED_AT_HEADER = "received_at"
"""Header of a record's message: the gateway's wall clock when its frame came, in ms since the Unix epoch."""

CLOCK_HEADER = "clock"
"""Header of BUILD_START: the `AgentClock` of the frame that brought it, as JSON. No other record needs one."""

ANCHOR_HEADER = "anchor"
"""Header of BUILD_START: the `ClockAnchor` of its frame, where it had one, as JSON."""

KEY_CREATED_AT_HEADER = "key_created_at"
"""Header of BUILD_START: when the key it came with was made, in ms since the Unix epoch."""

StartSource = Literal["monotonic", "anchor", "clock", "source"]
"""By which clock the server's time of a build's start is known.

`monotonic`: the age by its machine's boot-time clock. `anchor`: a moment at which the spool knew the server's time; an
interval where that is of another boot. `clock`: the machine has no boot-time clock, and an age by its wall clock is
believed only while it is small. `source`: the clock of the CI it was taken from.
"""


class AgentClock(WireModel):
    """Both clocks of an agent's machine, read together."""

    wall_at: EpochMs = Field(description="The machine's wall clock: shown as skew, and nothing is decided by it.")
    boot_id: BootId | None = None
    uptime_ms: Count | None = Field(None, description="Since the machine's boot, sleep included; absent where unknown.")


class ClockAnchor(WireModel):
    """The server's time and a machine's clock at one moment: that of a WELCOME, kept in the spool."""

    server_at: EpochMs
    boot_id: BootId | None = None
    uptime_ms: Count | None = Field(None, description="Since the machine's boot, sleep included.")


class ServerStart(WireModel):
    """When a build was received and began, by the server's clock; all absent where no gateway stamped it."""

    received_at: EpochMs | None = Field(None, description="The gateway's time of the first receipt of BUILD_START.")
    server_started_at: EpochMs | None = Field(
        None, description="The server's time of the start, at the latest; never after `received_at`. Lists go by it."
    )
    server_started_earliest_at: EpochMs | None = Field(
        None, description="The same at the earliest: equal where it is exact, absent where nothing bounds it."
    )


class StartTime(ServerStart):
    """The start by the server's clock, and how it is known."""

    start_source: StartSource | None = Field(
        None, description="By which clock the server's time of the start is known."
    )
    clock_skew_ms: int | None = Field(None, description="The agent's wall clock less the server's, at first receipt.")

    @property
    def is_exact(self) -> bool:
        """Whether the start is one instant, not an interval."""
        return self.server_started_at is not None and self.server_started_at == self.server_started_earliest_at
