"""Commit statuses: one context per config, so a later build of the commit replaces an earlier one's."""

from notifier.channels.contract import Moot
from notifier.channels.github.api import GitHub, repository
from notifier.letters.text import duration, one_line
from notifier.notification import Notification

DESCRIPTION_CHARACTERS = 140


class GitHubStatuses:
    """The channel `github_status`."""

    def __init__(self, github: GitHub) -> None:
        self._github = github

    async def send(self, notification: Notification) -> str | None:
        """Set the status of the build's commit; setting it twice is setting it once."""
        letter = notification.letter
        if letter.evidence is None or letter.evidence.commit is None:
            raise Moot("the build names no commit")
        took = f" in {duration(letter.evidence.duration_ms)}" if letter.evidence.duration_ms is not None else ""
        said = letter.message if not letter.succeeded else ""
        body = {
            "state": "success" if letter.succeeded else "failure",
            "target_url": letter.build_url,
            "description": one_line(f"{letter.verb}{took}" + (f": {said}" if said else ""), DESCRIPTION_CHARACTERS),
            "context": f"build-dashboard/{letter.evidence.config}",
        }
        path = f"/repos/{repository(notification.recipient)}/statuses/{letter.evidence.commit}"
        answer = await self._github.call("POST", path, body)
        return str(answer["id"])

    async def close(self) -> None:
        """Close pooled connections."""
        await self._github.close()
