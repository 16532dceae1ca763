"""Arenas for the proof of delivery, and the way to its own modules."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from build_testkit.mariadb import PrivateDatabase, private_mariadb
from build_testkit.rabbitmq import PrivateBroker, private_rabbitmq

sys.path.insert(0, str(Path(__file__).parents[1]))

from delivery.arena import Arena, embedded_arena, separate_arena


@pytest.fixture(scope="session")
def own_rabbitmq() -> Iterator[PrivateBroker]:
    """A broker that faults may happen to: never one that others use."""
    try:
        with private_rabbitmq() as broker:
            yield broker
    except FileNotFoundError as error:
        _lack(f"{error}: only a broker of our own may be killed")


@pytest.fixture(scope="session")
def own_mariadb() -> Iterator[PrivateDatabase]:
    """A database that faults may happen to."""
    try:
        with private_mariadb() as database:
            yield database
    except FileNotFoundError as error:
        _lack(f"{error}: only a database of our own may be killed")


def _lack(reason: str) -> NoReturn:
    """In CI a missing server is a failure, elsewhere it skips what needs it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def separate(
    tmp_path_factory: pytest.TempPathFactory, own_rabbitmq: PrivateBroker, own_mariadb: PrivateDatabase
) -> Iterator[Arena]:
    """Seven processes, for all faults in turn: each starts from what the ones before left."""
    with separate_arena(tmp_path_factory.mktemp("separate"), own_rabbitmq, own_mariadb) as arena:
        yield arena


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """The system in one process."""
    with embedded_arena(tmp_path_factory.mktemp("embedded")) as arena:
        yield arena
