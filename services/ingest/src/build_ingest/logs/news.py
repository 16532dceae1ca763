"""News: the lines of a log that no green build of its configuration printed before it, each kind of line once."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from build_analysis.green_lines import GreenLines, template_of
from build_analysis.prefixes import clean
from build_protocol.views import Build, LogNews, NewLine

from build_ingest.findings.green_log import GreenLog
from build_ingest.logs.green import READ_BYTES, lines_of
from build_ingest.logs.pages import stream_text
from build_ingest.logs.search import SHOWN_CHARACTERS
from build_ingest.records.fold import BuildState
from build_ingest.store.contract import BuildQuery, BuildStore, ChunkSource, place_of

KINDS = 20_000
"""So many kinds of new lines are kept apart; a log with more has nothing in common with its green ones."""

COMPARED_AT_ONCE = 2
LAST_KEPT = 16


class NewLines:
    """Collects the new lines of text that comes piece by piece, each kind by its first line."""

    def __init__(self, green: GreenLines, count: int) -> None:
        self._green = green
        self._count = count
        self._kinds: dict[int, int] = {}
        """How many lines there are of each new kind, in the order of their first lines."""
        self._known: dict[bytes, int | None] = {}
        """The kind of each line as printed, None for one that is not new: what a log repeats is looked at once."""
        self._rest = b""
        self.lines = 0
        """Read so far."""
        self._firsts: list[tuple[int, int, str]] = []

    @property
    def is_full(self) -> bool:
        """Whether no more kinds are kept apart."""
        return len(self._kinds) >= KINDS

    def read(self, text: bytes) -> None:
        """Take the next piece of the log."""
        *whole, self._rest = (self._rest + text).split(b"\n")
        for line in whole:
            self._take(line)

    def finish(self) -> None:
        """Take the last line."""
        if self._rest:
            self._take(self._rest)
            self._rest = b""

    def items(self) -> list[NewLine]:
        """The first `count` kinds, in the order of their first lines."""
        return [NewLine(line=line, text=text, count=self._kinds[kind]) for line, kind, text in self._firsts]

    @property
    def total(self) -> int:
        """How many kinds there are."""
        return len(self._kinds)

    def _take(self, line: bytes) -> None:
        self.lines += 1
        if line in self._known:
            kind = self._known[line]
        else:
            kind = self._kind_of(line)
            if len(self._known) < KINDS:
                self._known[line] = kind
        if kind is None:
            return
        if kind not in self._kinds:
            if self.is_full:
                return
            if len(self._firsts) < self._count:
                self._firsts.append((self.lines, kind, line.decode(errors="replace")[:SHOWN_CHARACTERS]))
        self._kinds[kind] = self._kinds.get(kind, 0) + 1

    def _kind_of(self, line: bytes) -> int | None:
        text = clean(line.decode(errors="replace")).text
        if not text.strip():
            return None
        kind = template_of(text)
        return None if kind in self._green.templates else kind


class LogNewsReader:
    """Compares logs with green ones, few at a time: a long log keeps a processor busy for seconds."""

    def __init__(self, store: BuildStore, texts: ChunkSource) -> None:
        self._store = store
        self._texts = texts
        self._slots = asyncio.Semaphore(COMPARED_AT_ONCE)
        self._last: OrderedDict[str, GreenLines] = OrderedDict()
        """The lines of builds that were the last green one of a lane."""

    async def read(self, state: BuildState, kept: Sequence[GreenLog], count: int) -> LogNews:
        """What the log has, as of this state, that no green one has; at most `count` kinds of lines.

        It is compared with the last green log of its lane, read here, and those that were kept of its configuration,
        of which each has only what was news then. Raises StoreUnavailable.
        """
        build = state.build
        async with self._slots:
            last = await self._last_green(build)
            ids = {one.build_id for one in kept} | ({last.build.id} if last else set())
            if not ids:
                return LogNews(items=[], total=build.log_lines, as_of_seq=build.as_of_seq)
            green = await asyncio.to_thread(GreenLines.unpacked, [one.lines for one in kept])
            if last is not None:
                green.templates |= (await self._lines_of(last)).templates
            found = NewLines(green, count)
            async for text in stream_text(self._texts, state, 0, min(build.log_bytes, READ_BYTES)):
                await asyncio.to_thread(found.read, text)
                if found.is_full:
                    break
            await asyncio.to_thread(found.finish)
        return LogNews(
            compared_to=sorted(ids, reverse=True),
            items=found.items(),
            total_items=found.total,
            is_whole=build.log_bytes <= READ_BYTES and not found.is_full and not green.is_full,
            lines=found.lines,
            total=build.log_lines,
            as_of_seq=build.as_of_seq,
        )

    async def _last_green(self, build: Build) -> BuildState | None:
        """The last build of its lane before it that went well and left a log."""
        before = BuildQuery(
            projects=(build.project,),
            branch=build.branch,
            config=build.config,
            statuses=("succeeded",),
            before=place_of(build),
            limit=1,
        )
        for green in await self._store.list_builds(before) if build.branch else ():
            state = await self._store.find(green.id)
            if state is not None and state.build.log_bytes:
                return state
        return None

    async def _lines_of(self, state: BuildState) -> GreenLines:
        known = self._last.pop(state.build.id, None)
        if known is None:
            known = await lines_of(self._texts, state)
        self._last[state.build.id] = known
        while len(self._last) > LAST_KEPT:
            self._last.popitem(last=False)
        return known
