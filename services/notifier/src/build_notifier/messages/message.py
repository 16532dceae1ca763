"""A message: its whole content as facts; the same facts make a mail, a chat line and a comment."""

import re
from typing import Literal
from urllib.parse import quote

from build_protocol.incidents import Evidence
from build_protocol.messages import Commit
from build_protocol.model import Count, EpochMs, WireModel
from pydantic import Field

from build_notifier.messages.context import BuildContext
from build_notifier.messages.text import counted, one_line

MessageKind = Literal[
    "opened",
    "changed",
    "reopened",
    "fixed",
    "overridden",
    "missing",
    "returned",
    "digest",
    "summary",
    "status",
    "trial",
]
NO_BRANCH = "(no branch)"
"""What people read where builds name no branch."""

_VERBS = {
    "opened": "broken",
    "changed": "still broken, in another way",
    "reopened": "broken again",
    "fixed": "fixed",
    "overridden": "no longer counted as broken",
    "missing": "has gone silent",
    "returned": "is back",
    "digest": "still broken",
    "summary": "summed up",
    "status": "built",
    "trial": "reached",
}
SUBJECT_CHARACTERS = 120
_FORGE = re.compile(r"(?:https://|ssh://git@|git@)(github\.com|gitlab\.com)[/:]([\w.-]+(?:/[\w.-]+)+)/?")

_VERDICTS = {
    "new": "New here",
    "already_red": "It was red before",
    "flaky": "Looks flaky",
    "infra": "Looks like the machine's fault",
    "unknown": "Nobody can tell yet whose it is",
}


class LogLine(WireModel):
    """A line of the build's log."""

    number: Count
    text: str
    is_hit: bool = False


class StillRed(WireModel):
    """One incident, as a digest or a summary lists it."""

    branch: str
    configs: list[str]
    message: str
    build_id: str
    line: Count | None = None
    open_ms: Count
    news: str = Field("", description="What became of it, in a summary.")
    transitions: list[tuple[str, str]] = Field(default_factory=list, description="(incident, key) it stands for.")


