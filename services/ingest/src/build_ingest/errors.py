"""Errors that ingest's routes answer with a status of their own."""

from fastapi import HTTPException


class BuildNotFound(HTTPException):
    """No such build, or none in the caller's projects: both look the same."""

    def __init__(self, build_id: str) -> None:
        super().__init__(404, f"there is no build {build_id}")
