"""The label: where a build's archive is, and what is still to be done about it. Part of the build's state."""

from typing import Literal

from build_protocol.model import Count, WireModel

ArchiveStep = Literal["none", "due", "kept", "cooling", "cold"]
"""`none`: there is nothing to keep yet. `due`: to be brought. `kept`: verified there, and the text still here as well.
`cooling`: decided, and the text here is being dropped. `cold`: the text is only there."""


class Archive(WireModel):
    """The archive of one build; the work list is made of these. `artifact_id` is set before its bytes are sent."""

    step: ArchiveStep = "none"
    artifact_id: str | None = None
    size_bytes: Count = 0
