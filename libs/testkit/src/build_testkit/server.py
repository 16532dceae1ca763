"""A server that tests start as a program: its output in one file, ended whatever it does."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NoReturn, Protocol, TypeVar

import pytest

from build_testkit.memory_disk import memory_disk
from build_testkit.stack import wait_until

START_SECONDS = 60.0
STOP_SECONDS = 30.0


def cannot_be_had(reason: str) -> NoReturn:
    """A server is missing: in CI (`CI` is set) that fails the test, elsewhere it skips it with the reason."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


class Server(Protocol):
    """A server that a test may start and end."""

    def start(self) -> None:
        """Start it and wait until it answers."""
        ...

    def forget(self) -> None:
        """End it, and all that it started."""
        ...


ServerT = TypeVar("ServerT", bound=Server)
SharedT = TypeVar("SharedT")


@contextmanager
def running_in_a_directory(make: Callable[[Path], ServerT]) -> Iterator[ServerT]:
    """A server of our own, started; it and its files are gone with the context."""
    with tempfile.TemporaryDirectory(prefix="server-", dir=memory_disk(), ignore_cleanup_errors=True) as directory:
        server = make(Path(directory))
        try:
            server.start()
            yield server
        finally:
            server.forget()


@contextmanager
def some_server(
    variable: str,
    given: Callable[[str], SharedT],
    private: Callable[[], AbstractContextManager[SharedT]],
    contained: Callable[[], AbstractContextManager[SharedT]],
    remedy: str,
) -> Iterator[SharedT]:
    """The server at the URL in this variable, else a private one, else one in a container.

    `private` raises OSError or SubprocessError where its program is not to be had. In CI (`CI` is set) a server that
    cannot be had fails the test, elsewhere it skips it with the reason and the `remedy`.
    """
    if url := os.environ.get(variable):
        yield given(url)
        return
    with ExitStack() as stack:
        try:
            server = stack.enter_context(private())
        except (OSError, subprocess.SubprocessError) as error:
            if not _has_engine():
                cannot_be_had(f"set {variable}, {remedy}, or run docker: {error}")
            server = stack.enter_context(contained())
        yield server


def _has_engine() -> bool:
    # A client without an engine is no use.
    docker = shutil.which("docker")
    return docker is not None and subprocess.run([docker, "version"], check=False, capture_output=True).returncode == 0


class ServerProgram:
    """One server, which may be started again after its end. It and what it starts are one group of processes."""

    def __init__(self, name: str, directory: Path) -> None:
        self._name = name
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def start(
        self, command: Sequence[str | Path], answers: Callable[[], bool], environment: Mapping[str, str] | None = None
    ) -> None:
        """Start the server and wait until it answers. Raises RuntimeError if it ends, or does not answer in time."""
        output_path = self._directory / "output"
        with output_path.open("ab") as output:
            process = self._process = subprocess.Popen(
                command,
                cwd=self._directory,
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

        def answers_or_ended() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"{self._name} did not start:\n{output_path.read_text()[-4000:]}")
            return answers()

        try:
            wait_until(answers_or_ended, START_SECONDS, f"{self._name} answers", every=0.1)
        except TimeoutError as error:
            # A TimeoutError is an OSError: that would read as if the server were not installed.
            raise RuntimeError(str(error)) from error

    def end(self, how: int = signal.SIGKILL) -> None:
        """Send this signal and wait for its end; SIGKILL when that takes too long. One that has ended stays so."""
        process, self._process = self._process, None
        if process is None:
            return
        for each in (how, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, each)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            return
