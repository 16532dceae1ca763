"""Commands to agents: stored first, sent by the gateway that holds the socket, resent until acked by id."""

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from build_chassis.errors import StoreUnavailable
from build_chassis.failpoints import fail_at
from build_protocol import clock
from build_protocol.frames import Command, CommandAck, CommandStored
from build_protocol.views import StoredBuild

from build_gateway.store.contract import GatewayStore
from build_gateway.store.rows import AgentRow, CommandKind, CommandRow, CommandState

logger = logging.getLogger("gateway")
EXPIRES_SECONDS: Mapping[CommandKind, int] = {
    "cancel": clock.DAY_SECONDS,
    "trigger": clock.HOUR_SECONDS,
    "drain": clock.HOUR_SECONDS,
    "resume": clock.HOUR_SECONDS,
}
ACCEPTED_SECONDS: Mapping[CommandKind, int] = {
    "cancel": clock.HOUR_SECONDS,
    "trigger": clock.DAY_SECONDS,
    "drain": clock.HOUR_SECONDS,
    "resume": clock.HOUR_SECONDS,
}
"""What an agent has taken ends within this; a trigger waits for the builds before it."""

UNACKED: tuple[CommandState, ...] = ("queued", "sent")
_AS_STORED = Command.model_fields.keys() & CommandRow.model_fields.keys()
"""What an agent receives just as it is stored."""

UNFINISHED: tuple[CommandState, ...] = ("queued", "sent", "accepted")


AskBuilds = Callable[[Sequence[str]], Awaitable[Mapping[str, StoredBuild] | None]]
"""What is known of these builds; None: nobody knows now."""


def ended(row: CommandRow, now_ms: int, build: StoredBuild | None = None) -> CommandRow | None:
    """The command as it ended by itself, with the reason; None while it goes on.

    Args:
        row: A command that has not ended.
        now_ms: The server's time, in milliseconds since the Unix epoch.
        build: The build that it is about, where it is known.
    """
    if row.kind == "cancel" and build is not None and build.complete:
        status = (build.status or "over").replace("_", " ")
        is_done = row.state == "accepted" or build.status == "cancelled"
        state: CommandState = "done" if is_done else "rejected"
        detail = f"the build ended: {status}" if is_done else f"the build had already ended: {status}"
    elif row.state == "accepted" and now_ms >= row.updated_at + ACCEPTED_SECONDS[row.kind] * 1000:
        state, detail = "expired", f"agent {row.agent} took it and never reported its end"
    elif row.state in UNACKED and now_ms >= row.expires_at:
        what = "was not there to take it" if row.state == "queued" else "did not answer"
        state, detail = "expired", f"agent {row.agent} {what} in time"
    else:
        return None
    return row.model_copy(update={"state": state, "detail": detail, "updated_at": now_ms})


class CommandSession(Protocol):
    """An agent's session, as far as commands need it."""

    @property
    def row(self) -> AgentRow:
        """The agent process."""
        ...

    def has_build(self, build_id: str) -> bool:
        """Whether it holds or runs this build."""
        ...

    def send_command(self, command: Command) -> None:
        """Put a command on the socket."""
        ...


