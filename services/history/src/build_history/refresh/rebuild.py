"""Rebuilding from ingest: what history can compute again of the builds that ingest still has, while both run.

Facts that are missing or older than ingest's verdicts are made anew, and every row of each build is counted again.
What people decided (overrides) stands in facts and stays, and so do facts and rows of builds that ingest no longer has.
Nobody is notified of what a rebuild finds out. Builds that ended within the last
hour are left to their messages, which may still be on their way. Repeating a rebuild changes nothing.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlencode

from build_chassis.auth import Principal
from build_chassis.errors import Conflict
from build_chassis.service_client import JsonClient
from build_protocol.clock import HOUR_MS, Clock
from build_protocol.messages import BuildVerdict
from build_protocol.model import Count, WireModel

from build_history.builds.fact import Fact, with_verdict
from build_history.projections.config_state import ExcludedConfigs
from build_history.refresh.facts import change_facts
from build_history.store import HistoryStore

log = logging.getLogger("history")

BUILDS_AT_ONCE = 25
LISTED_AT_ONCE = 1000
LEFT_ALONE_MS = HOUR_MS
ASKER = Principal("history", "admin", None, kind="service")


class Progress(WireModel):
    """How far a rebuild is."""

    state: Literal["idle", "running", "done"] = "idle"
    total: Count = 0
    done: Count = 0


@dataclass
class Rebuild:
    """One rebuild at a time; `step` takes some builds. It is kept in memory: after a restart it is asked for again."""

    store: HistoryStore
    ingest: JsonClient
    clock: Clock
    excluded_configs: ExcludedConfigs
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    progress: Progress = field(default_factory=Progress)
    _left: list[str] | None = None

    def start(self) -> Progress:
        """Begin. Raises Conflict while one runs."""
        if self.progress.state == "running":
            raise Conflict("history is being rebuilt already", remedy="Wait until it is done.")
        self.progress, self._left = Progress(state="running"), None
        self.wake.set()
        return self.progress

    async def step(self) -> bool:
        """Some builds, the oldest first; whether there are more.

        Raises:
            ServiceUnavailable: Ingest does not answer; the step may be repeated.
            StoreUnavailable: The same.
        """
        if self.progress.state != "running":
            return False
        if self._left is None:
            self._left = await self._ended()
            self.progress = self.progress.model_copy(update={"total": len(self._left)})
        await self._take(self._left[-BUILDS_AT_ONCE:])
        del self._left[-BUILDS_AT_ONCE:]
        is_done = not self._left
        done = self.progress.total - len(self._left)
        self.progress = self.progress.model_copy(update={"done": done, "state": "done" if is_done else "running"})
        if is_done:
            log.info("rebuilt from %d builds", done)
        return not is_done

    async def _ended(self) -> list[str]:
        """The builds of ingest whose verdicts history has, or should have, the newest first."""
        found: list[str] = []
        before: str | None = None
        while True:
            query: dict[str, int | str] = {"overBefore": self.clock() - LEFT_ALONE_MS, "limit": LISTED_AT_ONCE}
            query |= {} if before is None else {"before": before}
            page = await self.ingest.get_json(f"/internal/ended?{urlencode(query)}", ASKER)
            found += page["builds"]
            before = page.get("before")
            if before is None:
                return found

    async def _take(self, build_ids: Sequence[str]) -> None:
        if not build_ids:
            return
        query = urlencode([("build", build_id) for build_id in build_ids])
        answer = await self.ingest.get_json(f"/internal/verdicts?{query}", ASKER)
        verdicts = {verdict.build_id: verdict for verdict in map(BuildVerdict.model_validate, answer["verdicts"])}
        await change_facts(
            self.store,
            verdicts,
            lambda build_id, fact: _rebuilt(fact, verdicts[build_id]),
            self.excluded_configs,
            self.clock,
            is_rebuild=True,
        )


def _rebuilt(fact: Fact | None, verdict: BuildVerdict) -> Fact:
    """The fact as the verdict has it, its tests to be read again."""
    return with_verdict(fact, verdict).model_copy(update={"imported": 0})
