"""A new build's places on the disk. A build's command waits for what this imports."""

import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FACTS = "build.json"


class BuildBusy(RuntimeError):
    """Another process reports this build."""

    def __init__(self, build_id: str) -> None:
        super().__init__(f"another process already reports build {build_id}")
        self.build_id = build_id


class Places:
    """What a holder needs of a new build's directory, and the lock of who reports the build."""

    def __init__(self, spool: str, build_id: str, began_at: int) -> None:
        """Make those of a build that begins at this time (ms since the Unix epoch).

        Raises:
            OSError: the spool cannot be written.
            BuildBusy: there is such a build.
        """
        self.build_id, self.began_at = build_id, began_at
        os.makedirs(spool, mode=0o700, exist_ok=True)  # noqa: PTH103  (pathlib would be waited for)
        self.path = f"{spool}/{build_id}"
        os.mkdir(self.path, 0o700)  # noqa: PTH102  (as above)
        os.mkdir(f"{self.path}/raw", 0o700)  # noqa: PTH102  (as above)
        self.reports = f"{os.path.realpath(self.path)}/reports"
        os.mkfifo(f"{self.path}/control", 0o600)
        os.mkfifo(self.reports, 0o600)
        lock_fd = lock(f"{self.path}/lock")
        if lock_fd is None:
            raise BuildBusy(build_id)
        self.lock_fd = lock_fd

    def note(self, facts: "Mapping[str, object]") -> None:
        """Note what whoever finds the build must know, should this process be killed before all its facts are written.

        It is not synced: with the machine's power the command's output goes as well.

        Raises:
            OSError: the disk is full.
        """
        fd = os.open(f"{self.path}/{FACTS}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            text = json_text(facts).encode()
            if os.write(fd, text) < len(text):
                raise OSError("the disk is full")
        finally:
            os.close(fd)


def lock(path: str) -> int | None:
    """An exclusive lock for as long as the descriptor lives; None when someone has it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def json_text(value: object) -> str:
    """Facts as JSON: the library's own takes as long to import as all that a command waits for beside."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json_text(str(name))}:{json_text(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(json_text, value)) + "]"
    characters = str(value).encode("utf-16-be", "surrogatepass")
    units = (int.from_bytes(characters[at : at + 2], "big") for at in range(0, len(characters), 2))
    plain = (chr(unit) if 0x20 <= unit < 0x7F and unit not in b'"\\' else f"\\u{unit:04x}" for unit in units)
    return f'"{"".join(plain)}"'
