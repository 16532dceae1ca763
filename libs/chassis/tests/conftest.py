"""The two buses behind one interface, and the real servers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import aio_pika
import pytest
from build_chassis.bus import Bus, EmbeddedBus
from build_chassis.bus.rabbit import RabbitBus, declare


class Driver(Protocol):
    """One way to carry the bus: opens it again and again on the same durable ground."""

    name: str

    async def open(self) -> Bus: ...

    async def dead_letters(self) -> list[tuple[str, bytes]]:
        """Reason and body of each, oldest first."""
        ...

    async def close(self) -> None: ...


class Embedded:
    name = "embedded"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._buses: list[EmbeddedBus] = []

    async def open(self) -> Bus:
        bus = EmbeddedBus(self._path)
        await bus.open()
        self._buses.append(bus)
        return bus

    async def dead_letters(self) -> list[tuple[str, bytes]]:
        return [(one.reason, one.message.body) for one in await self._buses[-1].dead_letters()]

    async def close(self) -> None:
        for bus in self._buses:
            await bus.close()


class Rabbit:
    name = "rabbitmq"

    def __init__(self, url: str) -> None:
        self._url = url
        self._buses: list[RabbitBus] = []

    async def open(self) -> Bus:
        bus = RabbitBus(self._url)
        await bus.open()
        self._buses.append(bus)
        return bus

    async def dead_letters(self) -> list[tuple[str, bytes]]:
        parked: list[tuple[str, bytes]] = []
        async with await aio_pika.connect(self._url) as connection, connection.channel() as channel:
            for name in declare.set_aside():
                queue = await channel.get_queue(name)
                while message := await queue.get(no_ack=True, fail=False):
                    parked.append((str(message.headers.get("parked-reason", "dead-lettered")), message.body))
        return parked

    async def close(self) -> None:
        for bus in self._buses:
            await bus.close()


@pytest.fixture(params=["embedded", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def closed_driver(request: pytest.FixtureRequest, tmp_path: Path) -> Driver:
    if request.param == "embedded":
        return Embedded(tmp_path / "bus.sqlite")
    return Rabbit(request.getfixturevalue("amqp_url"))


@pytest.fixture
async def driver(closed_driver: Driver) -> AsyncIterator[Driver]:
    yield closed_driver
    await closed_driver.close()


@pytest.fixture
async def bus(driver: Driver) -> Bus:
    return await driver.open()
