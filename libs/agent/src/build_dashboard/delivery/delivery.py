"""Delivery: the thread that brings the spooled builds of this process to the dashboard.

The build itself never waits for it. It keeps each build's spool until the dashboard has verified it.
"""

import contextlib
import os
import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from build_dashboard import __version__
from build_dashboard.delivery.backoff import Backoff
from build_dashboard.delivery.session import BuildState, Session
from build_dashboard.endpoint import Endpoint
from build_dashboard.failpoints import fail_at
from build_dashboard.recording.clock import anchor_of_boot, boot_id, keep_anchor
from build_dashboard.recording.directory import BuildDirectory
from build_dashboard.recording.spool import Spool
from build_dashboard.redaction.redactor import Redactor

if TYPE_CHECKING:
    import asyncio

    from build_dashboard.delivery.connection import Connection, Link
    from build_dashboard.delivery.exchange import Exchange

Commander = Callable[[Mapping[str, Any]], tuple[str, str | None]]
"""Answers a command that is not about a held build: state and detail of its COMMAND_ACK."""

UNCONNECTED_SECONDS = 1.0
"""A build whose command ended does not wait longer than this for a dashboard that does not answer."""

QUIET_SECONDS = 5.0

PATIENT_RETRY_SECONDS = 8.0
"""While a person or a CI job waits for delivery, a dashboard that is away is tried at least this often."""

NO_KEY = "no API key is set (BUILD_DASHBOARD_API_KEY)"

UNVERIFIED_SECONDS = 7 * 24 * 3600
"""A build that is stored and still not verified after this no longer takes up the disk."""


@dataclass(slots=True)
class Held:
    """A build this process reports."""

    directory: BuildDirectory
    spool: Spool
    replaced: dict[int, bytes]
    replace: Callable[[int, str], bytes]
    command_ids: list[str] = field(default_factory=list)
    """The orders to end it that are being carried out; each of them is answered."""


