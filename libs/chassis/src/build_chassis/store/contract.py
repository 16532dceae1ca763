"""What every service's store promises, whichever driver keeps it."""

from typing import Literal, Protocol

from build_chassis.errors import Unusable

NotedTime = Literal["shown", "agreed"]
"""The time by the clock of whoever uses the store, and the last one that was in no doubt."""

FIRST_VERSION = 10
"""The schema of release 0.1.0. Lower versions, and stores without one, are of releases before it."""


def too_old(store: str) -> Unusable:
    """The error for a store of a release before 0.1.0: nothing of it was changed."""
    return Unusable(
        f"store {store} was written by a release before 0.1.0, and is not taken over: "
        "name an empty store for this release, and keep that one for the release that wrote it"
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
