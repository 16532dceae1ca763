"""The state of a commit: what its newest builds say of it, a build a config. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from build_protocol.model import WireModel
from pydantic import Field

from build_dashboard.cli.explanation import Explanation
from build_dashboard.cli.wording import first_error


class ConfigState(WireModel):
    """The newest build of a commit by one config of a project."""

    project: str
    config: str
    status: str
    build_id: str
    error: str | None = Field(None, description="Its first error, and where.")
    signature: str | None = Field(None, description="Of its first error: alike ones have the same.")


class CommitState(WireModel):
    """Whether a commit passes everywhere: `passed`, `failed`, or `unknown` while builds are missing or running."""

    commit: str
    state: Literal["passed", "failed", "unknown"]
    configs: list[ConfigState]
    explanations: list[Explanation] = Field(default_factory=list, description="Of each different failure; by `why`.")

    @property
    def code(self) -> int:
        """The exit code that says so."""
        return {"passed": 0, "failed": 1, "unknown": 2}[self.state]

    @property
    def summary(self) -> str:
        """Its state and how many configs are how, in a line."""
        if not self.configs:
            return f"no build of {self.commit} is known"
        statuses = [each.status for each in self.configs]
        counted = ", ".join(f"{statuses.count(status)} {status.replace('_', ' ')}" for status in sorted(set(statuses)))
        return f"{self.commit[:12]} {self.state}: {counted}"

    def different_failures(self) -> list[ConfigState]:
        """A config for each failure that is not like another's."""
        failed = [each for each in self.configs if each.status in FAILED]
        once = {each.signature or each.build_id: each for each in reversed(failed)}
        return list(once.values())[::-1]


FAILED = ("failed", "timed_out")


def commit_state(commit: str, builds: Iterable[dict[str, Any]]) -> CommitState:
    """The state by these builds, newest first; builds on people's machines do not count.

    Running, cancelled and lost builds prove nothing.
    """
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for build in builds:
        if build.get("origin") != "local":
            newest.setdefault((build["project"], build["config"]), build)
    configs = [_config_state(build) for build in newest.values()]
    return CommitState(
        commit=next((build["commit"] for build in newest.values()), commit), state=_state(configs), configs=configs
    )


def _state(configs: Sequence[ConfigState]) -> Literal["passed", "failed", "unknown"]:
    statuses = {each.status for each in configs}
    if statuses & set(FAILED):
        return "failed"
    return "passed" if statuses == {"succeeded"} else "unknown"


def _config_state(build: dict[str, Any]) -> ConfigState:
    return ConfigState(
        project=build["project"],
        config=build["config"],
        status=build["status"],
        build_id=build["id"],
        error=first_error(build) or None,
        signature=(build.get("firstFailure") or {}).get("signature"),
    )
