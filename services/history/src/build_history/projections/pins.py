"""Pins: which commit of an upstream each downstream project builds on, and how that goes.

One `PinLine` per (project, branch, upstream) is computed from the branch's newest coloured builds; `matrix` sets the
lines of one upstream side by side.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from build_protocol.clock import DAY_MS
from build_protocol.model import Count, EpochMs, WireModel
from pydantic import Field

from build_history.builds.fact import Point

SPANS_MAX = 60


class PinSpan(WireModel):
    """A commit of the upstream while a branch was pinned to it; a config's newest build at the pin decides."""

    commit: str
    committed_at: EpochMs | None = None
    first_at: EpochMs
    last_at: EpochMs
    green_configs: list[str]
    red_configs: list[str]

    @property
    def is_green(self) -> bool:
        """Every config that was built at this pin ended green."""
        return bool(self.green_configs) and not self.red_configs


class PinLine(WireModel):
    """The pins of one branch to one upstream, oldest first, as its newest coloured builds show them."""

    project: str
    branch: str
    name: str
    spans: list[PinSpan]
    builds: Count = Field(description="Coloured builds this is computed from.")


class PinRange(WireModel):
    """The upstream commits after `green` up to and including `red`: one of them broke the downstream."""

    green: str
    red: str


class Downstream(WireModel):
    """One branch of the matrix."""

    project: str
    branch: str
    pin: PinSpan
    is_green: bool
    age_days: float | None = Field(None, description="Since the pinned commit was made; absent = unknown.")
    age_commits: Count | None = Field(None, description="Known newer upstream commits; absent = upstream unknown.")
    last_green: PinSpan | None = None
    first_red: PinSpan | None = Field(None, description="The first red pin after the last green one, while it is red.")
    suspect_range: PinRange | None = None
    also_broken: list[str] = Field(description="Other projects red at this downstream's first red pin.")


class PinMatrix(WireModel):
    """One upstream and everyone who is pinned to it."""

    name: str
    downstreams: list[Downstream]
    safe_to_bump_to: str | None = Field(None, description="The newest pin at which every downstream was green.")
    unknown: list[str] = Field(default_factory=list)


def lines_of(points: Sequence[Point]) -> list[PinLine]:
    """The pin lines of one branch, from its newest coloured builds."""
    ordered = sorted((p for p in points if p.colour != "none"), key=lambda point: point.order)
    built: defaultdict[str, defaultdict[str, list[Point]]] = defaultdict(lambda: defaultdict(list))
    for point in ordered:
        for pin in point.pins:
            built[pin.name][pin.commit].append(point)
    return [
        PinLine(
            project=ordered[-1].project,
            branch=ordered[-1].branch,
            name=name,
            spans=sorted((_span(name, at) for at in pins.values()), key=lambda s: (s.first_at, s.commit))[-SPANS_MAX:],
            builds=sum(map(len, pins.values())),
        )
        for name, pins in sorted(built.items())
    ]


def matrix(lines: Sequence[PinLine], now_ms: int) -> PinMatrix:
    """One upstream's matrix from the lines of its downstreams (at least one line, all of the same upstream)."""
    red_at: defaultdict[str, set[str]] = defaultdict(set)
    for line in lines:
        for span in line.spans:
            if span.red_configs:
                red_at[span.commit].add(line.project)
    downstreams = [_downstream(line, red_at, now_ms) for line in lines if line.spans]
    unknown = []
    if any(downstream.age_days is None for downstream in downstreams):
        unknown.append("the age of pins whose agent did not send when the commit was made")
    safe = safe_to_bump_to(lines)
    if safe is None:
        unknown.append("a safe commit: no pin was green in every downstream")
    return PinMatrix(
        name=lines[0].name,
        downstreams=sorted(downstreams, key=lambda d: (d.project, d.branch)),
        safe_to_bump_to=safe,
        unknown=unknown,
    )


def leading(lines: Iterable[PinLine]) -> list[PinLine]:
    """One line per project and upstream: the branch with the most builds, so no release branch holds others back."""
    best: dict[tuple[str, str], PinLine] = {}
    for line in lines:
        known = best.get((line.project, line.name))
        if known is None or (line.builds, line.branch) > (known.builds, known.branch):
            best[line.project, line.name] = line
    return list(best.values())


def safe_to_bump_to(lines: Sequence[PinLine]) -> str | None:
    """The newest commit (by its own time, else by when it was first pinned) green in every one of these lines."""
    greens = [{span.commit: span for span in line.spans if span.is_green} for line in lines]
    shared = set.intersection(*(set(known) for known in greens)) if greens else set()
    if not shared:
        return None
    return max(shared, key=lambda sha: max((known[sha].committed_at or known[sha].first_at, sha) for known in greens))


def _span(name: str, points: Sequence[Point]) -> PinSpan:
    newest = {point.config: point for point in points}
    pin = next(pin for pin in points[-1].pins if pin.name == name)
    return PinSpan(
        commit=pin.commit,
        committed_at=pin.committed_at,
        first_at=points[0].started_at,
        last_at=points[-1].started_at,
        green_configs=sorted(config for config, point in newest.items() if point.colour == "green"),
        red_configs=sorted(config for config, point in newest.items() if point.colour == "red"),
    )


def _downstream(line: PinLine, red_at: dict[str, set[str]], now_ms: int) -> Downstream:
    current = max(line.spans, key=lambda span: span.last_at)
    last_green = next((span for span in reversed(line.spans) if span.is_green), None)
    after = line.spans[line.spans.index(last_green) + 1 :] if last_green else line.spans
    first_red = next((span for span in after if span.red_configs), None)
    is_bounded = last_green is not None and first_red is not None
    return Downstream(
        project=line.project,
        branch=line.branch,
        pin=current,
        is_green=current.is_green,
        age_days=None if current.committed_at is None else round(max(0, now_ms - current.committed_at) / DAY_MS, 1),
        last_green=last_green,
        first_red=first_red,
        suspect_range=PinRange(green=last_green.commit, red=first_red.commit)
        if is_bounded and last_green and first_red
        else None,
        also_broken=sorted(red_at[first_red.commit] - {line.project}) if first_red else [],
    )
