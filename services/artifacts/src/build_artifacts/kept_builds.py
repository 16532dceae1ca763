"""Which builds' artifacts are kept: by age and count per lane, and always the last good build's. Pure."""

from collections.abc import Sequence

from build_protocol.clock import DAY_MS
from build_protocol.messages import BuildVerdict
from build_protocol.model import EpochMs, WireModel

UNJUDGED = 0
"""Revision of a build that has artifacts but no verdict yet."""


class BuildNote(WireModel):
    """What retention knows of a build. A lane is one (project, branch, config, origin)."""

    build_id: str
    lane: str
    is_good: bool
    at: EpochMs
    """When it ended, by the server's clock: where it stands in its lane."""
    received_at: EpochMs | None = None
    revision: int = UNJUDGED

    @property
    def kept_from(self) -> int:
        """From when on the days count for which its artifacts are kept."""
        return max(self.at, self.received_at or 0)


class KeptBuild(WireModel):
    """A build's note, and whether verified artifacts of it are kept."""

    note: BuildNote
    is_full: bool


def unjudged(build_id: str, project: str, now_ms: int) -> BuildNote:
    """The note of a running build: no lane yet, so its artifacts expire by age only."""
    return BuildNote(build_id=build_id, lane=f"{project}\n", is_good=False, at=now_ms)


def judged(verdict: BuildVerdict) -> BuildNote:
    """The note made from a verdict."""
    data = verdict.data
    return BuildNote(
        build_id=verdict.build_id,
        lane="\n".join((verdict.project, data.branch or "", data.config, data.origin)),
        is_good=data.status == "succeeded",
        at=data.over_at or verdict.timestamp,
        received_at=data.received_at,
        revision=data.revision,
    )


def beyond(kept_builds: Sequence[KeptBuild], *, now_ms: int, keep_days: int, keep_builds: int) -> list[BuildNote]:
    """The builds of one lane whose artifacts expire: `kept_builds` is newest first."""
    oldest_at = now_ms - keep_days * DAY_MS
    last_good = next(
        (kept_build.note for kept_build in kept_builds if kept_build.is_full and kept_build.note.is_good), None
    )
    going, kept = [], 0
    for kept_build in kept_builds:
        note = kept_build.note
        kept += kept_build.is_full
        is_surplus = note.revision != UNJUDGED and kept > keep_builds
        if note != last_good and (note.kept_from < oldest_at or (is_surplus and kept_build.is_full)):
            going.append(note)
    return going
