"""The early alert: BUILD_FAILING, published once for a running build as soon as one of its steps certainly failed.

Best effort: it goes out after the failure is stored, and when it is lost the verdict reports the same later.
"""

import logging
from collections.abc import Sequence

from build_chassis.bus import Bus, BusUnavailable, PublishFailed
from build_protocol.clock import Clock, now_ms
from build_protocol.messages import FailureData

from build_ingest.records.fold import BuildState
from build_ingest.records.verdict import failing_of, outgoing
from build_ingest.store.contract import BuildStore

log = logging.getLogger("ingest")


class EarlyAlert:
    """Publishes which builds fail while they still run."""

    def __init__(self, store: BuildStore, bus: Bus, clock: Clock = now_ms) -> None:
        self._store = store
        self._clock = clock
        self._bus = bus
        self._published: set[str] = set()

    async def publish(self, state: BuildState, failures: Sequence[FailureData]) -> None:
        """Publish once the build is failing; after a takeover it may be published again. Raises StoreUnavailable."""
        build = state.build
        if build.id in self._published or not (build.failing and build.origin == "ci" and not build.backfill):
            return
        start = await self._store.find_start(build.id)
        if start is None:
            return
        try:
            await self._bus.publish([outgoing(failing_of(state, start, failures, now_ms=self._clock()), state)])
        except (BusUnavailable, PublishFailed) as error:
            log.warning("an early alert waits build_id=%s reason=%s", build.id, error)
            return
        self._published.add(build.id)

    def forget(self, build_id: str) -> None:
        """The build ended, or another replica reads it now."""
        self._published.discard(build_id)


def is_certain(failures: Sequence[FailureData]) -> bool:
    """A failure that names its command is a failed step of the build graph: no build ends green after one."""
    return any(failure.command for failure in failures)
