"""The systems under test: embedded, and five processes on a RabbitMQ."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from build_testkit.stack import Stack, embedded_stack, separate_stack, wait_until

SYSTEMS = ("embedded", "separate")
IDLE_SHARE = 0.05
IDLE_OVER_SECONDS = 3.0
IDLE_LIMIT_SECONDS = 3600.0


@contextmanager
def system(name: str) -> Iterator[Stack]:
    """A fresh system called `embedded` or `separate`, gone with the context."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        if name == "embedded":
            with embedded_stack(Path(directory)) as stack:
                yield stack
        else:
            from build_testkit.rabbitmq import private_rabbitmq  # noqa: PLC0415  only where a broker is wanted

            with private_rabbitmq() as broker, separate_stack(Path(directory), broker.url) as stack:
                yield stack


def wait_until_idle(stack: Stack) -> None:
    """Wait until the services together take less than a twentieth of a core: what they received is digested."""
    processes = [psutil.Process(process.popen.pid) for process in stack.processes.values() if process.popen]

    def is_idle() -> bool:
        before = sum(sum(process.cpu_times()[:2]) for process in processes)
        time.sleep(IDLE_OVER_SECONDS)
        after = sum(sum(process.cpu_times()[:2]) for process in processes)
        return after - before < IDLE_SHARE * IDLE_OVER_SECONDS

    wait_until(is_idle, IDLE_LIMIT_SECONDS, "the services have nothing left to do")
