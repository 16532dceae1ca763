"""The source of a Buildbot master, 3.x and 4.x: what runs and what is new by REST, when to look by its events."""

import asyncio
import contextlib
import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from build_dashboard.mirror.buildbot.events import Events
from build_dashboard.mirror.buildbot.log_text import LogText
from build_dashboard.mirror.buildbot.rest import Parameters, Rest
from build_dashboard.mirror.buildbot.rows import PROPERTIES, RETRY, build_of, commits_of, parts_of
from build_dashboard.mirror.project_map import ProjectMap
from build_dashboard.mirror.source import Part, Piece, Source, SourceBuild

LINES_PER_REQUEST = 5_000
PAGE = 100
OVERLAP = 50
"""Of several masters on one database a lower id may appear after a higher one."""

HEAL_SECONDS = 45.0
"""What is known of an open build's steps and logs is read anew this often: events may be missing."""

SPREAD_SECONDS = 20

BLIND_SECONDS = 1.5
"""The same where no events come."""

RUNNING_SECONDS_MAX = 7 * 24 * 3600
LOOK_SECONDS = 1.0
"""New and ended builds are asked for at most this often."""

GATHER_SECONDS = 0.3
"""Events are gathered for so long, that a log that grows line by line is not asked for line by line."""

_STEP = re.compile(r"steps/(\d+)/\w+")
_LOG = re.compile(r"logs/(\d+)/\w+")
_BUILD = re.compile(r"builds/(\d+)/(\w+)")

Row = Mapping[str, Any]
_OF_BUILD: Parameters = [("property", name) for name in PROPERTIES]


@dataclass(slots=True)
class _Known:
    """What is known of an open build."""

    steps: dict[int, Row] = field(default_factory=dict)
    logs: dict[int, dict[int, Row]] = field(default_factory=dict)
    read_at: float = 0.0
    settled: set[int] = field(default_factory=set)
    """Steps whose logs were read after they ended."""

    is_final: bool = False
    is_by_events: bool = False
    """It began while events came, and they have come ever since: what they report of it is all there is."""

    empty: dict[int, int] = field(default_factory=dict)
    """By log: answers in a row without the lines that it should have."""


