"""Shards: which replica consumes which of the 8 ingest queues.

A replica shows that it lives by raising the beat of its claims; others watch beats with their own clocks, so no two
clocks are compared. A shard consumed twice for a moment damages nothing: the store's condition decides.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection

from build_protocol.ids import SHARDS

from build_ingest.store.contract import BuildStore, Claim

_REPLICA = "replica:"
BEAT_SECONDS = 3.0
DEAD_SECONDS = 12.0
"""A claim whose beat stood still this long is anybody's."""

GONE_SECONDS = 60.0
"""A replica whose beat stood still this long is forgotten; one that was only frozen comes back as a new one."""


class ShardClaims:
    """This replica's claims. `tick` is one step of its duty."""

    def __init__(self, store: BuildStore, replica: str) -> None:
        self._store = store
        self._replica = replica
        self._beats = _BeatWatch()

    async def tick(self, now: float, give_back: Callable[[list[int]], Awaitable[None]]) -> frozenset[int]:
        """Raise our beats, give back what is too much, take what is free; the shards that are ours now.

        `give_back` is awaited with the shards to be given back before anybody may take them.
        """
        claims = {claim.key: claim for claim in await self._store.list_claims()}
        alive = self._beats.alive(claims.values(), now)
        for claim in self._beats.gone(claims.values(), now):
            if claim.key.startswith(_REPLICA) and claim.key != replica_key(self._replica):
                await self._store.drop_claim(claim)
        changes = plan_claims(self._replica, claims, alive)
        await give_back([shard for shard in range(SHARDS) if any(_gives_back(change, shard) for change in changes)])
        done = await asyncio.gather(*(self._store.claim(before, after) for before, after in changes))
        ours = {after.key for (_, after), is_ours in zip(changes, done, strict=True) if is_ours and after.owner}
        return frozenset(shard for shard in range(SHARDS) if shard_key(shard) in ours)

    async def release(self) -> None:
        """Give everything back, so that others need not wait."""
        for claim in await self._store.list_claims():
            if claim.key == replica_key(self._replica):
                await self._store.drop_claim(claim)
            elif claim.owner == self._replica:
                await self._store.claim(claim, Claim(claim.key, None, claim.beat + 1))


def plan_claims(replica: str, claims: dict[str, Claim], alive: frozenset[str]) -> list[tuple[Claim, Claim]]:
    """Changes of claims, each with its condition: our share is the shards divided by the living replicas."""
    self_key = replica_key(replica)
    changes = [_beat(claims.get(self_key, Claim(self_key, None, 0)), replica)]
    others = {claim.owner for key, claim in claims.items() if key in alive and key.startswith(_REPLICA) and claim.owner}
    share = math.ceil(SHARDS / len(others | {replica}))
    shards = [claims.get(shard_key(shard), Claim(shard_key(shard), None, 0)) for shard in range(SHARDS)]
    ours = [claim for claim in shards if claim.owner == replica]
    free = [claim for claim in shards if claim.owner != replica and (claim.owner is None or claim.owner not in others)]
    changes += [_beat(claim, replica) for claim in ours[:share]]
    changes += [_beat(claim, None) for claim in ours[share:]]
    changes += [_beat(claim, replica) for claim in free[: max(0, share - len(ours))]]
    return changes


def shard_key(shard: int) -> str:
    """The key of the claim on a shard."""
    return f"shard:{shard}"


def replica_key(replica: str) -> str:
    """The key by which a replica shows that it lives."""
    return f"{_REPLICA}{replica}"


def _gives_back(change: tuple[Claim, Claim], shard: int) -> bool:
    before, after = change
    return before.key == shard_key(shard) and before.owner is not None and after.owner is None


def _beat(claim: Claim, owner: str | None) -> tuple[Claim, Claim]:
    return claim, Claim(claim.key, owner, claim.beat + 1)


class _BeatWatch:
    """Since when each beat stands still, by our clock."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float]] = {}

    def alive(self, claims: Collection[Claim], now: float) -> frozenset[str]:
        before, self._seen = self._seen, {}
        for claim in claims:
            beat, since = before.get(claim.key, (-1, now))
            self._seen[claim.key] = (claim.beat, since if beat == claim.beat else now)
        return frozenset(
            claim.key for claim in claims if claim.owner is not None and now - self._since(claim) < DEAD_SECONDS
        )

    def gone(self, claims: Collection[Claim], now: float) -> list[Claim]:
        """Those that stood still for so long that nobody waits for them; `alive` has seen them before."""
        return [claim for claim in claims if now - self._since(claim) >= GONE_SECONDS]

    def _since(self, claim: Claim) -> float:
        return self._seen[claim.key][1]
