"""What notifier's store promises, whichever driver keeps it.

Three kinds of rows: branches, notifications, mutes. A row is replaced only in the version it was read at, so of two
replicas that decide the same thing one learns that it lost. Everything else is computed above, by pure functions.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from build_chassis.store.contract import Store

from build_notifier.records.branch import Branch
from build_notifier.records.mutes import Mute
from build_notifier.records.notification import Notification


@dataclass(frozen=True, slots=True)
class StoredBranch:
    """A branch and its version."""

    branch: Branch
    version: int


@dataclass(frozen=True, slots=True)
class NotificationQuery:
    """Which notifications to list. None means any; `projects` None means all, empty means none."""

    limit: int
    projects: Collection[str] | None = None
    state: str | None = None
    incident: str | None = None
    build_id: str | None = None
    after: tuple[int, str] | None = None
    """(created_at, id) of the last one already shown."""


class NotifierStore(Store, Protocol):
    """The store; every method raises StoreUnavailable when it does not answer."""

    async def branches(self, keys: Collection[str]) -> dict[str, StoredBranch]:
        """Those of these branches that are known, by key."""
        ...

    async def put_branch(self, branch: Branch, replaces: int) -> bool:
        """Store the branch if its version still is `replaces` (0: it is new); False when it is not. Key: its key."""
        ...

    async def due_branches(self, now_ms: int, limit: int) -> list[StoredBranch]:
        """Branches with a transition that is due, the longest waiting first."""
        ...

    async def branches_of(self, project: str, limit: int) -> list[StoredBranch]:
        """Branches of a project, the last touched first."""
        ...

    async def claim(self, notifications: Sequence[Notification]) -> set[str]:
        """Insert those whose id is new; their ids. Repeating it inserts nothing. Key: the id."""
        ...

    async def notifications(self, ids: Collection[str]) -> dict[str, Notification]:
        """Those of these notifications that exist."""
        ...

    async def due_notifications(self, now_ms: int, limit: int) -> list[Notification]:
        """Notifications whose next step is due, the longest waiting first."""
        ...

    async def put_notification(self, notification: Notification) -> Notification | None:
        """Replace the version it was read at, and return the new one; None when it changed meanwhile. Key: the id."""
        ...

    async def list_notifications(self, query: NotificationQuery) -> list[Notification]:
        """Notifications by (created_at, id), newest first, that match every filter given."""
        ...

    async def put_mute(self, mute: Mute) -> None:
        """Store the mute, in place of an earlier state of it. Key: the id."""
        ...

    async def drop_mute(self, mute_id: str) -> bool:
        """Forget the mute; False when there was none."""
        ...

    async def mutes(self) -> list[Mute]:
        """All mutes, those that end last first."""
        ...

    async def count(self, before_at: int | None = None) -> int:
        """How many notifications there are, or are settled and older."""
        ...

    async def forget(self, before_at: int, limit: int) -> int:
        """Forget what is older: settled notifications, idle branches, ended mutes; how many rows went, at most 3x."""
        ...
