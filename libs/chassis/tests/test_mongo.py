"""The MongoDB connection: durable writes, and one error when the server is away."""

import asyncio

import pytest
from build_chassis.errors import StoreUnavailable, Unusable
from build_chassis.store import mongo
from build_chassis.store.contract import FIRST_VERSION, Schema
from build_chassis.store.mongo_store import MongoStore
from build_testkit.mongodb import Mongo
from pymongo.errors import DuplicateKeyError, NotPrimaryError, OperationFailure, ServerSelectionTimeoutError


@pytest.mark.mongodb
async def test_a_server_that_died_is_an_outage_and_found_again(mongodb: Mongo, mongodb_url: str) -> None:
    """StoreUnavailable while it is away; what was acknowledged is there when it is back."""
    database = mongo.connect(mongodb_url)
    with mongo.opening(database):
        await database.things.create_index("name")
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


@pytest.mark.mongodb
async def test_indexes_that_cannot_be_made_are_no_outage(mongodb_url: str) -> None:
    """Waiting would be for ever: the error names the database and what it answered; it is not taken for open."""
    database = mongo.connect(mongodb_url)
    await database.things.insert_many([{"name": "one"}, {"name": "one"}])
    with (
        pytest.raises(Unusable, match=f"mongodb:{database.name} cannot take this release's indexes"),
        mongo.opening(database),
    ):
        await database.things.create_index("name", unique=True)
    with pytest.raises(StoreUnavailable, match="not open yet"):
        await mongo.ping(database)
    await mongo.close(database)


async def test_an_account_that_is_refused_may_be_allowed_later() -> None:
    """As on the other databases: the operator grants it, and the service goes on by itself."""
    database = mongo.connect("mongodb://localhost/history")
    with pytest.raises(StoreUnavailable) as refused, mongo.opening(database):
        raise OperationFailure("not authorized on history", 13)
    with pytest.raises(StoreUnavailable) as missing:
        await mongo.ping(database)
    await mongo.close(database)

    assert refused.value.hint == missing.value.hint == "it refuses our account"


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


class Things(MongoStore):
    """A store of one collection."""

    async def _prepare(self) -> None:
        await self._database.things.create_index("name")


@pytest.mark.mongodb
async def test_a_store_of_an_older_or_a_later_release_is_refused_and_left_alone(mongodb_url: str) -> None:
    """One clear sentence, and nothing in it is changed; a store of this release opens again and again."""
    database = mongo.connect(mongodb_url)
    await database.things.insert_one({"_id": 1})
    older = Things(mongodb_url)
    with pytest.raises(Unusable, match=r"before 0\.1\.0.*name an empty store"):
        await older.open()
    assert await database.list_collection_names() == ["things"]
    await database.things.drop()

    stores = [Things(mongodb_url) for _ in range(3)]
    await asyncio.gather(*(store.open() for store in stores))
    await stores[0].open()

    await database.schema_version.update_one({"_id": "schema_version"}, {"$set": {"version": 12, "least": 11}})
    assert await older.schema() == (Schema(12, 11), FIRST_VERSION)
    with pytest.raises(Unusable, match="later release, in schema 12"):
        await older.open()
    assert {"schema_version", "things"} == set(await database.list_collection_names())
    for store in (older, *stores):
        await store.close()
    await mongo.close(database)
