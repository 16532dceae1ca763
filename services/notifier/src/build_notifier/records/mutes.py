"""Mutes: what people have asked not to be notified of, and until when."""

from collections.abc import Iterable

from build_protocol.model import EpochMs, ProjectName, RequestModel, ShortText
from pydantic import Field

from build_notifier.records.branch import Subject

MUTES_MAX = 1000


class MuteRequest(RequestModel):
    """What to send nothing about: a project, or only a branch, a config or one incident of it."""

    project: ProjectName
    branch: ShortText | None = None
    config: ShortText | None = None
    incident: ShortText | None = None
    until_at: EpochMs = Field(description="It ends by itself then.")
    reason: ShortText = ""


class Mute(MuteRequest):
    """A mute and who made it."""

    id: str
    created_by: str
    created_at: EpochMs

    def covers(self, subject: Subject, project: str, branch: str | None, now_ms: int) -> bool:
        """Whether nobody is to be notified of this now; a mute of a config covers what hits nothing else.

        A mute of an incident goes on with the one that it was merged into.
        """
        return (
            now_ms < self.until_at
            and self.project == project
            and self.branch in (None, branch)
            and self.incident in (None, subject.id, *subject.absorbed)
            and (self.config is None or set(subject.configs) == {self.config})
        )


def covering(mutes: Iterable[Mute], subject: Subject, project: str, branch: str | None, now_ms: int) -> Mute | None:
    """The first mute that covers it, if any does."""
    return next((mute for mute in mutes if mute.covers(subject, project, branch, now_ms)), None)