class BuildbotSource(Source):
    """One master, or several that share a database and a page."""

    kind = "buildbot"

    def __init__(
        self,
        url: str,
        projects: ProjectMap,
        *,
        name: str | None = None,
        login: tuple[str, str] | None = None,
        backfill_seconds: float = 24 * 3600.0,
    ) -> None:
        base = url.rstrip("/")
        super().__init__(name or re.sub(r"^https?://", "", base), base, projects.projects)
        self._projects = projects
        self._rest = Rest(base, self.state, login)
        self._since = int(time.time() - backfill_seconds)
        self._cursor = 0
        self._builders: dict[int, Row] = {}
        self._workers: dict[int, str] = {}
        self._known: dict[str, _Known] = {}
        self._build_of_step: dict[int, str] = {}
        self._retried: dict[int, tuple[int, int]] = {}
        """By build request: its newest build that was given up, and when it began."""

        self._dirty: set[str] = set()
        self._is_all_dirty = True
        self._woken = asyncio.Event()
        self._gathered_at = self._looked_at = self._paged_at = 0.0
        self._events = Events(base, lambda: self._rest.cookies, self._take_event, self._connected)
        self._listening: asyncio.Task[None] | None = None

    # --- what a mirror asks ---

    async def builds(self, open_ids: Collection[str], limit: int) -> Sequence[SourceBuild]:
        """What runs, the next page of what ended, and what became of the builds that are followed."""
        self._is_all_dirty, self._looked_at = False, time.monotonic()
        rows = await self._rest.rows(
            "builds", "builds", [("complete", "false"), ("started_at__ge", self._oldest()), *_OF_BUILD]
        )
        if self._listening is None:  # not while a master starts: its first answer shows that it is there
            self._listening = asyncio.create_task(self._events.run())
        rows += await self._page(min(limit, PAGE))
        known = {str(row["buildid"]) for row in rows}
        for foreign_id in open_ids:
            if foreign_id not in known:
                rows += await self._one(foreign_id)
        for foreign_id in self._known.keys() - set(open_ids) - known:
            if time.monotonic() > self._known[foreign_id].read_at + HEAL_SECONDS:
                self._forget(foreign_id)
        return [build for row in sorted(rows, key=lambda each: each["buildid"]) if (build := await self._build(row))]

    async def parts(self, build: SourceBuild) -> Sequence[Part]:
        """Its steps and their logs: as events have them, by REST where those may have missed something."""
        known = self._known.setdefault(build.id, _Known())
        is_over = build.result is not None
        age = time.monotonic() - known.read_at
        # Not all at once: builds that began together are read anew one after another.
        heal_seconds = HEAL_SECONDS + int(build.id) % SPREAD_SECONDS
        fresh_seconds = heal_seconds if self._events.is_connected else BLIND_SECONDS
        if age >= fresh_seconds or (is_over and not known.is_final):
            await self._read_steps(build.id, known)
            known.is_final = is_over
        logs = {step: list(rows.values()) for step, rows in known.logs.items()}
        return parts_of(build.url or "", list(known.steps.values()), logs, is_over=is_over)

    async def read(self, build: SourceBuild, part: Part, cursor: Any) -> Piece:
        """The next lines of a log, as far as the master has them."""
        known = self._known.setdefault(build.id, _Known())
        log = known.logs.get(int(part.key.partition("/")[0]), {}).get(part.log["logid"], part.log)
        offset, in_environment = cursor or (0, False)
        is_closed = bool(log.get("complete")) or build.result is not None
        if log["type"] == "d":
            return Piece([], cursor, is_over=True, lost="log_deleted" if offset < log["num_lines"] else None)
        if offset >= log["num_lines"] and (is_closed or self._events.is_connected):
            return Piece([], cursor, is_over=is_closed)
        where: Parameters = [("offset", offset), ("limit", LINES_PER_REQUEST)]
        answer = await self._rest.get(f"logs/{log['logid']}/contents", where)
        if answer is None:
            return Piece([], cursor, is_over=True, lost="log_deleted")
        content = "".join(chunk["content"] for chunk in answer.get("logchunks", ()))
        text = LogText(log["type"] == "s", in_environment)
        lines, streams, count = text.lines(content)
        if not count and offset < log["num_lines"]:
            return await self._missing(log, known, cursor)
        known.empty.pop(log["logid"], None)
        is_over = is_closed and offset + count >= log["num_lines"]
        return Piece(
            lines, [offset + count, text.in_environment], is_over=is_over, streams=streams, source_line=offset + 1
        )

    async def commits(self, build: SourceBuild, green: str) -> Sequence[Mapping[str, Any]] | None:
        """The changes of its branch since that revision, where both are among the newest hundred."""
        of_branch = [("branch__eq", build.branch)] if build.branch else []
        rows = await self._rest.rows("changes", "changes", [*of_branch, ("order", "-changeid"), ("limit", 101)])
        rows.sort(key=lambda change: change["changeid"], reverse=True)
        return commits_of(rows, build.commit or "", green)

    async def wait(self, seconds: float) -> Collection[str] | None:
        """Until an event came, and those after it for a moment."""
        if not self._events.is_connected:
            seconds = min(seconds, BLIND_SECONDS)
        if self._is_all_dirty:
            seconds = min(seconds, max(0.0, self._looked_at + LOOK_SECONDS - time.monotonic()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
                await asyncio.sleep(max(0.0, self._gathered_at + GATHER_SECONDS - time.monotonic()))
        self._gathered_at = now = time.monotonic()
        self._woken.clear()
        if not self._events.is_connected or (self._is_all_dirty and now >= self._looked_at + LOOK_SECONDS):
            return None
        dirty, self._dirty = self._dirty, set()
        return dirty

    async def close(self) -> None:
        """End the connections."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self._rest.close()

    # --- builds ---

    def _oldest(self) -> int:
        """What began earlier and is not complete was left by a master that died: it will never end."""
        return min(self._since, int(time.time()) - RUNNING_SECONDS_MAX)

    async def _page(self, limit: int) -> list[dict[str, Any]]:
        if limit <= 0:
            return []
        # A page is many queries to the master: what was seen is only looked at again now and then.
        is_overlapping = time.monotonic() >= self._paged_at + self.poll_seconds
        if is_overlapping:
            self._paged_at = time.monotonic()
        lowest = max(0, self._cursor - (OVERLAP if is_overlapping else 0))
        wanted: Parameters = [("buildid__gt", lowest), ("started_at__ge", self._since), ("order", "buildid")]
        rows = await self._rest.rows("builds", "builds", [*wanted, ("limit", PAGE), *_OF_BUILD])
        newest = max((row["buildid"] for row in rows), default=0)
        self.has_more = len(rows) >= PAGE
        if not rows and self._cursor and is_overlapping:
            await self._check_database()
        self._cursor = max(self._cursor, newest)
        return rows

    async def _check_database(self) -> None:
        """A database that was made anew counts from 1 again."""
        rows = await self._rest.rows("builds", "builds", [("order", "-buildid"), ("limit", 1)])
        if not rows or rows[0]["buildid"] < self._cursor - OVERLAP:
            self._cursor = 0

    async def _one(self, foreign_id: str) -> list[dict[str, Any]]:
        rows = await self._rest.rows("builds", f"builds/{foreign_id}", _OF_BUILD)
        if not rows:
            self.state.gone.add(foreign_id)
        return rows

    async def _build(self, row: Row) -> SourceBuild | None:
        builder = await self._builder(row["builderid"])
        project = self._projects.project_of(str(builder.get("name", "")), builder.get("tags") or ())
        if project is None or row.get("started_at") is None:
            return None
        request, place = row.get("buildrequestid"), (row["buildid"], int(row["started_at"] * 1000))
        earlier = self._retried.get(request) if request is not None else None
        if request is not None and row.get("complete") and row.get("results") == RETRY:
            self._retried[request] = max(place, earlier or place)
            if len(self._retried) > 10 * PAGE:
                self._retried.pop(next(iter(self._retried)))
        retry_of = (str(earlier[0]), earlier[1]) if earlier is not None and earlier[0] < row["buildid"] else None
        worker = await self._worker(row.get("workerid"))
        return build_of(self._rest.base, row, builder, project=project, worker=worker, retry_of=retry_of)

    async def _builder(self, builder_id: int) -> Row:
        if builder_id not in self._builders:
            rows = await self._rest.rows("builders", "builders")
            self._builders = {row["builderid"]: row for row in rows}
            self._builders.setdefault(builder_id, {})
        return self._builders[builder_id]

    async def _worker(self, worker_id: int | None) -> str | None:
        if worker_id is not None and worker_id not in self._workers:
            rows = await self._rest.rows("workers", "workers", [("field", "workerid"), ("field", "name")])
            self._workers = {row["workerid"]: row["name"] for row in rows}
            self._workers.setdefault(worker_id, f"worker-{worker_id}")
        return self._workers.get(worker_id) if worker_id is not None else None

    # --- steps and logs ---

    async def _read_steps(self, foreign_id: str, known: _Known) -> None:
        began = time.monotonic()
        for step in await self._rest.rows("steps", f"builds/{foreign_id}/steps"):
            step_id = step["stepid"]
            known.steps[step_id] = step
            self._build_of_step[step_id] = foreign_id
            if step_id in known.settled or step.get("started_at") is None:
                continue
            if known.is_by_events and step.get("complete") and _are_closed(known.logs.get(step_id, {})):
                known.settled.add(step_id)
                continue
            rows = await self._rest.rows("logs", f"steps/{step_id}/logs")
            known.logs[step_id] = {row["logid"]: row for row in rows}
            if step.get("complete") and all(row["complete"] for row in rows):
                known.settled.add(step_id)
        known.read_at = began

    async def _missing(self, log: Row, known: _Known, cursor: Any) -> Piece:
        """Lines that should be there did not come: the log was deleted, or cut."""
        rows = await self._rest.rows("logs", f"logs/{log['logid']}")
        is_deleted = not rows or rows[0]["type"] == "d"
        known.empty[log["logid"]] = known.empty.get(log["logid"], 0) + 1
        if is_deleted or (known.empty[log["logid"]] > 1 and rows[0]["complete"]):
            return Piece([], cursor, is_over=True, lost="log_deleted" if is_deleted else "log_cut")
        return Piece([], cursor)

    def _forget(self, foreign_id: str) -> None:
        known = self._known.pop(foreign_id)
        for step_id in known.steps:
            self._build_of_step.pop(step_id, None)

    # --- events ---

    def _take_event(self, path: str, row: Mapping[str, Any]) -> None:
        if match := _BUILD.fullmatch(path):
            if match[2] == "new":
                self._known.setdefault(match[1], _Known(read_at=time.monotonic(), is_by_events=True))
            if match[2] in ("new", "finished"):
                self._look_at_all()
        elif match := _STEP.fullmatch(path):
            if (known := self._known.get(str(row.get("buildid")))) is not None:
                self._take_step(known, row)
                self._mark(str(row["buildid"]))
        elif match := _LOG.fullmatch(path):
            foreign_id = self._build_of_step.get(row.get("stepid", -1))
            if foreign_id is not None and (known := self._known.get(foreign_id)) is not None:
                _take_log(known, row)
                self._mark(foreign_id)

    def _take_step(self, known: _Known, row: Row) -> None:
        before = known.steps.get(row["stepid"], {})
        # `update` may come before `new`: what ended stays ended, what began began.
        if not before.get("complete") and (row.get("started_at") or not before.get("started_at")):
            known.steps[row["stepid"]] = row
        self._build_of_step[row["stepid"]] = str(row["buildid"])

    def _connected(self) -> None:
        for known in self._known.values():
            known.is_by_events, known.read_at = False, 0.0
        self._look_at_all()

    def _look_at_all(self) -> None:
        self._is_all_dirty = True
        self._woken.set()

    def _mark(self, foreign_id: str) -> None:
        self._dirty.add(foreign_id)
        self._woken.set()


def _are_closed(logs: Mapping[int, Row]) -> bool:
    return all(log["complete"] for log in logs.values())


def _take_log(known: _Known, row: Row) -> None:
    rows = known.logs.setdefault(row["stepid"], {})
    before = rows.get(row["logid"], {})
    rows[row["logid"]] = {
        **row,
        "num_lines": max(row["num_lines"], before.get("num_lines", 0)),
        "complete": bool(row.get("complete") or before.get("complete")),
    }
