"""The project map: to which of the dashboard's projects a CI's builder belongs. Pure."""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from build_dashboard.config_error import ConfigError

LEFT_OUT = "-"
_PROJECT = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


class ProjectMap:
    """Patterns of names or tags, the first that matches decides."""

    def __init__(self, rules: Mapping[str, str]) -> None:
        """Args: `rules`: pattern (`clang-*`, `tag:mlir`) -> project; `-` leaves the builder out.

        Raises:
            ConfigError: a project's name is none.
        """
        for pattern, project in rules.items():
            if project != LEFT_OUT and not _PROJECT.fullmatch(project):
                raise ConfigError(
                    f"{pattern}={project}: a project's name is of a-z 0-9 _ . - (and begins with a-z 0-9)"
                )
        self._rules = dict(rules)

    @classmethod
    def read(cls, texts: Sequence[str], default: str | None) -> "ProjectMap":
        """Of options `PATTERN=PROJECT`, and what is the project of everything else.

        Raises:
            ConfigError: an option is none.
        """
        rules = {}
        for text in texts:
            pattern, equals, project = text.rpartition("=")
            if not (pattern and equals and project):
                raise ConfigError(f"--project-map {text}: write PATTERN=PROJECT, e.g. clang-*=clang or tag:mlir=mlir")
            rules[pattern] = project
        if default:
            rules["*"] = default
        return cls(rules)

    @property
    def projects(self) -> list[str]:
        """All there are."""
        return sorted({project for project in self._rules.values() if project != LEFT_OUT})

    def project_of(self, name: str, tags: Sequence[str] = ()) -> str | None:
        """The project of this builder; None where it is left out."""
        for pattern, project in self._rules.items():
            wanted = pattern.removeprefix("tag:")
            is_match = wanted in tags if wanted != pattern else fnmatchcase(name, pattern)
            if is_match:
                return None if project == LEFT_OUT else project
        return None
