"""The origin of a spool that a stranger's job left, as the CI's own event states it. Pure but for reading the event."""

import hashlib
import json
import re
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from build_protocol.branches import branch_fault
from build_protocol.ids import new_build_id

from build_dashboard.config_error import ConfigError

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_PROJECT = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Origin:
    """What the CI says of the job that left a spool."""

    project: str
    commit: str
    branch: str
    config: str = "default"
    pull_request: int | None = None
    source_url: str | None = None
    started_at: int = 0
    run: str = ""
    """The job's run and attempt: the same run's spool is the same build, however often it is delivered."""

    def build_id(self, name: str) -> str:
        """The id of the build that lies under this name in the spool."""
        parts = "\0".join((self.project, self.config, self.commit, self.run, name))
        return new_build_id(self.started_at, hashlib.sha256(parts.encode("utf-8", "replace")).digest())


def origin_of_job(  # noqa: PLR0917  (given by name, as the command line's options)
    event: Path | None,
    project: str | None,
    commit: str | None = None,
    branch: str | None = None,
    pull_request: int | None = None,
    config: str = "default",
) -> Origin:
    """What is known of the job: by options where a commit is given, else by GitHub's `workflow_run` event.

    Args:
        event: The file that GITHUB_EVENT_PATH names.
        project: The project to deliver to, by the workflow that delivers.
        commit: What the job built.
        branch: The branch it built.
        pull_request: The pull request's number; GitHub leaves those of forks out of the event.
        config: The config, by the workflow that delivers.

    Raises:
        ConfigError: something is missing or wrong.
    """
    if not project or not _PROJECT.fullmatch(project):
        raise ConfigError("--untrusted needs --project: what the spool says of it does not count")
    if commit is None:
        if event is None:
            raise ConfigError("--untrusted needs --event or --commit: what the spool says of the commit does not count")
        return _checked(_of_event(event, project, config, pull_request))
    named = branch or (f"{pull_request}/merge" if pull_request else None)
    if named is None:
        raise ConfigError("--untrusted with --commit needs --branch or --pull-request")
    return _checked(Origin(project, commit, named, config, pull_request, started_at=time.time_ns() // 1_000_000))


def _of_event(path: Path, project: str, config: str, pull_request: int | None) -> Origin:
    try:
        run = json.loads(path.read_text())["workflow_run"]
        number = pull_request or next((int(each["number"]) for each in run["pull_requests"]), None)
        owner = run["head_repository"]["owner"]["login"]
        return Origin(
            project,
            str(run["head_sha"]),
            # As GitHub names the ref of a pull request's own jobs.
            f"{number}/merge" if number else f"{owner}/{run['head_branch']}",
            config,
            number,
            str(run["html_url"]),
            int(datetime.fromisoformat(run["run_started_at"]).timestamp() * 1000),
            f"{run['id']}.{run['run_attempt']}",
        )
    except OSError as error:
        raise ConfigError(f"the event {path} cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, ValueError) as error:
        fault = f"{type(error).__name__}: {error}"
        raise ConfigError(f"the event {path} is no workflow_run of GitHub ({fault})") from error


def _checked(origin: Origin) -> Origin:
    if not _COMMIT.fullmatch(origin.commit):
        raise ConfigError(f"{origin.commit[:80]!r} is no commit: write 7 to 64 hexadecimal digits")
    if fault := branch_fault(origin.branch):
        raise ConfigError(fault)
    return origin
