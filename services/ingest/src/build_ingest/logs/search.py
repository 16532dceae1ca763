"""Search: the lines of a log that match, in linear time whatever the pattern. Reads few chunks at a time."""

import asyncio
from collections.abc import Callable, Sequence

import re2
from build_protocol.views import Build, LogHit, LogSearch

from build_ingest.records.chunk import Chunk, text_of
from build_ingest.store.contract import ChunkSource

CHUNKS_PER_READ = 8
COUNTED_HITS = 10_000
"""Beyond this many hits the total is a lower bound."""

SEARCHED_LINE_BYTES = 1024 * 1024
"""Only so much of a line is searched."""

SHOWN_CHARACTERS = 1000
PATTERN_MEMORY_BYTES = 8 * 1024 * 1024


class BadPattern(ValueError):
    """The search pattern is no regular expression (RE2 syntax)."""


class LineSearch:
    """Finds lines in text that comes chunk by chunk. Raises BadPattern."""

    def __init__(self, q: str, *, is_regex: bool, match_case: bool, first: int = 1, count: int = 100) -> None:
        options = re2.Options()
        options.case_sensitive = match_case
        options.literal = not is_regex
        options.log_errors = False
        options.max_mem = PATTERN_MEMORY_BYTES
        options.never_nl = True
        try:
            self._pattern = re2.compile((f"(?m){q}" if is_regex else q).encode(), options)
        except re2.error as error:
            reason = error.args[0] if error.args else error
            raise BadPattern(reason.decode() if isinstance(reason, bytes) else str(reason)) from error
        self._line = b""
        self._line_number = 0
        self._first = first
        self._count = count
        self.hits: list[tuple[int, bytes]] = []
        """Line number and text of hits from line `first` on, in order, one more than `count` if there are."""
        self.total = 0

    def read(self, chunks: Sequence[Chunk]) -> None:
        """Search the lines that are whole now; the newest line waits for its end."""
        for chunk in chunks:
            if not chunk.has_text or self.is_full:
                continue
            text = text_of(chunk)
            if chunk.continues and self._line_number:
                text = self._line + text
            elif self._line_number:
                self._search(self._line, self._line_number)
            first = chunk.first_line
            cut = text.rfind(b"\n")
            if cut >= 0:
                self._search(text[:cut], first)
            self._line = text[cut + 1 :][:SEARCHED_LINE_BYTES]
            self._line_number = chunk.last_line

    def finish(self) -> None:
        """Search the last line."""
        if self._line_number:
            self._search(self._line, self._line_number)
            self._line_number = 0

    @property
    def is_full(self) -> bool:
        """Whether it stopped: the page is complete, and more hits are not counted."""
        return self.total >= COUNTED_HITS and len(self.hits) > self._count

    @property
    def next_first(self) -> int | None:
        """The line of the first hit after this page; None where this is the last one."""
        return self.hits[self._count][0] if len(self.hits) > self._count else None

    def shown(self) -> list[LogHit]:
        """The hits of this page, as people are shown them."""
        return [
            LogHit(line=line, text=text.decode(errors="replace")[:SHOWN_CHARACTERS])
            for line, text in self.hits[: self._count]
        ]

    def _search(self, text: bytes, number: int) -> None:
        position = 0
        while not self.is_full and (match := self._pattern.search(text, position)):
            begin = text.rfind(b"\n", position, match.start()) + 1 or position
            number += text.count(b"\n", position, begin)
            end = text.find(b"\n", match.start())
            self.total += 1
            if number >= self._first and len(self.hits) <= self._count:
                self.hits.append((number, text[begin : end if end >= 0 else len(text)]))
            if end < 0:
                return
            position, number = end + 1, number + 1


async def search(
    store: ChunkSource, build: Build, q: str, *, is_regex: bool, match_case: bool, first: int, count: int
) -> LogSearch:
    """The hits from line `first` on, at most `count`, and how many there are in the whole log."""
    finder = LineSearch(q, is_regex=is_regex, match_case=match_case, first=first, count=count)
    await hits_in(store, build, finder)
    return LogSearch(
        q=q,
        hits=finder.shown(),
        total_hits=finder.total,
        total_is_exact=not finder.is_full,
        next_first=finder.next_first,
        total=build.log_lines,
        as_of_seq=build.as_of_seq,
    )


def _always() -> bool:
    return True


async def hits_in(
    store: ChunkSource, build: Build, finder: LineSearch, may_go_on: Callable[[], bool] = _always
) -> bool:
    """Search a build's log as of this row; whether it was searched to its end, or until the finder was full."""
    seq = 0
    while seq < build.as_of_seq and not finder.is_full:
        if not may_go_on():
            return False
        chunks = await store.read_chunks(build.id, "seq", seq + 1, CHUNKS_PER_READ)
        if not chunks:
            break
        await asyncio.to_thread(finder.read, chunks)
        seq = chunks[-1].last_seq
    await asyncio.to_thread(finder.finish)
    return True
