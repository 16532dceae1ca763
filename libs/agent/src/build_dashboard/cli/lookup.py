"""Lookup: the one build or commit that a person named. None, or several, is an error that says what to type."""

import re
from collections.abc import Iterable
from typing import Any

from build_protocol.ids import BadBuildName, read_build_name, short_id

from build_dashboard.cli.client import Client, DashboardError

LISTED = 20
COMMIT = re.compile(r"[0-9a-f]{4,64}")


def find_build(client: Client, text: str) -> dict[str, Any]:
    """The one build that answers to a name; of which there are so many that only the server can know."""
    try:
        name = read_build_name(text)
    except BadBuildName as error:
        raise DashboardError(str(error)) from error
    if name.is_whole:
        build: dict[str, Any] = client.get(f"/api/builds/{name.beginning}")
        return build
    found = client.builds(LISTED + 1, id=name.end)
    if not all(name.names(build["id"]) for build in found):
        # It ignored what it does not know: its newest builds are no answer.
        raise DashboardError(f"this dashboard is too old to look up {name.end}: give the whole id")
    if not found:
        raise DashboardError(f"no build that you may see has an id that begins or ends with {name.end}")
    if len(found) > 1:
        raise DashboardError("\n".join(_several_builds(name.end, found)))
    return found[0]


def read_commit(text: str) -> str:
    """A commit as somebody wrote it, or its beginning, as the dashboard spells it."""
    commit = text.strip().lower()
    if not COMMIT.fullmatch(commit):
        raise DashboardError(f"{text[:80]!r} is no commit: give its id, or at least 4 hex digits of its beginning")
    return commit


def builds_of_commit(client: Client, commit: str, project: str | None) -> list[dict[str, Any]]:
    """All builds of the one commit that begins so, newest first; those of two commits say nothing of either."""
    found = client.builds(commit=commit, project=project)
    commits = {build["commit"]: build for build in reversed(found)}
    if len(commits) > 1:
        raise DashboardError("\n".join(_several_commits(commit, list(commits.values()))))
    return found


def titled(build: dict[str, Any]) -> str:
    """How a build is called in a sentence."""
    return f"{build['project']} {build['config']} {short_id(build['id'])}"


def _several_builds(name: str, found: list[dict[str, Any]]) -> Iterable[str]:
    from build_dashboard.cli.tables import moment  # noqa: PLC0415  (rich, which only tables need)

    listed = found[:LISTED]
    ids = [build["id"] for build in listed]
    ends = [short_id(build_id) for build_id in ids]
    many = str(len(found)) if len(found) <= LISTED else f"more than {LISTED}"
    yield f"{name} names {many} builds; nothing was done. Say which by the id in front:"
    for build, build_id, end in zip(listed, ids, ends, strict=True):
        which = end if ends.count(end) == 1 else build_id
        where = " ".join((build["project"], build.get("branch") or "-", build["config"]))
        yield f"  {which}  {where}  {build['status']}  {moment(build.get('startedAt'))}"
    if len(found) > LISTED:
        yield "  ... and earlier ones: give more digits"


def _several_commits(beginning: str, latest: list[dict[str, Any]]) -> Iterable[str]:
    yield f"{beginning} begins {len(latest)} commits. Say which by its id, or by more of its beginning:"
    for build in latest[-LISTED:]:
        yield f"  {build['commit']}  {build['project']}  {build.get('commitSubject') or ''}".rstrip()
