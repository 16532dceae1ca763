"""Whole systems for the scenarios: embedded, and separate processes on a real RabbitMQ."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from build_testkit.stack import Stack, embedded_stack, separate_stack


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One embedded system for all scenarios that only add builds to it."""
    with embedded_stack(tmp_path_factory.mktemp("embedded")) as stack:
        yield stack


@pytest.fixture(scope="session")
def separate(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Five processes and a second gateway on a real RabbitMQ, for all scenarios that only add builds to them."""
    broker = request.getfixturevalue("rabbitmq")
    with separate_stack(tmp_path_factory.mktemp("separate"), broker.url, gateways=2) as stack:
        yield stack


@pytest.fixture(params=["embedded", pytest.param("separate", marks=pytest.mark.rabbitmq)])
def stack(request: pytest.FixtureRequest) -> Stack:
    """The same scenario on both: the promise is the same."""
    running: Stack = request.getfixturevalue(request.param)
    return running


@pytest.fixture
def repository() -> Path:
    """The checkout."""
    return Path(__file__).parents[1]
