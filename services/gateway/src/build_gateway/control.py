"""Events between gateways: revocations, waiting commands, newer connections."""

import logging
from collections.abc import Awaitable, Callable

from build_chassis.bus import Announcement, Bus, BusUnavailable
from build_protocol import topology
from build_protocol.frames import AgentConnected, CommandStored, ControlEvent, Revoked, control_event
from pydantic import ValidationError

logger = logging.getLogger("gateway")


class Control:
    """Announces and receives events on `builds.control`. Best effort: the store is authoritative and is read again."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def announce(self, event: ControlEvent) -> None:
        """Announce an event to every gateway, this one included."""
        try:
            await self._bus.announce(topology.CONTROL_EXCHANGE, event.type.lower(), event.to_json().encode())
        except BusUnavailable as error:
            logger.warning("announce no %s: %s", event.type, error)

    async def listen(self, answer: Callable[[Revoked | CommandStored | AgentConnected], Awaitable[None]]) -> None:
        """Answer every event, as long as the connection lasts. Raises BusUnavailable."""
        async with self._bus.listen(topology.CONTROL_EXCHANGE, "#") as listener:
            async for announcement in listener:
                await self._answer(announcement, answer)

    async def _answer(
        self, announcement: Announcement, answer: Callable[[Revoked | CommandStored | AgentConnected], Awaitable[None]]
    ) -> None:
        if not announcement.body:
            return  # what was missed meanwhile is in the store
        try:
            event = control_event.validate_json(announcement.body)
        except ValidationError:
            # From a newer gateway: every event of this version is understood.
            logger.info("ignore control event %.80r", announcement.body)
            return
        try:
            await answer(event)
        except Exception:
            logger.exception("fail to answer control event %s", event.type)
