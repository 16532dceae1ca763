"""Records: a build's own sequence of messages, encoded as the JSON that is spooled and sent.

Encoded by hand: a record is written once and its bytes never change, log lines come by the hundred thousand, and
pydantic would cost every `run` a third of a second at its start. Tests hold each record against `build_protocol`.
"""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import accumulate, groupby
from json.encoder import encode_basestring
from typing import Any

from build_protocol.limits import RECORD_BYTES

from build_dashboard.recording.normalise import Block
from build_dashboard.redaction.redactor import Redactor

LINES_BYTES = RECORD_BYTES - 1024
"""What the lines of one record may take, encoded; the rest is for its envelope."""

LONG_LINE_CHARACTERS = 16 * 1024

_TIME_BYTES = 14


class Recorder:
    """Numbers and encodes the records of one build, and counts what its log comes to.

    Facts come without secrets out of `record`; the lines that `log` is given have none any more.
    """

    def __init__(
        self, build_id: str, project: str, seq: int = 0, redactor: Redactor | None = None, *, has_times: bool = True
    ) -> None:
        """`has_times`: whether it is known when lines were printed; else their records alone say when they came."""
        self.seq = seq
        self._has_times = has_times
        self._redactor = redactor or Redactor()
        self._envelope = f'"buildId":{json.dumps(build_id)},"project":{json.dumps(project)},"seq":'
        self._lines = 0
        self._bytes = 0
        self._sha256: Any = hashlib.sha256()

    def record(self, kind: str, stamped_at: int, data: Mapping[str, Any]) -> bytes:
        """The next record; `data` as it stands on the wire, None left out."""
        self.seq += 1
        present = {name: value for name, value in data.items() if value is not None}
        body = _encoded(present)
        if self._redactor.may_hold_secret(body.encode("utf-8", "replace")):
            body = _encoded(self._redactor.clean(present))
        text = f'{{"type":"{kind}",{self._envelope}{self.seq},"timestamp":{stamped_at},"data":{body}}}'
        return text.encode("utf-8", "replace")

    def refused(self, stamped_at: int, problem: str) -> bytes:
        """The next record, which stands in the sequence instead of one that the dashboard refused."""
        error = f"record {self.seq + 1} was refused by the dashboard: {problem}"[:2000]
        return self.record("BUILD_UPDATE", stamped_at, {"status": "running", "error": error})

    def log(self, blocks: Iterable[Block]) -> list[bytes]:
        """The next records, of these lines, each as full as it may be."""
        records: list[bytes] = []
        for _, group in groupby(blocks, key=_mergeable()):
            self._log(list(group), records)
        return records

    def skip(self, first_line: int, lines: list[str]) -> None:
        """Count lines that an earlier process recorded."""
        if lines:
            self._count(first_line, lines, continues=False)

    @property
    def log_bytes(self) -> int:
        """UTF-8 bytes of the lines so far, joined by newlines."""
        return self._bytes

    def totals(self) -> dict[str, Any] | None:
        """Lines, bytes and SHA-256 of the log so far; None when its beginning is not known any more."""
        if self._sha256 is None:
            return None
        return {"lines": self._lines, "bytes": self._bytes, "sha256": self._sha256.hexdigest()}

    def forget_totals(self) -> None:
        """The log's beginning is gone (its spool was stored and deleted): no checksum can be given."""
        self._sha256 = None

    def recount(self, record: bytes) -> None:
        """Count a record that was spooled before a restart."""
        if not record.startswith(b'{"type":"BUILD_LOG"'):
            return
        data = json.loads(record)["data"]
        self._count(data["firstLine"], data["lines"], continues=data.get("continues", False))

    def _log(self, blocks: list[Block], records: list[bytes]) -> None:
        first = blocks[0]
        lines = first.lines if len(blocks) == 1 else [line for block in blocks for line in block.lines]
        self._count(first.first_line, lines, continues=first.continues)
        encoded = list(map(encode_basestring, lines))
        sizes = [len(text) + 1 if text.isascii() else len(text.encode()) + 1 for text in encoded]
        times = [first.stamped_at]
        if blocks[-1].stamped_at != first.stamped_at:
            times = [block.stamped_at for block in blocks for _ in block.lines]
            sizes = [size + _TIME_BYTES for size in sizes]
        ends = list(accumulate(sizes))
        start, before = 0, 0
        while start < len(encoded):
            end = bisect_right(ends, before + LINES_BYTES, start)
            time = times if len(times) == 1 else times[start : max(end, start + 1)]
            number = first.first_line + start
            continues = first.continues and start == 0
            if end == start:
                end = start + 1
                self._log_long(number, lines[start], first.stream, time, records, continues=continues)
            else:
                text = ",".join(encoded[start:end])
                records.append(self._encode_log(number, text, first.stream, time, continues=continues))
            start, before = end, ends[end - 1]

    def _log_long(
        self, number: int, line: str, stream: str, times: list[int], records: list[bytes], *, continues: bool
    ) -> None:
        """One line that is longer than a record."""
        for piece in _pieces(line):
            records.append(self._encode_log(number, piece, stream, times, continues=continues))
            continues = True

    def _encode_log(self, number: int, encoded: str, stream: str, times: list[int], *, continues: bool) -> bytes:
        self.seq += 1
        goes_on = ',"continues":true' if continues else ""
        stamps = ",".join(map(str, times)) if len(times) > 1 and times[0] != times[-1] else str(times[0])
        if not self._has_times:
            stamps = ""
        return (
            f'{{"type":"BUILD_LOG",{self._envelope}{self.seq},"timestamp":{times[0]},"data":{{"firstLine":{number},'
            f'"stream":"{stream}","timesMs":[{stamps}]{goes_on},"lines":[{encoded}]}}}}'
        ).encode()

    def _count(self, first_line: int, lines: list[str], *, continues: bool) -> None:
        if self._sha256 is None:
            return
        text = "\n".join(lines).encode()
        if not continues and first_line > 1:
            text = b"\n" + text
        self._sha256.update(text)
        self._bytes += len(text)
        self._lines = first_line + len(lines) - 1


def _encoded(data: Mapping[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def _mergeable() -> Any:
    """A key that is equal for blocks that may stand in one record: one stream, and no line that goes on."""
    run, last = 0, ""

    def key(block: Block) -> int:
        nonlocal run, last
        if block.continues or block.stream != last:
            run += 1
        last = block.stream
        return run

    return key


def _pieces(line: str) -> Iterable[str]:
    """The line as encoded strings of at most LINES_BYTES each."""
    for start in range(0, len(line), LONG_LINE_CHARACTERS):
        yield from _halve(line[start : start + LONG_LINE_CHARACTERS])


def _halve(text: str) -> Iterable[str]:
    encoded = encode_basestring(text)
    if len(encoded.encode()) <= LINES_BYTES:
        yield encoded
    else:
        yield from _halve(text[: len(text) // 2])
        yield from _halve(text[len(text) // 2 :])
