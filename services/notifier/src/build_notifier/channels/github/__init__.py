"""GitHub: a status of each built commit, or a check run with its verdict; a comment per incident on its change."""

from build_notifier.channels.github.check import CHECKS, GitHubChecks
from build_notifier.channels.github.comment import COMMENTS, GitHubComments
from build_notifier.channels.github.status import STATUSES, GitHubStatuses

__all__ = ["CHECKS", "COMMENTS", "STATUSES", "GitHubChecks", "GitHubComments", "GitHubStatuses"]
