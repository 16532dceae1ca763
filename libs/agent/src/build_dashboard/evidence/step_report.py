"""The step report: what ninja's log and the compilers' traces hold of a finished build, as it stands on the wire."""

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from build_analysis.ninja_files import BuiltStep
from build_analysis.step_graph import StepGraph
from build_analysis.time_trace import Hotspots

from build_dashboard.recording.fitting import fitting

SLOWEST = 50
CHAIN = 200
SLOWEST_BYTES = 12 * 1024
CHAIN_BYTES = 8 * 1024
OUTPUT_CHARACTERS = 500
TARGET_CHARACTERS = 200

GRAPH_BYTES_PER_SECOND = 200 * 1024
"""The graph is read only where that costs less than about half a per cent of the build's time."""

GRAPH_BYTES = 64 * 1024 * 1024
TRACES_MAX = 2000
TRACE_BYTES = 64 * 1024 * 1024
TRACE_SHARE = 0.005
"""Of the build's time, spent on reading traces; the slowest steps' come first."""

_OBJECTS = (".o", ".obj")

Step = dict[str, Any]


def step_times(
    steps: Sequence[BuiltStep], chain: Sequence[BuiltStep], previous_ms: Mapping[str, int], targets: Mapping[str, str]
) -> dict[str, Any]:
    """`stepTimes`: the slowest steps, and the longest chain; of a chain too long for a record its slowest steps.

    Args:
        steps: All that ran.
        chain: Those of them that are the longest chain, first step first.
        previous_ms: How long steps took the time before, by their keys.
        targets: What steps belong to, by their keys.
    """

    def fields(step: BuiltStep) -> Step:
        return _fields(step, previous_ms, targets)

    slowest = sorted(steps, key=_duration, reverse=True)
    in_chain = {step.key for step in _fitting(sorted(chain, key=_duration, reverse=True), fields, CHAIN, CHAIN_BYTES)}
    return {
        "count": len(steps),
        "slowest": [fields(step) for step in _fitting(slowest, fields, SLOWEST, SLOWEST_BYTES)],
        "criticalPath": [fields(step) for step in chain if step.key in in_chain],
    }


def read_chain(tree: str, steps: Sequence[BuiltStep], wall_seconds: float) -> list[BuiltStep]:
    """The longest chain of these steps through the tree's graph; empty where the graph is missing or too large."""
    graph = read_graph(tree, min(GRAPH_BYTES, int(GRAPH_BYTES_PER_SECOND * wall_seconds)))
    return graph.critical_path(steps) if graph is not None else []


def read_graph(tree: str, limit_bytes: int) -> StepGraph | None:
    """The tree's graph; None where there is none, or one larger than this."""
    path = os.path.join(tree, "build.ninja")  # noqa: PTH118  (one string)
    try:
        if os.stat(path).st_size > limit_bytes:  # noqa: PTH116  (as above)
            return None
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123  (as above)
            return StepGraph(file.read())
    except OSError:
        return None


def read_hotspots(
    tree: str,
    steps: Sequence[BuiltStep],
    since: float,
    wall_seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> list[Step]:
    """What compilers spent time on, by the traces beside the objects of these steps written since then."""
    hotspots = Hotspots()
    deadline = clock() + TRACE_SHARE * wall_seconds
    for step in sorted(steps, key=_duration, reverse=True)[:TRACES_MAX]:
        root, extension = os.path.splitext(step.key)  # noqa: PTH122  (thousands of strings)
        if extension not in _OBJECTS:
            continue
        path = os.path.join(tree, f"{root}.json")  # noqa: PTH118  (as above)
        with contextlib.suppress(OSError):
            status = os.stat(path)  # noqa: PTH116  (as above)
            if status.st_mtime >= since and status.st_size <= TRACE_BYTES:
                with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123  (as above)
                    hotspots.add(file.read())
        if hotspots.traces and clock() > deadline:
            break
    spent = ({"output": what, "durationMs": spent_ms} for what, spent_ms in hotspots.greatest_ms(SLOWEST))
    return fitting(spent, SLOWEST)


def _fitting(
    steps: Sequence[BuiltStep], fields: Callable[[BuiltStep], Step], count: int, limit_bytes: int
) -> Sequence[BuiltStep]:
    return steps[: len(fitting(map(fields, steps[:count]), count, limit_bytes))]


def _fields(step: BuiltStep, previous_ms: Mapping[str, int], targets: Mapping[str, str]) -> Step:
    fields: Step = {"output": step.key[:OUTPUT_CHARACTERS], "durationMs": step.duration_ms}
    if step.key in previous_ms:
        fields["previousMs"] = previous_ms[step.key]
    if step.key in targets:
        fields["target"] = targets[step.key][:TARGET_CHARACTERS]
    return fields


def _duration(step: BuiltStep) -> int:
    return step.duration_ms
