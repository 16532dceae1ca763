"""One comment per incident, on the pull request of the only suspect commit, edited in place."""

from typing_extensions import override

from build_notifier.channels.contract import Channel, NotApplicable
from build_notifier.channels.github.api import GitHub, registration, repository
from build_notifier.messages import render
from build_notifier.records.notification import Notification

PER_PAGE = 100
PAGES_MAX = 20


class GitHubComments(Channel):
    """The channel `github_comment`."""

    def __init__(self, github: GitHub) -> None:
        self._github = github

    @override
    async def send(self, notification: Notification) -> str | None:
        """Write or edit the incident's comment; a mark in it names the incident, so doing it twice edits it."""
        home = f"/repos/{repository(notification.recipient)}"
        suspects = notification.message.suspects or []
        if len(suspects) != 1:
            raise NotApplicable("not exactly one commit is suspect")
        pulls = await self._github.call("GET", f"{home}/commits/{suspects[0].sha}/pulls")
        if not pulls:
            raise NotApplicable(f"no pull request has commit {suspects[0].sha[:10]}")
        number = int(pulls[0]["number"])
        mark = f"<!-- build-dashboard incident {notification.incident} -->"
        body = {"body": f"{mark}\n{render.comment(notification.message)}"}
        known = await self._find(f"{home}/issues/{number}/comments", mark)
        if known is None:
            answer = await self._github.call("POST", f"{home}/issues/{number}/comments", body)
        else:
            answer = await self._github.call("PATCH", f"{home}/issues/comments/{known}", body)
        return str(answer["id"])

    @override
    async def close(self) -> None:
        await self._github.close()

    async def _find(self, path: str, mark: str) -> int | None:
        for page in range(1, PAGES_MAX + 1):
            comments = await self._github.call("GET", path, query={"per_page": str(PER_PAGE), "page": str(page)})
            for comment in comments:
                if str(comment.get("body", "")).startswith(mark):
                    return int(comment["id"])
            if len(comments) < PER_PAGE:
                return None
        return None


COMMENTS = registration("github_comment", "GitHub comment", "changes", GitHubComments)
