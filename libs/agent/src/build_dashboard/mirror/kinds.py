"""Kinds: which source a CI of config.yaml has, and the credentials that its environment gives."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from build_dashboard.config_error import ConfigError
from build_dashboard.mirror.project_map import ProjectMap
from build_dashboard.mirror.source import Source

if TYPE_CHECKING:
    from build_dashboard.mirror.github.app import App

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
        environment: Where BUILDBOT_USER, BUILDBOT_PASSWORD, GITHUB_TOKEN, GITHUB_APP_ID and GITHUB_APP_KEY are.

    Raises:
        ConfigError: there is no such kind, the address is none of it, or a credential cannot be read.
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
        app = None if token else _app_of(environment)
        return GitHubSource(url, projects, name=name, token=token or None, app=app, backfill_seconds=seconds)
    raise ConfigError(f"{kind!r} is no CI that can be mirrored: {', '.join(KINDS)} are")


def _app_of(environment: Mapping[str, str]) -> "App | None":
    """The GitHub App as which a repository is read; None where there is none."""
    app_id, key = environment.get("GITHUB_APP_ID"), _secret(environment, "GITHUB_APP_KEY")
    if not app_id and not key:
        return None
    if not app_id or not key:
        raise ConfigError("a GitHub App is given by both: GITHUB_APP_ID and GITHUB_APP_KEY (or GITHUB_APP_KEY_FILE)")
    from build_dashboard.mirror.github.app import App  # noqa: PLC0415  (memory: only its own)

    return App(app_id, key)


def _secret(environment: Mapping[str, str], name: str) -> str:
    """A variable's value, else that of the file which `NAME_FILE` names; empty where there is neither."""
    if value := environment.get(name):
        return value
    path = environment.get(f"{name}_FILE")
    try:
        return Path(path).read_text(encoding="utf-8").strip() if path else ""
    except (OSError, ValueError) as error:
        raise ConfigError(f"{name}_FILE: {path} cannot be read: {error}") from error
