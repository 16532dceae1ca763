"""Stores and buses: empty ones, once on every driver, for what holds on all of them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest


class Opened(Protocol):
    """What is opened before it is used: a store, a bus."""

    async def open(self) -> None:
        """Open it."""

    async def close(self) -> None:
        """Close it."""


T = TypeVar("T", bound=Opened)


@asynccontextmanager
async def opened(resource: T) -> AsyncIterator[T]:
    """The resource, open for as long as this lasts."""
    await resource.open()
    try:
        yield resource
    finally:
        await resource.close()


def store_fixture(open_store: Callable[[str], Opened]) -> Any:
    """A fixture: a service's store, empty and open, once on every driver."""

    @pytest.fixture
    async def store(store_url: str) -> AsyncIterator[Opened]:
        async with opened(open_store(store_url)) as made:
            yield made

    return store


def sqlite_store_fixture(open_store: Callable[[str], Opened]) -> Any:
    """A fixture: a service's store, empty and open, on SQLite, in memory: for what does not depend on the store."""

    @pytest.fixture
    async def sqlite_store() -> AsyncIterator[Opened]:
        async with opened(open_store("sqlite://")) as made:
            yield made

    return sqlite_store


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("mariadb", marks=pytest.mark.mariadb),
        pytest.param("mongodb", marks=pytest.mark.mongodb),
    ]
)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A file, or a database of the test's own on a real server."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.sqlite"
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=["embedded", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def bus_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each bus there is, empty."""
    if request.param == "embedded":
        return f"sqlite:///{tmp_path}/bus.sqlite"
    return str(request.getfixturevalue("amqp_url"))
