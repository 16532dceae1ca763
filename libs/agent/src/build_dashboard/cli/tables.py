"""Tables: builds as a person reads them in a terminal, in as many columns as it has."""

import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

from build_protocol.ids import short_id
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from build_dashboard.cli.wording import age, duration, first_error, moment

COLOURS = {
    "succeeded": "green",
    "failed": "red",
    "timed_out": "red",
    "lost": "magenta",
    "running": "blue",
    "queued": "cyan",
    "cancelled": "yellow",
}
HEADINGS = ("id", "status", "project", "branch", "config", "took", "started")
CUT = (2, 3, 4)
"""Columns that are cut where a line is too narrow; the others say nothing when they are."""

LEAST_CELLS = 6
GAP_CELLS = 2


def show_builds(builds: Sequence[dict[str, Any]], *, with_errors: bool = False) -> None:
    """A line a build, and its first error below where wanted; only a terminal's width cuts names."""
    width = _console().width if sys.stdout.isatty() else None
    for line in build_lines(builds, width, int(time.time() * 1000), with_errors=with_errors):
        _console().print(line, soft_wrap=True)


def build_lines(
    builds: Sequence[dict[str, Any]], width: int | None, now_ms: int, *, with_errors: bool = False
) -> Iterable[Text]:
    """The table; without a width, as for programs, ids and times are whole and nothing is cut."""
    ids = [build["id"] for build in builds]
    ends = [short_id(build_id) for build_id in ids]
    names = [end if width is not None and ends.count(end) == 1 else whole for end, whole in zip(ends, ids, strict=True)]
    rows = [HEADINGS, *(_cells(build, name, width, now_ms) for build, name in zip(builds, names, strict=True))]
    widths = fitted([[cell_len(cell) for cell in row] for row in rows], width)
    for at, row in enumerate(rows):
        line = Text("", style="bold" if at == 0 else "")
        for number, (cell, room) in enumerate(zip(row, widths, strict=True)):
            style = COLOURS.get(builds[at - 1]["status"], "") if at and number == 1 else ""
            line.append(set_cell_size(middle_cut(cell, room), room), style).append(" " * GAP_CELLS)
        line.rstrip()
        yield line
        if at and with_errors and (error := first_error(builds[at - 1])):
            yield Text(middle_cut(f"  {error}", width or len(error) + 2), style="dim")


def fitted(cells: Sequence[Sequence[int]], width: int | None) -> list[int]:
    """The columns' widths, given those of their cells; the widest that may be cut gives way first."""
    widths = [max(column) for column in zip(*cells, strict=True)]
    while width is not None and sum(widths) + GAP_CELLS * (len(widths) - 1) > width:
        widest = max(CUT, key=lambda column: widths[column])
        if widths[widest] <= LEAST_CELLS:
            break
        widths[widest] -= 1
    return widths


def middle_cut(text: str, width: int) -> str:
    """The text in so many cells: of long names both ends are kept, since neighbours begin alike."""
    if cell_len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def show_build(build: dict[str, Any], url: str) -> None:
    """Everything about one build, then where to see more."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    rows = {
        "id": build["id"],
        "status": Text(build["status"], style=COLOURS.get(build["status"], "")),
        "first error": first_error(build) if build.get("firstFailure") else None,
        "exit code": build.get("exitCode"),
        "reason": build.get("reason") or build.get("error"),
        "project": f"{build['project']} / {build.get('branch') or '-'} / {build.get('config') or '-'}",
        "commit": " ".join(filter(None, (build.get("commit"), build.get("commitSubject")))),
        "command": " ".join(build.get("command") or ()),
        "agent": build.get("agent"),
        "started": moment(build.get("startedAt")),
        "took": duration(build.get("durationMs")),
        "step": build.get("step"),
        "log": f"{build.get('logLines', 0)} lines{', verified' if build.get('verified') else ''}",
        "page": f"{url}/builds/{build['id']}",
    }
    for name, value in rows.items():
        if value not in (None, ""):
            table.add_row(name, value if isinstance(value, Text) else Text(str(value)))
    _console().print(table)


def _cells(build: dict[str, Any], name: str, width: int | None, now_ms: int) -> tuple[str, ...]:
    status = build["status"]
    percent = build.get("progress")
    if status == "running" and percent is not None:
        status = f"{status} {percent:.0f}%"
    started = build.get("startedAt")
    return (
        name,
        status,
        build["project"],
        build.get("branch") or "-",
        build.get("config") or "-",
        duration(build.get("durationMs")),
        moment(started) if width is None else age(started, now_ms),
    )


def _console() -> Console:
    # Piped output is for programs and must not be cut at 80 columns.
    return Console(width=None if sys.stdout.isatty() else 1000, highlight=False)
