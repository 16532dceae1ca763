"""config.yaml as the server has it: read again when the file changes, kept as it was while the file is broken."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from build_protocol.config_reading import ConfigFaulty, read_config
from build_protocol.project_config import BuildConfig, ConfigFile, Project
from build_protocol.trusted_ci import TrustedCi

log = logging.getLogger(__name__)
_EMPTY = ConfigFile(projects={})


class Projects:
    """The projects of one config.yaml."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._file = _EMPTY
        self.fault: str | None = None
        """Why the file as it stands is not in force."""

    def current(self) -> Mapping[str, Project]:
        """The projects by name."""
        return self._read().projects

    def trusted_ci(self) -> Sequence[TrustedCi]:
        """The jobs of CIs that need no key."""
        return self._read().trusted_ci

    def _read(self) -> ConfigFile:
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            if stamp != self._stamp:
                self._stamp = stamp  # a broken file is complained of once
                self._file = read_config(self._path.read_text(encoding="utf-8"))
                self.fault = None
                log.info("read %s: %d projects", self._path, len(self._file.projects))
        except FileNotFoundError:
            # A system without the file is whole: projects come into being by their builds.
            self._file, self._stamp, self.fault = _EMPTY, None, None
        except (OSError, UnicodeDecodeError, ConfigFaulty) as error:
            log.warning("keep the projects as they were: %s: %s", self._path, error)
            self.fault = f"{self._path.name}: {error}"
        return self._file

    def get(self, name: str) -> Project:
        """A project; one the file does not name has every default."""
        return self.current().get(name) or Project()


def config_of(project: Project, name: str) -> BuildConfig:
    """A config of a project; one that the file does not name has every default.

    Args:
        project: The project, as config.yaml has it.
        name: The config's name (`release`).
    """
    return project.configs.get(name) or BuildConfig()
