"""A real Docker engine for tests, in a network of its own: no port, rule or bridge of the machine's is touched.

Its data are in the user's cache, so that images need loading once. Processes that test at the same time share one
engine; whoever is last stops it. Containers have no way out, and nothing outside reaches them: `network` leads to them.
"""

import ctypes
import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

START_SECONDS = 30.0
STOP_SECONDS = 60.0
_CLONE_NEWNET = 0x40000000
_INSIDE = """
ip link set lo up
umount /sys/fs/cgroup/unified 2>/dev/null  # beside cgroups of version 1 it only confuses the engine
exec dockerd -H unix://$0/sock --data-root $0/data --exec-root $0/exec -p $0/pid --default-ulimit nofile=20000:20000
"""


class NoEngine(Exception):
    """There can be no engine on this machine; says why."""


class Engine:
    """A running engine, whose files are in this directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.host = f"unix://{directory / 'sock'}"

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which docker and Compose speak to this engine."""
        return {**os.environ, "DOCKER_HOST": self.host}

    def docker(self, *arguments: str) -> str:
        """What `docker` printed. Raises subprocess.CalledProcessError."""
        ran = subprocess.run(["docker", *arguments], env=self.environment, check=True, capture_output=True, text=True)
        return ran.stdout.strip()

    @contextmanager
    def network(self) -> Iterator[None]:
        """This thread, and what it starts, is beside the engine: published ports and containers are reached."""
        libc = ctypes.CDLL(None, use_errno=True)

        def enter(path: str) -> None:
            with Path(path).open() as namespace:
                if libc.setns(namespace.fileno(), _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns", path)

        with Path("/proc/thread-self/ns/net").open() as own:
            enter(f"/proc/{self._pid()}/ns/net")
            try:
                yield
            finally:
                enter(f"/proc/self/fd/{own.fileno()}")

    def crash(self, container: str) -> None:
        """Kill a container's first process from outside, which counts as its own end: its restart policy acts."""
        os.kill(int(self.docker("inspect", "-f", "{{.State.Pid}}", container)), 9)

    def _pid(self) -> int:
        return int((self.directory / "pid").read_text())

    def _answers(self) -> bool:
        ran = subprocess.run(["docker", "version"], env=self.environment, check=False, capture_output=True)
        return ran.returncode == 0

    def start(self) -> None:
        """Start the daemon and wait until it answers; what an interrupted run left behind is removed."""
        (self.directory / "pid").unlink(missing_ok=True)
        with (self.directory / "log").open("wb") as log:
            process = subprocess.Popen(
                ["unshare", "--mount", "--net", "bash", "-c", _INSIDE, str(self.directory)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        limit = time.monotonic() + START_SECONDS
        while not self._answers():
            if process.poll() is not None or time.monotonic() > limit:
                process.kill()
                raise NoEngine(f"dockerd does not start:\n{(self.directory / 'log').read_text()[-1500:]}")
            time.sleep(0.1)
        if containers := self.docker("ps", "--all", "--quiet").split():
            self.docker("rm", "--force", "--volumes", *containers)
        self.docker("volume", "prune", "--force")
        self.docker("network", "prune", "--force")

    def stop(self) -> None:
        """Stop the daemon and wait for its end."""
        with suppress(OSError, ValueError):
            pid = self._pid()
            os.kill(pid, 15)
            limit = time.monotonic() + STOP_SECONDS
            while Path(f"/proc/{pid}").exists() and time.monotonic() < limit:
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
                time.sleep(0.05)


@contextmanager
def shared_engine() -> Iterator[Engine]:
    """An engine that answers; started unless another process of this user did. Raises NoEngine."""
    if os.geteuid() != 0:
        raise NoEngine("only root may start an engine")
    if missing := [name for name in ("dockerd", "buildah", "mmdebstrap", "ip") if shutil.which(name) is None]:
        raise NoEngine(f"{', '.join(missing)} missing: run deploy/machine/setup.sh engine")
    directory = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "build-dashboard" / "engine"
    directory.mkdir(parents=True, exist_ok=True)
    engine = Engine(directory)
    with ExitStack() as stack:
        change = stack.enter_context((directory / "change.lock").open("w"))
        users = stack.enter_context((directory / "users.lock").open("w"))
        fcntl.flock(change, fcntl.LOCK_EX)
        try:
            if _is_only_user(users) or not engine._answers():  # noqa: SLF001  its own function
                engine.stop()
                engine.start()
            fcntl.flock(users, fcntl.LOCK_SH)
        finally:
            fcntl.flock(change, fcntl.LOCK_UN)
        try:
            yield engine
        finally:
            fcntl.flock(change, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_UN)
            if _is_only_user(users):
                engine.stop()


def _is_only_user(users: object) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore[arg-type]
    except OSError:
        return False
    return True


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A real engine; where there can be none, a skip that says why."""
    try:
        with shared_engine() as running:
            yield running
    except NoEngine as error:
        pytest.skip(f"needs a container engine: {error}")
