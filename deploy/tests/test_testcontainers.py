"""The servers that tests have where nothing is installed but an engine: in containers, by testcontainers."""

import asyncio
import json
import os

import pytest
from build_chassis.bus import Outgoing, open_bus
from build_chassis.store.sql import SqlEngine
from build_protocol.topology import routing_key
from build_testkit import images, mariadb, mongodb, rabbitmq
from build_testkit.engine import Engine
from sqlalchemy import Column, Integer, MetaData, Table, select

from .test_compose import ROOT, composed, secrets_folder

__all__ = ["composed", "secrets_folder"]  # fixtures, shared

IMAGES = {"rabbitmq": rabbitmq.IMAGE, "mysql": mariadb.IMAGE, "mongodb": mongodb.IMAGE}


def test_they_are_the_images_of_docker_compose(composed) -> None:
    """What tests run on is what is run."""
    assert IMAGES == {name: composed["services"][name]["image"] for name in IMAGES}


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not os.environ.get("FULL"), reason="builds images and starts containers: FULL=1 runs it")
async def test_a_broker_and_a_database_in_containers_serve_the_product(engine: Engine, monkeypatch) -> None:
    """The bus confirms a message to a quorum queue of its own; a store makes its tables and keeps a row."""
    images.load(engine, ROOT, {name: IMAGES[name] for name in ("rabbitmq", "mysql")}, with_product=False)
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    monkeypatch.setenv("TESTCONTAINERS_RYUK_DISABLED", "true")

    def use() -> tuple[bool, int]:
        with engine.network(), rabbitmq._contained() as broker, mariadb._contained() as database:
            return asyncio.run(confirmed(broker.url)), asyncio.run(kept(database.database_url("test_contained")))

    assert (True, 7) == await asyncio.to_thread(use)


async def confirmed(url: str) -> bool:
    """Whether a message was taken by the queue that it is for."""
    bus = open_bus(url)
    await bus.open()
    try:
        key = routing_key("BUILD_START", "0" * 26, "p")
        await bus.publish([Outgoing(key, json.dumps({"type": "BUILD_START"}).encode(), {})])
        return not await bus.missing()
    finally:
        await bus.close()


async def kept(url: str) -> int:
    """What a table of a new database has after a write."""
    metadata = MetaData()
    table = Table("t", metadata, Column("n", Integer, primary_key=True))
    store = SqlEngine(url)
    try:
        await store.migrate(metadata)
        await store.write(lambda db: db.execute(table.insert().values(n=7)))
        return int(await store.read(lambda db: db.execute(select(table.c.n)).scalar_one()))
    finally:
        await store.close()
