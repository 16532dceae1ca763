"""Watching one ninja log grow: what was built before the command, and what the command builds."""

import os
from collections.abc import Sequence

from build_analysis.eta import PastBuild
from build_analysis.ninja_files import BuiltOutput, BuiltStep, read_entries, read_ninja_log, steps_of

from build_dashboard.evidence.build_tree import LOG_BYTES, BuildTree

STAMP_SLACK_NS = 20_000_000
"""A file system's clock goes by ticks: what it stamps may seem to have begun this much earlier."""


class NinjaWatch:
    """One tree's log. `load` once, then `read_new` as often as is worth it.

    Of a tree found while the command ran `begun_ns` is when that began (ns since the epoch): whatever the log says was
    begun later is the command's, though it was there when the log was first looked at.
    """

    def __init__(self, tree: BuildTree, begun_ns: int | None = None) -> None:
        self.tree = tree
        self._begun_ns = begun_ns
        self.past: PastBuild | None = None
        self.built: list[BuiltOutput] = []
        """What the command has built so far, in ninja's order."""

        self._before: frozenset[BuiltOutput] = frozenset()
        self._number, self._offset = tree.log_number, tree.logged_bytes
        self._rest = b""

    def load(self) -> None:
        """Read what was logged before the command."""
        text = self.tree.log_before()
        try:
            entries = read_ninja_log(text) if text else []
        except ValueError:
            entries = []
        if self._begun_ns is not None:
            since_ns = self._begun_ns - STAMP_SLACK_NS
            self.built += [entry for entry in entries if entry.stamp_ns >= since_ns]
            entries = [entry for entry in entries if entry.stamp_ns < since_ns]
        self._before = frozenset(entries)
        self.past = PastBuild(entries)

    def read_new(self) -> Sequence[BuiltOutput]:
        """What was built since the last time."""
        try:
            with open(self.tree.log_path, "rb") as file:  # noqa: PTH123  (once a second)
                status = os.fstat(file.fileno())
                is_same = status.st_ino == self._number and status.st_size >= self._offset
                if is_same and status.st_size == self._offset:
                    return ()
                file.seek(self._offset if is_same else 0)
                data = file.read(LOG_BYTES)
                self._number, self._offset = status.st_ino, file.tell()
        except OSError:
            return ()
        if is_same:
            data = self._rest + data
            known = frozenset[BuiltOutput]()
        else:
            # ninja wrote the log anew: what is in it and was not before is the command's.
            known = self._before | frozenset(self.built)
        whole, _, self._rest = data.rpartition(b"\n")
        new = [entry for entry in read_entries(whole.decode("utf-8", "replace")) if entry not in known]
        self.built += new
        return new

    def steps(self) -> list[BuiltStep]:
        """The steps the command ran; of a step that ran twice the last time."""
        return list({step.key: step for step in steps_of(self.built)}.values())
