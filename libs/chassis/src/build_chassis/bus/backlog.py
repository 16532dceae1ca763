"""One queue of the embedded bus in memory: what is ready, handed over, settled. Decides, does no I/O."""

from collections import deque
from collections.abc import Iterable, Sequence

from build_chassis.bus.contract import Outgoing
from build_chassis.bus.journal import Row, Standing


class Backlog:
    """Positions of one queue, in order.

    Everything up to `loaded_to` is ready, handed over or settled; what comes after it is only in the file.
    """

    def __init__(self, name: str, standing: Standing) -> None:
        self.name = name
        self.loaded_to = standing.settled_to
        self.ready_bytes = 0
        self._ready: deque[Row] = deque()
        self._handed: dict[int, Row] = {}
        self._handed_to = standing.handed_to
        self._settled_ahead = set(standing.settled_ahead)
        self._attempts = dict(standing.attempts)

    @property
    def has_ready(self) -> bool:
        """Whether something can be taken now."""
        return bool(self._ready)

    @property
    def ready(self) -> int:
        """How many can be taken now."""
        return len(self._ready)

    @property
    def settled_to(self) -> int:
        """Everything up to this position is settled."""
        first_open = min(self._handed, default=self.loaded_to + 1)
        if self._ready:
            first_open = min(first_open, self._ready[0].position)
        return first_open - 1

    def standing(self) -> Standing:
        """What has to be kept to go on after a restart."""
        settled_to = self.settled_to
        self._settled_ahead = {position for position in self._settled_ahead if position > settled_to}
        return Standing(
            settled_to,
            max(self._handed_to, settled_to),
            frozenset(self._settled_ahead),
            dict(self._attempts),
        )

    def pass_over(self, position: int) -> None:
        """Nothing of this queue lies between `loaded_to` and this position."""
        self.loaded_to = position

    def add(self, row: Row) -> None:
        """Make the next message ready; one that was settled ahead is only passed over."""
        self.loaded_to = row.position
        if row.position not in self._settled_ahead:
            self._ready.append(row)
            self.ready_bytes += len(row.message.body)

    def take(self, limit: int) -> list[Row]:
        """Hand over the next messages, at most `limit`."""
        rows = [self._ready.popleft() for _ in range(min(limit, len(self._ready)))]
        for row in rows:
            self._handed[row.position] = row
            self.ready_bytes -= len(row.message.body)
        if rows:
            self._handed_to = max(self._handed_to, rows[-1].position)
        return rows

    def handed(self, position: int) -> Outgoing:
        """The message handed over at this position; raises KeyError when it is settled or given back."""
        return self._handed[position].message

    def settle(self, positions: Iterable[int]) -> None:
        """Done with these; unknown positions (settled twice, or given back meanwhile) change nothing."""
        for position in positions:
            if self._handed.pop(position, None) is not None:
                self._settled_ahead.add(position)
                self._attempts.pop(position, None)

    def give_back(self, positions: Iterable[int], limit: int) -> list[Row]:
        """Ready again, in order, counted as an attempt; returns those beyond `limit`, which stay handed over."""
        exhausted: list[Row] = []
        returned: list[Row] = []
        for position in positions:
            row = self._handed.get(position)
            if row is None:
                continue
            self._attempts[position] = self._attempts.get(position, 0) + 1
            if self._attempts[position] > limit:
                exhausted.append(row)
            else:
                returned.append(self._handed.pop(position))
        self._return(returned)
        return exhausted

    def restore(self, row: Row) -> None:
        """Ready again, in order, without another attempt: what became of it could not be written."""
        if self._handed.pop(row.position, None) is not None:
            self._return([row])

    def _return(self, rows: Sequence[Row]) -> None:
        if rows:
            self._ready = deque(sorted((*rows, *self._ready), key=lambda row: row.position))
            self.ready_bytes += sum(len(row.message.body) for row in rows)

    def count_interrupted(self, positions: Sequence[int]) -> None:
        """These were handed over when the process died: an attempt each."""
        for position in positions:
            self._attempts[position] = self._attempts.get(position, 0) + 1

    def attempts(self, position: int) -> int:
        """How often this message came back."""
        return self._attempts.get(position, 0)
