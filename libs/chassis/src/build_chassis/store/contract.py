"""What every service's store promises, whichever driver keeps it."""

from dataclasses import dataclass
from typing import Literal, Protocol

from build_chassis.errors import Unusable

NotedTime = Literal["shown", "agreed", "adopted", "restored"]
"""The time by the clock of whoever uses the store, the last one in no doubt, one a person agreed to, a restore's."""

FIRST_VERSION = 10
"""The schema of release 0.1.0. Lower versions, and stores without one, are of releases before it."""


@dataclass(frozen=True, slots=True)
class Schema:
    """Which release's schema a store has.

    Attributes:
        version: 0 where the store is empty.
        least: The version of the earliest release that may use it. Each release may run beside the one before it.
    """

    version: int
    least: int = FIRST_VERSION


def refuse_foreign(store: str, found: Schema, own: int) -> None:
    """Raise Unusable for a store that is not empty and not for a release of version `own`; it was not changed."""
    if found.version and found.version < FIRST_VERSION:
        raise Unusable(
            f"store {store} was written by a release before 0.1.0, and is not taken over: "
            "name an empty store for this release, and keep that one for the release that wrote it"
        )
    if found.least > own:
        raise Unusable(
            f"store {store} was written by a later release, in schema {found.version}, and this one knows {own}: run "
            "that release, or restore a backup of before it (docs/backup.md)"
        )


class Store(Protocol):
    """A store; every method raises StoreUnavailable when it does not answer."""

    async def open(self) -> None:
        """Connect and make the schema, or the indexes, this release's; doing so again changes nothing.

        Raises:
            StoreUnavailable: A later try may succeed.
            Unusable: Waiting never changes what was found.
        """
        ...

    async def schema(self) -> tuple[Schema, int]:
        """What is stored, opened or not, and the version that an opening makes of it; nothing is changed.

        Raises:
            StoreUnavailable: The store does not answer.
        """
        ...

    async def close(self) -> None:
        """Finish what is in flight and disconnect."""
        ...

    async def ping(self) -> None:
        """Return if the store takes a write.

        Raises:
            StoreUnavailable: It does not.
        """
        ...

    async def noted_time(self, kind: NotedTime) -> int | None:
        """The time of this kind that was noted last, in ms since the Unix epoch; None where none was.

        Raises:
            StoreUnavailable: The store does not answer.
        """
        ...

    async def own_time(self) -> int | None:
        """What time it is by the store's own server, in ms since the Unix epoch; None where it has none.

        Raises:
            StoreUnavailable: The store does not answer.
        """
        ...

    async def note_time(self, kind: NotedTime, at: int) -> None:
        """Note the time, so that a clock that is wrong at the next start is seen. Repeating is harmless.

        Raises:
            StoreUnavailable: The store does not answer.
        """
        ...
