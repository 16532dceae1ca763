"""What every channel promises."""

from typing import Protocol

from build_notifier.records.notification import Notification


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
