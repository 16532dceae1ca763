"""A green log: the lines of a build that went well, as templates, kept beside it for later builds like it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GreenLog:
    """What one build that went well printed; `place` orders builds as lists do, `lines` is `GreenLines.packed`."""

    build_id: str
    project: str
    config: str
    place: str
    lines: bytes
