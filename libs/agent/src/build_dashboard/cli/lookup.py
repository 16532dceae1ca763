"""Lookup: the one build or commit that a person named. None, or several, is an error that says what to type."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from build_protocol.ids import LEAST_DIGITS, BadBuildName, read_build_name, short_id

from build_dashboard.cli.client import Client, DashboardError
from build_dashboard.cli.wording import moment, titled

LISTED = 20
ID_DIGITS = 32
WHOLE_COMMIT = 40
NOT_FOUND = 404
COMMIT = re.compile(r"[0-9a-f]{4,64}")


class NoSuchBuild(DashboardError):
    """No build answers to this name."""


class Named(NamedTuple):
    """What a person named: a build, or else a commit and its builds, newest first."""

    build: dict[str, Any] | None = None
    commit: str | None = None
    builds: Sequence[dict[str, Any]] = ()


def find_named(client: Client, text: str | None, project: str | None = None) -> Named:
    """The one build or commit that answers to a name; the commit of this directory where none is given.

    A whole commit need not have a build yet. Digits that name a build as well as a commit are an error.
    """
    if text is None:
        commit = checkout_commit()
        return Named(commit=commit, builds=builds_of_commit(client, commit, project))
    name = text.strip().lower()
    may_be_build = LEAST_DIGITS <= len(name.replace("-", "")) <= ID_DIGITS
    if COMMIT.fullmatch(name):
        builds = builds_of_commit(client, name, project)
        build = _build_if_any(client, name) if may_be_build else None
        if build is not None and builds:
            whole = builds[0]["commit"]
            raise DashboardError(f"{name} names the build {titled(build)} and the commit {whole}: give more digits")
        if builds or len(name) >= WHOLE_COMMIT:
            return Named(commit=builds[0]["commit"] if builds else name, builds=builds)
        if build is None:
            raise DashboardError(f"no build that you may see has an id with {name}, or is of a commit that begins so")
        return Named(build)
    if not may_be_build:
        raise DashboardError(
            f"{text[:80]!r} names no build and no commit: give {LEAST_DIGITS} or more digits of a build's id, or 4 or "
            "more of a commit's"
        )
    return Named(find_build(client, name))


def _build_if_any(client: Client, text: str) -> dict[str, Any] | None:
    """The build of this name; None where there is none. Several are an error."""
    try:
        return find_build(client, text)
    except NoSuchBuild:
        return None


def checkout_commit() -> str:
    """The commit of the checkout around this directory."""
    from build_dashboard.evidence.checkout_facts import git_facts  # noqa: PLC0415  (only some commands need it)

    facts = git_facts(str(Path.cwd()))
    if facts.get("commit") is None:
        raise DashboardError(f"{facts['missing'][0].reason}: name the commit")
    return read_commit(str(facts["commit"]))


def find_build(client: Client, text: str) -> dict[str, Any]:
    """The one build that answers to a name; of which there are so many that only the server can know."""
    try:
        name = read_build_name(text)
    except BadBuildName as error:
        raise DashboardError(str(error)) from error
    if name.is_whole:
        try:
            build: dict[str, Any] = client.get(f"/api/builds/{name.beginning}")
        except DashboardError as error:
            if error.status != NOT_FOUND:
                raise
            raise NoSuchBuild(str(error), error.status, error.remedy) from error
        return build
    found = client.builds(LISTED + 1, id=name.end)
    if not all(name.names(build["id"]) for build in found):
        # It ignored what it does not know: its newest builds are no answer.
        raise DashboardError(f"this dashboard is too old to look up {name.end}: give the whole id")
    if not found:
        raise NoSuchBuild(f"no build that you may see has an id that begins or ends with {name.end}")
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


def _several_builds(name: str, found: list[dict[str, Any]]) -> Iterable[str]:
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
