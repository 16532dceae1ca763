"""Feedback: people's remarks on a failure that the analysis got wrong, with what the rules' maintainers need. Pure."""

import hashlib
from collections.abc import Sequence
from typing import Annotated

from build_protocol.messages import FailureData
from build_protocol.model import BuildId, Count, EpochMs, ProjectName, RequestModel, ShortText, WireModel
from pydantic import Field, StringConstraints

Note = Annotated[str, StringConstraints(max_length=2000)]


class Remark(RequestModel):
    """ "Wrong line?": the line that shows what really went wrong; `signature` names the failure that is meant."""

    line: Count = Field(ge=1, description="1-based line of the build's log.")
    signature: ShortText | None = Field(None, description="Absent: the first failure.")
    note: Note | None = None


class Feedback(Remark):
    """A remark as it is kept: who made it and when, the line's text, and what the analysis found by which rules."""

    id: str
    build_id: BuildId
    project: ProjectName
    by: str = Field(description="The name of whoever made it.")
    at: EpochMs
    text: str
    found: FailureData | None = None
    rules: str | None = None

    @property
    def place(self) -> str:
        """Where it stands in lists: by its time, then its id."""
        return f"{self.at:016d}.{self.id}"


class FeedbackList(WireModel):
    """Remarks, newest first; `next_cursor` asks for the following page."""

    items: list[Feedback]
    next_cursor: str | None = None


def feedback_id(build_id: str, by: str, remark: Remark) -> str:
    """32 hex digits: one person's remarks on one line and failure are one remark, sent again or not."""
    identity = f"{build_id}\n{by}\n{remark.line}\n{remark.signature or ''}"
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def meant_by(remark: Remark, failures: Sequence[FailureData]) -> FailureData | None:
    """The failure a remark is about."""
    if remark.signature is None:
        return failures[0] if failures else None
    return next((failure for failure in failures if failure.signature == remark.signature), None)
