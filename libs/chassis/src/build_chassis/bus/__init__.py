"""The bus: durable queues that are confirmed and settled, and best-effort announcements.

Two drivers behind one interface: RabbitMQ (`rabbit/`) and one SQLite file (`embedded.py`). The same contract
tests run on both. `open_bus(url)` chooses by scheme: `amqp://`, `amqps://` or `sqlite:///path`.
"""

from pathlib import Path

from build_chassis.bus.contract import (
    Announcement,
    Bus,
    BusUnavailable,
    Consumer,
    Delivery,
    Listener,
    Outgoing,
    Parked,
    PublishFailed,
)
from build_chassis.bus.embedded import EmbeddedBus

__all__ = [
    "Announcement",
    "Bus",
    "BusUnavailable",
    "Consumer",
    "Delivery",
    "EmbeddedBus",
    "Listener",
    "Outgoing",
    "Parked",
    "PublishFailed",
    "open_bus",
]


def open_bus(url: str) -> Bus:
    """The bus that a URL names, not yet connected: `await bus.open()` does that.

    Args:
        url: `amqp://` or `amqps://` for RabbitMQ, `sqlite:///path` for the embedded bus.

    Raises:
        ValueError: The URL has another scheme.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        return EmbeddedBus(Path(rest.removeprefix("/")))
    if scheme in ("amqp", "amqps"):
        from build_chassis.bus.rabbit import RabbitBus  # noqa: PLC0415  the embedded system never needs the driver

        return RabbitBus(url)
    raise ValueError(f"bus URL must begin with amqp://, amqps:// or sqlite:///, not {scheme}://")
