"""What the gateway does beside answering: it creates the first admin and key, and lists its duties."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from build_chassis.backoff import Backoff
from build_chassis.errors import StoreUnavailable
from build_chassis.secret_rules import ADMIN_PASSWORD
from build_chassis.supervisor import Duty
from build_protocol.clock import HOUR_SECONDS
from build_protocol.frames import AgentConnected, Close, CommandStored, Revoked

from build_gateway.accounts.directory import RESET
from build_gateway.agents.roster import WRITE_SECONDS
from build_gateway.agents.valve import LOOK_SECONDS as VALVE_SECONDS
from build_gateway.dependencies import Dependencies
from build_gateway.retention import Retention
from build_gateway.viewers.audience import LOOK_SECONDS as AUDIENCE_SECONDS

logger = logging.getLogger("gateway")

BOOTSTRAP_KEY = "default"
"""The name of the key that the environment's value adds."""

KEYS_SECONDS = 3.0
PARKED_SECONDS = 30.0
COMMANDS_SECONDS = 5.0
LISTEN_SECONDS = 1.0
"""A listener that was cut off comes back within this."""


class Gateway:
    """The work of one gateway."""

    def __init__(self, parts: Dependencies) -> None:
        self._parts = parts

    async def prepare(self) -> None:
        """Open the store and create the first admin and key unless they exist; repeating it changes nothing.

        Raises StoreUnavailable, Unusable.
        """
        settings, store = self._parts.settings, self._parts.store
        await store.open()
        # Before anything is received: it is placed by this clock. A store that takes no writes is read all the same.
        with suppress(StoreUnavailable):
            await self._parts.guard.look()
        if settings.admin_password is not None:
            await self._parts.directory.ensure_admin(settings.admin_password.get_secret_value())
        if settings.api_key is not None:
            await self._parts.keys.ensure_key(settings.api_key.get_secret_value(), BOOTSTRAP_KEY)
        if not await store.list_users():
            logger.warning("nobody can log in yet: set %s and start again; %s", ADMIN_PASSWORD.name, RESET)

    def duties(self) -> Sequence[Duty]:
        """What the supervisor runs."""
        parts, retention = self._parts, Retention(self._parts.store)

        async def forget_old() -> None:
            if await parts.guard.is_clock_right():
                await retention.forget_old(parts.clock())

        soon = partial(Backoff, max_seconds=LISTEN_SECONDS)
        return (
            Duty("listen to live", parts.live.listen, LISTEN_SECONDS, backoff=soon),
            Duty("listen to control", lambda: parts.control.listen(self._answer), LISTEN_SECONDS, backoff=soon),
            Duty("show held rows", parts.live.show_held, interval_seconds=0.0),
            Duty("watch the valve", parts.valve.watch, VALVE_SECONDS),
            Duty("watch viewers", parts.audience.watch, AUDIENCE_SECONDS, rests_first=True),
            Duty("watch keys", self._watch_keys, KEYS_SECONDS, rests_first=True),
            Duty("remember agents", parts.roster.write_changes, WRITE_SECONDS, rests_first=True),
            Duty("stop failing builds", parts.auto_stop.order, interval_seconds=None, wake=parts.auto_stop.wake),
            Duty("end commands", self._end_commands, COMMANDS_SECONDS),
            Duty("count waiting and parked messages", self._count_messages, PARKED_SECONDS),
            Duty("forget old sessions", forget_old, HOUR_SECONDS),
        )

    async def _end_commands(self) -> None:
        await self._parts.commands.end_due(self._parts.ingest.stored)

    async def _count_messages(self) -> None:
        metrics, bus = self._parts.metrics, self._parts.bus
        metrics.parked_messages.set(await bus.count_parked())
        for queue, depth in (await bus.depths()).items():
            metrics.queue_messages.labels(queue).set(depth)

    async def _answer(self, event: Revoked | CommandStored | AgentConnected) -> None:
        roster = self._parts.roster
        if isinstance(event, CommandStored):
            for session in roster.of_agent(event.agent):
                await self._parts.commands.deliver(session)
        elif isinstance(event, AgentConnected):
            for session in roster.of_process(event.agent, event.instance):
                if session.row.session != event.session:
                    session.end(Close.SUPERSEDED, "a newer connection of this agent took over")
        else:
            await self._revoke(event)

    async def _revoke(self, event: Revoked) -> None:
        for session in self._parts.roster:
            if session.key.id == event.key_id or session.key.name == event.agent:
                session.end(Close.BAD_TOKEN, "this API key was revoked")
        if event.user is not None:
            self._parts.directory.forget(event.user)
            await self._parts.audience.look_at(event.user)
        if event.group is not None:
            self._parts.directory.forget_groups()
            await self._parts.audience.watch()

    async def _watch_keys(self) -> None:
        """End sessions whose key expired or was revoked while the control exchange was away; note what is in use."""
        if len(self._parts.roster) == 0:
            return
        now_ms = self._parts.clock()
        usable = {key.id: key for key in await self._parts.store.list_keys() if key.is_usable(now_ms)}
        used: set[str] = set()
        for session in self._parts.roster:
            if session.key.id in usable:
                used.add(session.key.id)
            else:
                session.end(Close.BAD_TOKEN, "this API key was revoked or has expired")
        for key_id in used:
            await self._parts.keys.touch(usable[key_id])
