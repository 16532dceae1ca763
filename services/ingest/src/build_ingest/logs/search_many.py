"""Search over many logs: the builds of a commit, a branch or a configuration, newest first, one after another.

What is found is handed on at once. A search ends by itself, after so many builds, bytes or seconds, and says where the
next one goes on.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from build_chassis.errors import StoreUnavailable
from build_protocol.views import Build, BuildHits, LogsSearched, SearchEnd

from build_ingest.logs.search import LineSearch, hits_in
from build_ingest.store.contract import BuildQuery, BuildStore, ChunkSource, place_of

SEARCHED_BYTES = 1024 * 1024 * 1024
"""So much of logs is searched for one request."""

SEARCHED_SECONDS = 45.0
"""So long is searched for one request."""

SEARCHED_AT_ONCE = 2
LISTED = 50


@dataclass(frozen=True, slots=True)
class LogsQuery:
    """What is searched for, in which builds; `q` was compiled once, so it compiles."""

    q: str
    is_regex: bool
    match_case: bool
    hits: int
    """At most so many of each build are handed on."""
    builds: BuildQuery
    """`limit` is of the whole search."""

    def finder(self) -> LineSearch:
        """Of one log. Raises BadPattern."""
        return LineSearch(self.q, is_regex=self.is_regex, match_case=self.match_case, count=self.hits)


class LogsSearch:
    """Searches many logs, for few people at a time; who comes later waits."""

    def __init__(self, store: BuildStore, texts: ChunkSource, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._texts = texts
        self._monotonic = monotonic
        self._slots = asyncio.Semaphore(SEARCHED_AT_ONCE)

    async def search(self, query: LogsQuery) -> AsyncIterator[BuildHits | LogsSearched]:
        """Each build that was searched with its hits, if any; last, how far the search came."""
        builds, log_bytes, last = 0, 0, None
        end: SearchEnd = "done"
        async with self._slots:
            deadline = self._monotonic() + SEARCHED_SECONDS
            try:
                async for build in self._builds(query.builds):
                    if builds >= query.builds.limit:
                        end = "builds"
                    elif builds and log_bytes + build.log_bytes > SEARCHED_BYTES:
                        end = "bytes"
                    elif self._monotonic() >= deadline:
                        end = "time"
                    if end != "done":
                        break
                    finder = query.finder()
                    is_whole = await hits_in(self._texts, build, finder, lambda: self._monotonic() < deadline)
                    builds, log_bytes, last = builds + 1, log_bytes + build.log_bytes, build
                    yield BuildHits(
                        build=build,
                        hits=finder.shown(),
                        total_hits=finder.total,
                        total_is_exact=is_whole and not finder.is_full,
                    )
            except StoreUnavailable:
                # Half of an answer is known by now: it is ended in a line, not by a cut connection.
                end = "unavailable"
        cursor = None if end == "done" else place_of(last) if last is not None else query.builds.before
        yield LogsSearched(end=end, builds=builds, log_bytes=log_bytes, next_cursor=cursor)

    async def _builds(self, query: BuildQuery) -> AsyncIterator[Build]:
        while True:
            page = await self._store.list_builds(replace(query, limit=LISTED))
            for build in page:
                yield build
            if len(page) < LISTED:
                return
            query = replace(query, before=place_of(page[-1]))
