"""Runs and jobs of GitHub Actions as what a mirror shows. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from build_dashboard.mirror.source import Part, Result, SourceBuild

Row = Mapping[str, Any]

RESULTS: Mapping[str, Result] = {
    "success": "succeeded",
    "neutral": "succeeded",
    "failure": "failed",
    "timed_out": "failed",
    "cancelled": "cancelled",
    "skipped": "skipped",
    "startup_failure": "error",
    "stale": "error",
}
PREMERGE = ("pull_request", "pull_request_target", "merge_group")

_MATRIX = re.compile(r"\(([^()]+)\)\s*$")
_STAMP = re.compile(r"^\ufeff?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6})\d*Z (.*)$", re.DOTALL)
_GROUP = "##[group]"


def build_of(run: Row, job: Row, project: str, earlier: Row | None) -> SourceBuild | None:
    """The build of a job; None while it waits, and where it was skipped. `earlier`: the job that it runs again."""
    if job.get("started_at") is None or job["status"] in ("queued", "waiting", "pending", "requested"):
        return None
    conclusion = job.get("conclusion") if job["status"] == "completed" else None
    if conclusion in ("skipped", "action_required"):
        return None
    steps = job.get("steps") or ()
    done = sum(step["status"] == "completed" for step in steps)
    running = next((step["name"] for step in steps if step["status"] == "in_progress"), None)
    return SourceBuild(
        id=str(job["id"]),
        started_at=ms(job["started_at"]),
        project=project,
        config=config_of(run, job),
        branch=run.get("head_branch"),
        commit=job.get("head_sha") or run.get("head_sha"),
        origin="premerge" if run.get("event") in PREMERGE else "ci",
        url=job.get("html_url"),
        worker=job.get("runner_name") or None,
        tags=_axes(job),
        repository=(run.get("repository") or {}).get("html_url"),
        retry_of=(str(earlier["id"]), ms(earlier["started_at"])) if earlier is not None else None,
        step=running,
        progress=round(100 * done / len(steps), 1) if steps else None,
        ended_at=ms(job["completed_at"]) if conclusion is not None and job.get("completed_at") else None,
        result=None if conclusion is None else RESULTS.get(conclusion, "error"),
        reason=conclusion if conclusion in ("timed_out", "startup_failure", "stale") else None,
    )


def config_of(run: Row, job: Row) -> str:
    """What is built how: `workflow / job`; a reusable workflow's job has its caller's name and its own."""
    return f"{run.get('name') or 'workflow'} / {job['name']}"


def parts_of(job: Row) -> list[Part]:
    """The steps of a job that ended; each has the lines that were printed while it ran."""
    steps = [step for step in job.get("steps") or () if step.get("started_at")]
    url = job.get("html_url")
    parts = [
        Part(
            key=str(step["number"]),
            name=str(step["name"]),
            log=number if step.get("conclusion") != "skipped" else None,
            is_over=True,
            started_at=ms(step["started_at"]),
            ended_at=ms(step["completed_at"]) if step.get("completed_at") else None,
            result=RESULTS.get(step.get("conclusion") or "", None),
            url=f"{url}#step:{step['number']}:1" if url else None,
        )
        for number, step in enumerate(steps)
    ]
    return parts or [Part(key="job", name=str(job["name"]), log=0, is_over=True)]


def split_log(text: str, steps: Sequence[Row]) -> list[list[tuple[int, str]]]:
    """The lines of a job's log, with their times, by the steps that printed them.

    The log of a job is one text, and GitHub does not say where a step begins in it: its start is known to the second,
    and its first line is most often a group's heading.
    """
    starts = [ms(step["started_at"]) // 1000 for step in steps if step.get("started_at")] or [0]
    skipped = [step.get("conclusion") == "skipped" for step in steps if step.get("started_at")] or [False]
    of_step: list[list[tuple[int, str]]] = [[] for _ in starts]
    at, stamp = 0, starts[0] * 1000
    for raw in text.removesuffix("\n").split("\n") if text else ():
        match = _STAMP.match(raw)
        line = raw if match is None else match[2]
        if match is not None:
            stamp = ms(match[1] + "Z")
        while (later := _next(at, skipped)) is not None and _begins(line, stamp // 1000, starts[later]):
            at = later
            if line.startswith(_GROUP):
                break
        of_step[at].append((stamp, line.removesuffix("\r")))
    return of_step


def _next(at: int, skipped: Sequence[bool]) -> int | None:
    return next((later for later in range(at + 1, len(skipped)) if not skipped[later]), None)


def _begins(line: str, second: int, start: int) -> bool:
    return second > start or (second == start and line.startswith(_GROUP))


def ms(text: str) -> int:
    """An instant of GitHub's in ms since the Unix epoch."""
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def _axes(job: Row) -> list[str]:
    """The values of a matrix job's name, and its runner's labels."""
    match = _MATRIX.search(str(job["name"]))
    axes = [axis.strip() for axis in match[1].split(",")] if match else []
    return [*axes, *(str(label) for label in job.get("labels") or () if label not in axes)]
