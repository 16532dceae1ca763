"""The exchange: what an agent's frames mean, whether they travel by a socket or are posted.

The shell around `session` and `Listener` that both transports share; it does no I/O of its own.
"""

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol

from build_dashboard.delivery.backoff import Backoff
from build_dashboard.delivery.session import Session, Want
from build_dashboard.recording.clock import read_clock

STALL_SECONDS = 60.0
"""Records sent and no word of them for so long: the connection is of no use, whatever it looks like."""

RESTART_SPREAD_SECONDS = 15.0
SUPERSEDED = 4409
"""The close code of a connection that another one of the same agent took over from."""


class Listener(Protocol):
    """Who keeps the builds that the session reports."""

    def read(self, build_id: str, after_seq: int, limit_bytes: int, limit_records: int) -> list[bytes]:
        """The records to send."""

    def unreadable(self, build_id: str, problem: str) -> None:
        """What is to be sent of this build cannot be read."""

    def anchor(self, build_id: str) -> dict[str, Any] | None:
        """The server's time in the boot in which the build began, where that boot is not this one."""

    def welcomed(self, frame: Mapping[str, Any], clock: Mapping[str, Any]) -> None:
        """A WELCOME came when the clock stood so."""

    def stored(self, build_id: str) -> None:
        """The build's acknowledgement moved."""

    def refused(self, build_id: str, seq: int | None, problem: str) -> None:
        """The dashboard will not take this record, or this build."""

    def command(self, frame: Mapping[str, Any]) -> dict[str, Any] | None:
        """A COMMAND came; the COMMAND_ACK to send."""

    def changed(self) -> None:
        """Connected, disconnected, or failed to connect."""


class GatewaySilent(Exception):
    """The connection stands, and nothing comes of it."""


class Draining(Exception):
    """The gateway is about to stop: come back within so many seconds."""

    def __init__(self, within_seconds: float) -> None:
        super().__init__(f"the gateway is about to stop ({within_seconds:g} s)")
        self.within_seconds = within_seconds


class PostFailed(Exception):
    """A post was not answered as the gateway answers."""

    def __init__(self, words: str, status: int | None = None, code: str | None = None, cause: object = None) -> None:
        super().__init__(words)
        self.status = status
        """HTTP's, where there was an answer."""

        self.code = code
        """The gateway's, where the answer is its own."""

        self.cause = cause


