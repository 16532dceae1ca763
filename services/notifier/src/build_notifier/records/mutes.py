"""Mutes: what people have asked not to be notified of, and until when."""

from collections.abc import Iterable

from build_protocol.incidents import IncidentState
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
    recipient: ShortText | None = Field(None, description="Only to this address, which has unsubscribed.")
    until_at: EpochMs = Field(description="It ends by itself then.")
    until_fixed: bool = Field(False, description="It ends when the incident is closed, too; then `incident` is needed.")
    reason: ShortText = ""


class Mute(MuteRequest):
    """A mute and who made it."""

    id: str
    created_by: str
    created_at: EpochMs

    def ends_with(self, state: IncidentState) -> bool:
        """Whether the end of this incident ends it; of those that were made before."""
        return (
            self.until_fixed
            and self.project == state.project
            and self.incident in (state.id, *state.absorbed)
            and state.state == "closed"
            and state.ended_as != "merged"
            and self.created_at < (state.closed_at or 0)
        )

    def covers(self, subject: Subject, project: str, branch: str | None, now_ms: int) -> bool:
        """Whether nobody is to be notified of this now; a mute of a config covers what hits nothing else.

        A mute of an incident goes on with the one that it was merged into.
        """
        return (
            now_ms < self.until_at
            and self.recipient is None
            and (subject.is_open or not self.until_fixed)
            and self.project == project
            and self.branch in (None, branch)
            and self.incident in (None, subject.id, *subject.absorbed)
            and (self.config is None or set(subject.configs) == {self.config})
        )


def covering(mutes: Iterable[Mute], subject: Subject, project: str, branch: str | None, now_ms: int) -> Mute | None:
    """The first mute that covers it, if any does."""
    return next((mute for mute in mutes if mute.covers(subject, project, branch, now_ms)), None)


def left(mutes: Iterable[Mute], project: str, address: str, now_ms: int) -> str | None:
    """Why nothing of the project is sent to this address, where its owner does not want it any more."""
    for mute in mutes:
        is_of = mute.recipient is not None and mute.recipient.lower() == address.lower()
        if is_of and mute.project == project and now_ms < mute.until_at:
            return f"{address} has unsubscribed from {project}"
    return None
