"""A mirrored build: what its CI has of it becomes spooled records, each line once.

Its text is decided by the source alone: the logs of its parts, one after another. So whoever goes on with a build needs
to know only how many lines are stored, not who recorded them or in which pieces.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from build_analysis.progress import Progress, ProgressReader
from build_protocol.branches import branch_fault

from build_dashboard import __version__
from build_dashboard.mirror.phases import phase_of
from build_dashboard.mirror.source import Part, Piece, Result, SourceBuild
from build_dashboard.recording.directory import BuildDirectory
from build_dashboard.recording.normalise import Block, Normaliser
from build_dashboard.recording.records import Recorder
from build_dashboard.recording.spool import Spool, SpoolFull
from build_dashboard.redaction.redactor import Redactor

RECENT_BYTES = 32 * 1024
"""Of each open build's newest records, kept in memory; hundreds are open at once."""

BACKLOG_BYTES = 32 * 1024 * 1024
"""A spool this large, not stored yet, takes no more: the CI keeps the rest for as long."""

PIECES_PER_TURN = 4
"""Read of one build before it is another's turn."""

_SHA = re.compile(r"[0-9a-f]{7,64}")
_ANNOTATION = re.compile(r"@@@(BUILD_STEP|STEP_FAILURE|STEP_EXCEPTION|STEP_WARNINGS)(?: (.{1,200}?))?@@@\s*$")
_ANNOTATED: Mapping[str, Result] = {"STEP_FAILURE": "failed", "STEP_EXCEPTION": "error", "STEP_WARNINGS": "warnings"}
_STATUS: Mapping[Result, str] = {
    "succeeded": "succeeded",
    "warnings": "succeeded",
    "failed": "failed",
    "error": "failed",
    "cancelled": "cancelled",
    "skipped": "cancelled",
}

Read = Callable[[Part, Any], Awaitable[Piece]]


class Extent:
    """How much of a build the dashboard has stored."""

    def __init__(self, answer: Mapping[str, Any] | None) -> None:
        answer = answer or {}
        self.seq = int(answer.get("stored", 0))
        self.lines = int(answer.get("logLines", 0))
        self.bytes = int(answer.get("logBytes", 0))
        self.is_complete = bool(answer.get("complete"))
        self.is_foreign = bool(answer.get("isForeign"))


