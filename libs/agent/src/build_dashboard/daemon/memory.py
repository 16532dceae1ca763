"""A daemon's memory of one project on disk: what it built, what it was asked for, and what it was about to start."""

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from build_dashboard.daemon.trigger import Trigger
from build_dashboard.whole_file import write_whole

REMEMBERED_COMMANDS = 1000


@dataclass(frozen=True, slots=True)
class Attempt:
    """A build that is about to be started; noted first, for a daemon may be killed on either side of the start."""

    commit: str
    begun_at: int
    command_id: str | None = None


class MemoryDamaged(ValueError):
    """The file cannot be used; reads as a sentence with what to do."""

    def __init__(self, path: Path, cause: Exception) -> None:
        super().__init__(
            f"{path} cannot be read ({cause}): put it back from a backup, or delete it; then the newest commit is built"
            " again, and orders that were taken and not followed are forgotten"
        )


class Memory:
    """Every change is on disk before the method returns; may be called from several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            known = json.loads(path.read_text()) if path.exists() else {}
            self.built_commit: str | None = known.get("builtCommit")
            self.is_drained: bool = bool(known.get("drained"))
            self.pending: list[Trigger] = [Trigger(**each) for each in known.get("pending", [])]
            self.attempt: Attempt | None = Attempt(**known["attempt"]) if known.get("attempt") else None
            self._commands: list[str] = list(known.get("commands", []))
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise MemoryDamaged(path, error) from error

    def take(self, trigger: Trigger) -> bool:
        """Note an order before it is called accepted; False when it was taken before (it must not act twice)."""
        with self._lock:
            if trigger.command_id in self._commands:
                return False
            before = self._commands, self.pending
            self._commands = [*self._commands, trigger.command_id][-REMEMBERED_COMMANDS:]
            self.pending = [*self.pending, trigger]
            try:
                self._write()
            except OSError:
                self._commands, self.pending = before
                raise
        return True

    def drop(self, command_id: str) -> None:
        """This order cannot be followed."""
        with self._lock:
            self.pending = [each for each in self.pending if each.command_id != command_id]
            self._write()

    def begin(self, attempt: Attempt) -> None:
        """A build is about to be started."""
        with self._lock:
            self.attempt = attempt
            self._write()

    def begun(self) -> None:
        """It was started: its commit is built, and its order followed."""
        with self._lock:
            attempt, self.attempt = self.attempt, None
            if attempt is not None and attempt.command_id is None:
                self.built_commit = attempt.commit
            elif attempt is not None:
                self.pending = [each for each in self.pending if each.command_id != attempt.command_id]
            self._write()

    def forget_attempt(self) -> None:
        """It never was started."""
        with self._lock:
            self.attempt = None
            self._write()

    def drain(self, is_drained: bool) -> None:
        """Take no more work, or take it again; also after a restart."""
        with self._lock:
            self.is_drained = is_drained
            self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        facts = {
            "builtCommit": self.built_commit,
            "drained": self.is_drained,
            "pending": [each.to_json() for each in self.pending],
            "attempt": asdict(self.attempt) if self.attempt else None,
            "commands": self._commands,
        }
        write_whole(self._path, json.dumps(facts))


def started_since(spool: Path, project: str, begun_at: int) -> str | None:
    """The build of a project in the spool that was started at or after this time."""
    for path in sorted(spool.glob("*/build.json")):
        facts = _read(path)
        if facts.get("project") == project and facts.get("startedAt", 0) >= begun_at:
            return path.parent.name
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}
