"""Untrusted builds: records that a stranger's job left are written anew, as what CI itself says they are. Pure.

A fork's pull request builds code of its author, who may write anything into the spool. So nothing in it decides what
the build is or where it belongs: project, commit, branch and address come from the CI's event. Of the rest only what
is shown as text or number is kept, up to a size; artifacts, commits, links and clocks are not.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from build_protocol.limits import RECORD_BYTES, UNTRUSTED_BUILD_BYTES
from build_protocol.messages import BuildComplete, BuildLog, BuildMetrics, BuildStart, BuildUpdate, agent_record
from pydantic import ValidationError

from build_dashboard.builds.origin import Origin
from build_dashboard.recording.normalise import Block
from build_dashboard.recording.records import Recorder

START_KEPT = ("command", "cwd", "host", "tools", "environment", "agent_version", "dirty", "tty")
UPDATE_KEPT = ("progress", "phase", "step", "tests", "step_times", "gap", "error", "missing_facts")
COMPLETE_KEPT = ("status", "exit_code", "signal", "reason", "error")

LENGTH_MS_MAX = 7 * 24 * 3600 * 1000
"""What a job's clock may say it took."""


def rewrite(
    records: Iterable[bytes], origin: Origin, build_id: str, cap_bytes: int = UNTRUSTED_BUILD_BYTES
) -> list[bytes]:
    """The records of an untrusted build, in order and complete; none where there was no build."""
    copy = _Copy(origin, build_id, cap_bytes)
    for record in records:
        copy.take(record)
    return copy.finish()


class _Copy:
    def __init__(self, origin: Origin, build_id: str, cap_bytes: int) -> None:
        self._origin = origin
        self._recorder = Recorder(build_id, origin.project)
        self._left_bytes = cap_bytes - RECORD_BYTES  # for the end, and the gap before it
        self._lines = 0
        self._dropped_bytes = 0
        self._last_at = origin.started_at
        self._records: list[bytes] = []
        self._end: dict[str, Any] | None = None

    def take(self, record: bytes) -> None:
        """The next record of the spool."""
        known = _read(record)
        if known is None or self._end is not None or (not self._records and not isinstance(known, BuildStart)):
            return
        if self._left_bytes < 0:
            self._dropped_bytes += len(record)
            return
        at = self._last_at = self._clamped(known.timestamp)
        if isinstance(known, BuildLog):
            self._log(known, len(record))
        elif isinstance(known, BuildComplete):
            self._end = {**_kept(known.data, COMPLETE_KEPT), **_metrics(known.data.metrics)}
        elif isinstance(known, BuildUpdate):
            update = {**_kept(known.data, UPDATE_KEPT), **_metrics(known.data.metrics)}
            if update:
                self._keep([self._recorder.record("BUILD_UPDATE", at, {"status": "running", **update})])
        elif not self._records:
            self._start(known, at)

    def finish(self) -> list[bytes]:
        """All records, the last of them BUILD_COMPLETE."""
        if not self._records:
            return []
        if self._dropped_bytes:
            gap = {"afterLine": self._lines, "bytes": self._dropped_bytes, "reason": "untrusted_cap"}
            self._records.append(
                self._recorder.record("BUILD_UPDATE", self._last_at, {"status": "running", "gap": gap})
            )
        lost = {"status": "failed", "reason": "holder_lost", "error": "the spool ends before the build did"}
        end = {**(self._end or lost), "totals": self._recorder.totals()}
        self._records.append(self._recorder.record("BUILD_COMPLETE", self._last_at, end))
        return self._records

    def _start(self, known: BuildStart, at: int) -> None:
        origin = self._origin
        identity = {
            "status": "running",
            "origin": "premerge",
            "untrusted": True,
            "branch": origin.branch,
            "commit": origin.commit,
            "config": origin.config,
            "sourceUrl": origin.source_url,
            "tags": [f"pull request {origin.pull_request}"] if origin.pull_request else [],
        }
        shown = {**_kept(known.data, START_KEPT), **identity}
        if len(json.dumps(shown)) > RECORD_BYTES - 1024:
            shown = identity
        self._keep([self._recorder.record("BUILD_START", at, shown)])

    def _log(self, known: BuildLog, size_bytes: int) -> None:
        data = known.data
        continues = bool(data.continues)
        if data.first_line != (self._lines if continues else self._lines + 1) or not data.first_line:
            self._dropped_bytes += size_bytes  # not what an agent writes
            return
        self._lines = data.first_line + len(data.lines) - 1
        block = Block(data.stream, data.first_line, list(data.lines), self._last_at, continues)
        self._keep(self._recorder.log([block]))

    def _keep(self, records: list[bytes]) -> None:
        self._records += records
        self._left_bytes -= sum(map(len, records))

    def _clamped(self, stamped_at: int) -> int:
        return max(self._last_at, min(stamped_at, self._origin.started_at + LENGTH_MS_MAX))


def _read(record: bytes) -> Any:
    """The record, where it is one by the protocol."""
    if len(record) > RECORD_BYTES:
        return None
    try:
        return agent_record.validate_json(record)
    except ValidationError:
        return None


def _kept(data: Any, names: Iterable[str]) -> dict[str, Any]:
    return dict(data.model_dump(by_alias=True, exclude_unset=True, exclude_none=True, include=set(names), mode="json"))


def _metrics(metrics: BuildMetrics | None) -> Mapping[str, Any]:
    kept = {} if metrics is None else _kept(metrics, BuildMetrics.model_fields)
    return {"metrics": kept} if kept else {}