class PostClosed(Exception):
    """The gateway ended the session by a CLOSE frame, where there is no socket of its own to close."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the connection was closed ({code} {reason})")
        self.code = code


class Exchange:
    """Frames in and out of one agent, over any number of connections."""

    def __init__(self, session: Session, listener: Listener, backoff: Backoff, spool_path: str) -> None:
        self.more = asyncio.Event()
        """There may be something to send."""

        self.news = asyncio.Event()
        """A HEARTBEAT should go now: what it reports has changed."""

        self.outbox: list[dict[str, Any]] = []
        """Frames that wait beside the records; each stays until it is sent."""

        self._session = session
        self._listener = listener
        self._backoff = backoff
        self._spool_path = spool_path
        self._acknowledged_at = 0.0

    @property
    def heartbeat_seconds(self) -> float:
        """The interval of heartbeats that the gateway asks for."""
        return self._session.heartbeat_seconds

    def send(self, frame: dict[str, Any]) -> None:
        """Send this frame as soon as there is a connection."""
        self.outbox.append(frame)
        self.more.set()

    # --- frames out ---

    def hello(self) -> bytes:
        """The first frame of a connection, or of a post."""
        return encode(self._session.hello())

    def next_records(self, room_bytes: int | None = None) -> bytes | None:
        """The next RECORDS, of at most so many bytes where that is bounded; None: none are to be sent now."""
        while (want := self._session.want(room_bytes)) is not None:
            records = self._read(want)
            if records:
                self._session.sent(want.build_id, [len(record) + 1 for record in records])
                head = encode({"type": "RECORDS", "clock": read_clock()} | self._anchor(want))
                return head[:-1] + b',"records":[' + b",".join(records) + b"]}"
        return None

    def heartbeat(self) -> bytes:
        """The sign of life.

        Raises:
            GatewaySilent: records were sent, and for too long none was confirmed.
        """
        self.news.clear()
        waiting = any(build.in_flight for build in self._session.builds.values())
        if waiting and time.monotonic() > self._acknowledged_at + STALL_SECONDS:
            raise GatewaySilent("the gateway acknowledges nothing")
        backlog = getattr(self._listener, "backlog", None)
        spool_bytes, oldest_ms = backlog() if backlog else (0, None)
        free = None
        with contextlib.suppress(OSError):
            free = shutil.disk_usage(self._spool_path).free
        return encode(self._session.heartbeat(spool_bytes, oldest_ms, free))

    def _read(self, want: Want) -> list[bytes]:
        """The records; none where the disk does not give them, which keeps no other build from being sent."""
        problem = f"record {want.after_seq + 1} is damaged"
        try:
            records = self._listener.read(want.build_id, want.after_seq, want.limit_bytes, want.limit_records)
        except OSError as error:
            records, problem = [], str(error)
        if not records:
            self._session.set_aside(want.build_id, problem)
            self._listener.unreadable(want.build_id, problem)
        return records

    def _anchor(self, want: Want) -> dict[str, Any]:
        """What gives the age of a build that began in a boot which is over; only its first record is asked."""
        anchor = self._listener.anchor(want.build_id) if want.after_seq == 0 else None
        return {} if anchor is None else {"anchor": anchor}

    # --- frames in ---

    def welcome(self, frame: Mapping[str, Any], refusals: Sequence[Mapping[str, Any]]) -> None:
        """The gateway listens. `refusals`: what was refused of the HELLO before it; a gateway says so once."""
        self._session.welcome(frame)
        self._listener.welcomed(frame, read_clock())
        self._acknowledged_at = time.monotonic()
        for build_id in list(self._session.builds):
            self._listener.stored(build_id)
        for refused in refusals:
            self._refuse(refused)
        self.outbox += self._session.questions()
        if self._session.unbuildable or self._session.sources:
            self.news.set()

    def welcome_again(self, frame: Mapping[str, Any]) -> None:
        """A further post of the same connection was answered: what it says is stored is."""
        moved = self._session.welcome_again(frame)
        if moved:
            self._backoff.reset()
        for build_id in moved:
            self._listener.stored(build_id)

    def take(self, frame: Mapping[str, Any]) -> None:
        """Do what a frame asks for.

        Raises:
            Draining: the gateway asks to leave it.
        """
        kind = frame.get("type")
        if kind == "ACK":
            self._acknowledged_at = time.monotonic()
            if self._session.acknowledge(frame):
                self._backoff.reset()
            self._listener.stored(frame["buildId"])
        elif kind == "REFUSED":
            self._refuse(frame)
        elif kind == "COMMAND":
            answer = self._listener.command(frame)
            if answer is not None:
                self.outbox.append(answer)
        elif kind == "LAST_GREEN":
            self._session.learn_green(frame)
            self._listener.changed()
        elif kind == "STORED_BUILDS":
            self._session.learn_stored(frame)
            self._listener.changed()
        elif kind == "DRAIN":
            raise Draining(float(frame.get("withinSeconds", RESTART_SPREAD_SECONDS)))
        # Other frames are a newer gateway's: not for us.
        self.more.set()

    def end_post(self) -> None:
        """A post was answered: what its answer did not confirm was not taken, and goes again."""
        for build in self._session.builds.values():
            if build.in_flight:
                build.rewind(build.confirmed + 1)

    def _refuse(self, frame: Mapping[str, Any]) -> None:
        given_up = self._session.refuse(frame)
        if given_up is not None:
            build, seq = given_up
            self._listener.refused(build.build_id, seq, f"{frame.get('code')}: {frame.get('detail', '')}")


def decode(text: str | bytes) -> dict[str, Any]:
    """One frame. Raises ValueError where it is none."""
    frame = json.loads(text)
    if not isinstance(frame, dict):
        raise ValueError("the server sent something that is no frame")
    return frame


def encode(frame: Mapping[str, Any]) -> bytes:
    """One frame as it is sent."""
    return json.dumps(frame, separators=(",", ":"), ensure_ascii=False).encode()


async def beside_each_other(*steps: Coroutine[Any, Any, object], seconds: float | None = None) -> None:
    """Run all until one ends or fails, or for so long; then the others are cancelled. Raises what that one raised."""
    tasks = [asyncio.create_task(step) for step in steps]
    try:
        done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
