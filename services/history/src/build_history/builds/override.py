"""Overrides: a person's word on a failure of one build, kept above whatever the verdict's rules say."""

from build_protocol.incidents import VerdictKind
from build_protocol.messages import Fault
from build_protocol.model import EpochMs, WireModel
from pydantic import Field


class Override(WireModel):
    """Who decided what about a failure, why and when."""

    verdict: VerdictKind
    reason: str = Field("", max_length=2000)
    by: str
    at: EpochMs


def fault_after(fault: Fault | None, override: Override | None) -> Fault | None:
    """Whose fault a failure is once a person had their say."""
    if override is None or override.verdict == "unknown":
        return fault
    if override.verdict in ("infra", "flaky"):
        return "infra" if override.verdict == "infra" else "flaky"
    # Somebody's change did it, this one or an earlier one: then it is not the machine's doing.
    return "code" if fault in ("infra", "flaky") else fault
