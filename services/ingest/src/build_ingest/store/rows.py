"""Rows: a build's state, a chunk and what was found as columns, the same names in both drivers."""

from collections.abc import Mapping
from typing import Any

from build_protocol.ids import shard_of
from build_protocol.views import Build

from build_ingest.findings.failures import Found
from build_ingest.findings.feedback import Feedback
from build_ingest.findings.green_log import GreenLog
from build_ingest.findings.test_results import ResultBlock
from build_ingest.records.chunk import Chunk
from build_ingest.records.fold import BuildState
from build_ingest.store.contract import place_of

SEARCH_CHARACTERS = 1000
CHUNK_FIELDS = Chunk.__slots__
RESULT_FIELDS = ResultBlock.__slots__
GREEN_LOG_FIELDS = GreenLog.__slots__


def build_row(state: BuildState) -> dict[str, Any]:
    """What is asked by, beside the whole state as JSON (`state`) and its row as people see it (`view`)."""
    build = state.build
    return {
        "id": build.id,
        "shard": shard_of(build.id),
        "project": build.project,
        "branch": build.branch,
        "config": build.config,
        "origin": build.origin,
        "status": build.status,
        "commit_sha": build.commit,
        "agent": build.agent,
        "retry_of": build.retry_of,
        "place": place_of(build),
        "received_at": build.started_at or 0 if build.received_at is None else build.received_at,
        "revision": build.revision,
        "log_bytes": build.log_bytes,
        "is_open": state.is_open,
        "archive": state.archive.step,
        "rules": state.rules,
        "search": _search_text(build),
        "view": build.to_json(),
        "state": state.model_dump_json(by_alias=True, exclude={"build"}, exclude_none=True),
    }


def build_state(row: Mapping[Any, Any]) -> BuildState:
    """The state back from its columns."""
    # Both columns are JSON objects that we wrote; the state always has fields beside the build.
    return BuildState.model_validate_json('{"build":' + row["view"] + "," + row["state"][1:])


def view_of(row: Mapping[Any, Any]) -> Build:
    """What people see of a build, back from its column."""
    return Build.model_validate_json(row["view"])


def chunk_row(chunk: Chunk) -> dict[str, Any]:
    """The chunk's columns."""
    return {name: getattr(chunk, name) for name in CHUNK_FIELDS}


def chunk_of(row: Mapping[Any, Any]) -> Chunk:
    """The chunk back from its columns."""
    return Chunk(**{name: row[name] for name in CHUNK_FIELDS})


def failures_row(build_id: str, text_bytes: int, found: Found) -> dict[str, Any]:
    """The failures of one build, as JSON: they are always read and replaced together."""
    return {"build_id": build_id, "text_bytes": text_bytes, "found": found.to_json()}


def failures_of(found: str | None) -> Found:
    """The failures back from their column."""
    return Found() if found is None else Found.model_validate_json(found)


def green_log_row(green_log: GreenLog) -> dict[str, Any]:
    """The green log's columns."""
    return {name: getattr(green_log, name) for name in GREEN_LOG_FIELDS}


def green_log_of(row: Mapping[Any, Any]) -> GreenLog:
    """The green log back from its columns."""
    return GreenLog(**{name: row[name] for name in GREEN_LOG_FIELDS})


def result_row(block: ResultBlock) -> dict[str, Any]:
    """The block's columns."""
    return {name: getattr(block, name) for name in RESULT_FIELDS}


def result_of(row: Mapping[Any, Any]) -> ResultBlock:
    """The block back from its columns."""
    return ResultBlock(**{name: row[name] for name in RESULT_FIELDS})


def feedback_row(feedback: Feedback) -> dict[str, Any]:
    """What feedback is asked by, beside all of it as JSON."""
    return {
        "id": feedback.id,
        "build_id": feedback.build_id,
        "project": feedback.project,
        "place": feedback.place,
        "body": feedback.to_json(),
    }


def _search_text(build: Build) -> str:
    words = (
        build.id,
        build.project,
        build.branch,
        build.config,
        build.commit,
        build.commit_subject,
        build.commit_author,
        build.agent,
        *build.command,
    )
    return " ".join(word for word in words if word).lower()[:SEARCH_CHARACTERS]
