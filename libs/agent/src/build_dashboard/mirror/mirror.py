"""The mirror: follows sources and delivers what is new in them, by one key, in one event loop beside delivery's.

Nothing is remembered that the dashboard does not have: what is stored of a build is asked first, by its id, which the
source alone decides. So a mirror may be killed, moved or started twice, and its spool may be lost.
"""

import asyncio
import contextlib
import json
import logging
import platform
import random
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from pathlib import Path

from build_dashboard.delivery.delivery import NO_KEY, Delivery
from build_dashboard.delivery.exchange import beside_each_other
from build_dashboard.endpoint import Endpoint
from build_dashboard.mirror.health import Health
from build_dashboard.mirror.identity import build_id_of, instance_of, retried_id_of
from build_dashboard.mirror.mirrored_build import Extent, MirroredBuild, lines_at
from build_dashboard.mirror.source import Source, SourceBuild, SourceUnavailable
from build_dashboard.recording.directory import BuildDirectory
from build_dashboard.recording.machine import machine_id
from build_dashboard.recording.spool import Spool
from build_dashboard.redaction.environment import redactor_of

logger = logging.getLogger("build_dashboard")

BACKFILL_MS = 3600 * 1000
"""A build that was over for longer than this when it was first seen is history: nobody is notified of it."""

PAST_OPEN = 8
"""Builds that were over when they were first seen and are read at once; those that run are all followed."""

UNDELIVERED = 64
"""Builds that are read to their end and not stored yet; more of the past waits for them."""

WAITING_MAX = 400
"""Builds of the past that are known and wait for their turn."""

ASKED_AT_ONCE = 200
DONE_KEPT = 50_000
BACKOFF_SECONDS = (1.0, 64.0)
HEALTH_SECONDS = 5.0
STANDBY_SECONDS = 120.0
"""After another mirror of the same sources took over, when this one tries again; builds are lost after 300 s."""

SETTLE_SECONDS = 1.0
"""What another mirror sent just before this one took over is stored by then."""


class Mirror:
    """Shows what these sources have.

    Args:
        sources: The CIs; their names are part of their builds' ids.
        endpoint: The dashboard, and a key that may report the sources' projects.
        spool: A folder of this mirror alone.
    """

    def __init__(self, sources: Sequence[Source], endpoint: Endpoint, spool: Path) -> None:
        if not endpoint.api_key:
            raise ValueError(NO_KEY)
        self._sources = list(sources)
        self._endpoint = endpoint
        self._spool = spool
        self._closing = asyncio.Event()
        self._problem = ""

    def close(self) -> None:
        """End `run`, from its own loop."""
        self._closing.set()

    async def run(self) -> None:
        """Follow the sources until `close`."""
        try:
            while not self._closing.is_set():
                await self._serve()
                if not self._closing.is_set():
                    logger.warning("stand by for %g s: %s", STANDBY_SECONDS, self._problem)
                    await beside_each_other(self._closing.wait(), seconds=STANDBY_SECONDS)
        finally:
            for source in self._sources:
                await source.close()

    async def _serve(self) -> None:
        """Deliver until closed, or until another mirror of the same sources takes over."""
        instance = instance_of([source.name for source in self._sources])
        self._spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        delivery = Delivery(self._endpoint, platform.node(), str(self._spool), instance=instance)
        delivery.start()
        followers = [Follower(source, delivery, self._spool / _folder(source.name)) for source in self._sources]
        try:
            await beside_each_other(
                self._closing.wait(), _until_over(delivery), *(follower.run() for follower in followers)
            )
        finally:
            for follower in followers:
                follower.close()
            self._problem = delivery.problem
            await asyncio.to_thread(delivery.close)


