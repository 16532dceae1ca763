"""Commit statuses: one context per config, so a later build of the commit replaces an earlier one's."""

from typing_extensions import override

from build_notifier.channels.contract import Channel, NotApplicable
from build_notifier.channels.github.api import GitHub, registration, repository
from build_notifier.messages.text import duration, one_line
from build_notifier.records.notification import Notification

DESCRIPTION_CHARACTERS = 140


class GitHubStatuses(Channel):
    """The channel `github_status`."""

    def __init__(self, github: GitHub) -> None:
        self._github = github

    @override
    async def send(self, notification: Notification) -> str | None:
        """Set the status of the build's commit; setting it twice is setting it once."""
        message = notification.message
        if message.evidence is None or message.evidence.commit is None:
            raise NotApplicable("the build names no commit")
        took = f" in {duration(message.evidence.duration_ms)}" if message.evidence.duration_ms is not None else ""
        error = message.message if not message.succeeded else ""
        body = {
            "state": "success" if message.succeeded else "failure",
            "target_url": message.build_url,
            "description": one_line(f"{message.verb}{took}" + (f": {error}" if error else ""), DESCRIPTION_CHARACTERS),
            "context": f"build-dashboard/{message.evidence.config}",
        }
        path = f"/repos/{repository(notification.recipient)}/statuses/{message.evidence.commit}"
        answer = await self._github.call("POST", path, body)
        return str(answer["id"])

    @override
    async def close(self) -> None:
        await self._github.close()


STATUSES = registration("github_status", "GitHub status", "commits", GitHubStatuses)
