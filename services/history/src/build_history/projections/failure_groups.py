"""Failure groups: every failure with the same signature, per project; `merged` shows several projects as one."""

from collections.abc import Iterable, Sequence

from build_protocol.clock import DAY_MS
from build_protocol.messages import FailureData
from build_protocol.model import BuildId, Count, EpochMs, WireModel
from pydantic import Field

from build_history.builds.fact import Point

DAYS_MAX = 400
BUILDS_MAX = 50
CONFIGS_MAX = 100


class GroupDay(WireModel):
    """The builds that showed a failure on one day (UTC)."""

    day: Count = Field(description="Days since the Unix epoch, UTC.")
    builds: Count
    first_at: EpochMs
    last_at: EpochMs


class GroupBuild(WireModel):
    """One build that showed the failure."""

    id: BuildId
    project: str
    branch: str
    config: str
    commit: str | None = None
    started_at: EpochMs


class Group(WireModel):
    """One failure signature in one project."""

    project: str
    signature: str
    days: list[GroupDay] = Field(description="Oldest first.")
    earlier_builds: Count = Field(0, description="Builds on days no longer listed.")
    earlier_first_at: EpochMs | None = None
    builds: list[GroupBuild] = Field(description="The newest, newest first.")
    configs: list[str]
    sample: FailureData | None = Field(None, description="The failure as the newest build showed it.")

    @property
    def count(self) -> int:
        """Builds that showed it, ever."""
        return self.earlier_builds + sum(day.builds for day in self.days)

    @property
    def first_at(self) -> int:
        """Start of the first build that showed it."""
        return (
            min((day.first_at for day in self.days), default=0)
            if self.earlier_first_at is None
            else (self.earlier_first_at)
        )

    @property
    def last_at(self) -> int:
        """Start of the newest build that showed it."""
        return max((day.last_at for day in self.days), default=0)


def refreshed(group: Group | None, project: str, signature: str, day: int, points: Sequence[Point]) -> Group:
    """The group with one day counted anew from all builds that showed the failure on it; doing so twice is harmless."""
    if group and group.earlier_first_at is not None and group.days and day < group.days[0].day:
        return group  # the day was counted into `earlier_builds` and left the list: counting it again would double it
    days = {known.day: known for known in group.days} if group else {}
    days.pop(day, None)
    if points:
        starts = [point.started_at for point in points]
        days[day] = GroupDay(day=day, builds=len(points), first_at=min(starts), last_at=max(starts))
    listed = [days[key] for key in sorted(days)]
    trimmed, listed = listed[:-DAYS_MAX], listed[-DAYS_MAX:]
    counted = {point.id for point in points}
    # A build of this day that no longer shows the failure (a later revision) leaves the list with the recount.
    others = [b for b in group.builds if b.id not in counted and b.started_at // DAY_MS != day] if group else []
    builds = sorted([*others, *map(_build, points)], key=lambda build: (build.started_at, build.id), reverse=True)
    first_at = group.earlier_first_at if group else None
    if trimmed and first_at is None:
        first_at = trimmed[0].first_at
    return Group(
        project=project,
        signature=signature,
        days=listed,
        earlier_builds=(group.earlier_builds if group else 0) + sum(day.builds for day in trimmed),
        earlier_first_at=first_at,
        builds=builds[:BUILDS_MAX],
        configs=sorted({*(group.configs if group else ()), *(point.config for point in points)})[:CONFIGS_MAX],
        sample=group.sample if group else None,
    )


class FailureGroup(WireModel):
    """One failure signature over all projects the caller sees."""

    signature: str
    count: Count = Field(description="Builds that showed it.")
    first_seen_at: EpochMs
    last_seen_at: EpochMs
    projects: list[str]
    configs: list[str]
    sparkline: list[Count] = Field(description="Builds a day (UTC), the last one is today.")
    sample: FailureData | None = None
    builds: list[GroupBuild] = Field(description="The newest that showed it, newest first.")


def merged(groups: Iterable[Group], today: int, sparkline_days: int, builds_max: int) -> FailureGroup:
    """One signature as a caller sees it, from its groups (at least one) in the projects they may see."""
    found = list(groups)
    newest = max(found, key=lambda group: group.last_at)
    per_day = {today - back: 0 for back in range(sparkline_days)}
    for group in found:
        for day in group.days:
            if day.day in per_day:
                per_day[day.day] += day.builds
    builds = sorted((b for group in found for b in group.builds), key=lambda b: (b.started_at, b.id), reverse=True)
    return FailureGroup(
        signature=newest.signature,
        count=sum(group.count for group in found),
        first_seen_at=min(group.first_at for group in found),
        last_seen_at=newest.last_at,
        projects=sorted(group.project for group in found),
        configs=sorted({config for group in found for config in group.configs}),
        sparkline=[per_day[day] for day in sorted(per_day)],
        sample=newest.sample,
        builds=builds[:builds_max],
    )


def _build(point: Point) -> GroupBuild:
    return GroupBuild(**{name: getattr(point, name) for name in GroupBuild.model_fields})
