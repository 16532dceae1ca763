"""Identity: the id under which a CI's build is shown, the same for whoever computes it. Pure."""

import hashlib

from build_protocol.ids import new_build_id

from build_dashboard.mirror.source import SourceBuild


def build_id_of(source: str, build: SourceBuild) -> str:
    """The build's id: a restart, a second mirror and a lost spool all show the same build under it."""
    return _build_id(source, build.id, build.started_at)


def retried_id_of(source: str, build: SourceBuild) -> str | None:
    """The id of the build that this one repeats."""
    return None if build.retry_of is None else _build_id(source, *build.retry_of)


def instance_of(sources: list[str]) -> str:
    """Names a mirror among the processes of its key: of two of the same sources the newer one delivers."""
    return "mirror-" + hashlib.sha256("\0".join(sorted(sources)).encode()).hexdigest()[:16]


def _build_id(source: str, foreign_id: str, started_at: int) -> str:
    # A CI whose database was made anew counts from 1 again: its start is part of what a build is.
    parts = "\0".join((source, foreign_id, str(started_at)))
    return new_build_id(started_at, hashlib.sha256(parts.encode("utf-8", "replace")).digest())