class MirroredBuild:
    """One build, from its first record to its last; for one thread only."""

    def __init__(
        self, directory: BuildDirectory, build: SourceBuild, redactor: Redactor, extent: Extent, *, has_times: bool
    ) -> None:
        self.directory = directory
        self.build = build
        """As its CI showed it last."""

        self.lost_logs = 0
        self.is_complete = False
        self.totals_known = True
        self.spool = Spool(directory.path, recent_bytes=RECENT_BYTES)
        self._redactor = redactor
        self._recorder = Recorder(
            directory.build_id, directory.facts["project"], self.spool.last_seq, redactor, has_times=has_times
        )
        self._normaliser = Normaliser(redactor)
        self._progress = ProgressReader()
        self._places: dict[str, dict[str, Any]] = {}
        self._sections: dict[tuple[int, str], dict[str, Any]] = {}
        self._seen: Progress | None = None
        self._shown_step: dict[str, Any] = {}
        self._commit = build.commit if build.commit and _SHA.fullmatch(build.commit) else None
        self._pending: list[bytes] = []
        self._known = extent
        self._resume()

    @property
    def build_id(self) -> str:
        """Under which it is shown."""
        return self.directory.build_id

    @property
    def is_full(self) -> bool:
        """Whether more should wait until the dashboard has stored what there is."""
        spool = self.spool
        return bool(self._pending) or (spool.size_bytes > BACKLOG_BYTES and spool.stored_seq < spool.last_seq)

    def start(self, retry_of: str | None, *, is_backfill: bool) -> None:
        """Record BUILD_START, unless it is recorded."""
        if self._recorder.seq > 0:
            return
        build = self.build
        facts = {
            "status": "running",
            "branch": build.branch if build.branch and branch_fault(build.branch) is None else None,
            "commit": self._commit,
            "config": build.config[:512],
            "origin": build.origin,
            "backfill": is_backfill or None,
            "sourceUrl": build.url,
            "tags": [tag[:100] for tag in build.tags if tag][:32],
            "retryOf": retry_of,
            "repository": build.repository,
            "host": {"name": build.worker[:512]} if build.worker else None,
            "agentVersion": __version__,
        }
        self._append([self._recorder.record("BUILD_START", build.started_at, facts)])

    def update(self, data: Mapping[str, Any], stamped_at: int) -> None:
        """Record BUILD_UPDATE."""
        self._append([self._recorder.record("BUILD_UPDATE", stamped_at, {"status": "running", **data})])

    def note_news(self, now: int) -> None:
        """Record what the build is of and does now, where its CI says it and it is new."""
        commit = self.build.commit
        if commit and self._commit is None and _SHA.fullmatch(commit):
            self._commit = commit
            self.update({"commit": commit}, self.build.ended_at or now)
        shown = {"step": self.build.step, "progress": self.build.progress}
        if (
            self.build.result is None
            and shown != self._shown_step
            and any(value is not None for value in shown.values())
        ):
            self._shown_step = shown
            self.update({**shown, "phase": phase_of(self.build.step or "")}, now)

    async def advance(self, parts: Sequence[Part], read: Read, now: int) -> bool:
        """Record what is new in the parts; True when there is more at once."""
        pieces = 0
        if not self.flush():
            return False
        for part in parts:
            place = self._places.setdefault(
                part.key, {"first": self._normaliser.line + 1, "cursor": None, "over": False}
            )
            self._note_section(part, place, now)
            while not place["over"]:
                if part.log is None:
                    if not part.is_over:
                        return False
                    place["over"] = True
                    break
                if self.is_full:
                    return False
                if pieces >= PIECES_PER_TURN:
                    return True
                piece = await read(part, place["cursor"])
                pieces += 1
                self._take(part, place, piece, now)
                if not place["over"] and not piece.lines:
                    return False
        return False

    def has_all(self, parts: Sequence[Part]) -> bool:
        """Whether every log is recorded."""
        return all(self._places.get(part.key, {}).get("over") for part in parts)

    def end(self, *, reason: str | None = None, lost: str | None = None) -> None:
        """Record BUILD_COMPLETE as the CI has it; with `lost`, why it has nothing more of the build."""
        build = self.build
        result: Result = build.result or "cancelled"
        ended_at = max(build.started_at, build.ended_at or build.started_at)
        totals = self._recorder.totals()
        self.totals_known = totals is not None
        self.is_complete = True
        data = {
            "status": _STATUS[result],
            "reason": reason or build.reason,
            "fault": "infra" if result == "error" else None,
            "error": lost,
            "metrics": {"wallMs": ended_at - build.started_at},
            "totals": totals,
        }
        self._append([self._recorder.record("BUILD_COMPLETE", ended_at, data)])

    def flush(self) -> bool:
        """Try again to spool what a full disk refused; True when nothing waits."""
        return not self._pending or self._append([])

    def replacement(self, seq: int, problem: str) -> bytes:
        """What stands in the sequence instead of a record that the dashboard refused; any thread may ask."""
        recorder = Recorder(self.build_id, self.directory.facts["project"], seq - 1, Redactor(self._redactor.secrets))
        return recorder.refused(self.build.started_at, problem)

    def close(self) -> None:
        """Let go of it."""
        self.spool.close()
        self.directory.close()

    # --- its log ---

    def _take(self, part: Part, place: dict[str, Any], piece: Piece, now: int) -> None:
        records: list[bytes] = []
        if part.has_annotations:
            self._annotated(part, place, piece, now, records)
        elif piece.lines:
            if place["cursor"] is None and piece.source_line:
                self._restate(part, place, now, records, {"sourceFirstLine": piece.source_line})
            self._log(piece, range(len(piece.lines)), self._stamp(part, now), records)
        place["cursor"] = piece.cursor
        if piece.is_over or piece.lost:
            place["over"] = True
            self._record_lines(self._normaliser.finish(), records)
        if piece.lost:
            self.lost_logs += 1
            gap = {"afterLine": self._normaliser.line, "bytes": 0, "reason": piece.lost}
            records.append(self._recorder.record("BUILD_UPDATE", now, {"status": "running", "gap": gap}))
        self._record_progress(part, now, records)
        self._append(records)

    def _annotated(self, part: Part, place: dict[str, Any], piece: Piece, now: int, records: list[bytes]) -> None:
        begun, stamp = 0, self._stamp(part, now)
        for number, line in enumerate(piece.lines):
            found = _ANNOTATION.match(line)
            if found is None:
                continue
            kind, name = found.groups()
            if kind != "BUILD_STEP":
                place["result"] = _ANNOTATED[kind]
                continue
            self._log(piece, range(begun, number), stamp, records)
            begun = number
            self._end_annotation(place, now, records)
            place["step"] = [f"{part.name}: {(name or '?').strip()}", self._normaliser.line + 1, now]
            self._state_section({"name": place["step"][0], "firstLine": place["step"][1]}, now, records)
        self._log(piece, range(begun, len(piece.lines)), stamp, records)
        if piece.is_over or piece.lost:
            self._end_annotation(place, now, records)

    def _end_annotation(self, place: dict[str, Any], now: int, records: list[bytes]) -> None:
        if place.get("step"):
            name, first_line, _ = place["step"]
            section = {"name": name, "firstLine": first_line, "result": place.get("result", "succeeded")}
            self._state_section(section, now, records)
        place["step"] = None
        place.pop("result", None)

    def _log(self, piece: Piece, span: range, stamp: int, records: list[bytes]) -> None:
        """Record these lines of the piece."""

        def kind(place: int) -> tuple[Any, int]:
            stream = piece.streams[place] if piece.streams else "out"
            return stream, piece.times[place] if piece.times else stamp

        blocks: list[Block] = []
        for (stream, stamped_at), group in groupby(span, key=kind):
            text = "".join(f"{piece.lines[place]}\n" for place in group)
            blocks += self._normaliser.feed(stream, text.encode("utf-8", "replace"), stamped_at)
        blocks += self._normaliser.release()
        self._record_lines(blocks, records)

    def _record_lines(self, blocks: list[Block], records: list[bytes]) -> None:
        new: list[Block] = []
        for block in blocks:
            new += self._beyond_known(block)
            for seen in self._progress.read_chunk(block.lines):
                self._seen = seen
        if new:
            records += self._recorder.log(new)

    def _beyond_known(self, block: Block) -> list[Block]:
        """What of these lines is not stored yet; the others are only counted."""
        known = self._known.lines
        count = min(len(block.lines), known - block.first_line + 1)
        if count <= 0:
            return [block]
        head, rest = block.lines[:count], block.lines[count:]
        new = [Block(block.stream, known + 1, rest, block.stamped_at)] if rest else []
        if block.first_line + count - 1 < known:
            self._recorder.skip(block.first_line, head)
            return new
        # The last stored line may be stored in part, where it did not fit into one record.
        self._recorder.skip(block.first_line, head[:-1])
        last = head[-1].encode()
        shown = self._known.bytes - self._recorder.log_bytes - (1 if known > 1 else 0)
        if not 0 <= shown <= len(last):
            # The CI has other lines than it had: what is stored stays, and no checksum can be given.
            self._recorder.forget_totals()
            return new
        self._recorder.skip(known, [last[:shown].decode("utf-8", "replace")])
        left = last[shown:].decode("utf-8", "replace")
        return [Block(block.stream, known, [left], block.stamped_at, continues=True), *new] if left else new

    def _stamp(self, part: Part, now: int) -> int:
        """When this is recorded as printed: of what is over, when it ended; nobody knows more exactly."""
        over_at = part.ended_at or self.build.ended_at
        return min(now, over_at) if over_at is not None else now

    # --- its sections ---

    def _note_section(self, part: Part, place: Mapping[str, Any], now: int) -> None:
        records: list[bytes] = []
        self._restate(part, place, now, records, {})
        if records:
            self._append(records)

    def _restate(
        self, part: Part, place: Mapping[str, Any], now: int, records: list[bytes], more: Mapping[str, Any]
    ) -> None:
        section = {
            "name": part.name[:512],
            "firstLine": place["first"],
            "startedAt": part.started_at,
            "endedAt": part.ended_at,
            "result": part.result,
            "url": part.url,
            **more,
        }
        self._state_section(section, self._stamp(part, now), records)

    def _state_section(self, section: Mapping[str, Any], stamped_at: int, records: list[bytes]) -> None:
        """Record the section where something of it is new."""
        key = (section["firstLine"], section["name"])
        before = self._sections.get(key, {})
        stated = before | {name: value for name, value in section.items() if value is not None}
        if stated == before:
            return
        self._sections[key] = stated
        data: dict[str, Any] = {"status": "running", "section": stated}
        if not before:
            data |= {"step": section["name"], "phase": phase_of(section["name"])}
        records.append(self._recorder.record("BUILD_UPDATE", stamped_at, data))

    def _record_progress(self, part: Part, now: int, records: list[bytes]) -> None:
        if self._seen is None:
            return
        seen, self._seen = self._seen, None
        data = {
            "status": "running",
            "progress": seen.percent,
            "phase": phase_of(part.name) or seen.phase,
            "step": seen.step,
            "metrics": {"stepsDone": seen.done, "stepsTotal": seen.total} if seen.counts_steps else None,
        }
        records.append(self._recorder.record("BUILD_UPDATE", self._stamp(part, now), data))

    # --- its spool ---

    def _append(self, records: list[bytes]) -> bool:
        self._pending += records
        checkpoint = {
            "normaliser": self._normaliser.state(),
            "places": self._places,
            "sections": list(self._sections.values())[-8:],
            "known": [self._known.seq, self._known.lines, self._known.bytes],
            "complete": self.is_complete,
            "totalsKnown": self.totals_known,
        }
        try:
            self.spool.append(self._pending, json.dumps(checkpoint).encode())
        except SpoolFull:
            self.spool.make_room()
            return False
        self._pending = []
        return True

    def _resume(self) -> None:
        if not self.spool.checkpoint:
            # Another spool had what is stored: read the logs anew, and record what comes after that.
            self.spool.begin_after(self._known.seq)
            self._recorder.seq = self._known.seq
            return
        checkpoint = json.loads(self.spool.checkpoint)
        self._normaliser.restore(checkpoint["normaliser"])
        self._places = checkpoint["places"]
        self._sections = {(each["firstLine"], each["name"]): each for each in checkpoint["sections"]}
        self._known.seq, self._known.lines, self._known.bytes = checkpoint["known"]
        self.is_complete, self.totals_known = checkpoint["complete"], checkpoint["totalsKnown"]
        self._recorder.seq = self.spool.last_seq
        if self.is_complete:
            return
        if self.spool.first_seq > 1:
            self._recorder.forget_totals()
            return
        for record in self.spool.records():
            self._recorder.recount(record)


def lines_at(spool: Spool, seq: int) -> int | None:
    """How many lines the records up to this one make; None where this spool does not know."""
    if spool.first_seq > 1 or seq > spool.last_seq:
        return None
    lines = 0
    for number, record in enumerate(spool.records(), 1):
        if number > seq:
            break
        if record.startswith(b'{"type":"BUILD_LOG"'):
            data = json.loads(record)["data"]
            lines = data["firstLine"] + len(data["lines"]) - 1
    return lines
