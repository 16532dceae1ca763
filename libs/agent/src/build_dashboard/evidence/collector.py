"""The evidence collector of a build: looks at the directories it is built in before, beside and after the command.

What it finds are facts that the output does not show: how long each step took, which tests ran, what the compiler
cache did. Everything has a limit, and nothing that goes wrong here affects the build.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from build_analysis.progress import Progress

from build_dashboard.evidence import compiler_cache
from build_dashboard.evidence.asking import LIMIT_SECONDS
from build_dashboard.evidence.build_tree import TREES_MAX, BuildTree, announced_trees
from build_dashboard.evidence.cmake_watch import read_cmake_steps
from build_dashboard.evidence.compiler_cache import Lookups
from build_dashboard.evidence.configuration import (
    GreenConfigurations,
    configuration_text,
    read_configuration,
    wire_changes,
)
from build_dashboard.evidence.disk import DiskWatch
from build_dashboard.evidence.expectation import Expectation
from build_dashboard.evidence.ninja_watch import NinjaWatch
from build_dashboard.evidence.step_report import read_chain, read_hotspots, step_times
from build_dashboard.redaction.redactor import Redactor

logger = logging.getLogger("build_dashboard")

Update = dict[str, Any]

ANNOUNCED_MAX = 100
"""Directories named by the output that are looked at: a build may print what it likes."""

ANNOUNCED_TREES_MAX = 4

CLOCK_SLACK_SECONDS = 0.02
"""Files carry the time of the kernel's last tick, which is a little before ours."""


