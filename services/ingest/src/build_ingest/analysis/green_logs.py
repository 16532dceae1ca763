"""Green logs: what the last builds of a configuration that went well printed, learnt behind everything else.

Best effort: what is not learnt (a restart, a store that is away) the next green build teaches. Only what is news to
the configuration's last green logs is kept, so an unchanged build costs one look at its log.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence

from build_analysis.green_lines import GreenLines
from build_chassis.supervisor import Duty
from build_protocol.views import Build

from build_ingest.findings.green_log import GreenLog
from build_ingest.logs.green import lines_of
from build_ingest.records.fold import BuildState
from build_ingest.store.contract import BuildStore, place_of

GREEN_BUILDS = 3
"""So many of a configuration's last green logs are evidence."""

NEWS_SHARE = 0.01
"""A green log is kept if more than this share of its lines is news."""

SHARED_SETS = 16
DUE_MAX = 100

log = logging.getLogger("ingest")


class GreenLogs:
    """Learns the logs of builds that went well, and answers what those before a build printed."""

    def __init__(self, store: BuildStore) -> None:
        self._store = store
        self._shared: OrderedDict[tuple[str, ...], GreenLines] = OrderedDict()
        self._due: dict[str, BuildState] = {}
        self._woken = asyncio.Event()

    def duties(self) -> Sequence[Duty]:
        """What the supervisor runs."""
        return (Duty("learn green logs", self.learn_due, None, wake=self._woken),)

    def notice(self, state: BuildState) -> None:
        """A build went well: its log is learnt soon. Returns at once."""
        if len(self._due) < DUE_MAX and state.build.log_bytes and not state.build.backfill:
            self._due[state.build.id] = state
            self._woken.set()

    async def kept_before(self, build: Build) -> list[GreenLog]:
        """The green logs that are evidence for this build, newest first. Raises StoreUnavailable."""
        return await self._store.list_green_logs(build.project, build.config, place_of(build), GREEN_BUILDS)

    async def before(self, build: Build) -> GreenLines | None:
        """What the last green builds of its configuration before this one printed; None where none is known.

        Raises StoreUnavailable.
        """
        logs = await self.kept_before(build)
        if not logs:
            return None
        key = tuple(one.build_id for one in logs)
        known = self._shared.pop(key, None)
        if known is None:
            known = await asyncio.to_thread(GreenLines.unpacked, [one.lines for one in logs])
        self._shared[key] = known
        while len(self._shared) > SHARED_SETS:
            self._shared.popitem(last=False)
        return known

    async def learn_due(self) -> None:
        """Learn the logs of the builds that went well since the last call. Raises StoreUnavailable."""
        while self._due:
            build_id = next(iter(self._due))
            await self._learn(self._due[build_id])
            del self._due[build_id]

    async def _learn(self, state: BuildState) -> None:
        build = state.build
        lines = await lines_of(self._store, state)
        known = await self.before(build)
        news = len(lines) if known is None else known.count_new(lines)
        if news <= NEWS_SHARE * len(lines):
            return
        packed = await asyncio.to_thread(lines.packed)
        await self._store.keep_green_log(GreenLog(build.id, build.project, build.config, place_of(build), packed))
        log.debug("learnt a green log build_id=%s lines=%s", build.id, len(lines))
