"""Tables: builds as a person reads them in a terminal."""

import sys
import time
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

COLOURS = {
    "succeeded": "green",
    "failed": "red",
    "timed_out": "red",
    "lost": "magenta",
    "running": "blue",
    "queued": "cyan",
    "cancelled": "yellow",
}


def show_builds(builds: list[dict[str, Any]]) -> None:
    """A line a build; a narrow or absent terminal cuts nothing."""
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "project", "branch", "config", "status", "progress", "took", "started"):
        table.add_column(heading, no_wrap=True)
    for build in builds:
        table.add_row(
            build["id"],
            build["project"],
            build.get("branch") or "-",
            build.get("config") or "-",
            Text(build["status"], style=COLOURS.get(build["status"], "")),
            f"{build['progress']:.0f} %" if build.get("progress") is not None else "",
            duration(build.get("durationMs")),
            moment(build.get("startedAt")),
        )
    _console().print(table)


def show_build(build: dict[str, Any], url: str) -> None:
    """Everything about one build, then where to see more."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    rows = {
        "id": build["id"],
        "status": Text(build["status"], style=COLOURS.get(build["status"], "")),
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
    failure = build.get("firstFailure")
    if failure:
        rows["first error"] = f"{failure.get('file') or ''}:{failure.get('line') or ''} {failure['message']}"
    for name, value in rows.items():
        if value not in (None, ""):
            table.add_row(name, value if isinstance(value, Text) else Text(str(value)))
    _console().print(table)


def duration(milliseconds: int | None) -> str:
    """As people say it: 1h02m, 3m05s, 4.2s."""
    if milliseconds is None:
        return ""
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes}m{seconds:02}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"


def moment(epoch_ms: int | None) -> str:
    """In the person's own time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch_ms / 1000)) if epoch_ms else ""


def _console() -> Console:
    # Piped output is for programs and must not be cut at 80 columns.
    return Console(width=None if sys.stdout.isatty() else 1000, highlight=False)
