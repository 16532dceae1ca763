"""Colours and order: which verdicts say something about the health of their lane, and which of two is the newer.

Only succeeded and failed builds of origin `ci` whose fault is not infra have a colour, in the order they started.
"""

from typing import Literal, NamedTuple

from build_protocol.messages import BuildVerdict

UNCLASSIFIED = "unclassified"
"""The signature of a failure in which analysis found nothing."""

Colour = Literal["green", "red"]


class Place(NamedTuple):
    """A verdict's place in its lane: start of the build, the build, the revision of judgement."""

    started_at: int
    build_id: str
    revision: int


def place_of(verdict: BuildVerdict) -> Place:
    """Where the verdict stands among its lane's; a later revision of a build replaces the earlier one."""
    started_at = verdict.data.started_at
    return Place(verdict.timestamp if started_at is None else started_at, verdict.build_id, verdict.data.revision)


def colour_of(verdict: BuildVerdict) -> Colour | None:
    """The colour this build gives its lane; None leaves the lane as it was (lost, cancelled, timed out, infra)."""
    data = verdict.data
    if data.origin != "ci":
        return None
    if data.status == "succeeded":
        return "green"
    is_infra = data.first_failure is not None and data.first_failure.fault == "infra"
    return "red" if data.status == "failed" and not is_infra else None


def signatures_of(verdict: BuildVerdict) -> tuple[str, ...]:
    """Signatures of the failures the build shows, the first one first; never empty."""
    failures = verdict.data.failures or [f for f in (verdict.data.first_failure,) if f is not None]
    return tuple(dict.fromkeys(failure.signature or UNCLASSIFIED for failure in failures)) or (UNCLASSIFIED,)
