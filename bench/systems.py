"""The systems under test: embedded, and five processes on a RabbitMQ."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chassis.testing.stack import Stack, embedded_stack, separate_stack

SYSTEMS = ("embedded", "separate")


@contextmanager
def system(name: str) -> Iterator[Stack]:
    """A fresh system called `embedded` or `separate`, gone with the context."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        if name == "embedded":
            with embedded_stack(Path(directory)) as stack:
                yield stack
        else:
            from chassis.testing.rabbitmq import private_rabbitmq  # noqa: PLC0415  only where a broker is wanted

            with private_rabbitmq() as broker, separate_stack(Path(directory), broker.url) as stack:
                yield stack
