"""What only the MongoDB driver has to promise: changing an admin takes several writes there."""

from collections.abc import AsyncIterator

import pytest
from build_chassis.store import mongo
from build_gateway.store.contract import LastAdmin
from build_gateway.store.mongo import MongoGatewayStore
from build_gateway.store.rows import User
from build_testkit.stores import opened

pytestmark = pytest.mark.mongodb


@pytest.fixture
async def store(mongodb_url: str) -> AsyncIterator[MongoGatewayStore]:
    async with opened(MongoGatewayStore(mongodb_url)) as made:
        yield made


async def test_an_admin_whose_change_was_cut_off_still_counts(store: MongoGatewayStore, mongodb_url: str) -> None:
    """A gateway that died between announcing a change and making it does not block changes of the other admin."""
    for name in ("ann", "bob"):
        await store.add_user(User(name=name, role="admin", password_hash="h", created_at=1))
    database = mongo.connect(mongodb_url)
    await database["users"].update_one({"_id": "ann"}, {"$set": {"leaving": "by a gateway that is dead"}})
    await mongo.close(database)

    changed = await store.change_user("bob", lambda now: now.model_copy(update={"disabled": True}))

    assert changed is not None
    with pytest.raises(LastAdmin):
        await store.change_user("ann", lambda now: now.model_copy(update={"disabled": True}))
