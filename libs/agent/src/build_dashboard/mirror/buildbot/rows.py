"""A master's rows as what a mirror shows. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from build_dashboard.mirror.source import Part, Result, SourceBuild

PROPERTIES = (
    "got_revision",
    "revision",
    "branch",
    "repository",
    "workername",
    "owner",
    "owners",
    "github.number",
    "event",
)
RESULTS: Mapping[int, Result] = {
    0: "succeeded",
    1: "warnings",
    2: "failed",
    3: "skipped",
    4: "error",
    5: "cancelled",
    6: "cancelled",
}
RETRY = 5
SECTIONS_MAX = 250

_PULL = re.compile(r"refs/(?:pull|merge-requests)/\d+/|refs/changes/")
_ANNOTATED = re.compile(r"annotat", re.IGNORECASE)

Row = Mapping[str, Any]


def build_of(
    base: str, row: Row, builder: Row, *, project: str, worker: str | None, retry_of: tuple[str, int] | None
) -> SourceBuild:
    """The build of a row."""
    named = {name: value[0] for name, value in (row.get("properties") or {}).items() if value}
    commit = named.get("got_revision") or named.get("revision")
    if isinstance(commit, Mapping):  # by codebase; the first is the one that the builder names first
        commit = next(iter(commit.values()), None)
    branch = _text(named.get("branch"))
    is_premerge = bool(branch and _PULL.match(branch)) or named.get("event") == "pull_request"
    results = row.get("results") if row.get("complete") else None
    owners = named.get("owners") or [named.get("owner")]
    tags = [*(builder.get("tags") or ()), *(f"owner: {owner}" for owner in owners if owner and isinstance(owner, str))]
    return SourceBuild(
        id=str(row["buildid"]),
        started_at=_ms(row["started_at"]) or 0,
        project=project,
        config=str(builder.get("name") or f"builder-{row['builderid']}"),
        branch=branch,
        commit=_text(commit),
        origin="premerge" if is_premerge else "ci",
        url=f"{base}/#/builders/{row['builderid']}/builds/{row['number']}",
        worker=worker or _text(named.get("workername")),
        tags=tags,
        repository=_text(named.get("repository")),
        retry_of=retry_of,
        ended_at=_ms(row.get("complete_at")) if row.get("complete") else None,
        result=RESULTS.get(-1 if results is None else results, "error") if row.get("complete") else None,
        reason="retry" if results == RETRY else None,
    )


def parts_of(url: str, steps: Sequence[Row], logs: Mapping[int, Sequence[Row]], *, is_over: bool) -> list[Part]:
    """The parts of a build: its steps in order, and of each step its logs, the first as the step itself.

    Args:
        url: The build's page.
        steps: Its steps.
        logs: By step, what is known of its logs.
        is_over: Whether the build ended: nothing more comes of its steps.
    """
    parts: list[Part] = []
    for step in sorted(steps, key=lambda each: each["number"]):
        if step.get("started_at") is None and not (step.get("complete") and logs.get(step["stepid"])):
            continue  # it waits for its turn, or never had one
        known = sorted(logs.get(step["stepid"], ()), key=lambda each: each["logid"])
        is_step_over = bool(step.get("complete")) or is_over
        name, place = str(step["name"]), f"{url}/steps/{step['number']}"
        results = step.get("results")
        result = RESULTS.get(results) if step.get("complete") and results is not None else None
        for number, log in enumerate(known or [None]):
            is_extra = number > 0
            parts.append(
                Part(
                    key=f"{step['stepid']}/{number}",
                    name=f"{name}: {log['name']}" if log is not None and is_extra else name,
                    log=dict(log) if log is not None else None,
                    is_over=is_step_over,
                    started_at=_ms(step.get("started_at")),
                    ended_at=_ms(step.get("complete_at")) if step.get("complete") else None,
                    result=None if is_extra else result,
                    url=f"{place}/logs/{log['slug']}" if log is not None else place,
                    has_annotations=not is_extra and bool(_ANNOTATED.search(name)),
                )
            )
    return parts[:SECTIONS_MAX]


def commits_of(changes: Sequence[Row], commit: str, green: str) -> list[dict[str, Any]] | None:
    """The commits after `green` up to `commit`, newest first, as the branch was polled; None where it is not known."""
    revisions = [str(change.get("revision")) for change in changes]
    if commit not in revisions or green not in revisions:
        return None
    first, last = revisions.index(commit), revisions.index(green)
    return [_commit(change) for change in changes[first:last]] if first <= last else None


def _commit(change: Row) -> dict[str, Any]:
    name, _, address = str(change.get("author") or "").partition(" <")
    facts = {
        "sha": change["revision"],
        "author": name[:512] or None,
        "authorEmail": address.rstrip(">")[:512] or None,
        "committedAt": _ms(change.get("when_timestamp")),
        "subject": str(change.get("comments") or "").partition("\n")[0][:512] or None,
    }
    return {key: value for key, value in facts.items() if value is not None}


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
