"""Records one build's log: raw output becomes spooled records, beside the other facts of the build.

Each step reads what the holder wrote since, and spools it together with where to go on; so one that is killed is
followed by one that continues at the same byte with the same sequence number.
"""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from build_analysis.progress import Progress, ProgressReader

from build_dashboard import reportable
from build_dashboard.failpoints import fail_at
from build_dashboard.holder import raw
from build_dashboard.holder.ending import End, parse_end
from build_dashboard.recording.normalise import HOLD_MS, Block, Normaliser, Stream
from build_dashboard.recording.records import Recorder
from build_dashboard.recording.spool import Spool, SpoolFull

READ_BYTES = 1024 * 1024
MERGE_MS = 20
"""Output printed within this time shares one time stamp."""

FLUSH_SECONDS = 1.0
"""An unfinished line of an idle stream is shown after this time."""

UPDATE_SECONDS = 0.25
FORECAST_SECONDS = 1.0
"""How long the build will still take is recorded at most this often."""

SPOOL_CAP_BYTES = 4 * 1024 * 1024 * 1024
"""A spool this large takes no more log; the raw output waits, up to its own cap."""

LOG_CAP_BYTES = 8 * 1024 * 1024 * 1024

_STREAMS: dict[bytes, Stream] = {raw.OUT: "out", raw.ERR: "err", raw.PTY: "pty"}


