"""How often a build's row is shown: at once when idle, else the newest row as often as the audience allows. Pure."""

from dataclasses import dataclass, field

from build_gateway.viewers.events import BuildEvent, merge

SHORTEST_SECONDS = 0.02
LONGEST_SECONDS = 1.0
SENDS_PER_SECOND = 5000
"""Rows sent to all viewers together; beyond, rows of busy builds are merged for longer."""
FORGET_SECONDS = 10.0


@dataclass(slots=True)
class Pace:
    """Holds back rows that come too fast, one per build."""

    _shown_at: dict[str, float] = field(default_factory=dict)
    _held: dict[str, BuildEvent] = field(default_factory=dict)
    _interval: float = SHORTEST_SECONDS

    def offer(self, event: BuildEvent, now: float) -> BuildEvent | None:
        """The event to show now, or None: it is held, and `due` has it later."""
        held = self._held.get(event.build_id)
        if held is not None:
            self._held[event.build_id] = merge(held, event)
            return None
        if now - self._shown_at.get(event.build_id, float("-inf")) >= self._interval:
            self._shown_at[event.build_id] = now
            return event
        self._held[event.build_id] = event
        return None

    def due(self, now: float) -> list[BuildEvent]:
        """Held events whose time has come."""
        ready = [build_id for build_id in self._held if now - self._shown_at[build_id] >= self._interval]
        for build_id in ready:
            self._shown_at[build_id] = now
        return [self._held.pop(build_id) for build_id in ready]

    def next_at(self) -> float | None:
        """When to ask `due` again; None: nothing is held."""
        if not self._held:
            return None
        return min(self._shown_at[build_id] for build_id in self._held) + self._interval

    def adapt(self, viewers: int, now: float) -> None:
        """Fit the interval to the audience and the builds busy now."""
        self._shown_at = {
            build_id: at
            for build_id, at in self._shown_at.items()
            if now - at < FORGET_SECONDS or build_id in self._held
        }
        wanted = viewers * len(self._shown_at) / SENDS_PER_SECOND
        self._interval = min(LONGEST_SECONDS, max(SHORTEST_SECONDS, wanted))
