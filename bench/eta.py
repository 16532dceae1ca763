"""Replays one real ninja build against the one before it: how wrong is the forecast, and how wrong a linear one.

`python -m bench.eta [--graph build.ninja] PREVIOUS.ninja_log CURRENT.ninja_log ...`: copies of one build directory's
`.ninja_log`, each taken after one more build; every log is replayed against the log before it.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from build_analysis.eta import Forecast, PastBuild, linear_ms
from build_analysis.ninja_files import BuiltOutput, BuiltStep, read_ninja_log, steps_of
from build_analysis.step_graph import Followers, StepGraph

MOMENTS = (25, 50, 75)
"""Per cent of the build's time at which it is asked."""


def replay(
    previous: Sequence[BuiltOutput], steps: Sequence[BuiltStep], graph: StepGraph | None = None
) -> dict[int, tuple[float, float]]:
    """At each moment, by how many per cent of the time really left the forecast and the linear one are wrong."""
    ordered = sorted(steps, key=lambda step: step.ended_ms)
    wall_ms = ordered[-1].ended_ms
    forecast = Forecast(PastBuild(previous), lambda: Followers(graph) if graph else None)
    errors: dict[int, tuple[float, float]] = {}
    finished = 0
    for percent in MOMENTS:
        now_ms = wall_ms * percent / 100
        done = sum(step.ended_ms <= now_ms for step in ordered)
        forecast.finish(ordered[finished:done])
        finished = done
        left_ms = wall_ms - now_ms
        ours = forecast.remaining_ms(done, len(ordered), now_ms)
        theirs = linear_ms(done, len(ordered), now_ms)
        errors[percent] = (_error(ours, left_ms), _error(theirs, left_ms))
    return errors


def _error(forecast_ms: int | None, left_ms: float) -> float:
    # No forecast is as wrong as one of nothing left.
    return 100 * abs((forecast_ms or 0) - left_ms) / left_ms


def main() -> None:
    """Print the table of docs/eta.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", nargs="+", type=Path, metavar="NINJA_LOG")
    parser.add_argument("--graph", type=Path, metavar="BUILD_NINJA")
    arguments = parser.parse_args()
    paths = arguments.logs
    graph = StepGraph(arguments.graph.read_text()) if arguments.graph else None
    logs = [read_ninja_log(path.read_text()) for path in paths]
    columns = "".join(f"  {percent:>4} % ours / linear" for percent in MOMENTS)
    print(f"{'build':24} {'steps':>6} {'wall s':>7}{columns}")
    rows = []
    for path, before, after in zip(paths[1:], logs, logs[1:], strict=False):
        known = set(before)
        steps = steps_of(entry for entry in after if entry not in known)
        if not steps:
            print(f"{path.name:24} nothing was built")
            continue
        rows.append(errors := replay(before, steps, graph))
        wall = max(step.ended_ms for step in steps) / 1000
        cells = "".join(f"  {errors[percent][0]:9.1f} / {errors[percent][1]:7.1f}" for percent in MOMENTS)
        print(f"{path.name:24} {len(steps):6} {wall:7.1f}{cells}")
    if rows:
        means = [(mean(row[percent][0] for row in rows), mean(row[percent][1] for row in rows)) for percent in MOMENTS]
        print(f"{'mean absolute error, %':39}" + "".join(f"  {ours:9.1f} / {theirs:7.1f}" for ours, theirs in means))


if __name__ == "__main__":
    main()
