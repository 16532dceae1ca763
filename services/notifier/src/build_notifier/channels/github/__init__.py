"""GitHub: a status on each built commit, and one comment per incident on the pull request that brought it."""

from build_notifier.channels.github.comment import COMMENTS, GitHubComments
from build_notifier.channels.github.status import STATUSES, GitHubStatuses

__all__ = ["COMMENTS", "STATUSES", "GitHubComments", "GitHubStatuses"]
