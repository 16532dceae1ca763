"""What visitors without a login see of public projects: which routes, and without what of people and machines. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from build_chassis.auth import Principal
from build_protocol.project_config import Project

VISITOR = "a visitor"
"""No user's name: those have no blanks."""

PRIVATE = frozenset(
    {
        "agent",
        "agents",
        "authorEmail",
        "by",
        "command",
        "configurationChanges",
        "createdBy",
        "cwd",
        "environment",
        "host",
        "missingFacts",
        "openedBy",
        "owner",
        "recipient",
        "requestedBy",
    }
)
"""Fields that name a person's address, a machine, or how a machine is set up; wherever in an answer they stand."""

OUTPUT = frozenset({"lines", "lastLine"})
"""What a build printed is shown as it is: it is what a public project publishes."""

HIDDEN_ADDRESS = "(address not shown)"
ASKING_PRIVATE = frozenset({"agent", "q"})
"""Filters by which somebody could find out, yes or no, what is not shown."""

_MAIL = re.compile(r"(?<![\w.+-])(?!git@)[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_SEGMENT = r"[^/]+"
_OPEN = re.compile(
    "|".join(
        (
            "builds",
            f"builds/{_SEGMENT}(?:/(?:logs|failures|tests|artifacts))?",
            f"(?:failures|incidents|commits)(?:/{_SEGMENT})?",
            "tests(?:/history)?",
            "pins",
            "history/(?:trends|summary|steps|regressions|flaky|grid)",
            f"history/verdicts/{_SEGMENT}",
        )
    )
)


def public_projects(projects: Mapping[str, Project]) -> frozenset[str]:
    """The projects that config.yaml opens to everybody."""
    return frozenset(name for name, project in projects.items() if project.public)


def visitor_of(public: Iterable[str]) -> Principal:
    """Somebody without a login: a viewer of the public projects, and of nothing else."""
    return Principal(VISITOR, "viewer", frozenset(public), kind="key")


def is_open(method: str, segments: Sequence[str], query: Iterable[str]) -> bool:
    """Whether a visitor may ask this of a service; `segments` of the path below `/api/`, `query` its names."""
    is_read = method in {"GET", "HEAD"} and _OPEN.fullmatch("/".join(segments)) is not None
    return is_read and ASKING_PRIVATE.isdisjoint(query) and segments[:2] != ["builds", "failures"]


def without_private(value: Any, name: str = "") -> Any:
    """A JSON value without what is private: lists and objects are empty there, anything else is left out."""
    if isinstance(value, dict):
        emptied = {key: type(each)() for key, each in value.items() if isinstance(each, list | dict) and key in PRIVATE}
        kept = {key: without_private(each, key) for key, each in value.items() if key not in PRIVATE}
        return kept | emptied
    if isinstance(value, list):
        return [without_private(each, name) for each in value]
    if isinstance(value, str) and name not in OUTPUT:
        return _MAIL.sub(HIDDEN_ADDRESS, value)
    return value
