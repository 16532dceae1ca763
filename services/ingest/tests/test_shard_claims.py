"""Shards: every one has a consumer, none has two for long."""

import pytest
from build_ingest.lifecycle.shard_claims import BEAT_SECONDS, DEAD_SECONDS, GONE_SECONDS, ShardClaims, shard_key

ALL = frozenset(range(8))


class Fleet:
    """Replicas that tick together on one store, and a clock that tests turn."""

    def __init__(self, store) -> None:
        self._store = store
        self.now = 0.0
        self.replicas: dict[str, ShardClaims] = {}
        self.given_back: list[tuple[int, str | None]] = []
        """Shards as they were let go, and who owned them then."""

    def join(self, name: str) -> None:
        self.replicas[name] = ShardClaims(self._store, name)

    async def tick(self) -> dict[str, frozenset[int]]:
        self.now += BEAT_SECONDS
        return {name: await replica.tick(self.now, self._give_back) for name, replica in self.replicas.items()}

    async def _give_back(self, shards: list[int]) -> None:
        owners = {claim.key: claim.owner for claim in await self._store.list_claims()}
        self.given_back += [(shard, owners[shard_key(shard)]) for shard in shards]

    async def settle(self, seconds: float) -> dict[str, frozenset[int]]:
        owned: dict[str, frozenset[int]] = {}
        for _ in range(int(seconds / BEAT_SECONDS) + 1):
            owned = await self.tick()
        return owned


@pytest.fixture
def fleet(store) -> Fleet:
    return Fleet(store)


async def test_a_replica_alone_owns_everything_at_once(fleet) -> None:
    """No wait on an empty store."""
    fleet.join("one")

    assert await fleet.tick() == {"one": ALL}


async def test_a_restarted_replica_owns_everything_at_once(fleet) -> None:
    """A replica that was killed and comes back under its name takes its shards without waiting."""
    fleet.join("one")
    await fleet.tick()
    fleet.join("one")

    assert await fleet.tick() == {"one": ALL}


async def test_replicas_share(fleet) -> None:
    """Two replicas come to half each, three to their share; every shard has exactly one owner."""
    fleet.join("one")
    await fleet.tick()
    for names in (("two",), ("three",)):
        for name in names:
            fleet.join(name)
        owned = await fleet.settle(4 * BEAT_SECONDS)

        assert frozenset().union(*owned.values()) == ALL
        assert sum(map(len, owned.values())) == 8
        assert max(map(len, owned.values())) <= -(-8 // len(owned))


async def test_a_shard_is_given_back_before_another_may_take_it(fleet) -> None:
    """Whoever gives shards back stops consuming them while they are still its own."""
    fleet.join("one")
    await fleet.tick()
    fleet.join("two")

    owned = await fleet.settle(4 * BEAT_SECONDS)

    assert sorted(fleet.given_back) == [(shard, "one") for shard in sorted(owned["two"])]


async def test_a_dead_replicas_shards_are_taken_over(fleet) -> None:
    """When a replica stops beating, the other has everything within the lease and a beat."""
    fleet.join("one")
    fleet.join("two")
    await fleet.settle(4 * BEAT_SECONDS)
    del fleet.replicas["two"]

    early = await fleet.tick()
    late = await fleet.settle(DEAD_SECONDS + BEAT_SECONDS)

    assert len(early["one"]) == 4
    assert late == {"one": ALL}


async def test_a_replica_that_leaves_makes_nobody_wait(fleet) -> None:
    """Released shards are taken at the next beat."""
    fleet.join("one")
    fleet.join("two")
    await fleet.settle(4 * BEAT_SECONDS)
    await fleet.replicas.pop("two").release()

    assert await fleet.tick() == {"one": ALL}


async def test_replicas_that_are_gone_leave_nothing_behind(fleet, store) -> None:
    """However many names there were, as of containers: killed ones go in time, and who leaves takes its own along."""
    for number in range(20):
        fleet.join(f"pod-{number}")
        await fleet.tick()
        if number % 2:
            await fleet.replicas.pop(f"pod-{number}").release()
        else:
            del fleet.replicas[f"pod-{number}"]
    fleet.join("stays")
    assert await fleet.settle(GONE_SECONDS + DEAD_SECONDS) == {"stays": ALL}

    assert [claim.key for claim in await store.list_claims() if claim.key.startswith("replica:")] == ["replica:stays"]


async def test_a_replica_that_was_only_frozen_comes_back(fleet) -> None:
    """Its row is made anew, and it gets its share again."""
    fleet.join("one")
    fleet.join("frozen")
    await fleet.settle(4 * BEAT_SECONDS)
    frozen = fleet.replicas.pop("frozen")
    assert await fleet.settle(GONE_SECONDS + DEAD_SECONDS) == {"one": ALL}
    fleet.replicas["frozen"] = frozen

    owned = await fleet.settle(5 * BEAT_SECONDS)
    assert sorted(map(len, owned.values())) == [4, 4]