class Commands:
    """Orders commands and follows them to their end."""

    def __init__(self, store: GatewayStore, announce: Callable[[CommandStored], Awaitable[None]]) -> None:
        self._store = store
        self._announce = announce
        self._tasks: set[asyncio.Task[None]] = set()

    async def order(
        self,
        kind: CommandKind,
        *,
        agent: str,
        requested_by: str,
        build_id: str | None = None,
        project: str | None = None,
        args: Mapping[str, str] | None = None,
    ) -> CommandRow:
        """Store a command, then announce to the gateways that it waits."""
        return await self._order(
            secrets.token_hex(16),
            kind,
            agent=agent,
            requested_by=requested_by,
            build_id=build_id,
            project=project,
            args=args,
        )

    async def _order(
        self,
        command_id: str,
        kind: CommandKind,
        *,
        agent: str,
        requested_by: str,
        build_id: str | None,
        project: str | None,
        args: Mapping[str, str] | None = None,
    ) -> CommandRow:
        now_ms = clock.now_ms()
        row = CommandRow(
            id=command_id,
            kind=kind,
            agent=agent,
            build_id=build_id,
            project=project,
            args=dict(args or {}),
            requested_by=requested_by,
            created_at=now_ms,
            expires_at=now_ms + EXPIRES_SECONDS[kind] * 1000,
            updated_at=now_ms,
        )
        await self._store.add_command(row)
        fail_at("gateway.command_stored")
        await self._announce(CommandStored(agent=agent, command_id=row.id))
        return row

    async def cancel(self, build_id: str, *, agent: str, project: str, requested_by: str) -> CommandRow:
        """Order the end of a build; an order that waits or is being carried out is sent again instead of a second.

        The n-th order for a build has an id of its own: of two at once, also at two gateways, one is stored.
        """
        now_ms = clock.now_ms()
        orders = [row for row in await self._store.list_commands(build_id=build_id) if row.kind == "cancel"]
        for row in orders:
            if row.state in UNFINISHED and ended(row, now_ms) is None:
                await self._announce(CommandStored(agent=row.agent, command_id=row.id))
                return row
        command_id = hashlib.sha256(f"cancel {build_id} {len(orders)}".encode()).hexdigest()[:32]
        row = await self._order(
            command_id, "cancel", agent=agent, requested_by=requested_by, build_id=build_id, project=project
        )
        return await self._store.find_command(command_id) or row

    async def end_due(self, ask_builds: AskBuilds) -> None:
        """End what will not end otherwise: its build is over, its agent did not come, or never reported the end.

        Args:
            ask_builds: Asks ingest; without an answer commands about builds end by time only.
        """
        unfinished = await self._store.list_unfinished()
        asked = sorted({row.build_id for row in unfinished if row.kind == "cancel" and row.build_id})
        builds = await ask_builds(asked) or {}
        now_ms = clock.now_ms()
        for row in unfinished:
            if (end := ended(row, now_ms, builds.get(row.build_id or ""))) is not None:
                await self._end(row, end)

    async def _end(self, row: CommandRow, end: CommandRow) -> None:
        if await self._store.move_command(end, (row.state,)):
            logger.info("command %s of agent %s ended: %s (%s)", end.id, end.agent, end.state, end.detail)

    async def deliver(self, session: CommandSession) -> None:
        """Send this session its waiting commands; an unavailable store is asked again at the next occasion."""
        try:
            waiting = await self._store.list_waiting(session.row.name)
            for row in waiting:
                await self._deliver(row, session)
        except StoreUnavailable as error:
            logger.warning("deliver no commands to agent %s: %s", session.row.name, error)

    def build_met(self, session: CommandSession, build_id: str) -> None:
        """The session sent its first record of a build: commands for it may wait."""
        task = asyncio.create_task(self.deliver(session), name=f"commands of build {build_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def acked(self, agent: str, ack: CommandAck) -> None:
        """Record what became of a command; an ack of another agent's command changes nothing."""
        try:
            row = await self._store.find_command(ack.command_id)
            if row is None or row.agent != agent:
                logger.warning("ignore ack of command %.64r: not agent %s's", ack.command_id, agent)
                return
            changed = row.model_copy(
                update={
                    "state": ack.state,
                    "detail": ack.detail,
                    "result_build_id": ack.build_id,
                    "updated_at": clock.now_ms(),
                }
            )
            # What an agent reports after we gave it up is what happened.
            expected = UNACKED if ack.state == "accepted" else (*UNFINISHED, "expired")
            await self._store.move_command(changed, expected)
        except StoreUnavailable as error:
            # The command stays unacked and is sent again; the agent remembers its id and only repeats the ack.
            logger.warning("forget ack of command %s: %s", ack.command_id, error)

    async def _deliver(self, row: CommandRow, session: CommandSession) -> None:
        now_ms = clock.now_ms()
        if (end := ended(row, now_ms)) is not None:
            await self._end(row, end)
            return
        if row.build_id is not None:
            if not session.has_build(row.build_id):
                return
        elif not _serves(session.row, row.project) or row.session not in (None, session.row.instance):
            # One process executes a command that is for no build in particular; another would do it a second time.
            return
        sent = row.model_copy(update={"state": "sent", "session": session.row.instance, "updated_at": now_ms})
        if await self._store.move_command(sent, (row.state,)):
            session.send_command(Command(command_id=row.id, **{name: getattr(row, name) for name in _AS_STORED}))


def _serves(agent: AgentRow, project: str | None) -> bool:
    return bool(agent.serves) if project is None else project in agent.serves
