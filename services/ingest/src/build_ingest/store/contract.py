"""What ingest's store promises, whichever driver carries it.

Three shapes of access: `advance` appends under a condition, `read_chunks` reads a range, `replace` changes a row
under a condition. Everything computed stands above, in pure functions.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from build_chassis.store.contract import Store
from build_protocol.ids import LEAST_DIGITS, BuildName
from build_protocol.messages import BuildStart
from build_protocol.views import Build

from build_ingest.records.archive_label import ArchiveStep
from build_ingest.records.chunk import Chunk
from build_ingest.records.fold import BuildState
from build_ingest.records.plan import Step
from build_ingest.store.findings import FindingsStore

Following = Literal["seq", "line", "byte"]
"""By what a range of chunks begins: the chunk that holds record, line or text byte `at`."""


LAST_PLACE = "9"
"""Beyond every place."""


UNSUCCESSFUL = ("failed", "cancelled", "timed_out", "lost")


class Conflict(Exception):
    """Another writer moved a build meanwhile: read it again and decide again. Nothing of the call is half done."""


class StoredChunkMissing(RuntimeError):
    """Chunks of a build do not follow each other: a merge is under way, or the store is damaged."""

    def __init__(self, build_id: str, seq: int) -> None:
        super().__init__(f"build {build_id}: no chunk begins at record {seq}")


@dataclass(frozen=True, slots=True)
class BuildQuery:
    """Which builds to list. None and empty mean any; `projects` None means all, empty means none."""

    projects: Collection[str] | None = None
    branch: str | None = None
    config: str | None = None
    statuses: Collection[str] = ()
    commit_prefix: str | None = None
    agent: str | None = None
    retry_of: str | None = None
    name: BuildName | None = None
    """Those that answer to it. An index answers for both ends of an id, however many builds there are."""
    text: str | None = None
    """Found in subject, author, branch, config, command, commit or id, in any case."""
    before: str | None = None
    """`place_of` the last build already shown."""
    limit: int = 50


def place_of(build: Build) -> str:
    """Where a build stands in lists: by its start, then its id. One string, so that any index can sort by it.

    The agent's own clock counts only where no gateway stamped the build.
    """
    return f"{place_at(build.began_at or 0)}.{build.id}"


def place_at(started_at: int) -> str:
    """Where builds that started then begin in lists."""
    return f"{started_at:016d}"


def tail_of(build_id: str) -> str:
    """The end of an id that is kept beside it with an index of its own: as much as every name has."""
    return build_id[-LEAST_DIGITS:]


@dataclass(frozen=True, slots=True)
class Claim:
    """Who claims to own `key` (a shard, or a replica itself); `beat` grows while the owner lives."""

    key: str
    owner: str | None
    beat: int


class ChunkSource(Protocol):
    """Where the chunks of builds are read."""

    async def read_chunks(self, build_id: str, by: Following, at: int, limit: int) -> list[Chunk]:
        """Chunks in order, from the one that holds `at` on. None of them overlap; a damaged order raises."""
        ...


class BuildStore(Store, ChunkSource, FindingsStore, Protocol):
    """Builds, their chunks, what was found in them. All methods raise StoreUnavailable where it does not answer."""

    async def advance(self, steps: Sequence[Step]) -> None:
        """Commit steps durably; key (build id, first seq of each chunk), condition: revision is `before`'s.

        A step that is stored already, or that another writer overtook, raises Conflict.
        """
        ...

    async def replace(self, before: BuildState, after: BuildState) -> bool:
        """Replace a build's row if its revision still is `before`'s; False when it is not."""
        ...

    async def compact(self, merged: Chunk) -> None:
        """Put `merged` in place of the chunks it was made of; key (build id, first seq). Repeating is harmless."""
        ...

    async def find(self, build_id: str) -> BuildState | None:
        """A build's state as of its last finished step: what readers are shown."""
        ...

    async def load(self, build_id: str) -> BuildState | None:
        """A build's state with everything stored folded in: what a writer decides by."""
        ...

    async def find_start(self, build_id: str) -> BuildStart | None:
        """A build's first record."""
        ...

    async def list_builds(self, query: BuildQuery) -> list[Build]:
        """Builds, newest start first."""
        ...

    async def read_tail(self, build_id: str, limit: int) -> list[Chunk]:
        """The last chunks of a build, in order."""
        ...

    async def read_events(self, build_id: str, after_seq: int, limit: int) -> list[Chunk]:
        """Chunks that hold records which are not log, of seqs after `after_seq`, in order."""
        ...

    async def list_open(self, shards: Collection[int]) -> list[BuildState]:
        """Builds of these shards that run, wait for verification, or have a verdict to be published."""
        ...

    async def list_open_revisions(self, shards: Collection[int]) -> dict[str, int]:
        """The revision of each build that `list_open` lists, by build id."""
        ...

    async def list_archives(
        self, step: ArchiveStep, shards: Collection[int], after: str, limit: int, before: str = LAST_PLACE
    ) -> list[BuildState]:
        """Builds of these shards whose archive is at this step, between two places (exclusive), oldest first."""
        ...

    async def list_stale(
        self, rules: str, shards: Collection[int], since: str, before: str | None, limit: int
    ) -> list[BuildState]:
        """Builds of these shards that ended without success and were read by other rules, between places, newest first.

        Those that somebody must look after are left out.
        """
        ...

    async def drop_text(self, build_id: str, limit: int) -> int:
        """Drop the text of up to `limit` chunks; how many had some. Key (build id, first seq)."""
        ...

    async def list_forgettable(self, before_at: int, limit: int) -> list[BuildState]:
        """Up to `limit` builds that were received before this time and that nobody must look after."""
        ...

    async def count(self, before_at: int | None = None) -> int:
        """How many builds there are, or were received before this time."""
        ...

    async def list_received(self, since_at: int, before_at: int, after: str, limit: int) -> list[BuildState]:
        """Builds that were received in this span and whose id is greater, by id."""
        ...

    async def log_bytes(self) -> dict[str, int]:
        """How many bytes of log the builds of each project have, by project."""
        ...

    async def forget(self, build_ids: Collection[str]) -> None:
        """Delete builds and all that is theirs; key build id: what a call that died has left, the next one deletes."""
        ...

    async def list_claims(self) -> list[Claim]:
        """All claims on shards, and all replicas."""
        ...

    async def claim(self, before: Claim, after: Claim) -> bool:
        """Replace a claim if it still is `before` (owner None and beat 0: absent); key is `key`."""
        ...

    async def drop_claim(self, claim: Claim) -> None:
        """Delete a claim if it still is as given; key is `key`, and deleting again changes nothing."""
        ...


def in_order(chunks: Sequence[Chunk]) -> list[Chunk]:
    """Chunks without those whose records an earlier, merged one holds already; raises StoredChunkMissing on a hole."""
    kept: list[Chunk] = []
    for chunk in chunks:
        if kept and chunk.last_seq <= kept[-1].last_seq:
            continue
        if kept and chunk.first_seq != kept[-1].last_seq + 1:
            raise StoredChunkMissing(chunk.build_id, kept[-1].last_seq + 1)
        kept.append(chunk)
    return kept
