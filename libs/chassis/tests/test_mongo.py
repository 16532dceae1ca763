"""The MongoDB connection: durable writes, and one error when the server is away."""

import asyncio

import pytest
from chassis.errors import StoreUnavailable
from chassis.store import mongo
from chassis.testing.mongodb import Mongo
from pymongo.errors import DuplicateKeyError, NotPrimaryError, OperationFailure, ServerSelectionTimeoutError


@pytest.mark.mongodb
async def test_a_server_that_died_is_an_outage_and_found_again(mongodb: Mongo, mongodb_url: str) -> None:
    """StoreUnavailable while it is away; what was acknowledged is there when it is back."""
    database = mongo.connect(mongodb_url)
    await mongo.ping(database)
    await database.things.insert_one({"_id": 1})
    await asyncio.to_thread(mongodb.kill)
    try:
        with pytest.raises(StoreUnavailable, match=database.name):
            await mongo.ping(database)
    finally:
        await asyncio.to_thread(mongodb.start)
    await mongo.ping(database)

    assert await database.things.find_one() == {"_id": 1}
    await mongo.close(database)


async def test_writes_wait_for_majority_and_journal() -> None:
    """The promise of every store: acknowledged means on disk on most servers."""
    database = mongo.connect("mongodb://localhost/history")

    assert database.name == "history"
    assert database.write_concern.document == {"w": "majority", "j": True}
    await mongo.close(database)


def test_a_url_without_a_database_is_refused() -> None:
    """Each service owns one; guessing would mix them."""
    with pytest.raises(ValueError, match="must name a database"):
        mongo.connect("mongodb://localhost:27017/")


def test_our_mistakes_are_no_outage() -> None:
    """Consumers wait for an outage to end; a mistake would have them wait for ever."""
    assert mongo.is_outage(ServerSelectionTimeoutError("no server"))
    assert mongo.is_outage(NotPrimaryError("stepped down"))
    assert mongo.is_outage(OperationFailure("shutting down", 91))
    assert not mongo.is_outage(DuplicateKeyError("E11000", 11000))
    assert not mongo.is_outage(OperationFailure("unknown operator", 2))
