"""Errors of ingest's own that its routes answer."""

from build_chassis.errors import NotFound


class BuildNotFound(NotFound):
    """No such build, or none in the caller's projects: both look the same."""

    def __init__(self, build_id: str) -> None:
        super().__init__(f"there is no build {build_id}")
