"""One agent's session: the shell around its socket, from HELLO to the last acknowledgement."""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from build_chassis.bus import Bus
from build_chassis.failpoints import fail_at
from build_protocol import limits
from build_protocol.clock import Clock
from build_protocol.frames import (
    Ack,
    AgentConnected,
    BuildExtent,
    Close,
    Command,
    CommandAck,
    Drain,
    Heartbeat,
    Hello,
    LastGreen,
    LastGreenAnswer,
    LastGreenQuery,
    Limits,
    Refused,
    Stored,
    StoredAnswer,
    StoredQuery,
    Welcome,
)
from build_protocol.views import StoredBuild

from build_gateway.agents.admission import Admission, SessionBuild
from build_gateway.agents.backlog import Backlog
from build_gateway.agents.decode import decode
from build_gateway.agents.owners import BuildOwners
from build_gateway.agents.pipeline import Batch, Pipeline
from build_gateway.agents.receipt import Receipt
from build_gateway.agents.roster import Roster
from build_gateway.agents.valve import Valve
from build_gateway.commands import Commands
from build_gateway.history_view import HistoryView
from build_gateway.metrics import Metrics
from build_gateway.rate import Rate
from build_gateway.socket import SocketGone
from build_gateway.store.rows import AgentRow, Key, Transport

logger = logging.getLogger("gateway")
ACK_SECONDS = 0.02
WAITING_FRAMES = 1000


@dataclass(frozen=True, slots=True)
class AgentEdges:
    """What every agent session of this gateway shares."""

    bus: Bus
    valve: Valve
    roster: Roster
    owners: BuildOwners
    history: HistoryView
    commands: Commands
    metrics: Metrics
    announce: Callable[[AgentConnected], Awaitable[None]]
    gateway: str
    clock: Clock
    """The server's time: what is received is placed by it."""
    frame_bytes: int = limits.FRAME_BYTES
    window_bytes: int = limits.WINDOW_BYTES
    frames_per_second: int = 1000
    dashboard_url: str | None = None


class AgentSocket(Protocol):
    """What carries frames both ways."""

    async def receive(self) -> str | bytes:
        """The next frame. Raises SocketGone at the end."""
        ...

    async def send(self, text: str) -> None:
        """Send one frame. Raises SocketGone."""
        ...

    async def close(self, code: Close, reason: str) -> None:
        """Say why this ends."""
        ...


