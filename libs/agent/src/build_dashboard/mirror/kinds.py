"""Kinds: which source a CI of config.yaml has, and the credentials that its environment gives."""

import os
from collections.abc import Mapping
from pathlib import Path

from build_dashboard.config_error import ConfigError
from build_dashboard.mirror.project_map import ProjectMap
from build_dashboard.mirror.source import Source

DAY_SECONDS = 86_400
KINDS = ("buildbot", "github")


def source_of(  # noqa: PLR0917  (as config.yaml has them)
    kind: str,
    url: str,
    projects: ProjectMap,
    backfill_days: float,
    name: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Source:
    """The source of a CI.

    Args:
        kind: One of `KINDS`.
        url: Its base address; of GitHub the repository's page.
        projects: To which project a builder belongs, or `workflow / job`.
        backfill_days: How far back builds that ended are shown.
        name: What it is called, for ever; its address where None.
        environment: Where BUILDBOT_USER, BUILDBOT_PASSWORD and GITHUB_TOKEN are.

    Raises:
        ConfigError: there is no such kind, or the address is none of it.
    """
    seconds = backfill_days * DAY_SECONDS
    if kind == "buildbot":
        from build_dashboard.mirror.buildbot.source import BuildbotSource  # noqa: PLC0415  (memory: only its own)

        user = environment.get("BUILDBOT_USER")
        login = (user, _secret(environment, "BUILDBOT_PASSWORD")) if user else None
        return BuildbotSource(url, projects, name=name, login=login, backfill_seconds=seconds)
    if kind == "github":
        from build_dashboard.mirror.github.source import GitHubSource  # noqa: PLC0415  (as above)

        token = _secret(environment, "GITHUB_TOKEN")
        return GitHubSource(url, projects, name=name, token=token or None, backfill_seconds=seconds)
    raise ConfigError(f"{kind!r} is no CI that can be mirrored: {', '.join(KINDS)} are")


def _secret(environment: Mapping[str, str], name: str) -> str:
    """A variable's value, else that of the file which `NAME_FILE` names; empty where there is neither."""
    if value := environment.get(name):
        return value
    path = environment.get(f"{name}_FILE")
    try:
        return Path(path).read_text(encoding="utf-8").strip() if path else ""
    except (OSError, ValueError) as error:
        raise ConfigError(f"{name}_FILE: {path} cannot be read: {error}") from error
