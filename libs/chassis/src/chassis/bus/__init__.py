"""The bus: durable queues that are confirmed and settled, and best-effort announcements.

Two drivers behind one interface: RabbitMQ (`rabbit.py`) and one SQLite file (`embedded.py`). The same contract
tests run on both. `open_bus(url)` chooses by scheme: `amqp://`, `amqps://` or `sqlite:///path`.
"""

from chassis.bus.contract import (
    Announcement,
    Bus,
    BusUnavailable,
    Consumer,
    Delivery,
    Listener,
    Outgoing,
    PublishFailed,
)

__all__ = [
    "Announcement",
    "Bus",
    "BusUnavailable",
    "Consumer",
    "Delivery",
    "Listener",
    "Outgoing",
    "PublishFailed",
]
