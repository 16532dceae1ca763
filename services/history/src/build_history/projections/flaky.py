"""Flaky candidates: signs that a lane's red proves nothing about its commit. A candidate, never an acquittal."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from build_protocol.model import BuildId, EpochMs, WireModel

from build_history.builds.fact import Point

SIGNS_MAX = 20


class FlakySign(WireModel):
    """One red build that looks flaky, and why.

    `same_commit`: the same commit also built green in this lane. `isolated`: the coloured builds before and after it
    are both green, and it stands alone between them.
    """

    kind: Literal["same_commit", "isolated"]
    build_id: BuildId
    commit: str | None = None
    started_at: EpochMs
    signature: str | None = None
    green_builds: list[BuildId]


def signs_of(points: Sequence[Point]) -> list[FlakySign]:
    """The newest signs among these builds of one lane, oldest first; the stronger sign when both hold."""
    coloured = sorted((p for p in points if p.colour != "none"), key=lambda point: point.order)
    greens: defaultdict[str, list[str]] = defaultdict(list)
    for point in coloured:
        if point.colour == "green" and point.commit is not None:
            greens[point.commit].append(point.id)
    signs: list[FlakySign] = []
    for at, point in enumerate(coloured):
        if point.colour != "red":
            continue
        if point.commit is not None and point.commit in greens:
            signs.append(_sign("same_commit", point, greens[point.commit]))
        elif 0 < at < len(coloured) - 1 and coloured[at - 1].colour == coloured[at + 1].colour == "green":
            signs.append(_sign("isolated", point, [coloured[at - 1].id, coloured[at + 1].id]))
    return signs[-SIGNS_MAX:]


def _sign(kind: Literal["same_commit", "isolated"], red: Point, greens: Sequence[str]) -> FlakySign:
    return FlakySign(
        kind=kind,
        build_id=red.id,
        commit=red.commit,
        started_at=red.started_at,
        signature=red.signatures[0] if red.signatures else None,
        green_builds=list(greens[:5]),
    )
