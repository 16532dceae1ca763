"""Schemas: what the commands print with `--json`, for programs that read it. Fields are only added."""

from typing import Any

from build_protocol.views import Build, BuildDetail, BuildHits
from pydantic import TypeAdapter

from build_dashboard.cli.commit_state import CommitState
from build_dashboard.cli.explanation import Explanation

ANSWERS: dict[str, TypeAdapter[Any]] = {
    "builds": TypeAdapter(list[Build]),
    "search": TypeAdapter(list[BuildHits]),
    "show": TypeAdapter(BuildDetail),
    "status": TypeAdapter(CommitState),
    "watch": TypeAdapter(Explanation | CommitState),
    "why": TypeAdapter(Explanation | CommitState),
}
"""What each command answers; a build explains itself, a commit by its builds."""


def schema_of(command: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of what this command prints.

    Raises:
        KeyError: It prints nothing for programs that is described here.
    """
    return ANSWERS[command].json_schema(by_alias=True, mode="serialization")