class EvidenceCollector:
    """One build's; `begin` as soon as the command runs, `finish` when it has ended."""

    def __init__(
        self,
        build: Mapping[str, Any],
        trees: Sequence[BuildTree],
        environment: Mapping[str, str],
        spool: Path,
        redactor: Redactor,
    ) -> None:
        self.metrics: dict[str, int] = {}
        self._build = build
        self._command: list[str] = build["start"]["command"]
        self._cwd: str = build["start"]["cwd"]
        self._trees = list(trees)
        self._environment = environment
        self._redactor = redactor
        self._since = build["startedAt"] / 1000 - CLOCK_SLACK_SECONDS
        self._greens = GreenConfigurations(spool)
        self._own_trees = len(trees)
        self._watches = [NinjaWatch(tree) for tree in trees]
        self._expectation = Expectation(self._watches)
        self._disk = DiskWatch(self._real_paths)
        self._lookups: dict[str, Lookups] = {}
        self._announced = 0
        self._looking: list[threading.Thread] = []

    def begin(self) -> None:
        """Look at what was there before, beside the command."""
        self._look_aside(self._watches)
        self._disk.start()

    def note_lines(self, lines: Sequence[str]) -> None:
        """Learn of build directories that only the output names, mostly before ninja has built anything in them."""
        try:
            for path in announced_trees(lines, self._cwd):
                self._learn_of(path)
        except Exception:
            logger.exception("a directory that the output names could not be looked at")

    def remaining_ms(self, seen: Progress) -> int | None:
        """How long the build will still take."""
        try:
            return self._expectation.remaining_ms(seen)
        except Exception:
            logger.exception("expecting the build's end failed")
            return None

    def lookups(self) -> Lookups | None:
        """What the compiler caches did since the build began; None where none is in use."""
        changes = [
            done
            for tool, before in list(self._lookups.items())  # a directory found late may add to them meanwhile
            if (now := compiler_cache.count(tool, self._cwd)) and (done := now.since(before))
        ]
        return Lookups(sum(one.hits for one in changes), sum(one.misses for one in changes)) if changes else None

    def finish(self, *, is_green: bool, wall_seconds: float) -> Iterator[Update]:
        """What was found, as updates; afterwards `metrics` is whole."""
        deadline = time.monotonic() + LIMIT_SECONDS
        for thread in self._looking:
            thread.join(max(0.0, deadline - time.monotonic()))
        for look in (self._steps, self._tests, self._configuration, self._cache, self._disk_use):
            try:
                yield from look(is_green, wall_seconds)
            except Exception:
                logger.exception("%s of the build could not be reported", look.__name__.strip("_"))

    def _real_paths(self) -> list[str]:
        """Where something is built, none of them within another."""
        paths = [tree.path for tree in self._trees if tree.is_real]
        return [path for path in paths if not any(path.startswith(f"{other}/") for other in paths)]

    def _learn_of(self, path: str) -> None:
        self._announced += 1
        if self._announced > ANNOUNCED_MAX or len(self._trees) >= TREES_MAX + ANNOUNCED_TREES_MAX:
            return
        if not any(tree.path == path for tree in self._trees) and (tree := BuildTree(path)).is_real:
            self._trees.append(tree)
            self._watches.append(watch := NinjaWatch(tree, self._build["startedAt"] * 1_000_000))
            self._look_aside([watch])

    def _look_aside(self, watches: Sequence[NinjaWatch]) -> None:
        thread = threading.Thread(target=self._look_before, args=(tuple(watches),), name="evidence", daemon=True)
        self._looking.append(thread)
        thread.start()

    def _look_before(self, watches: Sequence[NinjaWatch]) -> None:
        for look in (*(watch.load for watch in watches), self._count_before):
            try:
                look()
            except Exception:
                logger.exception("the build's directories could not be looked at")

    def _count_before(self) -> None:
        texts = [text for tree in self._trees if (text := configuration_text(tree.path))]
        for tool in compiler_cache.tools_in_use(self._command, texts, self._environment):
            if tool not in self._lookups and (lookups := compiler_cache.count(tool, self._cwd)):
                self._lookups[tool] = lookups

    def _steps(self, _is_green: bool, wall_seconds: float) -> Iterator[Update]:
        for watch in self._watches:
            if watch.past is not None:
                watch.read_new()
        # What only the output names may be of a build that a step runs: it counts where the command's own have nothing.
        own = [watch for watch in self._watches[: self._own_trees] if watch.built]
        watch = max(own or self._watches, key=lambda watch: len(watch.built))
        if not watch.built or watch.past is None:
            yield from self._steps_without_log(wall_seconds)
            return
        steps = watch.steps()
        chain = read_chain(watch.tree.path, steps, wall_seconds)
        if chain:
            self.metrics["criticalPathMs"] = sum(step.duration_ms for step in chain)
        targets = read_cmake_steps(watch.tree.path, self._since, wall_seconds).targets
        yield {"stepTimes": step_times(steps, chain, watch.past.durations_ms, targets)}
        if hotspots := read_hotspots(watch.tree.path, steps, self._since, wall_seconds):
            yield {"compileHotspots": hotspots}

    def _steps_without_log(self, wall_seconds: float) -> Iterator[Update]:
        """Makefiles leave no log; where CMake times their commands, it does."""
        found = [read_cmake_steps(tree.path, self._since, wall_seconds) for tree in self._trees]
        most = max(found, key=lambda each: len(each.steps), default=None)
        if most is not None and most.steps:
            yield {"stepTimes": step_times(most.steps, (), {}, most.targets)}

    def _tests(self, _is_green: bool, _wall_seconds: float) -> Iterator[Update]:
        from build_dashboard.evidence.reports import find_reports  # noqa: PLC0415  (when the command is over there is time)

        places = list(dict.fromkeys([self._cwd, *(tree.path for tree in self._trees)]))
        patterns = self._build.get("junit") or []
        reports = find_reports(self._command, self._environment, places, patterns, self._since)
        self.metrics |= reports.metrics()
        yield from reports.updates()

    def _configuration(self, is_green: bool, _wall_seconds: float) -> Iterator[Update]:
        for tree in self._trees:
            configuration = read_configuration(tree.path, self._redactor)
            if not configuration:
                continue
            config = str(self._build.get("config"))
            before = self._greens.find(tree.path, config)
            if before is not None and (changes := wire_changes(before, configuration)):
                yield {"configurationChanges": changes}
            if is_green and before != configuration:
                self._greens.keep(tree.path, config, configuration)
            return

    def _cache(self, _is_green: bool, _wall_seconds: float) -> Iterator[Update]:
        if lookups := self.lookups():
            self.metrics |= {"cacheHits": lookups.hits, "cacheMisses": lookups.misses}
        yield from ()

    def _disk_use(self, _is_green: bool, wall_seconds: float) -> Iterator[Update]:
        if used := self._disk.peak_bytes(wall_seconds):
            self.metrics["diskBytes"] = used
        yield from ()
