"""Commands to agents: stored first, sent by the gateway that holds the socket, resent until acked by id."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from build_chassis.errors import StoreUnavailable
from build_chassis.failpoints import fail_at
from build_protocol import clock
from build_protocol.frames import Command, CommandAck, CommandStored

from build_gateway.store.contract import GatewayStore
from build_gateway.store.rows import AgentRow, CommandKind, CommandRow, CommandState

logger = logging.getLogger("gateway")
EXPIRES_SECONDS: Mapping[CommandKind, int] = {
    "cancel": clock.DAY_SECONDS,
    "trigger": clock.HOUR_SECONDS,
    "drain": clock.HOUR_SECONDS,
    "resume": clock.HOUR_SECONDS,
}
UNACKED: tuple[CommandState, ...] = ("queued", "sent")
UNFINISHED: tuple[CommandState, ...] = ("queued", "sent", "accepted")


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
        now_ms = clock.now_ms()
        row = CommandRow(
            id=secrets.token_hex(16),
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
        """Order the end of a build; an order that waits or is being carried out is sent again instead of a second."""
        now_ms = clock.now_ms()
        for row in await self._store.list_commands(build_id=build_id):
            if row.kind == "cancel" and row.state in UNFINISHED and now_ms < row.expires_at:
                await self._announce(CommandStored(agent=row.agent, command_id=row.id))
                return row
        return await self.order("cancel", agent=agent, requested_by=requested_by, build_id=build_id, project=project)

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
            await self._store.move_command(changed, UNACKED if ack.state == "accepted" else UNFINISHED)
        except StoreUnavailable as error:
            # The command stays unacked and is sent again; the agent remembers its id and only repeats the ack.
            logger.warning("forget ack of command %s: %s", ack.command_id, error)

    async def _deliver(self, row: CommandRow, session: CommandSession) -> None:
        now_ms = clock.now_ms()
        if now_ms >= row.expires_at:
            await self._store.move_command(row.model_copy(update={"state": "expired", "updated_at": now_ms}), UNACKED)
            return
        if row.build_id is not None:
            if not session.has_build(row.build_id):
                return
        elif not _serves(session.row, row.project) or row.session not in (None, session.row.instance):
            # One process executes a command that is for no build in particular; another would do it a second time.
            return
        sent = row.model_copy(update={"state": "sent", "session": session.row.instance, "updated_at": now_ms})
        if await self._store.move_command(sent, (row.state,)):
            session.send_command(
                Command(
                    command_id=row.id,
                    kind=row.kind,
                    build_id=row.build_id,
                    project=row.project,
                    args=row.args,
                    requested_by=row.requested_by,
                    expires_at=row.expires_at,
                )
            )


def _serves(agent: AgentRow, project: str | None) -> bool:
    return bool(agent.serves) if project is None else project in agent.serves
