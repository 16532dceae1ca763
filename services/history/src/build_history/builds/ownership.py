"""Ownership: who is on an incident, and what people added to it. Source data: no build shows it. Pure.

It follows the incident's identity: what was added to an incident that was merged into another is read with that one,
and who acknowledged a break has not acknowledged the one that it becomes after it was fixed.
"""

from collections.abc import Iterable
from typing import Literal

from build_protocol.incidents import IncidentState
from build_protocol.model import EpochMs, ShortText, WebUrl, WireModel
from pydantic import Field

NOTES_MAX = 200
LINKS_MAX = 50
EVENTS_MAX = 500

LinkKind = Literal["issue", "revert", "other"]
EventKind = Literal["acknowledged", "released", "assigned", "noted", "linked", "unlinked"]


class TooMuch(ValueError):
    """An incident takes no more of these; reads as a sentence."""


class OwnershipEvent(WireModel):
    """One thing that a person did about an incident."""

    kind: EventKind
    by: ShortText
    at: EpochMs
    text: str = Field("", description="The note, the link's address, or who it was assigned to.")


class IncidentNote(WireModel):
    """What somebody wrote down."""

    text: str
    by: ShortText
    at: EpochMs


class IncidentLink(WireModel):
    """Where more about it is: an issue, the change that reverts its cause."""

    kind: LinkKind
    url: WebUrl
    by: ShortText
    at: EpochMs


class Ownership(WireModel):
    """Who is on an incident, and what they wrote; absent fields: nobody, nothing."""

    acknowledged_by: ShortText | None = Field(None, description="Who is on it.")
    acknowledged_at: EpochMs | None = None
    assignee: ShortText | None = Field(None, description="Who is to repair it.")
    notes: list[IncidentNote] = Field(default_factory=list, description="Oldest first.")
    links: list[IncidentLink] = Field(default_factory=list, description="Oldest first.")
    events: list[OwnershipEvent] = Field(default_factory=list, description="What people did, oldest first.")

    def acknowledged(self, by: str, at: int) -> "Ownership":
        """Somebody is on it, and is to repair it where nobody is; the same person again changes nothing."""
        if self.acknowledged_by == by:
            return self
        return self._with("acknowledged", by, at, acknowledged_by=by, acknowledged_at=at, assignee=self.assignee or by)

    def released(self, by: str, at: int) -> "Ownership":
        """Nobody is on it any more."""
        if self.acknowledged_by is None:
            return self
        assignee = None if self.assignee == self.acknowledged_by else self.assignee
        return self._with("released", by, at, acknowledged_by=None, acknowledged_at=None, assignee=assignee)

    def assigned(self, assignee: str | None, by: str, at: int) -> "Ownership":
        """This person is to repair it, or nobody."""
        return self if assignee == self.assignee else self._with("assigned", by, at, assignee or "", assignee=assignee)

    def noted(self, text: str, by: str, at: int) -> "Ownership":
        """With this note; the same one of the same person again changes nothing. Raises TooMuch."""
        if any((note.text, note.by) == (text, by) for note in self.notes):
            return self
        if len(self.notes) >= NOTES_MAX:
            raise TooMuch(f"an incident takes {NOTES_MAX} notes: go on in an issue, and link it")
        return self._with("noted", by, at, text, notes=[*self.notes, IncidentNote(text=text, by=by, at=at)])

    def linked(self, kind: LinkKind, url: str, by: str, at: int) -> "Ownership":
        """With this link; an address that is there already changes nothing. Raises TooMuch."""
        if any(link.url == url for link in self.links):
            return self
        if len(self.links) >= LINKS_MAX:
            raise TooMuch(f"an incident takes {LINKS_MAX} links: remove one")
        return self._with("linked", by, at, url, links=[*self.links, IncidentLink(kind=kind, url=url, by=by, at=at)])

    def unlinked(self, url: str, by: str, at: int) -> "Ownership":
        """Without this link."""
        kept = [link for link in self.links if link.url != url]
        return self if len(kept) == len(self.links) else self._with("unlinked", by, at, url, links=kept)

    def _with(self, kind: EventKind, by: str, at: int, text: str = "", **changed: object) -> "Ownership":
        events = [*self.events, OwnershipEvent(kind=kind, by=by, at=at, text=text)][-EVENTS_MAX:]
        return self.model_copy(update={**changed, "events": events})


class OwnershipRow(WireModel):
    """The ownership of one incident, as it is stored."""

    incident: ShortText
    project: ShortText
    first_started_at: EpochMs
    ownership: Ownership
    included: list[ShortText] = Field(description="Incidents it absorbed whose ownership is part of this one.")


def ownership_of(state: IncidentState, own: Ownership | None, absorbed: Iterable[Ownership]) -> Ownership | None:
    """What is shown of an incident's ownership; None where nobody did anything."""
    parts = [part for part in (own, *absorbed) if part is not None]
    if not parts:
        return None
    first = next((part for part in parts if part.acknowledged_by is not None), parts[0])
    reopened_at = max((each.at for each in state.transitions if each.kind == "reopened"), default=0)
    is_of_before = first.acknowledged_at is not None and first.acknowledged_at < reopened_at
    links = {link.url: link for part in reversed(parts) for link in part.links}
    return Ownership(
        acknowledged_by=None if is_of_before else first.acknowledged_by,
        acknowledged_at=None if is_of_before else first.acknowledged_at,
        assignee=next((part.assignee for part in parts if part.assignee), None),
        notes=sorted((note for part in parts for note in part.notes), key=lambda note: note.at),
        links=sorted(links.values(), key=lambda link: link.at),
        events=sorted((event for part in parts for event in part.events), key=lambda event: event.at)[-EVENTS_MAX:],
    )