@dataclass(eq=False)
class AgentSession:
    """The session of one agent process."""

    transport: ClassVar[Transport] = "websocket"
    socket: AgentSocket
    key: Key
    edges: AgentEdges
    id: str = field(default_factory=lambda: secrets.token_hex(8))

    def __post_init__(self) -> None:
        self.row: AgentRow
        self._builds: dict[str, SessionBuild] = {}
        self._dirty: set[str] = set()
        self._outbox: deque[str] = deque()
        self._wake = asyncio.Event()
        self._ending: tuple[Close, str] | None = None
        self._backlog = Backlog()
        self._is_held = False
        self._pipeline = Pipeline(self.edges.bus, self.edges.valve, self._confirmed)
        self._admission = Admission(
            self.key,
            self.edges.owners,
            self._builds,
            refuse=self._refuse,
            met=self._met,
            postpone=self._postpone,
        )

    async def run(self) -> None:
        """Serve the agent until either side ends the session."""
        hello = await self._hello()
        if hello is None:
            return
        await self._welcome(hello)
        self._join()
        self.edges.valve.join(self._window_changed)
        sender = asyncio.create_task(self._send())
        reader = asyncio.create_task(self._read())
        try:
            await self._announce(hello)
            for build_id in self._builds:
                self.edges.roster.add_build(self, build_id)
            await self.edges.commands.deliver(self)
            await asyncio.wait((sender, reader), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sender.cancel()
            reader.cancel()
            await asyncio.gather(sender, reader, return_exceptions=True)
            self.edges.valve.leave(self._window_changed)
            self._leave()
            await self._pipeline.close()
            if self._ending is not None:
                await self.socket.close(*self._ending)
            logger.info("end session %s of agent %s", self.id, self.key.name)

    def _join(self) -> None:
        self.edges.roster.join(self)

    def _leave(self) -> None:
        self.edges.roster.leave(self, self._builds)

    async def _announce(self, hello: Hello) -> None:
        await self.edges.announce(AgentConnected(agent=self.key.name, instance=hello.instance, session=self.id))

    # --- called by others

    def stored(self, event: Stored) -> None:
        """Ingest reported how far a build is stored: acknowledge it."""
        fail_at("gateway.stored")
        build = self._admission.stored(event)
        if build is None:
            self.edges.roster.drop_build(self, event.build_id)
            self._backlog.forget(event.build_id)
            return
        self._backlog.stored(event.build_id, event.upto, time.monotonic())
        if build.window.store(event.upto, event.resend_from, event.verified):
            self._acknowledge(event.build_id)
        if self._is_held:
            self._release()

    def send_command(self, command: Command) -> None:
        """Put a command on the socket."""
        self._enqueue(command.to_json())

    def drain(self) -> None:
        """Send DRAIN: this gateway is about to stop."""
        self._enqueue(Drain().to_json())

    def end(self, code: Close, reason: str) -> None:
        """Close the socket soon."""
        if self._ending is None:
            self._ending = (code, reason)
            self._wake.set()

    def has_build(self, build_id: str) -> bool:
        """Whether the agent holds or runs this build."""
        return build_id in self._builds

    # --- HELLO and WELCOME

    async def _hello(self) -> Hello | None:
        try:
            async with asyncio.timeout(limits.HELLO_SECONDS):
                message = await self.socket.receive()
        except TimeoutError:
            await self.socket.close(Close.HELLO_LATE, f"send HELLO within {limits.HELLO_SECONDS:g} s")
            return None
        except SocketGone:
            return None
        decoded = decode(message) if isinstance(message, str) else None
        if decoded is None or not isinstance(decoded.frame, Hello):
            why = decoded.refused[0].detail if decoded is not None and decoded.refused else "it was something else"
            await self.socket.close(Close.BAD_FRAME, f"the first frame is HELLO: {why}")
            return None
        return decoded.frame

    async def _welcome(self, hello: Hello) -> None:
        now_ms = self.edges.clock()
        stored, last_green = await asyncio.gather(
            self.edges.owners.ask([build.build_id for build in hello.builds]),
            self._last_green(hello),
        )
        own: dict[str, int] = {}
        for build in hello.builds:
            known = (stored or {}).get(build.build_id)
            if self._admission.welcome(build.build_id, build.project, known) and known is not None:
                own[build.build_id] = known.stored
                self._builds[build.build_id].window.store(known.stored, None, known.verified or None)
                if known.verified:
                    # Sent once, perhaps to a connection that was gone by then; the agent keeps its spool until then.
                    self._acknowledge(build.build_id)
        self.row = AgentRow(
            name=self.key.name,
            instance=hello.instance,
            host=hello.host,
            version=hello.agent_version,
            clock_skew_ms=None if hello.clock is None else hello.clock.wall_at - now_ms,
            key_id=self.key.id,
            gateway=self.edges.gateway,
            session=self.id,
            connected=True,
            transport=self.transport,
            connected_at=now_ms,
            last_seen_at=now_ms,
            builds={build_id: build.project for build_id, build in self._builds.items() if build.is_own},
            serves=tuple(project for project in hello.serves if self.key.may_use(project)),
        )
        self.row = self.row.with_projects(self.row.serves)
        welcome = Welcome(
            session=self.id,
            agent=self.key.name,
            server_at=self.edges.clock(),
            limits=Limits(frame_bytes=self.edges.frame_bytes),
            # Never 0 here: only an ACK may pause, because only a session with a build gets the ACK that resumes.
            window_bytes=self.edges.valve.window() or self.edges.frame_bytes,
            stored=None if stored is None else own,
            last_green=last_green,
            dashboard_url=self.edges.dashboard_url,
        )
        self._enqueue(welcome.to_json())
        if self.row.clock_skew_ms is not None:
            self.edges.metrics.clock_skew_seconds.observe(abs(self.row.clock_skew_ms) / 1000)
        logger.info("welcome agent %s session %s builds %d", self.key.name, self.id, len(hello.builds))

    async def _last_green(self, hello: Hello) -> list[LastGreen]:
        return await self.edges.history.last_green(build for build in hello.builds if self.key.may_use(build.project))

    # --- reading

    def _rate(self) -> Rate:
        return Rate(self.edges.frames_per_second)

    async def _read(self) -> None:
        rate = self._rate()
        try:
            while True:
                message = await self.socket.receive()
                if not rate.take(time.monotonic()):
                    self.end(Close.RATE_LIMITED, f"at most {self.edges.frames_per_second} frames a second")
                    return
                if isinstance(message, bytes):
                    self._refuse(Refused(code="binary", detail="send text frames: JSON, UTF-8"))
                else:
                    await self._take(message)
        except SocketGone:
            return

    async def _take(self, message: str) -> None:
        received_at = self.edges.clock()
        decoded = decode(message)
        for refused in decoded.refused:
            self._admission.refused(refused)
        if decoded.unknown:
            self.edges.metrics.unknown_frames.inc()
        if decoded.records:
            receipt = Receipt.stamp(received_at, decoded.clock, decoded.anchor, key_created_at=self.key.created_at)
            self._publish(await self._admission.admit(decoded.records, receipt), len(message))
        elif isinstance(decoded.frame, Heartbeat):
            self._heartbeat(decoded.frame)
        elif isinstance(decoded.frame, CommandAck):
            await self.edges.commands.acked(self.key.name, decoded.frame)
        elif isinstance(decoded.frame, LastGreenQuery):
            await self._answer_last_green(decoded.frame)
        elif isinstance(decoded.frame, StoredQuery):
            await self._answer_stored(decoded.frame)
        elif isinstance(decoded.frame, Hello):
            self._refuse(Refused(code="malformed", detail="HELLO is sent once, first"))

    def _publish(self, batch: Batch | None, size_bytes: int) -> None:
        for build_id in self._admission.take_gaps():
            self._acknowledge(build_id)
        if batch is None:
            return
        self.edges.metrics.records.inc(len(batch.messages))
        self.edges.metrics.record_bytes.inc(size_bytes)
        now = time.monotonic()
        for build_id, _, run in batch.runs:
            self._backlog.sent(build_id, run.last, batch.size_bytes // len(batch.runs), now)
        self._pipeline.submit(batch)
        if self._pipeline.unconfirmed_bytes > 2 * self.edges.window_bytes + self.edges.frame_bytes:
            self.end(Close.RATE_LIMITED, "more than twice the window is unconfirmed: wait for ACK")

    def _heartbeat(self, heartbeat: Heartbeat) -> None:
        self.row = self.row.model_copy(
            update={
                "last_seen_at": self.edges.clock(),
                "spool_bytes": heartbeat.spool_bytes,
                "oldest_unacked_ms": heartbeat.oldest_unacked_ms,
                "disk_free_bytes": heartbeat.disk_free_bytes,
                "builds": self._own(heartbeat.builds),
                "unbuildable": tuple(each for each in heartbeat.unbuildable if self.key.may_use(each.project)),
                "sources": tuple(heartbeat.sources),
            }
        ).with_projects({name for source in heartbeat.sources for name in source.projects if self.key.may_use(name)})
        self.edges.roster.changed(self.row)
        if not self.edges.valve.is_open:
            # A heartbeat behind a stuck broker would arrive stale; the next one comes in seconds. Send an ACK instead:
            # an agent that receives nothing for a minute takes its connection for dead, and all reconnect at once.
            self._window_changed()
            return
        if self._is_held:
            self._release()
        batch = self._admission.heartbeats(heartbeat.builds)
        if batch is not None:
            self._pipeline.submit(batch)

    # --- answering

    async def _answer_last_green(self, query: LastGreenQuery) -> None:
        may_know = self.key.may_use(query.project)
        found = await self.edges.history.last_green([query]) if may_know else []
        commit = found[0].commit if found else None
        self._enqueue(LastGreenAnswer(build_id=query.build_id, commit=commit).to_json())

    async def _answer_stored(self, query: StoredQuery) -> None:
        asked = {build.build_id: build.project for build in query.builds if self.key.may_use(build.project)}
        known = await self.edges.owners.ask(list(asked)) if asked else {}
        answer = None if known is None else {id_: self._extent(asked[id_], stored) for id_, stored in known.items()}
        self._enqueue(StoredAnswer(query=query.query, builds=answer).to_json())

    def _extent(self, project: str, known: StoredBuild) -> BuildExtent:
        if known.agent != self.key.name or known.project != project:
            return BuildExtent(is_foreign=True)
        return BuildExtent(
            stored=known.stored, log_lines=known.log_lines, log_bytes=known.log_bytes, complete=known.complete
        )

    def _own(self, build_ids: Sequence[str]) -> dict[str, str]:
        """Those of these builds that are the agent's, with their projects; others are only what it claims."""
        builds = ((build_id, self._builds.get(build_id)) for build_id in build_ids)
        return {build_id: build.project for build_id, build in builds if build is not None and build.is_own}

    def _postpone(self) -> None:
        self.end(Close.TRY_LATER, "another agent came with this build first, and whose it is cannot be read now")

    def _met(self, build_id: str) -> None:
        self.edges.roster.add_build(self, build_id)
        self.edges.commands.build_met(self, build_id)

    def _confirmed(self, batch: Batch) -> None:
        for build_id, window, run in batch.runs:
            if window.confirm(run):
                self._acknowledge(build_id)

    def _refuse(self, refused: Refused) -> None:
        self.edges.metrics.refused.labels(refused.code).inc()
        logger.info("refuse %s build_id=%s seq=%s: %s", refused.code, refused.build_id, refused.seq, refused.detail)
        self._enqueue(refused.to_json())

    def _window_changed(self) -> None:
        self._dirty.update(self._builds)
        self._wake.set()

    def _window(self) -> int:
        """What may be unconfirmed: nothing while much of this session is not stored, though ingest stores."""
        self._is_held = self._backlog.is_large(time.monotonic())
        return 0 if self._is_held else self.edges.valve.window()

    def _release(self) -> None:
        """Give the window back once the backlog is small, or ingest is away: any of its builds carries it."""
        if not self._backlog.is_large(time.monotonic()):
            self._window_changed()

    def _acknowledge(self, build_id: str) -> None:
        self._dirty.add(build_id)
        self._wake.set()

    def _enqueue(self, text: str) -> None:
        if len(self._outbox) >= WAITING_FRAMES:
            self.end(Close.RATE_LIMITED, "too many answers wait to be read")
            return
        self._outbox.append(text)
        self._wake.set()

    async def _send(self) -> None:
        """Answer at once when idle, at most every 20 ms under load: acknowledgements are cumulative."""
        loop = asyncio.get_running_loop()
        flushed_at = 0.0
        try:
            while True:
                await self._wake.wait()
                if self._ending is not None:
                    return
                wait = flushed_at + ACK_SECONDS - loop.time()
                if wait > 0 and not self._outbox:
                    await asyncio.sleep(wait)
                self._wake.clear()
                flushed_at = loop.time()
                await self._flush()
        except SocketGone:
            return

    async def _flush(self) -> None:
        while self._outbox:
            await self.socket.send(self._outbox.popleft())
        dirty, self._dirty = self._dirty, set()
        window_bytes = self._window()
        for build_id in dirty:
            build = self._builds.get(build_id)
            if build is None:
                continue
            window = build.window
            resend_from, window.resend_from = window.resend_from, None
            ack = Ack(
                build_id=build_id,
                confirmed=window.confirmed,
                stored=window.stored,
                resend_from=resend_from,
                verified=window.verified,
                window_bytes=window_bytes,
            )
            await self.socket.send(ack.to_json())
            if window.is_over:
                self._forget(build_id)

    def _forget(self, build_id: str) -> None:
        # The agent deletes the build's spool; only late artifacts may still follow, met anew.
        self.edges.roster.drop_build(self, build_id)
        self._builds.pop(build_id, None)
        self._backlog.forget(build_id)
