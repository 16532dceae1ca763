"""A build's directory in the spool: its lock, its facts, its raw output, records, control pipe and command journal.

One process at a time reports a build; it holds the lock. The holder has a lock of its own, which shows whether the
command may still run.
"""

import contextlib
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from build_protocol.new_id import new_build_id

from build_dashboard.recording.clock import newest_anchor, read_clock
from build_dashboard.recording.machine import is_elsewhere, machine_id
from build_dashboard.recording.places import FACTS, BuildBusy, Places, lock
from build_dashboard.recording.sealed import seal, unseal
from build_dashboard.recording.spool import Spool
from build_dashboard.redaction.redactor import Redactor
from build_dashboard.whole_file import write_whole

logger = logging.getLogger("build_dashboard")
TEXT_CHARACTERS = 8192
"""The longest text of a fact on the wire."""

REFUSED_SECONDS = 7 * 24 * 3600
"""A refused build is kept this long for a person to look at, then deleted."""


class BuildDirectory:
    """One build's files."""

    def __init__(self, path: Path, facts: Mapping[str, Any], lock_fd: int) -> None:
        self.path = path
        self.facts = facts
        self._lock_fd = lock_fd

    @classmethod
    def create(cls, spool: Path, facts: Mapping[str, Any]) -> Self:
        """Make the directory of a new build; `facts` are what is needed to report it after a restart.

        Raises:
            OSError: the spool cannot be written.
        """
        return cls.begun(Places(str(spool), facts["buildId"], facts.get("startedAt", 0)), facts)

    @classmethod
    def begun(cls, places: Places, facts: Mapping[str, Any]) -> Self:
        """That of a new build whose places are made, as `create`."""
        path = Path(places.path)
        if "start" in facts:
            # Noted now: a later one would say nothing of when the build began.
            facts = {**facts, "start": {**facts["start"], "anchor": newest_anchor(path.parent)}}
        write_whole(path / FACTS, json.dumps(facts))
        return cls(path, facts, places.lock_fd)

    @classmethod
    def adopt(cls, path: Path) -> Self:
        """Report a build that an earlier process left.

        Raises:
            BuildBusy: a living process reports it.
            ValueError: there is no build in it.
        """
        lock_fd = lock(str(path / "lock"))
        if lock_fd is None:
            raise BuildBusy(path.name)
        try:
            facts = _facts(path / FACTS)
            if "startedAt" not in facts:
                raise ValueError("it was begun by an agent before 0.1.0; deliver it with that release, or delete it")
            return cls(path, facts, lock_fd)
        except (OSError, ValueError) as error:
            os.close(lock_fd)
            raise ValueError(f"{path} holds no build: {error}") from error

    @property
    def build_id(self) -> str:
        """The build."""
        return str(self.facts["buildId"])

    @property
    def raw(self) -> str:
        """Where the holder writes."""
        return str(self.path / "raw")

    def seal_redaction(self, redactor: Redactor) -> None:
        """Keep what this redactor masks for whoever adopts the build, who else masks only what it knows itself."""
        with contextlib.suppress(OSError):
            seal(self.path, {"secrets": redactor.secrets, "patterns": redactor.patterns})

    def sealed_redaction(self) -> tuple[list[str], list[str]]:
        """Values and regular expressions that the build's own agent masked."""
        noted = unseal(self.path) or {}
        return noted.get("secrets", []), noted.get("patterns", [])

    @property
    def reports(self) -> Path:
        """Where the command, and what it starts, writes what it has to report beside its output: a line each."""
        return self.path / "reports"

    def is_held(self) -> bool:
        """Whether the holder lives."""
        fd = lock(str(self.path / "holder.lock"))
        if fd is None:
            return True
        os.close(fd)
        return False

    def hold(self) -> int:
        """Be the holder oneself, for as long as this descriptor is open: there is no command."""
        fd = lock(str(self.path / "holder.lock"))
        if fd is None:
            raise BuildBusy(self.build_id)
        return fd

    def open_control(self) -> int:
        """Where `stop` writes, for whoever holds the build; reading never waits."""
        return os.open(self.path / "control", os.O_RDWR | os.O_NONBLOCK)

    def stop(self, reason: str) -> bool:
        """Ask the holder to end the command; False when there is no holder any more."""
        try:
            fd = os.open(self.path / "control", os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return False
        try:
            os.write(fd, f"{reason}\n".encode())
        finally:
            os.close(fd)
        return True

    def journal_command(self, command_id: str) -> bool:
        """Note a command before it takes effect; False when it was noted before (it must not act twice)."""
        path = self.path / "commands"
        text = path.read_text() if path.exists() else ""
        if command_id in text.splitlines():
            return False
        with path.open("a") as file:
            # What a crash or a full disk cut off must not swallow this one.
            file.write(f"\n{command_id}\n" if text and not text.endswith("\n") else f"{command_id}\n")
            file.flush()
            os.fsync(file.fileno())
        return True

    def refuse(self, reason: str) -> None:
        """Note that the dashboard will never take this build; it is kept for a person to look at."""
        write_whole(self.path / "refused", reason)

    def replace_record(self, seq: int, record: bytes) -> None:
        """Send this instead of a record that was refused (the store never had it)."""
        write_whole(self.path / f"{seq}.replaced", record.decode())

    def replaced_records(self) -> dict[int, bytes]:
        """What is sent instead of refused records."""
        return {int(path.stem): path.read_bytes() for path in self.path.glob("*.replaced")}

    def settle(self) -> None:
        """Nothing more will be printed: keep the records only, so that the directory may be handed over.

        Raw output is not masked, and no archive takes a pipe.
        """
        for path in (self.path / "control", self.reports, *Path(self.raw).iterdir()):
            path.unlink(missing_ok=True)

    def delete(self) -> None:
        """The build is where it belongs: nothing of it stays here."""
        # Renamed first, so that a kill in between leaves nothing that looks like a build.
        gone = self.path.with_name(f".{self.path.name}.deleted")
        self.path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
        self.close()

    def close(self) -> None:
        """Let others report this build."""
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1


def build_facts(
    project: str,
    command: Sequence[str],
    *,
    branch: str | None = None,
    commit: str | None = None,
    config: str = "default",
    origin: str | None = None,
    retry_of: str | None = None,
    is_terminal: bool = False,
    cwd: str | None = None,
    artifacts: Sequence[str] = (),
    junit: Sequence[str] = (),
    begun: tuple[str, int] | None = None,
) -> dict[str, Any]:
    """What any process must know of a new build to report it: `start` goes into BUILD_START.

    `begun` is the id of a build that has begun, and when, in ms since the Unix epoch.
    """
    now_ms = begun[1] if begun else time.time_ns() // 1_000_000
    return {
        "buildId": begun[0] if begun else new_build_id(now_ms),
        "project": project,
        "branch": branch,
        "config": config,
        "startedAt": now_ms,
        "machine": machine_id(),
        "artifacts": list(artifacts),
        "junit": list(junit),
        "start": {
            "branch": branch,
            "commit": commit,
            "config": config,
            "origin": origin,
            "command": [argument[:TEXT_CHARACTERS] for argument in command[:1024]],
            "cwd": cwd or str(Path.cwd()),
            "tty": is_terminal,
            "retryOf": retry_of,
            "clock": read_clock(now_ms),
        },
    }


def left_builds(
    spool: Path, *, retry_refused: bool = False, is_handed_over: bool = False, now: float | None = None
) -> Iterator[BuildDirectory]:
    """The builds in the spool that no living process reports, oldest first, each locked by being yielded.

    Args:
        spool: Where to look.
        retry_refused: Also those that the dashboard refused.
        is_handed_over: The machine where they began is gone, or done with them.
        now: Seconds since the Unix epoch; the clock's where not given.
    """
    if not spool.is_dir():
        return
    for path in sorted(spool.iterdir()):
        if path.name.endswith(".deleted"):
            shutil.rmtree(path, ignore_errors=True)
            continue
        if path.name.startswith("."):
            continue  # what is kept beside builds
        try:
            directory = BuildDirectory.adopt(path)
        except ValueError as error:
            logger.warning("leave a build in the spool: %s", error)
            continue
        except (BuildBusy, OSError):
            continue
        if (path / "refused").exists() and not retry_refused:
            if (path / "refused").stat().st_mtime < (now or time.time()) - REFUSED_SECONDS:
                directory.delete()
            directory.close()
            continue
        is_its = not is_handed_over and is_elsewhere(directory.facts, machine_id(), now or time.time())
        if is_its and not _is_complete(path):
            # Two that go on with one build would report it in two ways; what is complete is the same from both.
            directory.close()
            continue
        yield directory


def _facts(path: Path) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        facts = json.loads(path.read_text())
        if isinstance(facts, dict):
            return facts
    raise ValueError("its build.json is damaged; look at the output in raw/, then delete the folder")


def _is_complete(path: Path) -> bool:
    """Whether the build's last record is spooled."""
    spool = Spool(path)
    try:
        return bool(spool.checkpoint and json.loads(spool.checkpoint)["complete"])
    finally:
        spool.close()
