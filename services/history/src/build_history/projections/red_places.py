"""Red places: on which branches, of any project, one failure is red now. Pure."""

from collections.abc import Iterable

from build_protocol.incidents import IncidentState
from build_protocol.model import EpochMs, WireModel
from pydantic import Field

CONFIGS_MAX = 20
PLACES_MAX = 20


class RedPlace(WireModel):
    """A branch with an open incident that shows the failure."""

    project: str
    branch: str | None = None
    incident: str
    first_started_at: EpochMs = Field(description="Start of its first red build.")
    configs: list[str] = Field(description=f"Those that are red, {CONFIGS_MAX} at most.")


def red_places(signature: str, incidents: Iterable[IncidentState]) -> list[RedPlace]:
    """Where a failure of this signature is red, the longest so first: `PLACES_MAX` at most."""
    found = [
        RedPlace(
            project=incident.project,
            branch=incident.branch,
            incident=incident.id,
            first_started_at=incident.first_started_at,
            configs=sorted(each.config for each in incident.members if each.recovered_at is None)[:CONFIGS_MAX],
        )
        for incident in incidents
        if incident.state == "open" and any(face.signature == signature for face in incident.faces)
    ]
    return sorted(found, key=lambda place: (place.first_started_at, place.incident))[:PLACES_MAX]