class Message(WireModel):
    """What people read of one transition."""

    kind: MessageKind
    project: str
    branch: str | None = None
    configs: list[str] = Field(default_factory=list, description="Configs this is about.")
    at: EpochMs
    evidence: Evidence | None = None
    extract: list[LogLine] = Field(default_factory=list)
    extract_fault: str | None = Field(None, description="Why there is no extract.")
    suspects: list[Commit] | None = Field(None, description="Absent = unknown.")
    suspect_count: Count = 0
    red_ms: Count | None = Field(None, description="How long it was broken.")
    succeeded: bool | None = None
    is_premerge: bool = Field(
        False, description="It is of a change that is not merged, of which history keeps nothing."
    )
    items: list[StillRed] = Field(default_factory=list)
    dashboard_url: str
    source_url: str | None = Field(None, description="Where the failing line can be read in its repository.")
    incident: str | None = Field(None, description="The incident it is about.")
    context: BuildContext = BuildContext()
    commits_url: str | None = Field(None, description="What a commit's sha is appended to, at its forge.")
    because: str = Field("", description="Why this recipient gets it, in a sentence.")

    @property
    def verb(self) -> str:
        """What happened, in a word or few."""
        if self.kind == "status":
            return "passed" if self.succeeded else "failed"
        return _VERBS[self.kind]

    @property
    def is_break(self) -> bool:
        """Whether it reports that something is broken now: then the log and the suspects are of interest."""
        return self.kind in ("opened", "changed", "reopened")

    @property
    def title(self) -> str:
        """What happened to what, in one line: `main is broken on release and 59 more configs`."""
        return one_line(self._title, 200)

    @property
    def _title(self) -> str:
        if self.kind == "digest":
            return f"{counted(len(self.items), 'incident')} still open"
        if self.kind == "summary":
            return f"{self.where_branch}: what happened to {counted(len(self.items), 'incident')} meanwhile"
        if self.kind == "trial":
            return "this is a test of the dashboard's messages"
        if self.kind == "status" and self.evidence is not None:
            return f"{self.evidence.config} {self.verb}"
        if self.kind in ("missing", "returned") and self.evidence is not None:
            who = f"agent {self.evidence.agent}" if self.evidence.agent else f"config {self.evidence.config}"
            return f"{who} {self.verb} ({self.where_branch}, {self.where})"
        return f"{self.where_branch} is {self.verb} on {self.where}"

    @property
    def why(self) -> str:
        """Why whoever reads it got it."""
        if self.kind == "trial":
            return "You get this because an operator of the dashboard tries whether its messages arrive."
        return f"You get this because {self.because or f'config.yaml names you for {self.project}'}."

    @property
    def where_branch(self) -> str:
        """The branch as people read it."""
        return self.branch or NO_BRANCH

    @property
    def where(self) -> str:
        """The configs in a few words."""
        if len(self.configs) <= 2:
            return " and ".join(self.configs) or "no config"
        return f"{self.configs[0]} and {len(self.configs) - 1} more configs"

    @property
    def message(self) -> str:
        """The first real error in one line; empty where none is known."""
        if self.evidence is None:
            return ""
        failure = self.evidence.failure
        return one_line(failure.message if failure else self.evidence.error or "", 300)

    @property
    def location(self) -> str:
        """`file:line` of the first real error; empty where unknown."""
        failure = self.evidence.failure if self.evidence else None
        if failure is None or not failure.file:
            return ""
        name = one_line(failure.file, 200)
        return f"{name}:{failure.line}" if failure.line is not None else name

    @property
    def headline(self) -> str:
        """What it is about first: the error in words where something broke, else what happened."""
        return self.message if self.is_break and self.message else self.title

    @property
    def verdict(self) -> str:
        """Whose the failure is, and why, in a sentence; empty where nobody judged it."""
        is_red = self.is_break or (self.kind == "status" and not self.succeeded)
        if self.context.verdict is None or not is_red:
            return ""
        whose = _VERDICTS.get(self.context.verdict, self.context.verdict)
        return one_line(": ".join([whose, *self.context.verdict_evidence[:2]]), 500)

    @property
    def incident_url(self) -> str:
        """The incident's page; empty where it is about none."""
        return f"{self.dashboard_url}/incidents/{quote(self.incident)}" if self.incident and self.is_break else ""

    @property
    def subject(self) -> str:
        """The subject of a mail; always one line."""
        error = f": {self.message}" if self.message and self.is_break else ""
        return one_line(f"[{self.project}] {self.title}{error}", SUBJECT_CHARACTERS)

    @property
    def build_url(self) -> str:
        """The build's page, at the exact log line where one is known."""
        if self.evidence is None:
            return f"{self.dashboard_url}/"
        line = self.evidence.failure.first_line if self.evidence.failure else 0
        return build_url(self.dashboard_url, self.evidence.build_id, line or None)


def build_url(dashboard_url: str, build_id: str, line: int | None) -> str:
    """A build's page, at a line of its log where one is given."""
    return f"{dashboard_url}/builds/{quote(build_id)}" + (f"#L{line}" if line else "")


def source_url(template: str | None, evidence: Evidence) -> str | None:
    """The project's link template filled in for the failing line; None where something it needs is unknown."""
    failure = evidence.failure
    if template is None or evidence.commit is None or failure is None or not failure.file or failure.line is None:
        return None
    if failure.file.startswith("/"):
        return None  # a path of the build machine, not of the repository
    words = {"commit": evidence.commit, "file": quote(failure.file), "line": str(failure.line)}
    filled = template
    for name, word in words.items():
        filled = filled.replace(f"{{{name}}}", word)
    return filled if filled.startswith(("https://", "http://")) else None


def commits_url(repo_url: str | None) -> str | None:
    """Where a repository at GitHub or GitLab shows its commits, up to the sha; None where it is elsewhere."""
    match = _FORGE.fullmatch(repo_url.strip()) if repo_url else None
    if match is None:
        return None
    between = "/-/commit/" if match[1] == "gitlab.com" else "/commit/"
    return f"https://{match[1]}/{match[2].removesuffix('.git')}{between}"