class Follower:
    """Follows one source."""

    def __init__(self, source: Source, delivery: Delivery, spool: Path) -> None:
        self._source = source
        self._delivery = delivery
        self._spool = spool
        self._health = Health(source)
        self._redactor = redactor_of({}, api_key=delivery.endpoint.api_key)
        self._open: dict[str, MirroredBuild] = {}
        self._by_source: dict[str, str] = {}
        self._waiting: OrderedDict[str, SourceBuild] = OrderedDict()
        """Seen, and not asked about or opened yet."""

        self._extents: dict[str, Extent] = {}
        self._done: OrderedDict[str, None] = OrderedDict()
        self._sent: set[str] = set()
        """Read to their end, and not stored yet."""

        self._left = left_builds(spool)
        """Of an earlier mirror, and not adopted yet: the source's id of each."""

        self._odd: dict[str, str] = {}
        """Builds of which something cannot be recorded, and what was written of that."""

        self._asks_green: dict[str, SourceBuild] = {}
        self._looked_at = 0.0
        self._failures = 0

    async def run(self) -> None:
        """Follow it for ever."""
        await asyncio.sleep(SETTLE_SECONDS)
        await beside_each_other(self._follow(), self._ask(), self._report())

    def close(self) -> None:
        """Let go of the builds; what is spooled stays for the next mirror."""
        for build in self._open.values():
            build.close()
        self._open.clear()

    # --- what there is ---

    async def _follow(self) -> None:
        changed: Collection[str] | None = None
        while True:
            seconds = self._source.poll_seconds
            try:
                if changed is None or time.monotonic() >= self._looked_at + seconds:
                    self._take(await self._source.builds([*self._by_source, *self._left.values()], self._room()))
                    self._looked_at = time.monotonic()
                    self._end_gone()
                    due = list(self._open)
                else:
                    due = [self._by_source[each] for each in changed if each in self._by_source]
                self._open_waiting()
                for build_id in dict.fromkeys([*due, *self._health.behind]):
                    await self._try_step(build_id)
                self._failures = 0
                self._health.answered()
                busy = bool(self._health.behind) or bool(self._extents)
                changed = await self._source.wait(0.05 if busy else self._until_look())
            except SourceUnavailable as error:
                await self._rest(error)
                changed = None
            except Exception as error:
                # A CI of another release than ours may answer anything: the others go on, and the page says why.
                logger.exception("fail to follow %s", self._source.name)
                await self._rest(SourceUnavailable(f"its answer is not understood: {type(error).__name__}: {error}"))
                changed = None

    def _room(self) -> int:
        return max(0, WAITING_MAX - len(self._waiting))

    def _until_look(self) -> float:
        if self._source.has_more and self._room() > WAITING_MAX // 2:
            self._looked_at = 0.0  # at the next turn
            return 0.2
        left = self._looked_at + self._source.poll_seconds - time.monotonic()
        # Of what waits for an answer of the dashboard something may be known in a moment.
        return max(0.05, min(left, 0.25 if self._waiting else left))

    async def _rest(self, error: SourceUnavailable) -> None:
        first, longest = BACKOFF_SECONDS
        window = min(longest, first * 2**self._failures)
        wait = error.retry_seconds if error.retry_seconds is not None else window * random.uniform(0.5, 1)  # noqa: S311  (spreads load)
        self._failures = min(self._failures + 1, 10)
        if self._health.failed(error):
            logger.warning("%s does not answer: %s", self._source.name, error)
        self._report_health()
        await asyncio.sleep(wait)

    def _take(self, builds: Sequence[SourceBuild]) -> None:
        """Builds as they are now: those followed learn it, others wait to be opened."""
        for build in builds:
            build_id = build_id_of(self._source.name, build)
            self._left.pop(build_id, None)
            if (known := self._open.get(build_id)) is not None:
                known.build = build
            elif build_id not in self._done:
                self._waiting[build_id] = build

    async def _ask(self) -> None:
        """Ask the dashboard, in the background, what it has of the builds that wait."""
        while True:
            unknown = [
                (build_id, build.project) for build_id, build in self._waiting.items() if build_id not in self._extents
            ][:ASKED_AT_ONCE]
            if not unknown:
                await asyncio.sleep(0.05)
                continue
            answer = await asyncio.to_thread(self._delivery.wait_for_stored, unknown)
            if answer is None:
                await asyncio.sleep(0.5)
                continue
            for build_id, _ in unknown:
                extent = Extent(answer.get(build_id))
                if extent.is_foreign or (extent.is_complete and not (self._spool / build_id).is_dir()):
                    self._forget(build_id)
                else:
                    self._extents[build_id] = extent

    def _open_waiting(self) -> None:
        self._sent = {build_id for build_id in self._sent if not self._delivery.is_delivered(build_id)}
        past = sum(1 for build in self._open.values() if build.build.result is not None)
        # What runs comes first: it is what people look at.
        for build_id in sorted(self._extents, key=lambda each: self._waiting[each].result is not None):
            build = self._waiting[build_id]
            if build.result is not None:
                if past >= PAST_OPEN or len(self._sent) >= UNDELIVERED:
                    return
                past += 1
            self._begin(build_id, build, self._extents[build_id])
            self._extents.pop(build_id, None)
            self._waiting.pop(build_id, None)

    def _begin(self, build_id: str, build: SourceBuild, extent: Extent) -> None:
        try:
            directory = self._directory(build_id, build, extent)
        except OSError as error:
            raise SourceUnavailable(f"the spool {self._spool} cannot be written: {error}") from error
        if directory is None:
            self._forget(build_id)
            return
        followed = MirroredBuild(
            directory, build, self._redactor.sibling(), extent, has_times=self._source.has_line_times
        )
        ended_at = build.ended_at if build.result is not None else None
        is_past = ended_at is not None and ended_at < _now_ms() - BACKFILL_MS
        self._delivery.add(directory, followed.spool, followed.replacement, is_running=not followed.is_complete)
        followed.start(retried_id_of(self._source.name, build), is_backfill=is_past)
        if followed.is_complete:
            self._finish(build_id, followed)
            return
        self._open[build_id] = followed
        self._by_source[build.id] = build_id
        self._health.mark_behind(build_id)
        self._delivery.spooled(build_id, followed.spool.last_seq)
        if build.commit and not is_past:
            self._delivery.ask_green(build_id, build.branch)
            self._asks_green[build_id] = build

    def _directory(self, build_id: str, build: SourceBuild, extent: Extent) -> BuildDirectory | None:
        """The build's spool: ours where it goes on from what is stored, else a new one; None: all is stored."""
        path = self._spool / build_id
        if path.is_dir():
            with contextlib.suppress(ValueError):
                directory = BuildDirectory.adopt(path)
                spool = Spool(path)
                is_ours = not (path / "refused").exists() and lines_at(spool, extent.seq) == extent.lines
                spool.close()
                if is_ours:
                    return directory
                directory.delete()
            if path.is_dir():  # it was never whole
                path.rename(path.with_name(f".{build_id}.deleted"))
        if extent.is_complete:
            return None
        facts = {
            "source": build.id,
            "buildId": build_id,
            "project": build.project,
            "branch": build.branch,
            "config": build.config,
            "startedAt": build.started_at,
            "machine": machine_id(),
        }
        return BuildDirectory.create(self._spool, facts)

    def _end_gone(self) -> None:
        """What the CI has no more ends as far as it is known."""
        gone, self._source.state.gone = self._source.state.gone, set()
        for build_id, foreign_id in [*self._left.items()]:
            if foreign_id in gone:
                self._left.pop(build_id)
                self._adopt(build_id, foreign_id)
        for foreign_id in gone:
            followed = self._open.get(self._by_source.get(foreign_id, ""))
            if followed is not None:
                if not followed.is_complete:
                    followed.end(reason="source_lost", lost="its CI has no such build any more")
                self._finish(followed.build_id, followed)

    def _adopt(self, build_id: str, foreign_id: str) -> None:
        """Go on with what an earlier mirror spooled of a build that its CI has no more."""
        try:
            directory = BuildDirectory.adopt(self._spool / build_id)
        except (OSError, ValueError) as error:
            logger.warning("leave build %s in the spool: %s", build_id, error)
            return
        facts = directory.facts
        build = SourceBuild(
            id=foreign_id, started_at=facts["startedAt"], project=facts["project"], config=facts["config"]
        )
        followed = MirroredBuild(directory, build, self._redactor.sibling(), Extent(None), has_times=False)
        self._delivery.add(directory, followed.spool, followed.replacement, is_running=False)
        self._open[build_id], self._by_source[foreign_id] = followed, build_id

    # --- one build ---

    async def _try_step(self, build_id: str) -> None:
        """An odd answer about one build keeps no other from being followed; it is tried again at the next look."""
        try:
            await self._step(build_id)
        except SourceUnavailable:
            raise
        except Exception as error:
            # Once: it is tried at every look, and a log that nobody asked for would be full of it.
            if self._odd.get(build_id) != (problem := f"{type(error).__name__}: {error}"):
                logger.exception("fail to record build %s", build_id)
            self._odd[build_id] = problem
            self._health.mark_current(build_id)

    async def _step(self, build_id: str) -> None:
        """Record what is new of a build; its last look is the one that began after its end."""
        followed = self._open.get(build_id)
        if followed is None:
            self._health.mark_current(build_id)
            return
        if self._delivery.is_delivered(build_id):
            logger.warning("build %s is not taken by the dashboard: %s", build_id, self._delivery.notices[-1:])
            followed.close()
            self._close(build_id, followed)
            return
        await self._add_commits(build_id, followed)
        build = followed.build
        followed.note_news(_now_ms())
        parts = await self._source.parts(build)
        self._health.mark_behind(build_id)
        has_more = await followed.advance(parts, lambda part, cursor: self._source.read(build, part, cursor), _now_ms())
        self._delivery.spooled(build_id, followed.spool.last_seq)
        if has_more or followed.is_full:
            return
        if build.result is not None and followed.has_all(parts):
            if not followed.is_complete:
                followed.end()
            if followed.flush():
                self._finish(build_id, followed)
            return
        self._health.mark_current(build_id)

    def _finish(self, build_id: str, followed: MirroredBuild) -> None:
        self._health.lost_logs += followed.lost_logs
        self._delivery.spooled(build_id, followed.spool.last_seq)
        self._delivery.complete(build_id, has_totals=followed.totals_known)
        self._sent.add(build_id)
        self._close(build_id, followed)

    def _close(self, build_id: str, followed: MirroredBuild) -> None:
        self._open.pop(build_id, None)
        self._by_source.pop(followed.build.id, None)
        self._asks_green.pop(build_id, None)
        self._odd.pop(build_id, None)
        self._health.mark_current(build_id)
        self._forget(build_id)

    def _forget(self, build_id: str) -> None:
        self._waiting.pop(build_id, None)
        self._extents.pop(build_id, None)
        self._done[build_id] = None
        if len(self._done) > DONE_KEPT:
            self._done.popitem(last=False)

    async def _add_commits(self, build_id: str, followed: MirroredBuild) -> None:
        build = self._asks_green.get(build_id)
        is_answered, green = self._delivery.green(build_id)
        if build is None or not is_answered:
            return
        del self._asks_green[build_id]
        commits = await self._source.commits(build, green) if green else None
        if commits is not None:
            followed.update({"commits": list(commits)[:100]}, _now_ms())

    # --- its health ---

    async def _report(self) -> None:
        while True:
            self._report_health()
            await asyncio.sleep(HEALTH_SECONDS)

    def _report_health(self) -> None:
        health = self._health.to_wire(_now_ms(), open_builds=len(self._open), waiting_builds=len(self._waiting))
        self._delivery.report_source(self._source.name, health)


def left_builds(spool: Path) -> dict[str, str]:
    """The builds in a spool, and how their source calls them."""
    left = {}
    for path in spool.glob("*/build.json"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            left[path.parent.name] = str(json.loads(path.read_text())["source"])
    return left


async def _until_over(delivery: Delivery) -> None:
    while not delivery.is_over:  # noqa: ASYNC110  (it is another thread's, which knows nothing of this loop)
        await asyncio.sleep(0.1)


def _folder(name: str) -> str:
    return "".join(character if character.isalnum() or character in "-_" else "-" for character in name)[:100]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
