"""The gateway's listener on `builds.live`: what ingest has stored, passed to viewers and agents.

Rows and heads are always received; a build's log text only while somebody follows it.
"""

import asyncio
import logging
import time

from build_chassis.bus import Announcement, Bus, BusUnavailable, Listener
from build_protocol import topology
from build_protocol.frames import Stored
from pydantic import ValidationError

from build_gateway.agents.roster import Roster
from build_gateway.auto_stop import AutoStop
from build_gateway.metrics import Metrics
from build_gateway.viewers.audience import Audience
from build_gateway.viewers.events import BuildEvent, LogEvent, read_build, read_log
from build_gateway.viewers.log_pace import LogPace
from build_gateway.viewers.pace import Pace

logger = logging.getLogger("gateway")
ADAPT_SECONDS = 0.5
IDLE_SECONDS = 10.0
YIELD_SECONDS = 0.005
ALWAYS = ("build.#", "stored.#")


class Live:
    """One listener for all viewers and agents of this gateway."""

    def __init__(self, bus: Bus, audience: Audience, roster: Roster, metrics: Metrics, auto_stop: AutoStop) -> None:
        self._bus = bus
        self._audience = audience
        self._roster = roster
        self._metrics = metrics
        self._auto_stop = auto_stop
        self._pace = Pace()
        self._log_pace = LogPace()
        self._held = asyncio.Event()
        self._adapted_at = 0.0
        self._listener: Listener | None = None
        audience.bind, audience.unbind = self._bind, self._unbind

    async def listen(self) -> None:
        """Pass on what is announced, as long as the connection lasts. Raises BusUnavailable.

        Viewers are asked to read again each time, for they may have missed something before.
        """
        try:
            async with self._bus.listen(topology.LIVE_EXCHANGE, *ALWAYS) as listener:
                self._listener = listener
                for build_id in self._audience.followed:
                    await listener.bind(_log_key(build_id))
                # Also the first time: pages may have come before the broker did, and received nothing until now.
                self._audience.resync("the live feed was interrupted")
                await self._receive(listener)
        finally:
            self._listener = None

    async def _receive(self, listener: Listener) -> None:
        yielded_at = time.monotonic()
        async for announcement in listener:
            self._hand_over(announcement)
            # A full listener never waits by itself: let viewers' tasks send meanwhile.
            if time.monotonic() - yielded_at > YIELD_SECONDS:
                await asyncio.sleep(0)
                yielded_at = time.monotonic()

    async def show_held(self) -> None:
        """Wait until rows and text that were held back are due, and show them."""
        next_at = [at for at in (self._pace.next_at(), self._log_pace.next_at()) if at is not None]
        await self._rest(min(next_at) - time.monotonic() if next_at else IDLE_SECONDS)
        for text in self._log_pace.due(time.monotonic()):
            self._show_log(text)
        now = time.monotonic()
        for event in self._pace.due(now):
            self._audience.show_build(event)
        if now - self._adapted_at > ADAPT_SECONDS:
            self._adapted_at = now
            self._pace.adapt(len(self._audience), now)

    async def _rest(self, seconds: float) -> None:
        """Wait, but no longer than until something else is held: its time may come sooner."""
        self._held.clear()
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._held.wait()
        except TimeoutError:
            return

    def _hand_over(self, announcement: Announcement) -> None:
        if announcement.missed:
            self._audience.resync("the live feed was interrupted or too fast")
        if not announcement.body:
            return
        kind = announcement.routing_key.partition(".")[0]
        self._metrics.live_events.labels(kind).inc()
        try:
            if kind == "build":
                self._take_build(read_build(announcement.body))
            elif kind == "log":
                for text in self._log_pace.offer(read_log(announcement.body), time.monotonic()):
                    self._show_log(text)
                if self._log_pace.next_at() is not None:
                    self._held.set()
            elif kind == "stored":
                self._roster.stored(Stored.model_validate_json(announcement.body))
        except ValidationError as error:
            logger.warning("ignore live event %s: %s", announcement.routing_key, error)

    def _take_build(self, build: BuildEvent) -> None:
        if build.failing:
            self._auto_stop.notice(build.build_id, project=build.project, agent=build.agent, origin=build.origin)
        event = self._pace.offer(build, time.monotonic())
        if event is None:
            self._held.set()
        else:
            self._audience.show_build(event)

    def _show_log(self, event: LogEvent) -> None:
        # Showing is sending, as long as viewers read: the time it takes is what it costs.
        began = time.monotonic()
        self._audience.show_log(event)
        now = time.monotonic()
        self._log_pace.shown(now - began, now)

    async def _bind(self, build_id: str) -> None:
        if self._listener is not None:
            try:
                await self._listener.bind(_log_key(build_id))
            except BusUnavailable:
                # The listener is about to come back, and binds what is followed then.
                return

    async def _unbind(self, build_id: str) -> None:
        if self._listener is not None:
            try:
                await self._listener.unbind(_log_key(build_id))
            except BusUnavailable:
                return


def _log_key(build_id: str) -> str:
    # Any project: the viewer names the build alone, and rights are checked on what arrives.
    return f"log.*.{build_id}"
