"""Proposals: how the cause of an incident could be undone, while one commit alone is suspect. Pure."""

import re
from urllib.parse import quote

from build_protocol.incidents import IncidentState
from build_protocol.model import ShortText, WebUrl, WireModel
from pydantic import Field

_GITHUB = re.compile(r"(?:https://|ssh://git@|git@)github\.com[/:]([\w.-]+)/([\w.-]+?)(?:\.git)?/?")


class RevertProposal(WireModel):
    """The commands that undo the one suspect commit, and where the change is proposed."""

    commit: ShortText
    subject: ShortText | None = None
    commands: list[str] = Field(description="In their order, in a checkout.")
    commit_url: WebUrl | None = Field(None, description="The commit at its forge.")
    propose_url: WebUrl | None = Field(None, description="Opens the pull request once the branch is pushed.")


def propose_revert(state: IncidentState, repo_url: str | None) -> RevertProposal | None:
    """The proposal; None while the incident is closed, or its suspects are unknown, none or several."""
    suspects = state.suspects or []
    if state.state != "open" or len(suspects) != 1 or state.branch is None:
        return None
    suspect = suspects[0]
    branch = f"revert-{suspect.sha[:12]}"
    home = github_home(repo_url)
    return RevertProposal(
        commit=suspect.sha,
        subject=suspect.subject,
        commands=[
            "git fetch origin",
            f"git switch --create {branch} origin/{state.branch}",
            f"git revert --no-edit {suspect.sha}",
            f"git push --set-upstream origin {branch}",
        ],
        commit_url=f"{home}/commit/{suspect.sha}" if home else None,
        propose_url=f"{home}/compare/{quote(state.branch, safe='/')}...{branch}?expand=1" if home else None,
    )


def github_home(repo_url: str | None) -> str | None:
    """The page of the repository at GitHub; None where it is elsewhere or unknown."""
    match = _GITHUB.fullmatch(repo_url.strip()) if repo_url else None
    return f"https://github.com/{match[1]}/{match[2]}" if match else None