class LogRecorder:
    """Writes one build's records to its spool. `start` comes before the first `step`; for one thread only."""

    def __init__(
        self,
        raw_directory: str,
        spool: Spool,
        recorder: Recorder,
        normaliser: Normaliser,
        *,
        progress: ProgressReader | None = None,
        clock: Callable[[], float] = time.monotonic,
        spool_cap_bytes: int = SPOOL_CAP_BYTES,
        log_cap_bytes: int = LOG_CAP_BYTES,
    ) -> None:
        self.end: End | None = None
        self._end_text: str | None = None
        self.is_complete = False
        self.totals_known = True
        self.forecast: Callable[[Progress], int | None] | None = None
        """How many milliseconds the build will still take, as of this progress."""

        self.listeners: dict[str, list[Callable[[Any], object]]] = {"log": [], "progress": []}
        """Called with the lines (`log`) and the per cent done (`progress`) that are recorded."""

        self.last_progress: Progress | None = None
        self.remaining_ms: int | None = None
        self._spool = spool
        self._recorder = recorder
        self._normaliser = normaliser
        self._clock = clock
        self._spool_cap_bytes = spool_cap_bytes
        self._log_cap_bytes = log_cap_bytes
        self._log_bytes = 0
        self._cut_bytes = 0  # dropped because the log reached its cap
        self._progress = progress or ProgressReader()
        self._recorded_progress: Progress | None = None
        self._pending_progress: Progress | None = None
        self._recorded_at = -UPDATE_SECONDS
        self._forecast_at = -FORECAST_SECONDS
        self._last_output = clock()
        self._held: list[bytes] = []  # encoded and numbered: what comes next is written with it, and one sync
        self._pending: list[bytes] = []  # encoded and numbered, but the disk was full
        self._raw_directory = raw_directory
        self._reader = raw.RawReader(raw_directory)
        self._resume()
        self._saved_number = self._reader.number

    @property
    def is_started(self) -> bool:
        """Whether BUILD_START is recorded."""
        return self._recorder.seq > 0

    @property
    def redacted(self) -> int:
        """How many secrets were replaced so far."""
        return self._normaliser.redactor.count

    def start(self, facts: Mapping[str, Any], stamped_at: int) -> None:
        """Record BUILD_START; it is spooled with what `step` finds, or by `write`: one of them is to follow at once."""
        self._held.append(self._recorder.record("BUILD_START", stamped_at, {"status": "running", **facts}))

    def write(self) -> None:
        """Spool what is held."""
        if self._held:
            self._append([])

    def update(self, data: Mapping[str, Any], stamped_at: int) -> None:
        """Record BUILD_UPDATE; when the command is over it is spooled with `complete`, which is to follow."""
        record = self._recorder.record("BUILD_UPDATE", stamped_at, {"status": "running", **data})
        if self.end is None:
            self._append([record])
        else:
            self._held.append(record)

    def step(self, *, is_holder_gone: bool = False) -> bool:
        """Spool what there is to read; True when there may be more at once."""
        if self._pending and not self._append([]):
            return False
        if self._spool.size_bytes > self._spool_cap_bytes and not is_holder_gone:
            return False
        frames = self._reader.read(READ_BYTES)
        records: list[bytes] = []
        blocks: list[Block] = []
        for kind, stamped_at, data in merged(frames):
            self._take(kind, stamped_at, data, blocks, records)
        now = self._clock()
        if frames:
            self._last_output = now
        elif self._normaliser.is_holding and now >= self._last_output + HOLD_MS / 1000:
            blocks += self._normaliser.release()
        elif self._is_line_overdue(now):
            blocks += self._normaliser.flush()
            self._last_output = now
        self._log(blocks, records)
        self._record_progress(now, records)
        # Without records nothing need be written: a restart reads the same bytes again, to the same end.
        has_news = records or self._held or self._reader.number != self._saved_number
        if has_news and self._append(records):
            self._reader.forget()
        return bool(frames)

    def patience_seconds(self) -> float | None:
        """After how long `step` has something to do though nothing was printed; None: never."""
        now = self._clock()
        waits = []
        if self._normaliser.is_holding:
            waits.append(self._last_output + HOLD_MS / 1000 - now)
        if self._normaliser.has_unfinished:
            waits.append(self._last_output + FLUSH_SECONDS - now)
        if self._pending_progress is not None:
            waits.append(self._recorded_at + UPDATE_SECONDS - now)
        if self._pending:
            waits.append(1.0)
        return max(0.0, min(waits)) if waits else None

    def complete(self, end: End, metrics: Mapping[str, Any], stamped_at: int, error: str | None = None) -> None:
        """Record BUILD_COMPLETE; only artifacts can be recorded after it."""
        blocks: list[Block] = []
        records: list[bytes] = []
        self._finish_log(stamped_at, blocks, records)
        self._log(blocks, records)
        self._record_progress(self._recorded_at + UPDATE_SECONDS, records)
        totals = self._recorder.totals()
        self.totals_known = totals is not None
        if self.redacted:
            metrics = {**metrics, "secretsRedacted": self.redacted}
        data = {
            "status": end.status,
            "exitCode": end.exit_code,
            "signal": end.signal,
            "reason": end.reason,
            "error": error,
            "metrics": dict(metrics) or None,
            "totals": totals,
        }
        records.append(self._recorder.record("BUILD_COMPLETE", stamped_at, data))
        self.is_complete = True
        self._append(records)

    def artifact(self, data: Mapping[str, Any], stamped_at: int) -> None:
        """Record ARTIFACT_UPLOADED."""
        self._append([self._recorder.record("ARTIFACT_UPLOADED", stamped_at, data)])

    def cut_unread(self, stamped_at: int) -> None:
        """The disk stays full and the holder is gone: what is not spooled makes room, and will be read as a gap.

        This log recorder is of no use any more: another one goes on from the spool.

        Raises:
            OSError: the disk does not take even that; this log recorder may go on.
        """
        number, offset = json.loads(self._spool.checkpoint)["raw"] if self._spool.checkpoint else (1, 0)
        self._reader.close()
        raw.RawReader(self._raw_directory, number, offset).cut(stamped_at)

    def unread_end(self) -> End | None:
        """How the command ended, of what is not read yet; None where that is not there."""
        rest = raw.RawReader(self._raw_directory, self._reader.number, self._reader.offset)
        try:
            while frames := rest.read(READ_BYTES):
                for kind, _, data in frames:
                    if kind == raw.EXIT:
                        return parse_end(data.decode())
        finally:
            rest.close()
        return None

    @property
    def is_waiting(self) -> bool:
        """Whether records wait for room on the disk."""
        return bool(self._pending)

    def flush(self) -> bool:
        """Try again to spool what a full disk refused; True when nothing waits."""
        return not self._pending or self._append([])

    # --- the log ---

    def _take(self, kind: bytes, stamped_at: int, data: bytes, blocks: list[Block], records: list[bytes]) -> None:
        stream = _STREAMS.get(kind)
        if stream is not None:
            if self._takes(data):
                blocks += self._normaliser.feed(stream, data, stamped_at)
        elif kind == raw.GAP:
            size, _, reason = data.decode().partition(" ")
            self._record_gap(int(size), reason, stamped_at, blocks, records)
        elif kind == raw.REPORT:
            if found := reportable.decode(data):
                # What was printed before stands before it.
                self._log(blocks, records)
                blocks.clear()
                records.append(self._recorder.record("BUILD_UPDATE", stamped_at, {"status": "running", **found}))
        elif kind == raw.EXIT:
            self._end_text = data.decode()
            self.end = parse_end(self._end_text)
            self._finish_log(stamped_at, blocks, records)

    def _takes(self, data: bytes) -> bool:
        self._log_bytes += len(data)
        if self._log_bytes <= self._log_cap_bytes:
            return True
        self._cut_bytes += len(data)
        return False

    def _log(self, blocks: list[Block], records: list[bytes]) -> None:
        if not blocks:
            return
        records += self._recorder.log(blocks)
        if self.listeners["log"]:
            lines = [line for block in blocks for line in block.lines]
            for listener in self.listeners["log"]:
                listener(lines)
        for block in blocks:
            for seen in self._progress.read_chunk(block.lines):
                self._note(seen, records)

    def _finish_log(self, stamped_at: int, blocks: list[Block], records: list[bytes]) -> None:
        blocks += self._normaliser.finish()
        if self._cut_bytes:
            cut, self._cut_bytes = self._cut_bytes, 0
            self._record_gap(cut, "log_cap", stamped_at, blocks, records)

    def _record_gap(self, size: int, reason: str, stamped_at: int, blocks: list[Block], records: list[bytes]) -> None:
        blocks += self._normaliser.finish()
        self._log(blocks, records)
        blocks.clear()
        gap = {"afterLine": self._normaliser.line, "bytes": size, "reason": reason}
        records.append(self._recorder.record("BUILD_UPDATE", stamped_at, {"status": "running", "gap": gap}))

    def _is_line_overdue(self, now: float) -> bool:
        return self._normaliser.has_unfinished and now >= self._last_output + FLUSH_SECONDS

    # --- progress ---

    def _progress_now(self) -> Progress | None:
        showing = self._normaliser.showing
        return self._progress.read(showing) if showing else None

    def _note(self, seen: Progress, records: list[bytes]) -> None:
        """Keep what is seen until it is its turn; how a phase ended is recorded all the same."""
        if self._pending_progress is not None and self._pending_progress.phase != seen.phase:
            self._record(self._pending_progress, self._clock(), records)
        self._pending_progress = seen

    def _is_new_phase(self, seen: Progress) -> bool:
        return self._recorded_progress is None or seen.phase != self._recorded_progress.phase

    def _record_progress(self, now: float, records: list[bytes]) -> None:
        if showing := self._progress_now():
            self._note(showing, records)
        seen = self._pending_progress
        if seen is not None and (self._is_new_phase(seen) or now >= self._recorded_at + UPDATE_SECONDS):
            self._record(seen, now, records)

    def _record(self, seen: Progress, now: float, records: list[bytes]) -> None:
        metrics = {"stepsDone": seen.done, "stepsTotal": seen.total} if seen.counts_steps else None
        data = {
            "status": "running",
            "progress": seen.percent,
            "phase": seen.phase,
            "step": seen.step,
            "remainingMs": self._forecast(seen, now),
            "metrics": metrics,
        }
        records.append(self._recorder.record("BUILD_UPDATE", time.time_ns() // 1_000_000, data))
        self._recorded_progress, self._pending_progress, self._recorded_at = seen, None, now
        self.last_progress = seen
        if seen.percent is not None:
            for listener in self.listeners["progress"]:
                listener(seen.percent)

    def _forecast(self, seen: Progress, now: float) -> int | None:
        if self.forecast is None or now < self._forecast_at + FORECAST_SECONDS:
            return None
        self._forecast_at = now
        self.remaining_ms = self.forecast(seen)
        return self.remaining_ms

    # --- the spool ---

    def _append(self, records: list[bytes]) -> bool:
        """Spool these behind what was held; on a full disk they wait, and nothing more is read until they are there."""
        self._pending += [*self._held, *records]
        self._held = []
        checkpoint = {
            "raw": [self._reader.number, self._reader.offset],
            "normaliser": self._normaliser.state(),
            "logBytes": self._log_bytes,
            "cutBytes": self._cut_bytes,
            "complete": self.is_complete,
            "totalsKnown": self.totals_known,
            # It is read once, and BUILD_COMPLETE follows when all else is known: whoever goes on must know it too.
            "end": self._end_text,
        }
        try:
            fail_at("agent.read")
            self._spool.append(self._pending, json.dumps(checkpoint).encode())
            fail_at("agent.spooled")
        except SpoolFull:
            self._spool.make_room()
            return False
        self._pending = []
        self._saved_number = self._reader.number
        return True

    def _resume(self) -> None:
        """Go on where an earlier log recorder of this build stopped."""
        if not self._spool.checkpoint:
            return
        checkpoint = json.loads(self._spool.checkpoint)
        self._reader.number, self._reader.offset = checkpoint["raw"]
        self._normaliser.restore(checkpoint["normaliser"])
        self._log_bytes, self._cut_bytes = checkpoint["logBytes"], checkpoint["cutBytes"]
        self.is_complete, self.totals_known = checkpoint["complete"], checkpoint["totalsKnown"]
        self._recorder.seq = self._spool.last_seq
        if (end := checkpoint.get("end")) is not None:
            self._end_text, self.end = end, parse_end(end)
        if self.is_complete:
            return
        if self._spool.first_seq > 1:
            self._recorder.forget_totals()
            return
        for record in self._spool.records():
            self._recorder.recount(record)


def merged(frames: list[tuple[bytes, int, bytes]]) -> list[tuple[bytes, int, bytes]]:
    """Neighbouring frames of one stream that were printed at about one time, as one."""
    result: list[tuple[bytes, int, list[bytes]]] = []
    for kind, stamped_at, data in frames:
        last = result[-1] if result else None
        if last and last[0] == kind and kind in _STREAMS and stamped_at - last[1] <= MERGE_MS:
            last[2].append(data)
        else:
            result.append((kind, stamped_at, [data]))
    return [(kind, stamped_at, b"".join(parts)) for kind, stamped_at, parts in result]
