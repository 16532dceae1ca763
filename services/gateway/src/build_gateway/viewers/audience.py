"""The audience: the viewers of this gateway, what is shown to whom, and whose rights have ended."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from build_gateway.viewers.events import BuildEvent, LogEvent

LOOK_SECONDS = 1.0


class Viewer(Protocol):
    """A viewer's session, as far as the audience needs it."""

    user: str

    def offer_build(self, event: BuildEvent) -> None:
        """Show a changed row, if it is wanted."""
        ...

    def offer_log(self, event: LogEvent) -> None:
        """Show log lines, if they are wanted."""
        ...

    def resync(self, build_id: str | None, reason: str) -> None:
        """Ask it to read again."""
        ...

    async def look(self) -> None:
        """End the session when its rights ended or it reads nothing."""
        ...


class Audience:
    """All viewers, and who follows which build's log."""

    def __init__(self) -> None:
        self._viewers: set[Viewer] = set()
        self._followers: dict[str, set[Viewer]] = {}
        self.bind: Callable[[str], Awaitable[None]] = _nothing
        """Called when a build gains its first follower."""
        self.unbind: Callable[[str], Awaitable[None]] = _nothing
        """Called when it lost its last."""

    def __len__(self) -> int:
        return len(self._viewers)

    @property
    def followed(self) -> list[str]:
        """Builds somebody follows."""
        return list(self._followers)

    def join(self, viewer: Viewer) -> None:
        """A viewer connected."""
        self._viewers.add(viewer)

    async def leave(self, viewer: Viewer, followed: frozenset[str]) -> None:
        """A viewer disconnected."""
        self._viewers.discard(viewer)
        await self.follow(viewer, before=followed, after=frozenset())

    async def follow(self, viewer: Viewer, *, before: frozenset[str], after: frozenset[str]) -> None:
        """The viewer follows other builds now; returns once their log text is received."""
        for build_id in after - before:
            self._followers.setdefault(build_id, set()).add(viewer)
            # Also for a second follower: the first one's binding may still be on its way.
            await self.bind(build_id)
        for build_id in before - after:
            followers = self._followers.get(build_id, set())
            followers.discard(viewer)
            if not followers and self._followers.pop(build_id, None) is not None:
                await self.unbind(build_id)

    def show_build(self, event: BuildEvent) -> None:
        """Offer a changed row to everybody."""
        for viewer in self._viewers:
            viewer.offer_build(event)

    def show_log(self, event: LogEvent) -> None:
        """Offer log lines to those who follow the build."""
        for viewer in self._followers.get(event.build_id, ()):
            viewer.offer_log(event)

    def resync(self, reason: str) -> None:
        """Something was missed: everybody reads again."""
        for viewer in self._viewers:
            viewer.resync(None, reason)

    async def look_at(self, user: str) -> None:
        """Look at this person's sessions now: their rights changed."""
        for viewer in [viewer for viewer in self._viewers if viewer.user == user]:
            await viewer.look()

    async def watch(self) -> None:
        """Look at every session; one whose rights take a while to be found out keeps no other waiting."""
        await asyncio.gather(*(viewer.look() for viewer in list(self._viewers)))


async def _nothing(build_id: str) -> None:
    """Before the live listener runs nothing needs binding: it binds what is followed when it starts."""
