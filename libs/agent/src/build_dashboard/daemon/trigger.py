"""A trigger: somebody asks for a build, and may choose only what the project's owner allows."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from build_protocol.branches import branch_fault
from build_protocol.project_config import Project

CHOICES = ("branch", "clean", "commit", "config")
"""What a trigger may choose of every project; never the command."""

_COMMIT = re.compile(r"[0-9a-f]{7,64}")


class TriggerRefused(ValueError):
    """This build may not be asked for; reads as a sentence."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """An order to build. `parameters` become environment variables of the command."""

    command_id: str
    branch: str | None = None
    commit: str | None = None
    config: str = "default"
    clean: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def asked(cls, command_id: str, args: Mapping[str, Any], project: Project) -> Self:
        """The order as it came, checked.

        Raises:
            TriggerRefused: it chooses what may not be chosen.
        """
        chosen = {name: str(value) for name, value in args.items()}
        parameters = {name: value for name, value in chosen.items() if name not in CHOICES}
        for name, value in parameters.items():
            _check_parameter(name, value, project)
        commit, branch, config = chosen.get("commit"), chosen.get("branch"), chosen.get("config", "default")
        if commit is not None and not _COMMIT.fullmatch(commit):
            raise TriggerRefused(f"{commit[:80]!r} is no commit: write 7 to 64 hexadecimal digits")
        if branch is not None and (fault := branch_fault(branch)):
            raise TriggerRefused(fault)
        if config != "default" and project.configs and config not in project.configs:
            raise TriggerRefused(f"config.yaml here knows the configs {', '.join(sorted(project.configs))}")
        is_clean = chosen.get("clean", "").lower() in ("1", "true", "yes")
        return cls(command_id, branch, commit, config, is_clean, parameters)

    def to_json(self) -> dict[str, Any]:
        """As the daemon's memory keeps it."""
        return asdict(self)


def _check_parameter(name: str, value: str, project: Project) -> None:
    allowed = project.parameters.get(name)
    if allowed is None:
        names = ", ".join(sorted([*CHOICES, *project.parameters]))
        raise TriggerRefused(f"only {names} may be chosen, not {name[:80]}")
    if value not in allowed:
        raise TriggerRefused(f"{name} may be {', '.join(allowed)}, not {value[:80]!r}")
