"""Check runs: whose a commit's failure is, with the first error at its line.

It never blocks what it does not know: a failure that the commit did not bring, or of which nobody can tell, is neutral.
"""

import re
from datetime import UTC, datetime
from typing import Any

from build_chassis.projects import Projects
from build_protocol.incidents import Evidence
from typing_extensions import override

from build_notifier.channels.contract import Channel, NotApplicable, Registration
from build_notifier.channels.github.api import CHECKS_SCHEME, GitHub, address, app_of, repository
from build_notifier.channels.github.codeowners import PLACES, owners_of
from build_notifier.messages import render
from build_notifier.messages.message import Message
from build_notifier.messages.text import clean, duration, one_line
from build_notifier.records.notification import Notification
from build_notifier.settings import Settings

TITLE_CHARACTERS = 200
MESSAGE_CHARACTERS = 2000

_WORKSPACE = re.compile(r"^(?:/|[A-Za-z]:/)(?:.*/)?_?work/(?P<name>[^/]+)/(?P=name)/(?P<path>.+)$")
"""Where a runner of GitHub Actions checks a repository out."""


class GitHubChecks(Channel):
    """The channel `github_check`."""

    def __init__(self, github: GitHub) -> None:
        self._github = github

    @override
    async def send(self, notification: Notification) -> str | None:
        """Make or change the build's check run; its `external_id` is the build's, so doing it twice changes it."""
        message, evidence = notification.message, notification.message.evidence
        if evidence is None or evidence.commit is None:
            raise NotApplicable("the build names no commit")
        name = repository(notification.recipient)
        home = f"/repos/{name}"
        file = path_in(name, message)
        owners = await self._owners(home, evidence.commit, file) if file else []
        body = check_run(message, evidence, file, owners)
        known = await self._find(home, evidence.commit, body["name"], evidence.build_id)
        if known is None:
            answer = await self._github.call("POST", f"{home}/check-runs", body)
        else:
            answer = await self._github.call("PATCH", f"{home}/check-runs/{known}", body)
        return str(answer["id"])

    @override
    async def close(self) -> None:
        await self._github.close()

    async def _find(self, home: str, commit: str, name: str, build_id: str) -> int | None:
        query = {"check_name": name, "filter": "all", "per_page": "100"}
        found = await self._github.call("GET", f"{home}/commits/{commit}/check-runs", query=query)
        return next((int(run["id"]) for run in found["check_runs"] if run.get("external_id") == build_id), None)

    async def _owners(self, home: str, commit: str, file: str) -> list[str]:
        for place in PLACES:
            text = await self._github.find_text(f"{home}/contents/{place}", {"ref": commit})
            if text is not None:
                return owners_of(text, file)
        return []


def check_run(message: Message, evidence: Evidence, file: str | None, owners: list[str]) -> dict[str, Any]:
    """The check run of a build that ended, as GitHub takes it.

    Args:
        message: Of kind `status`, with the verdict of its failure.
        evidence: The build.
        file: Where its first error is, from the repository's root.
        owners: Whom CODEOWNERS names for that file.
    """
    took = f" in {duration(evidence.duration_ms)}" if evidence.duration_ms is not None else ""
    title = f"passed{took}" if message.succeeded else message.verdict or "failed, and nobody can tell whose it is"
    output: dict[str, Any] = {
        "title": one_line(title, TITLE_CHARACTERS),
        "summary": render.check(message, owners, took),
    }
    failure = None if message.succeeded else evidence.failure
    if failure is not None and file is not None and failure.line:
        output["annotations"] = [
            {
                "path": file,
                "start_line": failure.line,
                "end_line": failure.line,
                "annotation_level": "failure" if is_of_commit(message) else "warning",
                "title": one_line(f"{evidence.config}: {failure.category.replace('_', ' ')}", TITLE_CHARACTERS),
                "message": clean(failure.message, MESSAGE_CHARACTERS),
            }
        ]
    return {
        "name": f"build-dashboard/{evidence.config}",
        "head_sha": evidence.commit,
        "external_id": evidence.build_id,
        "details_url": message.build_url,
        "status": "completed",
        "conclusion": "success" if message.succeeded else "failure" if is_of_commit(message) else "neutral",
        "started_at": _stamp(evidence.started_at),
        "completed_at": _stamp(evidence.ended_at if evidence.ended_at is not None else message.at),
        "output": output,
    }


def is_of_commit(message: Message) -> bool:
    """Whether the failure is the commit's; all else never blocks it."""
    return message.context.verdict == "new"


def path_in(name: str, message: Message) -> str | None:
    """The first error's file from the root of the repository `owner/name`; None where that cannot be known."""
    failure = None if message.succeeded or message.evidence is None else message.evidence.failure
    if failure is None or not failure.file:
        return None
    file = failure.file.replace("\\", "/")
    if match := _WORKSPACE.match(file):
        return match["path"] if match["name"].lower() == name.partition("/")[2].lower() else None
    if file.startswith("/") or re.match(r"[A-Za-z]:", file):
        return None
    # A compiler names files as seen from the folder that it runs in: one of the tree.
    return re.sub(r"^(?:\.{1,2}/)+", "", file) or None


def _stamp(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _open(settings: Settings, _: Projects) -> Channel | None:
    app = app_of(settings)
    return GitHubChecks(GitHub(app, settings.github_host)) if app else None


CHECKS = Registration(
    name="github_check",
    label="GitHub check run",
    audience="commits",
    open=_open,
    lacking="set NOTIFIER_GITHUB_APP_ID and NOTIFIER_GITHUB_APP_KEY: only an app makes check runs",
    schemes=frozenset({CHECKS_SCHEME}),
    address=address,
    is_judged=True,
)
