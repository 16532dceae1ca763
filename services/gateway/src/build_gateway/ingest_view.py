"""What the gateway asks ingest for its agents: how far builds are stored, and who owns them."""

from collections.abc import Collection
from dataclasses import dataclass

from build_chassis.auth import Principal
from build_chassis.questions import stored_builds
from build_chassis.service_client import JsonClient
from build_protocol.views import StoredBuild

GATEWAY = Principal(name="gateway", role="admin", projects=None, kind="service")
"""As whom the gateway itself asks."""


@dataclass(frozen=True, slots=True)
class IngestView:
    """Small questions to ingest, each answered within a second or not at all (None): agents never wait for it."""

    client: JsonClient | None

    async def stored(self, build_ids: Collection[str]) -> dict[str, StoredBuild] | None:
        """What is stored of these builds; those ingest does not know are absent. None: no answer in time."""
        return await stored_builds(self.client, GATEWAY, build_ids)
