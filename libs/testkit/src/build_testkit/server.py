"""A server that tests start as a program: its output in one file, ended whatever it does."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pytest

from build_testkit.stack import wait_until

START_SECONDS = 60.0
STOP_SECONDS = 30.0


def cannot_be_had(reason: str) -> NoReturn:
    """A server is missing: in CI (`CI` is set) that fails the test, elsewhere it skips it with the reason."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


class ServerProgram:
    """One server, which may be started again after its end. It and what it starts are one group of processes."""

    def __init__(self, name: str, directory: Path) -> None:
        self._name = name
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def start(
        self, command: Sequence[str | Path], answers: Callable[[], bool], environment: Mapping[str, str] | None = None
    ) -> None:
        """Start the server and wait until it answers. Raises RuntimeError with the end of its output if it ends."""
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

        wait_until(answers_or_ended, START_SECONDS, f"{self._name} answers", every=0.1)

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