class Delivery:
    """Owns the session and its connection; every method may be called from any thread."""

    def __init__(
        self,
        endpoint: Endpoint,
        host: str,
        spool_path: str,
        backoff: Backoff | None = None,
        *,
        serves: Sequence[str] = (),
        instance: str | None = None,
    ) -> None:
        """`instance` names this process among those of its key; of two of one name the newer connection stays."""
        self.problem = ""
        self.is_connected = False
        self.is_rejected = False
        self.failures = 0
        self.progress_at = time.monotonic()
        self.ready_at: float | None = None
        self.commander: Commander | None = None
        self.on_cancel: Callable[[str], None] | None = None
        """Called in the connection's loop with the build that somebody cancelled."""

        self.notices: list[str] = []
        self._is_closed = self._says_posts = False
        self._endpoint = endpoint
        self._spool_path = spool_path
        self._backoff = backoff or Backoff()
        self._session = Session(__version__, instance or uuid.uuid4().hex, host, serves)
        self._held: dict[str, Held] = {}
        self._gone: set[str] = set()
        self._todo: deque[Callable[[], None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection: Connection | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)

    def start(self) -> None:
        """Begin to dial; without a key nobody is dialled, and the builds stay in the spool."""
        if self.has_key:
            self._thread.start()
        else:
            self.problem = NO_KEY

    def add(
        self, directory: BuildDirectory, spool: Spool, replace: Callable[[int, str], bytes], *, is_running: bool
    ) -> None:
        """Report this build; `replace` makes the record that stands for a refused one."""
        facts = directory.facts
        state = BuildState(
            directory.build_id,
            facts["project"],
            facts.get("branch"),
            facts.get("config"),
            spool.last_seq,
            *(spool.stored_seq,) * 3,  # what another spool brought there needs no sending
            is_running=is_running,
        )
        held = Held(directory, spool, directory.replaced_records(), replace)

        def add() -> None:
            self._held[state.build_id] = held
            self._session.add(state)

        self._post(add)

    def spooled(self, build_id: str, seq: int) -> None:
        """Records up to this one are on the disk."""

        def note() -> None:
            if state := self._session.builds.get(build_id):
                state.spooled = max(state.spooled, seq)

        self._post(note)

    def complete(self, build_id: str, *, has_totals: bool) -> None:
        """The build's last record is spooled."""

        def note() -> None:
            if state := self._session.builds.get(build_id):
                state.is_running, state.is_complete, state.has_totals = False, True, has_totals
                held = self._held[build_id]
                if self._connection:
                    for command_id in held.command_ids:
                        self._connection.send(_command_ack(command_id, "done", build_id))
                self.stored(build_id)

        self._post(note)

    def answer(self, command_id: str, state: str, build_id: str | None, detail: str | None = None) -> None:
        """Say what became of a command that was accepted earlier."""
        ack = _command_ack(command_id, state, build_id, detail)
        self._post(lambda: self._connection.send(ack) if self._connection else None)

    def report_unbuildable(self, project: str, facts: dict[str, Any] | None) -> None:
        """Say why a project that is served here cannot be built now (as HEARTBEAT carries it); None: it can again."""

        def note() -> None:
            self._session.unbuildable.pop(project, None)
            if facts is not None:
                self._session.unbuildable[project] = facts
            if self._connection:
                self._connection.beat()

        self._post(note)

    def report_source(self, name: str, health: dict[str, Any]) -> None:
        """Say how well a CI is followed that this process shows (as HEARTBEAT carries it)."""

        def note() -> None:
            before = self._session.sources.get(name)
            is_news = before is None or before.get("problem") != health.get("problem")
            self._session.sources[name] = health
            if is_news and self._connection:
                self._connection.beat()

        self._post(note)

    def ask_green(self, build_id: str, branch: str | None) -> None:
        """Ask for the last green commit of the build's config; `green` has the answer."""
        self._post(lambda: self._ask(lambda: self._session.ask_green(build_id, branch)))

    def green(self, build_id: str) -> tuple[bool, str | None]:
        """Whether that is answered, and the commit where one is known."""
        return build_id in self._session.greens, self._session.greens.get(build_id)

    def wait_for_stored(self, builds: Sequence[tuple[str, str]]) -> dict[str, Any] | None:
        """What is stored of these builds (id and project, at most 1000), as STORED_BUILDS has it, by id.

        Waits for the dashboard as long as it takes. None: it cannot tell now, or this delivery is closed.
        """
        query = uuid.uuid4().hex
        self._post(lambda: self._ask(lambda: self._session.ask_stored(query, builds)))
        with self._changed:
            self._changed.wait_for(lambda: query in self._session.extents or self._is_closed or self.is_over)
        return self._session.extents.pop(query, None)

    @property
    def is_over(self) -> bool:
        """Whether nothing is delivered any more by this: another process of this name took over, or a key is needed."""
        return self._thread.ident is not None and not self._thread.is_alive()

    def _ask(self, question: Callable[[], None]) -> None:
        question()
        if self._connection and self.is_connected:
            for frame in self._session.questions():
                self._connection.send(frame)

    def stop(self, build_id: str, reason: str) -> None:
        """End a build of ours; nothing happens where it is over."""
        if held := self._held.get(build_id):
            held.directory.stop(reason)

    def wait_for_green(self, build_id: str, branch: str | None) -> str | None:
        """The last green commit of the build's config, once the dashboard answers; None when the build is complete."""

        def is_complete() -> bool:
            state = self._session.builds.get(build_id)
            return build_id in self._gone or (state is not None and state.is_complete)

        self.ask_green(build_id, branch)
        with self._changed:
            self._changed.wait_for(lambda: build_id in self._session.greens or self._is_closed or is_complete())
        return self._session.greens.get(build_id)

    def is_delivered(self, build_id: str) -> bool:
        """Whether nothing of the build is left to deliver (or it was refused for good)."""
        state = self._session.builds.get(build_id)
        return build_id in self._gone or (state is not None and state.refusal is not None)

    def wait_for_dashboard(self, seconds: float) -> str | None:
        """The address where people look, once there is a connection; None when there is none for so long."""
        with self._changed:
            self._changed.wait_for(lambda: self.is_connected, seconds if self.has_key else 0)
        return (self._session.dashboard_url or self._endpoint.dashboard_url) if self.is_connected else None

    @property
    def has_key(self) -> bool:
        """Whether there is a key to deliver with."""
        return self._endpoint.has_key

    @property
    def endpoint(self) -> Endpoint:
        """Where the dashboard is."""
        return self._endpoint

    @property
    def is_offline(self) -> bool:
        """Whether the configured number of tries failed in a row."""
        return self._backoff.is_offline and not self.is_connected

    @property
    def may_answer(self) -> bool:
        """Whether the dashboard is connected, or may be within a moment."""
        if self.is_connected or self.failures or not self.has_key:
            return self.is_connected
        return self.ready_at is None or time.monotonic() < self.ready_at + UNCONNECTED_SECONDS

    def linger(
        self,
        build_ids: list[str],
        seconds: float,
        is_hurried: Callable[[], bool] = lambda: False,
        *,
        unconnected_seconds: float = UNCONNECTED_SECONDS,
    ) -> bool:
        """Wait for delivery, while it moves and at most so long; True when all is delivered."""
        self._hurry()
        began, failures = time.monotonic(), self.failures
        self.progress_at = began
        with self._changed:
            while not all(self.is_delivered(build_id) for build_id in build_ids):
                now = time.monotonic()
                deadline = min(began + seconds, self.progress_at + QUIET_SECONDS)
                if not self.is_connected:
                    deadline = min(deadline, max(began, self.ready_at or now) + unconnected_seconds)
                has_failed = not self.is_connected and self.failures > failures
                if now >= deadline or has_failed or is_hurried() or not self._thread.is_alive():
                    return False
                self._changed.wait(min(deadline - now, 0.1))
        return True

    def wait(self, build_ids: Sequence[str], seconds: float, is_hurried: Callable[[], bool] = lambda: False) -> bool:
        """Wait for delivery so long, also for a dashboard that is away or slow; True when all is delivered.

        Only a dashboard that refuses this agent, or `is_hurried`, ends the wait.
        """
        return self._wait_patiently(lambda: all(map(self.is_delivered, build_ids)), seconds, is_hurried)

    def reach(self, seconds: float, is_hurried: Callable[[], bool] = lambda: False) -> bool:
        """Wait so long for a connection, in the same way."""
        return self._wait_patiently(lambda: self.is_connected, seconds, is_hurried)

    def _wait_patiently(self, is_done: Callable[[], bool], seconds: float, is_hurried: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + seconds
        retry_at = 0.0
        with self._changed:
            while not is_done():
                now = time.monotonic()
                is_refused = self.is_rejected and not self.is_connected
                if now >= deadline or is_refused or is_hurried() or not self._thread.is_alive():
                    return False
                if now >= retry_at and not self.is_connected:
                    retry_at = now + PATIENT_RETRY_SECONDS * random.uniform(1, 1.5)  # noqa: S311  (spreads load)
                    self._hurry()
                self._changed.wait(min(deadline - now, 0.1))
        return True

    def _hurry(self) -> None:
        self._post(lambda: self._connection.hurry() if self._connection else None)

    def close(self) -> None:
        """Stop dialling and let go of the builds; what is not delivered stays in the spool."""
        self._is_closed = True
        self._notify()
        if self._thread.is_alive():
            self._post(lambda: self._connection.close() if self._connection else None)
            self._thread.join(3)
        for held in self._held.values():
            held.spool.close()
            held.directory.close()

    # --- for the connection, in its loop ---

    def read(self, build_id: str, after_seq: int, limit_bytes: int, limit_records: int) -> list[bytes]:
        """The records to send."""
        held = self._held[build_id]
        if after_seq < held.spool.first_seq - 1:
            # Stored once and deleted here since: the server has to do with what is left.
            after_seq = self._session.builds[build_id].sent = held.spool.first_seq - 1
        records = held.spool.read_after(after_seq, limit_bytes, limit_records)
        if held.replaced:
            return [held.replaced.get(after_seq + place, record) for place, record in enumerate(records, 1)]
        return records

    def unreadable(self, build_id: str, problem: str) -> None:
        """Note why a build cannot be delivered."""
        path = self._held[build_id].directory.path
        notice = f"build {build_id} cannot be delivered: its spool {path} cannot be read ({problem})"
        if notice not in self.notices:
            self.notices.append(notice)
        self._notify()

    def anchor(self, build_id: str) -> dict[str, Any] | None:
        """The server's time in the boot in which the build began, where that boot is not this one."""
        directory = self._held[build_id].directory
        boot = (directory.facts.get("start", {}).get("clock") or {}).get("bootId")
        return None if boot in (None, boot_id()) else anchor_of_boot(directory.path.parent, boot)

    def welcomed(self, frame: Mapping[str, Any], clock: Mapping[str, Any]) -> None:
        """Remember the server's time, for builds that are sent after this machine was restarted."""
        keep_anchor(Path(self._spool_path), int(frame["serverAt"]), clock)

    def stored(self, build_id: str) -> None:
        """The build's acknowledgement moved: what is stored may go, what is verified goes wholly."""
        state, held = self._session.builds.get(build_id), self._held.get(build_id)
        if state is None or held is None:
            return
        if state.stored > held.spool.stored_seq:
            self.progress_at = time.monotonic()
        fail_at("agent.acked")
        held.spool.forget_stored(state.stored)
        if not state.may_forget and _is_stale(state, held):
            self.notices.append(f"build {build_id} is stored, but was not verified within a week: it is let go")
            state.is_verified = True
        if state.may_forget:
            fail_at("agent.verified")
            held.spool.close()
            held.directory.delete()
            self._session.remove(build_id)
            del self._held[build_id]
            self._gone.add(build_id)
        self._notify()

    def refused(self, build_id: str, seq: int | None, problem: str) -> None:
        """Note what the dashboard will not take, and let the rest go on."""
        held = self._held[build_id]
        if seq is None:
            held.directory.refuse(problem)
            self.notices.append(f"the dashboard refused build {build_id}: {problem}")
        elif seq in held.replaced:
            held.directory.refuse(problem)
            self._session.builds[build_id].refusal = problem
        else:
            record = held.replace(seq, problem)
            held.directory.replace_record(seq, record)
            held.replaced[seq] = record
            self.notices.append(f"the dashboard refused record {seq} of build {build_id}: {problem}")
        self._notify()

    def command(self, frame: Mapping[str, Any]) -> dict[str, Any] | None:
        """Do what a person asked for on the dashboard, once."""
        command_id, build_id = str(frame.get("commandId")), frame.get("buildId")
        if frame.get("kind") == "cancel":
            return self._cancel(command_id, str(build_id))
        if self.commander is None:
            return _command_ack(command_id, "rejected", build_id, "this agent wraps one build; a daemon takes this")
        state, detail = self.commander(frame)
        return _command_ack(command_id, state, build_id, detail)

    def _cancel(self, command_id: str, build_id: str) -> dict[str, Any]:
        held, state = self._held.get(build_id), self._session.builds.get(build_id)
        if held is None or state is None:
            return _command_ack(command_id, "rejected", build_id, "this agent does not run that build")
        try:
            is_new = held.directory.journal_command(command_id)
        except OSError:
            is_new = True  # a full disk, perhaps of this very build: to end it twice does no damage
        if is_new:
            if not state.is_running:
                return _command_ack(command_id, "rejected", build_id, "the build is over")
            held.directory.stop("cancelled_by_user")
            if self.on_cancel is not None:
                self.on_cancel(build_id)
        if command_id not in held.command_ids:
            held.command_ids.append(command_id)
        return _command_ack(command_id, "done" if state.is_complete else "accepted", build_id)

    def changed(self) -> None:
        """The connection came or went."""
        connection = self._connection
        if connection:
            self.is_connected, self.failures = connection.is_connected, connection.failures
            self.problem, self.is_rejected = connection.problem, connection.is_rejected
            notice = f"no WebSocket passes ({connection.socket_problem}): this goes to the dashboard by HTTP posts"
            if connection.socket_problem and self.is_connected and not self._says_posts:
                self._says_posts = True
                self.notices.append(notice)
        self._notify()

    def backlog(self) -> tuple[int, int | None]:
        """Bytes in the spool; the age of the oldest unstored record is not known by record."""
        return sum(held.spool.size_bytes for held in self._held.values()), None

    # --- the thread ---

    def _run(self) -> None:
        # Imported here: the command is already running, and need not wait for a third of a second of imports.
        import asyncio  # noqa: PLC0415  (see above)

        from build_dashboard.delivery.connection import Connection  # noqa: PLC0415  (see above)

        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            self._connection = Connection(
                self._endpoint, self._session, self, self._backoff, self._spool_path, open_posts=_open_posts
            )
            self.ready_at = time.monotonic()
            self._drain()
            await self._connection.run()

        try:
            asyncio.run(main())
        except Exception as error:  # noqa: BLE001  (the build must not notice; the spool stays for the next process)
            self.problem = f"{type(error).__name__}: {error}"
            self.is_connected = False
        self._notify()

    def _post(self, task: Callable[[], None]) -> None:
        """Do this in the connection's loop, which alone touches the session."""
        self._todo.append(task)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nothing is sent any more
                self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        while self._todo:
            self._todo.popleft()()
        if self._connection:
            self._connection.wake()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()


def _open_posts(endpoint: Endpoint, exchange: "Exchange") -> "Link":
    # Most agents never post: they need not wait for what that imports.
    from build_dashboard.delivery.posting import Posts  # noqa: PLC0415  (see above)

    return Posts(endpoint, exchange)


def _is_stale(state: BuildState, held: Held) -> bool:
    """Whether all of a build is stored, and it has been waiting too long to be reported as verified."""
    return state.is_delivered and time.time() > held.directory.facts["startedAt"] / 1000 + UNVERIFIED_SECONDS


def _command_ack(command_id: str, state: str, build_id: str | None, detail: str | None = None) -> dict[str, Any]:
    if detail:
        detail = Redactor.of(os.environ).text(detail)  # git's words may have an address with a password
    ack = {"type": "COMMAND_ACK", "commandId": command_id, "state": state, "buildId": build_id, "detail": detail}
    return {name: value for name, value in ack.items() if value is not None}
