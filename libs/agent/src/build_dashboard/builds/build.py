"""A build, as a program may report of it."""

from typing import Protocol

from build_dashboard.reportable import Outcome, Phase, Stream


class Build(Protocol):
    """A build that a program reports of: one that it drives itself, or the one it runs in."""

    @property
    def build_id(self) -> str:
        """Its id."""

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody cancelled it on the dashboard: end it when you can."""

    def phase(self, name: Phase) -> None:
        """Record that a phase begins."""

    def log(self, text: str, stream: Stream = "out") -> None:
        """Print into its log."""

    def metric(self, name: str, value: float) -> None:
        """Record a number."""

    def progress(self, percent: float, step: str | None = None) -> None:
        """Record how far it is, from 0 to 100, and what it is doing."""

    def test(self, name: str, outcome: Outcome, seconds: float | None = None) -> None:
        """Record the result of a test."""
