"""Who owns a build: the agent that started it, as ingest has it; until ingest does, the one that came with it first."""

from collections import OrderedDict
from dataclasses import dataclass

from build_protocol.views import StoredBuild

from build_gateway.ingest_view import IngestView

CACHED_BUILDS = 10_000
"""Owners known here, and untrusted builds whose bytes are counted here."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The agent and project a build began with. Not `is_confirmed`: this gateway saw it, ingest did not say so yet."""

    agent: str | None
    project: str
    is_confirmed: bool = False


@dataclass(slots=True)
class Room:
    """What an untrusted build may still send, over all of its connections; records sent again cost nothing."""

    left_bytes: int
    upto: int = 0

    def take(self, seq: int, size_bytes: int) -> bool:
        """Whether this record still fits."""
        if seq > self.upto:
            self.upto = seq
            self.left_bytes -= size_bytes
        return self.left_bytes >= 0


class BuildOwners:
    """Owners of the builds this gateway saw recently; ingest is asked once about each other build."""

    def __init__(self, ingest: IngestView) -> None:
        self._ingest = ingest
        self._owners: OrderedDict[str, Owner] = OrderedDict()
        self._rooms: OrderedDict[str, Room] = OrderedDict()

    def find(self, build_id: str) -> Owner | None:
        """The owner as far as known here."""
        owner = self._owners.get(build_id)
        if owner is not None:
            self._owners.move_to_end(build_id)
        return owner

    def claim(self, build_id: str, agent: str, project: str) -> None:
        """This agent sent the first record of the build seen here, and no other owner is known."""
        self._remember(build_id, Owner(agent, project))

    def confirm(self, build_id: str, agent: str | None, project: str) -> None:
        """Ingest has this agent as the build's."""
        self._remember(build_id, Owner(agent, project, is_confirmed=True))

    def limit(self, build_id: str, size_bytes: int) -> None:
        """The build is untrusted: so many bytes of its records are taken here."""
        self._rooms.setdefault(build_id, Room(size_bytes))
        if len(self._rooms) > CACHED_BUILDS:
            self._rooms.popitem(last=False)

    def room(self, build_id: str) -> Room | None:
        """What an untrusted build may still send; None for any other."""
        return self._rooms.get(build_id)

    async def ask(self, build_ids: list[str]) -> dict[str, StoredBuild] | None:
        """What ingest stores of the builds; None when it does not answer in time (ingest checks again itself)."""
        answer = await self._ingest.stored(build_ids)
        for build_id, build in (answer or {}).items():
            self.confirm(build_id, build.agent, build.project)
        return answer

    def _remember(self, build_id: str, owner: Owner) -> None:
        self._owners[build_id] = owner
        self._owners.move_to_end(build_id)
        if len(self._owners) > CACHED_BUILDS:
            self._owners.popitem(last=False)
