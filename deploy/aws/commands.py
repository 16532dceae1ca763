"""The programs that deploy.sh runs: git, docker, a scanner, terraform."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ANY_IMAGE = f"undecided@sha256:{'0' * 64}"
"""In the place of an image where none is needed yet, or none is built: a plan's."""

TERRAFORM_SECONDS = 3600
IMAGE_SECONDS = 3600


class CommandFailed(Exception):
    """A program failed: which, and the end of what it printed."""


def run(*command: str, seconds: float, given: str | None = None, allowed: tuple[int, ...] = (0,)) -> tuple[int, str]:
    """Exit code and output. Raises CommandFailed for a code that is not allowed, or a program that is not there."""
    try:
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandFailed(f"{command[0]}: {error}") from error
    if done.returncode not in allowed:
        raise CommandFailed(
            f"{' '.join(command[:4])}: exit code {done.returncode}\n{(done.stdout + done.stderr)[-4000:]}"
        )
    return done.returncode, done.stdout


@dataclass(frozen=True)
class Checkout:
    """The repository that is deployed."""

    folder: Path

    def status(self) -> str:
        """What is in no commit."""
        return run("git", "-C", str(self.folder), "status", "--porcelain", seconds=60)[1]

    def commit(self) -> str:
        """The commit, 40 digits."""
        return run("git", "-C", str(self.folder), "rev-parse", "HEAD", seconds=60)[1].strip()


@dataclass(frozen=True)
class Images:
    """Builds, scans and pushes by docker and a scanner."""

    folder: Path

    def build(self, name: str) -> None:
        """Build the image of all services. Raises CommandFailed."""
        dockerfile = self.folder / "deploy" / "docker" / "Dockerfile"
        run("docker", "build", "--file", str(dockerfile), "--tag", name, str(self.folder), seconds=IMAGE_SECONDS)

    def scan(self, name: str) -> None:
        """Refuse an image with a known weakness that has a remedy. Raises CommandFailed."""
        severe = ("--severity", "HIGH,CRITICAL", "--ignore-unfixed", "--exit-code", "1", "--quiet")
        run("trivy", "image", *severe, name, seconds=IMAGE_SECONDS)

    def push(self, name: str, user: str, password: str) -> None:
        """Push to the registry of this name. Raises CommandFailed."""
        registry = name.partition("/")[0]
        run("docker", "login", "--username", user, "--password-stdin", registry, given=password, seconds=60)
        run("docker", "push", name, seconds=IMAGE_SECONDS)


@dataclass(frozen=True)
class Terraform:
    """One configuration with its variables."""

    folder: Path
    variables: Path

    def init(self) -> None:
        """Fetch providers and the state's place. Raises CommandFailed."""
        self._run("init", "-input=false")

    def outputs(self) -> dict[str, Any]:
        """What is applied says of itself; nothing before the first time."""
        found: dict[str, Any] = json.loads(self._run("output", "-json")[1] or "{}")
        return {name: output["value"] for name, output in found.items()}

    def plan(self, image: str) -> tuple[bool, str]:
        """Whether there is something to change, and what; kept for `apply_plan`."""
        code, text = self._run(
            "plan", "-input=false", "-detailed-exitcode", f"-out={self._plan}", *self._given(image), allowed=(0, 2)
        )
        return code == 2, text

    def apply_plan(self) -> None:
        """Do what was planned last. Raises CommandFailed."""
        self._run("apply", "-input=false", str(self._plan))

    def apply(self, image: str, *targets: str) -> None:
        """Apply, or only these and what they need. Raises CommandFailed."""
        chosen = (f"-target={target}" for target in targets)
        self._run("apply", "-input=false", "-auto-approve", *self._given(image), *chosen)

    @property
    def _plan(self) -> Path:
        return self.folder / ".terraform" / "deploy.plan"

    def _given(self, image: str) -> tuple[str, ...]:
        return f"-var-file={self.variables}", f"-var=image={image}"

    def _run(self, command: str, *options: str, allowed: tuple[int, ...] = (0,)) -> tuple[int, str]:
        arguments = ("terraform", f"-chdir={self.folder}", command, "-no-color", *options)
        os.environ.setdefault("TF_IN_AUTOMATION", "1")
        return run(*arguments, seconds=TERRAFORM_SECONDS, allowed=allowed)
