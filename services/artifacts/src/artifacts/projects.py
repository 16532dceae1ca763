"""How large an artifact of a project may be, as config.yaml says; read again when the file changes."""

import logging
from collections.abc import Mapping
from pathlib import Path

import yaml
from build_protocol.project_config import ConfigFile, Project
from pydantic import ValidationError

log = logging.getLogger("artifacts")


class Projects:
    """The projects of one config.yaml; kept as they were while the file is broken."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._projects: Mapping[str, Project] = {}

    def artifact_max_bytes(self, project: str) -> int:
        """The project's limit; one the file does not name has the default."""
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            if stamp != self._stamp:
                self._stamp = stamp  # a broken file is complained of once
                self._projects = ConfigFile.model_validate(yaml.safe_load(self._path.read_text())).projects
        except FileNotFoundError:
            self._stamp = None
        except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
            log.warning("keep the projects as they were: %s: %s", self._path, error)
        return (self._projects.get(project) or Project()).artifact_max_bytes
