"""Evidence: what was seen of a system from outside, as plain values. Who collects it judges nothing."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class AgentState:
    """What gateways reported to one agent about one build, and what that agent still had at that time."""

    build_id: str
    stored: int = 0
    """The highest record reported stored; the agent forgot it and all before."""
    last: int = 0
    """The last record the agent ever had."""
    is_verified: bool = False
    asked_again: list[int] = field(default_factory=list)
    """Records that were asked for, or missing in a WELCOME, after they were reported stored."""
    refused: list[str] = field(default_factory=list)


@dataclass
class Shown:
    """One LOG frame, as it came: `subscription` counts the viewer's subscriptions."""

    subscription: int
    after_seq: int
    seq: int
    first_line: int
    lines: list[str]
    goes_on: bool


@dataclass
class Transcript:
    """All that one viewer was shown of one build, and the log it had put together at the end."""

    build_id: str
    name: str
    shown: list[Shown] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    unstored: list[int] = field(default_factory=list)
    """Lines that were shown while REST did not have them yet."""
    problems: list[str] = field(default_factory=list)
    last_row: Json | None = None


@dataclass
class Evidence:
    """Everything the checker looks at."""

    rows: list[Json] = field(default_factory=list)
    """Every row of the list of builds, all pages, of the workload's projects."""
    texts: dict[str, bytes] = field(default_factory=dict)
    """`logs?format=text` of every build."""
    pages: dict[str, list[str]] = field(default_factory=dict)
    """Lines of `logs?format=json`, page by page."""
    chunks: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """First and last record of every stored chunk, read from the database itself."""
    agents: list[AgentState] = field(default_factory=list)
    viewers: list[Transcript] = field(default_factory=list)
    mails: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Mails the provider took, by (project, kind)."""
    doubtful_mails: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Notifications the product itself shows as not known to be sent."""
    artifacts: dict[str, list[Json]] = field(default_factory=dict)
    """What is listed of every build, each with the sha256 of the bytes that were downloaded as `downloaded`."""
    totals: dict[str, Json] = field(default_factory=dict)
    """Summed counts of history's days, by project."""
    parked: list[bytes] = field(default_factory=list)
    """Bodies of all parked messages."""
