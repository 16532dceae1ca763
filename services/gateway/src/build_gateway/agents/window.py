"""How far one build has come in one session: sent, confirmed by the broker, stored by ingest. Pure."""

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class Run:
    """Consecutive records on their way to the broker."""

    first: int
    last: int
    is_confirmed: bool = False


@dataclass(slots=True)
class BuildWindow:
    """One build's position. `confirmed` and `stored` only grow: both are sent cumulatively."""

    confirmed: int = 0
    stored: int = 0
    next_seq: int | None = None
    resend_from: int | None = None
    verified: bool | None = None
    _runs: deque[Run] = field(default_factory=deque)
    _refused: set[int] = field(default_factory=set)

    @property
    def is_over(self) -> bool:
        """Whether the build is verified, and nothing this session sent of it still waits to be stored."""
        return bool(self.verified) and self.stored >= (self.next_seq or 0) - 1

    def take(self, seq: int) -> bool:
        """Whether this record is next, or a repeat; False: records are missing before it."""
        if self.next_seq is None:
            # The first of this session: earlier records were acked in an earlier one, or ingest asks for them.
            self.next_seq = seq
            self.confirmed = max(self.confirmed, seq - 1)
        while self.next_seq in self._refused:
            self.next_seq += 1
        if seq > self.next_seq:
            return False
        self.next_seq = max(self.next_seq, seq + 1)
        return True

    def refuse(self, seq: int) -> None:
        """This record was answered with REFUSED: its place counts as filled, so nothing waits for it."""
        if len(self._refused) < 10_000:
            self._refused.add(seq)
        if self.next_seq is not None and seq == self.next_seq:
            self.next_seq += 1
        self._advance()

    def sent(self, first: int, last: int) -> Run:
        """These records were handed to the bus."""
        run = Run(first, last)
        self._runs.append(run)
        return run

    def confirm(self, run: Run) -> bool:
        """The broker has this run; True when `confirmed` moved."""
        before = self.confirmed
        run.is_confirmed = True
        self._advance()
        return self.confirmed > before

    def store(self, upto: int, resend_from: int | None, verified: bool | None) -> bool:
        """Ingest's report; True when the agent needs an ACK."""
        news = upto > self.stored or resend_from is not None or (verified is not None and verified != self.verified)
        self.stored = max(self.stored, upto)
        self.confirmed = max(self.confirmed, self.stored)
        if verified is not None:
            self.verified = verified
        if resend_from is not None:
            self.resend_from = resend_from
        self._advance()
        return news

    def _advance(self) -> None:
        while self._runs and self._runs[0].is_confirmed:
            self.confirmed = max(self.confirmed, self._runs.popleft().last)
        while not self._runs and self.confirmed + 1 in self._refused:
            self.confirmed += 1
        if self._refused:
            self._refused = {seq for seq in self._refused if seq > self.confirmed}
