"""What every channel promises, and what the rest of the service knows of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from build_chassis.projects import Projects

from build_notifier.records.notification import Notification, State
from build_notifier.settings import Settings

Audience = Literal["people", "rooms", "changes", "commits"]
"""Whom a channel reaches: people by address; a project's rooms, which get all its news; the change that alone is
suspect, whose one message is edited in place; each built commit."""

ANY_OTHER = "*"
"""The scheme of URLs that no channel calls its own."""


class NotSent(Exception):
    """A try failed.

    `permanent`: it was refused, and trying again is pointless. `ambiguous`: nobody knows whether it was taken, so
    trying again may notify somebody twice. Neither: it was surely not taken; `retry_after_seconds` is what we were
    asked to wait.
    """

    def __init__(
        self,
        reason: str,
        *,
        permanent: bool = False,
        ambiguous: bool = False,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.ambiguous = ambiguous
        self.retry_after_seconds = retry_after_seconds


class NotApplicable(Exception):
    """There is nobody to notify after all, e.g. no pull request has the commit; no failure of anything."""


class Channel(Protocol):
    """One way to reach people."""

    async def send(self, notification: Notification) -> str | None:
        """Send it; the provider's id of it, if it gives one. Raises NotSent or NotApplicable; ends within a minute."""
        ...

    async def close(self) -> None:
        """Close pooled connections."""
        ...


class SearchRefused(Exception):
    """The provider does not answer such questions: of this account never (`is_final`), or not now."""

    def __init__(self, reason: str, *, is_final: bool) -> None:
        super().__init__(reason)
        self.is_final = is_final


class Found(NamedTuple):
    """What the provider has of a notification."""

    state: State
    """`accepted`, `delivered` or `failed`."""
    provider_id: str | None


@runtime_checkable
class Searchable(Protocol):
    """A channel whose provider can be asked later whether it took a notification."""

    async def find(self, notification: Notification) -> Found | None:
        """What the provider has; None: nothing yet, which proves nothing. Raises SearchRefused; ends in a minute."""
        ...


class Recipient(NamedTuple):
    """The name of a channel, and the address of whoever is notified through it."""

    channel: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A channel as its module registers it: all that planning, sending and pages know of it."""

    name: str
    """What claims are stored under; it never changes."""
    label: str
    """What pages call it."""
    audience: Audience
    open: Callable[[Settings, Projects], Channel | None]
    """Makes it, by these settings; None where they lack something. It connects on first use."""
    lacking: str
    """What to set where it cannot be opened."""
    schemes: frozenset[str] = frozenset()
    """Of the URLs among config.yaml's `channels` that are its, or `ANY_OTHER`; none where people have addresses."""
    address: Callable[[str], str] = str
    """What the recipient behind such a URL is called where people read it: never a secret."""
    is_judged: bool = False
    """Whether what it shows of a build that failed is whose the failure is."""

    @property
    def is_edited(self) -> bool:
        """Whether a later message about an incident takes the place of the one before."""
        return self.audience == "changes"
