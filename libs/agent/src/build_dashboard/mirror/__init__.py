"""Mirrors: builds of a CI that exists already, shown without an agent on its machines.

`source` is the contract: whoever can list a CI's builds and read their logs has a mirror of it.
"""

from build_dashboard.mirror.mirror import Mirror
from build_dashboard.mirror.running import run
from build_dashboard.mirror.source import Part, Piece, Source, SourceBuild, SourceUnavailable

__all__ = ["Mirror", "Part", "Piece", "Source", "SourceBuild", "SourceUnavailable", "run"]
