"""What every service's store promises, whichever driver keeps it."""

from typing import Protocol


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
        """Return if the store answers.

        Raises:
            StoreUnavailable: It does not.
        """
        ...
