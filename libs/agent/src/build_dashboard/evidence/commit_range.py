"""The commit range of a build: what came onto its branch since the last green commit, by git itself.

The whole range or none: a list that lacks its oldest commits would name the wrong people. Where it is longer than the
protocol takes, or the clone is too shallow to tell, the range is unknown.
"""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from build_dashboard.evidence.asking import git
from build_dashboard.evidence.missing import MissingFact

if TYPE_CHECKING:
    from build_dashboard.delivery.delivery import Delivery
    from build_dashboard.evidence.facts import Gathering

COMMITS_MAX = 100
RANGE_BYTES = 22 * 1024
"""What the commits of one record may take, encoded."""

SUBJECT_CHARACTERS = (500, 120, 40, 0)
AUTHOR_CHARACTERS = 200

DEEPEN_COMMITS = 500
DEEPEN_SECONDS = 120.0
"""Beside the build, and only where the person allowed it."""

_FIELD, _RECORD = "\x1f", "\x1e"
_FORMAT = "%H%x1f%P%x1f%an%x1f%ae%x1f%ct%x1f%s%x1e"

Git = Callable[..., str | None]


def commits_since(
    cwd: str, green: str, head: str = "HEAD", *, may_deepen: bool = False, run: Git = git
) -> list[dict[str, Any]] | None:
    """The first-parent commits after `green` up to `head`, newest first; None when they cannot all be known.

    An empty list means that `head` brings nothing that was not green.
    """
    if not _is_known(cwd, green, head, run) and not (may_deepen and _deepen(cwd, green, head, run)):
        return None
    listed = run(cwd, "log", "--first-parent", f"-{COMMITS_MAX + 1}", f"--format={_FORMAT}", f"{green}..{head}", "--")
    if listed is None:
        return None
    commits = [_commit(record) for record in listed.split(_RECORD) if record.strip()]
    return None if len(commits) > COMMITS_MAX else fitted(commits)


def range_fault(cwd: str, green: str, head: str, *, run: Git = git) -> MissingFact:
    """Why the commits after `green` are not known."""
    since = f"since the last green one ({green[:12]})"
    if not _is_known(cwd, green, head, run):
        if run(cwd, "rev-parse", "--is-shallow-repository") == "true":
            reason = f"the clone is too shallow to tell what came {since}"
            return MissingFact("commits", reason, "clone with more history (`fetch-depth: 0`), or give --deepen")
        return MissingFact(
            "commits",
            f"this clone has no commit {green[:12]}, the last green one of this config on this branch",
            "fetch the whole branch; where its history was rewritten the next green build starts anew",
        )
    count = run(cwd, "rev-list", "--first-parent", "--count", f"{green}..{head}", "--")
    if count and int(count) > COMMITS_MAX:
        reason = f"{count} commits came {since}, and at most {COMMITS_MAX} are reported"
        return MissingFact("commits", reason, "none needed: the next green build starts anew")
    reason = f"git did not list the commits {since} in time, or their names alone fill a record"
    return MissingFact("commits", reason, "none needed: the next build tries again")


def may_deepen(environment: Mapping[str, str]) -> bool:
    """Whether a shallow clone may be deepened to find the range."""
    return environment.get("BUILD_DASHBOARD_DEEPEN", "") not in ("", "0", "false")


def gather_range(gathering: "Gathering", delivery: "Delivery", build: Mapping[str, Any], *, may_deepen: bool) -> None:
    """Gather the range of this build (the facts of its directory), once git and the dashboard have answered."""

    def find() -> dict[str, Any]:
        start = build["start"]
        known = gathering.wait_for("git")
        head = start.get("commit") or known.get("commit")
        if head is None:
            return {}
        green = delivery.wait_for_green(build["buildId"], start.get("branch") or known.get("branch"))
        if not green:
            return {}
        commits = commits_since(start["cwd"], green, head, may_deepen=may_deepen)
        return {"commits": commits} if commits is not None else {"missing": [range_fault(start["cwd"], green, head)]}

    gathering.add("range", find)


def fitted(commits: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """All of the commits in one record: with shorter subjects and without addresses where need be, else None."""
    for characters in SUBJECT_CHARACTERS:
        fields = [{**commit, "subject": str(commit["subject"])[:characters] or None} for commit in commits]
        if characters < SUBJECT_CHARACTERS[0]:
            fields = [{**commit, "authorEmail": None} for commit in fields]
        fields = [{name: value for name, value in commit.items() if value is not None} for commit in fields]
        if len(json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()) <= RANGE_BYTES:
            return fields
    return None


def _is_known(cwd: str, green: str, head: str, run: Git) -> bool:
    """Whether the history between is here: a shallow clone may have the commit and lack what joins it to HEAD."""
    if run(cwd, "cat-file", "-e", f"{green}^{{commit}}") is None:
        return False
    if run(cwd, "rev-parse", "--is-shallow-repository") == "false":
        return True
    return run(cwd, "merge-base", "--is-ancestor", green, head) is not None


def _deepen(cwd: str, green: str, head: str, run: Git) -> bool:
    if run(cwd, "rev-parse", "--is-shallow-repository") != "true":
        return False
    fetch = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", f"--deepen={DEEPEN_COMMITS}")
    run(cwd, *fetch, "origin", limit_seconds=DEEPEN_SECONDS)
    return _is_known(cwd, green, head, run)


def _commit(record: str) -> dict[str, Any]:
    sha, parents, author, email, seconds, subject = record.strip().split(_FIELD, 5)
    return {
        "sha": sha,
        "parents": parents.split()[:16],
        "author": author[:AUTHOR_CHARACTERS],
        "authorEmail": email[:AUTHOR_CHARACTERS],
        "committedAt": int(seconds) * 1000,
        "subject": subject,
    }
